/* mio, behind the C functions of mio/src/lib.rs. The queues and timers mio does not have
 * are in that crate, in Rust, as a program using mio would have them. */
#include "plain.h"

#define B_NAME "mio"
#define B_EDGE 1
#define B_FRESH 0
#define B_SLACK 0

#define B_SOON PLAIN_CALLBACK
#define B_SOON_FORWARD PLAIN_FORWARD
#define B_TIMER PLAIN_CALLBACK
#define B_TIMER_FORWARD PLAIN_FORWARD
#define B_READER PLAIN_CALLBACK
#define B_READER_FORWARD PLAIN_FORWARD
#define B_WRITER PLAIN_CALLBACK

typedef struct b_loop b_loop;
typedef struct { char unused; } b_soon;
typedef struct { uint64_t when, sequence; } b_timer; /* the key in the BTreeMap */
typedef struct { size_t token; } b_reader;           /* 0: not registered */
typedef struct { char unused; } b_writer;

b_loop *mio_loop_new(void);
void mio_loop_free(b_loop *);
void mio_run(b_loop *);
void mio_stop(b_loop *);
void mio_refresh(b_loop *);
void mio_soon(b_loop *, bench_callback, void *);
void mio_post(b_loop *, bench_callback, void *);
void mio_timer_start(b_loop *, b_timer *, uint64_t delay_ns, bench_callback, void *);
void mio_timer_stop(b_loop *, b_timer *);
void mio_timer_move(b_loop *, b_timer *, uint64_t delay_ns);
void mio_watch(b_loop *, size_t *token, int fd, int writer, bench_callback, void *);
void mio_unwatch(b_loop *, size_t *token, int fd, int writer);

static inline b_loop *b_loop_new(enum b_kind kind)
{
    (void)kind;
    return mio_loop_new();
}

static inline void b_loop_free(b_loop *loop) { mio_loop_free(loop); }
static inline void b_run(b_loop *loop) { mio_run(loop); }
static inline void b_stop(b_loop *loop) { mio_stop(loop); }
static inline void b_refresh(b_loop *loop) { mio_refresh(loop); }

static inline void b_soon_init(b_loop *loop, b_soon *soon, bench_callback fn, void *arg)
{
    (void)loop, (void)soon, (void)fn, (void)arg;
}

static inline void b_soon_call(b_loop *loop, b_soon *soon, bench_callback fn, void *arg)
{
    (void)soon;
    mio_soon(loop, fn, arg);
}

static inline void b_post(b_loop *loop, bench_callback fn, void *arg) { mio_post(loop, fn, arg); }

static inline void b_timer_init(b_loop *loop, b_timer *t, bench_callback fn, void *arg)
{
    (void)loop, (void)t, (void)fn, (void)arg;
}

#define b_timer_start mio_timer_start
#define b_timer_start_fresh mio_timer_start
#define b_timer_stop mio_timer_stop
#define b_alive mio_timer_move
#define b_alive_fresh mio_timer_move

static inline void b_alive_init(b_loop *loop, b_timer *t, uint64_t delay_ns, bench_callback fn,
                                void *arg)
{
    mio_timer_start(loop, t, delay_ns, fn, arg);
}

static inline void b_reader_start(b_loop *loop, b_reader *r, int fd, bench_callback fn, void *arg)
{
    mio_watch(loop, &r->token, fd, 0, fn, arg);
}

static inline void b_reader_stop(b_loop *loop, b_reader *r, int fd)
{
    mio_unwatch(loop, &r->token, fd, 0);
}

static inline void b_writer_start(b_loop *loop, b_writer *w, b_reader *r, int fd,
                                  bench_callback fn, void *arg)
{
    (void)w;
    mio_watch(loop, &r->token, fd, 1, fn, arg);
}

static inline void b_writer_stop(b_loop *loop, b_writer *w, b_reader *r, int fd)
{
    (void)w;
    mio_unwatch(loop, &r->token, fd, 1);
}
