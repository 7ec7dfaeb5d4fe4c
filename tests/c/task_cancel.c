/* Cancelling tasks, taking it back, deadlines. */
#include "future_tools.h"
#include "loop_thread.h"
#include <errno.h>

TEST(a_task_that_waits_is_told_and_what_it_awaits_is_cancelled) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop);
    struct waiter self = {.count = 1, .waits = {loop_future_ref(future)}};
    loop_task_t *task = start_waiter(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_task_cancel(task, "enough"), 1);
    CHECK_INT(loop_task_cancelling(task), 1);
    CHECK_INT(loop_future_cancelled(future), 1);
    CHECK_INT(loop_future_done(loop_task_future(task)), 0);
    turns(loop, 1);
    CHECK_INT(self.outcomes[1], LOOP_ECANCELLED);
    CHECK_INT(loop_future_cancelled(loop_task_future(task)), 1);
    CHECK_INT(loop_future_result(loop_task_future(task), NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "enough");
    CHECK_INT(loop_task_cancel(task, NULL), 0);
    loop_future_unref(future);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(cancelling_a_tasks_future_cancels_the_task) {
    loop_t *loop = loop_new();
    struct waiter self = {.count = 1, .waits = {new_future(loop)}};
    loop_task_t *task = start_waiter(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_future_cancel(loop_task_future(task), "by the future"), 1);
    CHECK_INT(loop_future_cancelled(loop_task_future(task)), 0);
    turns(loop, 1);
    CHECK_INT(loop_future_result(loop_task_future(task), NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "by the future");
    loop_task_unref(task);
    close_loop(loop);
}

TEST(a_task_that_was_cancelled_before_its_first_step_is_told_there) {
    loop_t *loop = loop_new();
    struct waiter self = {0}, swallows = {.number = 4, .swallows = 1};
    loop_task_t *task = start_waiter(loop, &self), *other = start_waiter(loop, &swallows);
    CHECK_INT(loop_task_cancel(task, "early"), 1);
    CHECK_INT(loop_task_cancel(other, NULL), 1);
    turns(loop, 1);
    CHECK_INT(self.outcomes[0], LOOP_ECANCELLED);
    CHECK_INT(loop_future_result(loop_task_future(task), NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "early");
    CHECK_INT(number_of(loop_task_future(other)), 4);
    CHECK_INT(loop_task_cancelling(other), 1);
    loop_task_unref(task);
    loop_task_unref(other);
    close_loop(loop);
}

struct own {
    int steps, cancel_at, destroyed;
    loop_future_t *done, *pending;
};

static int cancel_itself(loop_task_t *task, int outcome, void *data) {
    struct own *self = data;
    int step = self->steps++;
    if (outcome < 0) {
        CHECK_INT(step, 2);
        return outcome;
    }
    if (step == self->cancel_at)
        CHECK_INT(loop_task_cancel(task, "by itself"), 1);
    switch (step) {
    case 0: return loop_task_await(task, self->done); /* not told there */
    case 1: return loop_task_await(task, self->pending);
    default: return loop_task_return(task, &self->destroyed, count);
    }
}

TEST(a_task_that_cancels_itself_is_told_at_its_next_wait) {
    loop_t *loop = loop_new();
    struct own self = {0, 0, 0, new_future(loop), new_future(loop)};
    loop_task_t *task;
    CHECK_INT(loop_future_set_result(self.done, NULL, NULL), 0);
    CHECK_INT(loop_create_task(loop, cancel_itself, &self, NULL, &task), 0);
    turns(loop, 1);
    CHECK_INT(self.steps, 2);
    turns(loop, 1);
    CHECK_INT(self.steps, 3);
    CHECK_INT(loop_future_result(loop_task_future(task), NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "by itself");
    loop_task_unref(task);
    close_loop(loop);
}

TEST(a_task_cancelled_in_its_last_step_is_cancelled) {
    loop_t *loop = loop_new();
    struct own self = {0, 2, 0, new_future(loop), new_future(loop)};
    loop_task_t *task;
    CHECK_INT(loop_future_set_result(self.done, NULL, NULL), 0);
    CHECK_INT(loop_future_set_result(self.pending, NULL, NULL), 0);
    CHECK_INT(loop_create_task(loop, cancel_itself, &self, NULL, &task), 0);
    turns(loop, 1);
    CHECK_INT(loop_future_cancelled(loop_task_future(task)), 1);
    CHECK_INT(self.destroyed, 1);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(uncancel_takes_back_what_was_not_told_yet) {
    loop_t *loop = loop_new();
    struct waiter self = {.number = 6};
    loop_task_t *task = start_waiter(loop, &self);
    CHECK_INT(loop_task_uncancel(task), 0);
    CHECK_INT(loop_task_cancel(task, NULL), 1);
    CHECK_INT(loop_task_cancel(task, NULL), 1);
    CHECK_INT(loop_task_cancelling(task), 2);
    CHECK_INT(loop_task_uncancel(task), 1);
    CHECK_INT(loop_task_uncancel(task), 0);
    turns(loop, 1);
    CHECK_INT(self.outcomes[0], 0);
    CHECK_INT(number_of(loop_task_future(task)), 6);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(a_long_chain_of_tasks_is_cancelled_and_closed_without_deep_stacks) {
    int length = in_valgrind() ? 2000 : 200000;
    struct waiter *all = calloc((size_t)length, sizeof *all);
    for (int close = 0; close < 2; close++) {
        struct reports reports;
        loop_t *loop = loop_with_reports(&reports);
        loop_future_t *before = new_future(loop);
        for (int i = 0; i < length; i++) {
            all[i] = (struct waiter){.count = 1, .waits = {before}};
            loop_task_t *task = start_waiter(loop, &all[i]);
            before = loop_future_ref(loop_task_future(task));
            loop_task_unref(task);
        }
        turns(loop, 1);
        if (!close) {
            CHECK_INT(loop_future_cancel(before, NULL), 1);
            turns(loop, length);
            CHECK_INT(loop_future_cancelled(before), 1);
        }
        loop_future_unref(before);
        CHECK_INT(loop_close(loop), 0);
        CHECK_INT(reports.count, close ? length : 0);
        loop_unref(loop);
        for (int i = 0; i < length; i++)
            CHECK_INT(all[i].destroyed, 1);
    }
    free(all);
}

TEST(tasks_that_await_each_other_can_be_cancelled) {
    loop_t *loop = loop_new();
    struct waiter all[3] = {{.count = 1}, {.count = 1}, {.count = 1}};
    loop_task_t *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = start_waiter(loop, &all[i]);
    for (int i = 0; i < 3; i++)
        all[i].waits[0] = loop_future_ref(loop_task_future(tasks[i == 2 ? 1 : i + 1]));
    turns(loop, 2);
    CHECK_INT(loop_task_cancel(tasks[0], NULL), 1);
    turns(loop, 5);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(loop_future_cancelled(loop_task_future(tasks[i])), 1);
        CHECK_INT(all[i].destroyed, 1);
        loop_task_unref(tasks[i]);
    }
    close_loop(loop);
}

TEST(tasks_that_await_each_other_are_freed_with_the_loop) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports);
    struct waiter all[2] = {{.count = 1}, {.count = 1}};
    loop_task_t *tasks[2];
    for (int i = 0; i < 2; i++)
        tasks[i] = start_waiter(loop, &all[i]);
    for (int i = 0; i < 2; i++) {
        all[i].waits[0] = loop_future_ref(loop_task_future(tasks[1 - i]));
        loop_task_unref(tasks[i]);
    }
    turns(loop, 2);
    close_loop(loop);
    CHECK_INT(all[0].destroyed + all[1].destroyed, 2);
}

/* A destructor that cancels what is being cancelled. */
struct meddles {
    loop_task_t *task;
    int calls;
};

static void cancel_again(void *data) {
    struct meddles *self = data;
    self->calls++;
    CHECK_INT(loop_future_cancel(loop_task_future(self->task), NULL), 1);
    CHECK_INT(loop_future_set_result(loop_task_future(self->task), NULL, NULL), LOOP_EINVALID_STATE);
    CHECK_INT(loop_future_done(loop_task_future(self->task)), 0);
}

TEST(cancelling_inside_a_cancellation_changes_nothing) {
    loop_t *loop = loop_new();
    struct waiter self = {.count = 1};
    struct meddles meddles = {NULL, 0};
    CHECK_INT(loop_sleep(loop, 3600000 * MS, &meddles, cancel_again, &self.waits[0]), 0);
    loop_task_t *task = meddles.task = start_waiter(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_future_cancel(loop_task_future(task), "once"), 1);
    CHECK_INT(meddles.calls, 1);
    turns(loop, 1);
    CHECK_INT(self.steps, 2);
    CHECK_INT(loop_future_result(loop_task_future(task), NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "once");
    loop_task_unref(task);
    close_loop(loop);
}

/* A step with a deadline around one wait. */
struct timed {
    int steps, outcome, answer;
    long long delay, reschedule;
    loop_future_t *wait;
    loop_timeout_t *timeout;
    int outside; /* cancel from outside, too */
};

static int timed_step(loop_task_t *task, int outcome, void *data) {
    struct timed *self = data;
    if (self->steps++ == 0) {
        CHECK_INT(loop_timeout_enter(task, self->delay, &self->timeout), 0);
        if (self->reschedule != 0)
            CHECK_INT(loop_timeout_reschedule(self->timeout, self->reschedule), 0);
        return loop_task_await(task, self->wait);
    }
    self->outcome = outcome;
    if (self->outside)
        CHECK_INT(loop_task_cancel(task, NULL), 1);
    self->answer = loop_timeout_exit(self->timeout, outcome);
    return self->answer;
}

static void run_timed(struct timed *self, loop_t *loop) {
    loop_task_t *task;
    CHECK_INT(loop_create_task(loop, timed_step, self, NULL, &task), 0);
    int code = loop_run_until_complete(loop, loop_task_future(task), NULL);
    CHECK_INT(code, self->outside ? LOOP_ECANCELLED : self->answer);
    loop_task_unref(task);
}

TEST(a_deadline_cancels_and_then_says_that_it_was_it) {
    loop_t *loop = loop_new();
    struct timed late = {.delay = MS, .wait = new_future(loop)};
    run_timed(&late, loop);
    CHECK_INT(late.outcome, LOOP_ECANCELLED);
    CHECK_INT(late.answer, -ETIMEDOUT);

    struct timed past = {.delay = 0, .wait = new_future(loop)};
    run_timed(&past, loop);
    CHECK_INT(past.answer, -ETIMEDOUT);

    struct timed moved = {.delay = -1, .reschedule = MS, .wait = new_future(loop)};
    run_timed(&moved, loop);
    CHECK_INT(moved.answer, -ETIMEDOUT);

    struct timed early = {.delay = 3600000 * MS};
    CHECK_INT(loop_sleep(loop, MS, NULL, NULL, &early.wait), 0);
    run_timed(&early, loop);
    CHECK_INT(early.answer, 0);

    struct timed both = {.delay = MS, .wait = new_future(loop), .outside = 1};
    run_timed(&both, loop);
    CHECK_INT(both.answer, LOOP_ECANCELLED);

    CHECK_INT(loop_timeout_exit(NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_timeout_reschedule(NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_timeout_enter(NULL, 0, &late.timeout), LOOP_EINVAL);
    close_loop(loop);
}

TEST(tasks_answer_NULL_with_EINVAL_and_destroy_what_they_got) {
    loop_t *loop = loop_new();
    loop_task_t *task = NULL;
    loop_task_options_t options = {.size = sizeof options, .flags = 64};
    int destroyed = 0;
    CHECK_INT(loop_create_task(NULL, waiter_step, &destroyed, count, &task), LOOP_EINVAL);
    CHECK_INT(loop_create_task(loop, NULL, &destroyed, count, &task), LOOP_EINVAL);
    CHECK_INT(loop_create_task_with(loop, &options, waiter_step, &destroyed, count, &task), LOOP_EINVAL);
    options = (loop_task_options_t){.size = sizeof options.size - 1};
    CHECK_INT(loop_create_task_with(loop, &options, waiter_step, &destroyed, count, &task), LOOP_EINVAL);
    options = (loop_task_options_t){.size = sizeof options, .has_context = 1};
    CHECK_INT(loop_create_task_with(loop, &options, waiter_step, &destroyed, count, &task), LOOP_EINVAL);
    CHECK_INT(destroyed, 5);
    CHECK(task == NULL);
    CHECK_INT(loop_task_cancel(NULL, NULL), LOOP_EINVAL);
    CHECK_INT(loop_task_uncancel(NULL), LOOP_EINVAL);
    CHECK_INT(loop_task_cancelling(NULL), LOOP_EINVAL);
    CHECK_INT(loop_task_get_name(NULL, NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_task_set_name(NULL, "x"), LOOP_EINVAL);
    CHECK_INT(loop_task_await(NULL, new_future(loop)), LOOP_EINVAL);
    CHECK_INT(loop_task_return(NULL, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_task_fail(NULL, -1, NULL), LOOP_EINVAL);
    CHECK_INT(loop_all_tasks(NULL, NULL, 0), LOOP_EINVAL);
    CHECK_INT(destroyed, 6);
    CHECK(loop_task_future(NULL) == NULL);
    CHECK(loop_task_awaited(NULL) == NULL);
    CHECK(loop_task_ref(NULL) == NULL);
    CHECK(loop_current_task(NULL) == NULL);
    loop_task_unref(NULL);
    close_loop(loop);
}

TEST(tasks_of_a_running_loop_refuse_other_threads) {
    struct loop_thread other;
    struct waiter self = {.count = 1}, refused = {0};
    other.loop = loop_new();
    loop_t *loop = other.loop;
    self.waits[0] = new_future(loop);
    loop_task_t *task = start_waiter(loop, &self);
    CHECK_INT(sem_init(&other.asleep, 0, 0), 0);
    CHECK_INT(loop_set_wait_hooks(loop, loop_thread_sleeps, NULL, &other, NULL), 0);
    CHECK_INT(pthread_create(&other.thread, NULL, loop_thread_main, &other), 0);
    take(&other.asleep);
    CHECK_INT(loop_task_cancel(task, NULL), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_task_uncancel(task), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_task_cancelling(task), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_task_get_name(task, NULL, 0), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_task_set_name(task, "x"), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_all_tasks(loop, NULL, 0), LOOP_EWRONG_THREAD);
    CHECK(loop_current_task(loop) == NULL);
    CHECK_INT(loop_create_task(loop, waiter_step, &refused, waiter_destroyed, NULL), LOOP_EWRONG_THREAD);
    CHECK_INT(refused.destroyed, 1);
    loop_task_unref(loop_task_ref(task));
    CHECK_INT(loop_stop_threadsafe(loop), 0);
    loop_thread_join(&other);
    CHECK_INT(loop_task_cancel(task, NULL), 1);
    turns(loop, 1);
    CHECK_INT(self.destroyed, 1);
    loop_task_unref(task);
    sem_destroy(&other.asleep);
    close_loop(loop);
}
