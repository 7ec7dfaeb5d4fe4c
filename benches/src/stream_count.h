/* What echo servers on streams are measured by, whoever writes them: bytes until it is warm,
 * bytes until the end. */
#ifndef STREAM_COUNT_H
#define STREAM_COUNT_H

#include "client.h"

static uint64_t received, warm_at, end_at, measured;
static struct bench_span span;
static int weighs; /* mem_stream: the end is a weighing, not a time */
static size_t rss;

static int stream_reached(void)
{
    if (warm_at) {
        warm_at = received = 0;
        if (weighs)
            rss = bench_rss();
        span = bench_begin();
        return 0;
    }
    if (weighs)
        rss = bench_rss() - rss;
    else
        span = bench_end(span);
    measured = received;
    end_at = UINT64_MAX; /* the library may have more events in hand */
    return 1;
}

static inline int stream_received(size_t length)
{
    received += length;
    return received >= (warm_at ? warm_at : end_at) && stream_reached();
}

static uint64_t message_count(size_t size)
{
    return (size <= 1024 ? 50000 : size <= 16384 ? 30000 : 10000) / (uint64_t)bench_divisor;
}

/* serve(listener, connections) runs a server until stream_received() returns 1. */
static inline void stream_measure(const struct scenario *self, void (*serve)(int, size_t))
{
    struct bench_client client = {.connections = (size_t)self->a, .message_size = (size_t)self->b};
    uint64_t messages = message_count(client.message_size);
    warm_at = client.message_size * (messages / 10 + 2 * client.connections);
    end_at = client.message_size * messages;
    bench_pin(0);
    bench_client_start(&client);
    serve(client.listener, client.connections);
    bench_report(self->name, span, measured / client.message_size, NULL);
    bench_client_stop(&client);
}

#endif
