/* A loop driven by a host: one turn on request, or its three steps with the
 * host waiting in between. */
#include "child.h"
#include <poll.h>
#include <unistd.h>

static int readable_within(loop_t *loop, int milliseconds) {
    int fd = loop_backend_fd(loop);
    CHECK(fd >= 0);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    return poll(&poller, 1, milliseconds);
}

static int64_t prepared(loop_t *loop) {
    int64_t timeout = 77;
    CHECK_INT(loop_prepare(loop, &timeout), 0);
    return timeout;
}

TEST(run_once_makes_one_turn_and_counts_its_callbacks) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK_INT(loop_run_once(loop, 0), 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    /* Something is ready, so "as long as it takes" is not at all. */
    CHECK_INT(loop_run_once(loop, -1), 3);
    CHECK_INT(ran, 3);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_unref(loop);
}

TEST(run_once_waits_no_longer_than_told) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK_INT(loop_call_later(loop, 3600000 * MS, count, &ran, NULL, NULL), 0);
    long long began = now_ns();
    CHECK_INT(loop_run_once(loop, 20 * MS), 0);
    CHECK(now_ns() - began >= 20 * MS);
    CHECK_INT(ran, 0);
    loop_unref(loop);
}

TEST(run_once_waits_no_longer_than_the_next_timer) {
    loop_t *loop = loop_new();
    int ran = 0;
    long long began = now_ns();
    CHECK_INT(loop_call_later(loop, 20 * MS, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 3600000 * MS), 1);
    CHECK(now_ns() - began >= 20 * MS);
    CHECK_INT(ran, 1);
    loop_unref(loop);
}

struct sleeper {
    loop_t *loop;
    int asleep[2], ran;
};

static void say_asleep(loop_t *loop, void *user_data) {
    (void)loop;
    tell(((struct sleeper *)user_data)->asleep[1]);
}

static void *post_to_sleeper(void *user_data) {
    struct sleeper *sleeper = user_data;
    hear(sleeper->asleep[0]);
    CHECK_INT(loop_call_soon_threadsafe(sleeper->loop, count, &sleeper->ran, NULL, NULL), 0);
    return NULL;
}

TEST(run_once_waits_for_a_post_as_long_as_it_takes) {
    struct sleeper sleeper = {.loop = loop_new()};
    pthread_t thread;
    make_pipe(sleeper.asleep);
    CHECK_INT(loop_set_wait_hooks(sleeper.loop, say_asleep, NULL, &sleeper, NULL), 0);
    CHECK_INT(pthread_create(&thread, NULL, post_to_sleeper, &sleeper), 0);
    CHECK_INT(loop_run_once(sleeper.loop, -1), 1);
    CHECK_INT(sleeper.ran, 1);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(loop_wakeup(sleeper.loop), 0);
    CHECK_INT(loop_run_once(sleeper.loop, -1), 0);
    loop_unref(sleeper.loop);
}

static void interrupt_it(void *loop) {
    CHECK_INT(loop_interrupt(loop, 5), 0);
}

TEST(stop_and_interrupt_end_a_turn_not_more) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK_INT(loop_stop(loop), 0);
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, -1), 1);
    CHECK_INT(loop_call_soon(loop, interrupt_it, loop, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, -1), 1);
    CHECK_INT(ran, 1);
    CHECK_INT(loop_run_once(loop, -1), 1);
    CHECK_INT(ran, 2);
    loop_unref(loop);
}

TEST(next_deadline_is_the_earliest_timers) {
    loop_t *loop = loop_new();
    uint64_t when = 77, base = loop_time(loop) + 3600000 * (uint64_t)MS;
    loop_handle_t early;
    CHECK_INT(loop_next_deadline(loop, &when), 0);
    CHECK_INT(when, 77);
    CHECK_INT(loop_call_at(loop, base + 5, never, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_at(loop, base + 3, never, NULL, NULL, &early), 0);
    CHECK_INT(loop_call_at(loop, base + 4, never, NULL, NULL, NULL), 0);
    CHECK_INT(loop_next_deadline(loop, &when), 1);
    CHECK(when == base + 3);
    CHECK_INT(loop_handle_reschedule(loop, early, base + 9), 0);
    CHECK_INT(loop_next_deadline(loop, &when), 1);
    CHECK(when == base + 4);
    CHECK_INT(loop_handle_reschedule(loop, early, base + 1), 0);
    CHECK_INT(loop_next_deadline(loop, &when), 1);
    CHECK(when == base + 1);
    CHECK_INT(loop_handle_cancel(loop, early), 0);
    CHECK_INT(loop_next_deadline(loop, &when), 1);
    CHECK(when == base + 4);
    loop_unref(loop);
}

TEST(prepare_tells_how_long_the_host_may_wait) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK_INT(prepared(loop), -1);
    CHECK_INT(loop_call_later(loop, 3600000 * MS, count, &ran, NULL, NULL), 0);
    int64_t timeout = prepared(loop);
    CHECK(timeout > 3500000 * MS && timeout <= 3600000 * MS);
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(prepared(loop), 0);
    CHECK_INT(loop_poll(loop, -1), 0);
    CHECK_INT(loop_dispatch(loop), 1);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(prepared(loop), 0);
    CHECK_INT(loop_poll(loop, -1), 0);
    CHECK_INT(loop_dispatch(loop), 1);
    CHECK_INT(loop_call_later(loop, 0, count, &ran, NULL, NULL), 0);
    CHECK_INT(prepared(loop), 0);
    CHECK_INT(loop_poll(loop, -1), 0);
    CHECK_INT(loop_dispatch(loop), 1);
    CHECK_INT(ran, 3);
    loop_unref(loop);
}

struct split {
    int ends[2];
    struct log log;
    struct mark reader, timer, ready;
};

static void read_and_mark(void *user_data) {
    struct split *split = user_data;
    hear(split->ends[0]);
    leave_mark(&split->reader);
}

TEST(poll_only_collects_and_dispatch_runs) {
    struct split split = {0};
    loop_t *loop = loop_new();
    split.reader = (struct mark){&split.log, 'i'};
    split.timer = (struct mark){&split.log, 't'};
    split.ready = (struct mark){&split.log, 'r'};
    make_pipe(split.ends);
    CHECK_INT(loop_add_reader(loop, split.ends[0], read_and_mark, &split, NULL), 0);
    CHECK_INT(prepared(loop), -1);
    CHECK_INT(readable_within(loop, 0), 0);
    tell(split.ends[1]);
    CHECK_INT(readable_within(loop, -1), 1);
    CHECK_INT(loop_poll(loop, 0), 1);
    CHECK_STR(split.log.text, "");
    CHECK_INT(loop_call_soon(loop, leave_mark, &split.ready, NULL, NULL), 0);
    CHECK_INT(loop_call_at(loop, 0, leave_mark, &split.timer, NULL, NULL), 0);
    CHECK_INT(loop_dispatch(loop), 3);
    CHECK_STR(split.log.text, "irt");
    /* Poll without prepare, and a wait inside it. */
    tell(split.ends[1]);
    CHECK_INT(loop_poll(loop, -1), 1);
    CHECK_INT(loop_dispatch(loop), 1);
    CHECK_STR(split.log.text, "irti");
    CHECK_INT(loop_poll(loop, 1 * MS), 0);
    CHECK_INT(loop_dispatch(loop), 0);
    loop_unref(loop);
}

TEST(after_prepare_the_descriptor_tells_of_a_post) {
    loop_t *loop = loop_new();
    int ran = 0;
    for (int round = 1; round <= 3; round++) {
        CHECK_INT(prepared(loop), -1);
        CHECK_INT(readable_within(loop, 0), 0);
        CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
        CHECK_INT(readable_within(loop, -1), 1);
        CHECK_INT(loop_poll(loop, 0), 0);
        CHECK_INT(loop_dispatch(loop), 1);
        CHECK_INT(ran, round);
    }
    CHECK_INT(prepared(loop), -1);
    CHECK_INT(loop_wakeup(loop), 0);
    CHECK_INT(readable_within(loop, -1), 1);
    CHECK_INT(loop_poll(loop, 0), 0);
    CHECK_INT(loop_dispatch(loop), 0);
    CHECK_INT(prepared(loop), -1);
    CHECK_INT(readable_within(loop, 0), 0);
    loop_unref(loop);
}

TEST(after_prepare_the_descriptor_tells_of_a_nearer_deadline) {
    loop_t *loop = loop_new();
    uint64_t far = loop_time(loop) + 3600000 * (uint64_t)MS;
    loop_handle_t timer;
    CHECK_INT(loop_call_at(loop, far, never, NULL, NULL, &timer), 0);
    CHECK(prepared(loop) > 0);
    CHECK_INT(loop_call_at(loop, far + 1, never, NULL, NULL, NULL), 0);
    CHECK_INT(loop_handle_reschedule(loop, timer, far + 2), 0);
    CHECK_INT(readable_within(loop, 0), 0);
    CHECK_INT(loop_handle_reschedule(loop, timer, far - 1), 0);
    CHECK_INT(readable_within(loop, -1), 1);
    CHECK_INT(loop_poll(loop, 0), 0);
    CHECK(prepared(loop) > 0);
    CHECK_INT(readable_within(loop, 0), 0);
    CHECK_INT(loop_call_at(loop, far - 2, never, NULL, NULL, NULL), 0);
    CHECK_INT(readable_within(loop, -1), 1);
    CHECK_INT(loop_poll(loop, 0), 0);
    CHECK(prepared(loop) > 0);
    CHECK_INT(loop_call_soon(loop, count, &(int){0}, NULL, NULL), 0);
    CHECK_INT(readable_within(loop, -1), 1);
    loop_unref(loop);
}

TEST(after_prepare_the_descriptor_tells_of_the_deadline_itself) {
    loop_t *loop = loop_new();
    int ran = 0;
    /* Far and near, and so near that the loop's own waits would not care. */
    for (int64_t delay = 20 * MS; delay >= 20000; delay /= 10) {
        int before = ran;
        uint64_t due = loop_time(loop) + (uint64_t)delay;
        CHECK_INT(loop_call_at(loop, due, count, &ran, NULL, NULL), 0);
        while (ran == before) {
            if (prepared(loop) > 0)
                CHECK_INT(readable_within(loop, -1), 1);
            CHECK(loop_poll(loop, 0) >= 0 && loop_dispatch(loop) >= 0);
        }
        CHECK(loop_time(loop) >= due);
        CHECK_INT(prepared(loop), -1);
        /* Its alarm may have come just after the poll that ran it: once. */
        if (readable_within(loop, 0) == 1) {
            CHECK_INT(loop_poll(loop, 0), 0);
            CHECK_INT(loop_dispatch(loop), 0);
            CHECK_INT(prepared(loop), -1);
        }
        CHECK_INT(readable_within(loop, 0), 0);
    }
    /* A moved timer takes its alarm along. */
    loop_handle_t moved;
    CHECK_INT(loop_call_later(loop, 3600000 * MS, count, &ran, NULL, &moved), 0);
    CHECK(prepared(loop) > 0);
    CHECK_INT(loop_handle_reschedule(loop, moved, loop_time(loop) + 20 * MS), 0);
    CHECK_INT(readable_within(loop, -1), 1);
    CHECK(loop_poll(loop, 0) >= 0 && loop_dispatch(loop) >= 0);
    for (int before = ran; ran == before;) {
        if (prepared(loop) > 0)
            CHECK_INT(readable_within(loop, -1), 1);
        CHECK(loop_poll(loop, 0) >= 0 && loop_dispatch(loop) >= 0);
    }
    loop_unref(loop);
}

TEST(with_slack_only_the_hosts_timeout_tells_of_a_deadline) {
    loop_options_t options = {.size = sizeof options, .timer_slack_ns = 10 * MS};
    loop_t *loop = NULL;
    int ran = 0;
    CHECK_INT(loop_create(&options, &loop), 0);
    CHECK_INT(loop_call_later(loop, MS, count, &ran, NULL, NULL), 0);
    while (ran == 0) {
        int64_t timeout = prepared(loop);
        CHECK(timeout >= 0);
        CHECK_INT(readable_within(loop, (int)((timeout + MS - 1) / MS)), 0);
        CHECK(loop_poll(loop, 0) >= 0 && loop_dispatch(loop) >= 0);
    }
    loop_unref(loop);
}

/* A loop inside a loop: the outer one watches the inner one's descriptor. */
struct nest {
    loop_t *outer, *inner;
    loop_handle_t timer;
    int ran, turns;
};

static void turn_inner(void *user_data) {
    struct nest *nest = user_data;
    nest->turns++;
    CHECK(loop_poll(nest->inner, 0) >= 0);
    /* The outer loop runs in this thread, so the inner one may not. */
    CHECK_INT(loop_dispatch(nest->inner), LOOP_EOTHER_RUNNING);
    CHECK_INT(loop_interrupt(nest->outer, 1), 0);
}

static void arm(struct nest *nest) {
    int64_t timeout = prepared(nest->inner);
    loop_handle_cancel(nest->outer, nest->timer);
    nest->timer = 0;
    if (timeout >= 0)
        CHECK_INT(loop_call_later(nest->outer, timeout, turn_inner, nest, NULL, &nest->timer), 0);
}

/* The outer loop waits for both; in between its turns the inner one runs. */
static void drive(struct nest *nest, int until) {
    while (nest->ran < until) {
        arm(nest);
        CHECK_INT(loop_run_forever(nest->outer), 1);
        CHECK(loop_dispatch(nest->inner) >= 0);
    }
}

static void *post_inner(void *user_data) {
    struct nest *nest = user_data;
    CHECK_INT(loop_call_soon_threadsafe(nest->inner, count, &nest->ran, NULL, NULL), 0);
    return NULL;
}

TEST(a_loop_is_embedded_in_another_through_its_descriptor) {
    struct nest nest = {.outer = loop_new(), .inner = loop_new()};
    int ends[2];
    pthread_t thread;
    make_pipe(ends);
    int fd = loop_backend_fd(nest.inner);
    CHECK_INT(loop_add_reader(nest.outer, fd, turn_inner, &nest, NULL), 0);
    /* A deadline of the inner loop, waited for by the outer one. */
    long long began = now_ns();
    CHECK_INT(loop_call_later(nest.inner, 20 * MS, count, &nest.ran, NULL, NULL), 0);
    drive(&nest, 1);
    CHECK(now_ns() - began >= 20 * MS);
    /* A post from another thread. */
    CHECK_INT(pthread_create(&thread, NULL, post_inner, &nest), 0);
    drive(&nest, 2);
    CHECK_INT(pthread_join(thread, NULL), 0);
    /* A descriptor of the inner loop. */
    CHECK_INT(loop_add_reader(nest.inner, ends[0], count, &nest.ran, NULL), 0);
    tell(ends[1]);
    drive(&nest, 3);
    CHECK_INT(loop_remove_reader(nest.outer, fd), 1);
    loop_unref(nest.inner);
    loop_unref(nest.outer);
}

/* Misuse. */
struct misuse {
    loop_t *loop, *other;
    int tried;
};

static void step_inside(void *user_data) {
    struct misuse *misuse = user_data;
    int64_t timeout = 77;
    uint64_t when = 0;
    loop_t *loop = misuse->loop;
    CHECK_INT(loop_run_once(loop, 0), LOOP_ERUNNING);
    CHECK_STR(loop_last_error(), "This event loop is already running");
    CHECK_INT(loop_prepare(loop, &timeout), LOOP_ERUNNING);
    CHECK_INT(timeout, 77);
    CHECK_INT(loop_poll(loop, 0), LOOP_ERUNNING);
    CHECK_INT(loop_dispatch(loop), LOOP_ERUNNING);
    CHECK_INT(loop_close(loop), LOOP_ERUNNING);
    CHECK_INT(loop_run_once(misuse->other, 0), LOOP_EOTHER_RUNNING);
    CHECK_STR(loop_last_error(), "Cannot run the event loop while another loop is running");
    CHECK_INT(loop_dispatch(misuse->other), LOOP_EOTHER_RUNNING);
    CHECK_INT(open_backend(loop), 0);
    CHECK_INT(loop_next_deadline(loop, &when), 0);
    misuse->tried++;
}

TEST(a_step_inside_a_callback_is_refused_and_the_run_goes_on) {
    struct misuse misuse = {.loop = loop_new(), .other = loop_new()};
    CHECK_INT(loop_call_soon(misuse.loop, step_inside, &misuse, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(misuse.loop, stop_loop, misuse.loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(misuse.loop), 0);
    CHECK_INT(loop_call_soon(misuse.loop, step_inside, &misuse, NULL, NULL), 0);
    CHECK_INT(loop_run_once(misuse.loop, 0), 1);
    CHECK_INT(loop_call_soon(misuse.loop, step_inside, &misuse, NULL, NULL), 0);
    CHECK_INT(loop_dispatch(misuse.loop), 1);
    CHECK_INT(misuse.tried, 3);
    loop_unref(misuse.loop);
    loop_unref(misuse.other);
}

static void *step_elsewhere(void *user_data) {
    struct misuse *misuse = user_data;
    int64_t timeout;
    uint64_t when;
    CHECK_INT(loop_run_once(misuse->loop, 0), LOOP_ERUNNING);
    CHECK_INT(loop_prepare(misuse->loop, &timeout), LOOP_ERUNNING);
    CHECK_INT(loop_poll(misuse->loop, 0), LOOP_ERUNNING);
    CHECK_INT(loop_dispatch(misuse->loop), LOOP_ERUNNING);
    CHECK_INT(loop_backend_fd(misuse->loop), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_next_deadline(misuse->loop, &when), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_stop_threadsafe(misuse->loop), 0);
    return NULL;
}

static void let_others_try(void *user_data) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, step_elsewhere, user_data), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

TEST(a_step_from_another_thread_is_refused) {
    struct misuse misuse = {.loop = loop_new()};
    CHECK_INT(loop_call_soon(misuse.loop, let_others_try, &misuse, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(misuse.loop), 0);
    loop_unref(misuse.loop);
}

TEST(a_closed_loop_takes_no_step) {
    loop_t *loop = loop_new();
    int64_t timeout = 77;
    uint64_t when = 77;
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_run_once(loop, 0), LOOP_ECLOSED);
    CHECK_INT(loop_prepare(loop, &timeout), LOOP_ECLOSED);
    CHECK_INT(loop_poll(loop, 0), LOOP_ECLOSED);
    CHECK_INT(loop_dispatch(loop), LOOP_ECLOSED);
    CHECK_INT(loop_backend_fd(loop), LOOP_ECLOSED);
    CHECK_INT(loop_next_deadline(loop, &when), LOOP_ECLOSED);
    CHECK(timeout == 77 && when == 77);
    loop_unref(loop);
}
