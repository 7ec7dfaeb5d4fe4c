/* Iterating a GLib context inside a callback: a modal dialog. */
#include "../c/child.h"
#include "hosts.h"

struct dialog {
    struct host *host, *other;
    int host_calls, loop_calls, open, closed;
};

static void host_called(void *data) {
    ((struct dialog *)data)->host_calls++;
}

static void loop_called(void *data) {
    struct dialog *dialog = data;
    CHECK_INT(dialog->open, 0); /* never inside another callback */
    dialog->loop_calls++;
}

static void show_dialog(void *data) {
    struct dialog *dialog = data;
    dialog->open = 1;
    CHECK_INT(loop_call_soon(dialog->host->loop, loop_called, dialog, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(dialog->host->loop, loop_called, dialog, NULL, NULL), 0);
    CHECK_INT(loop_call_later(dialog->host->loop, 0, loop_called, dialog, NULL, NULL), 0);
    dialog->host->kind->call_later(dialog->host, 50, host_called, dialog);
    dialog->host->waits = 0;
    HOST_UNTIL(dialog->host, dialog->host_calls == 1);
    /* Although the loop has much to do, which must wait: no busy waiting. */
    CHECK(dialog->host->waits <= 6);
    dialog->open = 0;
    dialog->closed = 1;
}

TEST(glib_a_callback_that_iterates_the_context_gets_only_other_sources) {
    struct host host;
    host_open(&host, &glib_kind);
    struct dialog dialog = {.host = &host};
    CHECK_INT(loop_call_soon(host.loop, show_dialog, &dialog, NULL, NULL), 0);
    HOST_UNTIL(&host, dialog.loop_calls == 3);
    CHECK_INT(dialog.closed, 1);
    /* And posts wake the host as before. */
    CHECK_INT(loop_call_soon_threadsafe(host.loop, loop_called, &dialog, NULL, NULL), 0);
    HOST_UNTIL(&host, dialog.loop_calls == 4);
    host_close(&host);
}

/* The second loop of the context is ready all the time and must wait, too. */
TEST(glib_a_callback_that_iterates_the_context_gets_no_other_loop) {
    struct host host;
    host_open(&host, &glib_kind);
    struct dialog dialog = {.host = &host};
    loop_t *second = loop_new();
    int ran = 0;
    void *embedded = host.kind->embed(&host, second);
    host.kind->iterate(&host, 0);
    CHECK_INT(loop_call_soon(host.loop, show_dialog, &dialog, NULL, NULL), 0);
    CHECK_INT(loop_call_later(second, 5 * MS, count, &ran, NULL, NULL), 0);
    HOST_UNTIL(&host, dialog.loop_calls == 3 && ran == 1);
    host.kind->release(&host, embedded);
    loop_unref(second);
    host_close(&host);
}

/* In a callback of GLib's own, an inner iteration drives the loop as always. */
static void iterate_inside(void *data) {
    struct dialog *dialog = data;
    CHECK_INT(loop_call_soon(dialog->host->loop, loop_called, dialog, NULL, NULL), 0);
    HOST_UNTIL(dialog->host, dialog->loop_calls == 1);
    host_quit(dialog->host);
}

TEST(glib_a_host_callback_that_iterates_the_context_drives_the_loop) {
    struct host host;
    host_open(&host, &glib_kind);
    struct dialog dialog = {.host = &host};
    host.kind->call_later(&host, 1, iterate_inside, &dialog);
    host_run(&host);
    CHECK_INT(dialog.loop_calls, 1);
    host_close(&host);
}
