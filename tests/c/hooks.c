/* Wait hooks: called in pairs around waits that may block, and nowhere else. */
#include "child.h"
#include <signal.h>
#include <unistd.h>

struct waits {
    loop_t *loop;
    struct log log;
    struct mark ran;
    int before, after, destroyed;
};

static void before_wait(loop_t *loop, void *user_data) {
    struct waits *waits = user_data;
    CHECK(loop == waits->loop);
    CHECK_INT(waits->before++, waits->after);
    record(&waits->log, '(');
}

static void after_wait(loop_t *loop, void *user_data) {
    struct waits *waits = user_data;
    CHECK(loop == waits->loop);
    CHECK_INT(++waits->after, waits->before);
    record(&waits->log, ')');
}

static void waits_destroyed(void *user_data) {
    ((struct waits *)user_data)->destroyed++;
}

static void waits_open(struct waits *waits) {
    memset(waits, 0, sizeof *waits);
    waits->loop = loop_new();
    waits->ran = (struct mark){&waits->log, 'c'};
    CHECK_INT(loop_set_wait_hooks(waits->loop, before_wait, after_wait, waits, waits_destroyed),
              0);
}

static void waits_close(struct waits *waits) {
    CHECK_INT(waits->destroyed, 0);
    CHECK_INT(loop_close(waits->loop), 0);
    CHECK_INT(waits->destroyed, 1);
    loop_unref(waits->loop);
    CHECK_INT(waits->destroyed, 1);
}

TEST(wait_hooks_surround_a_wait_for_a_timer) {
    struct waits waits;
    waits_open(&waits);
    // Long enough that a busy machine has not used it up before the wait begins.
    CHECK_INT(loop_call_later(waits.loop, 500 * MS, leave_mark, &waits.ran, NULL, NULL), 0);
    while (loop_run_once(waits.loop, -1) == 0) {
    }
    CHECK(strncmp(waits.log.text, "()", 2) == 0);
    CHECK(waits.log.text[waits.log.length - 1] == 'c');
    CHECK_INT(waits.before, waits.after);
    waits_close(&waits);
}

TEST(wait_hooks_surround_a_wait_for_a_descriptor) {
    struct waits waits;
    int ends[2];
    make_pipe(ends);
    waits_open(&waits);
    CHECK_INT(loop_add_reader(waits.loop, ends[0], leave_mark, &waits.ran, NULL), 0);
    tell(ends[1]);
    CHECK_INT(loop_run_once(waits.loop, -1), 1);
    CHECK_STR(waits.log.text, "()c");
    /* A host's wait inside loop_poll is a wait, too. */
    CHECK_INT(loop_poll(waits.loop, -1), 1);
    CHECK_STR(waits.log.text, "()c()");
    CHECK_INT(loop_dispatch(waits.loop), 1);
    CHECK_STR(waits.log.text, "()c()c");
    waits_close(&waits);
}

TEST(wait_hooks_are_not_called_where_nothing_can_block) {
    struct waits waits;
    int ends[2];
    int64_t timeout;
    make_pipe(ends);
    tell(ends[1]);
    waits_open(&waits);
    loop_t *loop = waits.loop;
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(loop_call_soon(loop, leave_mark, &waits.ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, -1), 1);
    CHECK_INT(loop_call_soon_threadsafe(loop, leave_mark, &waits.ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, -1), 1);
    CHECK_INT(loop_call_later(loop, 0, leave_mark, &waits.ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, -1), 1);
    CHECK_INT(loop_add_reader(loop, ends[0], leave_mark, &waits.ran, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(loop_prepare(loop, &timeout), 0);
    CHECK_INT(loop_poll(loop, 0), 1);
    CHECK_INT(loop_dispatch(loop), 1);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    CHECK_INT(loop_stop(loop), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_STR(waits.log.text, "ccccc");
    waits_close(&waits);
}

TEST(either_wait_hook_may_be_missing_and_none_ends_them) {
    struct waits waits;
    waits_open(&waits);
    CHECK_INT(loop_set_wait_hooks(waits.loop, before_wait, NULL, &waits, waits_destroyed), 0);
    CHECK_INT(waits.destroyed, 1);
    CHECK_INT(loop_run_once(waits.loop, 1), 0);
    CHECK_STR(waits.log.text, "(");
    waits.after = 0;
    waits.before = 1;
    CHECK_INT(loop_set_wait_hooks(waits.loop, NULL, after_wait, &waits, waits_destroyed), 0);
    CHECK_INT(waits.destroyed, 2);
    CHECK_INT(loop_run_once(waits.loop, 1), 0);
    CHECK_STR(waits.log.text, "()");
    /* With no hook left, the data given along ends at once. */
    CHECK_INT(loop_set_wait_hooks(waits.loop, NULL, NULL, &waits, waits_destroyed), 0);
    CHECK_INT(waits.destroyed, 4);
    CHECK_INT(loop_run_once(waits.loop, 1), 0);
    CHECK_STR(waits.log.text, "()");
    loop_unref(waits.loop);
    CHECK_INT(waits.destroyed, 4);
}

static void *run_elsewhere(void *loop) {
    CHECK_INT(loop_run_once(loop, 1), 0);
    return NULL;
}

static pthread_t hook_thread;

static void note_thread(loop_t *loop, void *user_data) {
    (void)loop, (void)user_data;
    hook_thread = pthread_self();
}

TEST(wait_hooks_are_called_on_the_loops_thread) {
    loop_t *loop = loop_new();
    pthread_t thread;
    CHECK_INT(loop_set_wait_hooks(loop, note_thread, note_thread, NULL, NULL), 0);
    CHECK_INT(pthread_create(&thread, NULL, run_elsewhere, loop), 0);
    pthread_t its = thread;
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK(pthread_equal(hook_thread, its));
    loop_unref(loop);
}

/* Hooks replaced in their own first half: the pair is still completed. */
static void replace_then_wait(loop_t *loop, void *user_data) {
    struct waits *waits = user_data;
    before_wait(loop, waits);
    CHECK_INT(loop_set_wait_hooks(loop, NULL, NULL, NULL, NULL), 0);
    CHECK_INT(waits->destroyed, 0);
}

static void complete(loop_t *loop, void *user_data) {
    struct waits *waits = user_data;
    CHECK_INT(waits->destroyed, 0);
    after_wait(loop, waits);
}

TEST(wait_hooks_replaced_inside_a_hook_are_still_a_pair) {
    struct waits waits = {.loop = loop_new()};
    CHECK_INT(loop_set_wait_hooks(waits.loop, replace_then_wait, complete, &waits,
                                  waits_destroyed), 0);
    CHECK_INT(loop_run_once(waits.loop, 1), 0);
    CHECK_STR(waits.log.text, "()");
    CHECK_INT(waits.destroyed, 1);
    CHECK_INT(loop_run_once(waits.loop, 1), 0);
    CHECK_STR(waits.log.text, "()");
    loop_unref(waits.loop);
}

/* A hook may do what its language's other threads would do meanwhile. */
static void post_in_hook(loop_t *loop, void *user_data) {
    CHECK_INT(loop_call_soon_threadsafe(loop, leave_mark, user_data, NULL, NULL), 0);
}

TEST(a_post_inside_a_wait_hook_is_not_slept_over) {
    struct waits waits = {.loop = loop_new()};
    waits.ran = (struct mark){&waits.log, 'c'};
    CHECK_INT(loop_set_wait_hooks(waits.loop, post_in_hook, NULL, &waits.ran, NULL), 0);
    CHECK_INT(loop_run_once(waits.loop, -1), 1);
    CHECK_INT(loop_set_wait_hooks(waits.loop, NULL, post_in_hook, &waits.ran, NULL), 0);
    CHECK_INT(loop_run_once(waits.loop, 1), 1);
    CHECK_STR(waits.log.text, "cc");
    loop_unref(waits.loop);
}

static void schedule_in_hook(loop_t *loop, void *user_data) {
    CHECK_INT(loop_call_soon(loop, leave_mark, user_data, NULL, NULL), 0);
}

static loop_t *signalled;
static volatile sig_atomic_t news;

static void on_signal(int signum) {
    (void)signum;
    news = 1;
    loop_wakeup(signalled);
}

static void stop_if_news(loop_t *loop, void *user_data) {
    (void)user_data;
    if (news) loop_stop(loop);
}

TEST(a_signal_before_the_wait_is_not_slept_over_and_the_hook_after_it_looks) {
    signalled = loop_new();
    CHECK_INT(loop_set_wait_hooks(signalled, NULL, stop_if_news, NULL, NULL), 0);
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    CHECK_INT(loop_run_forever(signalled), 0);
    CHECK_INT(loop_close(signalled), 0);
    loop_unref(signalled);
}

/* The second signal comes when the hook has looked already, as it may at any time. */
static void look_then_raise(loop_t *loop, void *user_data) {
    int *looks = user_data;
    if (++*looks == 1) {
        news = 0;
        signal(SIGUSR1, on_signal); /* some systems take a handler back when it is called */
        raise(SIGUSR1);
    } else {
        stop_if_news(loop, NULL);
    }
}

static void call_too_late(void *user_data) {
    (void)user_data;
    CHECK(!"the loop slept over the second signal");
}

TEST(a_signal_after_the_hook_has_looked_ends_the_next_wait) {
    int looks = 0;
    signalled = loop_new();
    CHECK_INT(loop_set_wait_hooks(signalled, NULL, look_then_raise, &looks, NULL), 0);
    CHECK_INT(loop_call_later(signalled, 5000 * MS, call_too_late, NULL, NULL, NULL), 0);
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    CHECK_INT(loop_run_forever(signalled), 0);
    CHECK_INT(looks, 2);
    CHECK_INT(loop_close(signalled), 0);
    loop_unref(signalled);
}

TEST(a_stop_in_the_hook_before_a_wait_is_not_slept_over) {
    loop_t *loop = loop_new();
    news = 1;
    CHECK_INT(loop_set_wait_hooks(loop, stop_if_news, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(a_callback_scheduled_inside_a_wait_hook_runs_in_that_turn) {
    struct waits waits = {.loop = loop_new()};
    waits.ran = (struct mark){&waits.log, 'c'};
    CHECK_INT(loop_set_wait_hooks(waits.loop, schedule_in_hook, NULL, &waits.ran, NULL), 0);
    CHECK_INT(loop_run_once(waits.loop, 1 * MS), 1);
    CHECK_STR(waits.log.text, "c");
    loop_unref(waits.loop);
}

TEST(refused_wait_hooks_are_destroyed) {
    struct waits waits = {.loop = loop_new()};
    CHECK_INT(loop_set_wait_hooks(NULL, before_wait, after_wait, &waits, waits_destroyed),
              LOOP_EINVAL);
    CHECK_INT(waits.destroyed, 1);
    CHECK_INT(loop_close(waits.loop), 0);
    CHECK_INT(loop_set_wait_hooks(waits.loop, before_wait, after_wait, &waits, waits_destroyed),
              LOOP_ECLOSED);
    CHECK_INT(waits.destroyed, 2);
    loop_unref(waits.loop);
}
