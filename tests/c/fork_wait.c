/* Forks where the loop waits: in a hook around the wait, in a signal handler
 * that interrupts it, in a destructor. The child must not wait on the parent's
 * kernel objects; its run ends with LOOP_EFORKED. */
#include "child.h"
#include <signal.h>
#include <unistd.h>

static pid_t child;
static int forks;

static void fork_once(void) {
    if (forks++ == 0)
        child = start_child();
}

static void fork_in_hook(loop_t *loop, void *user_data) {
    (void)loop, (void)user_data;
    fork_once();
}

static void finish(loop_t *loop, int result, int in_parent) {
    if (child == 0) {
        CHECK_INT(result, LOOP_EFORKED);
        CHECK_INT(loop_close(loop), 0);
        loop_unref(loop);
        exit(0);
    }
    CHECK_INT(result, in_parent);
    CHECK_INT(end_of(child), 0);
    loop_unref(loop);
}

TEST(F14_a_child_of_the_hook_before_a_wait_does_not_wait) {
    loop_t *loop = loop_new();
    CHECK_INT(loop_set_wait_hooks(loop, fork_in_hook, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 50 * MS, stop_loop, loop, NULL, NULL), 0);
    finish(loop, loop_run_forever(loop), 0);
}

TEST(F14_a_child_of_the_hook_after_a_wait_leaves_the_run) {
    loop_t *loop = loop_new();
    CHECK_INT(loop_set_wait_hooks(loop, NULL, fork_in_hook, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 50 * MS, stop_loop, loop, NULL, NULL), 0);
    finish(loop, loop_run_forever(loop), 0);
}

TEST(F14_a_child_of_a_hook_leaves_a_single_turn) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK_INT(loop_set_wait_hooks(loop, fork_in_hook, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 50 * MS, count, &ran, NULL, NULL), 0);
    int result = 0;
    while (result == 0)
        result = loop_run_once(loop, -1);
    finish(loop, result, 1);
}

static void fork_in_handler(int number) {
    (void)number;
    fork_once();
}

static void interrupt_later(loop_t *loop, void *user_data) {
    /* The signal comes while the loop sleeps; were it earlier, the test would be
     * easier, not wrong. */
    (void)loop, (void)user_data;
    if (forks == 0)
        ualarm(100000, 0);
}

TEST(F14_a_child_of_a_signal_handler_leaves_the_wait_it_interrupted) {
    loop_t *loop = loop_new();
    signal(SIGALRM, fork_in_handler);
    CHECK_INT(loop_set_wait_hooks(loop, interrupt_later, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 1000 * MS, stop_loop, loop, NULL, NULL), 0);
    int result = loop_run_forever(loop);
    CHECK_INT(forks, 1);
    finish(loop, result, 0);
}

static void fork_in_destructor(void *user_data) {
    (void)user_data;
    fork_once();
}

static void nothing(void *user_data) {
    (void)user_data;
}

TEST(F14_a_child_of_a_destructor_leaves_the_run) {
    loop_t *loop = loop_new();
    CHECK_INT(loop_call_soon(loop, nothing, NULL, fork_in_destructor, NULL), 0);
    CHECK_INT(loop_call_later(loop, 1, stop_loop, loop, NULL, NULL), 0);
    finish(loop, loop_run_forever(loop), 0);
}

static void fork_in_failure(loop_t *loop, const loop_exception_context_t *context,
                            void *user_data) {
    (void)loop, (void)context, (void)user_data;
    fork_once();
}

static void fail(void *loop) {
    int result = loop_callback_failed(loop, 1, NULL);
    CHECK_INT(result, 0);
}

TEST(F14_a_child_of_the_exception_handler_leaves_the_run) {
    loop_t *loop = loop_new();
    CHECK_INT(loop_set_exception_handler(loop, fork_in_failure, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, fail, loop, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 1, stop_loop, loop, NULL, NULL), 0);
    finish(loop, loop_run_forever(loop), 0);
}
