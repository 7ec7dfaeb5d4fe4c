/* SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * A loop that another event loop drives: what every bridge to one needs.
 *
 * The host asks before each of its waits, waits for the descriptor it is told
 * for as long as it is told, and makes a turn if one is due:
 *
 *     coloop_host_t host = {0};
 *     host.loop = loop;
 *     for (;;) {
 *         if (coloop_host_prepare(&host) < 0)
 *             break;
 *         wait for host.fd, host.timeout_ms and whatever else there is;
 *         if (host.fd is readable || coloop_host_due(&host))
 *             coloop_host_turn(&host);
 *     }
 *
 * C99 and C++, for whoever writes such a bridge; glib.h and uv.h are two. All of
 * it belongs to the thread that runs the host. */
#ifndef COLOOP_ADAPTERS_HOST_H
#define COLOOP_ADAPTERS_HOST_H

#include "../../coloop.h"
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How long to wait, in milliseconds, where the loop cannot say: it lacks memory
 * or descriptors, or another thread is inside. */
#define COLOOP_HOST_RETRY_MS 100

/** Set `loop`, which must outlive it, and everything else to zero. */
typedef struct coloop_host_t {
    loop_t *loop;
    /* Wait until this is readable; -1: there is nothing to wait for. It is the
     * loop's, which may have replaced it since the last time. */
    int fd;
    /* Wait no longer than that; 0: not at all, -1: as long as it takes. Rounded
     * up to whole milliseconds, so that no timer finds that it is too early. */
    int timeout_ms;
    /* What keeps the loop from saying; 0 mostly. Told to the loop's exception
     * handler when it begins. */
    int failure;
} coloop_host_t;

static inline void coloop_host_failed(coloop_host_t *host, int code) {
    loop_exception_context_t context;
    host->timeout_ms = COLOOP_HOST_RETRY_MS;
    if (host->failure == code)
        return;
    host->failure = code;
    memset(&context, 0, sizeof context);
    context.size = sizeof context;
    context.message = "The embedded event loop cannot wait";
    context.code = code;
    context.exception = loop_last_error();
    context.fd = -1;
    loop_call_exception_handler(host->loop, &context);
}

/** Just before the host waits. 1: a turn is due; 0: wait as `fd` and `timeout_ms`
 * say; LOOP_ECLOSED or LOOP_EFORKED: the loop is of no use any more. Inside a
 * callback of a loop (the callback runs the host), there is nothing to wait for:
 * loops make no turn inside a turn. */
static inline int coloop_host_prepare(coloop_host_t *host) {
    loop_t *running = NULL;
    int64_t timeout_ns = -1;
    int code;
    host->fd = -1;
    host->timeout_ms = -1;
    if (loop_get_running(&running) == 0)
        return 0;
    code = loop_prepare(host->loop, &timeout_ns);
    if (code == 0)
        code = loop_backend_fd(host->loop);
    if (code == LOOP_ECLOSED || code == LOOP_EFORKED)
        return code;
    if (code < 0) {
        coloop_host_failed(host, code);
        return 0;
    }
    host->fd = code;
    host->failure = 0;
    /* The loop never names more than a day. */
    if (timeout_ns >= 0)
        host->timeout_ms = (int)((timeout_ns + 999999) / 1000000);
    return timeout_ns == 0;
}

/** Just after the host waited: 1 if a turn is due although `fd` is not readable,
 * because a timer is or because the loop could not say; else 0. */
static inline int coloop_host_due(coloop_host_t *host) {
    return host->failure != 0 || coloop_host_prepare(host) != 0;
}

/** One turn. 0, or LOOP_ECLOSED or LOOP_EFORKED (also in a child that was forked
 * in one of the callbacks): the loop is of no use any more. Whatever else goes
 * wrong is there again at the next coloop_host_prepare. */
static inline int coloop_host_turn(coloop_host_t *host) {
    uint64_t when;
    int code;
    loop_poll(host->loop, 0);
    loop_dispatch(host->loop);
    /* Not what the turn says: a child may have made the loop its own meanwhile. */
    code = loop_next_deadline(host->loop, &when);
    return code == LOOP_ECLOSED || code == LOOP_EFORKED ? code : 0;
}

#ifdef __cplusplus
}
#endif

#endif
