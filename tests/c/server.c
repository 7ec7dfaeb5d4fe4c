/* Servers: what they accept, when, and how they end. */
#include "child.h"
#include "net.h"
#include <ctype.h>

TEST(a_server_gives_each_connection_a_protocol_of_its_own) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_server_t *server = serve(loop, &shelf);
    CHECK_INT(loop_server_is_serving(server), 1);
    CHECK(loop_server_get_loop(server) == loop);
    shelf.books[0].echoes = shelf.books[1].echoes = 1;
    int clients[2] = {dial(server_port(server, 0)), dial(server_port(server, 0))};
    char answer[8] = {0};
    for (int i = 0; i < 2; i++)
        CHECK_INT(write(clients[i], i == 0 ? "one" : "two", 3), 3);
    RUN_UNTIL(loop, shelf.books[0].length == 3 && shelf.books[1].length == 3);
    CHECK_INT(shelf.used, 2);
    CHECK_STR(shelf.books[0].data, "one");
    CHECK_INT(read(clients[1], answer, sizeof answer), 3);
    CHECK_STR(answer, "two");
    CHECK_INT(read(clients[0], answer, sizeof answer), 3);
    close(clients[0]);
    RUN_UNTIL(loop, shelf.books[0].destroyed == 1);
    CHECK_INT(shelf.books[0].eof, 1);
    CHECK_INT(shelf.books[0].lost, 1);
    CHECK_INT(shelf.books[0].lost_code, 0);
    CHECK_INT(shelf.books[1].lost, 0);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(shelf.destroyed, 1);
    close(clients[1]);
    RUN_UNTIL(loop, shelf.books[1].destroyed == 1);
    loop_server_unref(server);
    loop_unref(loop);
    CHECK_INT(shelf.destroyed, 1);
}

TEST(a_closed_server_stops_listening_at_once_and_its_connections_go_on) {
    loop_t *loop = loop_new();
    struct shelf shelf = {.books[0].echoes = 1};
    loop_server_t *server = serve(loop, &shelf);
    unsigned short port = server_port(server, 0);
    int client = dial(port), number = -1, again;
    RUN_UNTIL(loop, shelf.books[0].made == 1);
    CHECK_INT(loop_server_get_sockets(server, &number, 1), 1);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(fcntl(number, F_GETFD), -1);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(loop_server_is_serving(server), 0);
    CHECK_INT(loop_server_get_sockets(server, NULL, 0), 0);
    CHECK_INT(loop_server_get_address(server, 0, NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_server_start_serving(server), LOOP_EINVALID_STATE);
    /* The number is free for other things. */
    again = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(again, number);
    struct sockaddr_in address = loopback(port);
    CHECK_INT(connect(again, (struct sockaddr *)&address, sizeof address), -1);
    CHECK_INT(errno, ECONNREFUSED);
    close(again);
    CHECK_INT(write(client, "!", 1), 1);
    RUN_UNTIL(loop, shelf.books[0].length == 1);
    CHECK(readable(client));
    close(client);
    RUN_UNTIL(loop, shelf.books[0].destroyed == 1);
    loop_server_unref(server);
    loop_unref(loop);
}

TEST(wait_closed_ends_when_the_server_is_closed_and_the_last_connection_is_gone) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_server_t *server = serve(loop, &shelf);
    loop_future_t *waits[3];
    int client = dial(server_port(server, 0));
    RUN_UNTIL(loop, shelf.books[0].made == 1);
    CHECK_INT(loop_server_wait_closed(server, &waits[0]), 0);
    CHECK_INT(loop_server_wait_closed(server, &waits[1]), 0);
    CHECK_INT(loop_run_once(loop, 0) >= 0, 1);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(loop_server_wait_closed(server, &waits[2]), 0);
    CHECK_INT(loop_future_cancel(waits[1], NULL), 1);
    for (int i = 0; i < 5; i++)
        CHECK(loop_run_once(loop, 0) >= 0);
    CHECK_INT(loop_future_done(waits[0]), 0);
    close(client);
    CHECK_INT(end_code(loop, waits[0]), 0);
    CHECK_INT(shelf.books[0].lost, 1);
    CHECK_INT(end_code(loop, waits[1]), LOOP_ECANCELLED);
    CHECK_INT(end_code(loop, waits[2]), 0);
    CHECK_INT(loop_server_wait_closed(server, &waits[0]), 0);
    CHECK_INT(loop_future_done(waits[0]), 1);
    loop_future_unref(waits[0]);
    loop_server_unref(server);
    loop_unref(loop);
}

TEST(clients_are_closed_or_aborted_together) {
    for (int aborts = 0; aborts <= 1; aborts++) {
        loop_t *loop = loop_new();
        struct shelf shelf = {0};
        loop_server_t *server = serve(loop, &shelf);
        loop_future_t *wait;
        int clients[3];
        for (int i = 0; i < 3; i++)
            clients[i] = dial(server_port(server, 0));
        RUN_UNTIL(loop, shelf_made(&shelf) == 3);
        CHECK_INT(loop_server_wait_closed(server, &wait), 0);
        CHECK_INT(loop_server_close(server), 0);
        if (aborts)
            CHECK_INT(loop_server_abort_clients(server), 0);
        else
            CHECK_INT(loop_server_close_clients(server), 0);
        CHECK_INT(end_code(loop, wait), 0);
        CHECK_INT(shelf_lost(&shelf), 3);
        for (int i = 0; i < 3; i++) {
            CHECK(readable(clients[i]));
            close(clients[i]);
        }
        CHECK_INT(loop_server_close_clients(server), 0);
        loop_server_unref(server);
        loop_unref(loop);
    }
}

TEST(serve_forever_ends_as_cancelled_when_the_connections_are_gone) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_server_options_t options = server_options("127.0.0.1");
    options.flags = LOOP_SERVER_DEFERRED;
    loop_server_t *server = served(loop, &options, &shelf);
    CHECK_INT(loop_server_is_serving(server), 0);
    loop_future_t *forever, *second = NULL;
    CHECK_INT(loop_server_serve_forever(server, &forever), 0);
    CHECK_INT(loop_server_is_serving(server), 1);
    CHECK_INT(loop_server_serve_forever(server, &second), LOOP_EINVALID_STATE);
    CHECK(second == NULL);
    int client = dial(server_port(server, 0));
    RUN_UNTIL(loop, shelf.books[0].made == 1);
    CHECK_INT(loop_future_cancel(forever, "enough"), 1);
    CHECK_INT(loop_server_is_serving(server), 0);
    CHECK_INT(loop_future_done(forever), 0);
    close(client);
    RUN_UNTIL(loop, loop_future_done(forever) == 1);
    CHECK_INT(shelf.books[0].lost, 1);
    CHECK_INT(loop_future_result(forever, NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "enough");
    loop_future_unref(forever);
    CHECK_INT(loop_server_serve_forever(server, &second), LOOP_EINVALID_STATE);
    loop_server_unref(server);

    /* Closing the server does the same; a second cancel does not wait. */
    struct shelf other = {0};
    server = serve(loop, &other);
    CHECK_INT(loop_server_serve_forever(server, &forever), 0);
    client = dial(server_port(server, 0));
    RUN_UNTIL(loop, other.books[0].made == 1);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(loop_future_done(forever), 0);
    CHECK_INT(loop_future_cancel(forever, NULL), 1);
    CHECK_INT(loop_future_cancelled(forever), 1);
    loop_future_unref(forever);
    loop_server_unref(server);
    close(client);
    loop_unref(loop);
    CHECK_INT(other.books[0].destroyed, 1);
}

TEST(a_deferred_server_accepts_once_it_is_told_to) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_server_options_t options = server_options("127.0.0.1");
    options.flags = LOOP_SERVER_DEFERRED;
    loop_server_t *server = served(loop, &options, &shelf);
    struct sockaddr_in address = loopback(server_port(server, 0));
    int client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(connect(client, (struct sockaddr *)&address, sizeof address), -1);
    close(client);
    CHECK_INT(loop_server_start_serving(server), 0);
    CHECK_INT(loop_server_start_serving(server), 0);
    client = dial(server_port(server, 0));
    RUN_UNTIL(loop, shelf.books[0].made == 1);
    close(client);
    loop_server_unref(server);
    loop_unref(loop);
    CHECK_INT(shelf.destroyed, 1);
}

static int has_ipv6(void) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    int has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return has;
}

TEST(every_address_has_a_socket_of_its_own) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    const char *hosts[] = {"127.0.0.1", "::1", "127.0.0.1"};
    loop_server_options_t options = {
        .size = sizeof options, .hosts = hosts, .host_count = 3, .port = free_port()};
    loop_server_t *server = served(loop, &options, &shelf);
    int fds[4] = {-1, -1, -1, -1}, count = has_ipv6() ? 2 : 1;
    CHECK_INT(loop_server_get_sockets(server, fds, 4), count);
    for (int i = 0; i < count; i++) {
        CHECK_INT(server_port(server, (size_t)i), options.port);
        CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        CHECK(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
    }
    if (count == 2) {
        struct sockaddr_in6 address;
        CHECK_INT(loop_server_get_address(server, 1, &address, sizeof address), sizeof address);
        int client = socket(AF_INET6, SOCK_STREAM, 0);
        CHECK_INT(connect(client, (struct sockaddr *)&address, sizeof address), 0);
        RUN_UNTIL(loop, shelf.books[0].made == 1);
        close(client);
    }
    int client = dial(options.port);
    RUN_UNTIL(loop, shelf_made(&shelf) == count);
    close(client);
    CHECK_INT(loop_server_get_address(server, 7, NULL, 0), LOOP_EINVAL);
    loop_server_unref(server);

    /* All interfaces. */
    struct shelf all = {0};
    loop_server_options_t any = server_options(NULL);
    server = served(loop, &any, &all);
    CHECK(loop_server_get_sockets(server, NULL, 0) >= 1);
    loop_server_unref(server);
    loop_unref(loop);
}

TEST(servers_share_a_port_only_if_all_of_them_want_to) {
    loop_t *loop = loop_new();
    struct shelf shelves[2];
    memset(shelves, 0, sizeof shelves);
    loop_server_options_t options = server_options("127.0.0.1");
    options.flags = LOOP_SERVER_REUSE_PORT;
    loop_server_t *first = served(loop, &options, &shelves[0]);
    options.port = server_port(first, 0);
    loop_server_t *second = served(loop, &options, &shelves[1]);
    CHECK_INT(server_port(second, 0), options.port);
    int clients[32];
    for (int i = 0; i < 32; i++)
        clients[i] = dial(options.port);
    RUN_UNTIL(loop, shelf_made(&shelves[0]) + shelf_made(&shelves[1]) == 32);
    for (int i = 0; i < 32; i++)
        close(clients[i]);

    struct shelf third = {0};
    loop_future_t *future;
    options.flags = 0;
    CHECK_INT(loop_create_server(loop, &options, shelf_factory, &third, shelf_destroy, &future), 0);
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    CHECK_INT(loop_future_result(future, NULL), -EADDRINUSE);
    char expected[160], text[64];
    snprintf(text, sizeof text, "%s", loop_strerror(-EADDRINUSE));
    for (char *c = text; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    snprintf(expected, sizeof expected,
             "error while attempting to bind on address ('127.0.0.1', %d): "
             "[errno %d] %s", options.port, EADDRINUSE, text);
    CHECK_STR(loop_last_error(), expected);
    loop_future_unref(future);
    CHECK_INT(third.destroyed, 1);
    loop_server_unref(first);
    loop_server_unref(second);
    loop_unref(loop);
}

TEST(a_server_takes_over_sockets_that_the_host_has_made) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    unsigned short port;
    int before = open_fds();
    int fd = listening(5, &port);
    loop_server_options_t options = {.size = sizeof options, .fds = &fd, .fd_count = 1};
    loop_server_t *server = served(loop, &options, &shelf);
    CHECK_INT(server_port(server, 0), port);
    int client = dial(port);
    RUN_UNTIL(loop, shelf.books[0].made == 1);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(fcntl(fd, F_GETFD), -1);
    close(client);
    loop_server_unref(server);

    /* A call that fails leaves them to the host. */
    loop_future_t *future = NULL;
    int other = socket(AF_INET, SOCK_DGRAM, 0);
    options.fds = &other;
    CHECK_INT(loop_create_server(loop, &options, shelf_factory, &shelf, shelf_destroy, &future),
              LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "A Stream Socket was expected");
    close(other);
    CHECK_INT(loop_create_server(loop, &options, shelf_factory, &shelf, shelf_destroy, &future),
              -EBADF);
    options.port = 1;
    CHECK_INT(loop_create_server(loop, &options, shelf_factory, &shelf, shelf_destroy, &future),
              LOOP_EINVAL);
    fd = listening(5, &port);
    options = (loop_server_options_t){.size = sizeof options, .fds = &fd, .fd_count = 1};
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_create_server(loop, &options, shelf_factory, &shelf, shelf_destroy, &future),
              LOOP_ECLOSED);
    CHECK(future == NULL);
    CHECK_INT(shelf.destroyed, 5);
    CHECK_INT(close(fd), 0);
    loop_unref(loop);
    CHECK_INT(open_fds(), before);
}

TEST(what_cannot_be_a_server_is_refused_and_its_data_destroyed) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_future_t *future = NULL;
    loop_server_options_t options = server_options("127.0.0.1"), wrong;
    CHECK_INT(loop_create_server(NULL, &options, shelf_factory, &shelf, shelf_destroy, &future),
              LOOP_EINVAL);
    CHECK_INT(loop_create_server(loop, NULL, shelf_factory, &shelf, shelf_destroy, &future),
              LOOP_EINVAL);
    CHECK_INT(loop_create_server(loop, &options, NULL, &shelf, shelf_destroy, &future), LOOP_EINVAL);
    CHECK_INT(loop_create_server(loop, &options, shelf_factory, &shelf, shelf_destroy, NULL),
              LOOP_EINVAL);
    wrong = options, wrong.size = 3;
    CHECK_INT(loop_create_server(loop, &wrong, shelf_factory, &shelf, shelf_destroy, &future),
              LOOP_EINVAL);
    wrong = options, wrong.flags = 1u << 30;
    CHECK_INT(loop_create_server(loop, &wrong, shelf_factory, &shelf, shelf_destroy, &future),
              LOOP_EINVAL);
    wrong = options, wrong.backlog = -1;
    CHECK_INT(loop_create_server(loop, &wrong, shelf_factory, &shelf, shelf_destroy, &future),
              LOOP_EINVAL);
    wrong = options, wrong.host_count = 1;
    CHECK_INT(loop_create_server(loop, &wrong, shelf_factory, &shelf, shelf_destroy, &future),
              LOOP_EINVAL);
    CHECK_INT(shelf.destroyed, 8);
    CHECK_INT(loop_create_unix_server(loop, NULL, 0, 0, shelf_factory, &shelf, shelf_destroy,
                                      &future), LOOP_EINVAL);
    CHECK_INT(loop_create_unix_server(loop, "", 0, 0, shelf_factory, &shelf, shelf_destroy,
                                      &future), LOOP_EINVAL);
    CHECK_INT(shelf.destroyed, 10);
    CHECK(future == NULL);
    loop_future_t **place = &future;
    CHECK_INT(loop_server_close(NULL), LOOP_EINVAL);
    CHECK_INT(loop_server_close_clients(NULL), LOOP_EINVAL);
    CHECK_INT(loop_server_abort_clients(NULL), LOOP_EINVAL);
    CHECK_INT(loop_server_is_serving(NULL), LOOP_EINVAL);
    CHECK_INT(loop_server_start_serving(NULL), LOOP_EINVAL);
    CHECK_INT(loop_server_wait_closed(NULL, place), LOOP_EINVAL);
    CHECK_INT(loop_server_serve_forever(NULL, place), LOOP_EINVAL);
    CHECK_INT(loop_server_get_sockets(NULL, NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_server_get_address(NULL, 0, NULL, 0), LOOP_EINVAL);
    CHECK(loop_server_get_loop(NULL) == NULL && loop_server_ref(NULL) == NULL);
    loop_server_unref(NULL);
    loop_unref(loop);
}

static void *use_from_outside(void *data) {
    struct shelf *shelf = data;
    loop_future_t *future = NULL;
    loop_server_options_t options = server_options("127.0.0.1");
    loop_t *loop = loop_server_get_loop(shelf->server);
    struct shelf other = {0};
    CHECK_INT(loop_create_server(loop, &options, shelf_factory, &other, shelf_destroy, &future),
              LOOP_EWRONG_THREAD);
    CHECK_INT(other.destroyed, 1);
    CHECK_INT(loop_server_close(shelf->server), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_server_is_serving(shelf->server), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_server_start_serving(shelf->server), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_server_wait_closed(shelf->server, &future), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_server_serve_forever(shelf->server, &future), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_server_close_clients(shelf->server), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_server_get_sockets(shelf->server, NULL, 0), LOOP_EWRONG_THREAD);
    CHECK(future == NULL);
    loop_server_unref(shelf->server);
    CHECK_INT(loop_stop_threadsafe(loop), 0);
    return NULL;
}

static pthread_t outsider;

static void start_outsider(void *data) {
    CHECK_INT(pthread_create(&outsider, NULL, use_from_outside, data), 0);
}

TEST(a_server_belongs_to_its_loops_thread) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_server_t *server = serve(loop, &shelf);
    loop_server_ref(server);
    CHECK_INT(loop_call_soon(loop, start_outsider, &shelf, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(pthread_join(outsider, NULL), 0);
    CHECK_INT(loop_server_is_serving(server), 1);
    loop_server_unref(server);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(shelf.destroyed, 1);
    loop_unref(loop);
}
