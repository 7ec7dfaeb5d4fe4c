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

static inline void close_loop(loop_t *loop) {
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

#endif
