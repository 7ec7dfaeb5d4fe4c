/* stream: TCP echo on what the library offers above readiness: it accepts, reads, buffers and
 * writes, the program gets bytes and sends bytes. Closed loop as in echo: client.c.
 *
 * An adapter (adapters/NAME_stream.h) is a whole echo server, because the fastest way to
 * send bytes back differs too much between libraries for a common shape:
 *
 *   void b_stream_serve(int listener, size_t connections);
 *
 * It sets TCP_NODELAY, reads at most STREAM_CHUNK bytes at a time if it can choose,
 * calls stream_received(n) after each n bytes that it has read and sent back (or queued),
 * and returns when that returns 1. What is open then is left to the end of the process. */
#define _GNU_SOURCE
#include "adapter.h"
#include "stream_count.h"

#include <stdio.h>

enum { STREAM_CHUNK = 262144 };

#include BENCH_STREAM

void stream(const struct scenario *self)
{
    stream_measure(self, b_stream_serve);
}

/* mem_stream: each connection has echoed one message and is idle. What a first one has
 * touched (code, buffers that all share) is not counted. What the kernel keeps for a socket
 * is in no process's resident size. */
void mem_stream(const struct scenario *self)
{
    char extra[64];
    struct bench_client client = {.connections = (size_t)self->a + 1,
                                  .message_size = (size_t)self->b, .first_alone = 1};
    weighs = 1;
    warm_at = client.message_size;
    end_at = client.message_size * (size_t)self->a;
    bench_client_start(&client);
    b_stream_serve(client.listener, client.connections);
    snprintf(extra, sizeof extra, "\"bytes_per_item\": %.1f",
             (double)(ptrdiff_t)rss / (double)self->a);
    bench_report(self->name, (struct bench_span){0, 0}, (uint64_t)self->a, extra);
    bench_client_stop(&client);
}
