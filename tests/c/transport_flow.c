/* Stream transports: writing, water marks, half-close. */
#include "transport.h"
#include <fcntl.h>
#include <sys/uio.h>

enum { CHUNK = 16 * 1024, HIGH = 64 * 1024, LOW = 16 * 1024 };

static char pattern(size_t position) {
    return (char)(position * 7 + position / 251);
}

static size_t waiting(struct peer *peer) {
    size_t size = 0;
    CHECK_INT(loop_transport_get_write_buffer_size(peer->transport, &size), 0);
    return size;
}

/* Takes what is there, and checks that it goes on at *position. */
static void drain(int fd, size_t *position) {
    static char bytes[1 << 16];
    for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < got; i++, ++*position)
            CHECK(bytes[i] == pattern(*position));
}

/* Writes chunks as long as the protocol is not paused. */
struct writer {
    struct peer peer;
    size_t written, total, most;
    int paused;
};

static void write_on(struct peer *peer) {
    struct writer *writer = (struct writer *)peer;
    char bytes[CHUNK];
    while (!writer->paused && writer->written < writer->total) {
        size_t length = writer->total - writer->written;
        length = length < CHUNK ? length : CHUNK;
        for (size_t i = 0; i < length; i++)
            bytes[i] = pattern(writer->written + i);
        writer->written += length;
        CHECK_INT(loop_transport_write(peer->transport, bytes, length), 0);
        writer->most = waiting(peer) > writer->most ? waiting(peer) : writer->most;
    }
    if (writer->written == writer->total)
        CHECK_INT(loop_transport_close(peer->transport), 0);
}

static void is_paused(struct peer *peer) {
    CHECK(waiting(peer) > HIGH);
    ((struct writer *)peer)->paused = 1;
}

static void is_resumed(struct peer *peer) {
    CHECK(waiting(peer) <= LOW);
    ((struct writer *)peer)->paused = 0;
    write_on(peer);
}

TEST(transport_water_marks_bound_the_memory_of_a_fast_writer_with_a_slow_reader) {
    loop_t *loop = loop_new();
    struct writer writer = {
        .peer = {.on_made = write_on, .on_pause = is_paused, .on_resume = is_resumed},
        .total = in_valgrind() ? 1 << 20 : 10 << 20,
    };
    size_t got = 0, high = 0, low = 0;
    int other = peer_open(&writer.peer, loop), pauses = 0;
    settle(loop);
    CHECK_INT(loop_transport_get_write_buffer_limits(writer.peer.transport, &high, &low), 0);
    CHECK_INT(high, HIGH);
    CHECK_INT(low, LOW);
    while (!writer.peer.destroyed) {
        drain(other, &got);
        settle(loop);
    }
    drain(other, &got);
    CHECK_INT(got, writer.total);
    CHECK(writer.most > HIGH && writer.most <= HIGH + CHUNK);
    /* made, then pause and resume in turn, then lost. */
    char last = 'r';
    for (size_t i = 1; i < writer.peer.log.length; i++) {
        char mark = writer.peer.log.text[i];
        if (mark == 'l')
            break;
        CHECK((mark == 'p' || mark == 'r') && mark != last);
        last = mark;
        pauses += mark == 'p';
    }
    CHECK(pauses > 2);
    close(other);
    loop_unref(loop);
}

TEST(transport_writes_ten_megabytes_at_once) {
    size_t total = in_valgrind() ? 1 << 20 : 10 << 20, got = 0;
    char *bytes = malloc(total);
    for (size_t i = 0; i < total; i++)
        bytes[i] = pattern(i);
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop);
    settle(loop);
    CHECK_INT(loop_transport_write(peer.transport, bytes, total), 0);
    free(bytes);
    CHECK_STR(peer.log.text, "mp");
    /* Closing flushes first. */
    CHECK_INT(loop_transport_close(peer.transport), 0);
    CHECK_INT(loop_transport_is_closing(peer.transport), 1);
    while (!peer.destroyed) {
        drain(other, &got);
        settle(loop);
    }
    drain(other, &got);
    CHECK_INT(got, total);
    CHECK_STR(peer.log.text, "mprlD");
    CHECK_INT(peer.code, 0);
    CHECK_INT(read(other, &got, 1), 0);
    close(other);
    loop_unref(loop);
}

TEST(transport_limits_have_asyncios_defaults_and_pause_at_once) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    size_t high = 0, low = 0, none = (size_t)-1;
    int other = peer_open(&peer, loop);
    static char block[1 << 20];
    settle(loop);
    loop_transport_t *transport = peer.transport;
    CHECK_INT(loop_transport_set_write_buffer_limits(transport, none, 100), 0);
    CHECK_INT(loop_transport_get_write_buffer_limits(transport, &high, &low), 0);
    CHECK(high == 400 && low == 100);
    CHECK_INT(loop_transport_set_write_buffer_limits(transport, 100, none), 0);
    CHECK_INT(loop_transport_get_write_buffer_limits(transport, &high, &low), 0);
    CHECK(high == 100 && low == 25);
    CHECK_INT(loop_transport_set_write_buffer_limits(transport, 100, 101), LOOP_EINVAL);
    CHECK_INT(loop_transport_set_write_buffer_limits(transport, none - 1, 0), 0);
    CHECK_INT(loop_transport_write(transport, block, sizeof block), 0);
    CHECK(waiting(&peer) > 0);
    CHECK_STR(peer.log.text, "m");
    CHECK_INT(loop_transport_set_write_buffer_limits(transport, 0, none), 0);
    CHECK_STR(peer.log.text, "mp");
    CHECK_INT(loop_transport_get_write_buffer_size(transport, NULL), LOOP_EINVAL);
    close(other);
    settle(loop);
    CHECK_INT(peer.destroyed, 1);
    loop_unref(loop);
}

TEST(transport_writev_sends_pieces_in_order_though_the_kernel_is_full) {
    enum { PIECES = 3000, LENGTH = 700 };
    loop_t *loop = loop_new();
    struct peer peer = {0};
    size_t got = 0;
    int other = peer_open(&peer, loop);
    static char bytes[PIECES * LENGTH];
    static loop_iovec_t pieces[PIECES + 1];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = pattern(i);
    for (size_t i = 0; i < PIECES; i++)
        pieces[i] = (loop_iovec_t){bytes + i * LENGTH, LENGTH};
    pieces[PIECES] = (loop_iovec_t){NULL, 0};
    settle(loop);
    CHECK_INT(loop_transport_writev(peer.transport, pieces, 0), 0);
    CHECK_INT(loop_transport_writev(peer.transport, NULL, 0), 0);
    CHECK_INT(loop_transport_writev(peer.transport, NULL, 1), LOOP_EINVAL);
    CHECK_INT(loop_transport_writev(peer.transport, &(loop_iovec_t){NULL, 1}, 1), LOOP_EINVAL);
    CHECK_INT(loop_transport_writev(peer.transport, pieces, 2), 0);
    CHECK_INT(waiting(&peer), 0);
    CHECK_INT(loop_transport_writev(peer.transport, pieces + 2, PIECES - 1), 0);
    CHECK(waiting(&peer) > 0);
    memset(bytes, 0, sizeof bytes);
    while (got < sizeof bytes) {
        drain(other, &got);
        settle(loop);
    }
    CHECK_INT(waiting(&peer), 0);
    close(other);
    loop_unref(loop);
}

TEST(transport_write_owned_lets_go_once_when_everything_is_sent) {
    enum { LENGTH = 1 << 20 };
    loop_t *loop = loop_new();
    struct peer peer = {0};
    size_t got = 0;
    int other = peer_open(&peer, loop), small = 0, large = 0, after = 0;
    char *bytes = malloc(LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = pattern(i);
    settle(loop);
    CHECK_INT(loop_transport_write_owned(peer.transport, bytes, 10, &small, count), 0);
    CHECK_INT(small, 1);
    CHECK_INT(loop_transport_write_owned(peer.transport, bytes + 10, LENGTH - 30, &large, count), 0);
    CHECK_INT(large, 0);
    CHECK_INT(loop_transport_write(peer.transport, bytes + LENGTH - 20, 10), 0);
    CHECK_INT(loop_transport_write_owned(peer.transport, bytes + LENGTH - 10, 10, &after, count), 0);
    CHECK_INT(after, 0);
    while (got < LENGTH) {
        drain(other, &got);
        settle(loop);
    }
    CHECK(small == 1 && large == 1 && after == 1);
    /* Dropped by abort, and without a connection. */
    CHECK_INT(loop_transport_write_owned(peer.transport, bytes, LENGTH, &large, count), 0);
    CHECK_INT(loop_transport_abort(peer.transport), 0);
    CHECK_INT(large, 2);
    CHECK_INT(loop_transport_write_owned(peer.transport, bytes, LENGTH, &large, count), 0);
    CHECK_INT(large, 3);
    settle(loop);
    CHECK_STR(peer.log.text, "mprplD");
    free(bytes);
    close(other);
    loop_unref(loop);
}

TEST(transport_stays_open_for_writing_when_the_protocol_wants_to) {
    loop_t *loop = loop_new();
    struct peer peer = {.keeps_open = 1};
    char bytes[8] = {0};
    int other = peer_open(&peer, loop);
    CHECK_INT(write(other, "x", 1), 1);
    CHECK_INT(shutdown(other, SHUT_WR), 0);
    settle(loop);
    CHECK_STR(peer.log.text, "mde");
    CHECK_INT(loop_transport_is_closing(peer.transport), 0);
    /* The end comes once. */
    CHECK_INT(loop_transport_pause_reading(peer.transport), 0);
    CHECK_INT(loop_transport_resume_reading(peer.transport), 0);
    settle(loop);
    CHECK_STR(peer.log.text, "mde");
    CHECK_INT(loop_transport_write(peer.transport, "later", 5), 0);
    CHECK_INT(read(other, bytes, sizeof bytes), 5);
    CHECK_STR(bytes, "later");
    CHECK_INT(loop_transport_close(peer.transport), 0);
    settle(loop);
    CHECK_STR(peer.log.text, "mdelD");
    CHECK_INT(read(other, bytes, sizeof bytes), 0);
    close(other);
    loop_unref(loop);
}

TEST(transport_write_eof_ends_this_direction_after_what_waits) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    size_t got = 0;
    char *bytes = malloc(1 << 20);
    for (size_t i = 0; i < 1 << 20; i++)
        bytes[i] = pattern(i);
    int other = peer_open(&peer, loop);
    settle(loop);
    CHECK_INT(loop_transport_can_write_eof(peer.transport), 1);
    CHECK_INT(loop_transport_write(peer.transport, bytes, 1 << 20), 0);
    CHECK_INT(loop_transport_write_eof(peer.transport), 0);
    CHECK_INT(loop_transport_write_eof(peer.transport), 0);
    CHECK_INT(loop_transport_write(peer.transport, "x", 1), LOOP_EINVALID_STATE);
    CHECK_STR(loop_last_error(), "Cannot call write() after write_eof()");
    while (got < 1 << 20) {
        drain(other, &got);
        settle(loop);
    }
    CHECK_INT(read(other, bytes, 1), 0);
    /* The other direction goes on. */
    CHECK_INT(write(other, "x", 1), 1);
    settle(loop);
    CHECK_STR(peer.log.text, "mprd");
    close(other);
    settle(loop);
    CHECK_STR(peer.log.text, "mprdelD");
    free(bytes);
    loop_unref(loop);
}

static char there[8];
static int sizes[3], next_size;

static int get_buffer(loop_transport_t *transport, size_t hint, void **buffer, size_t *size,
                      void *data) {
    (void)transport, (void)data;
    CHECK(hint > 0);
    *buffer = there;
    *size = sizeof there;
    return 0;
}

static void buffer_updated(loop_transport_t *transport, size_t length, void *data) {
    (void)transport, (void)data;
    CHECK(next_size < 3);
    sizes[next_size++] = (int)length;
}

static const loop_protocol_t buffered_protocol = {
    .size = sizeof(loop_protocol_t),
    .connection_made = peer_made,
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
    .eof_received = peer_eof,
    .connection_lost = peer_lost,
};

TEST(transport_receives_into_the_buffer_of_the_protocol) {
    loop_t *loop = loop_new();
    struct peer peer = {0}, buffered = {0};
    int other = peer_open(&peer, loop);
    settle(loop);
    loop_transport_t *transport = peer.transport;
    CHECK_INT(loop_transport_set_protocol(transport, &buffered_protocol, &buffered, peer_destroy), 0);
    CHECK_STR(peer.log.text, "mD");
    CHECK(loop_transport_get_protocol(transport) == &buffered);
    CHECK_INT(write(other, "0123456789", 10), 10);
    settle(loop);
    CHECK(next_size == 2 && sizes[0] == 8 && sizes[1] == 2);
    CHECK(memcmp(there, "89234567", 8) == 0);
    close(other);
    settle(loop);
    CHECK_STR(buffered.log.text, "elD");
    loop_unref(loop);
}

static int no_buffer(loop_transport_t *transport, size_t hint, void **buffer, size_t *size,
                     void *data) {
    (void)transport, (void)hint;
    *buffer = there;
    *size = 0;
    return ((struct peer *)data)->keeps_open;
}

static void take_report(loop_t *loop, const loop_exception_context_t *context, void *data) {
    (void)loop;
    snprintf(data, 64, "%d %s", context->code, context->message);
}

TEST(transport_ends_when_get_buffer_fails) {
    const loop_protocol_t protocol = {
        .size = sizeof protocol, .get_buffer = no_buffer, .connection_lost = peer_lost};
    const char *reports[] = {"-1010 Fatal error: protocol.get_buffer() call failed.",
                             "-77 Fatal error: protocol.get_buffer() call failed."};
    for (int i = 0; i < 2; i++) {
        loop_t *loop = loop_new();
        struct peer peer = {.keeps_open = i == 0 ? 0 : -77};
        char report[64] = "";
        int pair[2];
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        CHECK_INT(loop_set_exception_handler(loop, take_report, report, NULL), 0);
        CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &protocol, &peer, peer_destroy,
                                               NULL), 0);
        CHECK_INT(write(pair[1], "x", 1), 1);
        settle(loop);
        CHECK_STR(peer.log.text, "lD");
        CHECK_INT(peer.code, i == 0 ? LOOP_EINVAL : -77);
        CHECK_STR(report, reports[i]);
        close(pair[1]);
        loop_unref(loop);
    }
}

TEST(transport_without_any_protocol_function_discards_and_ends) {
    const loop_protocol_t protocol = {.size = sizeof(size_t)};
    loop_t *loop = loop_new();
    int pair[2], destroyed = 0;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &protocol, &destroyed, count, NULL), 0);
    CHECK_INT(write(pair[1], "x", 1), 1);
    settle(loop);
    CHECK_INT(destroyed, 0);
    close(pair[1]);
    settle(loop);
    CHECK_INT(destroyed, 1);
    loop_unref(loop);
}
