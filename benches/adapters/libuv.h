/* libuv. call_soon is a vector drained by a uv_check, with a uv_idle active while it is
 * not empty so that the poll does not wait. Handles are made once and started again. */
#include <uv.h>

#include "plain.h"
#include "postbox.h"

#define B_NAME "libuv"
#define B_EDGE 0
#define B_FRESH 0
#define B_SLACK 0

#define B_SOON PLAIN_CALLBACK
#define B_SOON_FORWARD PLAIN_FORWARD
#define B_TIMER_FORWARD(name) static void name(uv_timer_t *)
#define B_TIMER(name, arg)                                              \
    static inline void name##_body(void *arg);                          \
    static void name(uv_timer_t *timer) { name##_body(timer->data); }   \
    static inline void name##_body(void *arg)
#define B_READER PLAIN_CALLBACK
#define B_READER_FORWARD PLAIN_FORWARD
#define B_WRITER PLAIN_CALLBACK

typedef struct {
    uv_loop_t uv;
    uv_idle_t spin;
    uv_check_t check;
    uv_async_t wake;
    struct vector ready, spare;
    struct postbox box;
} b_loop;

typedef struct { char unused; } b_soon;
typedef uv_timer_t b_timer;

/* One handle per descriptor is all libuv permits, so both directions live in it. */
typedef struct {
    uv_poll_t poll;
    bench_callback on_read, on_write;
    void *read_arg, *write_arg;
    int opened;
} b_reader;

typedef struct { char unused; } b_writer;

static inline void b_uv(int result)
{
    if (__builtin_expect(result < 0, 0))
        bench_die(uv_strerror(result));
}

static void b_uv_idle(uv_idle_t *handle) { (void)handle; }

static void b_uv_check(uv_check_t *check)
{
    b_loop *loop = check->data;
    if (loop->ready.count == 0)
        return;
    struct vector taken = vector_swap(&loop->ready, &loop->spare);
    vector_run(&taken);
    loop->spare = taken;
    if (loop->ready.count == 0)
        uv_idle_stop(&loop->spin);
}

static void b_uv_wake(uv_async_t *wake)
{
    b_loop *loop = wake->data;
    postbox_drain(&loop->box);
}

static inline b_loop *b_loop_new(enum b_kind kind)
{
    b_loop *loop = calloc(1, sizeof *loop);
    (void)kind;
    b_uv(uv_loop_init(&loop->uv));
    b_uv(uv_idle_init(&loop->uv, &loop->spin));
    b_uv(uv_check_init(&loop->uv, &loop->check));
    b_uv(uv_async_init(&loop->uv, &loop->wake, b_uv_wake));
    loop->check.data = loop;
    loop->wake.data = loop;
    b_uv(uv_check_start(&loop->check, b_uv_check));
    postbox_init(&loop->box);
    return loop;
}

static void b_uv_close_one(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static inline void b_loop_free(b_loop *loop)
{
    uv_walk(&loop->uv, b_uv_close_one, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    b_uv(uv_loop_close(&loop->uv));
    free(loop->ready.at);
    free(loop->spare.at);
    postbox_free(&loop->box);
    free(loop);
}

static inline void b_run(b_loop *loop) { uv_run(&loop->uv, UV_RUN_DEFAULT); }
static inline void b_stop(b_loop *loop) { uv_stop(&loop->uv); }
static inline void b_refresh(b_loop *loop) { uv_update_time(&loop->uv); }

static inline void b_soon_init(b_loop *loop, b_soon *soon, bench_callback fn, void *arg)
{
    (void)loop, (void)soon, (void)fn, (void)arg;
}

static inline void b_soon_call(b_loop *loop, b_soon *soon, bench_callback fn, void *arg)
{
    (void)soon;
    if (loop->ready.count == 0 && !uv_is_active((uv_handle_t *)&loop->spin))
        uv_idle_start(&loop->spin, b_uv_idle);
    vector_push(&loop->ready, fn, arg);
}

static inline void b_post(b_loop *loop, bench_callback fn, void *arg)
{
    if (postbox_put(&loop->box, fn, arg))
        uv_async_send(&loop->wake);
}

/* libuv counts whole milliseconds; rounding up keeps a timer from being early. */
static inline uint64_t b_uv_ms(uint64_t ns) { return (ns + 999999) / 1000000; }

static inline void b_timer_init(b_loop *loop, b_timer *t, uv_timer_cb fn, void *arg)
{
    (void)fn;
    uv_timer_init(&loop->uv, t);
    t->data = arg;
}

static inline void b_timer_start(b_loop *loop, b_timer *t, uint64_t delay_ns, uv_timer_cb fn,
                                 void *arg)
{
    (void)loop, (void)arg;
    uv_timer_start(t, fn, b_uv_ms(delay_ns), 0);
}

#define b_timer_start_fresh b_timer_start

static inline void b_timer_stop(b_loop *loop, b_timer *t)
{
    (void)loop;
    uv_timer_stop(t);
}

static inline void b_alive_init(b_loop *loop, b_timer *t, uint64_t delay_ns, uv_timer_cb fn,
                                void *arg)
{
    b_timer_init(loop, t, fn, arg);
    b_timer_start(loop, t, delay_ns, fn, arg);
}

static inline void b_alive(b_loop *loop, b_timer *t, uint64_t delay_ns)
{
    (void)loop;
    uv_timer_start(t, t->timer_cb, b_uv_ms(delay_ns), 0);
}

#define b_alive_fresh b_alive

static void b_uv_ready(uv_poll_t *poll, int status, int events)
{
    b_reader *r = (b_reader *)poll; /* poll is its first member */
    if (status < 0)
        bench_die(uv_strerror(status));
    if ((events & UV_READABLE) && r->on_read)
        r->on_read(r->read_arg);
    if ((events & UV_WRITABLE) && r->on_write)
        r->on_write(r->write_arg);
}

static inline void b_uv_interest(b_reader *r)
{
    int events = (r->on_read ? UV_READABLE : 0) | (r->on_write ? UV_WRITABLE : 0);
    b_uv(events ? uv_poll_start(&r->poll, events, b_uv_ready) : uv_poll_stop(&r->poll));
}

static inline void b_reader_start(b_loop *loop, b_reader *r, int fd, bench_callback fn, void *arg)
{
    if (!r->opened) {
        b_uv(uv_poll_init(&loop->uv, &r->poll, fd));
        r->opened = 1;
    }
    r->on_read = fn;
    r->read_arg = arg;
    b_uv_interest(r);
}

static inline void b_reader_stop(b_loop *loop, b_reader *r, int fd)
{
    (void)loop, (void)fd;
    r->on_read = NULL;
    b_uv_interest(r);
}

static inline void b_writer_start(b_loop *loop, b_writer *w, b_reader *r, int fd,
                                  bench_callback fn, void *arg)
{
    (void)loop, (void)w, (void)fd;
    r->on_write = fn;
    r->write_arg = arg;
    b_uv_interest(r);
}

static inline void b_writer_stop(b_loop *loop, b_writer *w, b_reader *r, int fd)
{
    (void)loop, (void)w, (void)fd;
    r->on_write = NULL;
    b_uv_interest(r);
}
