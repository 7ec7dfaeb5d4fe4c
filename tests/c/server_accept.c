/* Servers in trouble: no descriptors, protocols that are not to be had, ends in
 * bad moments, forks. */
#include "child.h"
#include "net.h"
#include <sys/resource.h>

TEST(a_factory_that_fails_costs_its_connection_only) {
    loop_t *loop = loop_new();
    struct reports reports = {0};
    struct shelf shelf = {.fails = 2};
    CHECK_INT(loop_set_exception_handler(loop, note_report, &reports, NULL), 0);
    loop_server_t *server = serve(loop, &shelf);
    int clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = dial(server_port(server, 0));
    RUN_UNTIL(loop, shelf.used == 1 && shelf.books[0].made == 1);
    CHECK_INT(reports.count, 2);
    CHECK_INT(reports.code, -EACCES);
    CHECK_STR(reports.message, "Error on transport creation for incoming connection");
    char byte;
    for (int i = 0; i < 2; i++)
        CHECK_INT(read(clients[i], &byte, 1), 0);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    RUN_UNTIL(loop, shelf.books[0].destroyed == 1);
    loop_server_unref(server);
    loop_unref(loop);
}

static int no_protocol(loop_t *loop, void *data, const loop_protocol_t **protocol,
                       void **user_data, loop_destroy_t *destroy) {
    (void)loop, (void)protocol;
    *user_data = data;
    *destroy = count;
    return 0;
}

TEST(a_factory_without_a_protocol_counts_as_failed_and_its_data_is_destroyed) {
    loop_t *loop = loop_new();
    struct reports reports = {0};
    int destroyed = 0;
    loop_server_options_t options = server_options("127.0.0.1");
    loop_future_t *future;
    void *server;
    CHECK_INT(loop_set_exception_handler(loop, note_report, &reports, NULL), 0);
    CHECK_INT(loop_create_server(loop, &options, no_protocol, &destroyed, NULL, &future), 0);
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    CHECK_INT(loop_future_result(future, &server), 0);
    int client = dial(server_port(server, 0));
    RUN_UNTIL(loop, reports.count == 1);
    CHECK_INT(reports.code, LOOP_EINVAL);
    CHECK_INT(destroyed, 1);
    close(client);
    loop_future_unref(future);
    loop_unref(loop);
}

static void allow_descriptors(rlim_t count) {
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST(without_descriptors_a_server_pauses_for_a_second_and_recovers) {
    loop_t *loop = loop_new();
    struct reports reports = {0};
    struct shelf shelf = {0};
    struct rlimit before;
    CHECK_INT(loop_set_exception_handler(loop, note_report, &reports, NULL), 0);
    loop_server_t *server = serve(loop, &shelf);
    wait_once(loop);
    int first = dial(server_port(server, 0));
    RUN_UNTIL(loop, shelf.books[0].made == 1);
    shelf.books[0].echoes = 1;
    int client = dial(server_port(server, 0)), turns = 0;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    int lowest = dup(0);
    close(lowest);
    allow_descriptors((rlim_t)lowest);
    long long start = now_ns();
    RUN_UNTIL(loop, reports.count == 1);
    CHECK_INT(reports.code, -EMFILE);
    CHECK_STR(reports.message, "socket.accept() out of system resource");
    CHECK_INT(shelf.used, 1);
    /* The loop does not spin meanwhile, and serves those it has. */
    CHECK_INT(write(first, "?", 1), 1);
    RUN_UNTIL(loop, shelf.books[0].length == 1);
    while (now_ns() < start + 300 * MS) {
        CHECK(loop_run_once(loop, start + 300 * MS - now_ns()) >= 0);
        turns++;
    }
    CHECK(turns < 20);
    allow_descriptors(before.rlim_cur);
    if (in_valgrind()) {
        /* It plays the limit: it takes the connection, and then closes it. */
        close(client);
        client = dial(server_port(server, 0));
    }
    RUN_UNTIL(loop, shelf.used == 2 && shelf.books[1].made == 1);
    CHECK(now_ns() - start >= 900 * MS);
    CHECK_INT(reports.count, 1);
    close(client), close(first);
    loop_server_unref(server);
    loop_unref(loop);
}

TEST(a_server_closed_while_it_pauses_stays_closed) {
    loop_t *loop = loop_new();
    struct reports reports = {0};
    struct shelf shelf = {0};
    struct rlimit before;
    CHECK_INT(loop_set_exception_handler(loop, note_report, &reports, NULL), 0);
    loop_server_t *server = serve(loop, &shelf);
    wait_once(loop);
    int client = dial(server_port(server, 0));
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    int lowest = dup(0);
    close(lowest);
    allow_descriptors((rlim_t)lowest);
    RUN_UNTIL(loop, reports.count == 1);
    CHECK_INT(loop_server_close(server), 0);
    allow_descriptors(before.rlim_cur);
    /* Its number means something else now, which nobody may listen to. */
    int ends[2];
    open_pipe(ends);
    long long limit = now_ns() + 1300 * MS;
    while (now_ns() < limit)
        CHECK(loop_run_once(loop, limit - now_ns()) >= 0);
    CHECK_INT(reports.count, 1);
    CHECK_INT(shelf.used, 0);
    close(client);
    loop_server_unref(server);
    loop_unref(loop);
}

static void close_server(struct shelf *shelf, loop_t *loop) {
    (void)loop;
    CHECK_INT(loop_server_close(shelf->server), 0);
}

TEST(a_server_may_be_closed_by_its_own_factory) {
    loop_t *loop = loop_new();
    struct shelf shelf = {.on_factory = close_server};
    loop_server_t *server = serve(loop, &shelf);
    loop_future_t *wait;
    int clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = dial(server_port(server, 0));
    RUN_UNTIL(loop, shelf.books[0].made == 1);
    CHECK_INT(shelf.used, 1);
    CHECK_INT(shelf.destroyed, 1);
    CHECK_INT(loop_server_wait_closed(server, &wait), 0);
    CHECK_INT(loop_future_done(wait), 0);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    CHECK_INT(end_code(loop, wait), 0);
    CHECK_INT(shelf.books[0].destroyed, 1);
    loop_server_unref(server);
    loop_unref(loop);
}

static struct shelf *closing_shelf;

static void close_it(struct books *books) {
    (void)books;
    CHECK_INT(loop_server_close(closing_shelf->server), 0);
    CHECK_INT(loop_server_abort_clients(closing_shelf->server), 0);
}

TEST(a_server_and_its_clients_may_be_ended_in_connection_made) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    closing_shelf = &shelf;
    loop_server_t *server = serve(loop, &shelf);
    shelf.books[0].on_made = close_it;
    int clients[2] = {dial(server_port(server, 0)), dial(server_port(server, 0))};
    loop_future_t *wait;
    CHECK_INT(loop_server_wait_closed(server, &wait), 0);
    CHECK_INT(end_code(loop, wait), 0);
    CHECK_INT(shelf_made(&shelf), shelf_lost(&shelf));
    close(clients[0]), close(clients[1]);
    loop_server_unref(server);
    loop_unref(loop);
}

TEST(closing_the_loop_ends_servers_and_connections_and_leaks_nothing) {
    int before = open_fds();
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_server_t *server = serve(loop, &shelf);
    loop_future_t *wait, *forever;
    int clients[4];
    for (int i = 0; i < 4; i++)
        clients[i] = dial(server_port(server, 0));
    RUN_UNTIL(loop, shelf_made(&shelf) == 4);
    CHECK_INT(loop_server_wait_closed(server, &wait), 0);
    CHECK_INT(loop_server_serve_forever(server, &forever), 0);
    CHECK_INT(loop_close(loop), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(shelf.books[i].destroyed, 1);
        CHECK_INT(shelf.books[i].lost, 0);
        close(clients[i]);
    }
    CHECK_INT(shelf.destroyed, 1);
    CHECK_INT(open_fds(), before);
    CHECK_INT(loop_future_done(wait), 0);
    CHECK_INT(loop_future_done(forever), 0);
    CHECK_INT(loop_server_is_serving(server), 0);
    CHECK_INT(loop_server_close(server), 0);
    CHECK_INT(loop_server_start_serving(server), LOOP_ECLOSED);
    loop_future_unref(wait);
    loop_future_unref(forever);
    loop_server_unref(server);
    loop_unref(loop);
}

TEST(a_server_that_nobody_refers_to_goes_on) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_server_t *server = serve(loop, &shelf);
    unsigned short port = server_port(server, 0);
    loop_server_unref(server);
    int client = dial(port);
    RUN_UNTIL(loop, shelf.books[0].made == 1);
    close(client);
    loop_unref(loop);
    CHECK_INT(shelf.destroyed, 1);
    CHECK_INT(shelf.books[0].destroyed, 1);
}

TEST(cancelling_the_making_of_a_server_closes_its_sockets_at_once) {
    loop_t *loop = loop_new();
    int before = open_fds();
    struct shelf shelf = {0};
    loop_server_options_t options = server_options("127.0.0.1");
    loop_future_t *future;
    options.port = free_port();
    wait_once(loop);
    int with_loop = open_fds();
    CHECK_INT(loop_create_server(loop, &options, shelf_factory, &shelf, shelf_destroy, &future), 0);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(open_fds(), with_loop + 1);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_INT(open_fds(), with_loop);
    CHECK_INT(shelf.destroyed, 1);
    loop_future_unref(future);
    /* The same while a name is looked up. */
    options.host = "localhost";
    CHECK_INT(loop_create_server(loop, &options, shelf_factory, &shelf, shelf_destroy, &future), 0);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_INT(shelf.destroyed, 2);
    loop_future_unref(future);
    end_lookups(loop);
    loop_unref(loop);
    CHECK(open_fds() <= before);
}

static void fork_in_factory(struct shelf *shelf, loop_t *loop) {
    shelf->on_factory = NULL;
    pid_t child = start_child();
    if (child == 0) {
        loop_future_t *future = NULL;
        CHECK_INT(loop_server_close(shelf->server), LOOP_EFORKED);
        CHECK_INT(loop_server_is_serving(shelf->server), LOOP_EFORKED);
        CHECK_INT(loop_server_wait_closed(shelf->server, &future), LOOP_EFORKED);
        CHECK_INT(loop_server_start_serving(shelf->server), LOOP_EFORKED);
        CHECK_INT(loop_server_get_sockets(shelf->server, NULL, 0), LOOP_EFORKED);
        /* Returning from here ends the child's run. */
        (void)loop;
    } else {
        CHECK_INT(end_of(child), 7);
    }
}

TEST(a_child_forked_in_a_factory_neither_accepts_nor_harms_the_parents_server) {
    loop_t *loop = loop_new();
    struct shelf shelf = {.on_factory = fork_in_factory};
    loop_server_t *server = serve(loop, &shelf);
    int clients[2] = {dial(server_port(server, 0)), dial(server_port(server, 0))};
    pid_t parent = getpid();
    long long limit = now_ns() + 20000 * MS;
    int turn = 0;
    while (turn >= 0 && shelf_made(&shelf) < 2 && now_ns() < limit)
        turn = loop_run_once(loop, 5 * MS);
    if (getpid() != parent) {
        CHECK_INT(turn, LOOP_EFORKED);
        CHECK_INT(loop_close(loop), 0);
        loop_server_unref(server);
        loop_unref(loop);
        CHECK_INT(shelf.destroyed, 1);
        CHECK_INT(shelf.books[0].destroyed, 1);
        _exit(7);
    }
    CHECK_INT(shelf_made(&shelf), 2);
    CHECK_INT(write(clients[0], "x", 1), 1);
    RUN_UNTIL(loop, shelf.books[0].length == 1);
    int third = dial(server_port(server, 0));
    RUN_UNTIL(loop, shelf_made(&shelf) == 3);
    close(third), close(clients[0]), close(clients[1]);
    loop_server_unref(server);
    loop_unref(loop);
}

static void reinit(void *data) {
    struct shelf *shelf = data;
    loop_t *loop = loop_server_get_loop(shelf->server);
    CHECK_INT(loop_reinit_after_fork(loop, LOOP_REINIT_KEEP_IO), 0);
    CHECK_INT(loop_server_is_serving(shelf->server), 0);
    CHECK_INT(shelf->destroyed, 1);
    CHECK_INT(shelf->books[0].destroyed, 1);
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_run_once(loop, 0), 0);
    /* The child may serve for itself. */
    struct shelf own = {0};
    loop_server_t *server = serve(loop, &own);
    int client = dial(server_port(server, 0));
    RUN_UNTIL(loop, own.books[0].made == 1);
    close(client);
    loop_server_unref(server);
    loop_server_unref(shelf->server);
    loop_unref(loop);
}

TEST(a_child_that_takes_the_loop_over_leaves_the_server_to_the_parent) {
    loop_t *loop = loop_new();
    struct shelf shelf = {0};
    loop_server_t *server = serve(loop, &shelf);
    int client = dial(server_port(server, 0));
    RUN_UNTIL(loop, shelf.books[0].made == 1);
    CHECK_INT(in_child(reinit, &shelf), 0);
    int other = dial(server_port(server, 0));
    CHECK_INT(write(client, "x", 1), 1);
    RUN_UNTIL(loop, shelf.books[0].length == 1 && shelf.books[1].made == 1);
    close(client), close(other);
    loop_server_unref(server);
    loop_unref(loop);
}
