/* loop_reinit_after_fork: an inherited loop becomes the child's own, with what
 * the flags keep; nothing of it is shared with the parent any more. */
#include "child.h"
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* A callback that leaves its mark in its scene. */
struct trace {
    struct scene *scene;
    char mark;
    int destroyed;
};

enum trace_at { READY, PLAIN, POSTED, POSTED_HANDLE, IO, EARLY, LATE, TRACES };

/* A loop with one of everything: its own clock, four callbacks ready to run, a
 * reader, two timers. */
struct scene {
    loop_t *loop;
    uint64_t now;
    struct log log;
    struct trace traces[TRACES];
    int ends[2];
    loop_handle_t early, late, ready, posted;
};

static uint64_t scene_clock(void *scene) {
    return ((struct scene *)scene)->now;
}

static void leave_trace(void *user_data) {
    struct trace *trace = user_data;
    record(&trace->scene->log, trace->mark);
    /* The byte stays in the pipe, for the other process to find. */
    if (trace->mark == 'i')
        CHECK_INT(loop_remove_reader(trace->scene->loop, trace->scene->ends[0]), 1);
}

static void trace_destroyed(void *user_data) {
    ((struct trace *)user_data)->destroyed++;
}

static void scene_open(struct scene *scene) {
    memset(scene, 0, sizeof *scene);
    loop_options_t options = {.size = sizeof options, .clock = scene_clock, .clock_data = scene};
    scene->now = 1000;
    CHECK_INT(loop_create(&options, &scene->loop), 0);
    loop_t *loop = scene->loop;
    struct trace *m = scene->traces;
    for (int at = 0; at < TRACES; at++)
        m[at] = (struct trace){scene, "rpqhiab"[at], 0};
    make_pipe(scene->ends);
    tell(scene->ends[1]);
    CHECK_INT(loop_add_reader(loop, scene->ends[0], leave_trace, &m[IO], trace_destroyed), 0);
    CHECK_INT(loop_call_at(loop, 3000, leave_trace, &m[LATE], trace_destroyed, &scene->late), 0);
    CHECK_INT(loop_call_at(loop, 2000, leave_trace, &m[EARLY], trace_destroyed, &scene->early), 0);
    CHECK_INT(loop_call_soon(loop, leave_trace, &m[READY], trace_destroyed, &scene->ready), 0);
    CHECK_INT(loop_call_soon(loop, leave_trace, &m[PLAIN], NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, leave_trace, &m[POSTED], trace_destroyed, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, leave_trace, &m[POSTED_HANDLE], trace_destroyed,
                                        &scene->posted), 0);
}

/* Runs everything: what was ready, the reader, then timer by timer. */
static void scene_play(struct scene *scene, const char *expected) {
    CHECK(loop_dispatch(scene->loop) >= 0);
    CHECK(loop_run_once(scene->loop, 0) >= 0);
    for (scene->now = 1999; scene->now <= 3000; scene->now += scene->now == 1999 ? 1 : 1000)
        CHECK(loop_run_once(scene->loop, 0) >= 0);
    CHECK_STR(scene->log.text, expected);
}

static void scene_close(struct scene *scene) {
    CHECK_INT(loop_close(scene->loop), 0);
    loop_unref(scene->loop);
    for (int at = 0; at < TRACES; at++)
        CHECK_INT(scene->traces[at].destroyed, at != PLAIN);
    close(scene->ends[0]);
    close(scene->ends[1]);
}

static uint32_t flags_of_child;

static void reinit_and_play(void *user_data) {
    struct scene *scene = user_data;
    uint32_t flags = flags_of_child;
    int io = (flags & LOOP_REINIT_KEEP_IO) != 0, ready = (flags & LOOP_REINIT_KEEP_READY) != 0;
    uint64_t when = 0;
    char expected[16];
    CHECK_INT(loop_reinit_after_fork(scene->loop, flags), 0);
    CHECK_INT(scene->traces[READY].destroyed, !ready);
    CHECK_INT(scene->traces[POSTED].destroyed, !ready);
    CHECK_INT(scene->traces[POSTED_HANDLE].destroyed, !ready);
    CHECK_INT(scene->traces[IO].destroyed, !io);
    CHECK_INT(scene->traces[EARLY].destroyed + scene->traces[LATE].destroyed, 0);
    CHECK_INT(loop_handle_when(scene->loop, scene->early, &when), 0);
    CHECK_INT(when, 2000);
    CHECK_INT(loop_handle_cancelled(scene->loop, scene->ready), ready ? 0 : LOOP_ESTALE);
    CHECK_INT(loop_handle_cancelled(scene->loop, scene->posted), ready ? 0 : LOOP_ESTALE);
    CHECK_INT(loop_next_deadline(scene->loop, &when), 1);
    CHECK_INT(when, 2000);
    snprintf(expected, sizeof expected, "%s%sab", ready ? "rpqh" : "", io ? "i" : "");
    scene_play(scene, expected);
    scene_close(scene);
}

static void reinit_with(uint32_t flags) {
    struct scene scene;
    scene_open(&scene);
    flags_of_child = flags;
    CHECK_INT(in_child(reinit_and_play, &scene), 0);
    scene_play(&scene, "rpqhiab");
    scene_close(&scene);
}

TEST(F9_reinit_keeps_the_timers) {
    reinit_with(0);
}

TEST(F9_reinit_with_KEEP_IO_keeps_readers_and_writers) {
    reinit_with(LOOP_REINIT_KEEP_IO);
}

TEST(F9_reinit_with_KEEP_READY_keeps_what_was_ready_in_its_order) {
    reinit_with(LOOP_REINIT_KEEP_READY);
}

TEST(F9_reinit_with_both_flags_keeps_everything) {
    reinit_with(LOOP_REINIT_KEEP_IO | LOOP_REINIT_KEEP_READY);
}

/* Child and parent, one after the other: reader, writer, timer and wake-up. */
static void reinit_and_check(void *user_data) {
    struct witness *witness = user_data;
    struct epoll_text old = witness->registered;
    CHECK_INT(loop_reinit_after_fork(witness->loop, LOOP_REINIT_KEEP_IO), 0);
    witness->registered = epoll_text(getpid(), loop_backend_fd(witness->loop));
    CHECK(!BACKEND_HAS_FD || strcmp(old.text, witness->registered.text) != 0);
    witness_check(witness);
    witness_close(witness);
}

TEST(F9_after_reinit_reader_writer_timer_and_wakeup_work_in_both_processes) {
    struct witness witness;
    witness_open(&witness);
    CHECK_INT(in_child(reinit_and_check, &witness), 0);
    witness_check(&witness);
    witness_close(&witness);
}

TEST(F15_a_daemon_takes_the_loop_of_its_grandparent_over) {
    struct witness witness;
    witness_open(&witness);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setsid() >= 0);
        CHECK_INT(in_child(reinit_and_check, &witness), 0);
        /* The middle process may still take the loop over, too. */
        reinit_and_check(&witness);
        exit(0);
    }
    CHECK_INT(end_of(child), 0);
    witness_check(&witness);
    witness_close(&witness);
}

/* Is the host of this loop told that there is something to do? */
static int is_readable(loop_t *loop) {
    struct pollfd poller = {.fd = loop_backend_fd(loop), .events = POLLIN};
    return poll(&poller, 1, 0);
}

static void fall_asleep(loop_t *loop) {
    int64_t timeout = 0;
    CHECK_INT(loop_poll(loop, 0), 0);
    CHECK_INT(loop_prepare(loop, &timeout), 0);
    CHECK_INT(timeout, -1);
    CHECK_INT(is_readable(loop), 0);
}

TEST(F9_after_reinit_neither_process_wakes_the_other) {
    loop_t *loop = loop_new();
    int ran = 0, to_child[2], to_parent[2];
    make_pipe(to_child);
    make_pipe(to_parent);
    fall_asleep(loop);
    pid_t child = start_child();
    if (child == 0) {
        CHECK_INT(loop_reinit_after_fork(loop, 0), 0);
        fall_asleep(loop);
        tell(to_parent[1]);
        hear(to_child[0]); /* the parent has posted */
        CHECK_INT(is_readable(loop), 0);
        CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
        CHECK_INT(is_readable(loop), 1);
        tell(to_parent[1]);
    } else {
        hear(to_parent[0]);
        CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
        CHECK_INT(is_readable(loop), 1);
        CHECK_INT(loop_run_once(loop, -1), 1);
        CHECK_INT(ran, 1);
        fall_asleep(loop);
        tell(to_child[1]);
        hear(to_parent[0]); /* the child has posted */
        CHECK_INT(is_readable(loop), 0);
        CHECK_INT(loop_run_once(loop, 0), 0);
        CHECK_INT(end_of(child), 0);
    }
    CHECK_INT(loop_run_once(loop, 0), child == 0);
    CHECK_INT(ran, 1);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

struct race {
    loop_t *loop;
    int ran, posts;
};

static void *post_race(void *user_data) {
    struct race *race = user_data;
    for (int i = 0; i < race->posts; i++)
        CHECK_INT(loop_call_soon_threadsafe(race->loop, count, &race->ran, NULL, NULL), 0);
    CHECK_INT(loop_stop_threadsafe(race->loop), 0);
    return NULL;
}

TEST(F9_after_reinit_both_processes_run_at_the_same_time) {
    struct race race = {.loop = loop_new(), .posts = in_valgrind() ? 50 : 2000};
    pthread_t poster;
    CHECK_INT(open_backend(race.loop), 0);
    pid_t child = start_child();
    if (child == 0)
        CHECK_INT(loop_reinit_after_fork(race.loop, 0), 0);
    for (int round = 1; round <= 5; round++) {
        CHECK_INT(pthread_create(&poster, NULL, post_race, &race), 0);
        CHECK_INT(loop_run_forever(race.loop), 0);
        CHECK_INT(pthread_join(poster, NULL), 0);
        CHECK_INT(race.ran, round * race.posts);
    }
    loop_unref(race.loop);
    if (child != 0)
        CHECK_INT(end_of(child), 0);
}

static void refuse_reinit(void *user_data) {
    struct scene *scene = user_data;
    CHECK_INT(loop_reinit_after_fork(scene->loop, 4), LOOP_EINVAL);
    CHECK_INT(loop_reinit_after_fork(scene->loop, UINT32_MAX), LOOP_EINVAL);
    CHECK_INT(loop_run_once(scene->loop, 0), LOOP_EFORKED);
    CHECK_INT(loop_reinit_after_fork(scene->loop, LOOP_REINIT_KEEP_READY), 0);
    CHECK_INT(loop_reinit_after_fork(scene->loop, LOOP_REINIT_KEEP_READY), LOOP_EINVAL);
    scene_play(scene, "rpqhab");
    scene_close(scene);
}

TEST(F9_reinit_refuses_what_it_cannot_do_and_changes_nothing) {
    struct scene scene;
    scene_open(&scene);
    CHECK_INT(loop_reinit_after_fork(NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_reinit_after_fork(scene.loop, 0), LOOP_EINVAL);
    CHECK_INT(in_child(refuse_reinit, &scene), 0);
    CHECK_INT(loop_reinit_after_fork(scene.loop, 0), LOOP_EINVAL);
    scene_play(&scene, "rpqhiab");
    scene_close(&scene);
}

static void reinit_without_pipe(void *user_data) {
    struct scene *scene = user_data;
    close(scene->ends[0]);
    CHECK_INT(loop_reinit_after_fork(scene->loop, LOOP_REINIT_KEEP_IO), 0);
    CHECK_INT(scene->traces[IO].destroyed, 1);
    CHECK_INT(loop_remove_reader(scene->loop, scene->ends[0]), 0);
    scene_play(scene, "ab");
    scene_close(scene);
}

TEST(F9_KEEP_IO_drops_readers_whose_descriptor_the_child_has_closed) {
    struct scene scene;
    scene_open(&scene);
    CHECK_INT(in_child(reinit_without_pipe, &scene), 0);
    scene_play(&scene, "rpqhiab");
    scene_close(&scene);
}

static void post_after_reinit(void *user_data) {
    struct scene *scene = user_data;
    struct trace fresh = {scene, 'n', 0};
    loop_handle_t handle = 0;
    CHECK_INT(loop_reinit_after_fork(scene->loop, LOOP_REINIT_KEEP_READY), 0);
    CHECK_INT(loop_call_soon_threadsafe(scene->loop, leave_trace, &fresh, trace_destroyed,
                                        &handle), 0);
    scene_play(scene, "rpqhnab");
    CHECK_INT(fresh.destroyed, 1);
    scene_close(scene);
}

static void cancel_old_handles(void *user_data) {
    struct scene *scene = user_data;
    struct trace fresh = {scene, 'n', 0};
    loop_handle_t handle = 0;
    CHECK_INT(loop_reinit_after_fork(scene->loop, 0), 0);
    CHECK_INT(loop_call_soon_threadsafe(scene->loop, leave_trace, &fresh, trace_destroyed,
                                        &handle), 0);
    CHECK_INT(loop_handle_cancel(scene->loop, scene->posted), LOOP_ESTALE);
    CHECK_INT(loop_handle_cancel(scene->loop, scene->ready), LOOP_ESTALE);
    CHECK(handle != scene->posted);
    scene_play(scene, "nab");
    scene_close(scene);
}

TEST(F9_what_a_child_posts_after_reinit_runs_behind_what_was_kept) {
    struct scene scene;
    scene_open(&scene);
    CHECK_INT(in_child(post_after_reinit, &scene), 0);
    scene_play(&scene, "rpqhiab");
    scene_close(&scene);
}

TEST(F9_handles_from_before_the_fork_never_mean_what_was_scheduled_after_reinit) {
    struct scene scene;
    scene_open(&scene);
    CHECK_INT(in_child(cancel_old_handles, &scene), 0);
    scene_play(&scene, "rpqhiab");
    scene_close(&scene);
}

static int failures;

static void count_failure(loop_t *loop, const loop_exception_context_t *context, void *user_data) {
    (void)loop, (void)user_data;
    failures += context->code;
}

static void keeps_settings(void *user_data) {
    loop_t *loop = user_data;
    loop_exception_context_t failure = {.size = sizeof failure, .code = 5, .fd = -1};
    CHECK_INT(loop_reinit_after_fork(loop, 0), 0);
    CHECK_INT(loop_call_exception_handler(loop, &failure), 0);
    CHECK_INT(failures, 5);
    CHECK_INT(loop_get_debug(loop), 1);
    CHECK_INT(loop_get_slow_callback_duration(loop), 7);
    loop_unref(loop);
}

TEST(F9_reinit_keeps_handlers_and_settings) {
    loop_t *loop = loop_new();
    CHECK_INT(loop_set_exception_handler(loop, count_failure, NULL, NULL), 0);
    CHECK_INT(loop_set_debug(loop, 1), 0);
    CHECK_INT(loop_set_slow_callback_duration(loop, 7), 0);
    CHECK_INT(in_child(keeps_settings, loop), 0);
    loop_unref(loop);
}

struct counted {
    loop_t *loop;
    int own;
};

static void reinit_and_count(void *user_data) {
    struct counted *counted = user_data;
    int inherited = open_fds();
    for (uint32_t flags = 0; flags < 4; flags++) {
        pid_t child = start_child();
        if (child != 0) {
            CHECK_INT(end_of(child), 0);
            continue;
        }
        CHECK_INT(loop_reinit_after_fork(counted->loop, flags), 0);
        wait_once(counted->loop);
        CHECK_INT(loop_close(counted->loop), 0);
        CHECK_INT(open_fds(), inherited - counted->own);
        break;
    }
    loop_unref(counted->loop);
}

TEST(F20_reinit_leaks_no_descriptor) {
    int before = open_fds();
    struct counted counted = {.loop = loop_new()};
    wait_once(counted.loop);
    counted.own = open_fds() - before;
    /* Twice: a loop with descriptors, and one whose descriptors nobody needs. */
    CHECK_INT(in_child(reinit_and_count, &counted), 0);
    loop_unref(counted.loop);
    CHECK_INT(open_fds(), before);
}
