/* A descriptor that a library owns and the loop watches, as the adapters here
 * need it. For programs: hiredis.h, curl.h, libpq.h, cares.h. */
#ifndef COLOOP_ADAPTERS_WATCH_H
#define COLOOP_ADAPTERS_WATCH_H

#include "../../coloop.h"
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COLOOP_WATCH_READ 1
#define COLOOP_WATCH_WRITE 2

/* How long to wait before a descriptor that could not be registered counts as
 * ready: long enough to cost nothing, short enough to notice an error soon. */
#define COLOOP_WATCH_RETRY_NS 50000000

typedef struct coloop_watch_t {
    loop_t *loop;
    /* `events` is one of COLOOP_WATCH_READ and _WRITE, or both. It may end the
     * watch and free the memory it is in. */
    void (*ready)(void *data, int events);
    void *data;
    int fd;
    int wanted;
    int registered;
    loop_handle_t retry;
    pid_t process;
} coloop_watch_t;

static inline void coloop_watch_init(coloop_watch_t *watch, loop_t *loop, void (*ready)(void *data, int events),
                                     void *data) {
    watch->loop = loop;
    watch->ready = ready;
    watch->data = data;
    watch->fd = -1;
    watch->wanted = watch->registered = 0;
    watch->retry = 0;
    watch->process = getpid();
}

static inline void coloop_watch_remove(coloop_watch_t *watch, int events) {
    if (watch->registered & events & COLOOP_WATCH_READ)
        loop_remove_reader(watch->loop, watch->fd);
    if (watch->registered & events & COLOOP_WATCH_WRITE)
        loop_remove_writer(watch->loop, watch->fd);
    watch->registered &= ~events;
}

/* A forked child that keeps its readers (LOOP_REINIT_KEEP_IO) would take from the
 * parent's connections: it watches them no more. */
static inline void coloop_watch_deliver(coloop_watch_t *watch, int events) {
    if (watch->process != getpid()) {
        watch->wanted = 0;
        coloop_watch_remove(watch, COLOOP_WATCH_READ | COLOOP_WATCH_WRITE);
    } else if (events != 0) {
        watch->ready(watch->data, events);
    }
}

static inline void coloop_watch_on_readable(void *watch) {
    coloop_watch_deliver((coloop_watch_t *)watch, COLOOP_WATCH_READ);
}

static inline void coloop_watch_on_writable(void *watch) {
    coloop_watch_deliver((coloop_watch_t *)watch, COLOOP_WATCH_WRITE);
}

static inline void coloop_watch_again(void *data);

/* Registers what is wanted and not registered yet. Where the loop cannot (no
 * memory, no descriptors, a closed one), a timer makes up for it: the library is
 * told that the descriptor is ready, tries, and meets the error itself. */
static inline int coloop_watch_add(coloop_watch_t *watch) {
    int code, failed = 0;
    if (watch->wanted & ~watch->registered & COLOOP_WATCH_READ) {
        code = loop_add_reader(watch->loop, watch->fd, coloop_watch_on_readable, watch, NULL);
        if (code < 0)
            failed = code;
        else
            watch->registered |= COLOOP_WATCH_READ;
    }
    if (watch->wanted & ~watch->registered & COLOOP_WATCH_WRITE) {
        code = loop_add_writer(watch->loop, watch->fd, coloop_watch_on_writable, watch, NULL);
        if (code < 0)
            failed = code;
        else
            watch->registered |= COLOOP_WATCH_WRITE;
    }
    if (failed == 0 || watch->retry != 0)
        return 0;
    return loop_call_later(watch->loop, COLOOP_WATCH_RETRY_NS, coloop_watch_again, watch, NULL, &watch->retry) < 0
               ? failed
               : 0;
}

static inline void coloop_watch_again(void *data) {
    coloop_watch_t *watch = (coloop_watch_t *)data;
    int missing = watch->wanted & ~watch->registered;
    watch->retry = 0;
    coloop_watch_add(watch);
    coloop_watch_deliver(watch, missing);
}

/* From now on `events` of `fd` are watched, and nothing else. 0, or the error
 * of a descriptor that can neither be watched nor tried again later. */
static inline int coloop_watch_set(coloop_watch_t *watch, int fd, int events) {
    if (watch->fd != fd)
        coloop_watch_remove(watch, COLOOP_WATCH_READ | COLOOP_WATCH_WRITE);
    watch->fd = fd;
    watch->wanted = events;
    coloop_watch_remove(watch, ~events);
    if (watch->retry != 0 && (events & ~watch->registered) == 0) {
        loop_handle_cancel(watch->loop, watch->retry);
        watch->retry = 0;
    }
    return coloop_watch_add(watch);
}

/* Ends the watch; nothing is delivered any more. Before the descriptor is closed. */
static inline void coloop_watch_end(coloop_watch_t *watch) {
    coloop_watch_set(watch, watch->fd, 0);
}

#ifdef __cplusplus
}
#endif
#endif
