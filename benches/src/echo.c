/* echo: a TCP echo server on the library's readiness interface, loopback, closed loop (see
 * client.c). Server and client, two processes, stay on one cpu. */
#define _GNU_SOURCE
#include "adapter.h"
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BUFFER = 65536 };

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
static size_t accepted;
static uint64_t bytes, warm_bytes, end_bytes;
static struct bench_span measured;
static char buffer[BUFFER];
static int listener;
static b_reader listen_reader;

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
        bench_no_delay(fd);
        b_reader_start(loop, &c->reader, fd, on_readable, c);
    }
}

B_SOON(listen_step, arg)
{
    (void)arg;
    b_reader_start(loop, &listen_reader, listener, on_accept, NULL);
}

void echo(const struct scenario *self)
{
    static b_soon setup;
    uint64_t messages = 50000 / (uint64_t)bench_divisor;
    struct bench_client client = {.connections = (size_t)self->a, .message_size = (size_t)self->b};
    bench_pin(0);
    bench_client_start(&client);
    listener = client.listener;
    warm_bytes = client.message_size * (messages / 10 + 2 * client.connections);
    end_bytes = client.message_size * messages;
    connections = bench_alloc(client.connections, sizeof *connections);
    loop = b_loop_new(B_DEFAULT);
    b_soon_init(loop, &setup, listen_step, NULL);
    b_soon_call(loop, &setup, listen_step, NULL);
    b_run(loop);
    bench_report(self->name, measured, bytes / client.message_size, NULL);
    bench_client_stop(&client);
    for (size_t i = 0; i < accepted; i++)
        b_reader_stop(loop, &connections[i].reader, connections[i].fd);
    b_reader_stop(loop, &listen_reader, listener);
    b_loop_free(loop);
}
