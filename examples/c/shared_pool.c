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
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

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

/* Where the jobs meet: none goes on before all have begun. */
static pthread_barrier_t meeting;
static atomic_int met;

/* Blocks, in a thread of the pool. */
static int work(void *data, void **ret_result) {
    struct asker *self = data;
    pthread_barrier_wait(&meeting);
    met++;
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
    pthread_barrier_init(&meeting, NULL, LOOPS);
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
    printf("the jobs ran at once: %s\n", met == LOOPS ? "yes" : "no");
    require(loop_executor_shutdown(pool, LOOP_EXECUTOR_WAIT, -1), "executor_shutdown");
    loop_executor_unref(pool);
    pthread_barrier_destroy(&meeting);
    return 0;
}
