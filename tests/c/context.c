/* asyncio's context=: captured, entered, left and released around callbacks. */
#include "loop_thread.h"
#include <signal.h>
#include <unistd.h>

/* A stand-in for Python's contexts: a variable for each, and a reference count. */
struct context {
    int value, references;
};

struct host {
    loop_t *loop;
    struct context *current;
    int enters, exits, captures, destroyed;
    int seen;
};

static struct context outside;

static void *capture(void *data) {
    struct host *host = data;
    host->captures++;
    host->current->references++;
    return host->current;
}

static void enter(void *context, void *data) {
    struct host *host = data;
    CHECK(host->current == &outside);
    host->current = context;
    host->enters++;
}

static void leave(void *context, void *data) {
    struct host *host = data;
    CHECK(host->current == context);
    host->current = &outside;
    host->exits++;
}

static void release(void *context, void *data) {
    (void)data;
    CHECK(((struct context *)context)->references > 0);
    ((struct context *)context)->references--;
}

static void host_destroyed(void *data) {
    ((struct host *)data)->destroyed++;
}

static const loop_context_hooks_t hooks = {sizeof hooks, capture, enter, leave, release};

static struct context *reference(struct context *context) {
    context->references++;
    return context;
}

static void set_up(struct host *host) {
    memset(host, 0, sizeof *host);
    host->loop = loop_new();
    host->current = &outside;
    CHECK_INT(loop_set_context_hooks(host->loop, &hooks, host, host_destroyed), 0);
}

static void set_5(void *data) {
    ((struct host *)data)->current->value = 5;
}

static void set_6(void *data) {
    ((struct host *)data)->current->value = 6;
}

static void see(void *data) {
    struct host *host = data;
    host->seen = host->seen * 10 + host->current->value;
}

TEST(E22_P25_changes_stay_in_the_context_of_the_call) {
    struct host host;
    struct context own = {0, 0};
    set_up(&host);
    CHECK_INT(loop_call_soon_context(host.loop, set_5, &host, NULL, reference(&own), NULL), 0);
    CHECK_INT(loop_call_soon(host.loop, set_6, &host, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_context(host.loop, see, &host, NULL, reference(&own), NULL), 0);
    CHECK_INT(loop_call_soon(host.loop, see, &host, NULL, NULL), 0);
    CHECK_INT(loop_run_once(host.loop, 0), 4);
    CHECK_INT(own.value, 5);
    CHECK_INT(outside.value, 6);
    CHECK_INT(host.seen, 56);
    CHECK_INT(host.enters, 4);
    CHECK_INT(host.exits, 4);
    CHECK_INT(own.references, 0);
    CHECK_INT(outside.references, 0);
    CHECK_INT(host.captures, 2);
    loop_unref(host.loop);
    CHECK_INT(host.destroyed, 1);
}

TEST(E22_P24_every_way_to_schedule_takes_a_context) {
    struct host host;
    struct context own = {3, 0};
    int ends[2];
    set_up(&host);
    open_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    loop_t *loop = host.loop;
    loop_handle_t handle;
    uint64_t when;
    CHECK_INT(loop_call_soon_context(loop, see, &host, NULL, reference(&own), &handle), 0);
    CHECK_INT(loop_call_soon_threadsafe_context(loop, see, &host, NULL, reference(&own), NULL), 0);
    CHECK_INT(loop_call_later_context(loop, 0, see, &host, NULL, reference(&own), &handle), 0);
    CHECK_INT(loop_handle_when(loop, handle, &when), 0);
    CHECK_INT(loop_call_at_context(loop, 1, see, &host, NULL, reference(&own), NULL), 0);
    CHECK_INT(loop_add_reader_context(loop, ends[0], see, &host, NULL, reference(&own)), 0);
    CHECK_INT(loop_add_writer_context(loop, ends[1], see, &host, NULL, reference(&own)), 0);
    CHECK_INT(own.references, 6);
    CHECK_INT(loop_run_once(loop, 0), 6);
    CHECK_INT(host.seen, 333333);
    CHECK_INT(own.references, 2); /* of the reader and the writer, which stay */
    CHECK_INT(loop_run_once(loop, 0), 2);
    CHECK_INT(own.references, 2);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    CHECK_INT(own.references, 1);
    CHECK_INT(loop_remove_writer(loop, ends[1]), 1);
    CHECK_INT(own.references, 0);
    CHECK_INT(host.captures, 0);
    CHECK_INT(host.enters, host.exits);
    loop_unref(loop);
}

TEST(E22_calls_without_a_context_run_in_the_one_of_their_caller) {
    struct host host;
    struct context own = {7, 0};
    int ends[2];
    set_up(&host);
    open_pipe(ends);
    host.current = &own;
    CHECK_INT(loop_call_soon(host.loop, see, &host, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(host.loop, see, &host, NULL, NULL), 0);
    CHECK_INT(loop_call_later(host.loop, 0, see, &host, NULL, NULL), 0);
    CHECK_INT(loop_call_at(host.loop, 1, see, &host, NULL, NULL), 0);
    CHECK_INT(loop_add_writer(host.loop, ends[1], see, &host, NULL), 0);
    CHECK_INT(host.captures, 5);
    CHECK_INT(own.references, 5);
    host.current = &outside;
    CHECK_INT(loop_run_once(host.loop, 0), 5);
    CHECK_INT(host.seen, 77777);
    CHECK_INT(own.references, 1);
    CHECK_INT(loop_close(host.loop), 0);
    CHECK_INT(own.references, 0);
    CHECK_INT(host.destroyed, 0); /* contexts may still come, and must be released */
    loop_unref(host.loop);
    CHECK_INT(host.destroyed, 1);
}

TEST(a_dropped_callback_releases_its_context_without_entering_it) {
    struct host host;
    struct context own = {0, 0};
    int destroyed = 0, ends[2];
    loop_handle_t handle;
    set_up(&host);
    open_pipe(ends);
    CHECK_INT(loop_call_soon_context(host.loop, see, &destroyed, count, reference(&own),
                                     &handle), 0);
    CHECK_INT(loop_handle_cancel(host.loop, handle), 0);
    CHECK(own.references == 0 && destroyed == 1);
    CHECK_INT(loop_call_soon_threadsafe_context(host.loop, see, &destroyed, count, reference(&own),
                                                &handle), 0);
    CHECK_INT(loop_handle_cancel(host.loop, handle), 0);
    CHECK(own.references == 0 && destroyed == 2);
    CHECK_INT(loop_add_reader_context(host.loop, ends[0], see, &destroyed, count,
                                      reference(&own)), 0);
    CHECK_INT(loop_add_reader_context(host.loop, ends[0], see, &destroyed, count,
                                      reference(&own)), 0);
    CHECK(own.references == 1 && destroyed == 3);
    CHECK_INT(loop_call_later_context(host.loop, MS, see, &destroyed, count, reference(&own),
                                      NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe_context(host.loop, see, &destroyed, count, reference(&own),
                                                NULL), 0);
    CHECK_INT(loop_close(host.loop), 0);
    CHECK(own.references == 0 && destroyed == 6);
    CHECK_INT(host.enters + host.exits, 0);
    loop_unref(host.loop);
    CHECK_INT(host.destroyed, 1);
}

TEST(without_hooks_a_context_is_refused_and_stays_the_callers) {
    loop_t *loop = loop_new();
    struct context own = {0, 0};
    int destroyed = 0;
    void *context = reference(&own);
    loop_context_hooks_t wrong = hooks;
    CHECK_INT(loop_call_soon_context(loop, count, &destroyed, count, context, NULL), LOOP_EINVAL);
    CHECK_INT(loop_call_soon_threadsafe_context(loop, count, &destroyed, count, context, NULL),
              LOOP_EINVAL);
    CHECK_INT(loop_call_later_context(loop, 0, count, &destroyed, count, context, NULL),
              LOOP_EINVAL);
    CHECK_INT(loop_call_at_context(loop, 0, count, &destroyed, count, context, NULL), LOOP_EINVAL);
    CHECK_INT(loop_add_reader_context(loop, 0, count, &destroyed, count, context), LOOP_EINVAL);
    CHECK_INT(loop_add_writer_context(loop, 0, count, &destroyed, count, context), LOOP_EINVAL);
    CHECK_INT(destroyed, 6);
    CHECK_INT(own.references, 1);
    wrong.size--;
    CHECK_INT(loop_set_context_hooks(loop, &wrong, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(destroyed, 7);
    CHECK_INT(loop_call_soon_context(loop, count, &destroyed, NULL, context, NULL), LOOP_EINVAL);
    CHECK_INT(own.references, 1);
    loop_unref(loop);
}

static void *schedule_a_timer(void *data) {
    void **arguments = data;
    CHECK_INT(loop_call_later_context(arguments[0], 0, count, arguments[1], count, arguments[2],
                                      NULL), LOOP_EWRONG_THREAD);
    return NULL;
}

static void let_a_thread_fail(void *data) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, schedule_a_timer, data), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

/* The reference has passed to the loop, whose call then fails: it must not leak. */
TEST(a_refused_call_releases_the_context_it_was_given) {
    struct host host;
    struct context own = {0, 0};
    int destroyed = 0;
    set_up(&host);
    void *arguments[] = {host.loop, &destroyed, reference(&own)};
    CHECK_INT(loop_call_soon_context(host.loop, let_a_thread_fail, arguments, NULL,
                                     reference(&own), NULL), 0);
    CHECK_INT(loop_run_once(host.loop, 0), 1);
    CHECK_INT(destroyed, 1);
    CHECK_INT(own.references, 0);
    CHECK_INT(loop_add_reader_context(host.loop, 900, count, &destroyed, count, reference(&own)),
              -9); /* EBADF */
    CHECK_INT(own.references, 0);
    CHECK_INT(destroyed, 2);
    loop_unref(host.loop);
}

TEST(a_closed_loop_releases_the_context_it_refuses) {
    struct host host;
    struct context own = {0, 0};
    int destroyed = 0;
    set_up(&host);
    CHECK_INT(loop_close(host.loop), 0);
    CHECK_INT(loop_call_soon_context(host.loop, count, &destroyed, count, reference(&own), NULL),
              LOOP_ECLOSED);
    CHECK_INT(destroyed, 1);
    CHECK_INT(own.references, 0);
    loop_unref(host.loop);
}

static int first_entered;

static void first_enter(void *context, void *data) {
    (void)context;
    (void)data;
    first_entered++;
}

TEST(waiting_callbacks_keep_the_hooks_they_were_scheduled_with) {
    struct host host;
    struct context own = {0, 0};
    int destroyed = 0, ran = 0;
    set_up(&host);
    loop_context_hooks_t first = {.size = sizeof first, .enter = first_enter, .release = release};
    CHECK_INT(loop_set_context_hooks(host.loop, &first, &destroyed, count), 0);
    CHECK_INT(host.destroyed, 1); /* replaced, and nothing waited with them */
    CHECK_INT(loop_call_later_context(host.loop, 0, count, &ran, NULL, reference(&own), NULL), 0);
    CHECK_INT(loop_call_soon(host.loop, count, &ran, NULL, NULL), 0); /* capture is NULL: none */
    CHECK_INT(loop_set_context_hooks(host.loop, NULL, NULL, NULL), 0);
    CHECK_INT(destroyed, 0);
    CHECK_INT(loop_call_soon(host.loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(host.loop, 0), 3);
    CHECK_INT(ran, 3);
    CHECK_INT(first_entered, 1);
    CHECK_INT(own.references, 0);
    CHECK_INT(destroyed, 1);
    loop_unref(host.loop);
}

static void schedule_inside(void *data) {
    struct host *host = data;
    see(data);
    if (host->seen < 1000)
        CHECK_INT(loop_call_soon(host->loop, schedule_inside, host, NULL, NULL), 0);
}

TEST(a_context_is_handed_on_by_what_runs_in_it) {
    struct host host;
    struct context own = {2, 0};
    set_up(&host);
    CHECK_INT(loop_call_soon_context(host.loop, schedule_inside, &host, NULL, reference(&own),
                                     NULL), 0);
    for (int turn = 0; turn < 4; turn++)
        CHECK_INT(loop_run_once(host.loop, 0), 1);
    CHECK_INT(host.seen, 2222);
    CHECK_INT(own.references, 0);
    CHECK_INT(loop_run_once(host.loop, 0), 0);
    loop_unref(host.loop);
}

static void see_and_stop(void *data) {
    see(data);
    CHECK_INT(loop_stop(((struct host *)data)->loop), 0);
}

TEST(a_signal_handler_runs_in_the_context_it_was_given_every_time) {
    struct host host;
    struct context own = {7, 0};
    set_up(&host);
    CHECK_INT(loop_add_signal_handler_context(host.loop, SIGUSR1, see_and_stop, &host, NULL,
                                              reference(&own)),
              0);
    CHECK_INT(host.captures, 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(raise(SIGUSR1), 0);
        CHECK_INT(loop_run_forever(host.loop), 0);
    }
    CHECK_INT(host.seen, 77);
    CHECK(host.current == &outside);
    CHECK_INT(own.references, 1);
    CHECK_INT(loop_remove_signal_handler(host.loop, SIGUSR1), 1);
    CHECK_INT(own.references, 0);
    /* A signal that has no handler gives its context back, too. */
    CHECK_INT(loop_add_signal_handler_context(host.loop, SIGKILL, see, &host, NULL,
                                              reference(&own)),
              LOOP_EINVAL);
    CHECK_INT(own.references, 0);
    CHECK_INT(loop_close(host.loop), 0);
    loop_unref(host.loop);
    CHECK_INT(host.destroyed, 1);
}
