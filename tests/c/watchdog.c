/* loop_watchdog_start, loop_watchdog_stop. */
#include "child.h"
#include "loop_thread.h"
#include "stderr_text.h"
#include <stdatomic.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

/* What reports said, and a callback that holds its loop up until so many came. */
struct watched {
    loop_t *loop;
    atomic_int reports, wanted;
    int destroyed, called;
    loop_watchdog_report_t last;
    unsigned long long durations[4];
    pthread_t loop_thread;
    void (*inside)(struct watched *watched);
};

static void report(loop_t *loop, const loop_watchdog_report_t *report, void *data) {
    struct watched *watched = data;
    CHECK(loop == watched->loop);
    CHECK(!pthread_equal(pthread_self(), watched->loop_thread));
    CHECK_INT(report->size, sizeof *report);
    watched->last = *report;
    if (watched->reports < 4)
        watched->durations[watched->reports] = report->duration_ns;
    void (*inside)(struct watched *) = watched->inside;
    watched->inside = NULL; /* once */
    if (inside != NULL)
        inside(watched);
    watched->reports++;
}

static void destroyed(void *data) {
    ((struct watched *)data)->destroyed++;
}

static void hang(void *data) {
    struct watched *watched = data;
    watched->called++;
    while (watched->reports < watched->wanted)
        sleep_ns(MS / 10);
}

static struct watched watch(void) {
    struct watched watched = {.loop = loop_new(), .loop_thread = pthread_self()};
    return watched;
}

static void nothing(void *data) {
    (void)data;
}

/* A threshold that nothing exceeds by accident. */
enum { LONG_MS = 3000 };

TEST(a_watchdog_reports_a_callback_while_it_hangs) {
    struct watched watched = watch();
    loop_t *loop = watched.loop;
    loop_handle_t handle;
    int pipe[2];
    CHECK_INT(loop_watchdog_start(loop, 10 * MS, report, &watched, destroyed), 0);
    watched.wanted = 1;
    CHECK_INT(loop_call_soon(loop, hang, &watched, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK(watched.last.callback == hang && watched.last.user_data == &watched);
    CHECK(watched.last.handle == 0 && watched.last.fd == -1);
    CHECK((int)watched.last.earlier < watched.reports);
    CHECK(watched.last.duration_ns >= 10 * MS);
    /* A timer with its handle, and a writer with its descriptor. */
    watched.wanted = watched.reports + 1;
    CHECK_INT(loop_call_later(loop, 0, hang, &watched, NULL, &handle), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK(watched.last.handle == handle && watched.last.fd == -1);
    open_pipe(pipe);
    watched.wanted = watched.reports + 1;
    CHECK_INT(loop_add_writer(loop, pipe[1], hang, &watched, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK(watched.last.handle == 0 && watched.last.fd == pipe[1]);
    CHECK_INT(loop_remove_writer(loop, pipe[1]), 1);
    CHECK_INT(watched.called, 3);
    CHECK_INT(loop_watchdog_stop(loop), 1);
    CHECK_INT(watched.destroyed, 1);
    CHECK_INT(loop_watchdog_stop(loop), 0);
    close(pipe[0]);
    close(pipe[1]);
    loop_unref(loop);
    CHECK_INT(watched.destroyed, 1);
}

TEST(a_watchdog_reports_again_on_each_doubling) {
    struct watched watched = watch();
    CHECK_INT(loop_watchdog_start(watched.loop, 5 * MS, report, &watched, NULL), 0);
    watched.wanted = 4;
    CHECK_INT(loop_call_soon(watched.loop, hang, &watched, NULL, NULL), 0);
    CHECK_INT(loop_run_once(watched.loop, 0), 1);
    CHECK(watched.last.earlier >= 3);
    unsigned long long least = 5 * MS;
    for (int i = 0; i < 4; i++) {
        CHECK(watched.durations[i] >= least);
        least *= 2;
    }
    /* Another call is another story. */
    int before = watched.reports;
    watched.wanted = before + 1;
    CHECK_INT(loop_call_soon(watched.loop, hang, &watched, NULL, NULL), 0);
    CHECK_INT(loop_run_once(watched.loop, 0), 1);
    CHECK((int)watched.last.earlier < watched.reports - before);
    loop_unref(watched.loop);
}

TEST(a_loop_that_waits_is_never_reported) {
    struct watched watched = watch();
    loop_t *loop = watched.loop;
    CHECK_INT(loop_watchdog_start(loop, in_valgrind() ? 1000 * MS : 100 * MS, report, &watched,
                                  destroyed), 0);
    CHECK_INT(loop_call_later(loop, (in_valgrind() ? 3000 : 500) * MS, stop_loop, loop, NULL, NULL),
              0);
    CHECK_INT(loop_run_forever(loop), 0);
    /* Nor is one that does not run. */
    sleep_ns(200 * MS);
    CHECK_INT(watched.reports, 0);
    loop_unref(loop);
    CHECK_INT(watched.destroyed, 1);
}

static void hang_until_written(void *data) {
    struct caught *caught = data;
    struct stat status = {0};
    while (status.st_size == 0) {
        CHECK_INT(fstat(fileno(caught->file), &status), 0);
        sleep_ns(MS);
    }
}

TEST(without_a_function_a_watchdog_writes_to_stderr) {
    loop_t *loop = loop_new();
    struct caught caught;
    char begin[128];
    CHECK_INT(loop_watchdog_start(loop, 20 * MS, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, hang_until_written, &caught, NULL, NULL), 0);
    catch_stderr(&caught);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(loop_watchdog_stop(loop), 1);
    const char *text = caught_text(&caught);
    snprintf(begin, sizeof begin,
             "Executing <callback " ADDRESS " user_data=" ADDRESS " handle=0x0 fd=-1> is taking longer than 0.",
             address_of(hang_until_written), address_of_data(&caught));
    CHECK(strncmp(text, begin, strlen(begin)) == 0 || in_valgrind());
    CHECK(strstr(text, " seconds\n") != NULL);
    loop_unref(loop);
}

/* --- ending it in awkward places --- */

static void stop_here(void *data) {
    struct watched *watched = data;
    watched->called++;
    CHECK_INT(loop_watchdog_stop(watched->loop), 1);
    CHECK_INT(watched->destroyed, 1);
    CHECK_INT(loop_watchdog_stop(watched->loop), 0);
}

TEST(a_watchdog_may_be_stopped_and_started_in_a_callback) {
    struct watched watched = watch();
    CHECK_INT(loop_watchdog_start(watched.loop, LONG_MS * MS, report, &watched, destroyed), 0);
    CHECK_INT(loop_call_soon(watched.loop, stop_here, &watched, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(watched.loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_once(watched.loop, 0), 2);
    CHECK_INT(watched.called, 1);
    CHECK_INT(watched.reports, 0);
    loop_unref(watched.loop);
}

static void stop_inside(struct watched *watched) {
    CHECK_INT(loop_watchdog_stop(watched->loop), 1);
    CHECK_INT(loop_watchdog_stop(watched->loop), 0);
    CHECK_INT(watched->destroyed, 0);
}

TEST(a_watchdog_may_be_stopped_in_its_own_report) {
    struct watched watched = watch();
    watched.inside = stop_inside;
    watched.wanted = 1;
    CHECK_INT(loop_watchdog_start(watched.loop, 5 * MS, report, &watched, destroyed), 0);
    CHECK_INT(loop_call_soon(watched.loop, hang, &watched, NULL, NULL), 0);
    CHECK_INT(loop_run_once(watched.loop, 0), 1);
    while (watched.destroyed == 0)
        CHECK(loop_run_once(watched.loop, 0) >= 0);
    CHECK_INT(watched.destroyed, 1);
    CHECK_INT(watched.reports, 1);
    CHECK_INT(loop_watchdog_stop(watched.loop), 0);
    /* And another one may follow. */
    watched.wanted = 2;
    CHECK_INT(loop_watchdog_start(watched.loop, 5 * MS, report, &watched, destroyed), 0);
    CHECK_INT(loop_call_soon(watched.loop, hang, &watched, NULL, NULL), 0);
    CHECK_INT(loop_run_once(watched.loop, 0), 1);
    loop_unref(watched.loop);
    CHECK_INT(watched.destroyed, 2);
}

static void refused_inside(struct watched *watched) {
    CHECK_INT(loop_close(watched->loop), LOOP_ERUNNING);
    CHECK_INT(loop_watchdog_start(watched->loop, 1, NULL, NULL, NULL), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_call_soon_threadsafe(watched->loop, count, &watched->called, NULL, NULL), 0);
    loop_stats_t stats = {.size = sizeof stats};
    CHECK_INT(loop_get_stats(watched->loop, &stats), 0);
    CHECK_INT(stats.posts_now, 1);
    CHECK_INT(stats.ready_now, 2); /* what waits behind the one that hangs */
}

TEST(a_report_may_post_ask_and_is_refused_the_rest) {
    struct watched watched = watch();
    watched.inside = refused_inside;
    watched.wanted = 1;
    CHECK_INT(loop_watchdog_start(watched.loop, 5 * MS, report, &watched, destroyed), 0);
    CHECK_INT(loop_call_soon(watched.loop, hang, &watched, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(watched.loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(watched.loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_once(watched.loop, 0), 3);
    while (watched.called < 2)
        CHECK(loop_run_once(watched.loop, 0) >= 0);
    CHECK_INT(loop_close(watched.loop), 0);
    CHECK_INT(watched.destroyed, 1);
    CHECK_INT(loop_watchdog_stop(watched.loop), 0);
    loop_unref(watched.loop);
}

/* The report goes on when the callback and the run have ended. */
static void close_inside(struct watched *watched) {
    watched->reports++; /* lets the callback go */
    int result;
    do
        result = loop_close(watched->loop);
    while (result == LOOP_ERUNNING || result == LOOP_EWRONG_THREAD);
    CHECK_INT(result, 0);
    CHECK_INT(watched->destroyed, 0); /* still in use here */
}

TEST(a_report_may_close_the_loop_when_it_runs_no_more) {
    struct watched watched = watch();
    loop_t *loop = loop_ref(watched.loop);
    watched.inside = close_inside;
    watched.wanted = 1;
    CHECK_INT(loop_watchdog_start(loop, 5 * MS, report, &watched, destroyed), 0);
    CHECK_INT(loop_call_soon(loop, hang, &watched, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    while (!loop_is_closed(loop))
        sleep_ns(MS);
    /* The thread destroys the data at its end. */
    while (__atomic_load_n(&watched.destroyed, __ATOMIC_ACQUIRE) == 0)
        sleep_ns(MS);
    CHECK_INT(watched.destroyed, 1);
    sleep_ns(20 * MS); /* for the thread to be gone before the process */
    loop_unref(loop);
    loop_unref(loop);
}

static void slow_inside(struct watched *watched) {
    watched->reports++;
    sleep_ns(100 * MS);
    CHECK_INT(watched->destroyed, 0);
    watched->called += 10;
}

TEST(stopping_waits_for_a_report_under_way) {
    for (int way = 0; way < 3; way++) {
        struct watched watched = watch();
        watched.inside = slow_inside;
        watched.wanted = 1;
        CHECK_INT(loop_watchdog_start(watched.loop, 5 * MS, report, &watched, destroyed), 0);
        CHECK_INT(loop_call_soon(watched.loop, hang, &watched, NULL, NULL), 0);
        CHECK_INT(loop_run_once(watched.loop, 0), 1);
        if (way == 0)
            CHECK_INT(loop_watchdog_stop(watched.loop), 1);
        else if (way == 1)
            CHECK_INT(loop_close(watched.loop), 0);
        else /* replaced */
            CHECK_INT(loop_watchdog_start(watched.loop, LONG_MS * MS, NULL, NULL, NULL), 0);
        CHECK_INT(watched.destroyed, 1);
        CHECK_INT(watched.called, 11);
        loop_unref(watched.loop);
    }
}

TEST(a_watchdog_refuses_bad_arguments_and_destroys_its_data) {
    struct watched watched = watch();
    struct loop_thread thread;
    loop_t *loop = watched.loop;
    CHECK_INT(loop_watchdog_start(NULL, MS, report, &watched, destroyed), LOOP_EINVAL);
    CHECK_INT(loop_watchdog_start(loop, 0, report, &watched, destroyed), LOOP_EINVAL);
    CHECK_INT(loop_watchdog_stop(NULL), LOOP_EINVAL);
    CHECK_INT(loop_watchdog_stop(loop), 0);
    CHECK_INT(watched.destroyed, 2);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_watchdog_start(loop, MS, report, &watched, destroyed), LOOP_ECLOSED);
    CHECK_INT(watched.destroyed, 3);
    CHECK_INT(loop_watchdog_stop(loop), 0);
    loop_unref(loop);
    loop_thread_start(&thread);
    CHECK_INT(loop_watchdog_start(thread.loop, MS, report, &watched, destroyed),
              LOOP_EWRONG_THREAD);
    CHECK_INT(loop_watchdog_stop(thread.loop), LOOP_EWRONG_THREAD);
    CHECK_INT(watched.destroyed, 4);
    loop_thread_end(&thread);
}

/* --- fork --- */

static void child_closes(void *data) {
    struct watched *watched = data;
    CHECK_INT(loop_watchdog_start(watched->loop, MS, NULL, NULL, NULL), LOOP_EFORKED);
    CHECK_INT(loop_watchdog_stop(watched->loop), LOOP_EFORKED);
    CHECK_INT(loop_close(watched->loop), 0);
    CHECK_INT(watched->destroyed, 1);
    loop_unref(watched->loop);
    leave_child(0);
}

static void child_reinits(void *data) {
    struct watched *watched = data;
    CHECK_INT(loop_reinit_after_fork(watched->loop, 0), 0);
    CHECK_INT(watched->destroyed, 1);
    CHECK_INT(loop_watchdog_stop(watched->loop), 0);
    /* One of its own. */
    watched->loop_thread = pthread_self();
    watched->wanted = watched->reports + 1;
    CHECK_INT(loop_watchdog_start(watched->loop, 5 * MS, report, watched, destroyed), 0);
    CHECK_INT(loop_call_soon(watched->loop, hang, watched, NULL, NULL), 0);
    CHECK_INT(loop_run_once(watched->loop, 0), 1);
    CHECK_INT(loop_close(watched->loop), 0);
    CHECK_INT(watched->destroyed, 2);
    loop_unref(watched->loop);
    leave_child(0);
}

static void fork_here(void *data) {
    CHECK_INT(in_child(child_closes, data), 0);
    CHECK_INT(in_child(child_reinits, data), 0);
}

TEST(a_forked_child_has_no_watchdog_and_the_parents_goes_on) {
    struct watched watched = watch();
    CHECK_INT(loop_watchdog_start(watched.loop, 10 * MS, report, &watched, destroyed), 0);
    fork_here(&watched);
    CHECK_INT(loop_call_soon(watched.loop, fork_here, &watched, NULL, NULL), 0);
    CHECK_INT(loop_run_once(watched.loop, 0), 1);
    watched.wanted = watched.reports + 1;
    CHECK_INT(loop_call_soon(watched.loop, hang, &watched, NULL, NULL), 0);
    CHECK_INT(loop_run_once(watched.loop, 0), 1);
    CHECK_INT(watched.destroyed, 0);
    loop_unref(watched.loop);
    CHECK_INT(watched.destroyed, 1);
}

static pid_t forked_inside;

static void fork_inside(struct watched *watched) {
    CHECK_INT(watched->reports, 0);
    forked_inside = start_child(); /* both return from the report */
}

TEST(a_child_forked_in_a_report_ends_with_it) {
    struct watched watched = watch();
    watched.inside = fork_inside;
    watched.wanted = 1;
    CHECK_INT(loop_watchdog_start(watched.loop, 5 * MS, report, &watched, destroyed), 0);
    CHECK_INT(loop_call_soon(watched.loop, hang, &watched, NULL, NULL), 0);
    CHECK_INT(loop_run_once(watched.loop, 0), 1);
    int end = end_of(forked_inside);
    CHECK(end == 0 || in_valgrind());
    loop_unref(watched.loop);
    CHECK_INT(watched.destroyed, 1);
}
