/* Pipe transports: one direction each. */
#include "transport.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

static void read_pipe(struct peer *peer, loop_t *loop, int fd) {
    peer->loop = loop;
    CHECK_INT(loop_connect_read_pipe(loop, fd, &peer_protocol, peer, peer_destroy, NULL), 0);
    settle(loop);
}

static void write_pipe(struct peer *peer, loop_t *loop, int fd) {
    peer->loop = loop;
    CHECK_INT(loop_connect_write_pipe(loop, fd, &peer_protocol, peer, peer_destroy, NULL), 0);
    settle(loop);
}

TEST(transport_read_pipe_reads_until_the_writer_closes) {
    loop_t *loop = loop_new();
    char bytes[16] = {0};
    struct peer peer = {.bytes = bytes, .room = sizeof bytes, .keeps_open = 1};
    int fds = open_fds(), ends[2];
    void *value = NULL;
    CHECK_INT(pipe(ends), 0);
    read_pipe(&peer, loop, ends[0]);
    CHECK_INT(loop_transport_get_extra_info(peer.transport, "pipe", &value), 0);
    CHECK_INT((intptr_t)value, ends[0]);
    CHECK(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    CHECK(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
    CHECK_INT(loop_transport_write(peer.transport, "x", 1), LOOP_ENOTSUP);
    CHECK_INT(loop_transport_write_eof(peer.transport), LOOP_ENOTSUP);
    CHECK_INT(loop_transport_can_write_eof(peer.transport), 0);
    CHECK_INT(write(ends[1], "hello", 5), 5);
    settle(loop);
    CHECK_STR(bytes, "hello");
    CHECK_INT(loop_transport_pause_reading(peer.transport), 0);
    CHECK_INT(write(ends[1], "more", 4), 4);
    close(ends[1]);
    settle(loop);
    CHECK_STR(bytes, "hello");
    CHECK_INT(loop_transport_resume_reading(peer.transport), 0);
    settle(loop);
    CHECK_STR(bytes, "hellomore");
    /* The end, whatever eof_received says. */
    CHECK_STR(peer.log.text, "mdelD");
    loop_unref(loop);
    CHECK_INT(open_fds(), fds);
}

static void close_at_end(struct peer *peer) {
    CHECK_INT(loop_transport_is_closing(peer->transport), 1);
    CHECK_INT(loop_transport_close(peer->transport), 0);
    CHECK_INT(loop_transport_abort(peer->transport), 0);
}

TEST(transport_read_pipe_may_be_closed_by_either_side_and_at_its_end) {
    loop_t *loop = loop_new();
    struct peer peer = {0}, ended = {.on_eof = close_at_end};
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    read_pipe(&peer, loop, ends[0]);
    CHECK_INT(loop_transport_close(peer.transport), 0);
    CHECK_INT(write(ends[1], "x", 1), 1);
    settle(loop);
    CHECK_STR(peer.log.text, "mlD");
    close(ends[1]);
    CHECK_INT(pipe(ends), 0);
    read_pipe(&ended, loop, ends[0]);
    close(ends[1]);
    settle(loop);
    CHECK_STR(ended.log.text, "melD");
    loop_unref(loop);
}

TEST(transport_write_pipe_flushes_before_it_closes) {
    enum { LENGTH = 300000 };
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int ends[2];
    size_t got = 0, size = 0;
    static char bytes[LENGTH];
    char block[4096];
    CHECK_INT(pipe2(ends, O_NONBLOCK), 0);
    write_pipe(&peer, loop, ends[1]);
    CHECK_INT(loop_transport_can_write_eof(peer.transport), 1);
    CHECK_INT(loop_transport_pause_reading(peer.transport), LOOP_ENOTSUP);
    CHECK_INT(loop_transport_is_reading(peer.transport), 0);
    memset(bytes, 'x', LENGTH);
    CHECK_INT(loop_transport_write(peer.transport, bytes, LENGTH), 0);
    CHECK_INT(loop_transport_get_write_buffer_size(peer.transport, &size), 0);
    CHECK(size > 0 && size < LENGTH);
    CHECK_STR(peer.log.text, "mp");
    CHECK_INT(loop_transport_write_eof(peer.transport), 0);
    CHECK_INT(loop_transport_is_closing(peer.transport), 1);
    /* asyncio drops what is written to a pipe that closes. */
    CHECK_INT(loop_transport_write(peer.transport, bytes, 1), 0);
    for (ssize_t count; (count = read(ends[0], block, sizeof block)) != 0;) {
        got += count > 0 ? (size_t)count : 0;
        if (count < 0)
            settle(loop);
    }
    CHECK_INT(got, LENGTH);
    CHECK_STR(peer.log.text, "mprlD");
    CHECK_INT(peer.code, 0);
    close(ends[0]);
    loop_unref(loop);
}

static void *stays_out(void *nothing) {
    return nothing;
}

TEST(transport_write_pipe_notices_the_reader_going_without_a_signal) {
    loop_t *loop = loop_new();
    signal(SIGPIPE, SIG_DFL);
    static char block[200000];
    struct peer idle = {0}, busy = {0}, closing = {0};
    int ends[2];
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, stays_out, NULL), 0);
    pthread_join(thread, NULL);
    /* Nothing waits: a regular end. */
    CHECK_INT(pipe(ends), 0);
    write_pipe(&idle, loop, ends[1]);
    close(ends[0]);
    settle(loop);
    CHECK_STR(idle.log.text, "mlD");
    CHECK_INT(idle.code, 0);
    /* Something waits. */
    CHECK_INT(pipe(ends), 0);
    write_pipe(&busy, loop, ends[1]);
    CHECK_INT(loop_transport_write(busy.transport, block, sizeof block), 0);
    close(ends[0]);
    settle(loop);
    CHECK_STR(busy.log.text, "mplD");
    CHECK_INT(busy.code, -EPIPE);
    /* The same while it closes. */
    CHECK_INT(pipe(ends), 0);
    write_pipe(&closing, loop, ends[1]);
    CHECK_INT(loop_transport_write(closing.transport, block, sizeof block), 0);
    CHECK_INT(loop_transport_close(closing.transport), 0);
    settle(loop);
    CHECK_STR(closing.log.text, "mp");
    close(ends[0]);
    settle(loop);
    CHECK_STR(closing.log.text, "mplD");
    CHECK_INT(closing.code, -EPIPE);
    /* Noticed by writing. */
    struct peer writing = {0};
    CHECK_INT(pipe(ends), 0);
    write_pipe(&writing, loop, ends[1]);
    close(ends[0]);
    CHECK_INT(loop_transport_write(writing.transport, "x", 1), 0);
    CHECK_INT(loop_transport_is_closing(writing.transport), 1);
    settle(loop);
    CHECK_STR(writing.log.text, "mlD");
    CHECK_INT(writing.code, -EPIPE);
    loop_unref(loop);
}

static int signals;

static void count_signal(int number) {
    (void)number;
    signals++;
}

TEST(transport_write_pipe_leaves_the_hosts_handling_of_sigpipe_alone) {
    loop_t *loop = loop_new();
    struct sigaction handling;
    sigset_t blocked, waiting, now;
    signal(SIGPIPE, count_signal);
    for (int i = 0; i < 2; i++) {
        struct peer peer = {0};
        int ends[2];
        CHECK_INT(pipe(ends), 0);
        write_pipe(&peer, loop, ends[1]);
        close(ends[0]);
        if (i == 1) {
            /* One that waits already stays. */
            sigemptyset(&blocked);
            sigaddset(&blocked, SIGPIPE);
            CHECK_INT(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
            CHECK_INT(raise(SIGPIPE), 0);
        }
        CHECK_INT(loop_transport_write(peer.transport, "x", 1), 0);
        CHECK_INT(signals, 0);
        settle(loop);
        CHECK_INT(peer.code, -EPIPE);
    }
    CHECK_INT(sigpending(&waiting), 0);
    CHECK_INT(sigismember(&waiting, SIGPIPE), 1);
    CHECK_INT(sigprocmask(SIG_UNBLOCK, &blocked, &now), 0);
    CHECK_INT(sigismember(&now, SIGPIPE), 1);
    CHECK_INT(signals, 1);
    CHECK_INT(sigaction(SIGPIPE, NULL, &handling), 0);
    CHECK(handling.sa_handler == count_signal);
    loop_unref(loop);
}

TEST(transport_pipes_take_fifos_sockets_and_character_devices_but_no_files) {
    loop_t *loop = loop_new();
    char name[] = "/tmp/coloop-pipe-XXXXXX", fifo[64];
    int file = mkstemp(name), destroyed = 0, pair[2];
    CHECK(file >= 0);
    CHECK_INT(loop_connect_read_pipe(loop, file, &peer_protocol, &destroyed, count, NULL),
              LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "Pipe transport is for pipes/sockets only.");
    CHECK_INT(loop_connect_write_pipe(loop, file, &peer_protocol, &destroyed, count, NULL),
              LOOP_EINVAL);
    CHECK_INT(destroyed, 2);
    close(file);
    unlink(name);

    snprintf(fifo, sizeof fifo, "%s.fifo", name);
    CHECK_INT(mkfifo(fifo, 0600), 0);
    struct peer reader = {0}, writer = {0};
    int in = open(fifo, O_RDONLY | O_NONBLOCK), out = open(fifo, O_WRONLY);
    CHECK(in >= 0 && out >= 0);
    unlink(fifo);
    read_pipe(&reader, loop, in);
    write_pipe(&writer, loop, out);
    CHECK_INT(loop_transport_write(writer.transport, "hello", 5), 0);
    settle(loop);
    CHECK_INT(reader.received, 5);
    CHECK_INT(loop_transport_close(writer.transport), 0);
    settle(loop);
    CHECK_STR(writer.log.text, "mlD");
    CHECK_STR(reader.log.text, "mdelD");

    struct peer ends[2] = {{0}, {0}};
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    read_pipe(&ends[0], loop, pair[0]);
    write_pipe(&ends[1], loop, pair[1]);
    CHECK_INT(loop_transport_write(ends[1].transport, "hello", 5), 0);
    settle(loop);
    CHECK_INT(ends[0].received, 5);
    CHECK_INT(loop_transport_close(ends[0].transport), 0);
    settle(loop);
    CHECK_STR(ends[0].log.text, "mdlD");
    CHECK_STR(ends[1].log.text, "mlD");

    struct peer null = {0};
    write_pipe(&null, loop, open("/dev/null", O_WRONLY));
    CHECK_INT(loop_transport_write(null.transport, "hello", 5), 0);
    CHECK_INT(loop_transport_close(null.transport), 0);
    settle(loop);
    CHECK_STR(null.log.text, "mlD");
    loop_unref(loop);
}

static char report[128];

static void take_report(loop_t *loop, const loop_exception_context_t *context, void *data) {
    (void)loop, (void)data;
    snprintf(report, sizeof report, "%d %s", context->code, context->message);
}

TEST(transport_read_pipe_of_a_device_that_cannot_be_watched_is_lost) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    CHECK_INT(loop_set_exception_handler(loop, take_report, NULL, NULL), 0);
    read_pipe(&peer, loop, open("/dev/null", O_RDONLY));
    CHECK_STR(peer.log.text, "mlD");
    CHECK_INT(peer.code, -EPERM);
    CHECK_STR(report, "-1 Fatal read error on pipe transport");
    loop_unref(loop);
}

TEST(transport_read_pipe_of_a_terminal_ends_quietly_with_its_other_side) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(master >= 0);
    CHECK_INT(grantpt(master), 0);
    CHECK_INT(unlockpt(master), 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(slave >= 0);
    CHECK_INT(loop_set_exception_handler(loop, take_report, NULL, NULL), 0);
    read_pipe(&peer, loop, master);
    CHECK_INT(write(slave, "hello", 5), 5);
    while (peer.received < 5)
        CHECK(loop_run_once(loop, -1) >= 0);
    close(slave);
    while (!peer.destroyed)
        CHECK(loop_run_once(loop, -1) >= 0);
    CHECK_STR(peer.log.text, "mdlD");
    CHECK_INT(peer.code, -EIO);
    CHECK_STR(report, "");
    loop_unref(loop);
}
