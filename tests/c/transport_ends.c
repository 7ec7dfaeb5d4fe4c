/* Stream transports: how they end, also in the middle of their own callbacks. */
#include "transport.h"
#include <netinet/in.h>
#include <signal.h>

static char reports[4][128];
static int report_count;

static void take_report(loop_t *loop, const loop_exception_context_t *context, void *data) {
    (void)loop, (void)data;
    CHECK(report_count < 4);
    snprintf(reports[report_count++], 128, "%d %s", context->code, context->message);
}

/* A connected pair of TCP sockets. */
static void tcp_pair(int pair[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(listener, 1), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(connect(pair[1], (struct sockaddr *)&address, sizeof address), 0);
    pair[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(pair[0] >= 0);
    close(listener);
}

static void reset(int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fd);
}

static void run_until_lost(struct peer *peer) {
    while (!peer->destroyed)
        CHECK(loop_run_once(peer->loop, -1) >= 0);
}

TEST(transport_tells_a_reset_and_reports_it_to_nobody_else) {
    loop_t *loop = loop_new();
    struct peer peer = {.loop = loop};
    int pair[2];
    tcp_pair(pair);
    CHECK_INT(loop_set_exception_handler(loop, take_report, NULL, NULL), 0);
    CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &peer_protocol, &peer, peer_destroy,
                                           NULL), 0);
    settle(loop);
    reset(pair[1]);
    run_until_lost(&peer);
    CHECK_STR(peer.log.text, "mlD");
    CHECK_INT(peer.code, -ECONNRESET);
    CHECK_STR(peer.message, loop_strerror(-ECONNRESET));
    CHECK_INT(report_count, 0);
    loop_unref(loop);
}

TEST(transport_is_not_kept_busy_by_urgent_data) {
    loop_t *loop = loop_new();
    struct peer peer = {.loop = loop};
    int pair[2], turns = 0;
    tcp_pair(pair);
    CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &peer_protocol, &peer, peer_destroy,
                                           NULL), 0);
    settle(loop);
    CHECK_INT(send(pair[1], "!", 1, MSG_OOB), 1);
    for (int i = 0; i < 100; i++)
        turns += loop_run_once(loop, MS) > 0;
    CHECK(turns < 10);
    CHECK_INT(write(pair[1], "x", 1), 1);
    while (peer.received == 0)
        CHECK(loop_run_once(loop, -1) >= 0);
    close(pair[1]);
    run_until_lost(&peer);
    CHECK_STR(peer.log.text, "mdelD");
    loop_unref(loop);
}

TEST(transport_whose_peer_resets_while_much_waits_drops_it) {
    static char block[4 << 20];
    loop_t *loop = loop_new();
    struct peer peer = {.loop = loop};
    int pair[2];
    tcp_pair(pair);
    CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &peer_protocol, &peer, peer_destroy,
                                           NULL), 0);
    settle(loop);
    loop_transport_pause_reading(peer.transport);
    while (strcmp(peer.log.text, "mp") != 0)
        CHECK_INT(loop_transport_write(peer.transport, block, sizeof block), 0);
    reset(pair[1]);
    run_until_lost(&peer);
    CHECK_STR(peer.log.text, "mplD");
    CHECK(peer.code == -ECONNRESET || peer.code == -EPIPE);
    loop_unref(loop);
}

TEST(transport_write_to_a_peer_that_is_gone_raises_no_signal) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop);
    signal(SIGPIPE, SIG_DFL);
    CHECK_INT(loop_set_exception_handler(loop, take_report, NULL, NULL), 0);
    settle(loop);
    loop_transport_t *transport = loop_transport_ref(peer.transport);
    CHECK_INT(loop_transport_pause_reading(transport), 0);
    close(other);
    CHECK_INT(loop_transport_write(transport, "x", 1), 0);
    CHECK_INT(loop_transport_is_closing(transport), 1);
    CHECK_STR(peer.log.text, "m");
    settle(loop);
    CHECK_STR(peer.log.text, "mlD");
    CHECK_INT(peer.code, -EPIPE);
    /* Writes are dropped then; from the fifth on that is reported. */
    for (int i = 0; i < 4; i++)
        CHECK_INT(loop_transport_write(transport, "x", 1), 0);
    CHECK_INT(report_count, 0);
    CHECK_INT(loop_transport_write(transport, "x", 1), 0);
    CHECK_INT(report_count, 1);
    CHECK_STR(reports[0], "0 socket.send() raised exception.");
    loop_transport_unref(transport);
    loop_unref(loop);
}

TEST(transport_abort_drops_what_waits_and_comes_later) {
    static char block[1 << 20];
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop);
    settle(loop);
    CHECK_INT(loop_transport_write(peer.transport, block, sizeof block), 0);
    CHECK_INT(loop_transport_abort(peer.transport), 0);
    CHECK_INT(loop_transport_abort(peer.transport), 0);
    CHECK_INT(loop_transport_close(peer.transport), 0);
    CHECK_STR(peer.log.text, "mp");
    settle(loop);
    CHECK_STR(peer.log.text, "mplD");
    CHECK_INT(peer.code, 0);
    close(other);
    loop_unref(loop);
}

TEST(transport_fails_for_a_reason_of_the_hosts) {
    loop_t *loop = loop_new();
    for (int i = 0; i < 2; i++) {
        struct peer peer = {0};
        int other = peer_open(&peer, loop);
        settle(loop);
        CHECK_INT(loop_transport_fail(peer.transport, 5, "no"), LOOP_EINVAL);
        CHECK_INT(loop_transport_fail(peer.transport, -EPROTO, i == 0 ? "bad words" : NULL), 0);
        settle(loop);
        CHECK_STR(peer.log.text, "mlD");
        CHECK_INT(peer.code, -EPROTO);
        CHECK_STR(peer.message, i == 0 ? "bad words" : loop_strerror(-EPROTO));
        close(other);
    }
    loop_unref(loop);
}

TEST(transport_closed_before_it_was_made_is_made_and_lost) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int pair[2];
    loop_transport_t *transport;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &peer_protocol, &peer, peer_destroy,
                                               &transport), 0);
        CHECK_INT(write(pair[1], "x", 1), 1);
        CHECK_INT(i == 0 ? loop_transport_close(transport) : loop_transport_abort(transport), 0);
        loop_transport_unref(transport);
        settle(loop);
        CHECK_STR(peer.log.text, "mlD");
        memset(&peer, 0, sizeof peer);
        close(pair[1]);
    }
    loop_unref(loop);
}

/* What a callback may do to its own transport. */
static void do_close(struct peer *peer) { CHECK_INT(loop_transport_close(peer->transport), 0); }
static void do_abort(struct peer *peer) { CHECK_INT(loop_transport_abort(peer->transport), 0); }
static void do_unref(struct peer *peer) {
    loop_transport_t *transport = peer->extra;
    peer->extra = NULL;
    loop_transport_unref(transport);
}
static void do_all(struct peer *peer) {
    do_close(peer);
    do_abort(peer);
    do_unref(peer);
}
static void ending_data(struct peer *peer, const void *bytes, size_t length) {
    void (*action)(struct peer *) = peer->on_eof;
    (void)bytes, (void)length;
    action(peer);
}

typedef void action(struct peer *);

/* Makes a transport to which everything happens; `extra` is the host's only reference. */
static void everything(struct peer *peer, loop_t *loop, const char *expected) {
    static char block[1 << 20];
    loop_transport_t *transport;
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    peer->loop = loop;
    CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &peer_protocol, peer, peer_destroy,
                                           &transport), 0);
    peer->extra = transport;
    settle(loop);
    if (peer->extra != NULL && !loop_transport_is_closing(transport))
        CHECK_INT(loop_transport_write(transport, block, sizeof block), 0);
    for (int i = 0; i < 50; i++) {
        while (read(pair[1], block, sizeof block) > 0) {
        }
        settle(loop);
    }
    (void)!send(pair[1], "x", 1, MSG_NOSIGNAL);
    settle(loop);
    close(pair[1]);
    settle(loop);
    CHECK_STR(peer->log.text, expected);
    CHECK_INT(peer->destroyed, 1);
    if (peer->extra != NULL)
        loop_transport_unref(peer->extra);
}

TEST(transport_may_be_ended_in_each_of_its_callbacks) {
    action *actions[] = {do_close, do_abort, do_all, do_unref};
    int fds = open_fds();
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        loop_t *loop = loop_new();
        int stays = actions[i] == do_unref;
        struct peer made = {.on_made = actions[i]}, paused = {.on_pause = actions[i]},
                    resumed = {.on_resume = actions[i]}, data = {0},
                    ended = {.on_eof = actions[i], .keeps_open = 0}, lost = {.on_lost = actions[i]};
        CHECK_INT(loop_set_exception_handler(loop, take_report, NULL, NULL), 0);
        everything(&made, loop, stays ? "mdelD" : "mlD");
        /* What waits is still sent after close, which resumes. */
        everything(&paused, loop, stays ? "mprdelD" : i == 0 ? "mprlD" : "mplD");
        everything(&resumed, loop, stays ? "mprdelD" : "mprlD");
        data.on_data = ending_data, data.on_eof = actions[i];
        everything(&data, loop, stays ? "mprdelD" : "mprdlD");
        everything(&ended, loop, "mprdelD");
        if (i != 2)
            everything(&lost, loop, "mprdelD");
        loop_unref(loop);
        CHECK_INT(report_count, 0);
    }
    CHECK_INT(open_fds(), fds);
}

static struct peer second;

static void switch_protocol(struct peer *peer, const void *bytes, size_t length) {
    CHECK(memcmp(bytes, "first", 5) == 0 && length == 5);
    CHECK_INT(loop_transport_set_protocol(peer->transport, &peer_protocol, &second, peer_destroy),
              0);
    /* It is in use until this returns. */
    CHECK_INT(peer->destroyed, 0);
    CHECK(loop_transport_get_protocol(peer->transport) == &second);
    second.transport = peer->transport;
}

TEST(transport_switches_its_protocol_in_the_middle_of_a_stream) {
    loop_t *loop = loop_new();
    struct peer first = {.on_data = switch_protocol};
    char bytes[16] = {0};
    int other = peer_open(&first, loop), refused = 0;
    second.bytes = bytes, second.room = sizeof bytes;
    settle(loop);
    CHECK_INT(write(other, "first", 5), 5);
    settle(loop);
    CHECK_STR(first.log.text, "mdD");
    CHECK_INT(write(other, "second", 6), 6);
    settle(loop);
    CHECK_STR(bytes, "second");
    CHECK_INT(loop_transport_set_protocol(second.transport, NULL, &refused, count), LOOP_EINVAL);
    CHECK_INT(refused, 1);
    loop_transport_t *transport = loop_transport_ref(second.transport);
    close(other);
    settle(loop);
    CHECK_STR(first.log.text, "mdD");
    CHECK_STR(second.log.text, "delD");
    CHECK_INT(loop_transport_set_protocol(transport, &peer_protocol, &refused, count),
              LOOP_EINVALID_STATE);
    CHECK_INT(refused, 2);
    loop_transport_unref(transport);
    loop_unref(loop);
}

static int busy_get_buffer(loop_transport_t *transport, size_t hint, void **buffer, size_t *size,
                           void *data) {
    static char place[8];
    struct peer *peer = data;
    (void)hint;
    record(&peer->log, 'g');
    *buffer = place;
    *size = sizeof place;
    if (peer->extra == NULL)
        CHECK_INT(loop_transport_set_protocol(transport, &peer_protocol, &second, peer_destroy), 0);
    else
        CHECK_INT(loop_transport_abort(transport), 0);
    CHECK_INT(peer->destroyed, 0);
    return 0;
}

TEST(transport_whose_get_buffer_switches_or_closes_receives_nothing_into_it) {
    const loop_protocol_t protocol = {
        .size = sizeof protocol, .get_buffer = busy_get_buffer, .connection_lost = peer_lost};
    loop_t *loop = loop_new();
    for (int i = 0; i < 2; i++) {
        struct peer peer = {.extra = i == 0 ? NULL : loop};
        int pair[2];
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &protocol, &peer, peer_destroy,
                                               NULL), 0);
        CHECK_INT(write(pair[1], "hello", 5), 5);
        settle(loop);
        CHECK_STR(peer.log.text, i == 0 ? "gD" : "glD");
        if (i == 0)
            CHECK_INT(second.received, 5);
        close(pair[1]);
        settle(loop);
    }
    loop_unref(loop);
}

static void close_loop(struct peer *peer) {
    CHECK_INT(loop_close(peer->loop), 0);
    record(&peer->log, 'c');
}

TEST(transport_whose_pause_writing_closes_the_loop_ends_after_it) {
    static char block[1 << 20];
    loop_t *loop = loop_new();
    struct peer peer = {.on_pause = close_loop};
    int fds, other = peer_open(&peer, loop);
    settle(loop);
    fds = open_fds();
    CHECK_INT(loop_transport_write(peer.transport, block, sizeof block), 0);
    CHECK_STR(peer.log.text, "mpcD");
    CHECK(open_fds() < fds);
    close(other);
    loop_unref(loop);
}

static void lose_loop(struct peer *peer) {
    loop_stop(peer->loop);
    loop_unref(peer->loop);
}

TEST(transport_may_give_back_the_last_reference_of_its_loop) {
    int fds = open_fds();
    struct peer peer = {.on_lost = lose_loop};
    loop_t *loop = loop_new();
    int other = peer_open(&peer, loop);
    close(other);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_STR(peer.log.text, "melD");
    CHECK_INT(open_fds(), fds);
}

static loop_transport_t *destroyed_transport;

static void destroy_and_call(void *data) {
    /* A destructor that uses what it has. */
    loop_transport_write(destroyed_transport, "x", 1);
    loop_transport_abort(destroyed_transport);
    CHECK(loop_transport_get_protocol(destroyed_transport) == NULL);
    loop_transport_unref(destroyed_transport);
    count(data);
}

TEST(transport_may_be_used_in_the_destructor_of_its_protocol) {
    for (int i = 0; i < 2; i++) {
        loop_t *loop = loop_new();
        int pair[2], destroyed = 0;
        const loop_protocol_t protocol = {.size = sizeof protocol};
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &protocol, &destroyed,
                                               destroy_and_call, &destroyed_transport), 0);
        if (i == 0) {
            close(pair[1]);
            settle(loop);
            CHECK_INT(destroyed, 1);
        }
        loop_unref(loop);
        CHECK_INT(destroyed, 1);
        if (i == 1)
            close(pair[1]);
    }
}
