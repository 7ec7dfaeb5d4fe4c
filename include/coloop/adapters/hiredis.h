/* hiredis on a coloop loop: after coloop_hiredis_attach the loop moves the bytes
 * of a redisAsyncContext and calls its callbacks.
 *
 *     redisAsyncContext *context = redisAsyncConnect("127.0.0.1", 6379);
 *     coloop_hiredis_attach(loop, context);
 *     redisAsyncCommand(context, on_reply, data, "GET %s", key);
 *     loop_run_forever(loop);
 *
 * For hiredis 0.14 and 1.x. Link to hiredis and coloop. */
#ifndef COLOOP_ADAPTERS_HIREDIS_H
#define COLOOP_ADAPTERS_HIREDIS_H

#include "operation.h"
#include "watch.h"
#include <errno.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Attaches `context` to `loop`. From now on the context belongs to the loop's
 * thread, as hiredis' own functions do: all its callbacks run there.
 *
 * The context stays yours, as with hiredis' other adapters: it frees itself
 * when the connection is lost or redisAsyncDisconnect has ended it, or you call
 * redisAsyncFree. That detaches it. Either may happen in any callback. The loop
 * may be closed before: then nothing moves any more, and freeing the context
 * answers every command that is open with a NULL reply. It keeps a reference to
 * the loop until then. A loop that is stopped and run again goes on where it was.
 *
 * hiredis writes in a way that raises SIGPIPE when the server has gone: ignore
 * that signal.
 *
 * After fork the child may free its copy of the context, which does not disturb
 * the parent's connection; it cannot use it.
 *
 * 0 (REDIS_OK), LOOP_EINVAL (NULL, or attached already), -EBADF (the
 * connection could not be begun: see context->errstr), LOOP_ECLOSED, LOOP_EFORKED,
 * LOOP_EWRONG_THREAD, -ENOMEM; then nothing has changed. [loop thread]
 */
static inline int coloop_hiredis_attach(loop_t *loop, redisAsyncContext *context);

/* What hiredis calls `privdata`. */
typedef struct coloop_hiredis_t {
    redisAsyncContext *context;
    loop_t *loop;
    coloop_watch_t watch;
    loop_handle_t timer;
    int inside; /* hiredis works, and may free the context */
} coloop_hiredis_t;

static inline void coloop_hiredis_on_ready(void *data, int events) {
    coloop_hiredis_t *self = (coloop_hiredis_t *)data;
    self->inside = 1;
    if (events & COLOOP_WATCH_READ)
        redisAsyncHandleRead(self->context);
    if (events & COLOOP_WATCH_WRITE && self->context != NULL)
        redisAsyncHandleWrite(self->context);
    self->inside = 0;
    if (self->context == NULL)
        free(self);
}

/* The socket is asked for each time: hiredis may have another one by now. */
static inline void coloop_hiredis_want(coloop_hiredis_t *self, int events) {
    coloop_watch_set(&self->watch, (int)self->context->c.fd, events);
}

static inline void coloop_hiredis_add_read(void *data) {
    coloop_hiredis_t *self = (coloop_hiredis_t *)data;
    coloop_hiredis_want(self, self->watch.wanted | COLOOP_WATCH_READ);
}

static inline void coloop_hiredis_del_read(void *data) {
    coloop_hiredis_t *self = (coloop_hiredis_t *)data;
    coloop_hiredis_want(self, self->watch.wanted & ~COLOOP_WATCH_READ);
}

static inline void coloop_hiredis_add_write(void *data) {
    coloop_hiredis_t *self = (coloop_hiredis_t *)data;
    coloop_hiredis_want(self, self->watch.wanted | COLOOP_WATCH_WRITE);
}

static inline void coloop_hiredis_del_write(void *data) {
    coloop_hiredis_t *self = (coloop_hiredis_t *)data;
    coloop_hiredis_want(self, self->watch.wanted & ~COLOOP_WATCH_WRITE);
}

/* hiredis calls it last, before it closes the socket. */
static inline void coloop_hiredis_cleanup(void *data) {
    coloop_hiredis_t *self = (coloop_hiredis_t *)data;
    coloop_watch_end(&self->watch);
    if (self->timer != 0)
        loop_handle_cancel(self->loop, self->timer);
    loop_unref(self->loop);
    self->context = NULL;
    if (!self->inside)
        free(self);
}

#if HIREDIS_MAJOR >= 1
static inline void coloop_hiredis_on_timer(void *data) {
    coloop_hiredis_t *self = (coloop_hiredis_t *)data;
    self->timer = 0;
    redisAsyncHandleTimeout(self->context); /* may free `self` */
}

static inline void coloop_hiredis_schedule_timer(void *data, struct timeval delay) {
    coloop_hiredis_t *self = (coloop_hiredis_t *)data;
    if (self->timer != 0)
        loop_handle_cancel(self->loop, self->timer);
    self->timer = 0;
    loop_call_later(self->loop, (int64_t)delay.tv_sec * 1000000000 + (int64_t)delay.tv_usec * 1000,
                    coloop_hiredis_on_timer, self, NULL, &self->timer);
}
#endif

static inline int coloop_hiredis_attach(loop_t *loop, redisAsyncContext *context) {
    coloop_hiredis_t *self;
    int failed = coloop_usable(loop);
    if (failed != 0)
        return failed;
    if (context == NULL || context->ev.data != NULL)
        return LOOP_EINVAL;
    if (context->err != 0 || (int)context->c.fd < 0)
        return -EBADF;
    self = (coloop_hiredis_t *)calloc(1, sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    self->context = context;
    self->loop = loop_ref(loop);
    coloop_watch_init(&self->watch, loop, coloop_hiredis_on_ready, self);
    context->ev.data = self;
    context->ev.addRead = coloop_hiredis_add_read;
    context->ev.delRead = coloop_hiredis_del_read;
    context->ev.addWrite = coloop_hiredis_add_write;
    context->ev.delWrite = coloop_hiredis_del_write;
    context->ev.cleanup = coloop_hiredis_cleanup;
#if HIREDIS_MAJOR >= 1
    context->ev.scheduleTimer = coloop_hiredis_schedule_timer;
#endif
    return 0;
}

#ifdef __cplusplus
}
#endif
#endif
