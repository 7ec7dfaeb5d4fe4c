/* What a library does for a future, as the adapters here need it. For programs:
 * hiredis.h, curl.h, libpq.h, cares.h. */
#ifndef COLOOP_ADAPTERS_OPERATION_H
#define COLOOP_ADAPTERS_OPERATION_H

#include "../../coloop.h"
#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Stands first in an adapter's own struct. It has two holders: the library that
 * works, until one of coloop_operation_succeed, _fail and _end, and the future,
 * which asks it to stop. */
typedef struct coloop_operation_t {
    loop_future_t *future; /* NULL once the work has ended */
    /* The future is being cancelled: stop the work, and then, now or later,
     * coloop_operation_end. */
    void (*cancelled)(struct coloop_operation_t *operation);
    loop_destroy_t release; /* frees the adapter's struct */
    int holders;
} coloop_operation_t;

/* 0 where the functions of `loop` may be called now, or why not: LOOP_EINVAL,
 * LOOP_EWRONG_THREAD, LOOP_ECLOSED, LOOP_EFORKED. */
static inline int coloop_usable(loop_t *loop) {
    uint64_t when;
    int code = loop_next_deadline(loop, &when);
    return code < 0 ? code : 0;
}

static inline void coloop_operation_drop(void *data) {
    coloop_operation_t *operation = (coloop_operation_t *)data;
    if (--operation->holders == 0)
        operation->release(operation);
}

/* -1: the future is cancelled at once, when this has returned. */
static inline int coloop_operation_on_cancel(loop_future_t *future, const char *message, void *data) {
    coloop_operation_t *operation = (coloop_operation_t *)data;
    (void)future;
    (void)message;
    if (operation->future != NULL)
        operation->cancelled(operation);
    return -1;
}

/* Makes the future. On failure the struct is released. */
static inline int coloop_operation_begin(coloop_operation_t *operation, loop_t *loop,
                                         void (*cancelled)(coloop_operation_t *operation), loop_destroy_t release) {
    int failed;
    operation->future = NULL;
    operation->cancelled = cancelled;
    operation->release = release;
    operation->holders = 2;
    failed = loop_future_new_cancellable(loop, coloop_operation_on_cancel, operation, coloop_operation_drop,
                                         &operation->future);
    if (failed != 0)
        coloop_operation_drop(operation);
    return failed;
}

/* Lets go of the future and hands its reference on; the struct may be gone. */
static inline loop_future_t *coloop_operation_take(coloop_operation_t *operation) {
    loop_future_t *future = operation->future;
    operation->future = NULL;
    coloop_operation_drop(operation);
    return future;
}

/* The work has ended, and nobody is told: the future was cancelled. */
static inline void coloop_operation_end(coloop_operation_t *operation) {
    loop_future_unref(coloop_operation_take(operation));
}

/* The work has ended. A future that was cancelled in the meantime stays so, and
 * the result is destroyed. User code may run inside (destructors). */
static inline void coloop_operation_succeed(coloop_operation_t *operation, void *result, loop_destroy_t destroy) {
    loop_future_t *future = coloop_operation_take(operation);
    loop_future_set_result(future, result, destroy);
    loop_future_unref(future);
}

/* The same with a failure; `data` may be NULL. Where there is no memory for its
 * text it has another one; a future never stays pending. */
static inline void coloop_operation_fail(coloop_operation_t *operation, int code, const char *message, void *data,
                                         loop_destroy_t destroy) {
    loop_future_t *future = coloop_operation_take(operation);
    if (loop_future_set_exception_data(future, code, message, data, destroy) == -ENOMEM &&
        loop_future_set_exception(future, code, NULL) == -ENOMEM)
        loop_future_cancel(future, NULL);
    loop_future_unref(future);
}

#ifdef __cplusplus
}
#endif
#endif
