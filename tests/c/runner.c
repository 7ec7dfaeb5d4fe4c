/* Running until something is done, and running main tasks. */
#include "child.h"
#include "future_tools.h"
#include <errno.h>

TEST(P23_running_until_a_future_is_done_stops_and_does_not_close) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop);
    struct log log = {0};
    struct mark turn = {&log, '.'};
    void *result;
    CHECK_INT(loop_future_set_result(future, number(5), NULL), 0);
    CHECK_INT(loop_call_soon(loop, leave_mark, &turn, NULL, NULL), 0);
    CHECK_INT(loop_run_until_complete(loop, future, &result), 0);
    CHECK_INT((intptr_t)result, 5);
    CHECK_STR(log.text, "."); /* one turn, though it was done */
    CHECK_INT(loop_is_closed(loop), 0);
    CHECK_INT(loop_is_running(loop), 0);
    CHECK_INT(loop_run_until_complete(loop, future, NULL), 0);
    loop_future_unref(future);

    future = new_future(loop);
    CHECK_INT(loop_future_set_exception(future, -5, "it broke"), 0);
    CHECK_INT(loop_run_until_complete(loop, future, &result), -5);
    CHECK_STR(loop_last_error(), "it broke");
    loop_future_unref(future);

    future = new_future(loop);
    CHECK_INT(loop_call_soon(loop, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_until_complete(loop, future, NULL), LOOP_ESTOPPED);
    CHECK_STR(loop_last_error(), "Event loop stopped before Future completed.");
    /* Its end stops no other run. */
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_INT(loop_run_until_complete(loop, future, NULL), LOOP_ECANCELLED);
    loop_future_unref(future);
    close_loop(loop);
}

struct both {
    loop_t *loop;
    loop_future_t *future;
};

static void end_and_stop(void *data) {
    struct both *self = data;
    CHECK_INT(loop_future_set_result(self->future, NULL, NULL), 0);
    CHECK_INT(loop_stop(self->loop), 0);
}

TEST(P23_a_run_that_was_stopped_as_its_future_ended_stops_no_later_one) {
    struct both self = {.loop = loop_new()};
    struct waiter task = {.yields = 5};
    self.future = new_future(self.loop);
    CHECK_INT(loop_call_soon(self.loop, end_and_stop, &self, NULL, NULL), 0);
    CHECK_INT(loop_run_until_complete(self.loop, self.future, NULL), 0);
    loop_task_t *main_task = start_waiter(self.loop, &task);
    CHECK_INT(loop_run_until_complete(self.loop, loop_task_future(main_task), NULL), 0);
    loop_task_unref(main_task);
    loop_future_unref(self.future);
    close_loop(self.loop);
}

static void interrupt_it(void *loop) {
    CHECK_INT(loop_interrupt(loop, 9), 0);
}

struct nested {
    loop_t *loop, *other, *closed;
    loop_future_t *own, *foreign;
    int destroyed;
};

static int never_step(loop_task_t *task, int outcome, void *data) {
    (void)task, (void)outcome, (void)data;
    CHECK(0);
    return 0;
}

static void refuse_nested(void *data) {
    struct nested *self = data;
    loop_runner_t *runner = NULL;
    CHECK_INT(loop_run_until_complete(self->closed, self->own, NULL), LOOP_ECLOSED);
    CHECK_INT(loop_run_until_complete(self->loop, self->foreign, NULL), LOOP_ERUNNING);
    CHECK_INT(loop_run_until_complete(self->other, self->own, NULL), LOOP_EOTHER_RUNNING);
    CHECK_INT(loop_run(NULL, never_step, &self->destroyed, count, NULL), LOOP_EOTHER_RUNNING);
    CHECK_STR(loop_last_error(), "asyncio.run() cannot be called from a running event loop");
    CHECK_INT(loop_runner_new(NULL, &runner), LOOP_EOTHER_RUNNING);
    CHECK(runner == NULL);
    CHECK_INT(self->destroyed, 1);
}

TEST(E18_P27_refusals_come_in_asyncios_order_and_change_nothing) {
    loop_t *loop = loop_new(), *other = loop_new(), *closed = loop_new();
    struct nested self = {loop, other, closed, new_future(loop), new_future(other), 0};
    CHECK_INT(loop_close(closed), 0);
    CHECK_INT(loop_run_until_complete(closed, self.foreign, NULL), LOOP_ECLOSED);
    CHECK_INT(loop_run_until_complete(loop, self.foreign, NULL), LOOP_EWRONG_LOOP);
    CHECK_INT(loop_call_soon(loop, refuse_nested, &self, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, interrupt_it, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_until_complete(loop, self.own, NULL), 9);
    CHECK_INT(loop_future_done(self.own), 0);
    CHECK_INT(loop_run_until_complete(NULL, self.own, NULL), LOOP_EINVAL);
    CHECK_INT(loop_run_until_complete(loop, NULL, NULL), LOOP_EINVAL);
    loop_future_unref(self.own);
    loop_future_unref(self.foreign);
    loop_unref(closed);
    close_loop(other);
    close_loop(loop);
}

/* A main task with company: another task, a finalizer. */
struct program {
    struct log log;
    struct waiter other;
    int steps, destroyed, returns;
    loop_t *loop;
};

static int stop_other(loop_task_t *task, int outcome, void *data) {
    struct program *self = data;
    if (outcome == 0)
        return loop_task_await(task, new_future(loop_of(task)));
    CHECK_INT(outcome, LOOP_ECANCELLED);
    record(&self->log, 'c');
    return outcome;
}

static int finalize_it(loop_t *loop, loop_future_t **ret_future, void *data) {
    struct program *self = data;
    record(&self->log, 'f');
    CHECK_INT(loop_is_closed(loop), 0);
    CHECK_INT(loop_all_tasks(loop, NULL, 0), 0);
    CHECK_INT(loop_sleep(loop, MS, NULL, NULL, ret_future), 0);
    return 0;
}

static void at_close(void *data) {
    struct program *self = data;
    loop_t *current = NULL;
    record(&self->log, 'x');
    CHECK_INT(loop_is_closed(self->loop), 1);
    CHECK_INT(policy_get_event_loop(&current), LOOP_ENO_CURRENT);
}

static void main_destroyed(void *data) {
    struct program *self = data;
    record(&self->log, 'd');
    self->destroyed++;
}

static int main_step(loop_task_t *task, int outcome, void *data) {
    struct program *self = data;
    loop_t *current, *loop = loop_of(task);
    CHECK_INT(outcome, 0);
    if (self->steps++ == 0) {
        self->loop = loop;
        CHECK_INT(policy_get_event_loop(&current), 0);
        CHECK(current == loop);
        CHECK_INT(loop_create_task(loop, stop_other, self, NULL, NULL), 0);
        CHECK_INT(loop_add_finalizer(loop, finalize_it, self, NULL, NULL), 0);
        CHECK_INT(loop_call_later(loop, 3600000 * MS, never, self, at_close, NULL), 0);
        return LOOP_TASK_YIELD;
    }
    record(&self->log, 'm');
    return self->returns < 0 ? loop_task_fail(task, self->returns, "main failed")
                             : loop_task_return(task, number(self->returns), NULL);
}

TEST(E17_E18_E19_P21_a_run_ends_everything_in_asyncios_order) {
    struct program self = {.returns = 8};
    loop_future_t *main_future = NULL;
    loop_t *current = NULL;
    int before = open_fds();
    CHECK_INT(loop_run(NULL, main_step, &self, main_destroyed, &main_future), 0);
    CHECK_STR(self.log.text, "mdcfx");
    CHECK_INT(number_of(main_future), 8);
    loop_future_unref(main_future);
    CHECK_INT(policy_get_event_loop(&current), LOOP_ENO_CURRENT);
    CHECK(current == NULL);
    CHECK_INT(open_fds(), before);
}

TEST(E17_P22_a_main_function_may_be_run_many_times_and_fail) {
    for (int round = 0; round < 5; round++) {
        struct program self = {.returns = round % 2 ? -5 : round};
        int code = loop_run(NULL, main_step, &self, main_destroyed, NULL);
        CHECK_INT(code, round % 2 ? -5 : 0);
        if (code < 0)
            CHECK_STR(loop_last_error(), "main failed");
        CHECK_STR(self.log.text, "mdcfx");
        CHECK_INT(self.destroyed, 1);
    }
}

TEST(E18_what_is_not_a_step_is_refused) {
    int destroyed = 0;
    loop_runner_t *runner = NULL;
    loop_future_t *future = NULL;
    loop_runner_options_t options = {.size = sizeof options, .flags = 1u << 20};
    CHECK_INT(loop_run(NULL, NULL, &destroyed, count, &future), LOOP_EINVAL);
    CHECK_INT(loop_run(&options, never_step, &destroyed, count, &future), LOOP_EINVAL);
    options = (loop_runner_options_t){.size = 1};
    CHECK_INT(loop_run(&options, never_step, &destroyed, count, &future), LOOP_EINVAL);
    CHECK(future == NULL);
    CHECK_INT(loop_runner_new(NULL, NULL), LOOP_EINVAL);
    CHECK_INT(loop_runner_new(NULL, &runner), 0);
    CHECK_INT(loop_runner_run(runner, NULL, &destroyed, count, NULL), LOOP_EINVAL);
    CHECK_INT(loop_runner_run(NULL, never_step, &destroyed, count, NULL), LOOP_EINVAL);
    CHECK_INT(destroyed, 5);
    CHECK(loop_runner_get_loop(NULL) == NULL);
    CHECK_INT(loop_runner_close(NULL), 0);
    CHECK_INT(loop_runner_close(runner), 0);
}

struct in_runner {
    loop_runner_t *runner;
    int calls;
};

static void close_runner(void *data) {
    struct in_runner *self = data;
    self->calls++;
    CHECK_INT(loop_runner_close(self->runner), LOOP_ERUNNING);
}

static int close_runner_step(loop_task_t *task, int outcome, void *data) {
    (void)task;
    CHECK_INT(outcome, 0);
    close_runner(data);
    return LOOP_TASK_DONE;
}

TEST(E17_a_runner_runs_main_tasks_on_one_loop_until_it_is_closed) {
    struct in_runner self = {NULL, 0};
    loop_runner_options_t options = {.size = sizeof options, .debug = 1};
    CHECK_INT(loop_runner_new(&options, &self.runner), 0);
    loop_t *loop = loop_runner_get_loop(self.runner), *current;
    CHECK_INT(loop_get_debug(loop), 1);
    CHECK_INT(policy_get_event_loop(&current), 0);
    CHECK(current == loop);
    for (int i = 0; i < 3; i++) {
        struct waiter task = {.number = i, .yields = i};
        loop_future_t *future;
        CHECK_INT(loop_runner_run(self.runner, waiter_step, &task, waiter_destroyed, &future), 0);
        CHECK_INT(number_of(future), i);
        loop_future_unref(future);
    }
    /* Nothing that it calls may end it: a step, destructors while it closes. */
    CHECK_INT(loop_runner_run(self.runner, close_runner_step, &self, close_runner, NULL), 0);
    CHECK_INT(self.calls, 2);
    CHECK_INT(loop_call_later(loop, 3600000 * MS, never, &self, close_runner, NULL), 0);
    CHECK_INT(loop_runner_close(self.runner), 0);
    CHECK_INT(self.calls, 3);
    CHECK_INT(policy_get_event_loop(&current), LOOP_ENO_CURRENT);
}

static int stop_step(loop_task_t *task, int outcome, void *data) {
    int *steps = data;
    if (outcome < 0)
        return outcome;
    ++*steps;
    CHECK_INT(loop_stop(loop_of(task)), 0);
    return loop_task_await(task, new_future(loop_of(task)));
}

TEST(E18_a_main_task_whose_loop_was_stopped_is_cancelled_at_the_end) {
    int steps = 0;
    loop_future_t *future;
    CHECK_INT(loop_run(NULL, stop_step, &steps, NULL, &future), LOOP_ESTOPPED);
    CHECK_INT(steps, 1);
    CHECK_INT(loop_future_cancelled(future), 1);
    loop_future_unref(future);
}

static int fail_when_cancelled(loop_task_t *task, int outcome, void *data) {
    (void)data;
    if (outcome < 0)
        return loop_task_fail(task, -5, "not like this");
    return loop_task_await(task, new_future(loop_of(task)));
}

static int leave_failing_task(loop_task_t *task, int outcome, void *data) {
    CHECK_INT(outcome, 0);
    CHECK_INT(loop_set_exception_handler(loop_of(task), hear_report, data, NULL), 0);
    if (((struct reports *)data)->message[0] == '\0') {
        ((struct reports *)data)->message[0] = '-';
        CHECK_INT(loop_create_task(loop_of(task), fail_when_cancelled, NULL, NULL, NULL), 0);
        return LOOP_TASK_YIELD;
    }
    return LOOP_TASK_DONE;
}

TEST(E18_failures_while_everything_ends_are_reported) {
    struct reports reports = {0};
    CHECK_INT(loop_run(NULL, leave_failing_task, &reports, NULL, NULL), 0);
    CHECK_INT(reports.count, 1);
    CHECK_INT(reports.code, -5);
    CHECK_STR(reports.message, "unhandled exception during asyncio.run() shutdown");
    CHECK_STR(reports.exception, "not like this");
}

/* Make, set, run until it is done, shut down, close: in both policy modes. */
static void whole_life(void) {
    loop_t *loop = NULL, *current;
    loop_future_t *all;
    struct waiter task = {.number = 4, .yields = 3};
    void *result;
    CHECK_INT(policy_new_event_loop(&loop), 0);
    CHECK_INT(policy_set_event_loop(loop), 0);
    CHECK_INT(policy_get_event_loop(&current), 0);
    CHECK(current == loop);
    loop_task_t *main_task = start_waiter(loop, &task);
    CHECK_INT(loop_run_until_complete(loop, loop_task_future(main_task), &result), 0);
    CHECK_INT((intptr_t)result, 4);
    loop_task_unref(main_task);
    CHECK_INT(loop_shutdown_asyncgens(loop, &all), 0);
    CHECK_INT(loop_run_until_complete(loop, all, NULL), 0);
    loop_future_unref(all);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    loop_unref(loop);
}

TEST(E16_E20_make_set_run_shut_down_close_in_both_modes) {
    whole_life();
    CHECK_INT(policy_set_mode(POLICY_STRICT), 0);
    whole_life();
}

struct forked {
    int steps;
    pid_t child;
};

static int fork_in_main(loop_task_t *task, int outcome, void *data) {
    struct forked *self = data;
    (void)task;
    CHECK_INT(outcome, 0);
    if (self->steps++ == 0) {
        self->child = start_child();
        return LOOP_TASK_YIELD;
    }
    CHECK(self->child != 0);
    return LOOP_TASK_DONE;
}

TEST(F14_a_child_forked_in_a_main_task_leaves_the_run_and_may_run_again) {
    struct forked self = {0, -1};
    int code = loop_run(NULL, fork_in_main, &self, NULL, NULL);
    if (self.child == 0) {
        CHECK_INT(code, LOOP_EFORKED);
        struct program again = {.returns = 3};
        CHECK_INT(loop_run(NULL, main_step, &again, main_destroyed, NULL), 0);
        CHECK_STR(again.log.text, "mdcfx");
        /* The thread's slot forgot the parent's loop, whose memory stays. */
        leave_child(0);
    }
    CHECK_INT(code, 0);
    CHECK_INT(end_of(self.child), 0);
}
