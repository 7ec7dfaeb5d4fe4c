/* Descriptors that were closed before they were removed. */
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* A pipe with a byte in it whose read end has this number. */
static void readable_pipe_at(int fd, int *write_end) {
    int ends[2];
    open_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    if (ends[0] != fd) {
        CHECK_INT(dup2(ends[0], fd), fd);
        close(ends[0]);
    }
    *write_end = ends[1];
}

TEST(a_closed_descriptor_falls_silent_and_can_be_removed) {
    loop_t *loop = loop_new();
    int called = 0, ends[2], destroyed = 0;
    open_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &called, NULL), 0);
    CHECK_INT(loop_add_writer(loop, ends[1], count, &destroyed, count), 0);
    close(ends[0]);
    close(ends[1]);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &called, NULL), -EBADF);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    CHECK_INT(loop_remove_writer(loop, ends[1]), 1);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 0);
    CHECK_INT(called, 0);
    loop_unref(loop);
}

TEST(a_reused_number_is_a_new_descriptor_for_add_reader) {
    loop_t *loop = loop_new();
    int old = 0, old_writer = 0, new = 0, ends[2], other;
    open_pipe(ends);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &old, count), 0);
    CHECK_INT(loop_add_writer(loop, ends[0], count, &old_writer, count), 0);
    close(ends[0]);
    readable_pipe_at(ends[0], &other);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &new, NULL), 0);
    /* The old file's reader is replaced, and its writer, too, is over. */
    CHECK_INT(old, 1);
    CHECK_INT(old_writer, 1);
    for (int turn = 1; turn <= 3; turn++)
        CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(new, 3);
    CHECK_INT(loop_remove_writer(loop, ends[0]), 0);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(old + old_writer, 2);
    loop_unref(loop);
}

struct swap {
    loop_t *loop;
    int fds[2], others[2], swapped, new_called;
};

/* Both are ready in this turn. The one that runs first closes both, opens other
 * files under their numbers and watches these: nothing of the old may arrive. */
static void close_and_reuse(void *data) {
    struct swap *swap = data;
    CHECK_INT(swap->swapped, 0);
    swap->swapped = 1;
    for (int i = 0; i < 2; i++) {
        int ends[2];
        CHECK_INT(loop_remove_reader(swap->loop, swap->fds[i]), 1);
        close(swap->fds[i]);
        open_pipe(ends);
        CHECK_INT(dup2(ends[0], swap->fds[i]), swap->fds[i]);
        CHECK_INT(loop_add_reader(swap->loop, swap->fds[i], count, &swap->new_called, NULL), 0);
        swap->others[i] = ends[1];
    }
}

TEST(a_queued_event_is_not_delivered_to_a_reused_number) {
    struct swap swap = {.loop = loop_new()};
    for (int i = 0; i < 2; i++) {
        int ends[2];
        open_pipe(ends);
        /* Numbers that open_pipe below will not hand out by itself. */
        swap.fds[i] = 100 + i;
        CHECK_INT(dup2(ends[0], swap.fds[i]), swap.fds[i]);
        CHECK_INT(write(ends[1], "x", 1), 1);
        close(ends[0]);
        CHECK_INT(loop_add_reader(swap.loop, swap.fds[i], close_and_reuse, &swap, NULL), 0);
    }
    CHECK(loop_run_once(swap.loop, 0) >= 1);
    CHECK_INT(swap.swapped, 1);
    CHECK_INT(loop_run_once(swap.loop, 0), 0);
    CHECK_INT(swap.new_called, 0);
    CHECK_INT(write(swap.others[0], "x", 1), 1);
    CHECK_INT(loop_run_once(swap.loop, 0), 1);
    CHECK_INT(swap.new_called, 1);
    loop_unref(swap.loop);
}

TEST(a_file_kept_open_by_a_duplicate_neither_calls_nor_spins_after_removal) {
    loop_t *loop = loop_new();
    int called = 0, other_called = 0, stopped = 0, ends[2], other[2];
    open_pipe(ends);
    open_pipe(other);
    CHECK_INT(write(ends[1], "x", 1), 1);
    int duplicate = dup(ends[0]);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &called, NULL), 0);
    CHECK_INT(loop_add_reader(loop, other[0], count, &other_called, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    close(ends[0]);
    /* The kernel still watches the file, by a number that cannot be named. */
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(called, 1);
    struct rusage before, after;
    CHECK_INT(getrusage(RUSAGE_SELF, &before), 0);
    CHECK_INT(loop_call_later(loop, 300 * MS, count, &stopped, NULL, NULL), 0);
    while (!stopped)
        CHECK(loop_run_once(loop, -1) >= 0);
    CHECK_INT(getrusage(RUSAGE_SELF, &after), 0);
    if (!in_valgrind()) {
        long long used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000LL
            + after.ru_utime.tv_usec - before.ru_utime.tv_usec
            + (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000LL
            + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
        CHECK(used < 100000);
    }
    /* Everything else is watched as before. */
    CHECK_INT(write(other[1], "x", 1), 1);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(other_called, 1);
    CHECK_INT(called, 1);
    loop_unref(loop);
    close(duplicate);
}

TEST(a_number_reused_while_a_duplicate_lives_gets_only_new_events) {
    loop_t *loop = loop_new();
    int old = 0, new = 0, ends[2], next[2];
    char byte;
    open_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    int duplicate = dup(ends[0]);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &old, count), 0);
    close(ends[0]);
    open_pipe(next);
    if (next[0] != ends[0])
        CHECK_INT(dup2(next[0], ends[0]), ends[0]);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &new, NULL), 0);
    CHECK_INT(old, 1);
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(new, 0);
    CHECK_INT(write(next[1], "y", 1), 1);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(new, 1);
    CHECK_INT(read(ends[0], &byte, 1), 1);
    CHECK_INT(byte, 'y');
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(old, 1);
    loop_unref(loop);
    close(duplicate);
}

TEST(wake_ups_still_work_after_a_stale_event_was_thrown_out) {
    loop_t *loop = loop_new();
    int ends[2], called = 0, ran = 0;
    open_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK(dup(ends[0]) >= 0);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &called, NULL), 0);
    close(ends[0]);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(loop_wakeup(loop), 0);
    CHECK_INT(loop_run_once(loop, -1), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, -1), 1);
    CHECK_INT(ran, 1);
    CHECK_INT(called, 0);
    loop_unref(loop);
}

/* The number of a closed descriptor is given to a file that nobody asked the
 * loop to watch. Throwing out a stale event must not make the loop watch it. */
TEST(a_forgotten_number_is_not_watched_again_for_its_successor) {
    loop_t *loop = loop_new();
    int forgotten = 0, stale = 0, first[2], second[2], other;
    open_pipe(first);
    open_pipe(second);
    CHECK_INT(loop_add_reader(loop, first[0], count, &forgotten, NULL), 0);
    CHECK_INT(loop_add_reader(loop, second[0], count, &stale, NULL), 0);
    close(first[0]);
    readable_pipe_at(first[0], &other);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(forgotten, 0);
    CHECK(dup(second[0]) >= 0);
    close(second[0]);
    CHECK_INT(loop_remove_reader(loop, second[0]), 1);
    CHECK_INT(write(second[1], "x", 1), 1);
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(forgotten, 0);
    CHECK_INT(stale, 0);
    loop_unref(loop);
}
