/* SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * A loop inside a GLib main context, as a GSource.
 *
 *     GSource *source = coloop_glib_source_new(loop);
 *     g_source_attach(source, NULL);
 *     g_main_loop_run(main_loop);
 *     g_source_destroy(source);
 *     g_source_unref(source);
 *
 * Whenever the context iterates, the loop makes a turn if one is due: I/O,
 * timers, posts from any thread, and what the host's own callbacks schedule.
 * While nothing is, the context sleeps. Timers are never early, and as precise as
 * in a loop that runs by itself.
 *
 * Inside a coloop callback loop_get_running is the loop. A callback that iterates
 * the context itself (a modal dialog) gets GLib's other sources only: no loop
 * makes a turn before it returns. loop_stop and loop_interrupt end a turn, as in
 * loop_run_once: when to leave g_main_loop_run is the host's choice.
 *
 * C99 and C++. Link with glib-2.0 (pkg-config). */
#ifndef COLOOP_ADAPTERS_GLIB_H
#define COLOOP_ADAPTERS_GLIB_H

#include "host.h"
#include <glib.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct coloop_glib_source_t {
    GSource source;
    coloop_host_t host;
    gpointer watch; /* GLib's tag of `fd`, or NULL */
    int fd;
} coloop_glib_source_t;

/* GLib polls the number it was given: it must be the loop's present one. */
static inline void coloop_glib_watch(coloop_glib_source_t *self) {
    if (self->fd == self->host.fd)
        return;
    if (self->watch != NULL)
        g_source_remove_unix_fd(&self->source, self->watch);
    self->watch = NULL;
    self->fd = self->host.fd;
    if (self->fd >= 0)
        self->watch = g_source_add_unix_fd(&self->source, self->fd, G_IO_IN);
}

static inline gboolean coloop_glib_prepare(GSource *source, gint *timeout) {
    coloop_glib_source_t *self = (coloop_glib_source_t *)source;
    int due = coloop_host_prepare(&self->host);
    coloop_glib_watch(self);
    *timeout = self->host.timeout_ms;
    /* Only dispatching can end a source: so also where there is no loop left. */
    return due != 0;
}

static inline gboolean coloop_glib_check(GSource *source) {
    coloop_glib_source_t *self = (coloop_glib_source_t *)source;
    if (self->watch != NULL && g_source_query_unix_fd(source, self->watch) != 0)
        return TRUE;
    return coloop_host_due(&self->host);
}

static inline gboolean coloop_glib_dispatch(GSource *source, GSourceFunc callback, gpointer data) {
    coloop_glib_source_t *self = (coloop_glib_source_t *)source;
    (void)callback, (void)data;
    return coloop_host_turn(&self->host) == 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static inline void coloop_glib_finalize(GSource *source) {
    loop_unref(((coloop_glib_source_t *)source)->host.loop);
}

/** A source that drives `loop`, with one reference, the caller's: attach it to
 * the main context of the thread that shall run the loop, and give the reference
 * back by g_source_unref. It holds a reference to the loop. NULL for NULL. Where
 * GLib has no memory, it ends the process. [any thread]
 *
 * g_source_destroy ends it and leaves the loop open; a loop that is closed ends
 * it, too, when the context next iterates. Either may come first, in callbacks
 * of both. One source a loop.
 *
 * In a forked child a context that iterates drops the source, unless
 * loop_reinit_after_fork came before. GLib's own rules for forked children
 * hold. */
static inline GSource *coloop_glib_source_new(loop_t *loop) {
    static GSourceFuncs functions = {coloop_glib_prepare, coloop_glib_check, coloop_glib_dispatch,
                                     coloop_glib_finalize, NULL, NULL};
    GSource *source;
    coloop_glib_source_t *self;
    if (loop == NULL)
        return NULL;
    source = g_source_new(&functions, sizeof(coloop_glib_source_t));
    self = (coloop_glib_source_t *)source;
    self->host.loop = loop_ref(loop);
    self->fd = -1;
    g_source_set_name(source, "coloop");
    /* While a callback of ours iterates the context, it is enough that
     * `prepare` says so; GLib's way of blocking a source costs three system
     * calls for each turn. */
    g_source_set_can_recurse(source, TRUE);
    return source;
}

#ifdef __cplusplus
}
#endif

#endif
