/* Task groups: tasks that end together. */
#include "future_tools.h"
#include <errno.h>

enum { MOST = 3 };

/* A parent that starts a group of waiters, waits for something in the body, and
 * leaves the group. */
struct parent {
    int steps, in_body, swallows_body;
    size_t count;
    struct waiter members[MOST];
    loop_task_t *tasks[MOST];
    loop_task_group_t *group;
    loop_future_t *body; /* what the body waits for; NULL: nothing */
    int leaves_with, body_outcome, exit_outcome, after_outcome;
    loop_future_t *after; /* what is awaited after the group */
    char text[80];
};

static int leave_group(loop_task_t *task, struct parent *self, int outcome) {
    loop_future_t *left;
    self->in_body = 0;
    CHECK_INT(loop_task_group_exit(self->group, outcome, &left), 0);
    return loop_task_await(task, left);
}

static int parent_step(loop_task_t *task, int outcome, void *data) {
    struct parent *self = data;
    switch (self->steps++) {
    case 0:
        CHECK_INT(outcome, 0);
        self->in_body = 1;
        CHECK_INT(loop_task_group_new(task, &self->group), 0);
        for (size_t i = 0; i < self->count; i++) {
            CHECK_INT(loop_task_group_create_task(self->group, waiter_step, &self->members[i],
                                                  waiter_destroyed, &self->tasks[i]), 0);
        }
        if (self->body == NULL)
            return leave_group(task, self, self->leaves_with);
        return loop_task_await(task, self->body);
    default:
        if (self->in_body) {
            self->body_outcome = outcome;
            return leave_group(task, self, self->swallows_body ? 0 : outcome);
        }
        if (self->exit_outcome == 1) {
            self->exit_outcome = outcome;
            if (outcome < 0) {
                CHECK_INT(loop_future_result(loop_task_awaited(task), NULL), outcome);
                snprintf(self->text, sizeof self->text, "%s", loop_last_error());
            }
            if (self->after != NULL)
                return loop_task_await(task, self->after);
            return LOOP_TASK_DONE;
        }
        self->after_outcome = outcome;
        return outcome;
    }
}

static loop_task_t *start_parent(loop_t *loop, struct parent *self) {
    loop_task_t *task;
    self->exit_outcome = 1;
    CHECK_INT(loop_create_task(loop, parent_step, self, NULL, &task), 0);
    return task;
}

static void end_parent(struct parent *self, loop_task_t *task) {
    loop_task_group_unref(self->group);
    for (size_t i = 0; i < self->count; i++) {
        CHECK_INT(self->members[i].destroyed, 1);
        loop_task_unref(self->tasks[i]);
    }
    loop_task_unref(task);
}

TEST(a_group_waits_for_its_tasks) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop);
    struct parent self = {.count = 2};
    self.members[0] = (struct waiter){.count = 1, .waits = {loop_future_ref(future)}};
    self.members[1] = (struct waiter){.yields = 2};
    loop_task_t *task = start_parent(loop, &self);
    turns(loop, 8);
    CHECK_INT(self.exit_outcome, 1);
    CHECK_INT(loop_future_set_result(future, NULL, NULL), 0);
    turns(loop, 3);
    CHECK_INT(self.exit_outcome, 0);
    CHECK_INT(loop_task_group_errors(self.group, 0, NULL, NULL, 0), 0);
    struct waiter late = {0};
    CHECK_INT(loop_task_group_create_task(self.group, waiter_step, &late, waiter_destroyed, NULL), LOOP_EINVALID_STATE);
    CHECK_STR(loop_last_error(), "TaskGroup is finished");
    CHECK_INT(late.destroyed, 1);
    loop_future_t *again;
    CHECK_INT(loop_task_group_exit(self.group, 0, &again), LOOP_EINVALID_STATE);
    end_parent(&self, task);
    loop_future_unref(future);
    close_loop(loop);
}

TEST(a_failure_cancels_the_others_and_the_parent_in_the_body) {
    loop_t *loop = loop_new();
    loop_future_t *fails = new_future(loop);
    struct parent self = {.count = 3, .body = new_future(loop)};
    self.members[0] = (struct waiter){.count = 1, .waits = {new_future(loop)}};
    self.members[1] = (struct waiter){.count = 1, .waits = {fails}};
    self.members[2] = (struct waiter){.count = 1, .waits = {new_future(loop)}};
    loop_task_t *task = start_parent(loop, &self);
    turns(loop, 3);
    CHECK_INT(loop_future_set_exception(fails, -EIO, "disk on fire"), 0);
    turns(loop, 2);
    CHECK_INT(loop_task_cancelling(task), 1);
    turns(loop, 5);
    CHECK_INT(self.body_outcome, LOOP_ECANCELLED);
    CHECK_INT(self.exit_outcome, -EIO);
    CHECK_STR(self.text, "unhandled errors in a TaskGroup (1 sub-exception)");
    CHECK_INT(loop_task_cancelling(task), 0);
    CHECK_INT(number_of(loop_task_future(task)), 0);
    CHECK_INT(self.members[0].outcomes[1], LOOP_ECANCELLED);
    CHECK_INT(self.members[2].outcomes[1], LOOP_ECANCELLED);
    int code = 0;
    char text[5] = "";
    CHECK_INT(loop_task_group_errors(self.group, 0, &code, text, sizeof text), 1);
    CHECK_INT(code, -EIO);
    CHECK_STR(text, "disk");
    CHECK_INT(loop_task_group_errors(self.group, 1, &code, NULL, 0), 1);
    end_parent(&self, task);
    close_loop(loop);
}

TEST(a_body_that_fails_cancels_the_tasks_and_counts_among_the_failures) {
    loop_t *loop = loop_new();
    struct parent self = {.count = 1, .leaves_with = -7};
    self.members[0] = (struct waiter){.count = 1, .waits = {new_future(loop)}};
    loop_task_t *task = start_parent(loop, &self);
    struct waiter late = {0};
    turns(loop, 1);
    CHECK_INT(loop_task_group_create_task(self.group, waiter_step, &late, waiter_destroyed, NULL), LOOP_EINVALID_STATE);
    CHECK_STR(loop_last_error(), "TaskGroup is shutting down");
    turns(loop, 6);
    CHECK_INT(self.exit_outcome, -7);
    CHECK_STR(self.text, "unhandled errors in a TaskGroup (1 sub-exception)");
    end_parent(&self, task);
    close_loop(loop);
}

TEST(a_parent_cancelled_from_outside_hands_that_on) {
    loop_t *loop = loop_new();
    /* In the body, and while it waits for the tasks. */
    for (int in_body = 0; in_body < 2; in_body++) {
        struct parent self = {.count = 1, .body = in_body ? new_future(loop) : NULL};
        self.members[0] = (struct waiter){.count = 1, .waits = {new_future(loop)}};
        loop_task_t *task = start_parent(loop, &self);
        turns(loop, 3);
        CHECK_INT(loop_task_cancel(task, "enough"), 1);
        turns(loop, 6);
        CHECK_INT(self.members[0].outcomes[1], LOOP_ECANCELLED);
        CHECK_INT(self.exit_outcome, LOOP_ECANCELLED);
        CHECK_STR(self.text, "enough");
        CHECK_INT(loop_task_cancelling(task), 1);
        end_parent(&self, task);
    }
    close_loop(loop);
}

TEST(a_group_that_is_cancelled_ends_without_a_failure) {
    loop_t *loop = loop_new();
    /* While the parent is in the body, and while it waits for the tasks. */
    for (int in_body = 0; in_body < 2; in_body++) {
        struct parent self = {.count = 2, .body = in_body ? new_future(loop) : NULL};
        self.members[0] = (struct waiter){.count = 1, .waits = {new_future(loop)}};
        self.members[1] = (struct waiter){.count = 1, .waits = {new_future(loop)}};
        loop_task_t *task = start_parent(loop, &self);
        turns(loop, 3);
        CHECK(loop_task_group_ref(self.group) == self.group);
        CHECK_INT(loop_task_group_cancel(self.group), 0);
        CHECK_INT(loop_task_group_cancel(self.group), 0);
        struct waiter late = {0};
        CHECK_INT(loop_task_group_create_task(self.group, waiter_step, &late, waiter_destroyed, NULL), LOOP_EINVALID_STATE);
        turns(loop, 6);
        CHECK_INT(self.members[0].outcomes[1], LOOP_ECANCELLED);
        CHECK_INT(self.members[1].outcomes[1], LOOP_ECANCELLED);
        CHECK_INT(self.body_outcome, in_body ? LOOP_ECANCELLED : 0);
        CHECK_INT(self.exit_outcome, 0);
        CHECK_INT(loop_task_cancelling(task), 0);
        CHECK_INT(number_of(loop_task_future(task)), 0);
        CHECK_INT(loop_task_group_errors(self.group, 0, NULL, NULL, 0), 0);
        CHECK_INT(loop_task_group_cancel(self.group), 0);
        CHECK_INT(loop_task_cancelling(task), 0);
        loop_task_group_unref(self.group);
        end_parent(&self, task);
    }
    close_loop(loop);
}

/* A body that cancels its own group and leaves. */
static int quitting_step(loop_task_t *task, int outcome, void *data) {
    struct parent *self = data;
    loop_future_t *left;
    if (self->steps++ > 0) {
        self->exit_outcome = outcome;
        return outcome;
    }
    CHECK_INT(loop_task_group_new(task, &self->group), 0);
    CHECK_INT(loop_task_group_create_task(self->group, waiter_step, &self->members[0],
                                          waiter_destroyed, &self->tasks[0]), 0);
    CHECK_INT(loop_task_group_cancel(self->group), 0);
    CHECK_INT(loop_task_group_exit(self->group, 0, &left), 0);
    return loop_task_await(task, left);
}

TEST(a_body_may_cancel_its_group) {
    loop_t *loop = loop_new();
    loop_task_t *task;
    struct parent self = {.count = 1, .exit_outcome = 1};
    self.members[0] = (struct waiter){.count = 1, .waits = {new_future(loop)}};
    CHECK_INT(loop_create_task(loop, quitting_step, &self, NULL, &task), 0);
    turns(loop, 6);
    CHECK_INT(self.exit_outcome, 0);
    CHECK_INT(loop_task_cancelling(task), 0);
    end_parent(&self, task);
    close_loop(loop);
}

TEST(a_request_from_outside_is_not_lost_behind_a_failure) {
    loop_t *loop = loop_new();
    loop_future_t *fails = new_future(loop);
    struct parent self = {.count = 1, .after = new_future(loop)};
    self.members[0] = (struct waiter){.count = 2, .waits = {new_future(loop), fails}, .swallows = 1};
    loop_task_t *task = start_parent(loop, &self);
    turns(loop, 3);
    CHECK_INT(loop_task_cancel(task, NULL), 1);
    turns(loop, 3);
    CHECK_INT(self.members[0].steps, 2);
    self.members[0].swallows = 0;
    CHECK_INT(loop_future_set_exception(fails, -5, NULL), 0);
    turns(loop, 5);
    CHECK_INT(self.exit_outcome, -5);
    CHECK_INT(self.after_outcome, LOOP_ECANCELLED);
    CHECK_INT(loop_future_cancelled(loop_task_future(task)), 1);
    end_parent(&self, task);
    close_loop(loop);
}

TEST(a_failure_after_the_parents_end_is_reported) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports);
    loop_future_t *fails = new_future(loop);
    struct waiter parent = {.count = 1, .waits = {new_future(loop)}},
                  member = {.count = 1, .waits = {loop_future_ref(fails)}};
    loop_task_t *task = start_waiter(loop, &parent);
    loop_task_group_t *group;
    CHECK_INT(loop_task_group_new(task, &group), 0);
    CHECK_INT(loop_task_group_create_task(group, waiter_step, &member, waiter_destroyed, NULL), 0);
    loop_task_group_unref(group);
    turns(loop, 1);
    CHECK_INT(loop_task_cancel(task, NULL), 1);
    turns(loop, 2);
    CHECK_INT(parent.destroyed, 1);
    CHECK_INT(member.destroyed, 0);
    CHECK_INT(loop_future_set_exception(fails, -5, "too late"), 0);
    turns(loop, 2);
    CHECK_INT(reports.count, 1);
    CHECK_STR(reports.message, "Task has errored out but its parent task is already completed");
    CHECK_STR(reports.exception, "too late");
    loop_future_unref(fails);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(a_loop_closed_around_a_group_frees_everything) {
    /* In the body; while the parent waits for the tasks; and with everything
     * given back before. */
    for (int how = 0; how < 3; how++) {
        struct reports reports;
        loop_t *loop = loop_with_reports(&reports);
        struct parent self = {.count = 2, .body = how == 0 ? new_future(loop) : NULL};
        self.members[0] = (struct waiter){.count = 1, .waits = {new_future(loop)}};
        self.members[1] = (struct waiter){.count = 1, .waits = {new_future(loop)}};
        loop_task_t *task = start_parent(loop, &self);
        turns(loop, 3);
        if (how < 2)
            CHECK_INT(loop_close(loop), 0);
        loop_task_group_unref(self.group);
        loop_task_unref(self.tasks[0]);
        loop_task_unref(self.tasks[1]);
        loop_task_unref(task);
        CHECK_INT(loop_close(loop), 0);
        loop_unref(loop);
        CHECK_INT(reports.count, 3);
        CHECK_INT(self.members[0].destroyed + self.members[1].destroyed, 2);
    }
}

TEST(groups_answer_NULL_with_EINVAL) {
    loop_t *loop = loop_new();
    loop_task_group_t *group;
    loop_future_t *future;
    struct waiter self = {0};
    loop_task_t *task = start_waiter(loop, &self);
    int destroyed = 0;
    CHECK_INT(loop_task_group_new(NULL, &group), LOOP_EINVAL);
    CHECK_INT(loop_task_group_new(task, NULL), LOOP_EINVAL);
    CHECK_INT(loop_task_group_new(task, &group), 0);
    CHECK_INT(loop_task_group_create_task(NULL, waiter_step, &destroyed, count, NULL), LOOP_EINVAL);
    CHECK_INT(loop_task_group_create_task(group, NULL, &destroyed, count, NULL), LOOP_EINVAL);
    CHECK_INT(destroyed, 2);
    CHECK_INT(loop_task_group_exit(NULL, 0, &future), LOOP_EINVAL);
    CHECK_INT(loop_task_group_exit(group, 0, NULL), LOOP_EINVAL);
    CHECK_INT(loop_task_group_exit(group, 1, &future), LOOP_EINVAL);
    CHECK_INT(loop_task_group_errors(NULL, 0, NULL, NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_task_group_cancel(NULL), LOOP_EINVAL);
    CHECK(loop_task_group_ref(NULL) == NULL);
    loop_task_group_unref(NULL);
    loop_task_group_unref(group);
    turns(loop, 1);
    loop_task_unref(task);
    close_loop(loop);
}
