/* What every scenario needs and no library provides: clocks, random numbers, a
 * calibrated run, the result line. Nothing here knows an event loop. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef void (*bench_callback)(void *arg);

/* One scenario of the table in main.c; a and b are its two parameters. */
struct scenario {
    const char *name;
    void (*run)(const struct scenario *self);
    int64_t a;
    int64_t b;
};

struct bench_span {
    uint64_t cpu; /* user + system of the whole process */
    uint64_t wall;
};

static inline uint64_t bench_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t bench_now(void)
{
    return bench_clock(CLOCK_MONOTONIC);
}

static inline struct bench_span bench_begin(void)
{
    return (struct bench_span){bench_clock(CLOCK_PROCESS_CPUTIME_ID), bench_now()};
}

static inline struct bench_span bench_end(struct bench_span begin)
{
    struct bench_span end = bench_begin();
    return (struct bench_span){end.cpu - begin.cpu, end.wall - begin.wall};
}

/* xorshift64*: fixed seeds, so every library sees the same deadlines. */
static inline uint64_t bench_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}

/* Shortened runs (--quick) divide durations and counts by this. */
extern int bench_divisor;

/* How long a time-bound measurement should last. */
static inline uint64_t bench_target_ns(void)
{
    return UINT64_C(300000000) / (uint64_t)bench_divisor;
}

/* Runs body(n) with a growing n until one run lasts bench_target_ns(); that last run
 * alone is the result, the earlier ones are the warm-up. */
struct bench_span bench_calibrated(void (*body)(uint64_t n), uint64_t first, uint64_t *ret_n);

/* The result line. extra is NULL or further JSON members without braces. */
void bench_report(const char *scenario, struct bench_span span, uint64_t ops, const char *extra);

void bench_die(const char *what) __attribute__((noreturn));
void *bench_alloc(size_t count, size_t size);
uint32_t *bench_permutation(uint32_t count, uint64_t seed);
uint64_t bench_median(uint64_t *values, size_t count);
int64_t bench_median_signed(int64_t *values, size_t count);
void bench_pin(int cpu);        /* this thread, inherited by threads and children made later */
void bench_raise_nofile(int wanted);
size_t bench_rss(void);         /* bytes of anonymous memory in use, after malloc_trim */
int bench_open_fds(void);
void bench_nonblocking(int fd);

/* The scenarios, by file. */
void soon_chain(const struct scenario *);     /* soon.c */
void soon_bulk(const struct scenario *);
void post(const struct scenario *);           /* crossthread.c */
void pingpong(const struct scenario *);
void timer_cancel(const struct scenario *);   /* timers.c */
void timer_batch(const struct scenario *);
void timer_reset(const struct scenario *);
void timer_fire(const struct scenario *);     /* firing.c */
void timer_accuracy(const struct scenario *);
void pipes(const struct scenario *);          /* pipes.c */
void echo(const struct scenario *);           /* echo.c */
void mem_timer(const struct scenario *);      /* lifecycle.c */
void mem_fd(const struct scenario *);
void mem_loop(const struct scenario *);
void loops(const struct scenario *);
void stream(const struct scenario *);         /* stream.c */
void mem_stream(const struct scenario *);
void co_hop(const struct scenario *);         /* coroutines.c */
void co_call(const struct scenario *);
void co_echo(const struct scenario *);
void jobs(const struct scenario *);           /* jobs.c */
void spawn(const struct scenario *);          /* spawn.c */

#endif
