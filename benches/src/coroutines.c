/* co_...: C++ coroutines, by what coroutines/NAME.cpp has. */
#include "adapter.h"
#include "stream_count.h"

void b_co_hop(uint64_t count, uint64_t width);
uint64_t b_co_call(uint64_t count);
void b_co_serve(int listener, int (*received)(size_t length));

static uint64_t width;

static void hop_body(uint64_t count)
{
    b_co_hop(count, width);
}

/* co_hop: W coroutines are alive, each lets a turn of the loop pass, again and again. */
void co_hop(const struct scenario *self)
{
    uint64_t n;
    width = (uint64_t)self->a;
    struct bench_span span = bench_calibrated(hop_body, 100000, &n);
    bench_report(self->name, span, n, NULL);
}

static void call_body(uint64_t count)
{
    if (b_co_call(count) != count * (count - 1) / 2)
        bench_die("the calls' sum");
}

/* co_call: a coroutine awaits others that return at once, without the loop. */
void co_call(const struct scenario *self)
{
    uint64_t n;
    struct bench_span span = bench_calibrated(call_body, 100000, &n);
    bench_report(self->name, span, n, NULL);
}

static int received_by_coroutine(size_t length)
{
    return stream_received(length);
}

static void serve(int listener, size_t connections)
{
    (void)connections;
    b_co_serve(listener, received_by_coroutine);
}

/* co_echo: as stream, with a coroutine for each connection. */
void co_echo(const struct scenario *self)
{
    stream_measure(self, serve);
}
