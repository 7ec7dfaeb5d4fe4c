/* Transports, sockets and servers when memory fails at any moment: an error code
 * or success, everything destroyed once, no descriptor left open. */
#include "failing_memory.h"
#include "net.h"

static loop_t *loop;
static int given, destroyed;

static void shaky_turns(int turns) {
    while (turns-- > 0)
        CHECK_NO_MEMORY(loop_run_once(loop, 0));
}

static void begin(void) {
    loop = loop_new();
    CHECK(loop != NULL);
    given = destroyed = 0;
}

static void end(void) {
    int ran = 0;
    memory_is_back();
    for (int i = 0; i < 6; i++)
        CHECK(loop_run_once(loop, 0) >= 0);
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    while (ran == 0)
        CHECK(loop_run_once(loop, 0) >= 0);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
    CHECK_INT(destroyed, given);
}

static void *given_data(void) {
    given++;
    return &destroyed;
}

static void pair_of(int pair[2]) {
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static const char many[300000];

static void writes(void) {
    struct books books = {0};
    loop_transport_t *transport = NULL;
    int pair[2];
    size_t accepted = 0, waiting = 0, before, got = 0;
    char bytes[65536];
    begin();
    pair_of(pair);
    memory_fails();
    int result = loop_connect_accepted_socket(loop, pair[0], &books_protocol, &books,
                                              books_destroy, &transport);
    CHECK_NO_MEMORY(result);
    shaky_turns(2);
    if (result == 0) {
        for (int i = 0; i < 4; i++) {
            CHECK_INT(loop_transport_get_write_buffer_size(transport, &before), 0);
            result = loop_transport_write(transport, many, sizeof many / (i + 1));
            CHECK_NO_MEMORY(result);
            CHECK_INT(loop_transport_get_write_buffer_size(transport, &waiting), 0);
            if (result == 0)
                accepted += sizeof many / (i + 1);
            else if (!loop_transport_is_closing(transport))
                CHECK_INT(waiting, before); /* a failed call changes nothing */
            /* Sent in part, so that nothing can follow. */
            if (loop_transport_is_closing(transport))
                break;
        }
    }
    shaky_turns(2);
    memory_is_back();
    for (int i = 0; i < 200; i++) {
        CHECK(loop_run_once(loop, 0) >= 0);
        ssize_t now = read(pair[1], bytes, sizeof bytes);
        got += now > 0 ? (size_t)now : 0;
    }
    if (transport != NULL && !books.lost && !memory_failed())
        CHECK_INT(got, accepted);
    CHECK(got >= accepted || books.lost || memory_failed());
    if (transport != NULL)
        loop_transport_close(transport);
    for (int i = 0; i < 3; i++)
        CHECK(loop_run_once(loop, 0) >= 0);
    if (transport == NULL)
        close(pair[0]);
    CHECK_INT(books.destroyed, 1);
    CHECK_INT(books.made, books.lost);
    loop_transport_unref(transport);
    close(pair[1]);
    end();
}

TEST(a_write_without_memory_keeps_all_or_nothing) {
    sweep(writes);
}

static void echoes(void) {
    struct books books = {.echoes = 0};
    loop_transport_t *transport = NULL;
    int pair[2];
    char bytes[64];
    begin();
    pair_of(pair);
    CHECK_INT(write(pair[1], "hello", 5), 5);
    memory_fails();
    int result = loop_connect_accepted_socket(loop, pair[0], &books_protocol, &books,
                                              books_destroy, &transport);
    CHECK_NO_MEMORY(result);
    shaky_turns(4);
    if (result == 0) {
        result = loop_transport_pause_reading(transport);
        if (!books.lost)
            CHECK_NO_MEMORY(result);
        result = loop_transport_resume_reading(transport);
        if (!books.lost)
            CHECK_NO_MEMORY(result);
        CHECK_NO_MEMORY(loop_transport_fail(transport, -EPIPE, "over"));
    }
    shaky_turns(3);
    memory_is_back();
    for (int i = 0; i < 4; i++)
        CHECK(loop_run_once(loop, 0) >= 0);
    if (transport == NULL)
        close(pair[0]);
    CHECK_INT(books.destroyed, 1);
    (void)!read(pair[1], bytes, sizeof bytes);
    loop_transport_unref(transport);
    close(pair[1]);
    end();
}

TEST(a_transport_without_memory_is_refused_or_lost_once) {
    sweep(echoes);
}

static void accepts(void) {
    struct shelf shelf = {0};
    begin();
    loop_server_t *server = serve(loop, &shelf);
    int client = dial(server_port(server, 0));
    memory_fails();
    shaky_turns(5);
    memory_is_back();
    shelf.server = NULL;
    for (int i = 0; i < 5; i++)
        CHECK(loop_run_once(loop, 0) >= 0);
    loop_future_t *closed = NULL;
    memory_fails();
    CHECK_INT(loop_server_close(server), 0);
    CHECK_NO_MEMORY(loop_server_wait_closed(server, &closed));
    memory_is_back();
    CHECK_INT(loop_server_abort_clients(server), 0);
    for (int i = 0; i < 5; i++)
        CHECK(loop_run_once(loop, 0) >= 0);
    if (closed != NULL)
        CHECK_INT(loop_future_done(closed), 1);
    loop_future_unref(closed);
    CHECK_INT(shelf_made(&shelf), shelf_lost(&shelf));
    loop_server_unref(server);
    close(client);
    end();
    CHECK_INT(shelf.destroyed, 1);
}

static void quiet(loop_t *self, const loop_exception_context_t *context, void *data) {
    (void)self, (void)context, (void)data;
}

TEST(accepting_without_memory_goes_on_afterwards) {
    sweep(accepts);
}

static void serves(void) {
    struct shelf shelf = {0};
    loop_server_options_t options = server_options("127.0.0.1");
    loop_future_t *future = NULL;
    begin();
    CHECK_INT(loop_set_exception_handler(loop, quiet, NULL, NULL), 0);
    memory_fails();
    CHECK_NO_MEMORY(loop_create_server(loop, &options, shelf_factory, &shelf, shelf_destroy,
                                       &future));
    shaky_turns(6);
    memory_is_back();
    if (future != NULL) {
        int code = end_code(loop, loop_future_ref(future));
        /* The resolver has a code of its own for this. */
        CHECK(code == 0 || (memory_failed() && (code == -ENOMEM || code == LOOP_EAI_MEMORY)));
    }
    loop_future_unref(future);
    end();
    CHECK_INT(shelf.destroyed, 1);
}

TEST(a_server_without_memory_is_refused_or_serves) {
    sweep(serves);
}

static void connects(void) {
    struct books books = {0};
    loop_connection_options_t options = {.size = sizeof options, .host = "127.0.0.1"};
    loop_future_t *future = NULL;
    unsigned short port;
    int listener = listening(8, &port);
    options.port = port;
    begin();
    memory_fails();
    CHECK_NO_MEMORY(loop_create_connection(loop, &options, &books_protocol, &books,
                                           books_destroy, &future));
    shaky_turns(6);
    memory_is_back();
    if (future != NULL) {
        int code = end_code(loop, loop_future_ref(future));
        CHECK(code == 0 || (memory_failed() && (code == -ENOMEM || code == LOOP_EAI_MEMORY)));
    }
    loop_future_unref(future);
    close(listener);
    end();
    CHECK_INT(books.destroyed, 1);
}

TEST(a_connection_without_memory_is_refused_or_fails_or_comes) {
    sweep(connects);
}

static void sockets(void) {
    loop_future_t *futures[3] = {NULL, NULL, NULL};
    int pair[2];
    begin();
    pair_of(pair);
    memory_fails();
    CHECK_NO_MEMORY(loop_sock_recv(loop, pair[0], 100, &futures[0]));
    CHECK_NO_MEMORY(loop_sock_sendall(loop, pair[1], "hello", 5, given_data(), count,
                                      &futures[1]));
    shaky_turns(3);
    CHECK_NO_MEMORY(loop_sock_sendall(loop, pair[0], many, sizeof many, given_data(), count,
                                      &futures[2]));
    shaky_turns(3);
    memory_is_back();
    for (int i = 0; i < 3; i++)
        CHECK(loop_run_once(loop, 0) >= 0);
    for (int i = 0; i < 3; i++) {
        if (futures[i] != NULL && loop_future_done(futures[i]) == 0)
            CHECK_INT(loop_future_cancel(futures[i], NULL), 1);
        loop_future_unref(futures[i]);
    }
    close(pair[0]);
    close(pair[1]);
    end();
}

TEST(sockets_without_memory_refuse_or_fail) {
    sweep(sockets);
}
