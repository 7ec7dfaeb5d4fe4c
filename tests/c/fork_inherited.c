/* A loop in a child that inherited it: every function refuses and touches
 * nothing, or gives its documented answer. */
#include "child.h"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static void hook(loop_t *loop, void *user_data) {
    (void)loop, (void)user_data;
    CHECK(!"this hook must not be called");
}

static void handle_failure(loop_t *loop, const loop_exception_context_t *context,
                           void *user_data) {
    (void)loop, (void)context, (void)user_data;
    CHECK(!"this handler must not be called");
}

static void handle_slow(loop_t *loop, const loop_slow_callback_t *report, void *user_data) {
    (void)loop, (void)report, (void)user_data;
    CHECK(!"this hook must not be called");
}

struct refusal {
    int given, destroyed, stray;
    loop_handle_t handle;
    uint64_t when;
    int64_t timeout;
};

static void scheduling_is_refused(loop_t *loop, struct refusal *r) {
    void *data = &r->destroyed, *context = &r->stray;
    CHECK_INT(loop_call_soon(loop, never, data, count, &r->handle), LOOP_EFORKED);
    CHECK_INT(loop_call_soon(loop, never, NULL, NULL, NULL), LOOP_EFORKED);
    CHECK_INT(loop_call_soon_context(loop, never, data, count, context, &r->handle), LOOP_EFORKED);
    CHECK_INT(loop_call_soon_threadsafe(loop, never, data, count, &r->handle), LOOP_EFORKED);
    CHECK_INT(loop_call_soon_threadsafe(loop, never, data, count, NULL), LOOP_EFORKED);
    CHECK_INT(loop_call_soon_threadsafe(loop, never, NULL, NULL, NULL), LOOP_EFORKED);
    CHECK_INT(loop_call_soon_threadsafe_context(loop, never, data, count, context, &r->handle),
              LOOP_EFORKED);
    CHECK_INT(loop_call_later(loop, 0, never, data, count, &r->handle), LOOP_EFORKED);
    CHECK_INT(loop_call_later_context(loop, 0, never, data, count, context, &r->handle),
              LOOP_EFORKED);
    CHECK_INT(loop_call_at(loop, 0, never, data, count, &r->handle), LOOP_EFORKED);
    CHECK_INT(loop_call_at_context(loop, 0, never, data, count, context, &r->handle),
              LOOP_EFORKED);
    r->given += 9;
}

static void handles_are_refused(loop_t *loop, loop_handle_t timer, struct refusal *r) {
    CHECK_INT(loop_handle_cancel(loop, timer), LOOP_EFORKED);
    CHECK_INT(loop_handle_cancelled(loop, timer), LOOP_EFORKED);
    CHECK_INT(loop_handle_when(loop, timer, &r->when), LOOP_EFORKED);
    CHECK_INT(loop_handle_reschedule(loop, timer, 0), LOOP_EFORKED);
}

static void descriptors_are_refused(loop_t *loop, int readable, int writable, struct refusal *r) {
    void *data = &r->destroyed;
    int ends[2];
    make_pipe(ends);
    CHECK_INT(loop_add_reader(loop, ends[0], never, data, count), LOOP_EFORKED);
    CHECK_INT(loop_add_writer(loop, ends[1], never, data, count), LOOP_EFORKED);
    CHECK_INT(loop_add_reader(loop, readable, never, data, count), LOOP_EFORKED);
    CHECK_INT(loop_add_writer(loop, writable, never, data, count), LOOP_EFORKED);
    CHECK_INT(loop_add_reader_context(loop, ends[0], never, data, count, data), LOOP_EFORKED);
    CHECK_INT(loop_add_writer_context(loop, ends[1], never, data, count, data), LOOP_EFORKED);
    r->given += 6;
    CHECK_INT(loop_remove_reader(loop, readable), LOOP_EFORKED);
    CHECK_INT(loop_remove_writer(loop, writable), LOOP_EFORKED);
    close(ends[0]);
    close(ends[1]);
}

static void running_is_refused(loop_t *loop, struct refusal *r) {
    CHECK_INT(loop_run_forever(loop), LOOP_EFORKED);
    CHECK_INT(loop_run_once(loop, 0), LOOP_EFORKED);
    CHECK_INT(loop_run_once(loop, -1), LOOP_EFORKED);
    CHECK_INT(loop_prepare(loop, &r->timeout), LOOP_EFORKED);
    CHECK_INT(loop_poll(loop, -1), LOOP_EFORKED);
    CHECK_INT(loop_dispatch(loop), LOOP_EFORKED);
    CHECK_INT(loop_backend_fd(loop), LOOP_EFORKED);
    CHECK_INT(loop_next_deadline(loop, &r->when), LOOP_EFORKED);
    CHECK_INT(loop_stop(loop), LOOP_EFORKED);
    CHECK_INT(loop_stop_threadsafe(loop), LOOP_EFORKED);
    CHECK_INT(loop_interrupt(loop, 1), LOOP_EFORKED);
    CHECK_INT(loop_wakeup(loop), LOOP_EFORKED);
}

static void settings_are_refused(loop_t *loop, struct refusal *r) {
    loop_context_hooks_t hooks = {.size = sizeof hooks};
    loop_exception_context_t failure = {.size = sizeof failure, .fd = -1};
    void *data = &r->destroyed;
    CHECK_INT(loop_set_debug(loop, 1), LOOP_EFORKED);
    CHECK_INT(loop_set_wait_hooks(loop, hook, hook, data, count), LOOP_EFORKED);
    CHECK_INT(loop_set_wake_hook(loop, hook, data, count), LOOP_EFORKED);
    CHECK_INT(loop_set_context_hooks(loop, &hooks, data, count), LOOP_EFORKED);
    CHECK_INT(loop_set_exception_handler(loop, handle_failure, data, count), LOOP_EFORKED);
    CHECK_INT(loop_set_slow_callback_hook(loop, handle_slow, data, count), LOOP_EFORKED);
    r->given += 5;
    CHECK_INT(loop_set_slow_callback_duration(loop, 1), LOOP_EFORKED);
    CHECK_INT(loop_call_exception_handler(loop, &failure), LOOP_EFORKED);
    CHECK_INT(loop_callback_failed(loop, 1, "x"), LOOP_EFORKED);
}

static void questions_are_answered(loop_t *loop) {
    char text[128];
    const char *expected = "<coloop.EventLoop running=False closed=False debug=False>";
    CHECK_INT(loop_is_running(loop), 0);
    CHECK_INT(loop_is_closed(loop), 0);
    uint64_t before = (uint64_t)now_ns(), time = loop_time(loop);
    CHECK(before <= time && time <= (uint64_t)now_ns());
    CHECK_INT(loop_get_debug(loop), 0);
    CHECK_INT(loop_get_slow_callback_duration(loop), 100 * MS);
    CHECK_STR(loop_backend_name(loop), BACKEND_NAME);
    CHECK_INT(loop_describe(loop, text, sizeof text), strlen(expected));
    CHECK_STR(text, expected);
    CHECK(loop_ref(loop) == loop);
    loop_unref(loop);
    CHECK_INT(loop_is_closed(loop), 0);
}

static void use_inherited(void *user_data) {
    struct witness *witness = user_data;
    loop_t *loop = witness->loop;
    struct refusal r = {.handle = 77, .when = 77, .timeout = 77};
    int open = open_fds();
    scheduling_is_refused(loop, &r);
    handles_are_refused(loop, witness->timer, &r);
    descriptors_are_refused(loop, witness->readable[0], witness->writable[1], &r);
    running_is_refused(loop, &r);
    settings_are_refused(loop, &r);
    questions_are_answered(loop);
    CHECK_INT(r.destroyed, r.given);
    CHECK(r.handle == 77 && r.when == 77 && r.timeout == 77 && r.stray == 0);
    CHECK_INT(witness->destroyed, 0);
    CHECK_INT(open_fds(), open);
    loop_unref(loop);
    CHECK_INT(witness->destroyed, WITNESS_DATA);
}

TEST(F4_F23_every_function_on_an_inherited_loop_refuses_and_touches_nothing) {
    struct witness witness;
    witness_open(&witness);
    CHECK_INT(in_child(use_inherited, &witness), 0);
    witness_check(&witness);
    CHECK_INT(in_child(use_inherited, &witness), 0);
    witness_check(&witness);
    witness_close(&witness);
}

static void remove_and_replace(void *user_data) {
    struct witness *witness = user_data;
    struct refusal r = {0};
    descriptors_are_refused(witness->loop, witness->readable[0], witness->writable[1], &r);
    loop_unref(witness->loop);
}

TEST(F7_P6_a_child_that_removes_a_reader_leaves_the_parents_reader_alive) {
    struct witness witness;
    witness_open(&witness);
    CHECK_INT(in_child(remove_and_replace, &witness), 0);
    witness_check(&witness);
    witness_close(&witness);
}

static void still_closed(void *user_data) {
    loop_t *loop = user_data;
    CHECK_INT(loop_is_closed(loop), 1);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_call_soon(loop, never, NULL, NULL, NULL), LOOP_ECLOSED);
    CHECK_INT(loop_run_forever(loop), LOOP_ECLOSED);
    CHECK_INT(loop_reinit_after_fork(loop, 0), LOOP_ECLOSED);
    CHECK_INT(loop_stop(loop), 0);
    loop_unref(loop);
}

TEST(F24_a_loop_closed_before_the_fork_is_closed_in_the_child) {
    loop_t *loop = loop_new();
    CHECK_INT(open_backend(loop), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(in_child(still_closed, loop), 0);
    CHECK_INT(loop_is_closed(loop), 1);
    loop_unref(loop);
}

/* A signal handler that wakes a loop, as loop_wakeup is made for. */
static loop_t *signalled_loop;
static volatile sig_atomic_t wakeup_result;

static void wake_from_handler(int number) {
    (void)number;
    wakeup_result = loop_wakeup(signalled_loop);
}

static void signal_self(void *user_data) {
    struct witness *witness = user_data;
    raise(SIGUSR1);
    CHECK_INT(wakeup_result, LOOP_EFORKED);
    loop_unref(witness->loop);
}

TEST(F10_a_childs_signal_handler_does_not_wake_the_parents_loop) {
    struct witness witness;
    int64_t timeout = 0;
    witness_open(&witness);
    signalled_loop = witness.loop;
    wakeup_result = 77;
    signal(SIGUSR1, wake_from_handler);
    /* The wake-up descriptor is edge-triggered: a stray write would show as a
     * callback-less turn, so a turn that may wait must run into its timer. */
    CHECK_INT(loop_handle_cancel(witness.loop, witness.timer), 0);
    CHECK_INT(loop_prepare(witness.loop, &timeout), 0);
    CHECK_INT(timeout, -1);
    CHECK_INT(in_child(signal_self, &witness), 0);
    CHECK_INT(wakeup_result, 77);
    CHECK_INT(loop_prepare(witness.loop, &timeout), 0);
    CHECK_INT(timeout, -1);
    raise(SIGUSR1);
    CHECK_INT(wakeup_result, 0);
    CHECK_INT(loop_prepare(witness.loop, &timeout), 0);
    CHECK_INT(timeout, 0);
    CHECK_INT(loop_close(witness.loop), 0);
    loop_unref(witness.loop);
}
