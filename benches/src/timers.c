/* Timers that never fire: made, cancelled, pushed. fresh selects the clock read: 0 uses
 * the time the loop cached for this turn, 1 asks the clock in each call. */
#include "adapter.h"

#include <stdlib.h>

#define SECOND UINT64_C(1000000000)
/* so many delays that the branch predictor cannot learn their order */
enum { PER_TURN = 1000, DELAYS = 65536 };

static b_loop *loop;
static b_soon turn;
static b_timer *timers;
static uint32_t *order;
static uint64_t turns, cursor;
static uint64_t delays[DELAYS];

/* Far enough away that none is due during a run. */
static void fill_delays(void)
{
    uint64_t seed = 42;
    for (int i = 0; i < DELAYS; i++)
        delays[i] = 10 * SECOND + bench_random(&seed) % (60 * SECOND);
}

B_TIMER(never, arg)
{
    (void)arg;
    bench_die("a timer fired that was far away");
}

static inline void start(b_timer *timer, uint64_t delay, int fresh)
{
    if (fresh)
        b_timer_start_fresh(loop, timer, delay, never, NULL);
    else
        b_timer_start(loop, timer, delay, never, NULL);
}

/* Runs one callback on the loop, then stops it: the state before a measurement. */
static void (*prepare_function)(void);

B_SOON(prepare_step, arg)
{
    (void)arg;
    prepare_function();
    b_stop(loop);
}

static void prepare(void (*function)(void), uint64_t timer_count)
{
    static b_soon once;
    fill_delays();
    loop = b_loop_new(B_DEFAULT);
    timers = bench_alloc(timer_count, sizeof *timers);
    prepare_function = function;
    b_soon_init(loop, &once, prepare_step, NULL);
    b_soon_call(loop, &once, prepare_step, NULL);
    b_run(loop);
}

static void finish(void)
{
    b_loop_free(loop);
    free(timers);
    free(order);
}

/* timer_cancel: create and cancel at once, 1000 others pending; 1000 pairs a turn.
 * The new timer's deadline is drawn as those of the others are, or (timer_cancel_near) is
 * an eighth of that, before nearly all of them: a short time limit among long ones. For a
 * heap these are different worlds, the near one travels to the top and back. */
enum { OTHERS = 1000 };
static int nearer; /* bits to shift the delay by */

static void cancel_prepare(void)
{
    for (int i = 0; i < OTHERS + PER_TURN; i++)
        b_timer_init(loop, &timers[i], never, NULL);
    for (int i = 0; i < OTHERS; i++)
        b_timer_start(loop, &timers[i], delays[i], never, NULL);
}

#define CANCEL_TURN(name, fresh)                                                     \
    B_SOON(name, arg)                                                                \
    {                                                                                \
        (void)arg;                                                                   \
        for (int i = 0; i < PER_TURN; i++) {                                         \
            b_timer *timer = &timers[OTHERS + i];                                    \
            start(timer, delays[cursor++ % DELAYS] >> nearer, fresh);                \
            b_timer_stop(loop, timer);                                               \
        }                                                                            \
        if (--turns > 0)                                                             \
            b_soon_call(loop, &turn, name, NULL);                                    \
        else                                                                         \
            b_stop(loop);                                                            \
    }                                                                                \
    static void name##_body_n(uint64_t n)                                            \
    {                                                                                \
        turns = n;                                                                   \
        b_soon_init(loop, &turn, name, NULL);                                        \
        b_soon_call(loop, &turn, name, NULL);                                        \
        b_run(loop);                                                                 \
    }

CANCEL_TURN(cancel_cached, 0)
CANCEL_TURN(cancel_fresh, 1)

void timer_cancel(const struct scenario *self)
{
    uint64_t n;
    nearer = (int)self->b;
    prepare(cancel_prepare, OTHERS + PER_TURN);
    struct bench_span span =
        bench_calibrated(self->a ? cancel_fresh_body_n : cancel_cached_body_n, 20, &n);
    bench_report(self->name, span, n * PER_TURN, NULL);
    finish();
}

/* timer_batch: 100k with random deadlines in one turn, then cancelled in random order. */
enum { BATCH = 100000 };
static int batch_fresh;

static void batch_prepare(void)
{
    order = bench_permutation(BATCH, 7);
    for (int i = 0; i < BATCH; i++)
        b_timer_init(loop, &timers[i], never, NULL);
}

B_SOON(batch_turn, arg)
{
    (void)arg;
    if (batch_fresh)
        for (int i = 0; i < BATCH; i++)
            start(&timers[i], delays[i % DELAYS] + (uint64_t)i, 1);
    else
        for (int i = 0; i < BATCH; i++)
            start(&timers[i], delays[i % DELAYS] + (uint64_t)i, 0);
    for (int i = 0; i < BATCH; i++)
        b_timer_stop(loop, &timers[order[i]]);
    if (--turns > 0)
        b_soon_call(loop, &turn, batch_turn, NULL);
    else
        b_stop(loop);
}

static void batch_body(uint64_t n)
{
    turns = n;
    b_soon_init(loop, &turn, batch_turn, NULL);
    b_soon_call(loop, &turn, batch_turn, NULL);
    b_run(loop);
}

void timer_batch(const struct scenario *self)
{
    uint64_t n;
    batch_fresh = (int)self->a;
    prepare(batch_prepare, BATCH);
    struct bench_span span = bench_calibrated(batch_body, 1, &n);
    bench_report(self->name, span, n * BATCH, NULL);
    finish();
}

/* timer_reset: "timeout reset per message", one of 10k live timers pushed to now + 60 s. */
enum { LIVE = 10000 };
#define IDLE_TIMEOUT (60 * SECOND)
static int reset_fresh;

static void reset_prepare(void)
{
    order = bench_permutation(LIVE, 11);
    for (int i = 0; i < LIVE; i++)
        b_alive_init(loop, &timers[i], IDLE_TIMEOUT, never, NULL);
}

B_SOON(reset_turn, arg)
{
    (void)arg;
    /* LIVE is a multiple of PER_TURN: the slice of a turn never wraps */
    const uint32_t *slice = order + cursor;
    if (reset_fresh)
        for (int i = 0; i < PER_TURN; i++)
            b_alive_fresh(loop, &timers[slice[i]], IDLE_TIMEOUT);
    else
        for (int i = 0; i < PER_TURN; i++)
            b_alive(loop, &timers[slice[i]], IDLE_TIMEOUT);
    cursor = (cursor + PER_TURN) % LIVE;
    if (--turns > 0)
        b_soon_call(loop, &turn, reset_turn, NULL);
    else
        b_stop(loop);
}

static void reset_body(uint64_t n)
{
    turns = n;
    cursor = 0;
    b_soon_init(loop, &turn, reset_turn, NULL);
    b_soon_call(loop, &turn, reset_turn, NULL);
    b_run(loop);
}

void timer_reset(const struct scenario *self)
{
    uint64_t n;
    reset_fresh = (int)self->a;
    prepare(reset_prepare, LIVE);
    struct bench_span span = bench_calibrated(reset_body, 20, &n);
    bench_report(self->name, span, n * PER_TURN, NULL);
    finish();
}
