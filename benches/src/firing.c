/* Timers that fire. */
#include "adapter.h"

#include <stdio.h>
#include <stdlib.h>

static b_loop *loop;
static b_soon first;
static b_timer *timers;

/* timer_fire: many timers with random deadlines within one second, all fire.
 * Run twice: the measured run reads no clock of its own; the second, smaller one checks
 * each firing against the clock at the moment its timer was made. */
static uint64_t count, fired, window_ns;
static uint64_t *due;
static int checking;
static uint64_t early;
static int64_t earliest;

B_TIMER(fire, arg)
{
    if (checking) {
        int64_t late = (int64_t)(bench_now() - *(uint64_t *)arg);
        early += late < 0;
        if (late < earliest)
            earliest = late;
    }
    if (++fired == count)
        b_stop(loop);
}

B_SOON(arm_all, arg)
{
    uint64_t seed = 99;
    (void)arg;
    b_refresh(loop);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t delay = bench_random(&seed) % window_ns;
        if (checking)
            due[i] = bench_now() + delay;
        b_timer_start_fresh(loop, &timers[i], delay, fire, &due[i]);
    }
}

static struct bench_span fire_round(enum b_kind kind)
{
    fired = 0;
    loop = b_loop_new(kind);
    timers = bench_alloc(count, sizeof *timers);
    for (uint64_t i = 0; i < count; i++)
        b_timer_init(loop, &timers[i], fire, &due[i]);
    b_soon_init(loop, &first, arm_all, NULL);
    b_soon_call(loop, &first, arm_all, NULL);
    struct bench_span begin = bench_begin();
    b_run(loop);
    struct bench_span span = bench_end(begin);
    b_loop_free(loop);
    free(timers);
    return span;
}

void timer_fire(const struct scenario *self)
{
    char extra[96];
    enum b_kind kind = (enum b_kind)self->a;
    count = 100000 / (uint64_t)bench_divisor;
    window_ns = UINT64_C(1000000000) / (uint64_t)bench_divisor;
    due = bench_alloc(count, sizeof *due);
    struct bench_span span = fire_round(kind);
    uint64_t measured = count;
    checking = 1;
    count /= 4;
    window_ns /= 4;
    fire_round(kind);
    snprintf(extra, sizeof extra, "\"early\": %llu, \"checked\": %llu, \"earliest_us\": %.1f",
             (unsigned long long)early, (unsigned long long)count, (double)earliest / 1000.0);
    bench_report(self->name, span, measured, extra);
    free(due);
}

/* timer_accuracy: one timer at a time; how late is it? */
enum { SAMPLES = 200 };
static int64_t lateness[SAMPLES];
static uint64_t accuracy_due, samples, accuracy_seed = 5;
static b_timer one;

B_TIMER_FORWARD(accurate);

static void arm_one(void)
{
    uint64_t delay = 100000 + bench_random(&accuracy_seed) % 4900000;
    b_refresh(loop);
    accuracy_due = bench_now() + delay;
    b_timer_start_fresh(loop, &one, delay, accurate, NULL);
}

B_TIMER(accurate, arg)
{
    (void)arg;
    lateness[samples] = (int64_t)(bench_now() - accuracy_due);
    if (++samples == SAMPLES / (uint64_t)bench_divisor)
        b_stop(loop);
    else
        arm_one();
}

B_SOON(accuracy_begin, arg)
{
    (void)arg;
    arm_one();
}

void timer_accuracy(const struct scenario *self)
{
    char extra[128];
    loop = b_loop_new(B_PRECISE);
    b_timer_init(loop, &one, accurate, NULL);
    b_soon_init(loop, &first, accuracy_begin, NULL);
    b_soon_call(loop, &first, accuracy_begin, NULL);
    struct bench_span begin = bench_begin();
    b_run(loop);
    struct bench_span span = bench_end(begin);
    uint64_t before_due = 0;
    for (uint64_t i = 0; i < samples; i++)
        before_due += lateness[i] < 0;
    int64_t median = bench_median_signed(lateness, samples);
    snprintf(extra, sizeof extra,
             "\"late_p50_us\": %.1f, \"late_min_us\": %.1f, \"late_max_us\": %.1f, \"early\": %llu",
             (double)median / 1000.0, (double)lateness[0] / 1000.0,
             (double)lateness[samples - 1] / 1000.0, (unsigned long long)before_due);
    bench_report(self->name, span, samples, extra);
    b_loop_free(loop);
}
