/* Streams at the edges: huge and empty writes, buffers nobody can use, resets with
 * everything in flight, descriptors that were closed behind the transport. */
#include "loop_thread.h"
#include "transport.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>

enum { PIECES = 2000 };

static void given_back(void *number) {
    ++*(int *)number;
}

/* More than the system takes in one call, and than 32 bits count, where a
 * size may be so large. */
TEST(break_flow_five_gigabytes_of_the_hosts_are_begun_and_given_back) {
    const size_t size = sizeof(size_t) > 4 ? (size_t)(5ull << 30) : (size_t)1 << 30;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        return;
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop), destroyed = 0;
    size_t waits = 0;
    static char drained[1 << 16];
    settle(loop);
    CHECK_INT(loop_transport_write_owned(peer.transport, bytes, size, &destroyed, given_back), 0);
    CHECK_INT(loop_transport_get_write_buffer_size(peer.transport, &waits), 0);
    CHECK(waits > size - (1 << 24));
    ssize_t got = read(other, drained, sizeof drained);
    CHECK(got > 0);
    settle(loop);
    CHECK_INT(destroyed, 0);
    CHECK_INT(loop_transport_abort(peer.transport), 0);
    CHECK_INT(destroyed, 1);
    settle(loop);
    CHECK_STR(peer.log.text, "mplD");
    close(other);
    loop_unref(loop);
    munmap(bytes, size);
}

TEST(break_flow_empty_writes_do_nothing_wherever_they_come) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop), destroyed = 0;
    loop_iovec_t empty[3] = {{NULL, 0}, {"", 0}, {NULL, 0}};
    static char block[1 << 20];
    settle(loop);
    for (int full = 0; full < 2; full++) {
        size_t before, after;
        CHECK_INT(loop_transport_get_write_buffer_size(peer.transport, &before), 0);
        CHECK_INT(loop_transport_write(peer.transport, NULL, 0), 0);
        CHECK_INT(loop_transport_writev(peer.transport, NULL, 0), 0);
        CHECK_INT(loop_transport_writev(peer.transport, empty, 3), 0);
        CHECK_INT(loop_transport_write_owned(peer.transport, NULL, 0, &destroyed, given_back), 0);
        CHECK_INT(destroyed, full + 1);
        CHECK_INT(loop_transport_get_write_buffer_size(peer.transport, &after), 0);
        CHECK(before == after);
        CHECK_INT(loop_transport_write(peer.transport, block, sizeof block), 0);
    }
    CHECK_INT(loop_transport_write(peer.transport, NULL, 1), LOOP_EINVAL);
    close(other);
    settle(loop);
    CHECK_INT(peer.destroyed, 1);
    loop_unref(loop);
}

static void get_all(loop_t *loop, int fd, char *bytes, size_t size) {
    for (size_t got = 0; got < size;) {
        ssize_t some = read(fd, bytes + got, size - got);
        CHECK(some > 0 || errno == EAGAIN);
        got += some > 0 ? (size_t)some : 0;
        CHECK(loop_run_once(loop, 0) >= 0);
    }
}

/* Through a socket and a pipe; into an empty buffer and a full one. */
TEST(break_flow_two_thousand_pieces_some_empty_arrive_in_order) {
    static char bytes[PIECES * 3], got[2 * PIECES * 3];
    static loop_iovec_t pieces[PIECES];
    size_t total = 0;
    for (int i = 0; i < PIECES; i++) {
        pieces[i].base = bytes + total;
        pieces[i].length = (size_t)(i < 1100 ? 0 : i % 4);
        for (size_t n = 0; n < pieces[i].length; n++)
            bytes[total++] = (char)(i + (int)n);
    }
    for (int kind = 0; kind < (ON_WINDOWS ? 1 : 2); kind++) { /* it has no such pipes */
        loop_t *loop = loop_new();
        struct peer peer = {.loop = loop};
        int ends[2], other;
        if (kind == 0) {
            other = peer_open(&peer, loop);
        } else {
            CHECK_INT(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
            CHECK_INT(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
            other = ends[0];
            CHECK_INT(loop_connect_write_pipe(loop, ends[1], &peer_protocol, &peer, peer_destroy,
                                              NULL), 0);
        }
        settle(loop);
        CHECK_INT(loop_transport_writev(peer.transport, pieces, PIECES), 0);
        CHECK_INT(loop_transport_writev(peer.transport, pieces, PIECES), 0);
        get_all(loop, other, got, 2 * total);
        CHECK(memcmp(got, bytes, total) == 0 && memcmp(got + total, bytes, total) == 0);
        CHECK_INT(loop_transport_close(peer.transport), 0);
        settle(loop);
        CHECK_INT(peer.destroyed, 1);
        close(other);
        loop_unref(loop);
    }
}

struct giver {
    struct peer peer;
    void *buffer;
    size_t length, updated;
    int code;
};

static int give(loop_transport_t *transport, size_t hint, void **ret_buffer, size_t *ret_length,
                void *data) {
    struct giver *giver = data;
    (void)transport;
    CHECK(hint > 0);
    *ret_buffer = giver->buffer;
    *ret_length = giver->length;
    return giver->code;
}

static void updated(loop_transport_t *transport, size_t count, void *data) {
    struct giver *giver = data;
    (void)transport;
    CHECK(count > 0 && count <= giver->length);
    giver->updated += count;
}

static void no_report(loop_t *loop, const loop_exception_context_t *context, void *data) {
    (void)loop, (void)context;
    ++*(int *)data;
}

TEST(break_flow_buffers_that_cannot_be_used_end_the_connection_and_small_ones_do_not) {
    static char one[1];
    const struct giver givers[] = {
        {.buffer = NULL, .length = 10}, {.buffer = one, .length = 0},
        {.buffer = one, .length = 1, .code = -EPROTO}, {.buffer = one, .length = 1},
        {.buffer = (void *)16, .length = 4096}, {.buffer = (void *)16, .length = (size_t)-1},
    };
    loop_protocol_t protocol = peer_protocol;
    protocol.get_buffer = give;
    protocol.buffer_updated = updated;
    for (size_t i = 0; i < sizeof givers / sizeof *givers; i++) {
        if (in_valgrind() && givers[i].buffer == (void *)16)
            continue; /* it would complain, and rightly */
        loop_t *loop = loop_new();
        struct giver giver = givers[i];
        int pair[2], reports = 0, small = i == 3;
        CHECK_INT(loop_set_exception_handler(loop, no_report, &reports, NULL), 0);
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &protocol, &giver, peer_destroy,
                                               NULL), 0);
        CHECK_INT(write(pair[1], "hello", 5), 5);
        settle(loop);
        CHECK_INT(giver.updated, small ? 5 : 0);
        CHECK_INT(giver.peer.lost, !small);
        CHECK_INT(reports, !small);
        if (!small)
            CHECK(giver.peer.code < 0);
        close(pair[1]);
        settle(loop);
        CHECK_INT(giver.peer.destroyed, 1);
        loop_unref(loop);
    }
}

/* A TCP connection, one end a transport. */
static int tcp_peer(struct peer *peer, loop_t *loop) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, length), 0);
    CHECK_INT(listen(listener, 1), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    CHECK_INT(connect(client, (struct sockaddr *)&address, length), 0);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(accepted >= 0);
    close(listener);
    peer->loop = loop;
    CHECK_INT(loop_connect_accepted_socket(loop, accepted, &peer_protocol, peer, peer_destroy,
                                           NULL), 0);
    return client;
}

/* With an end that waits behind a full buffer, and a close that waits, too. */
TEST(break_flow_a_reset_ends_what_waits_for_a_full_buffer) {
    static char block[8 << 20];
    for (int how = 0; how < 3; how++) {
        int before = open_fds(), destroyed = 0;
        loop_t *loop = loop_new();
        struct peer peer = {0};
        int client = tcp_peer(&peer, loop);
        struct linger reset = {.l_onoff = 1};
        settle(loop);
        CHECK_INT(loop_transport_write_owned(peer.transport, block, sizeof block, &destroyed,
                                             given_back), 0);
        CHECK_INT(loop_transport_write_eof(peer.transport), 0);
        CHECK_INT(loop_transport_write(peer.transport, "x", 1), LOOP_EINVALID_STATE);
        if (how == 1)
            CHECK_INT(loop_transport_close(peer.transport), 0);
        if (how == 2)
            CHECK_INT(loop_transport_pause_reading(peer.transport), 0);
        settle(loop);
        CHECK_INT(destroyed, 0);
        CHECK_INT(setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        close(client);
        for (long long end = now_ns() + 5000 * MS; peer.destroyed == 0 && now_ns() < end;)
            CHECK(loop_run_once(loop, 5 * MS) >= 0);
        CHECK_STR(peer.log.text, "mplD");
        CHECK(peer.code == -ECONNRESET || peer.code == -EPIPE);
        CHECK_INT(destroyed, 1);
        loop_unref(loop);
        CHECK_INT(open_fds(), before);
    }
}

TEST(break_flow_a_sendfile_paused_and_closed_is_sent_to_its_end) {
    static char block[3 << 20], got[3 << 20];
    char path[] = "/tmp/coloop-break-XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0);
    unlink(path);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i * 7 + i / 251);
    CHECK_INT(write(file, block, sizeof block), sizeof block);
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop);
    loop_future_t *future = NULL;
    void *sent = NULL;
    settle(loop);
    CHECK_INT(loop_transport_sendfile(peer.transport, file, 0, -1, &future), 0);
    close(file);
    CHECK_INT(loop_transport_pause_reading(peer.transport), 0);
    CHECK_INT(loop_transport_write_eof(peer.transport), 0);
    CHECK_INT(loop_transport_close(peer.transport), 0);
    CHECK_INT(loop_transport_resume_reading(peer.transport), 0);
    get_all(loop, other, got, sizeof got);
    settle(loop);
    CHECK(memcmp(got, block, sizeof got) == 0);
    CHECK_INT(loop_future_result(future, &sent), 0);
    CHECK_INT((intptr_t)sent, sizeof block);
    CHECK_STR(peer.log.text, "mlD");
    CHECK_INT(peer.code, 0);
    loop_future_unref(future);
    close(other);
    loop_unref(loop);
}

/* The number belongs to somebody else by then, but not to this loop. */
TEST(break_flow_a_descriptor_closed_behind_the_transport_harms_nobody_else) {
    loop_t *loop = loop_new();
    struct peer peer = {0}, second = {0};
    int other = peer_open(&peer, loop), reports = 0, third;
    CHECK_INT(loop_set_exception_handler(loop, no_report, &reports, NULL), 0);
    settle(loop);
    int fd = loop_transport_get_fd(peer.transport);
    CHECK_INT(close(fd), 0);
    CHECK_INT(loop_transport_write(peer.transport, "x", 1), 0); /* -EBADF: fatal */
    CHECK_INT(reports, 1);
    settle(loop);
    CHECK_STR(peer.log.text, "mlD");
    CHECK_INT(peer.code, -EBADF);
    third = peer_open(&second, loop);
    settle(loop);
    CHECK_INT(loop_transport_get_fd(second.transport), fd);
    CHECK_INT(write(third, "x", 1), 1);
    settle(loop);
    CHECK_STR(second.log.text, "md");
    close(third), close(other);
    settle(loop);
    CHECK_INT(second.destroyed, 1);
    loop_unref(loop);
}

/* Two loops in two threads, both ends transports, with tiny water marks. */
enum { AMOUNT = 4 << 20 };

struct talker {
    struct loop_thread thread;
    struct peer peer;
    int fd;
    size_t written;
};

static void talk_on(struct peer *peer) {
    static char block[10000];
    struct talker *talker = peer->extra;
    size_t waits = 0;
    while (talker->written < AMOUNT && waits == 0) {
        CHECK_INT(loop_transport_write(peer->transport, block, sizeof block), 0);
        talker->written += sizeof block;
        CHECK_INT(loop_transport_get_write_buffer_size(peer->transport, &waits), 0);
    }
    if (talker->written >= AMOUNT)
        CHECK_INT(loop_transport_write_eof(peer->transport), 0);
}

static void begin_to_talk(struct peer *peer) {
    CHECK_INT(loop_transport_set_write_buffer_limits(peer->transport, 0, 0), 0);
    talk_on(peer);
}

static void connect_talker(void *data) {
    struct talker *talker = data;
    talker->peer = (struct peer){.loop = talker->thread.loop, .on_made = begin_to_talk,
                                 .on_resume = talk_on, .keeps_open = 1, .extra = talker};
    CHECK_INT(loop_connect_accepted_socket(talker->thread.loop, talker->fd, &peer_protocol,
                                           &talker->peer, peer_destroy, NULL), 0);
}

static void close_talker(void *data) {
    struct talker *talker = data;
    CHECK_INT(loop_transport_close(talker->peer.transport), 0);
}

TEST(break_flow_two_loops_in_two_threads_fill_each_others_buffers) {
    struct talker talkers[2] = {{.fd = -1}, {.fd = -1}};
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i < 2; i++) {
        talkers[i].fd = pair[i];
        loop_thread_start(&talkers[i].thread);
        CHECK_INT(loop_call_soon_threadsafe(talkers[i].thread.loop, connect_talker, &talkers[i],
                                            NULL, NULL), 0);
    }
    for (int i = 0; i < 2; i++) {
        long long end = now_ns() + 25000 * MS;
        while (__atomic_load_n(&talkers[i].peer.received, __ATOMIC_SEQ_CST) < AMOUNT) {
            CHECK(now_ns() < end);
            sleep_ns(MS);
        }
    }
    for (int i = 0; i < 2; i++)
        CHECK_INT(loop_call_soon_threadsafe(talkers[i].thread.loop, close_talker, &talkers[i],
                                            NULL, NULL), 0);
    for (int i = 0; i < 2; i++) {
        loop_thread_end(&talkers[i].thread);
        CHECK_INT(talkers[i].peer.destroyed, 1);
        CHECK(talkers[i].peer.received == talkers[i].written);
    }
}
