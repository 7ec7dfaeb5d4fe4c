/* pipes: the classic of the libev and libevent benchmarks. N socket pairs, all watched;
 * A of them have a byte under way, and who reads it writes it on to the next pair. */
#include "adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
    b_reader reader;
    int in, out;
};

static b_loop *loop;
static struct pair *pairs;
static int64_t count, in_flight;
static int64_t left;

B_READER(forward, arg)
{
    struct pair *pair = arg, *next = pair + 1 == pairs + count ? pairs : pair + 1;
    char buffer[8];
    ssize_t got;
    /* Of an edge-triggered library, a short read says that the stream is drained
     * (epoll(7)), so it needs no second read for that. */
    do {
        got = read(pair->in, buffer, sizeof buffer);
        if (got <= 0)
            return;
        if (left <= 0) {
            in_flight -= got;
            if (in_flight <= 0)
                b_stop(loop);
            return;
        }
        left--;
        if (write(next->out, buffer, (size_t)got) != got)
            bench_die("write");
    } while (B_EDGE && got == sizeof buffer);
}

B_SOON(watch_all, arg)
{
    (void)arg;
    for (int64_t i = 0; i < count; i++)
        b_reader_start(loop, &pairs[i].reader, pairs[i].in, forward, &pairs[i]);
    b_stop(loop);
}

static int64_t active;

static void pipes_body(uint64_t n)
{
    left = (int64_t)n;
    in_flight = active;
    for (int64_t i = 0; i < active; i++)
        if (write(pairs[i * (count / active)].out, "x", 1) != 1)
            bench_die("write");
    b_run(loop);
}

void pipes(const struct scenario *self)
{
    static b_soon setup;
    uint64_t n;
    count = self->a;
    active = self->b;
    bench_raise_nofile((int)count * 2 + 64);
    pairs = bench_alloc((size_t)count, sizeof *pairs);
    for (int64_t i = 0; i < count; i++) {
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
            bench_die("socketpair");
        pairs[i].in = fds[0];
        pairs[i].out = fds[1];
    }
    loop = b_loop_new(B_DEFAULT);
    b_soon_init(loop, &setup, watch_all, NULL);
    b_soon_call(loop, &setup, watch_all, NULL);
    b_run(loop);
    pipes_body((uint64_t)count * 3); /* each pair's buffers exist before the clock runs */
    struct bench_span span = bench_calibrated(pipes_body, 20000, &n);
    bench_report(self->name, span, n, NULL);
    for (int64_t i = 0; i < count; i++)
        b_reader_stop(loop, &pairs[i].reader, pairs[i].in);
    b_loop_free(loop);
    for (int64_t i = 0; i < count; i++) {
        close(pairs[i].in);
        close(pairs[i].out);
    }
    free(pairs);
}
