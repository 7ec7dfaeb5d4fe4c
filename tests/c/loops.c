/* A loop's life: made, run, described, closed, given back. */
#include "test.h"
#include <pthread.h>
#include <unistd.h>

TEST(P10_P19_run_forever_blocks_until_stop_and_may_run_again) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK(loop != NULL);
    for (int round = 1; round <= 2; round++) {
        CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
        CHECK_INT(loop_call_soon(loop, stop_loop, loop, NULL, NULL), 0);
        CHECK_INT(loop_run_forever(loop), 0);
        CHECK_INT(ran, round);
    }
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_run_forever(loop), LOOP_ECLOSED);
    CHECK_STR(loop_last_error(), "Event loop is closed");
    loop_unref(loop);
}

static void check_running_description(void *data) {
    loop_t *loop = data;
    char text[100];
    CHECK(loop_describe(loop, text, sizeof text) > 0);
    CHECK_STR(text, "<coloop.EventLoop running=True closed=False debug=True>");
    CHECK_INT(loop_is_running(loop), 1);
    CHECK_INT(loop_stop(loop), 0);
}

TEST(E25_describe_tells_the_state_by_the_rules_of_snprintf) {
    static const char idle[] = "<coloop.EventLoop running=False closed=False debug=False>";
    loop_t *loop = loop_new();
    char text[100];
    CHECK_INT(loop_describe(loop, text, sizeof text), sizeof idle - 1);
    CHECK_STR(text, idle);
    CHECK_INT(loop_describe(loop, NULL, 0), sizeof idle - 1);
    memset(text, '#', sizeof text);
    CHECK_INT(loop_describe(loop, text, 8), sizeof idle - 1);
    CHECK_STR(text, "<coloop");
    CHECK_INT(text[8], '#');
    CHECK_INT(loop_set_debug(loop, 1), 0);
    CHECK_INT(loop_call_soon(loop, check_running_description, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_is_running(loop), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK(loop_describe(loop, text, sizeof text) > 0);
    CHECK_STR(text, "<coloop.EventLoop running=False closed=True debug=True>");
    loop_unref(loop);
}

TEST(E26_P34_an_explicit_backend_can_be_set_and_is_got_back) {
    loop_options_t options = {.size = sizeof options, .backend = BACKEND};
    loop_t *loop = NULL, *got = NULL;
    CHECK_INT(loop_create(&options, &loop), 0);
    CHECK_STR(loop_backend_name(loop), BACKEND_NAME);
    CHECK_INT(policy_set_event_loop(loop), 0);
    CHECK_INT(policy_get_event_loop(&got), 0);
    CHECK(got == loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    loop_unref(loop);

    static const unsigned lacking[] = {
        LOOP_BACKEND_EPOLL, LOOP_BACKEND_KQUEUE, LOOP_BACKEND_IOCP, LOOP_BACKEND_SELECT,
        LOOP_BACKEND_POLL, LOOP_BACKEND_IO_URING, 1000,
    };
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++) {
        if (lacking[i] == BACKEND)
            continue;
        options.backend = lacking[i];
        loop = (loop_t *)&options;
        CHECK_INT(loop_create(&options, &loop), LOOP_EINVAL);
        CHECK(loop == (loop_t *)&options);
    }
}

TEST(options_are_read_by_their_size) {
    struct {
        loop_options_t known;
        size_t newer;
    } wide = {.known = {.size = sizeof wide}};
    loop_options_t options = {.size = 0};
    loop_t *loop = NULL;
    CHECK_INT(loop_create(&options, &loop), LOOP_EINVAL);
    options.size = sizeof options;
    options.flags = 1;
    CHECK_INT(loop_create(&options, &loop), LOOP_EINVAL);
    options.flags = 0;
    CHECK_INT(loop_create(&options, NULL), LOOP_EINVAL);
    CHECK(loop == NULL);
    /* A shorter struct is an older caller's; what it lacks is zero. */
    options.size = offsetof(loop_options_t, timer_slack_ns);
    options.clock = (loop_clock_t)1;
    CHECK_INT(loop_create(&options, &loop), 0);
    CHECK(loop_time(loop) > 0);
    loop_unref(loop);
    /* A longer one is a newer caller's; it must not ask for what nobody knows. */
    CHECK_INT(loop_create(&wide.known, &loop), 0);
    loop_unref(loop);
    loop = NULL;
    wide.newer = 1;
    CHECK_INT(loop_create(&wide.known, &loop), LOOP_EINVAL);
    CHECK(loop == NULL);
    CHECK_INT(loop_create(NULL, &loop), 0);
    loop_unref(loop);
}

TEST(a_loop_opens_no_descriptor_until_it_has_to_wait) {
    int before = open_fds(), ran = 0;
    loop_t *loop = loop_new();
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(ran, 1);
    CHECK_INT(open_fds(), before);
    CHECK_INT(loop_run_once(loop, MS), 0);
    CHECK_INT(open_fds() > before, !ON_WINDOWS); /* a completion port has no descriptor */
    loop_unref(loop);
    CHECK_INT(open_fds(), before);
}

TEST(descriptors_of_a_loop_are_not_inherited_by_programs) {
    loop_t *loop = loop_new();
    char path[40];
    CHECK_INT(loop_run_once(loop, 1), 0);
    for (int fd = 3; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
        FILE *info = fopen(path, "r");
        if (info == NULL)
            continue;
        unsigned flags = 0;
        char line[200], kind[100] = "";
        while (fgets(line, sizeof line, info) != NULL)
            sscanf(line, "flags: %o", &flags);
        fclose(info);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, kind, sizeof kind - 1) > 0 && strstr(kind, "anon_inode") != NULL)
            CHECK((flags & 02000000) != 0); /* O_CLOEXEC */
    }
    loop_unref(loop);
}

static void close_is_refused(void *data) {
    CHECK_INT(loop_close(data), LOOP_ERUNNING);
    CHECK_STR(loop_last_error(), "Cannot close a running event loop");
    CHECK_INT(loop_is_closed(data), 0);
}

static void *close_from_a_thread(void *loop) {
    close_is_refused(loop);
    return NULL;
}

static void let_a_thread_try_to_close(void *loop) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, close_from_a_thread, loop), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

TEST(P20_close_while_running_is_refused_and_changes_nothing) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK_INT(loop_call_soon(loop, close_is_refused, loop, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, let_a_thread_try_to_close, loop, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, MS, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 2 * MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(ran, 2);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_is_closed(loop), 1);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(close_runs_nothing_and_destroys_everything_once) {
    loop_t *loop = loop_new();
    int ran = 0, destroyed[8] = {0}, ends[2], fds = open_fds();
    open_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    loop_handle_t handle;
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    loop_call_soon(loop, count, &ran, NULL, &handle);
    /* count also destroys; so a callback that ran would be seen in `destroyed`. */
    CHECK_INT(loop_call_soon(loop, count, &destroyed[0], count, NULL), 0);
    CHECK_INT(loop_call_soon(loop, count, &destroyed[1], count, &handle), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &destroyed[2], count, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &destroyed[3], count, &handle), 0);
    CHECK_INT(loop_call_later(loop, -1, count, &destroyed[4], count, NULL), 0);
    CHECK_INT(loop_call_at(loop, 1, count, &destroyed[5], count, &handle), 0);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &destroyed[6], count), 0);
    CHECK_INT(loop_add_writer(loop, ends[1], count, &destroyed[7], count), 0);
    CHECK_INT(loop_close(loop), 0);
    for (int i = 0; i < 8; i++)
        CHECK_INT(destroyed[i], 1);
    CHECK_INT(ran, 0);
    loop_unref(loop);
    for (int i = 0; i < 8; i++)
        CHECK_INT(destroyed[i], 1);
    close(ends[0]);
    close(ends[1]);
    CHECK_INT(open_fds(), fds);
}

TEST(close_destroys_the_data_of_hooks) {
    loop_t *loop = loop_new();
    int destroyed = 0;
    loop_context_hooks_t hooks = {.size = sizeof hooks};
    CHECK_INT(loop_set_context_hooks(loop, &hooks, &destroyed, count), 0);
    CHECK_INT(loop_set_wait_hooks(loop, (loop_hook_t)abort, NULL, &destroyed, count), 0);
    CHECK_INT(loop_set_wake_hook(loop, (loop_hook_t)abort, &destroyed, count), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(destroyed, 2); /* context hooks stay, to release what still comes */
    loop_unref(loop);
    CHECK_INT(destroyed, 3);
}

static int inner_destroyed;

static void call_the_loop_again(void *loop) {
    loop_handle_t handle = 77;
    CHECK_INT(loop_is_closed(loop), 1);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_call_soon(loop, count, &inner_destroyed, count, &handle), LOOP_ECLOSED);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &inner_destroyed, count, NULL), LOOP_ECLOSED);
    CHECK_INT(loop_call_later(loop, 0, count, &inner_destroyed, count, NULL), LOOP_ECLOSED);
    CHECK_INT(loop_add_reader(loop, 0, count, &inner_destroyed, count), LOOP_ECLOSED);
    CHECK_INT(loop_run_forever(loop), LOOP_ECLOSED);
    CHECK_INT(handle, 77);
}

TEST(destructors_may_call_the_closing_loop) {
    loop_t *loop = loop_new();
    int ends[2];
    open_pipe(ends);
    CHECK_INT(loop_call_soon(loop, count, loop, call_the_loop_again, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, loop, call_the_loop_again, NULL), 0);
    CHECK_INT(loop_call_later(loop, 1, count, loop, call_the_loop_again, NULL), 0);
    CHECK_INT(loop_add_reader(loop, ends[0], count, loop, call_the_loop_again), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(inner_destroyed, 4 * 4);
    loop_unref(loop);
}

TEST(the_last_reference_closes_the_loop) {
    loop_t *loop = loop_new();
    int destroyed = 0, fds = open_fds();
    CHECK(loop_ref(loop) == loop);
    CHECK(loop_ref(NULL) == NULL);
    loop_unref(NULL);
    CHECK_INT(loop_call_later(loop, 3600 * 1000 * MS, count, &destroyed, count, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_unref(loop);
    CHECK_INT(destroyed, 0);
    CHECK_INT(loop_is_closed(loop), 0);
    loop_unref(loop);
    CHECK_INT(destroyed, 1);
    CHECK_INT(open_fds(), fds);
}

static void give_the_loop_back(void *loop) {
    loop_unref(loop);
    /* The run holds the loop until it has ended. */
    CHECK_INT(loop_is_running(loop), 1);
    CHECK_INT(loop_stop(loop), 0);
}

TEST(the_last_reference_may_go_inside_a_run) {
    int destroyed = 0;
    loop_t *loop = loop_new();
    CHECK_INT(loop_call_soon(loop, give_the_loop_back, loop, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 3600 * 1000 * MS, count, &destroyed, count, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(destroyed, 1);
}

TEST(the_last_reference_may_go_inside_a_single_turn) {
    int destroyed = 0;
    loop_t *loop = loop_new();
    CHECK_INT(loop_call_soon(loop, give_the_loop_back, loop, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 3600 * 1000 * MS, count, &destroyed, count, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(destroyed, 1);
}

static void unref_loop(void *loop) {
    loop_unref(loop);
}

TEST(the_last_reference_may_go_in_a_destructor) {
    loop_t *loop = loop_new();
    loop_handle_t handle;
    int destroyed = 0;
    CHECK_INT(loop_call_later(loop, MS, count, &destroyed, count, NULL), 0);
    CHECK_INT(loop_call_soon(loop, count, loop, unref_loop, &handle), 0);
    CHECK_INT(loop_handle_cancel(loop, handle), 0);
    CHECK_INT(destroyed, 1);

    loop = loop_new();
    CHECK_INT(loop_call_later(loop, MS, count, loop, unref_loop, NULL), 0);
    CHECK_INT(loop_close(loop), 0);
}

static void *new_and_close(void *data) {
    (void)data;
    for (int i = 0; i < 300; i++) {
        loop_t *loop = loop_new();
        CHECK(loop != NULL);
        CHECK_INT(loop_call_soon(loop, stop_loop, loop, NULL, NULL), 0);
        CHECK_INT(loop_run_forever(loop), 0);
        CHECK_INT(loop_run_once(loop, 1), 0);
        CHECK_INT(loop_close(loop), 0);
        loop_unref(loop);
    }
    return NULL;
}

TEST(P9_any_number_of_loops_may_exist_and_threads_make_them_freely) {
    enum { LOOPS = 200 };
    int fds = open_fds(), ran = 0;
    loop_t *loops[LOOPS];
    for (int i = 0; i < LOOPS; i++) {
        loops[i] = loop_new();
        CHECK_INT(loop_call_soon(loops[i], count, &ran, NULL, NULL), 0);
    }
    for (int i = 0; i < LOOPS; i++)
        CHECK_INT(loop_run_once(loops[i], 0), 1);
    CHECK_INT(ran, LOOPS);
    for (int i = 0; i < LOOPS; i++)
        loop_unref(loops[i]);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, new_and_close, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK_INT(open_fds(), fds);
}
