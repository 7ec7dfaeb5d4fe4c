/* Servers, connections and datagram endpoints against hosts that change their
 * mind at the worst moment. */
#include "net.h"
#include "transport.h"

/* Each of these says what a host does in its protocol factory. */
static void close_server(struct shelf *shelf, loop_t *loop) {
    (void)loop;
    CHECK_INT(loop_server_close(shelf->server), 0);
}

static void count_end(loop_future_t *future, void *number) {
    (void)future;
    ++*(int *)number;
}

TEST(break_net_a_connection_whose_factory_closes_the_server_counts_until_it_is_gone) {
    loop_t *loop = loop_new();
    struct shelf shelf = {.on_factory = close_server};
    loop_server_t *server = serve(loop, &shelf);
    loop_future_t *closed = NULL;
    int ended = 0, client = dial(server_port(server, 0));
    CHECK_INT(loop_server_wait_closed(server, &closed), 0);
    CHECK_INT(loop_future_add_done_callback(closed, count_end, &ended, NULL), 0);
    RUN_UNTIL(loop, shelf_made(&shelf) == 1);
    settle(loop);
    CHECK_INT(ended, 0);
    close(client);
    RUN_UNTIL(loop, ended == 1);
    CHECK_INT(shelf.books[0].lost, 1);
    CHECK_INT(shelf.books[0].destroyed, 1);
    CHECK_INT(shelf.destroyed, 1);
    loop_future_unref(closed);
    loop_server_unref(server);
    loop_unref(loop);
}

static void close_and_fail(struct shelf *shelf, loop_t *loop) {
    close_server(shelf, loop);
    shelf->fails = 1;
}

TEST(break_net_a_factory_that_closes_the_server_and_fails_lets_it_end) {
    loop_t *loop = loop_new();
    struct shelf shelf = {.on_factory = close_and_fail};
    struct reports reports = {0};
    CHECK_INT(loop_set_exception_handler(loop, note_report, &reports, NULL), 0);
    loop_server_t *server = serve(loop, &shelf);
    loop_future_t *closed = NULL;
    int client = dial(server_port(server, 0));
    CHECK_INT(loop_server_wait_closed(server, &closed), 0);
    CHECK_INT(end_code(loop, closed), 0);
    CHECK_INT(reports.code, -EACCES);
    CHECK_INT(shelf.destroyed, 1);
    close(client);
    loop_server_unref(server);
    loop_unref(loop);
}

static void drop_server(struct shelf *shelf, loop_t *loop) {
    close_server(shelf, loop);
    CHECK_INT(loop_server_abort_clients(shelf->server), 0);
    loop_server_unref(shelf->server);
    CHECK_INT(loop_stop(loop), 0);
}

TEST(break_net_a_factory_may_give_back_the_last_reference_to_its_server) {
    loop_t *loop = loop_new();
    struct shelf shelf = {.on_factory = drop_server};
    int client = dial(server_port(serve(loop, &shelf), 0));
    RUN_UNTIL(loop, shelf_made(&shelf) == 1);
    close(client);
    RUN_UNTIL(loop, shelf_lost(&shelf) == 1);
    CHECK_INT(shelf.destroyed, 1);
    loop_unref(loop);
}

static void close_loop_server_of(struct books *books) {
    struct shelf *shelf = (struct shelf *)((char *)books - offsetof(struct shelf, books));
    CHECK_INT(loop_server_close(shelf->server), 0);
    CHECK_INT(loop_server_close_clients(shelf->server), 0);
}

TEST(break_net_a_server_closed_with_its_clients_in_connection_made) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_future_t *closed = NULL;
    int clients[8];
    shelf.books[0].on_made = close_loop_server_of;
    loop_server_t *server = serve(loop, &shelf);
    for (int i = 0; i < 8; i++)
        clients[i] = dial(server_port(server, 0));
    RUN_UNTIL(loop, shelf_made(&shelf) > 0);
    settle(loop);
    CHECK_INT(shelf_lost(&shelf), shelf.used); /* those in the making, too */
    for (int i = 0; i < 8; i++) {
        CHECK(readable(clients[i]));
        close(clients[i]);
    }
    CHECK_INT(loop_server_wait_closed(server, &closed), 0);
    CHECK_INT(end_code(loop, closed), 0);
    loop_server_unref(server);
    loop_unref(loop);
}

/* A transport's descriptor, given away once more, stays the transport's. */
TEST(break_net_a_transports_socket_is_refused_and_stays_as_it_is) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    struct books books = {0};
    struct shelf shelf = {0};
    int other = peer_open(&peer, loop), fd, destroyed = 0;
    loop_future_t *future = NULL;
    settle(loop);
    fd = loop_transport_get_fd(peer.transport);
    loop_connection_options_t options = {.size = sizeof options, .fd = &fd};
    CHECK_INT(loop_create_connection(loop, &options, &books_protocol, &books, books_destroy,
                                     &future), -EBUSY);
    loop_server_options_t serving = {.size = sizeof serving, .fds = &fd, .fd_count = 1};
    CHECK_INT(loop_create_server(loop, &serving, shelf_factory, &shelf, shelf_destroy, &future),
              -EBUSY);
    CHECK_INT(books.destroyed + shelf.destroyed, 2);
    CHECK_INT(loop_transport_write(peer.transport, "x", 1), 0);
    CHECK(readable(other));
    empty(other);

    int udp[2];
    loop_datagram_options_t endpoint = {.size = sizeof endpoint, .fd = &udp[0]};
    loop_datagram_protocol_t nothing = {.size = sizeof nothing};
    CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, udp), 0);
    CHECK_INT(loop_create_datagram_endpoint(loop, &endpoint, &nothing, NULL, NULL, &future), 0);
    CHECK_INT(end_code(loop, future), 0);
    CHECK_INT(loop_create_datagram_endpoint(loop, &endpoint, &nothing, &destroyed, count,
                                            &future), -EBUSY);
    CHECK_INT(destroyed, 1);
    CHECK_INT(send(udp[1], "x", 1, 0), 1);
    close(udp[1]);
    close(other);
    settle(loop);
    CHECK_STR(peer.log.text, "melD");
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(break_net_a_server_takes_no_socket_twice) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    unsigned short port;
    int fd = listening(4, &port), fds[2] = {fd, fd};
    loop_future_t *future = NULL;
    loop_server_options_t options = {.size = sizeof options, .fds = fds, .fd_count = 2};
    CHECK_INT(loop_create_server(loop, &options, shelf_factory, &shelf, shelf_destroy, &future),
              LOOP_EINVAL);
    CHECK_INT(shelf.destroyed, 1);
    CHECK_INT(close(fd), 0);
    loop_unref(loop);
}

/* A connection is given up after any number of turns, also in the one in which it
 * comes about: nothing of it is left. */
static void give_up(struct books *books, int turns, int by_unref) {
    unsigned short port;
    int listener = listening(8, &port);
    loop_t *loop = loop_new();
    CHECK_INT(loop_run_once(loop, 0) >= 0, 1);
    loop_connection_options_t options = {.size = sizeof options, .host = "127.0.0.1",
                                         .port = port};
    loop_future_t *future = NULL;
    CHECK_INT(loop_create_connection(loop, &options, &books_protocol, books, books_destroy,
                                     &future), 0);
    for (int i = 0; i < turns; i++)
        CHECK(loop_run_once(loop, MS) >= 0);
    if (by_unref) {
        loop_future_unref(future);
        settle(loop);
        if (books->transport != NULL)
            CHECK_INT(loop_transport_abort(books->transport), 0);
    } else {
        (void)loop_future_cancel(future, NULL);
        if (loop_future_cancelled(future) != 1 && books->transport != NULL)
            CHECK_INT(loop_transport_abort(books->transport), 0);
        loop_future_unref(future);
    }
    settle(loop);
    CHECK_INT(books->made, books->lost);
    if (!by_unref)
        CHECK_INT(books->destroyed, 1);
    end_lookups(loop);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(books->destroyed, 1);
    loop_unref(loop);
    close(listener);
}

TEST(break_net_a_connection_can_be_given_up_in_every_turn) {
    int before = open_fds();
    for (int turns = 0; turns < 10; turns++)
        for (int by_unref = 0; by_unref < 2; by_unref++) {
            struct books books = {0};
            give_up(&books, turns, by_unref);
            CHECK_INT(open_fds(), before);
        }
}

static loop_future_t *connecting;

static void cancel_connecting(struct books *books) {
    (void)books;
    CHECK_INT(loop_future_cancel(connecting, "enough"), 1);
    CHECK_INT(loop_future_cancelled(connecting), 1);
}

TEST(break_net_a_connection_cancelled_in_connection_made_is_closed) {
    int before = open_fds();
    unsigned short port;
    int listener = listening(8, &port);
    struct books books = {.on_made = cancel_connecting};
    loop_t *loop = loop_new();
    loop_connection_options_t options = {.size = sizeof options, .host = "127.0.0.1",
                                         .port = port};
    CHECK_INT(loop_create_connection(loop, &options, &books_protocol, &books, books_destroy,
                                     &connecting), 0);
    RUN_UNTIL(loop, books.lost == 1);
    CHECK_INT(books.destroyed, 1);
    loop_future_unref(connecting);
    end_lookups(loop);
    loop_unref(loop);
    close(listener);
    CHECK_INT(open_fds(), before);
}

/* Both families at once: one wins, and of the other nothing is left. */
TEST(break_net_of_two_connections_that_succeed_at_once_one_is_left) {
    int before = open_fds(), six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    unsigned short port;
    int four = listening(64, &port);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                                   .sin6_port = htons(port)};
    if (six < 0 || setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0
        || bind(six, (struct sockaddr *)&address, sizeof address) != 0 || listen(six, 64) != 0)
        return; /* no such family here */
    loop_t *loop = loop_new();
    for (int round = 0; round < 20; round++) {
        struct books books = {0};
        loop_future_t *future = NULL;
        loop_connection_options_t options = {.size = sizeof options, .port = port,
                                             .happy_eyeballs_delay_ns = 1};
        CHECK_INT(loop_create_connection(loop, &options, &books_protocol, &books, books_destroy,
                                         &future), 0);
        CHECK_INT(end_code(loop, future), 0);
        CHECK_INT(books.made, 1);
        CHECK_INT(loop_transport_abort(books.transport), 0);
        settle(loop);
        CHECK_INT(books.destroyed, 1);
    }
    end_lookups(loop);
    loop_unref(loop);
    close(four), close(six);
    CHECK_INT(open_fds(), before);
}

/* The descriptor of an accepted connection is somebody's in every case. */
TEST(break_net_an_accept_can_be_given_up_in_every_turn) {
    unsigned short port;
    int before = open_fds();
    for (int turns = 0; turns < 6; turns++)
        for (int late = 0; late < 2; late++) {
            loop_t *loop = loop_new();
            int listener = listening(8, &port);
            CHECK_INT(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
            int client = late ? -1 : dial(port);
            loop_future_t *future = NULL;
            CHECK_INT(loop_sock_accept(loop, listener, &future), 0);
            if (late)
                client = dial(port);
            for (int i = 0; i < turns; i++)
                CHECK(loop_run_once(loop, 0) >= 0);
            (void)loop_future_cancel(future, NULL);
            loop_future_unref(future);
            settle(loop);
            loop_unref(loop);
            close(client), close(listener);
            CHECK_INT(open_fds(), before);
        }
}

struct box {
    loop_transport_t *transport;
    int received, errors, lost, pauses, resumes, code, destroyed;
    size_t length;
    void (*on_received)(struct box *);
    void (*on_error)(struct box *);
    void (*on_pause)(struct box *);
};

static void box_made(loop_transport_t *transport, void *data) {
    ((struct box *)data)->transport = transport;
}

static void box_received(loop_transport_t *transport, const void *bytes, size_t length,
                         const void *address, size_t address_length, void *data) {
    struct box *box = data;
    (void)transport, (void)address, (void)address_length;
    CHECK(bytes != NULL);
    CHECK_INT(box->lost, 0);
    box->received++;
    box->length = length;
    if (box->on_received != NULL)
        box->on_received(box);
}

static void box_error(loop_transport_t *transport, int code, void *data) {
    struct box *box = data;
    (void)transport;
    CHECK_INT(box->lost, 0);
    box->errors++;
    box->code = code;
    if (box->on_error != NULL)
        box->on_error(box);
}

static void box_pause(loop_transport_t *transport, void *data) {
    struct box *box = data;
    (void)transport;
    box->pauses++;
    if (box->on_pause != NULL)
        box->on_pause(box);
}

static void box_resume(loop_transport_t *transport, void *data) {
    (void)transport;
    ((struct box *)data)->resumes++;
}

static void box_lost(loop_transport_t *transport, int code, const char *message, void *data) {
    (void)transport, (void)code, (void)message;
    ((struct box *)data)->lost++;
}

static void box_destroyed(void *data) {
    ((struct box *)data)->destroyed++;
}

static const loop_datagram_protocol_t box_protocol = {
    sizeof box_protocol, box_made, box_received, box_error, box_pause, box_resume, box_lost,
};

static void open_box(loop_t *loop, struct box *box, unsigned short local, unsigned short remote) {
    loop_datagram_options_t options = {.size = sizeof options};
    options.local_host = "127.0.0.1";
    options.local_port = local;
    if (remote != 0) {
        options.remote_host = "127.0.0.1";
        options.remote_port = remote;
    }
    loop_future_t *future = NULL;
    CHECK_INT(loop_create_datagram_endpoint(loop, &options, &box_protocol, box, box_destroyed,
                                            &future), 0);
    CHECK_INT(end_code(loop, future), 0);
}

static unsigned short box_port(struct box *box) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    CHECK_INT(getsockname(loop_transport_get_fd(box->transport), (struct sockaddr *)&address,
                          &length), 0);
    return port_of_address(&address);
}

static char large[65508];

TEST(break_net_datagrams_of_every_size_arrive_and_too_large_ones_are_errors) {
    loop_t *loop = loop_new();
    struct box left = {0}, right = {0};
    open_box(loop, &left, 0, 0);
    open_box(loop, &right, 0, box_port(&left));
    const size_t sizes[] = {0, 1, 1500, 65507};
    for (int i = 0; i < 4; i++) {
        CHECK_INT(loop_transport_sendto(right.transport, large, sizes[i], NULL, 0), 0);
        RUN_UNTIL(loop, left.received == i + 1);
        CHECK_INT(left.length, sizes[i]);
    }
    CHECK_INT(loop_transport_sendto(right.transport, NULL, 0, NULL, 0), 0);
    RUN_UNTIL(loop, left.received == 5);
    CHECK_INT(loop_transport_sendto(right.transport, large, 65508, NULL, 0), 0);
    CHECK_INT(right.errors, 1);
    CHECK_INT(right.code, -EMSGSIZE);
    CHECK_INT(loop_transport_sendto(right.transport, "x", 1, NULL, 0), 0);
    RUN_UNTIL(loop, left.received == 6);
    end_lookups(loop);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(left.destroyed + right.destroyed, 2);
    loop_unref(loop);
}

static void abort_box(struct box *box) {
    CHECK_INT(loop_transport_abort(box->transport), 0);
    CHECK_INT(loop_transport_close(box->transport), 0);
}

static void close_box(struct box *box) {
    CHECK_INT(loop_transport_close(box->transport), 0);
}

TEST(break_net_a_refused_datagram_is_an_error_in_which_the_endpoint_may_be_ended) {
    void (*const ends[])(struct box *) = {NULL, abort_box, close_box};
    loop_t *loop = loop_new();
    for (int i = 0; i < 3; i++) {
        struct box box = {.on_error = ends[i]};
        int socket_of_nobody = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = loopback(0);
        socklen_t length = sizeof address;
        CHECK_INT(bind(socket_of_nobody, (struct sockaddr *)&address, length), 0);
        CHECK_INT(getsockname(socket_of_nobody, (struct sockaddr *)&address, &length), 0);
        open_box(loop, &box, 0, ntohs(address.sin_port));
        close(socket_of_nobody);
        CHECK_INT(loop_transport_sendto(box.transport, "x", 1, NULL, 0), 0);
        RUN_UNTIL(loop, box.errors == 1);
        CHECK_INT(box.code, -ECONNREFUSED);
        if (i == 0)
            close_box(&box);
        RUN_UNTIL(loop, box.destroyed == 1);
        CHECK_INT(box.lost, 1);
        CHECK_INT(box.errors, 1);
    }
    end_lookups(loop);
    loop_unref(loop);
}

TEST(break_net_an_endpoint_closed_in_datagram_received_hears_nothing_more) {
    void (*const ends[])(struct box *) = {abort_box, close_box};
    loop_t *loop = loop_new();
    for (int i = 0; i < 2; i++) {
        struct box box = {.on_received = ends[i]}, sender = {0};
        open_box(loop, &box, 0, 0);
        open_box(loop, &sender, 0, box_port(&box));
        for (int n = 0; n < 5; n++)
            CHECK_INT(loop_transport_sendto(sender.transport, "x", 1, NULL, 0), 0);
        RUN_UNTIL(loop, box.destroyed == 1);
        CHECK_INT(box.received, 1);
        CHECK_INT(box.lost, 1);
        close_box(&sender);
        RUN_UNTIL(loop, sender.destroyed == 1);
    }
    end_lookups(loop);
    loop_unref(loop);
}

/* A UNIX peer that does not read: what waits is bounded, goes when there is room,
 * and pausing may end everything. */
TEST(break_net_waiting_datagrams_survive_limits_of_zero_and_an_abort_in_pause) {
    void (*const ends[])(struct box *) = {NULL, abort_box, close_box};
    for (int i = 0; i < 3; i++) {
        loop_t *loop = loop_new();
        struct box box = {.on_pause = ends[i]};
        int pair[2], sent = 0, got = 0;
        loop_future_t *future = NULL;
        loop_datagram_options_t options = {.size = sizeof options, .fd = &pair[0]};
        CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        CHECK_INT(loop_create_datagram_endpoint(loop, &options, &box_protocol, &box,
                                                box_destroyed, &future), 0);
        CHECK_INT(end_code(loop, future), 0);
        CHECK_INT(loop_transport_set_write_buffer_limits(box.transport, 0, 0), 0);
        for (; box.pauses == 0; sent++)
            CHECK_INT(loop_transport_sendto(box.transport, large, 2000, NULL, 0), 0);
        RUN_UNTIL(loop, (got += recv(pair[1], large, sizeof large, 0) == 2000,
                         i == 1 ? box.destroyed == 1 : got == sent));
        if (i == 0) {
            RUN_UNTIL(loop, box.resumes == 1);
            close_box(&box);
        }
        RUN_UNTIL(loop, box.destroyed == 1);
        CHECK_INT(box.lost, 1);
        close(pair[1]);
        loop_unref(loop);
    }
}

/* Descriptors whose numbers the host knows, closed behind the library. */
TEST(break_net_descriptors_closed_behind_their_owners_abort_nothing) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    struct box box = {0};
    loop_server_t *server = serve(loop, &shelf);
    int fd = -1;
    open_box(loop, &box, 0, 0);
    CHECK_INT(close(loop_transport_get_fd(box.transport)), 0);
    CHECK_INT(loop_server_get_sockets(server, &fd, 1), 1);
    CHECK_INT(close(fd), 0);
    close_box(&box);
    settle(loop);
    CHECK_INT(box.destroyed, 1);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(shelf.destroyed, 1);
    loop_server_unref(server);
    end_lookups(loop);
    loop_unref(loop);
}
