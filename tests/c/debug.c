/* Debug mode: wrong threads are refused, slow callbacks reported. */
#include "child.h"
#include "stderr_text.h"

struct watched {
    loop_t *loop;
    uint64_t now;
    uint64_t takes; /* how long the callback takes, on the loop's clock */
    int ran, reports, destroyed, fd, ends[2];
    loop_handle_t handle;
};

static uint64_t watched_clock(void *watched) {
    return ((struct watched *)watched)->now;
}

static void take_long(void *user_data) {
    struct watched *watched = user_data;
    watched->ran++;
    watched->now += watched->takes;
    loop_remove_reader(watched->loop, watched->ends[0]);
    loop_remove_writer(watched->loop, watched->ends[1]);
}

static void check_report(loop_t *loop, const loop_slow_callback_t *report, void *user_data) {
    struct watched *watched = user_data;
    watched->reports++;
    CHECK(loop == watched->loop);
    CHECK_INT(report->size, sizeof *report);
    CHECK(report->callback == take_long);
    CHECK(report->user_data == watched);
    CHECK(report->handle == watched->handle);
    CHECK_INT(report->fd, watched->fd);
    CHECK_INT(report->duration_ns, watched->takes);
}

static void watched_destroyed(void *user_data) {
    ((struct watched *)user_data)->destroyed++;
}

static void watched_open(struct watched *watched) {
    memset(watched, 0, sizeof *watched);
    loop_options_t options = {.size = sizeof options, .clock = watched_clock,
                              .clock_data = watched};
    watched->now = 1000;
    watched->takes = 100 * MS;
    watched->fd = -1;
    make_pipe(watched->ends);
    CHECK_INT(loop_create(&options, &watched->loop), 0);
    CHECK_INT(loop_set_debug(watched->loop, 1), 0);
    CHECK_INT(loop_set_slow_callback_hook(watched->loop, check_report, watched,
                                          watched_destroyed), 0);
}

static void turn(struct watched *watched, int reports) {
    int before = watched->reports, ran = watched->ran;
    CHECK_INT(loop_run_once(watched->loop, 0), 1);
    CHECK_INT(watched->ran, ran + 1);
    CHECK_INT(watched->reports, before + reports);
    watched->handle = 0;
}

TEST(slow_callbacks_are_reported_with_their_identity) {
    struct watched w;
    int context = 0;
    loop_context_hooks_t hooks = {.size = sizeof hooks};
    watched_open(&w);
    CHECK_INT(loop_call_soon(w.loop, take_long, &w, NULL, NULL), 0);
    turn(&w, 1);
    CHECK_INT(loop_call_soon(w.loop, take_long, &w, NULL, &w.handle), 0);
    turn(&w, 1);
    CHECK_INT(loop_call_at(w.loop, 1, take_long, &w, NULL, &w.handle), 0);
    turn(&w, 1);
    CHECK_INT(loop_call_soon_threadsafe(w.loop, take_long, &w, NULL, &w.handle), 0);
    turn(&w, 1);
    CHECK_INT(loop_call_soon_threadsafe(w.loop, take_long, &w, NULL, NULL), 0);
    turn(&w, 1);
    tell(w.ends[1]);
    w.fd = w.ends[0];
    CHECK_INT(loop_add_reader(w.loop, w.fd, take_long, &w, NULL), 0);
    turn(&w, 1);
    w.fd = w.ends[1];
    CHECK_INT(loop_add_writer(w.loop, w.fd, take_long, &w, NULL), 0);
    turn(&w, 1);
    w.fd = -1;
    CHECK_INT(loop_set_context_hooks(w.loop, &hooks, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_context(w.loop, take_long, &w, NULL, &context, &w.handle), 0);
    turn(&w, 1);
    loop_unref(w.loop);
    CHECK_INT(w.destroyed, 1);
}

TEST(fast_callbacks_are_not_reported) {
    struct watched w;
    watched_open(&w);
    w.takes = 100 * MS - 1;
    CHECK_INT(loop_call_soon(w.loop, take_long, &w, NULL, NULL), 0);
    turn(&w, 0);
    loop_unref(w.loop);
}

TEST(slow_callbacks_are_not_reported_outside_debug_mode) {
    struct watched w;
    watched_open(&w);
    CHECK_INT(loop_get_debug(w.loop), 1);
    CHECK_INT(loop_set_debug(w.loop, 0), 0);
    CHECK_INT(loop_get_debug(w.loop), 0);
    CHECK_INT(loop_call_soon(w.loop, take_long, &w, NULL, NULL), 0);
    turn(&w, 0);
    CHECK_INT(loop_set_debug(w.loop, 7), 0);
    CHECK_INT(loop_get_debug(w.loop), 1);
    CHECK_INT(loop_call_soon(w.loop, take_long, &w, NULL, NULL), 0);
    turn(&w, 1);
    loop_unref(w.loop);
}

TEST(the_limit_of_slow_callbacks_can_be_set) {
    struct watched w;
    watched_open(&w);
    CHECK_INT(loop_get_slow_callback_duration(w.loop), 100 * MS);
    CHECK_INT(loop_set_slow_callback_duration(w.loop, 5), 0);
    CHECK_INT(loop_get_slow_callback_duration(w.loop), 5);
    w.takes = 4;
    CHECK_INT(loop_call_soon(w.loop, take_long, &w, NULL, NULL), 0);
    turn(&w, 0);
    w.takes = 5;
    CHECK_INT(loop_call_soon(w.loop, take_long, &w, NULL, NULL), 0);
    turn(&w, 1);
    CHECK_INT(loop_set_slow_callback_duration(w.loop, UINT64_MAX), 0);
    w.takes = 3600000 * MS;
    CHECK_INT(loop_call_soon(w.loop, take_long, &w, NULL, NULL), 0);
    turn(&w, 0);
    CHECK_INT(loop_get_slow_callback_duration(NULL), 0);
    CHECK_INT(loop_set_slow_callback_duration(NULL, 1), LOOP_EINVAL);
    CHECK_INT(loop_close(w.loop), 0);
    CHECK_INT(loop_set_slow_callback_duration(w.loop, 1), LOOP_ECLOSED);
    loop_unref(w.loop);
}

TEST(without_a_hook_a_slow_callback_is_a_line_on_stderr) {
    struct watched w;
    struct caught caught;
    char expected[256];
    watched_open(&w);
    CHECK_INT(loop_set_slow_callback_hook(w.loop, NULL, NULL, NULL), 0);
    CHECK_INT(w.destroyed, 1);
    w.takes = 1234567890;
    CHECK_INT(loop_call_soon(w.loop, take_long, &w, NULL, &w.handle), 0);
    snprintf(expected, sizeof expected,
             "Executing <callback " ADDRESS " user_data=" ADDRESS " handle=%#llx fd=-1> took 1.235 seconds\n",
             address_of(take_long), address_of_data(&w), (unsigned long long)w.handle);
    catch_stderr(&caught);
    turn(&w, 0);
    CHECK_STR(caught_text(&caught), expected);
    loop_unref(w.loop);
    CHECK_INT(w.destroyed, 1);
}

TEST(a_slow_callback_hook_is_destroyed_once) {
    struct watched w;
    watched_open(&w);
    CHECK_INT(loop_set_slow_callback_hook(w.loop, check_report, &w, watched_destroyed), 0);
    CHECK_INT(w.destroyed, 1);
    CHECK_INT(loop_close(w.loop), 0);
    CHECK_INT(w.destroyed, 2);
    CHECK_INT(loop_set_slow_callback_hook(w.loop, check_report, &w, watched_destroyed),
              LOOP_ECLOSED);
    CHECK_INT(w.destroyed, 3);
    loop_unref(w.loop);
    CHECK_INT(w.destroyed, 3);
}

/* Scheduling from a thread that is not the loop's. */
static void *schedule_elsewhere(void *user_data) {
    struct watched *watched = user_data;
    static const char text[] =
        "Non-thread-safe operation invoked on an event loop other than the current one";
    loop_t *loop = watched->loop;
    loop_handle_t handle = 77;
    CHECK_INT(loop_call_soon(loop, never, watched, watched_destroyed, &handle),
              LOOP_EWRONG_THREAD);
    CHECK_STR(loop_last_error(), text);
    CHECK_INT(loop_call_later(loop, 0, never, watched, watched_destroyed, &handle),
              LOOP_EWRONG_THREAD);
    CHECK_STR(loop_last_error(), text);
    CHECK_INT(loop_call_at(loop, 0, never, watched, watched_destroyed, &handle),
              LOOP_EWRONG_THREAD);
    CHECK_STR(loop_last_error(), text);
    CHECK_INT(watched->destroyed, 3);
    CHECK_INT(handle, 77);
    CHECK_INT(loop_call_soon_threadsafe(loop, stop_loop, loop, NULL, NULL), 0);
    return NULL;
}

static void let_others_schedule(void *user_data) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, schedule_elsewhere, user_data), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

TEST(E3_debug_mode_refuses_scheduling_from_a_wrong_thread) {
    struct watched w = {.loop = loop_new()};
    CHECK_INT(loop_set_debug(w.loop, 1), 0);
    CHECK_INT(loop_call_soon(w.loop, let_others_schedule, &w, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(w.loop), 0);
    CHECK_INT(loop_run_once(w.loop, 0), 0);
    loop_unref(w.loop);
    CHECK_INT(w.destroyed, 3);
}

static void *schedule_before_the_run(void *user_data) {
    struct watched *watched = user_data;
    CHECK_INT(loop_call_soon(watched->loop, count, &watched->ran, NULL, NULL), 0);
    return NULL;
}

TEST(E3_debug_mode_allows_any_one_thread_while_the_loop_does_not_run) {
    struct watched w = {.loop = loop_new()};
    pthread_t thread;
    CHECK_INT(loop_set_debug(w.loop, 1), 0);
    CHECK_INT(pthread_create(&thread, NULL, schedule_before_the_run, &w), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(loop_run_once(w.loop, 0), 1);
    CHECK_INT(w.ran, 1);
    loop_unref(w.loop);
}

TEST(debug_mode_shows_in_the_description) {
    char text[128];
    loop_t *loop = loop_new();
    CHECK_INT(loop_set_debug(loop, 1), 0);
    CHECK_INT(loop_describe(loop, text, sizeof text), strlen(
        "<coloop.EventLoop running=False closed=False debug=True>"));
    CHECK_STR(text, "<coloop.EventLoop running=False closed=False debug=True>");
    loop_unref(loop);
}
