/* echo: a TCP echo server on the library's readiness interface, loopback, closed loop:
 * each client connection sends its next message when the last one came back. The client
 * is a plain epoll loop in a process of its own, forked before the loop exists, so the
 * server's process time is the server's alone. Both stay on one cpu. */
#define _GNU_SOURCE
#include "adapter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUFFER = 65536, BACKLOG = 1024 };

struct connection {
    b_reader reader;
    b_writer writer;
    int fd;
    int writing;
    size_t unsent_from, unsent_to;
    char *unsent; /* only while the peer reads slower than it writes */
};

static b_loop *loop;
static struct connection *connections;
static int64_t accepted, expected, message_size;
static uint64_t bytes, warm_bytes, end_bytes;
static struct bench_span measured;
static char buffer[BUFFER];
static int listener;
static b_reader listen_reader;

static void no_delay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- the server ---- */

B_READER_FORWARD(on_readable);

B_WRITER(on_writable, arg)
{
    struct connection *c = arg;
    while (c->unsent_from < c->unsent_to) {
        ssize_t sent = send(c->fd, c->unsent + c->unsent_from, c->unsent_to - c->unsent_from,
                            MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN)
                return;
            bench_die("send");
        }
        c->unsent_from += (size_t)sent;
    }
    free(c->unsent);
    c->writing = 0;
    b_writer_stop(loop, &c->writer, &c->reader, c->fd);
    b_reader_start(loop, &c->reader, c->fd, on_readable, c);
}

static void echo_back(struct connection *c, size_t size)
{
    ssize_t sent = send(c->fd, buffer, size, MSG_NOSIGNAL);
    if (sent == (ssize_t)size)
        return;
    if (sent < 0 && errno != EAGAIN)
        bench_die("send");
    size_t rest = size - (size_t)(sent < 0 ? 0 : sent);
    c->unsent = bench_alloc(1, rest);
    memcpy(c->unsent, buffer + (size - rest), rest);
    c->unsent_from = 0;
    c->unsent_to = rest;
    c->writing = 1;
    b_reader_stop(loop, &c->reader, c->fd);
    b_writer_start(loop, &c->writer, &c->reader, c->fd, on_writable, c);
}

B_READER(on_readable, arg)
{
    struct connection *c = arg;
    ssize_t got;
    do {
        got = recv(c->fd, buffer, sizeof buffer, 0);
        if (got <= 0)
            return; /* the client leaves only after the measurement */
        bytes += (uint64_t)got;
        echo_back(c, (size_t)got);
    } while (B_EDGE && got == sizeof buffer && !c->writing);

    if (warm_bytes && bytes >= warm_bytes) {
        warm_bytes = 0;
        bytes = 0;
        measured = bench_begin();
    } else if (!warm_bytes && end_bytes && bytes >= end_bytes) {
        measured = bench_end(measured);
        end_bytes = 0;
        b_stop(loop);
    }
}

B_READER(on_accept, arg)
{
    (void)arg;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct connection *c = &connections[accepted++];
        c->fd = fd;
        no_delay(fd);
        b_reader_start(loop, &c->reader, fd, on_readable, c);
    }
}

B_SOON(listen_step, arg)
{
    (void)arg;
    b_reader_start(loop, &listen_reader, listener, on_accept, NULL);
}

/* ---- the client process ---- */

static void client(struct sockaddr_in address, int64_t count, size_t size)
{
    static char message[BUFFER];
    struct epoll_event events[256];
    size_t *outstanding = bench_alloc((size_t)count, sizeof *outstanding);
    int *fds = bench_alloc((size_t)count, sizeof *fds);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    close(listener);
    for (int64_t i = 0; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fds[i], (struct sockaddr *)&address, sizeof address) != 0)
            bench_die("connect");
        no_delay(fds[i]);
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)i};
        epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &event);
    }
    for (int64_t i = 0; i < count; i++) {
        outstanding[i] = size;
        if (send(fds[i], message, size, MSG_NOSIGNAL) != (ssize_t)size)
            _exit(0);
    }
    for (;;) {
        int ready = epoll_wait(poller, events, 256, -1);
        for (int k = 0; k < ready; k++) {
            uint64_t i = events[k].data.u64;
            ssize_t got = recv(fds[i], message, sizeof message, 0);
            if (got <= 0)
                _exit(0);
            outstanding[i] -= (size_t)got;
            if (outstanding[i] == 0) {
                outstanding[i] = size;
                if (send(fds[i], message, size, MSG_NOSIGNAL) != (ssize_t)size)
                    _exit(0);
            }
        }
    }
}

void echo(const struct scenario *self)
{
    static b_soon setup;
    uint64_t messages = 50000 / (uint64_t)bench_divisor;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    expected = self->a;
    message_size = self->b;
    bench_raise_nofile((int)expected + 64);
    bench_pin(0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, BACKLOG) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        bench_die("listen");
    pid_t child = fork();
    if (child < 0)
        bench_die("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        client(address, expected, (size_t)message_size);
    }
    warm_bytes = (uint64_t)message_size * (messages / 10 + 2 * (uint64_t)expected);
    end_bytes = (uint64_t)message_size * messages;
    connections = bench_alloc((size_t)expected, sizeof *connections);
    loop = b_loop_new(B_DEFAULT);
    b_soon_init(loop, &setup, listen_step, NULL);
    b_soon_call(loop, &setup, listen_step, NULL);
    b_run(loop);
    bench_report(self->name, measured, bytes / (uint64_t)message_size, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (int64_t i = 0; i < accepted; i++)
        b_reader_stop(loop, &connections[i].reader, connections[i].fd);
    b_reader_stop(loop, &listen_reader, listener);
    b_loop_free(loop);
}
