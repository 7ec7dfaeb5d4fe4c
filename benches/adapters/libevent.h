/* libevent. Threads are left off and an edge-triggered eventfd wakes the loop, so no call
 * takes libevent's own lock: this is its fast configuration. */
#include <event2/event.h>
#include <event2/event_struct.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include "postbox.h"

#define B_NAME "libevent"
#define B_EDGE 0
#define B_FRESH 0
#define B_SLACK 0

#define B_LE_FORWARD(name) static void name(evutil_socket_t, short, void *)
#define B_LE_CALLBACK(name, arg)                               \
    B_LE_FORWARD(name);                                        \
    static inline void name##_body(void *arg);                 \
    static void name(evutil_socket_t fd, short what, void *a)  \
    {                                                          \
        (void)fd, (void)what;                                  \
        name##_body(a);                                        \
    }                                                          \
    static inline void name##_body(void *arg)

#define B_SOON B_LE_CALLBACK
#define B_SOON_FORWARD B_LE_FORWARD
#define B_TIMER B_LE_CALLBACK
#define B_TIMER_FORWARD B_LE_FORWARD
#define B_READER B_LE_CALLBACK
#define B_READER_FORWARD B_LE_FORWARD
#define B_WRITER B_LE_CALLBACK

typedef struct {
    struct event_base *base;
    struct event wake;
    int wake_fd;
    const struct timeval *alive; /* the common timeout of b_alive */
    struct postbox box;
} b_loop;

typedef struct event b_soon;
typedef struct event b_timer;
typedef struct event b_reader;
typedef struct event b_writer;

static void b_le_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what; /* edge-triggered: the counter need not be read */
    postbox_drain(&((b_loop *)arg)->box);
}

static inline b_loop *b_loop_new(enum b_kind kind)
{
    b_loop *loop = calloc(1, sizeof *loop);
    if (kind == B_PRECISE) {
        struct event_config *config = event_config_new();
        event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
        loop->base = event_base_new_with_config(config);
        event_config_free(config);
    } else {
        loop->base = event_base_new();
    }
    if (!loop->base)
        bench_die("event_base_new");
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    event_assign(&loop->wake, loop->base, loop->wake_fd, EV_READ | EV_PERSIST | EV_ET, b_le_wake,
                 loop);
    event_add(&loop->wake, NULL);
    postbox_init(&loop->box);
    return loop;
}

static inline void b_loop_free(b_loop *loop)
{
    event_del(&loop->wake);
    event_base_free(loop->base);
    close(loop->wake_fd);
    postbox_free(&loop->box);
    free(loop);
}

static inline void b_run(b_loop *loop)
{
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

static inline void b_stop(b_loop *loop) { event_base_loopbreak(loop->base); }
static inline void b_refresh(b_loop *loop) { event_base_update_cache_time(loop->base); }

static inline void b_soon_init(b_loop *loop, b_soon *soon, event_callback_fn fn, void *arg)
{
    event_assign(soon, loop->base, -1, 0, fn, arg);
}

static inline void b_soon_call(b_loop *loop, b_soon *soon, event_callback_fn fn, void *arg)
{
    (void)loop, (void)fn, (void)arg;
    event_active(soon, EV_TIMEOUT, 1);
}

static inline void b_post(b_loop *loop, bench_callback fn, void *arg)
{
    if (postbox_put(&loop->box, fn, arg)) {
        uint64_t one = 1;
        if (write(loop->wake_fd, &one, sizeof one) != sizeof one)
            bench_die("write(eventfd)");
    }
}

static inline struct timeval b_le_time(uint64_t ns)
{
    uint64_t us = (ns + 999) / 1000;
    return (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
}

static inline void b_timer_init(b_loop *loop, b_timer *t, event_callback_fn fn, void *arg)
{
    event_assign(t, loop->base, -1, 0, fn, arg);
}

static inline void b_timer_start(b_loop *loop, b_timer *t, uint64_t delay_ns,
                                 event_callback_fn fn, void *arg)
{
    (void)loop, (void)fn, (void)arg;
    struct timeval delay = b_le_time(delay_ns);
    event_add(t, &delay);
}

#define b_timer_start_fresh b_timer_start

static inline void b_timer_stop(b_loop *loop, b_timer *t)
{
    (void)loop;
    event_del(t);
}

/* Equal delays: a common timeout is a queue instead of a heap. */
static inline void b_alive(b_loop *loop, b_timer *t, uint64_t delay_ns)
{
    (void)delay_ns;
    event_add(t, loop->alive);
}

#define b_alive_fresh b_alive

static inline void b_alive_init(b_loop *loop, b_timer *t, uint64_t delay_ns, event_callback_fn fn,
                                void *arg)
{
    if (!loop->alive) {
        struct timeval delay = b_le_time(delay_ns);
        loop->alive = event_base_init_common_timeout(loop->base, &delay);
    }
    b_timer_init(loop, t, fn, arg);
    event_add(t, loop->alive);
}

static inline void b_reader_start(b_loop *loop, b_reader *r, int fd, event_callback_fn fn,
                                  void *arg)
{
    event_assign(r, loop->base, fd, EV_READ | EV_PERSIST, fn, arg);
    event_add(r, NULL);
}

static inline void b_reader_stop(b_loop *loop, b_reader *r, int fd)
{
    (void)loop, (void)fd;
    event_del(r);
}

static inline void b_writer_start(b_loop *loop, b_writer *w, b_reader *r, int fd,
                                  event_callback_fn fn, void *arg)
{
    (void)r;
    event_assign(w, loop->base, fd, EV_WRITE | EV_PERSIST, fn, arg);
    event_add(w, NULL);
}

static inline void b_writer_stop(b_loop *loop, b_writer *w, b_reader *r, int fd)
{
    (void)loop, (void)r, (void)fd;
    event_del(w);
}
