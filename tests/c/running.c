/* Which loop runs, and what may not run beside or inside it. */
#include "loop_thread.h"

static void check_no_running(void) {
    loop_t *loop = (loop_t *)&loop;
    CHECK_INT(loop_get_running(&loop), LOOP_ENO_RUNNING);
    CHECK_STR(loop_last_error(), "no running event loop");
    CHECK(loop == (loop_t *)&loop);
}

static void check_running(loop_t *expected) {
    loop_t *loop = NULL;
    CHECK_INT(loop_get_running(&loop), 0);
    CHECK(loop == expected);
}

static void *nothing_runs_here(void *data) {
    (void)data;
    check_no_running();
    return NULL;
}

static void running_inside(void *loop) {
    pthread_t thread;
    check_running(loop);
    CHECK_INT(loop_get_running(NULL), LOOP_EINVAL);
    CHECK_INT(pthread_create(&thread, NULL, nothing_runs_here, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    check_running(loop);
}

TEST(E11_E12_get_running_yields_the_loop_of_this_thread_while_it_runs) {
    loop_t *loop = loop_new();
    check_no_running();
    CHECK_INT(loop_call_soon(loop, running_inside, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    check_no_running();
    CHECK_INT(loop_call_later(loop, 0, running_inside, loop, running_inside, NULL), 0);
    CHECK_INT(loop_call_later(loop, 1, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    check_no_running();
    loop_unref(loop);
}

struct nest {
    loop_t *outer, *inner, *closed, *elsewhere;
    int inner_ran;
};

static void run_others_inside(void *data) {
    struct nest *nest = data;
    CHECK_INT(loop_run_forever(nest->inner), LOOP_EOTHER_RUNNING);
    CHECK_STR(loop_last_error(), "Cannot run the event loop while another loop is running");
    CHECK_INT(loop_run_once(nest->inner, 0), LOOP_EOTHER_RUNNING);
    CHECK_INT(loop_dispatch(nest->inner), LOOP_EOTHER_RUNNING);
    /* A refusal must not make the outer loop forget that it runs. */
    check_running(nest->outer);
    CHECK_INT(loop_run_forever(nest->outer), LOOP_ERUNNING);
    CHECK_STR(loop_last_error(), "This event loop is already running");
    CHECK_INT(loop_run_once(nest->outer, 0), LOOP_ERUNNING);
    CHECK_INT(loop_dispatch(nest->outer), LOOP_ERUNNING);
    CHECK_INT(loop_poll(nest->outer, 0), LOOP_ERUNNING);
    check_running(nest->outer);
    /* Closed is told first, then running itself, then running another. */
    CHECK_INT(loop_run_forever(nest->closed), LOOP_ECLOSED);
    CHECK_INT(loop_run_forever(nest->elsewhere), LOOP_ERUNNING);
    check_running(nest->outer);
    CHECK_INT(loop_is_running(nest->outer), 1);
    CHECK_INT(loop_is_running(nest->inner), 0);
    CHECK_INT(nest->inner_ran, 0);
    /* What does not run may be used all the same. */
    CHECK_INT(loop_call_later(nest->inner, 0, count, &nest->inner_ran, NULL, NULL), 0);
    CHECK_INT(loop_stop(nest->outer), 0);
}

TEST(P9_a_loop_runs_neither_twice_nor_inside_another) {
    struct loop_thread runner;
    loop_thread_start(&runner);
    struct nest nest = {loop_new(), loop_new(), loop_new(), runner.loop, 0};
    CHECK_INT(loop_close(nest.closed), 0);
    CHECK_INT(loop_call_soon(nest.inner, count, &nest.inner_ran, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(nest.outer, run_others_inside, &nest, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(nest.outer), 0);
    /* The inner loop has taken no harm. */
    CHECK_INT(loop_run_once(nest.inner, 0), 2);
    CHECK_INT(nest.inner_ran, 2);
    loop_thread_end(&runner);
    loop_unref(nest.outer);
    loop_unref(nest.inner);
    loop_unref(nest.closed);
}

TEST(P1_a_loop_that_runs_in_one_thread_cannot_run_or_close_in_another) {
    struct loop_thread runner;
    loop_thread_start(&runner);
    CHECK_INT(loop_is_running(runner.loop), 1);
    CHECK_INT(loop_run_forever(runner.loop), LOOP_ERUNNING);
    CHECK_INT(loop_run_once(runner.loop, 0), LOOP_ERUNNING);
    CHECK_INT(loop_poll(runner.loop, 0), LOOP_ERUNNING);
    CHECK_INT(loop_dispatch(runner.loop), LOOP_ERUNNING);
    CHECK_INT(loop_close(runner.loop), LOOP_ERUNNING);
    CHECK_INT(loop_is_running(runner.loop), 1);
    check_no_running();
    loop_thread_end(&runner);
}

struct meeting {
    pthread_barrier_t barrier;
    loop_t *loops[2];
};

static void meet(void *data) {
    struct meeting *meeting = data;
    loop_t *loop = NULL;
    /* Both threads are inside a callback of their loop at this moment. */
    pthread_barrier_wait(&meeting->barrier);
    CHECK_INT(loop_get_running(&loop), 0);
    CHECK(loop_is_running(meeting->loops[0]) && loop_is_running(meeting->loops[1]));
    pthread_barrier_wait(&meeting->barrier);
    CHECK_INT(loop_stop(loop), 0);
}

static void *run_it(void *loop) {
    CHECK_INT(loop_run_forever(loop), 0);
    return NULL;
}

TEST(P1_P9_two_threads_run_two_loops_at_once) {
    struct meeting meeting = {.loops = {loop_new(), loop_new()}};
    pthread_t threads[2];
    CHECK_INT(pthread_barrier_init(&meeting.barrier, NULL, 2), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(loop_call_soon(meeting.loops[i], meet, &meeting, NULL, NULL), 0);
        CHECK_INT(pthread_create(&threads[i], NULL, run_it, meeting.loops[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_INT(loop_is_running(meeting.loops[i]), 0);
        loop_unref(meeting.loops[i]);
    }
}

TEST(a_loop_may_run_in_one_thread_after_the_other) {
    loop_t *loop = loop_new();
    int ran = 0;
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
        CHECK_INT(loop_call_later(loop, MS, stop_loop, loop, NULL, NULL), 0);
        CHECK_INT(pthread_create(&thread, NULL, run_it, loop), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(ran, i + 1);
    }
    loop_unref(loop);
}

/* E24 without its coroutines: three loops in three threads, each given work and
 * stopped from outside. */
TEST(E24_three_loops_in_three_threads_take_work_and_stop_from_outside) {
    enum { LOOPS = 3, JOBS = 3 };
    struct loop_thread runners[LOOPS];
    int ran[LOOPS] = {0};
    for (int i = 0; i < LOOPS; i++)
        loop_thread_start(&runners[i]);
    for (int job = 0; job < JOBS; job++) {
        for (int i = 0; i < LOOPS; i++)
            CHECK_INT(loop_call_soon_threadsafe(runners[i].loop, count, &ran[i], NULL, NULL), 0);
    }
    for (int i = 0; i < LOOPS; i++)
        CHECK_INT(loop_call_soon_threadsafe(runners[i].loop, stop_loop, runners[i].loop, NULL,
                                            NULL), 0);
    for (int i = 0; i < LOOPS; i++) {
        loop_thread_join(&runners[i]);
        CHECK_INT(ran[i], JOBS);
        loop_unref(runners[i].loop);
    }
}
