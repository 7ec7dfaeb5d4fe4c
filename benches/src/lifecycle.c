/* What things weigh, and what a loop costs from birth to death. */
#include "adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static b_loop *loop;

B_SOON(stop_step, arg)
{
    b_stop(arg);
}

/* One callback on the loop, as its first (and here only) act. */
static void run_one_callback(b_loop *l, b_soon *soon)
{
    b_soon_init(l, soon, stop_step, l);
    b_soon_call(l, soon, stop_step, l);
    b_run(l);
}

static void report_bytes(const struct scenario *self, size_t before, size_t after, int fds)
{
    char extra[96];
    double bytes = ((double)after - (double)before) / (double)self->a;
    snprintf(extra, sizeof extra, "\"bytes_per_item\": %.1f, \"fds_per_item\": %.2f", bytes,
             (double)fds / (double)self->a);
    bench_report(self->name, (struct bench_span){0, 0}, (uint64_t)self->a, extra);
}

/* mem_timer, mem_fd: what the caller has to keep for each (the watcher or the handle) is
 * allocated inside the measured part, because a program using the library pays for it. */
static size_t before, after;
static int64_t item_count;
static b_timer *timers;
static b_reader *readers;
static int *fds;

B_TIMER(never, arg)
{
    (void)arg;
    bench_die("a timer fired that was far away");
}

B_SOON(make_timers, arg)
{
    uint64_t seed = 3;
    (void)arg;
    before = bench_rss();
    timers = bench_alloc((size_t)item_count, sizeof *timers);
    for (int64_t i = 0; i < item_count; i++) {
        b_timer_init(loop, &timers[i], never, NULL);
        b_timer_start(loop, &timers[i], UINT64_C(60000000000) + bench_random(&seed) % 1000000000u,
                      never, NULL);
    }
    after = bench_rss();
    b_stop(loop);
}

void mem_timer(const struct scenario *self)
{
    static b_soon warm, make;
    item_count = self->a;
    loop = b_loop_new(B_DEFAULT);
    run_one_callback(loop, &warm);
    b_soon_init(loop, &make, make_timers, NULL);
    b_soon_call(loop, &make, make_timers, NULL);
    b_run(loop);
    report_bytes(self, before, after, 0);
}

B_READER(ignore, arg)
{
    (void)arg;
}

B_SOON(make_readers, arg)
{
    (void)arg;
    before = bench_rss();
    readers = bench_alloc((size_t)item_count, sizeof *readers);
    for (int64_t i = 0; i < item_count; i++)
        b_reader_start(loop, &readers[i], fds[i], ignore, NULL);
    after = bench_rss();
    b_stop(loop);
}

void mem_fd(const struct scenario *self)
{
    static b_soon warm, make;
    item_count = self->a;
    bench_raise_nofile((int)item_count + 64);
    fds = bench_alloc((size_t)item_count, sizeof *fds);
    for (int64_t i = 0; i < item_count; i += 2)
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, &fds[i]) != 0)
            bench_die("socketpair");
    loop = b_loop_new(B_DEFAULT);
    run_one_callback(loop, &warm);
    b_soon_init(loop, &make, make_readers, NULL);
    b_soon_call(loop, &make, make_readers, NULL);
    b_run(loop);
    report_bytes(self, before, after, 0);
}

/* mem_loop: counted after each loop ran one callback, so lazily made parts are in. */
void mem_loop(const struct scenario *self)
{
    static b_soon *soons;
    bench_raise_nofile((int)self->a * 6 + 64);
    b_loop **all = bench_alloc((size_t)self->a, sizeof *all);
    soons = bench_alloc((size_t)self->a + 1, sizeof *soons);
    b_loop *first = b_loop_new(B_DEFAULT); /* what the process pays once */
    run_one_callback(first, &soons[self->a]);
    size_t rss = bench_rss();
    int fd_count = bench_open_fds();
    for (int64_t i = 0; i < self->a; i++) {
        all[i] = b_loop_new(B_DEFAULT);
        run_one_callback(all[i], &soons[i]);
    }
    fd_count = bench_open_fds() - fd_count;
    report_bytes(self, rss, bench_rss(), fd_count);
    for (int64_t i = 0; i < self->a; i++)
        b_loop_free(all[i]);
}

/* loops: new, one callback, free. */
static void loops_body(uint64_t n)
{
    static b_soon soon;
    while (n--) {
        b_loop *l = b_loop_new(B_DEFAULT);
        run_one_callback(l, &soon);
        b_loop_free(l);
    }
}

void loops(const struct scenario *self)
{
    uint64_t n;
    struct bench_span span = bench_calibrated(loops_body, 1000, &n);
    bench_report(self->name, span, n, NULL);
}
