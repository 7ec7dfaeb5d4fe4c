/* Hooks and destructors that use the loop they belong to, at bad moments. */
#include "child.h"
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static void close_it(void *loop) {
    CHECK_INT(loop_close(loop), 0);
}

static void refer_to_it(void *loop) {
    loop_unref(loop_ref(loop));
    CHECK_INT(loop_run_once(loop, 0), LOOP_ECLOSED);
}

TEST(a_destructor_of_the_last_unref_may_use_the_loop) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, never, loop, close_it, NULL), 0);
    CHECK_INT(loop_call_soon(loop, never, loop, refer_to_it, NULL), 0);
    loop_unref(loop);
    CHECK_INT(ran, 0);
    loop = loop_new();
    CHECK_INT(policy_set_event_loop(loop), 0);
    CHECK_INT(loop_call_soon(loop, never, loop, refer_to_it, NULL), 0);
    loop_unref(loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
}

static void count_hook(loop_t *loop, void *number) {
    (void)loop;
    ++*(int *)number;
}

static void *post_nothing(void *loop) {
    static int ran;
    sleep_ns(20 * MS);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
    return NULL;
}

TEST(context_hooks_set_after_prepare_do_not_lose_the_wake_up) {
    loop_t *loop = loop_new();
    loop_context_hooks_t hooks = {.size = sizeof hooks};
    int64_t timeout;
    int woken = 0;
    pthread_t poster;
    CHECK_INT(loop_set_wake_hook(loop, count_hook, &woken, NULL), 0);
    CHECK_INT(loop_prepare(loop, &timeout), 0);
    CHECK_INT(timeout, -1);
    CHECK_INT(loop_set_context_hooks(loop, &hooks, NULL, NULL), 0);
    CHECK_INT(pthread_create(&poster, NULL, post_nothing, loop), 0);
    struct pollfd host = {loop_backend_fd(loop), POLLIN, 0};
    CHECK_INT(poll(&host, 1, 20000), 1);
    CHECK_INT(pthread_join(poster, NULL), 0);
    CHECK_INT(woken, 1);
    loop_unref(loop);
}

struct once {
    void (*act)(loop_t *);
    int done;
};

static void act_once(loop_t *loop, void *data) {
    struct once *once = data;
    if (!once->done++)
        once->act(loop);
}

static void soon(loop_t *loop) {
    CHECK_INT(loop_call_soon(loop, stop_loop, loop, NULL, NULL), 0);
}

static void later(loop_t *loop) {
    CHECK_INT(loop_call_later(loop, MS, stop_loop, loop, NULL, NULL), 0);
}

static void stop_now(loop_t *loop) {
    CHECK_INT(loop_stop(loop), 0);
}

static void interrupt_now(loop_t *loop) {
    CHECK_INT(loop_interrupt(loop, 7), 0);
}

TEST(what_the_hook_before_a_wait_gives_the_loop_is_not_slept_over) {
    void (*acts[])(loop_t *) = {soon, later, stop_now, interrupt_now};
    for (int i = 0; i < 4; i++) {
        loop_t *loop = loop_new();
        struct once once = {acts[i], 0};
        CHECK_INT(loop_set_wait_hooks(loop, act_once, NULL, &once, NULL), 0);
        /* The runner's time limit ends a test that sleeps so long. */
        CHECK_INT(loop_call_later(loop, 3600 * 1000 * MS, never, NULL, NULL, NULL), 0);
        CHECK_INT(loop_run_forever(loop), i == 3 ? 7 : 0);
        loop_unref(loop);
    }
}

static void count_a_run(void *count) {
    ++*(int *)count;
}

TEST(a_run_interrupted_by_the_hook_after_a_wait_runs_nothing_more) {
    loop_t *loop = loop_new();
    struct once once = {interrupt_now, 0};
    int ran = 0;
    CHECK_INT(loop_set_wait_hooks(loop, NULL, act_once, &once, NULL), 0);
    /* Long enough that the run waits for it, also on a slow machine. */
    CHECK_INT(loop_call_later(loop, 300 * MS, count_a_run, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 7);
    CHECK_INT(ran, 0);
    /* What came due waits for the next run. */
    CHECK_INT(loop_stop(loop), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(ran, 1);
    loop_unref(loop);
}

static void try_a_turn(loop_t *loop, void *tried) {
    int64_t timeout;
    CHECK_INT(loop_dispatch(loop), LOOP_ERUNNING);
    CHECK_INT(loop_run_once(loop, 0), LOOP_ERUNNING);
    CHECK_INT(loop_prepare(loop, &timeout), LOOP_ERUNNING);
    CHECK_INT(loop_poll(loop, 0), LOOP_ERUNNING);
    CHECK_INT(loop_close(loop), LOOP_ERUNNING);
    ++*(int *)tried;
}

TEST(no_turn_begins_inside_a_wait) {
    loop_t *loop = loop_new();
    int tried = 0;
    CHECK_INT(loop_set_wait_hooks(loop, try_a_turn, try_a_turn, &tried, NULL), 0);
    CHECK_INT(loop_poll(loop, MS), 0);
    CHECK_INT(tried, 2);
    CHECK_INT(loop_dispatch(loop), 0);
    loop_unref(loop);
}

static void unref_hook(loop_t *loop, void *data) {
    (void)data;
    loop_unref(loop);
}

TEST(the_wake_hook_may_give_the_last_reference_back) {
    loop_t *loop = loop_new();
    int64_t timeout;
    int destroyed = 0;
    CHECK_INT(loop_set_wake_hook(loop, unref_hook, &destroyed, count), 0);
    CHECK_INT(loop_prepare(loop, &timeout), 0);
    CHECK_INT(loop_call_soon(loop, never, NULL, NULL, NULL), 0);
    CHECK_INT(destroyed, 1);
}

TEST(a_late_removal_does_not_touch_the_loops_own_descriptors) {
    loop_t *loop = loop_new();
    int ends[2];
    CHECK_INT(open_backend(loop), 0);
    CHECK_INT(pipe(ends), 0);
    CHECK_INT(loop_add_reader(loop, ends[0], never, NULL, NULL), 0);
    close(ends[0]); /* the lowest free number, which the first precise wait takes */
    CHECK_INT(loop_call_later(loop, 2 * MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    CHECK_INT(loop_call_later(loop, 2 * MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    loop_unref(loop);
    close(ends[1]);
}

TEST(a_handle_given_to_another_loop_is_stale_there) {
    loop_t *loops[2] = {loop_new(), loop_new()};
    loop_handle_t timers[2], posts[2];
    int ran = 0;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(loop_call_later(loops[i], MS, count, &ran, NULL, &timers[i]), 0);
        CHECK_INT(loop_call_soon_threadsafe(loops[i], count, &ran, NULL, &posts[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_INT(loop_handle_cancel(loops[i], timers[!i]), LOOP_ESTALE);
        CHECK_INT(loop_handle_cancel(loops[i], posts[!i]), LOOP_ESTALE);
        CHECK_INT(loop_handle_cancelled(loops[i], timers[i]), 0);
        CHECK_INT(loop_handle_cancelled(loops[i], posts[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        loop_unref(loops[i]);
}

static volatile int hammering = 1;

static void *hammer(void *loop) {
    static int ran;
    while (hammering)
        CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    return NULL;
}

TEST(calls_of_another_thread_do_not_make_a_turn_fail) {
    loop_t *loop = loop_new();
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, hammer, loop), 0);
    for (int i = 0; i < (in_valgrind() ? 50 : 2000); i++)
        CHECK(loop_run_once(loop, 0) >= 0);
    hammering = 0;
    CHECK_INT(pthread_join(thread, NULL), 0);
    loop_unref(loop);
}
