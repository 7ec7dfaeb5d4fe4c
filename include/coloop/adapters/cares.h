/* c-ares on a coloop loop: names are looked up by asking name servers on the
 * loop's own thread, where loop_getaddrinfo asks the system on another one.
 *
 *     coloop_cares_t *cares;
 *     loop_future_t *future;
 *     struct ares_addrinfo *found;
 *     coloop_cares_new(loop, NULL, 0, &cares);
 *     coloop_cares_getaddrinfo(cares, "example.org", "443", NULL, &future);
 *     loop_run_until_complete(loop, future, (void **)&found);
 *
 * For c-ares 1.16 or later. Link to cares and coloop. */
#ifndef COLOOP_ADAPTERS_CARES_H
#define COLOOP_ADAPTERS_CARES_H

#include <sys/select.h> /* before ares.h, which needs it in strict C */

#include <ares.h>
#include "operation.h"
#include "watch.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The codes of failures: a status of c-ares, such as
 * COLOOP_CARES_CODE(ARES_ENOTFOUND).
 */
#define COLOOP_CARES_CODE(status) (-5000 - (int)(status))

/**
 * A channel on a loop. Belongs to the loop's thread. Opaque.
 */
typedef struct coloop_cares_t coloop_cares_t;

/**
 * A channel in *ret_cares, for coloop_cares_free, with what ares_init_options
 * takes (NULL and 0: the system's configuration). The callback for socket states
 * is the adapter's; c-ares can be told of it only here, so there is no way to
 * attach a channel that was made elsewhere. It keeps a reference to the loop.
 * 0, COLOOP_CARES_CODE(...), LOOP_EINVAL (also ARES_OPT_SOCK_STATE_CB),
 * LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
 */
static inline int coloop_cares_new(loop_t *loop, const struct ares_options *options, int mask,
                                   coloop_cares_t **ret_cares);

/**
 * Ends every query (ares_destroy: futures fail with
 * COLOOP_CARES_CODE(ARES_EDESTRUCTION)) and frees the channel. May be called in
 * every callback that the loop calls, also in c-ares' own, where it takes effect
 * when that has returned; but not in one that c-ares calls inside a function
 * that you have called. Before or after the loop is closed (then futures stay
 * as they are), and in a forked child. NULL is allowed. 0, LOOP_EWRONG_THREAD
 * (nothing is freed). [loop thread]
 */
static inline int coloop_cares_free(coloop_cares_t *cares);

/**
 * The channel, for all that c-ares can do: ares_set_servers_ports_csv,
 * ares_query, ares_getnameinfo, ... The loop carries what is begun with it. From
 * the first call on, cancelled futures stop no queries any more (see
 * coloop_cares_getaddrinfo). [loop thread]
 */
static inline ares_channel coloop_cares_channel(coloop_cares_t *cares);

/**
 * Looks up addresses as ares_getaddrinfo does; `service` and `hints` may be
 * NULL. The future in *ret_future (one reference) ends with a
 * struct ares_addrinfo *, which it frees with its last reference. Failures have
 * COLOOP_CARES_CODE(...) and the text of ares_strerror.
 *
 * Cancelling the future drops the answer. c-ares cannot stop one query alone: all
 * are stopped (ares_cancel) once every lookup of this channel is cancelled and
 * nobody has asked for coloop_cares_channel; else a query ends by its own
 * timeouts.
 *
 * The time limit is the channel's (ARES_OPT_TIMEOUTMS, ARES_OPT_TRIES), or that
 * of loop_wait_for. /etc/hosts is read inside this call. 0, LOOP_EINVAL,
 * LOOP_EINVALID_STATE (coloop_cares_free was called), LOOP_ECLOSED,
 * LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
 * asyncio: loop.getaddrinfo().
 */
static inline int coloop_cares_getaddrinfo(coloop_cares_t *cares, const char *node, const char *service,
                                           const struct ares_addrinfo_hints *hints, loop_future_t **ret_future);

/* Answers of a channel's own user make the earliest timeout unknown to the
 * adapter, so a channel with open sockets is asked for it at least this often. */
#define COLOOP_CARES_TICK_S 1

typedef struct coloop_cares_lookup_t {
    coloop_operation_t operation;
    coloop_cares_t *cares;
    int abandoned;
} coloop_cares_lookup_t;

typedef struct coloop_cares_socket_t {
    coloop_watch_t watch;
    coloop_cares_t *cares;
    struct coloop_cares_socket_t *next;
} coloop_cares_socket_t;

struct coloop_cares_t {
    loop_t *loop;
    ares_channel channel;
    coloop_cares_socket_t *sockets;
    loop_handle_t timer;
    int lookups;   /* under way */
    int abandoned; /* of these, how many nobody waits for */
    int shared;    /* the channel may have other queries, too */
    int inside;    /* c-ares works: it may not be destroyed */
    int starved;   /* they end for want of memory */
    int freed;
    pid_t process;
};

/* Why `cares` cannot work now, or 0. Its sockets are not a forked child's. */
static inline int coloop_cares_usable(const coloop_cares_t *cares) {
    if (cares->process != getpid())
        return LOOP_EFORKED;
    return cares->freed ? LOOP_EINVALID_STATE : coloop_usable(cares->loop);
}

static inline void coloop_cares_destroy(coloop_cares_t *cares) {
    cares->inside = 1; /* failed futures may run user code */
    ares_destroy(cares->channel);
    while (cares->sockets != NULL) {
        coloop_cares_socket_t *sock = cares->sockets;
        cares->sockets = sock->next;
        coloop_watch_end(&sock->watch);
        free(sock);
    }
    if (cares->timer != 0)
        loop_handle_cancel(cares->loop, cares->timer);
    loop_unref(cares->loop);
    free(cares);
}

static inline void coloop_cares_on_timer(void *data);

/* After every call of c-ares; may free `cares`. */
static inline void coloop_cares_settle(coloop_cares_t *cares) {
    struct timeval most, next, *delay;
    if (!cares->freed && cares->abandoned > 0 && cares->abandoned == cares->lookups && !cares->shared) {
        cares->inside = 1;
        ares_cancel(cares->channel);
    }
    cares->inside = 0;
    if (cares->freed) {
        coloop_cares_destroy(cares);
        return;
    }
    if (cares->timer != 0)
        loop_handle_cancel(cares->loop, cares->timer);
    cares->timer = 0;
    most.tv_sec = COLOOP_CARES_TICK_S;
    most.tv_usec = 0;
    delay = ares_timeout(cares->channel, cares->sockets == NULL ? NULL : &most, &next);
    if (delay == NULL)
        return;
    /* Rounded up: c-ares counts whole microseconds. */
    if (loop_call_later(cares->loop, ((int64_t)delay->tv_sec * 1000000 + delay->tv_usec + 1) * 1000,
                        coloop_cares_on_timer, cares, NULL, &cares->timer) == -ENOMEM) {
        /* Nothing would ever come back to these queries. */
        cares->inside = cares->starved = 1;
        ares_cancel(cares->channel);
        cares->inside = cares->starved = 0;
        if (cares->freed)
            coloop_cares_destroy(cares);
    }
}

static inline void coloop_cares_process(coloop_cares_t *cares, ares_socket_t reads, ares_socket_t writes) {
    if (coloop_cares_usable(cares) != 0)
        return;
    cares->inside = 1;
    ares_process_fd(cares->channel, reads, writes);
    coloop_cares_settle(cares);
}

static inline void coloop_cares_on_ready(void *data, int events) {
    coloop_cares_socket_t *sock = (coloop_cares_socket_t *)data;
    ares_socket_t fd = sock->watch.fd;
    coloop_cares_process(sock->cares, events & COLOOP_WATCH_READ ? fd : ARES_SOCKET_BAD,
                         events & COLOOP_WATCH_WRITE ? fd : ARES_SOCKET_BAD);
}

/* Also at once when the channel's own user has begun something. */
static inline void coloop_cares_on_timer(void *data) {
    coloop_cares_t *cares = (coloop_cares_t *)data;
    cares->timer = 0;
    coloop_cares_process(cares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

/* ARES_OPT_SOCK_STATE_CB: c-ares says what to watch; neither: it closes the socket. */
static inline void coloop_cares_set_socket(void *data, ares_socket_t fd, int reads, int writes) {
    coloop_cares_t *cares = (coloop_cares_t *)data;
    coloop_cares_socket_t *sock = cares->sockets, **link = &cares->sockets;
    while (sock != NULL && sock->watch.fd != (int)fd) {
        link = &sock->next;
        sock = sock->next;
    }
    if (!reads && !writes) {
        if (sock == NULL)
            return;
        *link = sock->next;
        coloop_watch_end(&sock->watch);
        free(sock);
        return;
    }
    if (sock == NULL) {
        sock = (coloop_cares_socket_t *)calloc(1, sizeof *sock);
        if (sock == NULL)
            return; /* the query times out */
        coloop_watch_init(&sock->watch, cares->loop, coloop_cares_on_ready, sock);
        sock->cares = cares;
        sock->next = cares->sockets;
        cares->sockets = sock;
    }
    coloop_watch_set(&sock->watch, (int)fd, (reads ? COLOOP_WATCH_READ : 0) | (writes ? COLOOP_WATCH_WRITE : 0));
    if (!cares->inside && cares->timer == 0)
        loop_call_later(cares->loop, 0, coloop_cares_on_timer, cares, NULL, &cares->timer);
}

static inline void coloop_cares_free_addrinfo(void *found) {
    if (found != NULL) /* older versions look into it */
        ares_freeaddrinfo((struct ares_addrinfo *)found);
}

static inline void coloop_cares_on_answer(void *data, int status, int timeouts, struct ares_addrinfo *found) {
    coloop_cares_lookup_t *lookup = (coloop_cares_lookup_t *)data;
    coloop_cares_t *cares = lookup->cares;
    (void)timeouts;
    cares->lookups--;
    cares->abandoned -= lookup->abandoned;
    if (lookup->abandoned) {
        coloop_cares_free_addrinfo(found);
        coloop_operation_end(&lookup->operation);
    } else if (status == ARES_SUCCESS) {
        coloop_operation_succeed(&lookup->operation, found, coloop_cares_free_addrinfo);
    } else {
        if (cares->starved)
            status = ARES_ENOMEM;
        coloop_cares_free_addrinfo(found);
        coloop_operation_fail(&lookup->operation, COLOOP_CARES_CODE(status), ares_strerror(status), NULL, NULL);
    }
}

static inline void coloop_cares_on_cancelled(coloop_operation_t *operation) {
    coloop_cares_lookup_t *lookup = (coloop_cares_lookup_t *)operation;
    coloop_cares_t *cares = lookup->cares;
    lookup->abandoned = 1;
    cares->abandoned++;
    if (!cares->inside && coloop_cares_usable(cares) == 0)
        coloop_cares_settle(cares);
}

static inline int coloop_cares_new(loop_t *loop, const struct ares_options *options, int mask,
                                   coloop_cares_t **ret_cares) {
    struct ares_options own;
    coloop_cares_t *cares;
    int failed = coloop_usable(loop);
    if (failed != 0)
        return failed;
    if (ret_cares == NULL || (options == NULL && mask != 0) || mask & ARES_OPT_SOCK_STATE_CB)
        return LOOP_EINVAL;
    cares = (coloop_cares_t *)calloc(1, sizeof *cares);
    if (cares == NULL)
        return -ENOMEM;
    memset(&own, 0, sizeof own);
    if (options != NULL)
        own = *options;
    own.sock_state_cb = coloop_cares_set_socket;
    own.sock_state_cb_data = cares;
    failed = ares_init_options(&cares->channel, &own, mask | ARES_OPT_SOCK_STATE_CB);
    if (failed != ARES_SUCCESS) {
        free(cares);
        return COLOOP_CARES_CODE(failed);
    }
    cares->loop = loop_ref(loop);
    cares->process = getpid();
    *ret_cares = cares;
    return 0;
}

static inline int coloop_cares_free(coloop_cares_t *cares) {
    if (cares == NULL)
        return 0;
    if (coloop_usable(cares->loop) == LOOP_EWRONG_THREAD)
        return LOOP_EWRONG_THREAD;
    if (!cares->freed && !cares->inside) {
        cares->freed = 1;
        coloop_cares_destroy(cares);
    } else {
        cares->freed = 1;
    }
    return 0;
}

static inline ares_channel coloop_cares_channel(coloop_cares_t *cares) {
    if (cares == NULL)
        return NULL;
    cares->shared = 1;
    return cares->channel;
}

static inline int coloop_cares_getaddrinfo(coloop_cares_t *cares, const char *node, const char *service,
                                           const struct ares_addrinfo_hints *hints, loop_future_t **ret_future) {
    static const struct ares_addrinfo_hints any = {0, 0, 0, 0};
    coloop_cares_lookup_t *lookup;
    int failed, inside;
    if (cares == NULL || node == NULL || ret_future == NULL)
        return LOOP_EINVAL;
    failed = coloop_cares_usable(cares);
    if (failed != 0)
        return failed;
    lookup = (coloop_cares_lookup_t *)calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return -ENOMEM;
    failed = coloop_operation_begin(&lookup->operation, cares->loop, coloop_cares_on_cancelled, free);
    if (failed != 0)
        return failed;
    lookup->cares = cares;
    *ret_future = loop_future_ref(lookup->operation.future);
    cares->lookups++;
    inside = cares->inside; /* called in a callback of c-ares, which may be */
    cares->inside = 1;
    ares_getaddrinfo(cares->channel, node, service, hints == NULL ? &any : hints, coloop_cares_on_answer, lookup);
    if (!inside)
        coloop_cares_settle(cares);
    return 0;
}

#ifdef __cplusplus
}
#endif
#endif
