/* A GLib main loop with a context of its own. */
#include "coloop/adapters/glib.h"
#include "hosts.h"

struct glib_state {
    GMainContext *context;
    GMainLoop *main_loop;
};

/* GLib's poll function gets no data. */
static struct host *counted;

static gint count_polls(GPollFD *fds, guint count, gint timeout) {
    counted->waits++;
    return g_poll(fds, count, timeout);
}

static void glib_open(struct host *host) {
    struct glib_state *state = calloc(1, sizeof *state);
    state->context = g_main_context_new();
    state->main_loop = g_main_loop_new(state->context, FALSE);
    counted = host;
    g_main_context_set_poll_func(state->context, count_polls);
    host->state = state;
}

static void glib_close(struct host *host) {
    struct glib_state *state = host->state;
    g_main_loop_unref(state->main_loop);
    g_main_context_unref(state->context);
    free(state);
}

static void *glib_embed(struct host *host, loop_t *loop) {
    GSource *source = coloop_glib_source_new(loop);
    CHECK(g_source_attach(source, ((struct glib_state *)host->state)->context) != 0);
    return source;
}

static void glib_release(struct host *host, void *embedded) {
    (void)host;
    g_source_destroy(embedded);
    g_source_unref(embedded);
}

static void glib_run(struct host *host) {
    g_main_loop_run(((struct glib_state *)host->state)->main_loop);
}

static void glib_quit(struct host *host) {
    g_main_loop_quit(((struct glib_state *)host->state)->main_loop);
}

static void glib_iterate(struct host *host, int may_wait) {
    g_main_context_iteration(((struct glib_state *)host->state)->context, may_wait);
}

struct glib_call {
    loop_callback_t callback;
    void *data;
};

static gboolean glib_called(gpointer data) {
    struct glib_call *call = data;
    call->callback(call->data);
    return G_SOURCE_REMOVE;
}

static void glib_call_later(struct host *host, int milliseconds, loop_callback_t callback,
                            void *data) {
    GSource *timer = g_timeout_source_new((guint)milliseconds);
    struct glib_call *call = g_new(struct glib_call, 1);
    *call = (struct glib_call){callback, data};
    g_source_set_callback(timer, glib_called, call, g_free);
    g_source_attach(timer, ((struct glib_state *)host->state)->context);
    g_source_unref(timer);
}

static void glib_after_fork(struct host *host) {
    (void)host; /* GLib has nothing for that. */
}

const struct host_kind glib_kind = {
    glib_open, glib_close,   glib_embed,      glib_release,    glib_run,
    glib_quit, glib_iterate, glib_call_later, glib_after_fork,
};
