/* libev. call_soon is ev_feed_event: pending at once, run in the same pass, no poll. */
#define EV_COMPAT3 0
#include <ev.h>

#include "postbox.h"

#define B_NAME "libev"
#define B_EDGE 0
#define B_FRESH 0
#define B_SLACK 0

#define B_EV_FORWARD(type, name) static void name(struct ev_loop *, type *, int)
#define B_EV_CALLBACK(type, name, arg)                                \
    static inline void name##_body(void *arg);                        \
    static void name(struct ev_loop *ev, type *watcher, int revents)  \
    {                                                                 \
        (void)ev, (void)revents;                                      \
        name##_body(watcher->data);                                   \
    }                                                                 \
    static inline void name##_body(void *arg)

#define B_SOON(name, arg) B_EV_CALLBACK(ev_prepare, name, arg)
#define B_SOON_FORWARD(name) B_EV_FORWARD(ev_prepare, name)
#define B_TIMER(name, arg) B_EV_CALLBACK(ev_timer, name, arg)
#define B_TIMER_FORWARD(name) B_EV_FORWARD(ev_timer, name)
#define B_READER(name, arg) B_EV_CALLBACK(ev_io, name, arg)
#define B_READER_FORWARD(name) B_EV_FORWARD(ev_io, name)
#define B_WRITER(name, arg) B_EV_CALLBACK(ev_io, name, arg)

typedef struct {
    struct ev_loop *ev;
    ev_async wake;
    struct postbox box;
} b_loop;

typedef ev_prepare b_soon; /* never started, only fed: the smallest watcher there is */
typedef ev_timer b_timer;
typedef ev_io b_reader;
typedef ev_io b_writer;

typedef void (*b_ev_soon_fn)(struct ev_loop *, ev_prepare *, int);
typedef void (*b_ev_timer_fn)(struct ev_loop *, ev_timer *, int);
typedef void (*b_ev_io_fn)(struct ev_loop *, ev_io *, int);

static void b_ev_wake(struct ev_loop *ev, ev_async *wake, int revents)
{
    (void)ev, (void)revents;
    postbox_drain(&((b_loop *)wake->data)->box);
}

static inline b_loop *b_loop_new(enum b_kind kind)
{
    b_loop *loop = calloc(1, sizeof *loop);
    (void)kind;
    loop->ev = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
    if (!loop->ev)
        bench_die("ev_loop_new");
    ev_async_init(&loop->wake, b_ev_wake);
    loop->wake.data = loop;
    ev_async_start(loop->ev, &loop->wake);
    postbox_init(&loop->box);
    return loop;
}

static inline void b_loop_free(b_loop *loop)
{
    ev_async_stop(loop->ev, &loop->wake);
    ev_loop_destroy(loop->ev);
    postbox_free(&loop->box);
    free(loop);
}

static inline void b_run(b_loop *loop) { ev_run(loop->ev, 0); }
static inline void b_stop(b_loop *loop) { ev_break(loop->ev, EVBREAK_ONE); }
static inline void b_refresh(b_loop *loop) { ev_now_update(loop->ev); }

static inline void b_soon_init(b_loop *loop, b_soon *soon, b_ev_soon_fn fn, void *arg)
{
    (void)loop;
    ev_prepare_init(soon, fn);
    soon->data = arg;
}

static inline void b_soon_call(b_loop *loop, b_soon *soon, b_ev_soon_fn fn, void *arg)
{
    (void)fn, (void)arg;
    ev_feed_event(loop->ev, soon, EV_CUSTOM);
}

static inline void b_post(b_loop *loop, bench_callback fn, void *arg)
{
    if (postbox_put(&loop->box, fn, arg))
        ev_async_send(loop->ev, &loop->wake);
}

static inline void b_timer_init(b_loop *loop, b_timer *t, b_ev_timer_fn fn, void *arg)
{
    (void)loop;
    ev_timer_init(t, fn, 0., 0.);
    t->data = arg;
}

static inline void b_timer_start(b_loop *loop, b_timer *t, uint64_t delay_ns, b_ev_timer_fn fn,
                                 void *arg)
{
    (void)fn, (void)arg;
    ev_timer_set(t, (double)delay_ns * 1e-9, 0.);
    ev_timer_start(loop->ev, t);
}

#define b_timer_start_fresh b_timer_start

static inline void b_timer_stop(b_loop *loop, b_timer *t) { ev_timer_stop(loop->ev, t); }

/* The manual's own advice for inactivity timeouts: ev_timer_again. */
static inline void b_alive(b_loop *loop, b_timer *t, uint64_t delay_ns)
{
    (void)delay_ns; /* kept in t->repeat: always the same */
    ev_timer_again(loop->ev, t);
}

#define b_alive_fresh b_alive

static inline void b_alive_init(b_loop *loop, b_timer *t, uint64_t delay_ns, b_ev_timer_fn fn,
                                void *arg)
{
    b_timer_init(loop, t, fn, arg);
    t->repeat = (double)delay_ns * 1e-9;
    ev_timer_again(loop->ev, t);
}

static inline void b_reader_start(b_loop *loop, b_reader *r, int fd, b_ev_io_fn fn, void *arg)
{
    ev_io_init(r, fn, fd, EV_READ);
    r->data = arg;
    ev_io_start(loop->ev, r);
}

static inline void b_reader_stop(b_loop *loop, b_reader *r, int fd)
{
    (void)fd;
    ev_io_stop(loop->ev, r);
}

static inline void b_writer_start(b_loop *loop, b_writer *w, b_reader *r, int fd, b_ev_io_fn fn,
                                  void *arg)
{
    (void)r;
    ev_io_init(w, fn, fd, EV_WRITE);
    w->data = arg;
    ev_io_start(loop->ev, w);
}

static inline void b_writer_stop(b_loop *loop, b_writer *w, b_reader *r, int fd)
{
    (void)r, (void)fd;
    ev_io_stop(loop->ev, w);
}
