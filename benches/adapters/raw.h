/* raw: epoll by hand, the bound. Not a library: no signals, no fork checks, no handles,
 * no error paths. One generation per turn; while there is work it polls every 64th turn. */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "plain.h"
#include "postbox.h"
#include "raw_heap.h"

#define B_NAME "raw"
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

typedef struct {
    bench_callback on_read, on_write;
    void *read_arg, *write_arg;
    int known;
} b_reader;

typedef struct { char unused; } b_soon;
typedef struct { char unused; } b_writer;
typedef raw_timer b_timer;

typedef struct {
    struct call *ring; /* ready calls, head to tail, room a power of two */
    size_t head, tail, room;
    struct raw_heap timers;
    struct postbox box;
    uint64_t now;
    int poller, wake_fd;
    int stop, busy_turns;
    int coalesce;
} b_loop;

enum { RAW_POLL_EVERY = 64, RAW_EVENTS = 1024 };

static inline b_loop *b_loop_new(enum b_kind kind)
{
    b_loop *loop = calloc(1, sizeof *loop);
    /* edge-triggered, so that the counter need not be read; data.ptr NULL marks it */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    loop->poller = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (epoll_ctl(loop->poller, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0)
        bench_die("epoll_ctl");
    loop->coalesce = kind == B_COALESCING;
    loop->now = bench_now();
    postbox_init(&loop->box);
    return loop;
}

static inline void b_loop_free(b_loop *loop)
{
    close(loop->poller);
    close(loop->wake_fd);
    free(loop->ring);
    free(loop->timers.at);
    postbox_free(&loop->box);
    free(loop);
}

static inline int raw_wait(b_loop *loop, struct epoll_event *events)
{
    struct timespec ts = {0, 0};
    if (loop->head == loop->tail && !loop->stop) {
        if (loop->timers.count == 0)
            return epoll_wait(loop->poller, events, RAW_EVENTS, -1);
        uint64_t when = loop->timers.at[0].key, now = bench_now();
        uint64_t wait = when > now ? when - now : 0;
        if (loop->coalesce)
            wait = (wait + 999999) / 1000000 * 1000000;
        ts.tv_sec = (time_t)(wait / 1000000000u);
        ts.tv_nsec = (long)(wait % 1000000000u);
        return epoll_pwait2(loop->poller, events, RAW_EVENTS, &ts, NULL);
    }
    return epoll_wait(loop->poller, events, RAW_EVENTS, 0);
}

static inline void raw_dispatch(b_loop *loop, struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        b_reader *r = events[i].data.ptr;
        if (!r) {
            postbox_drain(&loop->box);
            continue;
        }
        if ((events[i].events & ~(uint32_t)EPOLLOUT) && r->on_read)
            r->on_read(r->read_arg);
        if ((events[i].events & ~(uint32_t)EPOLLIN) && r->on_write)
            r->on_write(r->write_arg);
    }
}

static inline void b_run(b_loop *loop)
{
    struct epoll_event events[RAW_EVENTS];
    while (!loop->stop) {
        if (loop->head == loop->tail || --loop->busy_turns <= 0) {
            int count = raw_wait(loop, events);
            loop->busy_turns = RAW_POLL_EVERY;
            loop->now = bench_now();
            raw_dispatch(loop, events, count);
            for (raw_timer *t; (t = raw_heap_due(&loop->timers, loop->now)) != NULL;)
                t->fn(t->arg);
        }
        for (size_t end = loop->tail; loop->head != end;) {
            struct call call = loop->ring[loop->head++ & (loop->room - 1)];
            call.fn(call.arg);
        }
    }
    loop->stop = 0;
}

static inline void b_stop(b_loop *loop) { loop->stop = 1; }
static inline void b_refresh(b_loop *loop) { loop->now = bench_now(); }

static inline void b_soon_init(b_loop *loop, b_soon *soon, bench_callback fn, void *arg)
{
    (void)loop, (void)soon, (void)fn, (void)arg;
}

static __attribute__((noinline)) void raw_grow(b_loop *loop)
{
    size_t room = loop->room ? loop->room * 2 : 8;
    struct call *ring = bench_alloc(room, sizeof *ring);
    for (size_t i = loop->head; i != loop->tail; i++)
        ring[i & (room - 1)] = loop->ring[i & (loop->room - 1)];
    free(loop->ring);
    loop->ring = ring;
    loop->room = room;
}

static inline void b_soon_call(b_loop *loop, b_soon *soon, bench_callback fn, void *arg)
{
    (void)soon;
    if (__builtin_expect(loop->tail - loop->head == loop->room, 0))
        raw_grow(loop);
    loop->ring[loop->tail++ & (loop->room - 1)] = (struct call){fn, arg};
}

static inline void b_post(b_loop *loop, bench_callback fn, void *arg)
{
    if (postbox_put(&loop->box, fn, arg)) {
        uint64_t one = 1;
        if (write(loop->wake_fd, &one, sizeof one) != sizeof one)
            bench_die("write(eventfd)");
    }
}

static inline void b_timer_init(b_loop *loop, b_timer *t, bench_callback fn, void *arg)
{
    (void)loop;
    *t = (b_timer){.fn = fn, .arg = arg};
}

static inline void raw_start(b_loop *loop, b_timer *t, uint64_t when)
{
    t->when = when;
    raw_heap_add(&loop->timers, t);
}

static inline void b_timer_start(b_loop *loop, b_timer *t, uint64_t delay_ns, bench_callback fn,
                                 void *arg)
{
    (void)fn, (void)arg;
    raw_start(loop, t, loop->now + delay_ns);
}

static inline void b_timer_start_fresh(b_loop *loop, b_timer *t, uint64_t delay_ns,
                                       bench_callback fn, void *arg)
{
    (void)fn, (void)arg;
    raw_start(loop, t, bench_now() + delay_ns);
}

static inline void b_timer_stop(b_loop *loop, b_timer *t) { raw_heap_remove(&loop->timers, t); }

static inline void b_alive_init(b_loop *loop, b_timer *t, uint64_t delay_ns, bench_callback fn,
                                void *arg)
{
    b_timer_init(loop, t, fn, arg);
    b_timer_start(loop, t, delay_ns, fn, arg);
}

static inline void b_alive(b_loop *loop, b_timer *t, uint64_t delay_ns)
{
    t->when = loop->now + delay_ns; /* later than before: the delay is always the same */
}

static inline void b_alive_fresh(b_loop *loop, b_timer *t, uint64_t delay_ns)
{
    (void)loop;
    t->when = bench_now() + delay_ns;
}

static inline void raw_interest(b_loop *loop, b_reader *r, int fd)
{
    struct epoll_event event = {
        .events = (r->on_read ? EPOLLIN : 0u) | (r->on_write ? EPOLLOUT : 0u), .data.ptr = r};
    int op = !event.events ? EPOLL_CTL_DEL : r->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(loop->poller, op, fd, &event) != 0)
        bench_die("epoll_ctl");
    r->known = op != EPOLL_CTL_DEL;
}

static inline void b_reader_start(b_loop *loop, b_reader *r, int fd, bench_callback fn, void *arg)
{
    r->on_read = fn;
    r->read_arg = arg;
    raw_interest(loop, r, fd);
}

static inline void b_reader_stop(b_loop *loop, b_reader *r, int fd)
{
    r->on_read = NULL;
    raw_interest(loop, r, fd);
}

static inline void b_writer_start(b_loop *loop, b_writer *w, b_reader *r, int fd,
                                  bench_callback fn, void *arg)
{
    (void)w;
    r->on_write = fn;
    r->write_arg = arg;
    raw_interest(loop, r, fd);
}

static inline void b_writer_stop(b_loop *loop, b_writer *w, b_reader *r, int fd)
{
    (void)w;
    r->on_write = NULL;
    raw_interest(loop, r, fd);
}
