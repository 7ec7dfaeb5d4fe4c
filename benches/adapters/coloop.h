/* coloop: every call of the contract exists, so this is a renaming. */
#include <coloop.h>
#include "plain.h"

#define B_NAME "coloop"
#define B_EDGE 0
#define B_FRESH 1
#define B_SLACK 1

#define B_SOON PLAIN_CALLBACK
#define B_SOON_FORWARD PLAIN_FORWARD
#define B_TIMER PLAIN_CALLBACK
#define B_TIMER_FORWARD PLAIN_FORWARD
#define B_READER PLAIN_CALLBACK
#define B_READER_FORWARD PLAIN_FORWARD
#define B_WRITER PLAIN_CALLBACK

typedef loop_t b_loop;
typedef struct { char unused; } b_soon;
typedef loop_handle_t b_timer;
typedef struct { char unused; } b_reader;
typedef struct { char unused; } b_writer;

/* A failed call would make a row cheap and wrong. */
static inline void b_check(int result)
{
    if (__builtin_expect(result < 0, 0))
        bench_die(loop_strerror(result));
}

static inline b_loop *b_loop_new(enum b_kind kind)
{
    loop_t *loop = NULL;
    if (kind == B_COALESCING) {
        loop_options_t options = {.size = sizeof options, .timer_slack_ns = 1000000};
        b_check(loop_create(&options, &loop));
    } else {
        loop = loop_new();
    }
    if (!loop)
        bench_die(loop_last_error());
    return loop;
}

static inline void b_loop_free(b_loop *loop)
{
    b_check(loop_close(loop));
    loop_unref(loop);
}

static inline void b_run(b_loop *loop) { b_check(loop_run_forever(loop)); }
static inline void b_stop(b_loop *loop) { b_check(loop_stop(loop)); }
static inline void b_refresh(b_loop *loop) { (void)loop; }

static inline void b_soon_init(b_loop *loop, b_soon *soon, loop_callback_t fn, void *arg)
{
    (void)loop, (void)soon, (void)fn, (void)arg;
}

static inline void b_soon_call(b_loop *loop, b_soon *soon, loop_callback_t fn, void *arg)
{
    (void)soon;
    b_check(loop_call_soon(loop, fn, arg, NULL, NULL));
}

static inline void b_post(b_loop *loop, bench_callback fn, void *arg)
{
    b_check(loop_call_soon_threadsafe(loop, fn, arg, NULL, NULL));
}

static inline void b_timer_init(b_loop *loop, b_timer *t, loop_callback_t fn, void *arg)
{
    (void)loop, (void)t, (void)fn, (void)arg;
}

static inline void b_timer_start(b_loop *loop, b_timer *t, uint64_t delay_ns, loop_callback_t fn,
                                 void *arg)
{
    b_check(loop_call_at(loop, loop_time_cached(loop) + delay_ns, fn, arg, NULL, t));
}

static inline void b_timer_start_fresh(b_loop *loop, b_timer *t, uint64_t delay_ns,
                                       loop_callback_t fn, void *arg)
{
    b_check(loop_call_later(loop, (int64_t)delay_ns, fn, arg, NULL, t));
}

static inline void b_timer_stop(b_loop *loop, b_timer *t)
{
    b_check(loop_handle_cancel(loop, *t));
}

static inline void b_alive_init(b_loop *loop, b_timer *t, uint64_t delay_ns, loop_callback_t fn,
                                void *arg)
{
    b_timer_start(loop, t, delay_ns, fn, arg);
}

static inline void b_alive(b_loop *loop, b_timer *t, uint64_t delay_ns)
{
    b_check(loop_handle_reschedule(loop, *t, loop_time_cached(loop) + delay_ns));
}

static inline void b_alive_fresh(b_loop *loop, b_timer *t, uint64_t delay_ns)
{
    b_check(loop_handle_reschedule(loop, *t, loop_time(loop) + delay_ns));
}

static inline void b_reader_start(b_loop *loop, b_reader *r, int fd, loop_callback_t fn, void *arg)
{
    (void)r;
    b_check(loop_add_reader(loop, fd, fn, arg, NULL));
}

static inline void b_reader_stop(b_loop *loop, b_reader *r, int fd)
{
    (void)r;
    b_check(loop_remove_reader(loop, fd));
}

static inline void b_writer_start(b_loop *loop, b_writer *w, b_reader *r, int fd,
                                  loop_callback_t fn, void *arg)
{
    (void)w, (void)r;
    b_check(loop_add_writer(loop, fd, fn, arg, NULL));
}

static inline void b_writer_stop(b_loop *loop, b_writer *w, b_reader *r, int fd)
{
    (void)w, (void)r;
    b_check(loop_remove_writer(loop, fd));
}
