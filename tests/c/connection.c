/* Outgoing connections: addresses in turn or in a race, ends of all kinds. */
#include "child.h"
#include "names.h"
#include "net.h"

static int begin(loop_t *loop, const loop_connection_options_t *options, struct books *books,
                 loop_future_t **future) {
    books->loop = loop;
    return loop_create_connection(loop, options, &books_protocol, books, books_destroy, future);
}

static loop_connection_options_t to(const char *host, unsigned short port) {
    loop_connection_options_t options = {.size = sizeof options, .host = host, .port = port};
    return options;
}

/* The future's end with its text. */
static int end_text(loop_t *loop, loop_future_t *future, char text[256]) {
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    int code = loop_future_result(future, NULL);
    snprintf(text, 256, "%s", loop_last_error());
    loop_future_unref(future);
    return code;
}

TEST(a_connection_is_made_before_its_future_is_done) {
    loop_t *loop = loop_new();
    unsigned short port;
    int server = listening(5, &port);
    struct books books = {0};
    loop_connection_options_t options = to("127.0.0.1", port);
    loop_future_t *future;
    void *transport = NULL;
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    while (loop_future_done(future) == 0) {
        CHECK(loop_run_once(loop, -1) >= 0);
    }
    CHECK_INT(books.made, 1);
    CHECK_INT(loop_future_result(future, &transport), 0);
    CHECK(transport == books.transport);
    loop_future_unref(future);
    int peer = accept(server, NULL, NULL);
    char answer[8] = {0};
    CHECK_INT(loop_transport_write(transport, "hello", 5), 0);
    CHECK_INT(read(peer, answer, sizeof answer), 5);
    CHECK_STR(answer, "hello");
    CHECK_INT(write(peer, "you", 3), 3);
    RUN_UNTIL(loop, books.length == 3);
    close(peer);
    RUN_UNTIL(loop, books.destroyed == 1);
    CHECK_INT(books.lost, 1);
    CHECK_INT(books.eof, 1);
    close(server);
    loop_unref(loop);
    CHECK_INT(books.destroyed, 1);
}

TEST(a_refused_connection_tells_by_its_code_and_in_asyncios_words) {
    loop_t *loop = loop_new();
    struct books books = {0};
    loop_future_t *future;
    char text[256], expected[256];
    unsigned short port = free_port();
    loop_connection_options_t options = to("127.0.0.1", port);
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK_INT(end_text(loop, future, text), -ECONNREFUSED);
    snprintf(expected, sizeof expected, "Connect call failed ('127.0.0.1', %d)", port);
    CHECK_STR(text, expected);
    CHECK_INT(books.destroyed, 1);
    CHECK_INT(books.made, 0);

    name_addresses("127.0.0.2", "127.0.0.1");
    options.host = TEST_NAME;
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK_INT(end_text(loop, future, text), -ECONNREFUSED);
    snprintf(expected, sizeof expected,
             "Multiple exceptions: [Errno %d] Connect call failed ('127.0.0.2', %d), "
             "[Errno %d] Connect call failed ('127.0.0.1', %d)",
             ECONNREFUSED, port, ECONNREFUSED, port);
    CHECK_STR(text, expected);

    options = to("127.0.0.1", port);
    options.flags = LOOP_CONNECTION_ALL_ERRORS;
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK_INT(end_text(loop, future, text), -ECONNREFUSED);
    snprintf(expected, sizeof expected, "create_connection failed: "
             "[Errno %d] Connect call failed ('127.0.0.1', %d)", ECONNREFUSED, port);
    CHECK_STR(text, expected);
    CHECK_INT(books.destroyed, 3);
    end_lookups(loop);
    loop_unref(loop);
}

TEST(a_name_that_is_not_known_fails_with_the_resolvers_code) {
    loop_t *loop = loop_new();
    struct books books = {0};
    loop_future_t *future;
    char text[256];
    name_addresses(NULL, NULL);
    loop_connection_options_t options = to(TEST_NAME, 1);
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    int code = end_text(loop, future, text);
    CHECK(code < -1016);
    CHECK_STR(text, gai_strerror(EAI_NONAME));
    CHECK_INT(books.destroyed, 1);
    end_lookups(loop);
    loop_unref(loop);
}

TEST(the_next_address_is_tried_when_one_refuses) {
    loop_t *loop = loop_new();
    unsigned short port;
    int server = listening(5, &port), before = open_fds();
    for (long long delay = 0; delay <= 10000 * MS; delay += 10000 * MS) {
        struct books books = {0};
        loop_future_t *future;
        name_addresses("127.0.0.2", "127.0.0.1");
        loop_connection_options_t options = to(TEST_NAME, port);
        options.happy_eyeballs_delay_ns = (uint64_t)delay;
        CHECK_INT(begin(loop, &options, &books, &future), 0);
        CHECK_INT(end_code(loop, future), 0);
        CHECK_INT(books.made, 1);
        CHECK_INT(loop_transport_close(books.transport), 0);
        RUN_UNTIL(loop, books.destroyed == 1);
    }
    end_lookups(loop);
    loop_unref(loop);
    CHECK(open_fds() <= before);
    close(server);
}

/* A port of this machine of which 127.0.0.2 answers nothing: its server's
 * backlog is full, so every further SYN is dropped. */
struct hole {
    int server, fillers[3];
    unsigned short port;
};

static void dig(struct hole *hole, unsigned short port) {
    struct sockaddr_in address = loopback(port);
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    hole->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(hole->server, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(hole->server, 0), 0);
    CHECK_INT(getsockname(hole->server, (struct sockaddr *)&address, &length), 0);
    hole->port = ntohs(address.sin_port);
    for (int i = 0; i < 3; i++) {
        hole->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(hole->fillers[i], (struct sockaddr *)&address, sizeof address);
    }
}

static void fill_in(struct hole *hole) {
    close(hole->server);
    for (int i = 0; i < 3; i++)
        close(hole->fillers[i]);
}

TEST(happy_eyeballs_overtake_an_address_that_does_not_answer) {
    loop_t *loop = loop_new();
    unsigned short port;
    struct hole hole;
    struct books books = {0};
    loop_future_t *future;
    int server = listening(5, &port);
    dig(&hole, port);
    wait_once(loop);
    name_addresses("127.0.0.2", "127.0.0.1");
    int before = open_fds();
    loop_connection_options_t options = to(TEST_NAME, port);
    options.happy_eyeballs_delay_ns = 50 * MS;
    long long start = now_ns();
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK_INT(end_code(loop, future), 0);
    long long took = now_ns() - start;
    CHECK(took >= 50 * MS && (took < 900 * MS || in_valgrind()));
    CHECK_INT(books.made, 1);
    /* The loser is closed; what is left is the connection. */
    if (!in_valgrind()) /* there the loop needs a timer's descriptor */
        CHECK_INT(open_fds(), before + 1);
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    int fd = loop_transport_get_fd(books.transport);
    CHECK_INT(getpeername(fd, (struct sockaddr *)&peer, &length), 0);
    CHECK_INT(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK);
    end_lookups(loop);
    loop_unref(loop);
    CHECK_INT(books.destroyed, 1);
    fill_in(&hole);
    close(server);
}

TEST(happy_eyeballs_tell_of_every_failure) {
    loop_t *loop = loop_new();
    struct books books = {0};
    loop_future_t *future;
    char text[256];
    name_addresses("127.0.0.3", "127.0.0.1");
    loop_connection_options_t options = to(TEST_NAME, free_port());
    options.happy_eyeballs_delay_ns = 1;
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK_INT(end_text(loop, future, text), -ECONNREFUSED);
    CHECK(strstr(text, "('127.0.0.3', ") != NULL && strstr(text, "('127.0.0.1', ") != NULL);
    CHECK_INT(books.destroyed, 1);
    end_lookups(loop);
    loop_unref(loop);
}

TEST(a_time_limit_ends_all_attempts) {
    loop_t *loop = loop_new();
    struct hole hole;
    struct books books = {0};
    loop_future_t *future;
    dig(&hole, 0);
    wait_once(loop);
    int before = open_fds();
    loop_connection_options_t options = to("127.0.0.2", hole.port);
    options.timeout_ns = 30 * MS;
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK_INT(open_fds(), before + 1);
    CHECK_INT(end_code(loop, future), -ETIMEDOUT);
    CHECK_INT(open_fds(), before);
    CHECK_INT(books.destroyed, 1);
    fill_in(&hole);
    loop_unref(loop);
}

/* The number that a new descriptor gets, watched: whoever had it before must
 * have let go of it. */
static void take_the_number(loop_t *loop, int number) {
    int called = 0, ends[2];
    open_pipe(ends);
    CHECK(number < 0 || ends[0] == number || ends[1] == number);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &called, NULL), 0);
    CHECK_INT(write(ends[1], "x", 1), 1);
    RUN_UNTIL(loop, called > 0);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    CHECK_INT(loop_remove_writer(loop, ends[0]), 0);
    CHECK_INT(loop_remove_writer(loop, ends[1]), 0);
    close(ends[0]), close(ends[1]);
}

static int lowest_free(void) {
    int lowest = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    close(lowest);
    return lowest;
}

TEST(cancelling_while_the_name_is_looked_up) {
    loop_t *loop = loop_new();
    struct books books = {0};
    loop_future_t *future;
    wait_once(loop);
    name_addresses_slowly(200 * MS);
    loop_connection_options_t options = to(TEST_NAME, 1);
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK(loop_run_once(loop, 5 * MS) >= 0);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_INT(books.destroyed, 1);
    CHECK_INT(end_code(loop, future), LOOP_ECANCELLED);
    take_the_number(loop, -1);
    end_lookups(loop);
    loop_unref(loop);
    CHECK_INT(books.destroyed, 1);
}

TEST(cancelling_while_it_connects_frees_the_number_at_once) {
    struct hole hole;
    dig(&hole, 0);
    for (int in_race = 0; in_race <= 1; in_race++) {
        loop_t *loop = loop_new();
        struct books books = {0};
        loop_future_t *future;
        wait_once(loop);
        name_addresses("127.0.0.2", "127.0.0.2");
        loop_connection_options_t options = to("127.0.0.2", hole.port);
        options.happy_eyeballs_delay_ns = 1;
        if (in_race) {
            name_addresses("127.0.0.2", "127.0.0.1");
            options.host = TEST_NAME;
        }
        /* On Windows threads have numbers, too. */
        int number = ON_WINDOWS ? -1 : lowest_free(), before = open_fds();
        CHECK_INT(begin(loop, &options, &books, &future), 0);
        RUN_UNTIL(loop, open_fds() > before);
        CHECK_INT(loop_future_done(future), 0);
        CHECK_INT(loop_future_cancel(future, "no"), 1);
        CHECK_INT(loop_future_cancel(future, "no"), 0);
        CHECK_INT(open_fds(), before);
        CHECK_INT(books.destroyed, 1);
        take_the_number(loop, number);
        CHECK_INT(end_code(loop, future), LOOP_ECANCELLED);
        CHECK_INT(books.made, 0);
        end_lookups(loop);
        loop_unref(loop);
        CHECK_INT(books.destroyed, 1);
    }
    fill_in(&hole);
}

static loop_future_t *to_cancel;

static void cancel_it(struct books *books) {
    (void)books;
    CHECK_INT(loop_future_cancel(to_cancel, NULL), 1);
}

TEST(cancelling_between_connection_and_result_closes_the_transport) {
    loop_t *loop = loop_new();
    unsigned short port;
    int server = listening(5, &port);
    struct books books = {.on_made = cancel_it};
    loop_connection_options_t options = to("127.0.0.1", port);
    CHECK_INT(begin(loop, &options, &books, &to_cancel), 0);
    RUN_UNTIL(loop, books.destroyed == 1);
    CHECK_INT(books.made, 1);
    CHECK_INT(books.lost, 1);
    CHECK_INT(end_code(loop, to_cancel), LOOP_ECANCELLED);
    close(server);
    loop_unref(loop);
}

TEST(closing_the_loop_ends_a_connection_under_way) {
    struct hole hole;
    dig(&hole, 0);
    int before = open_fds();
    loop_t *loop = loop_new();
    struct books books = {0};
    loop_future_t *future;
    loop_connection_options_t options = to("127.0.0.2", hole.port);
    options.timeout_ns = 100000 * MS;
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK(loop_run_once(loop, 5 * MS) >= 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(books.destroyed, 1);
    CHECK_INT(open_fds(), before);
    CHECK_INT(loop_future_done(future), 0);
    loop_future_unref(future);
    loop_unref(loop);
    fill_in(&hole);
}

TEST(a_connection_goes_on_without_anybody_who_refers_to_its_future) {
    loop_t *loop = loop_new();
    unsigned short port;
    int server = listening(5, &port);
    struct books books = {0};
    loop_future_t *future;
    loop_connection_options_t options = to("127.0.0.1", port);
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    loop_future_unref(future);
    RUN_UNTIL(loop, books.made == 1);
    loop_unref(loop);
    CHECK_INT(books.destroyed, 1);
    close(server);
}

TEST(the_local_address_is_taken_or_the_reason_told) {
    loop_t *loop = loop_new();
    unsigned short port, local = free_port();
    int server = listening(5, &port);
    struct books books = {0};
    loop_future_t *future;
    char text[256];
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    loop_connection_options_t options = to("127.0.0.1", port);
    options.local_host = "127.0.0.1";
    options.local_port = local;
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK_INT(end_code(loop, future), 0);
    int peer = accept(server, (struct sockaddr *)&address, &length);
    CHECK_INT(ntohs(address.sin_port), local);
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK_INT(end_text(loop, future, text), -EADDRINUSE);
    CHECK(strstr(text, "error while attempting to bind on address ('127.0.0.1', ") == text);
    options.local_host = "::1";
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK_INT(end_text(loop, future, text), -EADDRNOTAVAIL);
    CHECK_STR(text, "no matching local address with family=2 found");
    CHECK_INT(books.destroyed, 2);
    close(peer), close(server);
    loop_unref(loop);
}

TEST(a_connected_socket_of_the_hosts_becomes_a_transport) {
    loop_t *loop = loop_new();
    int pair[2], before = open_fds();
    struct books books = {0};
    loop_future_t *future = NULL;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    loop_connection_options_t options = {.size = sizeof options, .fd = &pair[0]};
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK_INT(end_code(loop, future), 0);
    CHECK_INT(loop_transport_get_fd(books.transport), pair[0]);
    close(pair[1]);
    RUN_UNTIL(loop, books.destroyed == 1);
    CHECK_INT(fcntl(pair[0], F_GETFD), -1);

    CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    CHECK_INT(begin(loop, &options, &books, &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "A Stream Socket was expected");
    close(pair[1]);
    options.port = 1;
    CHECK_INT(begin(loop, &options, &books, &future), LOOP_EINVAL);
    options.port = 0;
    CHECK_INT(close(pair[0]), 0);
    CHECK_INT(begin(loop, &options, &books, &future), -EBADF);
    CHECK_INT(books.destroyed, 4);
    loop_unref(loop);
    CHECK_INT(open_fds(), before);
}

TEST(what_cannot_be_connected_is_refused_and_its_data_destroyed) {
    loop_t *loop = loop_new();
    struct books books = {0};
    loop_future_t *future = NULL;
    loop_connection_options_t options = to("127.0.0.1", 1), wrong = options;
    CHECK_INT(begin(NULL, &options, &books, &future), LOOP_EINVAL);
    CHECK_INT(begin(loop, NULL, &books, &future), LOOP_EINVAL);
    CHECK_INT(begin(loop, &options, &books, NULL), LOOP_EINVAL);
    CHECK_INT(loop_create_connection(loop, &options, NULL, &books, books_destroy, &future),
              LOOP_EINVAL);
    wrong.size = 0;
    CHECK_INT(begin(loop, &wrong, &books, &future), LOOP_EINVAL);
    wrong = options, wrong.flags = 2;
    CHECK_INT(begin(loop, &wrong, &books, &future), LOOP_EINVAL);
    wrong = to(NULL, 0);
    CHECK_INT(begin(loop, &wrong, &books, &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "host and port was not specified and no sock specified");
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(begin(loop, &options, &books, &future), LOOP_ECLOSED);
    CHECK_INT(books.destroyed, 8);
    CHECK(future == NULL);
    loop_unref(loop);
}

static struct books *outside_books;

static void *connect_from_outside(void *loop) {
    loop_future_t *future = NULL;
    loop_connection_options_t options = to("127.0.0.1", 1);
    CHECK_INT(begin(loop, &options, outside_books, &future), LOOP_EWRONG_THREAD);
    CHECK(future == NULL);
    CHECK_INT(loop_stop_threadsafe(loop), 0);
    return NULL;
}

static pthread_t outsider;

static void start_outsider(void *loop) {
    CHECK_INT(pthread_create(&outsider, NULL, connect_from_outside, loop), 0);
}

TEST(a_connection_is_begun_in_its_loops_thread) {
    loop_t *loop = loop_new();
    struct books books = {0};
    outside_books = &books;
    CHECK_INT(loop_call_soon(loop, start_outsider, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(pthread_join(outsider, NULL), 0);
    CHECK_INT(books.destroyed, 1);
    loop_unref(loop);
}

struct inherited {
    loop_t *loop;
    loop_future_t *future;
    struct books *books;
};

static void close_inherited(void *data) {
    struct inherited *inherited = data;
    struct books books = {0};
    loop_future_t *future = NULL;
    loop_connection_options_t options = to("127.0.0.1", 1);
    CHECK_INT(begin(inherited->loop, &options, &books, &future), LOOP_EFORKED);
    CHECK_INT(books.destroyed, 1);
    CHECK_INT(loop_close(inherited->loop), 0);
    CHECK_INT(inherited->books->destroyed, 1);
    loop_future_unref(inherited->future);
    loop_unref(inherited->loop);
}

TEST(a_child_that_closes_its_copy_does_not_disturb_a_connection_under_way) {
    struct hole hole;
    dig(&hole, 0);
    loop_t *loop = loop_new();
    struct books books = {0};
    loop_future_t *future;
    loop_connection_options_t options = to("127.0.0.2", hole.port);
    CHECK_INT(begin(loop, &options, &books, &future), 0);
    CHECK(loop_run_once(loop, 5 * MS) >= 0);
    struct inherited inherited = {loop, future, &books};
    CHECK_INT(in_child(close_inherited, &inherited), 0);
    CHECK_INT(loop_future_done(future), 0);
    /* Room for the next SYN, which comes within a second or three. */
    for (int i = 0; i < 3; i++)
        close(hole.fillers[i]);
    for (int i = 0; i < 2; i++)
        close(accept(hole.server, NULL, NULL));
    CHECK_INT(end_code(loop, future), 0);
    CHECK_INT(books.made, 1);
    loop_unref(loop);
    close(hole.server);
}
