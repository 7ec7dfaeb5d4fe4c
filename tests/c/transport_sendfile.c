/* Files sent through transports. */
#include "transport.h"
#include <fcntl.h>
#include <signal.h>

enum { LENGTH = 3 << 20 };

static char pattern(size_t position) {
    return (char)(position * 13 + position / 257);
}

static int make_file(size_t length) {
    char name[] = "/tmp/coloop-file-XXXXXX";
    int file = mkstemp(name);
    char *bytes = malloc(length);
    CHECK(file >= 0);
    unlink(name);
    for (size_t i = 0; i < length; i++)
        bytes[i] = pattern(i);
    CHECK_INT(write(file, bytes, length), length);
    free(bytes);
    return file;
}

/* Takes what is there, which must go on at file position *position. */
static void drain(int fd, size_t *position) {
    static char bytes[1 << 16];
    for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < got; i++, ++*position)
            CHECK(bytes[i] == pattern(*position));
}

static intptr_t finish(loop_t *loop, loop_future_t *future, int other, size_t *position) {
    void *result = NULL;
    while (loop_future_done(future) == 0) {
        drain(other, position);
        CHECK(loop_run_once(loop, 0) >= 0);
    }
    drain(other, position);
    CHECK_INT(loop_future_result(future, &result), 0);
    loop_future_unref(future);
    return (intptr_t)result;
}

TEST(transport_sends_a_file_after_what_waits_and_refuses_writes_meanwhile) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop), file = make_file(LENGTH), fds;
    size_t position = 0;
    loop_future_t *future = NULL, *second = NULL;
    settle(loop);
    fds = open_fds();
    char *bytes = malloc(1 << 20);
    for (size_t i = 0; i < 1 << 20; i++)
        bytes[i] = pattern(i);
    CHECK_INT(loop_transport_write(peer.transport, bytes, 1 << 20), 0);
    CHECK_INT(loop_transport_sendfile(peer.transport, file, 1 << 20, -1, &future), 0);
    CHECK_INT(loop_transport_write(peer.transport, "x", 1), LOOP_EINVALID_STATE);
    CHECK_STR(loop_last_error(), "unable to write; sendfile is in progress");
    CHECK_INT(loop_transport_sendfile(peer.transport, file, 0, -1, &second), LOOP_EINVALID_STATE);
    CHECK_INT(loop_transport_is_reading(peer.transport), 0);
    CHECK_INT(finish(loop, future, other, &position), LENGTH - (1 << 20));
    CHECK_INT(position, LENGTH);
    CHECK_INT(loop_transport_is_reading(peer.transport), 1);
    CHECK_INT(lseek(file, 0, SEEK_CUR), LENGTH);
    CHECK_INT(open_fds(), fds);
    /* Part of it, and more than there is. */
    position = 100;
    CHECK_INT(loop_transport_sendfile(peer.transport, file, 100, 5000, &future), 0);
    CHECK_INT(finish(loop, future, other, &position), 5000);
    position = LENGTH - 10;
    CHECK_INT(loop_transport_sendfile(peer.transport, file, LENGTH - 10, 5000, &future), 0);
    CHECK_INT(finish(loop, future, other, &position), 10);
    CHECK_INT(loop_transport_sendfile(peer.transport, file, 0, 0, &future), 0);
    CHECK_INT(finish(loop, future, other, &position), 0);
    CHECK_INT(loop_transport_sendfile(peer.transport, file, -1, 1, &future), LOOP_EINVAL);
    CHECK_INT(loop_transport_sendfile(peer.transport, file, 0, -2, &future), LOOP_EINVAL);
    CHECK_INT(loop_transport_sendfile(peer.transport, -1, 0, 1, &future), LOOP_EINVAL);
    CHECK_INT(loop_transport_sendfile(peer.transport, 1000, 0, 1, &future), -EBADF);
    CHECK_INT(loop_transport_sendfile(peer.transport, file, 0, 1, NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_write(peer.transport, "x", 1), 0);
    CHECK_INT(loop_transport_close(peer.transport), 0);
    CHECK_INT(loop_transport_sendfile(peer.transport, file, 0, 1, &future), LOOP_EINVALID_STATE);
    settle(loop);
    CHECK_STR(peer.log.text, "mprlD");
    free(bytes);
    close(file), close(other);
    loop_unref(loop);
}

TEST(transport_close_and_write_eof_wait_for_the_file) {
    for (int i = 0; i < 2; i++) {
        loop_t *loop = loop_new();
        struct peer peer = {0};
        int other = peer_open(&peer, loop), file = make_file(LENGTH);
        size_t position = 0;
        loop_future_t *future = NULL;
        settle(loop);
        CHECK_INT(loop_transport_sendfile(peer.transport, file, 0, -1, &future), 0);
        close(file);
        CHECK_INT(i == 0 ? loop_transport_close(peer.transport)
                         : loop_transport_write_eof(peer.transport), 0);
        CHECK_INT(finish(loop, future, other, &position), LENGTH);
        settle(loop);
        CHECK_INT(position, LENGTH);
        char byte;
        CHECK_INT(read(other, &byte, 1), 0);
        CHECK_STR(peer.log.text, i == 0 ? "mlD" : "m");
        close(other);
        loop_unref(loop);
        CHECK_INT(peer.destroyed, 1);
    }
}

TEST(transport_sendfile_is_cancelled_and_reading_goes_on) {
    for (int i = 0; i < 2; i++) {
        loop_t *loop = loop_new();
        struct peer peer = {0};
        int other = peer_open(&peer, loop), file = make_file(LENGTH), fds;
        size_t position = 0;
        loop_future_t *future = NULL;
        settle(loop);
        fds = open_fds();
        CHECK_INT(loop_transport_sendfile(peer.transport, file, 0, -1, &future), 0);
        CHECK_INT(open_fds(), fds + 1);
        settle(loop);
        if (i == 1)
            CHECK_INT(loop_transport_close(peer.transport), 0);
        CHECK_INT(loop_future_cancel(future, NULL), 1);
        CHECK_INT(open_fds(), fds);
        CHECK_INT(peer.lost, 0);
        CHECK_INT(loop_transport_is_reading(peer.transport), i == 0);
        drain(other, &position);
        CHECK(position > 0 && position < LENGTH);
        if (i == 0) {
            CHECK_INT(loop_transport_write(peer.transport, "", 1), 0);
            settle(loop);
            char byte;
            CHECK_INT(read(other, &byte, 1), 1);
            CHECK_INT(write(other, "x", 1), 1);
            settle(loop);
            CHECK_INT(peer.received, 1);
        } else {
            settle(loop);
            CHECK_STR(peer.log.text, "mlD");
        }
        loop_future_unref(future);
        close(other), close(file);
        loop_unref(loop);
        CHECK_INT(peer.destroyed, 1);
    }
}

TEST(transport_sendfile_fails_with_the_connection) {
    signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 3; i++) {
        loop_t *loop = loop_new();
        struct peer peer = {0};
        int other = peer_open(&peer, loop), file = make_file(LENGTH);
        loop_future_t *future = NULL;
        settle(loop);
        CHECK_INT(loop_transport_sendfile(peer.transport, file, 0, -1, &future), 0);
        settle(loop);
        if (i == 0)
            close(other);
        else if (i == 1)
            CHECK_INT(loop_transport_abort(peer.transport), 0);
        else
            CHECK_INT(loop_transport_fail(peer.transport, -EPROTO, NULL), 0);
        settle(loop);
        CHECK_INT(loop_future_result(future, NULL),
                  i == 0 ? (ON_WINDOWS ? -ECONNRESET : -EPIPE) : i == 1 ? -ECONNABORTED : -EPROTO);
        CHECK_STR(peer.log.text, "mlD");
        loop_future_unref(future);
        close(file);
        if (i != 0)
            close(other);
        loop_unref(loop);
    }
}

TEST(transport_sendfile_reads_where_the_system_cannot_do_it_alone) {
    /* No sendfile from there. */
    int file = open("/proc/self/mem", O_RDONLY), fds;
    static char bytes[100000];
    size_t position = 0;
    loop_t *loop = loop_new();
    struct peer peer = {0};
    loop_future_t *future = NULL;
    int other = peer_open(&peer, loop);
    CHECK(file >= 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = pattern(i);
    settle(loop);
    fds = open_fds();
    CHECK_INT(loop_transport_sendfile(peer.transport, file, (int64_t)(intptr_t)bytes, sizeof bytes,
                                      &future), 0);
    CHECK_INT(finish(loop, future, other, &position), sizeof bytes);
    CHECK_INT(position, sizeof bytes);
    /* What cannot be read fails, and the connection goes on. */
    void *result;
    int ends[2];
    open_pipe(ends);
    CHECK_INT(loop_transport_sendfile(peer.transport, ends[0], 0, 10, &future), 0);
    settle(loop);
    CHECK_INT(loop_future_result(future, &result), -ESPIPE);
    loop_future_unref(future);
    close(ends[0]), close(ends[1]);
    CHECK_INT(open_fds(), fds);
    CHECK_INT(loop_transport_is_reading(peer.transport), 1);
    CHECK_INT(loop_transport_write(peer.transport, "x", 1), 0);
    close(file);
    loop_unref(loop);
    close(other);
}

TEST(transport_sendfile_stays_pending_when_the_loop_is_closed) {
    int fds = open_fds();
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop), file = make_file(LENGTH);
    loop_future_t *kept = NULL, *forgotten = NULL;
    struct peer second = {0};
    int another = peer_open(&second, loop);
    settle(loop);
    CHECK_INT(loop_transport_sendfile(peer.transport, file, 0, -1, &kept), 0);
    CHECK_INT(loop_transport_sendfile(second.transport, file, 0, -1, &forgotten), 0);
    loop_future_unref(forgotten);
    settle(loop);
    CHECK_INT(loop_close(loop), 0);
    CHECK_STR(peer.log.text, "mD");
    CHECK_INT(loop_future_done(kept), 0);
    close(file), close(other), close(another);
    CHECK_INT(open_fds(), fds);
    loop_future_unref(kept);
    loop_unref(loop);
}
