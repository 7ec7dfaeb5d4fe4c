/* Readers and writers of descriptors. */
#include "child.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(a_reader_is_called_in_every_turn_while_there_is_something_to_read) {
    loop_t *loop = loop_new();
    int called = 0, ends[2];
    char byte;
    open_pipe(ends);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &called, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(write(ends[1], "x", 1), 1);
    for (int turn = 1; turn <= 3; turn++) {
        CHECK_INT(loop_run_once(loop, -1), 1);
        CHECK_INT(called, turn);
    }
    CHECK_INT(read(ends[0], &byte, 1), 1);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 0);
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(called, 3);
    loop_unref(loop);
}

TEST(a_writer_is_called_while_there_is_room) {
    loop_t *loop = loop_new();
    int called = 0, ends[2];
    open_pipe(ends);
    CHECK_INT(loop_add_writer(loop, ends[1], count, &called, NULL), 0);
    CHECK_INT(loop_run_once(loop, -1), 1);
    fill(ends[1]);
    CHECK_INT(loop_run_once(loop, 0), 0);
    empty(ends[0]);
    CHECK_INT(loop_run_once(loop, -1), 1);
    CHECK_INT(called, 2);
    CHECK_INT(loop_remove_writer(loop, ends[1]), 1);
    CHECK_INT(loop_remove_writer(loop, ends[1]), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_unref(loop);
}

TEST(the_two_directions_of_a_descriptor_are_independent) {
    loop_t *loop = loop_new();
    int reads = 0, writes = 0, pair[2], destroyed[2] = {0};
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    CHECK_INT(loop_add_reader(loop, pair[0], count, &reads, NULL), 0);
    CHECK_INT(loop_add_writer(loop, pair[0], count, &writes, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(writes, 1);
    CHECK_INT(write(pair[1], "x", 1), 1);
    /* Over TCP, as on Windows, it may take a moment. */
    struct pollfd arrival = {.fd = pair[0], .events = POLLIN};
    CHECK_INT(poll(&arrival, 1, 10000), 1);
    CHECK_INT(loop_run_once(loop, 0), 2);
    CHECK_INT(reads, 1);
    CHECK_INT(loop_remove_writer(loop, pair[0]), 1);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(reads, 2);
    /* Replacing one leaves the other. */
    CHECK_INT(loop_add_writer(loop, pair[0], count, &writes, NULL), 0);
    CHECK_INT(loop_add_reader(loop, pair[0], count, &destroyed[0], count), 0);
    CHECK_INT(loop_remove_reader(loop, pair[0]), 1);
    CHECK_INT(destroyed[0], 1);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(writes, 3);
    CHECK_INT(loop_remove_reader(loop, pair[0]), 0);
    CHECK_INT(loop_remove_writer(loop, pair[0]), 1);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_unref(loop);
}

TEST(a_second_reader_replaces_the_first_and_destroys_its_data) {
    loop_t *loop = loop_new();
    int old = 0, new = 0, ends[2];
    open_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &old, count), 0);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &new, count), 0);
    CHECK_INT(old, 1); /* destroyed, never called */
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(old, 1);
    CHECK_INT(new, 1);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    CHECK_INT(new, 2);
    loop_unref(loop);
}

TEST(descriptors_that_cannot_be_watched_are_refused) {
    loop_t *loop = loop_new();
    int destroyed = 0, ends[2];
    int file = open("/proc/self/exe", O_RDONLY);
    int plain = ON_WINDOWS ? -ENOTSOCK : -EPERM; /* there only sockets are descriptors */
    CHECK(file >= 0);
    open_pipe(ends);
    int closed = 700; /* a number that nothing takes by itself */
    CHECK_INT(dup2(ends[0], closed), closed);
    close(closed);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(loop_add_reader(loop, -1, count, &destroyed, count), LOOP_EINVAL);
        CHECK_INT(loop_add_writer(loop, -7, count, &destroyed, count), LOOP_EINVAL);
        CHECK_INT(loop_add_reader(loop, closed, count, &destroyed, count), -EBADF);
        CHECK_INT(loop_add_writer(loop, 1000000, count, &destroyed, count), -EBADF);
        CHECK_INT(loop_add_reader(loop, file, count, &destroyed, count), plain);
        CHECK_INT(loop_add_writer(loop, file, count, &destroyed, count), plain);
    }
    CHECK_INT(destroyed, 12);
    CHECK_INT(loop_remove_reader(loop, -1), 0);
    CHECK_INT(loop_remove_reader(loop, closed), 0);
    CHECK_INT(loop_remove_writer(loop, 1000000), 0);
    CHECK_INT(loop_remove_writer(loop, 0x7fffffff), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    close(file);
    loop_unref(loop);
}

/* The loop opens its own descriptors when it first needs them; they must not be
 * taken for what the caller meant. */
TEST(a_closed_number_is_not_mistaken_for_the_loops_own_descriptor) {
    for (int offset = 0; offset < 3; offset++) {
        loop_t *loop = loop_new();
        int destroyed = 0, lowest = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(lowest >= 0);
        close(lowest);
        int code = loop_add_reader(loop, lowest + offset * (ON_WINDOWS ? 4 : 1), count, &destroyed,
                                   count);
        CHECK(code == -EBADF || (ON_WINDOWS && code == -ENOTSOCK));
        CHECK_INT(destroyed, 1);
        loop_unref(loop);
    }
}

TEST(a_number_far_beyond_every_descriptor_costs_no_memory) {
    loop_t *loop = loop_new();
    int destroyed = 0, fd = in_valgrind() ? 5000000 : 0x7fffffff;
    if (!in_valgrind()) {
        struct rlimit limit = {1 << 30, 1 << 30};
        CHECK_INT(setrlimit(RLIMIT_AS, &limit), 0);
    }
    long before = resident_kib();
    CHECK_INT(loop_add_reader(loop, fd, count, &destroyed, count), -EBADF);
    CHECK_INT(loop_add_writer(loop, fd, count, &destroyed, count), -EBADF);
    CHECK(in_valgrind() || resident_kib() - before < 8192);
    CHECK_INT(destroyed, 2);
    loop_unref(loop);
}

TEST(a_refused_replacement_leaves_the_present_reader) {
    loop_t *loop = loop_new();
    int called = 0, refused = 0, ends[2];
    open_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK_INT(loop_add_reader(loop, ends[0], count, &called, NULL), 0);
    CHECK_INT(loop_add_reader(loop, ends[0], NULL, &refused, count), LOOP_EINVAL);
    CHECK_INT(refused, 1);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(called, 1);
    loop_unref(loop);
}

TEST(hanging_up_makes_both_directions_ready) {
    loop_t *loop = loop_new();
    int reader[2] = {0}, writer[2] = {0}, first[2], second[2];
    char block[4096] = {0};
    /* A read end whose writer is gone. */
    open_pipe(first);
    CHECK_INT(loop_add_reader(loop, first[0], count, &reader[0], NULL), 0);
    CHECK_INT(loop_add_writer(loop, first[0], count, &writer[0], NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    close(first[1]);
    CHECK_INT(loop_run_once(loop, -1), 2);
    CHECK(reader[0] == 1 && writer[0] == 1);
    CHECK_INT(loop_remove_reader(loop, first[0]), 1);
    CHECK_INT(loop_remove_writer(loop, first[0]), 1);
    /* A full write end whose reader is gone. */
    open_pipe(second);
    while (write(second[1], block, sizeof block) > 0) {
    }
    CHECK_INT(loop_add_reader(loop, second[1], count, &reader[1], NULL), 0);
    CHECK_INT(loop_add_writer(loop, second[1], count, &writer[1], NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    close(second[0]);
    CHECK_INT(loop_run_once(loop, -1), 2);
    CHECK(reader[1] == 1 && writer[1] == 1);
    loop_unref(loop);
}

struct own {
    loop_t *loop;
    int fd, called, destroyed, other;
    int in_callback;
};

static void own_destroyed(void *data) {
    struct own *own = data;
    /* Data that is in use outlives its callback. */
    CHECK_INT(own->in_callback, 0);
    own->destroyed++;
}

static void remove_itself(void *data) {
    struct own *own = data;
    own->in_callback = 1;
    own->called++;
    CHECK_INT(loop_remove_reader(own->loop, own->fd), 1);
    CHECK_INT(loop_remove_reader(own->loop, own->fd), 0);
    own->in_callback = 0;
}

TEST(a_reader_may_remove_itself) {
    struct own own = {.loop = loop_new()};
    int ends[2];
    open_pipe(ends);
    own.fd = ends[0];
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK_INT(loop_add_reader(own.loop, own.fd, remove_itself, &own, own_destroyed), 0);
    CHECK_INT(loop_run_once(own.loop, 0), 1);
    CHECK_INT(own.destroyed, 1);
    CHECK_INT(loop_run_once(own.loop, 0), 0);
    CHECK_INT(own.called, 1);
    loop_unref(own.loop);
    CHECK_INT(own.destroyed, 1);
}

static void replace_itself(void *data) {
    struct own *own = data;
    own->in_callback = 1;
    own->called++;
    /* Three times: the two in between are never in use and end at once. */
    CHECK_INT(loop_add_reader(own->loop, own->fd, count, &own->other, count), 0);
    CHECK_INT(loop_remove_reader(own->loop, own->fd), 1);
    CHECK_INT(own->other, 1);
    CHECK_INT(loop_add_reader(own->loop, own->fd, count, &own->other, count), 0);
    CHECK_INT(loop_add_reader(own->loop, own->fd, count, &own->other, NULL), 0);
    CHECK_INT(own->other, 2);
    own->in_callback = 0;
}

TEST(a_reader_may_replace_itself) {
    struct own own = {.loop = loop_new()};
    int ends[2];
    open_pipe(ends);
    own.fd = ends[0];
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK_INT(loop_add_reader(own.loop, own.fd, replace_itself, &own, own_destroyed), 0);
    CHECK_INT(loop_run_once(own.loop, 0), 1);
    CHECK_INT(own.destroyed, 1);
    CHECK_INT(own.other, 2);
    CHECK_INT(loop_run_once(own.loop, 0), 1);
    CHECK_INT(own.other, 3);
    CHECK_INT(own.called, 1);
    loop_unref(own.loop);
}

struct rival {
    loop_t *loop;
    int fds[3], *called;
};

static void remove_all(void *data) {
    struct rival *rival = data;
    ++*rival->called;
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_remove_reader(rival->loop, rival->fds[i]), 1);
}

/* All three are ready; whichever comes first ends the others in the same turn. */
TEST(a_reader_removed_by_another_one_of_its_turn_is_not_called) {
    struct rival rival = {.loop = loop_new()};
    int called = 0;
    rival.called = &called;
    for (int i = 0; i < 3; i++) {
        int ends[2];
        open_pipe(ends);
        rival.fds[i] = ends[0];
        CHECK_INT(write(ends[1], "x", 1), 1);
        CHECK_INT(loop_add_reader(rival.loop, ends[0], remove_all, &rival, NULL), 0);
    }
    CHECK(loop_run_once(rival.loop, 0) >= 1);
    CHECK_INT(called, 1);
    CHECK_INT(loop_run_once(rival.loop, 0), 0);
    loop_unref(rival.loop);
}

static void replace_all(void *data) {
    struct rival *rival = data;
    ++*rival->called;
    for (int i = 0; i < 3; i++) {
        int *destroyed = &rival->called[1 + i];
        CHECK_INT(loop_add_reader(rival->loop, rival->fds[i], count, destroyed, NULL), 0);
    }
}

TEST(an_event_of_a_replaced_reader_is_not_given_to_its_successor) {
    struct rival rival = {.loop = loop_new()};
    int called[4] = {0};
    rival.called = called;
    for (int i = 0; i < 3; i++) {
        int ends[2];
        open_pipe(ends);
        rival.fds[i] = ends[0];
        CHECK_INT(write(ends[1], "x", 1), 1);
        CHECK_INT(loop_add_reader(rival.loop, ends[0], replace_all, &rival, NULL), 0);
    }
    CHECK(loop_run_once(rival.loop, 0) >= 1);
    CHECK_INT(called[0], 1);
    CHECK_INT(called[1] + called[2] + called[3], 0);
    CHECK_INT(loop_run_once(rival.loop, 0), 3);
    CHECK(called[1] == 1 && called[2] == 1 && called[3] == 1);
    loop_unref(rival.loop);
}

static void remove_before_its_turn(void *data) {
    struct own *own = data;
    CHECK_INT(loop_remove_reader(own->loop, own->fd), 1);
    CHECK_INT(own->destroyed, 1);
}

TEST(removal_by_a_callback_of_the_same_turn_takes_effect_at_once) {
    struct own own = {.loop = loop_new()};
    int ends[2];
    open_pipe(ends);
    own.fd = ends[0];
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK_INT(loop_add_reader(own.loop, own.fd, remove_itself, &own, own_destroyed), 0);
    /* Ready before the events are gathered, so it runs before the reader. */
    CHECK_INT(loop_call_soon(own.loop, remove_before_its_turn, &own, NULL, NULL), 0);
    CHECK(loop_run_once(own.loop, 0) >= 1);
    CHECK_INT(own.called, 0);
    CHECK_INT(own.destroyed, 1);
    loop_unref(own.loop);
}

static void add_reader_now(void *data) {
    struct own *own = data;
    CHECK_INT(loop_add_reader(own->loop, own->fd, count, &own->called, NULL), 0);
}

TEST(a_reader_added_by_a_callback_is_served_in_the_next_turn) {
    struct own own = {.loop = loop_new()};
    int ends[2];
    open_pipe(ends);
    own.fd = ends[0];
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK_INT(loop_call_soon(own.loop, add_reader_now, &own, NULL, NULL), 0);
    CHECK_INT(loop_run_once(own.loop, 0), 1);
    CHECK_INT(loop_run_once(own.loop, 0), 1);
    CHECK_INT(own.called, 1);
    loop_unref(own.loop);
}

struct busy {
    struct own own;
    int turns, added_at, served_at;
};

static void note_turn(void *data) {
    struct busy *busy = data;
    busy->served_at = busy->turns;
    CHECK_INT(loop_stop(busy->own.loop), 0);
}

static void keep_busy(void *data) {
    struct busy *busy = data;
    if (++busy->turns == 20) {
        busy->added_at = busy->turns;
        CHECK_INT(loop_add_reader(busy->own.loop, busy->own.fd, note_turn, busy, NULL), 0);
    }
    CHECK_INT(loop_call_soon(busy->own.loop, keep_busy, busy, NULL, NULL), 0);
}

/* A busy loop does not ask for events at every turn, but asks for new ones at once. */
TEST(a_reader_added_in_a_busy_run_is_served_in_the_next_turn) {
    struct busy busy = {.own = {.loop = loop_new()}};
    int ends[2];
    open_pipe(ends);
    busy.own.fd = ends[0];
    CHECK_INT(write(ends[1], "x", 1), 1);
    CHECK_INT(loop_call_soon(busy.own.loop, keep_busy, &busy, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(busy.own.loop), 0);
    CHECK_INT(busy.added_at, 20);
    CHECK_INT(busy.served_at, 21); /* after that turn's own callback, which was ready before */
    loop_unref(busy.own.loop);
}

TEST(more_ready_descriptors_than_one_system_call_yields_are_all_served) {
    enum { MANY = 3000 };
    static int called[MANY], fds[MANY];
    struct rlimit limit = {0, 0};
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int number = limit.rlim_cur < MANY + 20 || in_valgrind() ? 300 : MANY, ends[2];
    loop_t *loop = loop_new();
    open_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    for (int i = 0; i < number; i++) {
        fds[i] = dup(ends[0]);
        CHECK(fds[i] >= 0);
        CHECK_INT(loop_add_reader(loop, fds[i], count, &called[i], NULL), 0);
    }
    /* None is served twice before each was served once. */
    for (int served = 0, ran; served < number; served += ran) {
        ran = loop_run_once(loop, 0);
        CHECK(ran > 0);
    }
    for (int i = 0; i < number; i++)
        CHECK(called[i] > 0);
    for (int i = 0; i < number; i++)
        CHECK_INT(loop_remove_reader(loop, fds[i]), 1);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_unref(loop);
}

TEST(a_descriptor_may_be_watched_by_several_loops) {
    loop_t *loops[] = {loop_new(), loop_new()};
    int called[2] = {0}, ends[2];
    open_pipe(ends);
    CHECK_INT(write(ends[1], "x", 1), 1);
    for (int i = 0; i < 2; i++)
        CHECK_INT(loop_add_reader(loops[i], ends[0], count, &called[i], NULL), 0);
    CHECK_INT(loop_run_once(loops[0], 0), 1);
    CHECK_INT(loop_remove_reader(loops[0], ends[0]), 1);
    CHECK_INT(loop_remove_reader(loops[0], ends[0]), 0);
    CHECK_INT(loop_run_once(loops[0], 0), 0);
    CHECK_INT(loop_run_once(loops[1], 0), 1);
    loop_unref(loops[0]);
    CHECK_INT(loop_run_once(loops[1], 0), 1);
    CHECK(called[0] == 1 && called[1] == 2);
    loop_unref(loops[1]);
}

static void interrupt_and_count(void *data) {
    struct own *own = data;
    own->called++;
    CHECK_INT(loop_interrupt(own->loop, 1), 0);
}

/* An interrupted turn leaves its events queued; what they were for may be gone
 * when the next run meets them. */
TEST(an_event_left_queued_by_an_interrupted_run_is_not_given_to_a_removed_reader) {
    struct own own = {.loop = loop_new()};
    int fds[3], ends[2];
    for (int i = 0; i < 3; i++) {
        open_pipe(ends);
        CHECK_INT(write(ends[1], "x", 1), 1);
        fds[i] = ends[0];
        CHECK_INT(loop_add_reader(own.loop, fds[i], interrupt_and_count, &own, own_destroyed), 0);
    }
    CHECK_INT(loop_run_forever(own.loop), 1);
    CHECK_INT(own.called, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(loop_remove_reader(own.loop, fds[i]), 1);
        close(fds[i]);
    }
    CHECK_INT(own.destroyed, 3);
    CHECK_INT(loop_call_soon(own.loop, stop_loop, own.loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(own.loop), 0);
    CHECK_INT(own.called, 1);
    loop_unref(own.loop);
}

TEST(a_loop_without_anything_to_watch_makes_no_descriptor_for_removals) {
    loop_t *loop = loop_new();
    int fds = open_fds();
    CHECK_INT(loop_remove_reader(loop, 0), 0);
    CHECK_INT(loop_remove_writer(loop, 5), 0);
    CHECK_INT(open_fds(), fds);
    loop_unref(loop);
}
