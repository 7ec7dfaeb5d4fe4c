/* Tasks that wait without a future: parked until somebody wakes them. */
#include "child.h"
#include "failing_memory.h"
#include "future_tools.h"
#include "loop_thread.h"
#include "parker.h"
#include <unistd.h>

TEST(a_parked_task_goes_on_in_the_turn_after_it_was_woken) {
    loop_t *loop = loop_new();
    struct log log = {0};
    struct mark before = {&log, 'b'}, after = {&log, 'a'};
    struct parker self = {.parks = 2};
    loop_task_t *task = start_parker(loop, &self);
    CHECK_INT(loop_task_wake(task), LOOP_EINVALID_STATE); /* it has not begun */
    turns(loop, 3);
    CHECK_INT(self.steps, 1);
    CHECK_INT(loop_call_soon(loop, leave_mark, &before, NULL, NULL), 0);
    CHECK_INT(loop_task_wake(task), 0);
    CHECK_INT(loop_task_wake(task), 0); /* again is nothing */
    CHECK_INT(loop_call_soon(loop, leave_mark, &after, NULL, NULL), 0);
    CHECK_INT(self.steps, 1);
    turns(loop, 1);
    CHECK_STR(log.text, "ba");
    CHECK_INT(self.steps, 2);
    turns(loop, 2);
    CHECK_INT(self.steps, 2);
    CHECK_INT(loop_task_wake(task), 0);
    turns(loop, 1);
    CHECK_INT(number_of(loop_task_future(task)), 3);
    CHECK_INT(self.outcomes[1] | self.outcomes[2], 0);
    CHECK_INT(self.cancelled, 0);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(loop_task_wake(task), LOOP_EINVALID_STATE); /* it is over */
    loop_task_unref(task);
    close_loop(loop);
}

static void wake_it(struct parker *self) {
    CHECK_INT(loop_task_wake(self->task), 0);
    CHECK_INT(loop_task_wake(self->task), 0);
}

TEST(a_wake_before_the_step_has_returned_is_not_lost) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 3, .in_step = wake_it};
    loop_task_t *task = start_parker(loop, &self);
    for (int step = 1; step <= 4; step++) {
        turns(loop, 1);
        CHECK_INT(self.steps, step);
    }
    CHECK_INT(number_of(loop_task_future(task)), 4);
    loop_task_unref(task);
    close_loop(loop);
}

static int park_wrongly(loop_task_t *task, int outcome, void *data) {
    int *step = data;
    (void)outcome;
    switch ((*step)++) {
    case 0: /* parks, but answers otherwise: what it parked for is forgotten */
        CHECK_INT(loop_task_park(task, never, NULL), LOOP_TASK_PARK);
        return LOOP_TASK_YIELD;
    case 1:
        CHECK_INT(loop_task_wake(task), LOOP_EINVALID_STATE);
        return LOOP_TASK_PARK; /* without loop_task_park */
    default: CHECK(0);
    }
    return 0;
}

TEST(what_is_no_parking) {
    loop_t *loop = loop_new();
    int step = 0;
    loop_task_t *task;
    CHECK_INT(loop_create_task(loop, park_wrongly, &step, NULL, &task), 0);
    CHECK_INT(loop_task_park(task, never, NULL), LOOP_EINVALID_STATE); /* outside a step */
    turns(loop, 1);
    CHECK_INT(loop_task_wake(task), LOOP_EINVALID_STATE); /* it yields */
    turns(loop, 1);
    CHECK_INT(loop_future_result(loop_task_future(task), NULL), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "Task got bad yield");
    CHECK_INT(loop_task_park(NULL, never, NULL), LOOP_EINVAL);
    CHECK_INT(loop_task_wake(NULL), LOOP_EINVAL);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(cancelling_a_parked_task_tells_its_host_at_once_and_its_step_later) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 2, .swallows = 1};
    loop_task_t *task = start_parker(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_task_cancel(task, "enough"), 1);
    CHECK_INT(self.cancelled, 1);
    CHECK_INT(self.steps, 1);
    CHECK_INT(loop_task_wake(task), 0); /* too late: it changes nothing */
    turns(loop, 1);
    CHECK_INT(self.outcomes[1], LOOP_ECANCELLED);
    CHECK_STR(self.text, "enough");
    CHECK_INT(loop_task_cancelling(task), 1);
    /* It has swallowed that and parks again. */
    turns(loop, 2);
    CHECK_INT(self.steps, 2);
    CHECK_INT(loop_task_wake(task), 0);
    turns(loop, 1);
    CHECK_INT(self.outcomes[2], 0);
    CHECK_INT(number_of(loop_task_future(task)), 3);
    CHECK_INT(self.cancelled, 1);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(several_cancellations_of_one_wait_are_told_once) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 2, .swallows = 1};
    loop_task_t *task = start_parker(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_task_cancel(task, "the first word"), 1);
    CHECK_INT(loop_task_cancel(task, "the last word"), 1);
    CHECK_INT(loop_task_cancelling(task), 2);
    turns(loop, 2);
    CHECK_INT(self.steps, 2);
    CHECK_STR(self.text, "the first word"); /* as in asyncio */
    CHECK_INT(self.cancelled, 1);
    CHECK_INT(loop_task_wake(task), 0);
    turns(loop, 1);
    CHECK_INT(number_of(loop_task_future(task)), 3);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(uncancelling_does_not_bring_back_what_would_have_woken_a_task) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 1};
    loop_task_t *task = start_parker(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_task_cancel(task, NULL), 1);
    CHECK_INT(loop_task_uncancel(task), 0);
    turns(loop, 1);
    CHECK_INT(self.outcomes[1], LOOP_ECANCELLED);
    CHECK_INT(loop_future_cancelled(loop_task_future(task)), 1);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(a_task_that_was_woken_and_then_cancelled_is_told_but_its_host_is_not) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 1};
    loop_task_t *task = start_parker(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_task_wake(task), 0);
    CHECK_INT(loop_task_cancel(task, NULL), 1);
    CHECK_INT(self.cancelled, 0);
    turns(loop, 1);
    CHECK_INT(self.outcomes[1], LOOP_ECANCELLED);
    CHECK_INT(self.destroyed, 1);
    loop_task_unref(task);
    close_loop(loop);
}

static void cancel_it(struct parker *self) {
    CHECK_INT(loop_task_cancel(self->task, "from inside"), 1);
}

TEST(a_task_that_cancels_itself_is_told_when_it_has_parked) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 1, .in_step = cancel_it};
    loop_task_t *task = start_parker(loop, &self);
    turns(loop, 1);
    CHECK_INT(self.cancelled, 1);
    CHECK_INT(self.steps, 1);
    turns(loop, 1);
    CHECK_INT(self.outcomes[1], LOOP_ECANCELLED);
    CHECK_STR(self.text, "from inside");
    loop_task_unref(task);
    close_loop(loop);
}

static void wake_and_cancel_it(struct parker *self) {
    CHECK_INT(loop_task_wake(self->task), 0);
    CHECK_INT(loop_task_cancel(self->task, NULL), 1);
    CHECK_INT(loop_task_wake(self->task), 0);
}

TEST(a_host_may_wake_and_cancel_what_it_is_told_of) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 1, .on_cancel = wake_and_cancel_it};
    loop_task_t *task = start_parker(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_task_cancel(task, NULL), 1);
    CHECK_INT(self.cancelled, 1);
    turns(loop, 3);
    CHECK_INT(self.steps, 2);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(loop_future_cancelled(loop_task_future(task)), 1);
    loop_task_unref(task);
    close_loop(loop);
}

static void close_its_loop(struct parker *self) {
    loop_t *loop = loop_of(self->task);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(a_host_may_close_the_loop_when_it_is_told) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports);
    struct parker self = {.parks = 1, .on_cancel = close_its_loop};
    loop_task_t *task = start_parker(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_task_cancel(task, NULL), 1);
    CHECK_INT(self.cancelled, 1);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(self.steps, 1);
    CHECK_STR(reports.message, "Task was destroyed but it is pending!");
    CHECK_INT(loop_task_wake(task), LOOP_ECLOSED);
    CHECK_INT(loop_task_cancel(task, NULL), 1); /* nothing is left to be told */
    CHECK_INT(self.cancelled, 1);
    loop_task_unref(task);
}

TEST(closing_destroys_parked_and_woken_tasks_once_and_tells_no_host) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports);
    struct parker parked = {.parks = 1}, woken = {.parks = 1}, told = {.parks = 1};
    loop_task_unref(start_parker(loop, &parked));
    loop_task_t *second = start_parker(loop, &woken), *third = start_parker(loop, &told);
    turns(loop, 1);
    CHECK_INT(loop_task_wake(second), 0);
    CHECK_INT(loop_task_cancel(third, NULL), 1);
    loop_task_unref(second);
    loop_task_unref(third);
    close_loop(loop);
    CHECK_INT(reports.count, 3);
    CHECK_INT(parked.destroyed * woken.destroyed * told.destroyed, 1);
    CHECK_INT(parked.cancelled + woken.cancelled, 0);
    CHECK_INT(told.cancelled, 1);
    CHECK_INT(parked.steps + woken.steps + told.steps, 3);
}

static int limited_step(loop_task_t *task, int outcome, void *data) {
    struct parker *self = data;
    if (self->timeout == NULL)
        CHECK_INT(loop_timeout_enter(task, 1 * MS, &self->timeout), 0);
    int answer = park_step(task, outcome, data);
    return answer == LOOP_TASK_PARK ? answer : loop_timeout_exit(self->timeout, answer);
}

TEST(a_deadline_ends_the_wait_of_a_parked_task) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 1};
    loop_task_t *task;
    CHECK_INT(loop_create_task(loop, limited_step, &self, destroyed, &task), 0);
    CHECK_INT(loop_run_until_complete(loop, loop_task_future(task), NULL), -ETIMEDOUT);
    CHECK_INT(self.cancelled, 1);
    CHECK_INT(self.destroyed, 1);
    loop_task_unref(task);
    close_loop(loop);
}

struct family {
    int attached;
    struct parker members[2];
    loop_task_t *tasks[2];
    loop_task_group_t *group;
};

static int fail_step(loop_task_t *task, int outcome, void *data) {
    (void)outcome;
    return loop_task_fail_data(task, -EIO, "a sibling failed", data, count);
}

static int family_step(loop_task_t *task, int outcome, void *data) {
    struct family *self = data;
    loop_future_t *left;
    if (self->group != NULL)
        return outcome;
    CHECK_INT(loop_task_group_new(task, &self->group), 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(loop_task_group_create_task(self->group, park_step, &self->members[i], destroyed,
                                              &self->tasks[i]), 0);
    CHECK_INT(loop_task_group_create_task(self->group, fail_step, &self->attached, NULL, NULL), 0);
    CHECK_INT(loop_task_group_exit(self->group, 0, &left), 0);
    return loop_task_await(task, left);
}

TEST(a_group_cancels_its_parked_tasks) {
    loop_t *loop = loop_new();
    struct family self = {.members = {{.parks = 1}, {.parks = 1}}};
    loop_task_t *task;
    CHECK_INT(loop_create_task(loop, family_step, &self, NULL, &task), 0);
    CHECK_INT(loop_run_until_complete(loop, loop_task_future(task), NULL), -EIO);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(self.members[i].cancelled, 1);
        CHECK_INT(loop_future_cancelled(loop_task_future(self.tasks[i])), 1);
        loop_task_unref(self.tasks[i]);
    }
    CHECK_INT(loop_task_group_errors(self.group, 0, NULL, NULL, 0), 1);
    CHECK(loop_task_group_error_data(self.group, 0) == &self.attached);
    CHECK(loop_task_group_error_data(self.group, 1) == NULL);
    CHECK(loop_task_group_error_data(NULL, 0) == NULL);
    CHECK(loop_task_group_error_destroy(self.group, 0) == count);
    CHECK(loop_task_group_error_destroy(self.group, 1) == NULL);
    CHECK(loop_task_group_error_destroy(NULL, 0) == NULL);
    CHECK_INT(self.attached, 0);
    loop_task_group_unref(self.group);
    CHECK_INT(self.attached, 1);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(a_chain_of_tasks_is_cancelled_down_to_the_parked_one) {
    loop_t *loop = loop_new();
    struct parker parker = {.parks = 1};
    loop_task_t *inner = start_parker(loop, &parker);
    struct waiter waiter = {.count = 1, .waits = {loop_future_ref(loop_task_future(inner))}};
    loop_task_t *outer = start_waiter(loop, &waiter);
    turns(loop, 1);
    CHECK_INT(loop_task_cancel(outer, "all of you"), 1);
    CHECK_INT(parker.cancelled, 1);
    turns(loop, 2);
    CHECK_INT(waiter.outcomes[1], LOOP_ECANCELLED);
    CHECK_STR(parker.text, "all of you");
    loop_task_unref(inner);
    loop_task_unref(outer);
    close_loop(loop);
}

struct visitor {
    loop_task_t *task;
    int wake, cancel, in_child;
};

static void *visit(void *data) {
    struct visitor *self = data;
    self->wake = loop_task_wake(self->task);
    self->cancel = loop_task_cancel(self->task, NULL);
    return NULL;
}

static void wake_from_loop(void *task) {
    CHECK_INT(loop_task_wake(task), 0);
}

TEST(other_threads_may_not_wake_a_task_but_post_that) {
    struct loop_thread host = {0};
    loop_thread_start(&host);
    struct parker self = {.parks = 1};
    loop_cfuture_t *ended;
    CHECK_INT(loop_create_task_threadsafe(host.loop, park_step, &self, destroyed, &ended), 0);
    take(&host.asleep); /* it has parked */
    struct visitor visitor = {.task = self.task};
    visit(&visitor);
    CHECK_INT(visitor.wake, LOOP_EWRONG_THREAD);
    CHECK_INT(visitor.cancel, LOOP_EWRONG_THREAD);
    CHECK_INT(loop_call_soon_threadsafe(host.loop, wake_from_loop, self.task, NULL, NULL), 0);
    void *steps;
    CHECK_INT(loop_cfuture_result(ended, 20000 * MS, &steps), 0);
    CHECK_INT((intptr_t)steps, 2);
    loop_cfuture_unref(ended);
    loop_thread_end(&host);
}

/* A child that leaves the loop as it is: what it has of it is no leak. */
static void child_wakes_nobody(struct parker *self) {
    pid_t child = start_child();
    if (child == 0) {
        CHECK_INT(loop_task_wake(self->task), LOOP_EFORKED);
        CHECK_INT(loop_task_park(self->task, never, NULL), LOOP_EFORKED);
        CHECK_INT(loop_task_cancel(self->task, NULL), LOOP_EFORKED);
        CHECK_INT(self->cancelled, 0);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
}

static void child_closes(void *data) {
    struct parker *self = data;
    CHECK_INT(loop_close(loop_of(self->task)), 0);
    CHECK_INT(self->destroyed, 1);
    CHECK_INT(self->cancelled, 0);
    loop_unref(loop_of(self->task));
    loop_task_unref(self->task);
}

TEST(a_child_forked_in_a_step_or_while_parked_wakes_nobody) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 1, .in_step = child_wakes_nobody};
    loop_task_t *task = start_parker(loop, &self);
    turns(loop, 1);
    child_wakes_nobody(&self);
    CHECK_INT(in_child(child_closes, &self), 0);
    CHECK_INT(loop_task_wake(task), 0);
    turns(loop, 1);
    CHECK_INT(number_of(loop_task_future(task)), 2);
    loop_task_unref(task);
    close_loop(loop);
}

static void go_on_in_child(void *data) {
    struct parker *self = data;
    loop_t *loop = loop_of(self->task);
    CHECK_INT(loop_reinit_after_fork(loop, LOOP_REINIT_KEEP_READY), 0);
    turns(loop, 1); /* it was woken before the fork */
    CHECK_INT(self->steps, 2);
    CHECK_INT(loop_task_wake(self->task), 0);
    turns(loop, 1);
    CHECK_INT(number_of(loop_task_future(self->task)), 3);
    CHECK_INT(self->destroyed, 1);
    loop_task_unref(self->task);
    close_loop(loop);
}

TEST(parked_and_woken_tasks_go_on_in_a_child_that_takes_the_loop_over) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 2};
    loop_task_t *task = start_parker(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_task_wake(task), 0);
    CHECK_INT(in_child(go_on_in_child, &self), 0);
    turns(loop, 1);
    CHECK_INT(self.steps, 2);
    CHECK_INT(loop_task_wake(task), 0);
    turns(loop, 1);
    CHECK_INT(number_of(loop_task_future(task)), 3);
    loop_task_unref(task);
    close_loop(loop);
}

/* So many are woken at once that the queue has to grow. */
enum { CROWD = 40 };

static void wake_a_crowd(void) {
    loop_t *loop = loop_new();
    CHECK(loop != NULL);
    struct parker crowd[CROWD];
    loop_task_t *tasks[CROWD];
    memset(crowd, 0, sizeof crowd);
    for (int i = 0; i < CROWD; i++) {
        crowd[i].parks = 1;
        tasks[i] = start_parker(loop, &crowd[i]);
        turns(loop, 1);
    }
    memory_fails();
    for (int i = 0; i < CROWD; i++)
        CHECK_INT(i % 2 ? loop_task_wake(tasks[i]) : loop_task_cancel(tasks[i], "with words") - 1, 0);
    memory_is_back();
    turns(loop, 3);
    for (int i = 0; i < CROWD; i++) {
        CHECK_INT(crowd[i].steps, 2);
        CHECK_INT(crowd[i].outcomes[1], i % 2 ? 0 : LOOP_ECANCELLED);
        CHECK_INT(crowd[i].destroyed, 1);
        loop_task_unref(tasks[i]);
    }
    close_loop(loop);
}

TEST(a_wake_needs_no_memory_and_is_never_lost) {
    sweep(wake_a_crowd);
}

static int fail_with_data(loop_task_t *task, int outcome, void *data) {
    (void)outcome;
    int failed = loop_task_fail_data(task, 5, "not negative", data, count);
    CHECK_INT(failed, LOOP_EINVAL);
    CHECK_INT(*(int *)data, 1);
    CHECK_INT(loop_task_fail_data(task, LOOP_ECANCELLED, NULL, data, count), LOOP_ECANCELLED);
    CHECK_INT(*(int *)data, 2);
    CHECK_INT(loop_task_fail_data(task, -EIO, "replaced", data, count), -EIO);
    failed = loop_task_fail_data(task, -EIO, "with something", data, count);
    CHECK_INT(*(int *)data, 3);
    return failed;
}

TEST(a_tasks_failure_carries_data_of_its_host) {
    loop_t *loop = loop_new();
    int ended = 0;
    loop_task_t *task;
    CHECK_INT(loop_create_task(loop, fail_with_data, &ended, NULL, &task), 0);
    turns(loop, 1);
    loop_future_t *future = loop_task_future(task);
    CHECK_INT(loop_future_result(future, NULL), -EIO);
    CHECK_STR(loop_last_error(), "with something");
    CHECK(loop_future_exception_data(future) == &ended);
    CHECK_INT(loop_task_fail_data(task, -EIO, NULL, &ended, count), LOOP_EINVALID_STATE);
    CHECK_INT(ended, 4);
    loop_task_unref(task);
    CHECK_INT(ended, 5);
    close_loop(loop);
}
