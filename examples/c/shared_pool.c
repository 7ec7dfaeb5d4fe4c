/* Five threads, each with a loop of its own, give blocking jobs to one shared
 * pool of threads. Each result comes back to the loop that asked. asyncio:
 * loop.run_in_executor() with one ThreadPoolExecutor.
 *
 * Output:
 * loop 0 got 0
 * loop 1 got 10
 * loop 2 got 20
 * loop 3 got 30
 * loop 4 got 40
 * the jobs ran at once: yes
 */
#include "coloop.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MS 1000000LL

enum { LOOPS = 5 };

struct asker {
    loop_executor_t *pool;
    pthread_t thread;
    int number;
    int answer;
};

static void require(int code, const char *what) {
    if (code < 0) {
        fprintf(stderr, "%s: %s\n", what, loop_last_error());
        exit(1);
    }
}

/* Blocks, in a thread of the pool. */
static int work(void *data, void **ret_result) {
    struct asker *self = data;
    nanosleep(&(struct timespec){.tv_nsec = 300 * MS}, NULL);
    *ret_result = (void *)(intptr_t)(self->number * 10);
    return 0;
}

static void *ask(void *data) {
    struct asker *self = data;
    loop_t *loop = loop_new();
    loop_future_t *future;
    void *result;
    require(loop_run_in_executor(loop, self->pool, work, self, NULL, NULL, &future),
            "run_in_executor");
    require(loop_run_until_complete(loop, future, &result), "run_until_complete");
    self->answer = (int)(intptr_t)result;
    loop_future_unref(future);
    require(loop_close(loop), "close");
    loop_unref(loop);
    return NULL;
}

int main(void) {
    struct asker askers[LOOPS];
    loop_executor_t *pool;
    loop_t *clock = loop_new();
    uint64_t start = loop_time(clock);
    require(loop_executor_new(LOOPS, &pool), "executor_new");
    for (int i = 0; i < LOOPS; i++) {
        askers[i] = (struct asker){.pool = pool, .number = i};
        if (pthread_create(&askers[i].thread, NULL, ask, &askers[i]) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < LOOPS; i++) {
        pthread_join(askers[i].thread, NULL);
        printf("loop %d got %d\n", i, askers[i].answer);
    }
    printf("the jobs ran at once: %s\n",
           loop_time(clock) - start < LOOPS * 300 * MS ? "yes" : "no");
    require(loop_executor_shutdown(pool, LOOP_EXECUTOR_WAIT, -1), "executor_shutdown");
    loop_executor_unref(pool);
    loop_unref(clock);
    return 0;
}
