/* What tests of futures and tasks share. */
#ifndef FUTURE_TOOLS_H
#define FUTURE_TOOLS_H

#include "test.h"

/* So many turns; what they run is up to the loop. */
static inline void turns(loop_t *loop, int count) {
    while (count-- > 0)
        CHECK(loop_run_once(loop, 0) >= 0);
}

/* A done-callback that leaves a mark. */
static inline void mark_done(loop_future_t *future, void *mark) {
    CHECK_INT(loop_future_done(future), 1);
    leave_mark(mark);
}

static inline loop_future_t *new_future(loop_t *loop) {
    loop_future_t *future = NULL;
    CHECK_INT(loop_future_new(loop, &future), 0);
    return future;
}

static inline loop_t *loop_of(loop_task_t *task) {
    return loop_future_get_loop(loop_task_future(task));
}

static inline void *number(intptr_t value) {
    return (void *)value;
}

/* The result of a future that ended well, as a number. */
static inline intptr_t number_of(loop_future_t *future) {
    void *result = NULL;
    CHECK_INT(loop_future_result(future, &result), 0);
    return (intptr_t)result;
}

/* What a loop's exception handler was told of. */
struct reports {
    int count, code;
    char message[128], exception[128];
};

static inline void hear_report(loop_t *loop, const loop_exception_context_t *context, void *data) {
    struct reports *reports = data;
    (void)loop;
    reports->count++;
    reports->code = context->code;
    snprintf(reports->message, sizeof reports->message, "%s", context->message);
    snprintf(reports->exception, sizeof reports->exception, "%s",
             context->exception == NULL ? "" : context->exception);
}

static inline loop_t *loop_with_reports(struct reports *reports) {
    memset(reports, 0, sizeof *reports);
    loop_t *loop = loop_new();
    CHECK(loop != NULL);
    CHECK_INT(loop_set_exception_handler(loop, hear_report, reports, NULL), 0);
    return loop;
}

/* A task that does one thing again and again: waits for the next of its futures
 * (whose references it takes), yields, and ends with its number. */
struct waiter {
    int number, steps, outcomes[8];
    int swallows; /* goes on after a failure */
    int yields;
    size_t count, next;
    loop_future_t *waits[4];
    struct log *log;
    int destroyed;
};

static inline void waiter_destroyed(void *data) {
    struct waiter *self = data;
    self->destroyed++;
    while (self->next < self->count)
        loop_future_unref(self->waits[self->next++]);
}

static inline int waiter_step(loop_task_t *task, int outcome, void *data) {
    struct waiter *self = data;
    CHECK(loop_current_task(loop_of(task)) == task);
    CHECK_INT(self->destroyed, 0);
    if (self->steps < 8)
        self->outcomes[self->steps] = outcome;
    self->steps++;
    if (self->log != NULL)
        record(self->log, (char)(outcome == 0 ? 'a' + self->number : 'A' + self->number));
    if (outcome < 0 && !self->swallows)
        return outcome;
    if (self->yields > 0) {
        self->yields--;
        return LOOP_TASK_YIELD;
    }
    if (self->next < self->count)
        return loop_task_await(task, self->waits[self->next++]);
    return loop_task_return(task, number(self->number), NULL);
}

static inline loop_task_t *start_waiter(loop_t *loop, struct waiter *self) {
    loop_task_t *task = NULL;
    CHECK_INT(loop_create_task(loop, waiter_step, self, waiter_destroyed, &task), 0);
    return task;
}

static inline void close_loop(loop_t *loop) {
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

#endif
