/* Scheduling from other threads. */
#define _GNU_SOURCE
#include "adapter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* post: P producers post as fast as they can to one loop that runs meanwhile.
 * Several short rounds and their median: the row measures a lock and the traffic of its
 * cache line, and single rounds jump between a fast and a slow mode. */
enum { ROUNDS = 9 };

static b_loop *loop;
static uint64_t received, expected;
static pthread_barrier_t gate;

static void count_one(void *arg)
{
    (void)arg;
    if (++received == expected)
        b_stop(loop);
}

static void *produce(void *arg)
{
    uint64_t count = *(uint64_t *)arg;
    pthread_barrier_wait(&gate);
    while (count--)
        b_post(loop, count_one, NULL);
    return NULL;
}

void post(const struct scenario *self)
{
    int64_t producers = self->a;
    uint64_t each = 480000 / (uint64_t)bench_divisor / (uint64_t)producers;
    uint64_t cpu[ROUNDS], wall[ROUNDS];
    pthread_t threads[8];
    expected = each * (uint64_t)producers;
    loop = b_loop_new(B_DEFAULT);
    /* the round -1 grows the queues and is not counted */
    for (int round = -1; round < ROUNDS; round++) {
        received = 0;
        pthread_barrier_init(&gate, NULL, (unsigned)producers + 1);
        for (int64_t i = 0; i < producers; i++)
            if (pthread_create(&threads[i], NULL, produce, &each) != 0)
                bench_die("pthread_create");
        struct bench_span begin = bench_begin();
        pthread_barrier_wait(&gate);
        b_run(loop);
        struct bench_span span = bench_end(begin);
        for (int64_t i = 0; i < producers; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&gate);
        if (round >= 0) {
            cpu[round] = span.cpu;
            wall[round] = span.wall;
        }
    }
    struct bench_span median = {bench_median(cpu, ROUNDS), bench_median(wall, ROUNDS)};
    char extra[64];
    snprintf(extra, sizeof extra, "\"wall_best\": %.3f", (double)wall[0] / (double)expected);
    bench_report(self->name, median, expected, extra);
    b_loop_free(loop);
}

/* pingpong: two loops in two threads on one cpu post to each other in turn. On one cpu,
 * because between two the wake-up interrupt of a virtual machine hides everything else. */
enum { WARM_UP = 1000 };

static b_loop *near_loop, *far_loop;
static uint64_t trips, measured_trips;
static struct bench_span measured;

static void far_stop(void *arg)
{
    (void)arg;
    b_stop(far_loop);
}

static void near_hit(void *arg);

static void far_hit(void *arg)
{
    b_post(near_loop, near_hit, arg);
}

static void near_hit(void *arg)
{
    trips++;
    if (trips == WARM_UP) {
        measured = bench_begin();
    } else if (trips > WARM_UP && trips % 64 == 0) {
        struct bench_span span = bench_end(measured);
        if (span.wall >= bench_target_ns()) {
            measured = span;
            measured_trips = trips - WARM_UP;
            b_post(far_loop, far_stop, NULL);
            b_stop(near_loop);
            return;
        }
    }
    b_post(far_loop, far_hit, arg);
}

static void *far_side(void *arg)
{
    (void)arg;
    far_loop = b_loop_new(B_DEFAULT);
    pthread_barrier_wait(&gate);
    b_run(far_loop);
    b_loop_free(far_loop);
    return NULL;
}

void pingpong(const struct scenario *self)
{
    pthread_t thread;
    bench_pin(0);
    pthread_barrier_init(&gate, NULL, 2);
    if (pthread_create(&thread, NULL, far_side, NULL) != 0)
        bench_die("pthread_create");
    near_loop = b_loop_new(B_DEFAULT);
    pthread_barrier_wait(&gate);
    b_post(far_loop, far_hit, NULL);
    b_run(near_loop);
    pthread_join(thread, NULL);
    bench_report(self->name, measured, measured_trips, NULL);
    b_loop_free(near_loop);
}
