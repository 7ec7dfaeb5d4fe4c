/* SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * A loop inside a libuv loop.
 *
 *     coloop_uv_t *bridge;
 *     coloop_uv_open(uv, loop, &bridge);
 *     uv_run(uv, UV_RUN_DEFAULT);
 *     coloop_uv_close(bridge);
 *     uv_run(uv, UV_RUN_DEFAULT);
 *
 * In each of libuv's iterations the loop makes a turn if one is due: I/O,
 * timers, posts from any thread, and what the host's own callbacks schedule.
 * While nothing is, libuv sleeps. Timers are never early, and as precise as in a
 * loop that runs by itself.
 *
 * Inside a coloop callback loop_get_running is the loop. loop_stop and
 * loop_interrupt end a turn, as in loop_run_once: when to leave uv_run is the
 * host's choice. The bridge keeps uv_run going as a server does;
 * coloop_uv_unref ends that.
 *
 * C99 (with POSIX, which uv.h asks for) and C++. Link with libuv (pkg-config). */
#ifndef COLOOP_ADAPTERS_UV_H
#define COLOOP_ADAPTERS_UV_H

#include "host.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A watch on a duplicate of the loop's descriptor: libuv must never meet a
 * number that was closed behind its back, and the loop may close its own. */
typedef struct coloop_uv_watch_t {
    uv_poll_t poll;
    int fd;
} coloop_uv_watch_t;

/** Opaque. */
typedef struct coloop_uv_t {
    coloop_host_t host;
    uv_loop_t *uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t timer;
    coloop_uv_watch_t *watch;
    int fd;         /* the loop's number of what `watch` watches, or -1 */
    uv_pid_t pid;   /* in which process */
    int is_readable;
    int open_handles;
} coloop_uv_t;

static inline void coloop_uv_watch_closed(uv_handle_t *poll) {
    free(poll->data);
}

static inline void coloop_uv_unwatch(coloop_uv_t *self) {
    coloop_uv_watch_t *watch = self->watch;
    if (watch == NULL)
        return;
    self->watch = NULL;
    self->fd = -1;
    watch->poll.data = watch;
    uv_close((uv_handle_t *)&watch->poll, coloop_uv_watch_closed);
    close(watch->fd);
}

static inline void coloop_uv_readable(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    ((coloop_uv_t *)poll->data)->is_readable = 1;
}

/* 0, or a negative errno. */
static inline int coloop_uv_watch(coloop_uv_t *self, int fd) {
    coloop_uv_watch_t *watch = (coloop_uv_watch_t *)malloc(sizeof *watch);
    int code = 0;
    if (watch == NULL)
        return UV_ENOMEM;
    watch->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (watch->fd < 0)
        code = uv_translate_sys_error(errno);
    if (code == 0)
        code = uv_poll_init(self->uv, &watch->poll, watch->fd);
    if (code != 0) {
        if (watch->fd >= 0)
            close(watch->fd);
        free(watch);
        return code;
    }
    watch->poll.data = self;
    uv_unref((uv_handle_t *)&watch->poll);
    self->watch = watch;
    self->fd = fd;
    self->pid = uv_os_getpid();
    code = uv_poll_start(&watch->poll, UV_READABLE, coloop_uv_readable);
    if (code != 0)
        coloop_uv_unwatch(self);
    return code;
}

static inline void coloop_uv_timeout(uv_timer_t *timer) {
    (void)timer; /* It ends the wait; `check` looks what is due. */
}

/* The loop is closed, or the parent's: nothing keeps libuv from here on. */
static inline void coloop_uv_end(coloop_uv_t *self) {
    coloop_uv_unwatch(self);
    uv_timer_stop(&self->timer);
    uv_prepare_stop(&self->prepare);
    uv_check_stop(&self->check);
}

/* Before every wait, and after a turn for whoever asks uv_backend_timeout. */
static inline void coloop_uv_arm(coloop_uv_t *self) {
    int failure = self->host.failure;
    if (coloop_host_prepare(&self->host) < 0) {
        coloop_uv_end(self);
        return;
    }
    /* A forked child may have made the loop its own under the same number. */
    if (self->host.fd != self->fd || (self->watch != NULL && self->pid != uv_os_getpid())) {
        coloop_uv_unwatch(self);
        if (self->host.fd >= 0) {
            int code = coloop_uv_watch(self, self->host.fd);
            if (code != 0) {
                self->host.failure = failure; /* it may be known already */
                coloop_host_failed(&self->host, code);
            }
        }
    }
    if (self->host.timeout_ms < 0)
        uv_timer_stop(&self->timer);
    else
        uv_timer_start(&self->timer, coloop_uv_timeout, (uint64_t)self->host.timeout_ms, 0);
}

static inline void coloop_uv_on_prepare(uv_prepare_t *prepare) {
    coloop_uv_arm((coloop_uv_t *)prepare->data);
}

static inline void coloop_uv_on_check(uv_check_t *check) {
    coloop_uv_t *self = (coloop_uv_t *)check->data;
    if (!self->is_readable && !coloop_host_due(&self->host))
        return;
    self->is_readable = 0;
    coloop_host_turn(&self->host);
    if (uv_is_active((uv_handle_t *)&self->prepare))
        coloop_uv_arm(self);
}

static inline void coloop_uv_closed(uv_handle_t *handle) {
    coloop_uv_t *self = (coloop_uv_t *)handle->data;
    if (--self->open_handles > 0)
        return;
    loop_unref(self->host.loop);
    free(self);
}

/** Lets `uv` drive `loop` from its next iteration on, with the bridge, which is
 * the caller's until coloop_uv_close, in *ret_bridge. It holds a reference to the
 * loop. One bridge a loop. 0, LOOP_EINVAL (NULL), UV_ENOMEM. [the thread of uv] */
static inline int coloop_uv_open(uv_loop_t *uv, loop_t *loop, coloop_uv_t **ret_bridge) {
    coloop_uv_t *self;
    if (uv == NULL || loop == NULL || ret_bridge == NULL)
        return LOOP_EINVAL;
    self = (coloop_uv_t *)calloc(1, sizeof *self);
    if (self == NULL)
        return UV_ENOMEM;
    self->host.loop = loop_ref(loop);
    self->uv = uv;
    self->fd = -1;
    /* None of these can fail. */
    uv_prepare_init(uv, &self->prepare);
    uv_check_init(uv, &self->check);
    uv_timer_init(uv, &self->timer);
    self->prepare.data = self->check.data = self->timer.data = self;
    self->open_handles = 3;
    uv_prepare_start(&self->prepare, coloop_uv_on_prepare);
    uv_check_start(&self->check, coloop_uv_on_check);
    uv_unref((uv_handle_t *)&self->check);
    uv_unref((uv_handle_t *)&self->timer);
    *ret_bridge = self;
    return 0;
}

/** Ends the bridge and leaves the loop open. Needed exactly once, before or after
 * loop_close; NULL is allowed. The memory is freed in libuv's next iteration:
 * run uv once more before uv_loop_close. Also inside callbacks of both loops. In
 * a forked child only after uv_loop_fork, as everything of libuv's. [the thread
 * of uv] */
static inline void coloop_uv_close(coloop_uv_t *bridge) {
    if (bridge == NULL)
        return;
    coloop_uv_end(bridge);
    uv_close((uv_handle_t *)&bridge->prepare, coloop_uv_closed);
    uv_close((uv_handle_t *)&bridge->check, coloop_uv_closed);
    uv_close((uv_handle_t *)&bridge->timer, coloop_uv_closed);
}

/** uv_run ends although the bridge is there, once nothing else is left to do; as
 * uv_unref. [the thread of uv] */
static inline void coloop_uv_unref(coloop_uv_t *bridge) {
    uv_unref((uv_handle_t *)&bridge->prepare);
}

/** Ends what coloop_uv_unref began. [the thread of uv] */
static inline void coloop_uv_ref(coloop_uv_t *bridge) {
    uv_ref((uv_handle_t *)&bridge->prepare);
}

#ifdef __cplusplus
}
#endif

#endif
