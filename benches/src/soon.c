/* Scheduling without deadlines, on the loop's own thread. */
#include "adapter.h"

#include <stdlib.h>

static b_loop *loop;

/* soon_chain: W callbacks are alive, each schedules itself again.
 * (A library that runs its pending calls last-in first-out keeps one of the W busy and
 * the others waiting; the cost per callback is the same.) */
static int64_t left, width;
static b_soon *links;

B_SOON(chain_step, arg)
{
    b_soon *link = arg;
    if (--left > 0)
        b_soon_call(loop, link, chain_step, link);
    else if (left == 1 - width)
        b_stop(loop);
}

static void chain_body(uint64_t n)
{
    left = (int64_t)n;
    for (int64_t i = 0; i < width; i++)
        b_soon_call(loop, &links[i], chain_step, &links[i]);
    b_run(loop);
}

void soon_chain(const struct scenario *self)
{
    uint64_t n;
    width = self->a;
    loop = b_loop_new(B_DEFAULT);
    /* + 1: b_soon may be empty, and each link needs an address of its own */
    links = bench_alloc((size_t)width, sizeof *links + 1);
    for (int64_t i = 0; i < width; i++)
        b_soon_init(loop, &links[i], chain_step, &links[i]);
    struct bench_span span = bench_calibrated(chain_body, 100000, &n);
    bench_report(self->name, span, n, NULL);
    b_loop_free(loop);
    free(links);
}

/* soon_bulk: a callback schedules many others; when all have run, the next round. */
static int64_t bulk, done, rounds;
static b_soon *items, driver;

B_SOON_FORWARD(bulk_round);

B_SOON(bulk_item, arg)
{
    (void)arg;
    if (++done == bulk) {
        done = 0;
        if (--rounds > 0)
            b_soon_call(loop, &driver, bulk_round, NULL);
        else
            b_stop(loop);
    }
}

B_SOON(bulk_round, arg)
{
    (void)arg;
    for (int64_t i = 0; i < bulk; i++)
        b_soon_call(loop, &items[i], bulk_item, NULL);
}

static void bulk_body(uint64_t n)
{
    rounds = (int64_t)n;
    done = 0;
    b_soon_call(loop, &driver, bulk_round, NULL);
    b_run(loop);
}

void soon_bulk(const struct scenario *self)
{
    uint64_t n;
    bulk = self->a;
    loop = b_loop_new(B_DEFAULT);
    items = bench_alloc((size_t)bulk, sizeof *items);
    b_soon_init(loop, &driver, bulk_round, NULL);
    for (int64_t i = 0; i < bulk; i++)
        b_soon_init(loop, &items[i], bulk_item, NULL);
    struct bench_span span = bench_calibrated(bulk_body, 2, &n);
    bench_report(self->name, span, n * (uint64_t)bulk, NULL);
    b_loop_free(loop);
    free(items);
}
