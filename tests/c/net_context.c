/* Servers, connections and endpoints in the host's contexts; names in forked
 * children. */
#include "child.h"
#include "names.h"
#include "net.h"

static int current;

static void *capture(void *data) {
    (void)data;
    return (void *)(intptr_t)current;
}

static void enter(void *context, void *data) {
    (void)data;
    CHECK_INT(current, 0);
    current = (int)(intptr_t)context;
}

static void leave(void *context, void *data) {
    (void)data;
    CHECK_INT(current, (int)(intptr_t)context);
    current = 0;
}

static const loop_context_hooks_t hooks = {
    .size = sizeof hooks, .capture = capture, .enter = enter, .exit = leave};

static int seen;

static void see_transport(loop_transport_t *transport, void *data) {
    (void)transport, (void)data;
    seen = seen * 10 + current;
}

static void see_stream(loop_transport_t *transport, const void *bytes, size_t length, void *data) {
    (void)bytes, (void)length;
    see_transport(transport, data);
}

static void see_datagram(loop_transport_t *transport, const void *bytes, size_t length,
                         const void *address, size_t address_length, void *data) {
    (void)bytes, (void)length, (void)address, (void)address_length;
    see_transport(transport, data);
}

static const loop_protocol_t stream_protocol = {
    .size = sizeof stream_protocol, .connection_made = see_transport, .data_received = see_stream};

static const loop_datagram_protocol_t datagram_protocol = {.size = sizeof datagram_protocol,
                                                           .connection_made = see_transport,
                                                           .datagram_received = see_datagram};

static int make_protocol(loop_t *loop, void *data, const loop_protocol_t **protocol,
                         void **user_data, loop_destroy_t *destroy) {
    (void)loop, (void)data, (void)user_data, (void)destroy;
    seen = seen * 10 + current;
    *protocol = &stream_protocol;
    return 0;
}

TEST(what_is_made_for_a_protocol_calls_it_in_the_context_of_its_maker) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    void *result;
    unsigned short port;
    CHECK_INT(loop_set_context_hooks(loop, &hooks, NULL, NULL), 0);

    /* A server: the factory and the connections in the context of 3. */
    loop_server_options_t options = server_options("127.0.0.1");
    current = 3;
    CHECK_INT(loop_create_server(loop, &options, make_protocol, NULL, NULL, &future), 0);
    current = 0;
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    CHECK_INT(loop_future_result(future, &result), 0);
    int client = dial(server_port(result, 0));
    CHECK_INT(write(client, "x", 1), 1);
    RUN_UNTIL(loop, seen >= 100);
    CHECK_INT(seen, 333);
    loop_future_unref(future);
    close(client);

    /* A connection that takes several steps: the context of 4. */
    int listener = listening(5, &port);
    name_addresses("127.0.0.2", "127.0.0.1");
    loop_connection_options_t to = {.size = sizeof to, .host = TEST_NAME, .port = port};
    seen = 0, current = 4;
    CHECK_INT(loop_create_connection(loop, &to, &stream_protocol, NULL, NULL, &future), 0);
    current = 0;
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    client = accept(listener, NULL, NULL);
    CHECK_INT(write(client, "x", 1), 1);
    RUN_UNTIL(loop, seen >= 10);
    CHECK_INT(seen, 44);
    loop_future_unref(future);
    close(client), close(listener);

    /* Datagrams: the context of 5. */
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    loop_datagram_options_t datagrams = {.size = sizeof datagrams, .fd = &pair[0]};
    seen = 0, current = 5;
    CHECK_INT(loop_create_datagram_endpoint(loop, &datagrams, &datagram_protocol, NULL, NULL,
                                            &future), 0);
    current = 0;
    CHECK_INT(send(pair[1], "x", 1, 0), 1);
    RUN_UNTIL(loop, seen >= 10);
    CHECK_INT(seen, 55);
    loop_future_unref(future);
    close(pair[1]);
    end_lookups(loop);
    loop_unref(loop);
}

struct lookup {
    loop_t *loop;
    loop_future_t *future;
    struct books *books;
};

static void close_during_lookup(void *data) {
    struct lookup *lookup = data;
    CHECK_INT(loop_close(lookup->loop), 0);
    CHECK_INT(lookup->books->destroyed, 1);
    loop_future_unref(lookup->future);
    loop_unref(lookup->loop);
    leave_child(0);
}

static void reinit_during_lookup(void *data) {
    struct lookup *lookup = data;
    CHECK_INT(loop_reinit_after_fork(lookup->loop, 0), 0);
    CHECK_INT(loop_future_cancelled(lookup->future), 1);
    CHECK_INT(lookup->books->destroyed, 1);
    loop_future_unref(lookup->future);
    loop_unref(lookup->loop);
    leave_child(0);
}

TEST(a_child_made_during_a_lookup_lets_go_and_the_parent_connects) {
    loop_t *loop = loop_new();
    unsigned short port;
    int listener = listening(5, &port);
    struct books books = {.loop = loop};
    loop_future_t *future;
    name_addresses_slowly(200 * MS);
    loop_connection_options_t to = {.size = sizeof to, .host = TEST_NAME, .port = port};
    CHECK_INT(loop_create_connection(loop, &to, &books_protocol, &books, books_destroy, &future),
              0);
    CHECK(loop_run_once(loop, 5 * MS) >= 0);
    CHECK_INT(loop_future_done(future), 0);
    struct lookup lookup = {loop, future, &books};
    CHECK_INT(in_child(close_during_lookup, &lookup), 0);
    CHECK_INT(in_child(reinit_during_lookup, &lookup), 0);
    CHECK_INT(end_code(loop, future), 0);
    CHECK_INT(books.made, 1);
    close(listener);
    end_lookups(loop);
    loop_unref(loop);
    CHECK_INT(books.destroyed, 1);
}
