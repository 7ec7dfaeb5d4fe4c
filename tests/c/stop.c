/* How a run ends: stop, stop_threadsafe, interrupt. */
#include "loop_thread.h"
#include <unistd.h>

static void stop_two_turns_later(void *data) {
    void **arguments = data; /* the loop, and how many turns are left */
    int *left = arguments[1];
    if (--*left == 0)
        CHECK_INT(loop_stop(arguments[0]), 0);
    else
        CHECK_INT(loop_call_soon(arguments[0], stop_two_turns_later, data, NULL, NULL), 0);
}

TEST(a_stop_is_spent_by_the_run_it_ended) {
    loop_t *loop = loop_new();
    for (int round = 0; round < 3; round++) {
        int left = 3;
        void *arguments[] = {loop, &left};
        CHECK_INT(loop_call_soon(loop, stop_two_turns_later, arguments, NULL, NULL), 0);
        CHECK_INT(loop_run_forever(loop), 0);
        CHECK_INT(left, 0);
    }
    loop_unref(loop);
}

struct script {
    loop_t *loop;
    struct log log;
};

static void mark_b(void *data) {
    record(&((struct script *)data)->log, 'b');
}

static void mark_n(void *data) {
    record(&((struct script *)data)->log, 'n');
}

static void mark_a_and_schedule_n(void *data) {
    struct script *script = data;
    record(&script->log, 'a');
    CHECK_INT(loop_call_soon(script->loop, mark_n, script, NULL, NULL), 0);
}

static void stop_and_schedule_n(void *data) {
    struct script *script = data;
    CHECK_INT(loop_stop(script->loop), 0);
    mark_a_and_schedule_n(script);
}

TEST(stop_before_a_run_gives_exactly_one_turn) {
    struct script script = {.loop = loop_new()};
    CHECK_INT(loop_stop(script.loop), 0);
    CHECK_INT(loop_run_forever(script.loop), 0);
    CHECK_INT(loop_stop(script.loop), 0);
    CHECK_INT(loop_call_soon(script.loop, mark_a_and_schedule_n, &script, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(script.loop), 0);
    CHECK_STR(script.log.text, "a");
    CHECK_INT(loop_stop(script.loop), 0);
    CHECK_INT(loop_run_forever(script.loop), 0);
    CHECK_STR(script.log.text, "an");
    loop_unref(script.loop);
}

TEST(the_one_turn_of_a_stopped_run_serves_posts_io_and_due_timers_too) {
    struct script script = {.loop = loop_new()};
    int ends[2];
    open_pipe(ends);
    CHECK_INT(loop_add_writer(script.loop, ends[1], mark_b, &script, NULL), 0);
    CHECK_INT(loop_call_at(script.loop, 1, mark_n, &script, NULL, NULL), 0);
    CHECK_INT(loop_stop(script.loop), 0);
    CHECK_INT(loop_run_forever(script.loop), 0);
    CHECK_STR(script.log.text, "bn");
    /* Nothing is ready now, and yet a stopped run does not wait. */
    CHECK_INT(loop_remove_writer(script.loop, ends[1]), 1);
    CHECK_INT(loop_call_later(script.loop, 3600 * 1000 * MS, mark_n, &script, NULL, NULL), 0);
    CHECK_INT(loop_stop(script.loop), 0);
    CHECK_INT(loop_run_forever(script.loop), 0);
    CHECK_STR(script.log.text, "bn");
    loop_unref(script.loop);
}

TEST(stop_lets_the_turn_finish_and_leaves_the_next_one_queued) {
    struct script script = {.loop = loop_new()};
    CHECK_INT(loop_call_soon(script.loop, stop_and_schedule_n, &script, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(script.loop, mark_b, &script, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(script.loop), 0);
    CHECK_STR(script.log.text, "ab");
    CHECK_INT(loop_stop(script.loop), 0);
    CHECK_INT(loop_run_forever(script.loop), 0);
    CHECK_STR(script.log.text, "abn");
    loop_unref(script.loop);
}

static void leave_with_7(void *data) {
    struct script *script = data;
    record(&script->log, 'i');
    CHECK_INT(loop_interrupt(script->loop, 7), 0);
}

TEST(interrupt_leaves_the_run_at_once_and_the_rest_queued_in_order) {
    struct script script = {.loop = loop_new()};
    loop_call_soon(script.loop, mark_a_and_schedule_n, &script, NULL, NULL);
    loop_call_soon(script.loop, leave_with_7, &script, NULL, NULL);
    loop_call_soon(script.loop, mark_b, &script, NULL, NULL);
    CHECK_INT(loop_run_forever(script.loop), 7);
    CHECK_STR(script.log.text, "ai");
    CHECK_INT(loop_is_running(script.loop), 0);
    /* All that waited, with what the interrupted turn had scheduled, is one turn now. */
    CHECK_INT(loop_call_soon(script.loop, stop_loop, script.loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(script.loop), 0);
    CHECK_STR(script.log.text, "aibn");
    loop_unref(script.loop);
}

/* asyncio: KeyboardInterrupt leaves run_forever; the handler then calls stop. */
TEST(E21_stop_after_an_interrupted_run_makes_the_next_run_one_turn) {
    struct script script = {.loop = loop_new()};
    loop_call_soon(script.loop, leave_with_7, &script, NULL, NULL);
    CHECK_INT(loop_run_forever(script.loop), 7);
    CHECK_INT(loop_is_running(script.loop), 0);
    CHECK_INT(loop_stop(script.loop), 0);
    loop_call_soon(script.loop, mark_a_and_schedule_n, &script, NULL, NULL);
    CHECK_INT(loop_run_forever(script.loop), 0);
    CHECK_STR(script.log.text, "ia");
    CHECK_INT(loop_close(script.loop), 0);
    loop_unref(script.loop);
}

TEST(interrupt_forgets_a_stop_of_the_same_run) {
    struct script script = {.loop = loop_new()};
    loop_call_soon(script.loop, stop_loop, script.loop, NULL, NULL);
    loop_call_soon(script.loop, leave_with_7, &script, NULL, NULL);
    CHECK_INT(loop_run_forever(script.loop), 7);
    loop_call_soon(script.loop, mark_a_and_schedule_n, &script, NULL, NULL);
    CHECK_INT(loop_call_later(script.loop, 0, leave_with_7, &script, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(script.loop), 7);
    CHECK_STR(script.log.text, "iai");
    loop_unref(script.loop);
}

static void *interrupt_from_a_thread(void *loop) {
    CHECK_INT(loop_interrupt(loop, 1), LOOP_EWRONG_THREAD);
    return NULL;
}

static void try_interrupts(void *loop) {
    pthread_t thread;
    CHECK_INT(loop_interrupt(loop, 0), LOOP_EINVAL);
    CHECK_INT(loop_interrupt(loop, -5), LOOP_EINVAL);
    CHECK_INT(pthread_create(&thread, NULL, interrupt_from_a_thread, loop), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(loop_stop(loop), 0);
}

TEST(interrupt_is_for_the_running_callback_and_a_positive_code) {
    loop_t *loop = loop_new();
    CHECK_INT(loop_interrupt(loop, 1), LOOP_ENO_RUNNING);
    CHECK_INT(loop_call_soon(loop, try_interrupts, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_interrupt(loop, 1), LOOP_ECLOSED);
    loop_unref(loop);
}

TEST(P31_stop_from_another_thread_is_not_seen_until_a_wake) {
    struct loop_thread runner;
    int woken = 0;
    loop_thread_start(&runner);
    CHECK_INT(loop_stop(runner.loop), 0);
    sleep_ns(200 * MS);
    CHECK_INT(loop_is_running(runner.loop), 1);
    CHECK_INT(loop_call_soon_threadsafe(runner.loop, count, &woken, NULL, NULL), 0);
    loop_thread_join(&runner);
    CHECK_INT(woken, 1);
    CHECK_INT(loop_is_running(runner.loop), 0);
    loop_unref(runner.loop);
}

TEST(P31_stop_threadsafe_ends_a_sleeping_loop_after_what_was_posted_before) {
    struct loop_thread runner;
    int ran = 0;
    loop_thread_start(&runner);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(loop_call_soon_threadsafe(runner.loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_stop_threadsafe(runner.loop), 0);
    loop_thread_join(&runner);
    CHECK_INT(ran, 1000);
    loop_unref(runner.loop);
}

TEST(stop_threadsafe_before_a_run_waits_for_the_run) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_stop_threadsafe(loop), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(ran, 1);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_stop(loop), 0);
    CHECK_INT(loop_stop_threadsafe(loop), LOOP_ECLOSED);
    loop_unref(loop);
}
