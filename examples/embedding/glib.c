/* A GLib program whose main loop drives a coloop loop as well: a server of the
 * one, a timer of the other, and a post from a thread, all in one thread's loop.
 *
 * Output:
 * serving
 * the client got: hello
 * GLib's timer
 * a thread posted
 */
#include "coloop/adapters/glib.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static GMainLoop *main_loop;
static loop_t *loop;

static void require(int code, const char *what) {
    if (code < 0) {
        fprintf(stderr, "%s: %s\n", what, loop_last_error());
        exit(1);
    }
}

/* The server sends back what it receives. */
static void echo(loop_transport_t *transport, const void *data, size_t length, void *unused) {
    (void)unused;
    require(loop_transport_write(transport, data, length), "write");
}

static int make_echo(loop_t *loop, void *unused, const loop_protocol_t **ret_protocol,
                     void **ret_user_data, loop_destroy_t *ret_destroy) {
    static const loop_protocol_t protocol = {.size = sizeof protocol, .data_received = echo};
    (void)loop, (void)unused, (void)ret_user_data, (void)ret_destroy;
    *ret_protocol = &protocol;
    return 0;
}

/* The last step: posted by the thread, run in the main loop. */
static void posted(void *unused) {
    (void)unused;
    puts("a thread posted");
    g_main_loop_quit(main_loop); /* loop_stop would end the turn and no more */
}

static void *post(void *unused) {
    (void)unused;
    require(loop_call_soon_threadsafe(loop, posted, NULL, NULL, NULL), "call_soon_threadsafe");
    return NULL;
}

static gboolean on_timer(gpointer thread) {
    puts("GLib's timer");
    if (pthread_create(thread, NULL, post, NULL) != 0)
        exit(1);
    return G_SOURCE_REMOVE;
}

/* The client greets and closes when it has its answer. */
static void greet(loop_transport_t *transport, void *unused) {
    (void)unused;
    require(loop_transport_write(transport, "hello", 5), "write");
}

static void answered(loop_transport_t *transport, const void *data, size_t length, void *thread) {
    printf("the client got: %.*s\n", (int)length, (const char *)data);
    require(loop_transport_close(transport), "close");
    g_timeout_add(10, on_timer, thread);
}

static void serving(loop_future_t *future, void *thread) {
    static const loop_protocol_t client = {
        .size = sizeof client, .connection_made = greet, .data_received = answered};
    void *server = NULL;
    struct sockaddr_in address;
    loop_future_t *connecting = NULL;
    require(loop_future_result(future, &server), "create_server");
    require(loop_server_get_address(server, 0, &address, sizeof address), "get_address");
    puts("serving");
    loop_connection_options_t options = {
        .size = sizeof options, .host = "127.0.0.1", .port = ntohs(address.sin_port)};
    require(loop_create_connection(loop, &options, &client, thread, NULL, &connecting), "connect");
    loop_future_unref(connecting);
}

int main(void) {
    pthread_t thread;
    loop_future_t *starting = NULL;
    loop_server_options_t options = {.size = sizeof options, .host = "127.0.0.1"};
    loop = loop_new();
    main_loop = g_main_loop_new(NULL, FALSE);
    GSource *source = coloop_glib_source_new(loop);
    g_source_attach(source, NULL);

    require(loop_create_server(loop, &options, make_echo, NULL, NULL, &starting), "create_server");
    require(loop_future_add_done_callback(starting, serving, &thread, NULL), "add_done_callback");
    g_main_loop_run(main_loop);

    pthread_join(thread, NULL);
    loop_future_unref(starting);
    g_source_destroy(source);
    g_source_unref(source);
    loop_unref(loop); /* closes the server and what is left */
    g_main_loop_unref(main_loop);
}
