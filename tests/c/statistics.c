/* loop_get_stats, loop_set_stats_level. */
#include "child.h"
#include "loop_thread.h"
#include <unistd.h>

static loop_stats_t stats_of(loop_t *loop) {
    loop_stats_t stats = {.size = sizeof stats};
    CHECK_INT(loop_get_stats(loop, &stats), 0);
    CHECK_INT(stats.size, sizeof stats);
    return stats;
}

static void nothing(void *data) {
    (void)data;
}

struct chain {
    loop_t *loop;
    int left;
    uint64_t turns, callbacks;
};

static void link_of_chain(void *data) {
    struct chain *chain = data;
    if (chain->left % 7 == 0) {
        loop_stats_t stats = stats_of(chain->loop);
        if (chain->turns != 0) {
            CHECK_INT(stats.turns - chain->turns, 7);
            CHECK_INT(stats.callbacks - chain->callbacks, 7);
        }
        chain->turns = stats.turns;
        chain->callbacks = stats.callbacks;
    }
    if (--chain->left > 0)
        CHECK_INT(loop_call_soon(chain->loop, link_of_chain, chain, NULL, NULL), 0);
    else
        CHECK_INT(loop_stop(chain->loop), 0);
}

TEST(stats_count_every_turn_and_callback) {
    struct chain chain = {loop_new(), 1000, 0, 0};
    loop_stats_t stats = stats_of(chain.loop);
    CHECK(stats.turns == 0 && stats.callbacks == 0 && stats.waits == 0 && stats.wait_ns == 0);
    CHECK(stats.longest_callback == NULL && stats.longest_fd == -1);
    CHECK_INT(loop_call_soon(chain.loop, link_of_chain, &chain, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(chain.loop), 0);
    stats = stats_of(chain.loop);
    CHECK_INT(stats.turns, 1000);
    CHECK_INT(stats.callbacks, 1000);
    CHECK_INT(stats.waits, 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(loop_call_soon(chain.loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_once(chain.loop, 0), 5);
    CHECK_INT(loop_run_once(chain.loop, 0), 0);
    CHECK_INT(loop_dispatch(chain.loop), 0);
    stats = stats_of(chain.loop);
    CHECK_INT(stats.turns, 1003);
    CHECK_INT(stats.callbacks, 1005);
    /* Another run goes on from there. */
    chain.left = 10;
    chain.turns = 0;
    CHECK_INT(loop_call_soon(chain.loop, link_of_chain, &chain, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(chain.loop), 0);
    CHECK_INT(stats_of(chain.loop).turns, 1013);
    CHECK_INT(loop_close(chain.loop), 0);
    stats = stats_of(chain.loop);
    CHECK_INT(stats.turns, 1013);
    CHECK_INT(stats.callbacks, 1015);
    loop_unref(chain.loop);
}

struct depths {
    loop_t *loop;
    int pipe[2];
    loop_stats_t inside;
};

static void look(void *data) {
    struct depths *depths = data;
    CHECK_INT(loop_call_soon(depths->loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(depths->loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(depths->loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(depths->loop, nothing, NULL, NULL, NULL), 0);
    depths->inside = stats_of(depths->loop);
}

TEST(stats_count_events_timers_posts_and_what_waits) {
    struct depths depths = {.loop = loop_new()};
    loop_t *loop = depths.loop;
    loop_handle_t cancelled;
    open_pipe(depths.pipe);
    CHECK_INT(loop_add_reader(loop, depths.pipe[0], nothing, NULL, NULL), 0);
    CHECK_INT(loop_add_writer(loop, depths.pipe[1], look, &depths, NULL), 0);
    CHECK_INT(loop_call_later(loop, 1, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 1000000 * MS, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 1000000 * MS, nothing, NULL, NULL, &cancelled), 0);
    CHECK_INT(loop_call_later(loop, 2000000 * MS, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_handle_cancel(loop, cancelled), 0);
    sleep_ns(1000);
    CHECK_INT(write(depths.pipe[1], "x", 1), 1);
    CHECK_INT(loop_run_once(loop, 0), 3); /* reader, writer, timer */
    CHECK_INT(depths.inside.io_events, 2);
    CHECK_INT(depths.inside.timers, 1);
    CHECK_INT(depths.inside.posts, 0);
    CHECK_INT(depths.inside.fds_now, 2);
    CHECK_INT(depths.inside.timers_now, 2);
    CHECK_INT(depths.inside.posts_now, 3);
    /* The three and the new one, wherever the writer stood. */
    CHECK_INT(depths.inside.callbacks + depths.inside.ready_now, 4);
    CHECK_INT(loop_remove_writer(loop, depths.pipe[1]), 1);
    CHECK_INT(loop_run_once(loop, 0), 5);
    loop_stats_t stats = stats_of(loop);
    CHECK_INT(stats.posts, 3);
    CHECK_INT(stats.posts_now, 0);
    CHECK_INT(stats.io_events, 3);
    CHECK_INT(stats.callbacks, 8);
    CHECK_INT(stats.fds_now, 1);
    CHECK_INT(loop_close(loop), 0);
    stats = stats_of(loop);
    CHECK(stats.fds_now == 0 && stats.timers_now == 0 && stats.ready_now == 0);
    CHECK_INT(stats.io_events, 3);
    close(depths.pipe[0]);
    close(depths.pipe[1]);
    loop_unref(loop);
}

static void be_busy(void *data) {
    (void)data;
    sleep_ns(30 * MS);
}

TEST(stats_tell_waiting_from_running) {
    loop_t *loop = loop_new();
    CHECK_INT(loop_call_later(loop, 20 * MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    loop_stats_t stats = stats_of(loop);
    CHECK(stats.wait_ns == 0 && stats.busy_ns == 0); /* nobody asked */
    CHECK(stats.waits >= 1 || in_valgrind());
    CHECK_INT(loop_set_stats_level(loop, LOOP_STATS_TIMES), 0);
    CHECK_INT(loop_call_later(loop, 40 * MS, be_busy, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 41 * MS, stop_loop, loop, NULL, NULL), 0);
    long long began = now_ns();
    CHECK_INT(loop_run_forever(loop), 0);
    long long whole = now_ns() - began;
    stats = stats_of(loop);
    CHECK(stats.wait_ns >= (in_valgrind() ? 1 : 38) * MS && stats.busy_ns >= 30 * MS);
    CHECK((long long)(stats.wait_ns + stats.busy_ns) <= whole);
    CHECK((long long)(stats.wait_ns + stats.busy_ns) >= whole * 9 / 10 || in_valgrind());
    /* Between runs nothing is counted. */
    sleep_ns(20 * MS);
    loop_stats_t later = stats_of(loop);
    CHECK(later.wait_ns == stats.wait_ns && later.busy_ns == stats.busy_ns);
    loop_unref(loop);
}

TEST(stats_of_a_loop_that_waits_in_another_thread_go_on) {
    struct loop_thread thread;
    loop_thread_start(&thread);
    CHECK_INT(loop_set_stats_level(thread.loop, LOOP_STATS_TIMES), 0);
    CHECK_INT(loop_call_soon_threadsafe(thread.loop, nothing, NULL, NULL, NULL), 0);
    take(&thread.asleep);
    loop_stats_t first = stats_of(thread.loop), stats = first;
    CHECK_INT(first.posts, 1);
    CHECK_INT(first.callbacks, 1);
    CHECK_INT(first.posts_now, 0);
    /* The wait goes on, and so does its time. */
    while (stats.wait_ns < first.wait_ns + 5 * MS) {
        loop_stats_t next = stats_of(thread.loop);
        CHECK(next.wait_ns >= stats.wait_ns);
        stats = next;
    }
    CHECK(stats.turns >= 1 && stats.waits >= 1);
    /* What is posted to a loop that is busy can be seen. */
    CHECK_INT(loop_call_soon_threadsafe(thread.loop, be_busy, NULL, NULL, NULL), 0);
    loop_thread_end(&thread);
}

struct slow {
    loop_t *loop;
    long long duration;
    int destroyed;
};

static void last(void *data) {
    struct slow *slow = data;
    sleep_ns(slow->duration);
}

TEST(stats_know_the_longest_callback) {
    struct slow slow = {loop_new(), 100 * MS, 0}, slower = {slow.loop, 200 * MS, 0};
    loop_t *loop = slow.loop;
    loop_handle_t handle;
    int pipe[2];
    CHECK_INT(loop_call_soon(loop, last, &slower, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(stats_of(loop).longest_ns, 0); /* nobody asked */
    CHECK_INT(loop_set_stats_level(loop, LOOP_STATS_CALLBACKS), 0);
    CHECK_INT(loop_call_soon(loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, last, &slow, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 3);
    loop_stats_t stats = stats_of(loop);
    CHECK(stats.longest_ns >= 100 * MS);
    CHECK(stats.longest_callback == last && stats.longest_user_data == &slow);
    CHECK(stats.longest_handle == 0 && stats.longest_fd == -1);
    CHECK_INT(loop_call_later(loop, 0, last, &slower, NULL, &handle), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    stats = stats_of(loop);
    CHECK(stats.longest_ns >= 200 * MS && stats.longest_user_data == &slower);
    CHECK(stats.longest_handle == handle);
    /* Set again, the search begins again. */
    CHECK_INT(loop_set_stats_level(loop, LOOP_STATS_CALLBACKS), 0);
    CHECK_INT(stats_of(loop).longest_ns, 0);
    open_pipe(pipe);
    CHECK_INT(loop_add_writer(loop, pipe[1], last, &slow, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(stats_of(loop).longest_fd, pipe[1]);
    CHECK_INT(loop_set_stats_level(loop, LOOP_STATS_COUNTS), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(stats_of(loop).longest_ns, 0);
    close(pipe[0]);
    close(pipe[1]);
    loop_unref(loop);
}

TEST(stats_refuse_bad_arguments_and_know_smaller_and_larger_structs) {
    loop_t *loop = loop_new();
    struct {
        loop_stats_t stats;
        char more[64];
    } large;
    loop_stats_t stats = {.size = 0};
    CHECK_INT(loop_get_stats(NULL, &stats), LOOP_EINVAL);
    CHECK_INT(loop_get_stats(loop, NULL), LOOP_EINVAL);
    CHECK_INT(loop_get_stats(loop, &stats), LOOP_EINVAL);
    CHECK_INT(loop_run_once(loop, 0), 0);
    memset(&large, 0x55, sizeof large);
    large.stats.size = sizeof large;
    CHECK_INT(loop_get_stats(loop, &large.stats), 0);
    CHECK_INT(large.stats.turns, 1);
    CHECK(large.more[0] == 0 && large.more[63] == 0);
    memset(&stats, 0x55, sizeof stats);
    stats.size = offsetof(loop_stats_t, waits);
    CHECK_INT(loop_get_stats(loop, &stats), 0);
    CHECK_INT(stats.turns, 1);
    CHECK_INT(stats.waits, 0x5555555555555555);
    CHECK_INT(loop_set_stats_level(loop, 3), LOOP_EINVAL);
    CHECK_INT(loop_set_stats_level(NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_set_stats_level(loop, 0), LOOP_ECLOSED);
    CHECK_INT(stats_of(loop).turns, 1);
    loop_unref(loop);
}

static void in_a_child(void *data) {
    loop_t *loop = data;
    loop_stats_t stats = stats_of(loop);
    CHECK_INT(stats.callbacks, 1);
    CHECK_INT(loop_set_stats_level(loop, LOOP_STATS_TIMES), LOOP_EFORKED);
    CHECK_INT(loop_reinit_after_fork(loop, LOOP_REINIT_KEEP_READY), 0);
    stats = stats_of(loop);
    CHECK(stats.turns == 0 && stats.callbacks == 0 && stats.longest_ns == 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    stats = stats_of(loop);
    CHECK(stats.turns == 1 && stats.callbacks == 1);
    CHECK(stats.longest_callback == nothing); /* the level stays */
    loop_unref(loop);
}

TEST(stats_of_a_child_begin_again_with_reinit) {
    loop_t *loop = loop_new();
    CHECK_INT(loop_set_stats_level(loop, LOOP_STATS_CALLBACKS), 0);
    CHECK_INT(loop_call_soon(loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(loop_call_soon(loop, nothing, NULL, NULL, NULL), 0);
    CHECK_INT(in_child(in_a_child, loop), 0);
    CHECK_INT(stats_of(loop).callbacks, 1);
    loop_unref(loop);
}

static void *ask_all_the_time(void *data) {
    struct loop_thread *thread = data;
    loop_stats_t last = {.size = sizeof last};
    while (!loop_is_closed(thread->loop)) {
        loop_stats_t stats = stats_of(thread->loop);
        CHECK(stats.turns >= last.turns && stats.callbacks >= last.callbacks);
        CHECK(stats.wait_ns >= last.wait_ns && stats.posts >= last.posts);
        CHECK(stats.timers_now < 1000000 && stats.ready_now < 1000000);
        last = stats;
    }
    return NULL;
}

TEST(stats_may_be_asked_for_while_the_loop_runs) {
    struct loop_thread thread;
    pthread_t asker;
    loop_thread_start(&thread);
    CHECK_INT(loop_set_stats_level(thread.loop, LOOP_STATS_CALLBACKS), 0);
    CHECK_INT(pthread_create(&asker, NULL, ask_all_the_time, &thread), 0);
    loop_t *loop = loop_ref(thread.loop);
    for (int i = 0; i < (in_valgrind() ? 500 : 20000); i++)
        CHECK_INT(loop_call_soon_threadsafe(loop, nothing, NULL, NULL, NULL), 0);
    loop_thread_end(&thread);
    CHECK_INT(pthread_join(asker, NULL), 0);
    CHECK_INT(stats_of(loop).posts, in_valgrind() ? 501 : 20001); /* and the stop */
    loop_unref(loop);
}
