/* loop_task_wake_now: the step of a parked task inside the callback that wakes it. */
#include "parker.h"

struct waker {
    loop_task_t *task;
    struct parker *parker;
    int steps_before, steps_after, codes[2];
};

static void wake_now(void *data) {
    struct waker *self = data;
    self->steps_before = self->parker->steps;
    self->codes[0] = loop_task_wake_now(self->task);
    self->steps_after = self->parker->steps;
}

TEST(a_callback_runs_the_step_of_a_parked_task) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 2};
    loop_task_t *task = start_parker(loop, &self);
    struct waker waker = {.task = task, .parker = &self};
    CHECK_INT(loop_task_wake_now(NULL), LOOP_EINVAL);
    CHECK_INT(loop_task_wake_now(task), LOOP_EINVALID_STATE); /* it has not begun */
    turns(loop, 1);
    CHECK_INT(loop_call_soon(loop, wake_now, &waker, NULL, NULL), 0);
    turns(loop, 1);
    CHECK_INT(waker.codes[0], 0);
    CHECK_INT(waker.steps_before, 1);
    CHECK_INT(waker.steps_after, 2);
    CHECK(loop_current_task(loop) == NULL);
    /* Outside a run it is an ordinary wake, and the first of two counts. */
    CHECK_INT(loop_task_wake_now(task), 0);
    CHECK_INT(loop_task_wake_now(task), 0);
    CHECK_INT(self.steps, 2);
    turns(loop, 1);
    CHECK_INT(self.steps, 3);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(loop_task_wake_now(task), LOOP_EINVALID_STATE); /* it is over */
    loop_task_unref(task);
    loop_close(loop);
    loop_unref(loop);
}

static void wake_other(struct parker *self) {
    struct waker *waker = self->other;
    wake_now(waker);
    waker->codes[1] = loop_task_wake_now(self->task); /* itself, before it parks */
}

TEST(inside_a_step_others_and_itself_are_woken_for_the_next_turn) {
    loop_t *loop = loop_new();
    struct parker other = {.parks = 1};
    struct waker waker = {.task = start_parker(loop, &other), .parker = &other};
    turns(loop, 1);
    struct parker self = {.parks = 1, .in_step = wake_other, .other = &waker};
    loop_task_t *task = start_parker(loop, &self);
    turns(loop, 1);
    CHECK_INT(waker.codes[0], 0);
    CHECK_INT(waker.codes[1], 0);
    CHECK_INT(waker.steps_after, 1);
    CHECK_INT(self.steps, 1);
    turns(loop, 1);
    CHECK_INT(other.steps, 2);
    CHECK_INT(self.steps, 2);
    loop_task_unref(task);
    loop_task_unref(waker.task);
    loop_close(loop);
    loop_unref(loop);
}

static void cancel_then_wake(void *data) {
    struct waker *self = data;
    CHECK_INT(loop_task_cancel(self->task, "enough"), 1);
    wake_now(self);
}

TEST(a_cancelled_task_is_told_in_its_own_turn) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 1};
    struct waker waker = {.task = start_parker(loop, &self), .parker = &self};
    turns(loop, 1);
    CHECK_INT(loop_call_soon(loop, cancel_then_wake, &waker, NULL, NULL), 0);
    turns(loop, 1);
    CHECK_INT(waker.codes[0], 0);
    CHECK_INT(waker.steps_after, 1);
    turns(loop, 1);
    CHECK_INT(self.outcomes[1], LOOP_ECANCELLED);
    CHECK_STR(self.text, "enough");
    loop_task_unref(waker.task);
    loop_close(loop);
    loop_unref(loop);
}

static void stop_in_second(struct parker *self) {
    if (self->steps == 2)
        CHECK_INT(loop_stop(loop_of(self->task)), 0);
}

static void unref_and_wake(void *data) {
    struct waker *self = data;
    loop_task_unref(self->task); /* the loop keeps it until it is over */
    wake_now(self);
}

TEST(the_step_may_be_the_last_and_stop_the_loop) {
    loop_t *loop = loop_new();
    struct parker self = {.parks = 2, .in_step = stop_in_second};
    struct waker waker = {.task = start_parker(loop, &self), .parker = &self};
    turns(loop, 1);
    CHECK_INT(loop_call_soon(loop, unref_and_wake, &waker, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(self.steps, 2);
    waker.task = self.task;
    CHECK_INT(loop_task_ref(self.task) != NULL, 1);
    CHECK_INT(loop_call_soon(loop, unref_and_wake, &waker, NULL, NULL), 0);
    turns(loop, 1);
    CHECK_INT(self.destroyed, 1);
    loop_close(loop);
    loop_unref(loop);
}
