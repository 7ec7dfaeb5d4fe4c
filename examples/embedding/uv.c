/* A libuv program that has a coloop loop in its own: a child process of the one,
 * a timer of the other, and posts from libuv's own threads.
 *
 * Output:
 * libuv's timer
 * coloop's timer
 * the child ended with 3
 * 4 jobs posted
 */
#include "coloop/adapters/uv.h"
#include <stdio.h>
#include <stdlib.h>

enum { JOBS = 4 };

static uv_loop_t *uv;
static loop_t *loop;
static int posts;

static void require(int code, const char *what) {
    if (code < 0) {
        fprintf(stderr, "%s: %s\n", what, loop_last_error());
        exit(1);
    }
}

/* Runs on the loop's thread, once for each job. */
static void posted(void *unused) {
    (void)unused;
    if (++posts == JOBS) {
        printf("%d jobs posted\n", posts);
        uv_stop(uv); /* loop_stop would end the turn and no more */
    }
}

/* Runs in libuv's pool of threads. */
static void job(uv_work_t *work) {
    (void)work;
    require(loop_call_soon_threadsafe(loop, posted, NULL, NULL, NULL), "call_soon_threadsafe");
}

static void child_ended(loop_future_t *future, void *jobs) {
    void *returncode = NULL;
    require(loop_future_result(future, &returncode), "wait");
    printf("the child ended with %d\n", (int)(intptr_t)returncode);
    for (int i = 0; i < JOBS; i++)
        require(uv_queue_work(uv, &((uv_work_t *)jobs)[i], job, NULL), "uv_queue_work");
}

static void on_coloop_timer(void *jobs) {
    loop_subprocess_options_t options = {.size = sizeof options};
    loop_process_t *process = NULL;
    loop_future_t *ended = NULL;
    puts("coloop's timer");
    require(loop_subprocess_shell(loop, "exit 3", &options, &process), "subprocess");
    require(loop_process_wait(process, &ended), "wait");
    require(loop_future_add_done_callback(ended, child_ended, jobs, NULL), "add_done_callback");
    loop_future_unref(ended);
    loop_process_unref(process);
}

/* A callback of libuv's: the loop may be used here, although it does not run. */
static void on_uv_timer(uv_timer_t *timer) {
    puts("libuv's timer");
    require(loop_call_later(loop, 20000000, on_coloop_timer, timer->data, NULL, NULL), "call_later");
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void) {
    uv_work_t jobs[JOBS];
    uv_timer_t timer = {.data = jobs};
    coloop_uv_t *bridge;
    loop = loop_new();
    uv = uv_default_loop();
    require(coloop_uv_open(uv, loop, &bridge), "coloop_uv_open");
    uv_timer_init(uv, &timer);
    uv_timer_start(&timer, on_uv_timer, 10, 0);
    uv_run(uv, UV_RUN_DEFAULT);

    coloop_uv_close(bridge);
    loop_unref(loop);
    uv_run(uv, UV_RUN_DEFAULT); /* the last closings */
    uv_loop_close(uv);
}
