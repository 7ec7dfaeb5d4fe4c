/* Three threads run three loops; the main thread gives each of them three
 * coroutines (tasks, in C) and waits for the nine results. asyncio:
 * run_coroutine_threadsafe() and future.result(timeout).
 *
 * Output:
 * 9 tasks submitted
 * T0 T0 T0 T1 T1 T1 T2 T2 T2
 * all at once: yes
 * loops stopped: 3
 */
#include "coloop.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MS 1000000LL

enum { LOOPS = 3, TASKS_EACH = 3, TASKS = LOOPS * TASKS_EACH };

struct worker {
    loop_t *loop;
    pthread_t thread;
    char name[8];
};

static void require(int code, const char *what) {
    if (code < 0) {
        fprintf(stderr, "%s: %s\n", what, loop_last_error());
        exit(1);
    }
}

static void *run_loop(void *data) {
    struct worker *self = data;
    require(policy_set_event_loop(self->loop), "set_event_loop");
    require(loop_run_forever(self->loop), "run_forever");
    require(policy_set_event_loop(NULL), "set_event_loop");
    return NULL;
}

/* The coroutine: sleeps, then yields the name of the thread it runs in. */
static int sleep_then_name(loop_task_t *task, int outcome, void *data) {
    struct worker *worker = data;
    if (outcome < 0) {
        return outcome;
    }
    if (loop_task_awaited(task) == NULL) {
        loop_future_t *nap;
        require(loop_sleep(worker->loop, 300 * MS, NULL, NULL, &nap), "sleep");
        return loop_task_await(task, nap);
    }
    if (!pthread_equal(pthread_self(), worker->thread)) {
        return loop_task_fail(task, -1, "a task ran in a wrong thread");
    }
    return loop_task_return(task, worker->name, NULL);
}

int main(void) {
    struct worker workers[LOOPS];
    loop_cfuture_t *results[TASKS];
    loop_t *clock = loop_new();
    uint64_t start = loop_time(clock);
    for (int i = 0; i < LOOPS; i++) {
        snprintf(workers[i].name, sizeof workers[i].name, "T%d", i);
        workers[i].loop = loop_new();
        if (workers[i].loop == NULL ||
            pthread_create(&workers[i].thread, NULL, run_loop, &workers[i]) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < TASKS; i++) {
        struct worker *worker = &workers[i / TASKS_EACH];
        require(loop_create_task_threadsafe(worker->loop, sleep_then_name, worker, NULL, &results[i]),
                "create_task_threadsafe");
    }
    printf("%d tasks submitted\n", TASKS);
    for (int i = 0; i < TASKS; i++) {
        void *name;
        require(loop_cfuture_result(results[i], 10000 * MS, &name), "result");
        printf("%s%c", (const char *)name, i + 1 < TASKS ? ' ' : '\n');
        loop_cfuture_unref(results[i]);
    }
    /* One after another they would sleep nine times as long. */
    printf("all at once: %s\n", loop_time(clock) - start < 9 * 300 * MS ? "yes" : "no");
    int stopped = 0;
    for (int i = 0; i < LOOPS; i++) {
        require(loop_stop_threadsafe(workers[i].loop), "stop_threadsafe");
        pthread_join(workers[i].thread, NULL);
        stopped += !loop_is_running(workers[i].loop);
        require(loop_close(workers[i].loop), "close");
        loop_unref(workers[i].loop);
    }
    printf("loops stopped: %d\n", stopped);
    loop_unref(clock);
    return 0;
}
