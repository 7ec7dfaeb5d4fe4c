/* Socket operations that do not get to their end: cancelled, refused, replaced,
 * their loop closed, their process forked. */
#include "sockets.h"
#include "loop_thread.h"

TEST(a_cancelled_sock_recv_is_unregistered_at_once) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    int pair[2];
    char byte = 0;
    unix_pair(SOCK_STREAM, pair);
    CHECK_INT(loop_sock_recv_into(loop, pair[0], &byte, 1, &future), 0);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_INT(loop_future_cancelled(future), 1);
    CHECK_INT(loop_remove_reader(loop, pair[0]), 0);
    CHECK_INT(write(pair[1], "x", 1), 1);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(byte, 0);
    loop_future_unref(future);
    /* Also when its event is queued already. */
    CHECK_INT(loop_sock_recv_into(loop, pair[0], &byte, 1, &future), 0);
    CHECK_INT(number_of(loop, future), 1);
    byte = 0;
    CHECK_INT(loop_sock_recv_into(loop, pair[0], &byte, 1, &future), 0);
    CHECK_INT(write(pair[1], "y", 1), 1);
    CHECK_INT(loop_poll(loop, 0), 1);
    CHECK_INT(loop_future_cancel(future, "enough"), 1);
    CHECK(loop_dispatch(loop) >= 0);
    CHECK_INT(byte, 0);
    CHECK_INT(loop_future_result(future, NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "enough");
    loop_future_unref(future);
    close(pair[0]);
    close(pair[1]);
    loop_unref(loop);
}

TEST(a_cancelled_sock_sendall_gives_its_data_back_at_once) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    int pair[2], destroyed = 0;
    char *bytes = calloc(1, 1 << 20);
    unix_pair(SOCK_STREAM, pair);
    CHECK_INT(loop_sock_sendall(loop, pair[0], bytes, 1 << 20, &destroyed, count, &future), 0);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(destroyed, 0);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_INT(destroyed, 1);
    free(bytes);
    CHECK_INT(loop_remove_writer(loop, pair[0]), 0);
    empty(pair[1]);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_future_unref(future);
    close(pair[0]);
    close(pair[1]);
    loop_unref(loop);
    CHECK_INT(destroyed, 1);
}

/* A connection that cannot be made: nobody accepts, and the queue is full. */
static int stuck_listener(struct sockaddr_in *address, int fillers[2]) {
    int listener = listening(address);
    CHECK_INT(listen(listener, 0), 0);
    for (int i = 0; i < 2; i++) {
        fillers[i] = tcp_socket();
        CHECK(connect(fillers[i], (struct sockaddr *)address, sizeof *address) == 0 ||
              errno == EINPROGRESS);
    }
    return listener;
}

TEST(a_cancelled_sock_connect_frees_its_number_at_every_step) {
    for (int step = 0; step < 4; step++) {
        loop_t *loop = loop_new();
        loop_future_t *future;
        struct sockaddr_in address;
        int fillers[2], pair[2];
        int listener = stuck_listener(&address, fillers), client = tcp_socket();
        CHECK_INT(loop_sock_connect(loop, client, &address, sizeof address, &future), 0);
        if (step >= 1)
            CHECK_INT(loop_run_once(loop, 0), 0);
        if (step >= 2) {
            /* The connection breaks; its event is queued, or not even that. */
            CHECK_INT(shutdown(client, SHUT_RDWR), 0);
            if (step == 3)
                CHECK_INT(loop_poll(loop, 0), 1);
        }
        CHECK_INT(loop_future_done(future), 0);
        CHECK_INT(loop_future_cancel(future, NULL), 1);
        close(client);
        unix_pair(SOCK_STREAM, pair);
        CHECK_INT(pair[0], client); /* the same number */
        CHECK_INT(loop_run_once(loop, 0), step == 3); /* the entry of nobody */
        /* It registers as if it were new, for either direction. */
        loop_future_t *sending, *receiving;
        char *block = calloc(1, 1 << 20);
        CHECK_INT(loop_sock_recv(loop, client, 10, &receiving), 0);
        CHECK_INT(loop_sock_sendall(loop, client, block, 1 << 20, block, free, &sending), 0);
        CHECK_INT(loop_run_once(loop, 0), 0);
        CHECK_INT(write(pair[1], "new", 3), 3);
        CHECK_INT(((loop_received_t *)result_of(loop, receiving))->length, 3);
        CHECK_INT(loop_future_done(sending), 0);
        while (loop_future_done(sending) == 0) {
            empty(pair[1]);
            CHECK(loop_run_once(loop, 0) >= 0);
        }
        CHECK_INT(loop_future_cancelled(future), 1);
        loop_future_unref(future);
        loop_future_unref(sending);
        loop_future_unref(receiving);
        close(client);
        close(pair[1]);
        close(listener);
        close(fillers[0]);
        close(fillers[1]);
        loop_unref(loop);
    }
}

TEST(a_second_operation_of_one_direction_is_refused) {
    loop_t *loop = loop_new();
    loop_future_t *first, *second = NULL;
    int pair[2], destroyed = 0;
    char text[64];
    unix_pair(SOCK_STREAM, pair);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &first), 0);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &second), -EBUSY);
    snprintf(text, sizeof text, "File descriptor %d is used by another operation", pair[0]);
    CHECK_STR(loop_last_error(), text);
    CHECK_INT(loop_sock_accept(loop, pair[0], &second), -EBUSY);
    CHECK_INT(loop_sock_recvfrom(loop, pair[0], 1, &second), -EBUSY);
    CHECK(second == NULL);
    /* Even with something to read, the first in line gets it. */
    CHECK_INT(write(pair[1], "x", 1), 1);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &second), -EBUSY);
    /* The other direction is free. */
    CHECK_INT(loop_sock_sendall(loop, pair[0], "y", 1, NULL, NULL, &second), 0);
    CHECK_INT(number_of(loop, second), 0);
    CHECK_INT(((loop_received_t *)result_of(loop, first))->length, 1);
    loop_future_unref(first);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &first), 0);
    CHECK_INT(loop_future_cancel(first, NULL), 1);
    loop_future_unref(first);
    /* The host's own reader and writer are in nobody's way. */
    int called = 0;
    CHECK_INT(loop_add_reader(loop, pair[0], count, &called, NULL), 0);
    CHECK_INT(loop_add_writer(loop, pair[0], count, &called, NULL), 0);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &first), -EBUSY);
    CHECK_INT(loop_sock_sendall(loop, pair[0], "y", 1, &destroyed, count, &first), -EBUSY);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(called, 1);
    CHECK_INT(loop_remove_reader(loop, pair[0]), 1);
    CHECK_INT(loop_remove_writer(loop, pair[0]), 1);
    close(pair[0]);
    close(pair[1]);
    loop_unref(loop);
}

TEST(an_operation_whose_registration_is_taken_fails) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    int pair[2], called = 0, destroyed = 0;
    unix_pair(SOCK_STREAM, pair);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &future), 0);
    CHECK_INT(loop_add_reader(loop, pair[0], count, &called, NULL), 0);
    CHECK_INT(failure_of(loop, future), -ECANCELED);
    CHECK_INT(write(pair[1], "x", 1), 1);
    CHECK_INT(loop_run_once(loop, -1), 1);
    CHECK_INT(called, 1);
    CHECK_INT(loop_remove_reader(loop, pair[0]), 1);
    fill(pair[0]);
    CHECK_INT(loop_sock_sendall(loop, pair[0], "abc", 3, &destroyed, count, &future), 0);
    CHECK_INT(loop_remove_writer(loop, pair[0]), 1);
    CHECK_INT(destroyed, 1);
    CHECK_INT(failure_of(loop, future), -ECANCELED);
    close(pair[0]);
    close(pair[1]);
    loop_unref(loop);
}

TEST(a_number_closed_under_an_operation_may_be_used_again) {
    loop_t *loop = loop_new();
    loop_future_t *old, *new;
    int pair[2], other[2];
    unix_pair(SOCK_STREAM, pair);
    unix_pair(SOCK_STREAM, other);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &old), 0);
    CHECK_INT(dup3(other[0], pair[0], O_CLOEXEC), pair[0]); /* closes the old one */
    close(other[0]);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &new), 0);
    CHECK_INT(loop_future_done(new), 0);
    CHECK_INT(failure_of(loop, old), -ECANCELED);
    CHECK_INT(write(other[1], "z", 1), 1);
    CHECK_INT(((loop_received_t *)result_of(loop, new))->length, 1);
    loop_future_unref(new);
    close(pair[0]);
    close(pair[1]);
    close(other[1]);
    loop_unref(loop);
}

/* Every kind of operation, waiting. */
struct waiting {
    loop_t *loop;
    int pair[2], full[2], files[2], listener, client, fillers[2], file, destroyed, called;
    char buffer[10];
    loop_future_t *futures[6];
};

static void done(loop_future_t *future, void *data) {
    (void)future;
    ++*(int *)data;
}

static void wait_for_all(struct waiting *all) {
    struct sockaddr_in address;
    all->loop = loop_new();
    unix_pair(SOCK_STREAM, all->pair);
    unix_pair(SOCK_STREAM, all->full);
    unix_pair(SOCK_STREAM, all->files);
    fill(all->full[0]);
    fill(all->files[0]);
    all->listener = stuck_listener(&address, all->fillers);
    all->client = tcp_socket();
    all->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    loop_future_t **futures = all->futures;
    CHECK_INT(loop_sock_recv(all->loop, all->pair[0], 10, &futures[0]), 0);
    CHECK_INT(loop_sock_recv_into(all->loop, all->pair[1], all->buffer, 10, &futures[1]), 0);
    CHECK_INT(loop_sock_sendall(all->loop, all->full[0], "abc", 3, &all->destroyed, count,
                                &futures[2]), 0);
    CHECK_INT(loop_sock_connect(all->loop, all->client, &address, sizeof address, &futures[3]), 0);
    CHECK_INT(loop_sock_sendfile(all->loop, all->files[0], all->file, 0, -1, &futures[4]), 0);
    CHECK_INT(loop_sock_recvfrom(all->loop, all->full[0], 10, &futures[5]), 0);
    for (int i = 0; i < 6; i++)
        CHECK_INT(loop_future_add_done_callback(futures[i], done, &all->called, NULL), 0);
}

static void end_all(struct waiting *all) {
    int fds[] = {all->pair[0], all->pair[1], all->full[0], all->full[1], all->files[0],
                 all->files[1], all->listener, all->client, all->fillers[0], all->fillers[1],
                 all->file};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        close(fds[i]);
    loop_unref(all->loop);
}

TEST(closing_the_loop_leaves_waiting_operations_pending_and_leaks_nothing) {
    for (int way = 0; way < 3; way++) {
        struct waiting all = {0};
        int before = open_fds();
        wait_for_all(&all);
        CHECK_INT(loop_run_once(all.loop, 0), 0);
        /* Closed with the references held, after they went, or by cancelling first. */
        for (int i = 0; i < 6; i++) {
            if (way == 1)
                loop_future_unref(all.futures[i]);
            if (way == 2)
                CHECK_INT(loop_future_cancel(all.futures[i], NULL), 1);
        }
        CHECK_INT(all.destroyed, way == 2);
        CHECK_INT(loop_close(all.loop), 0);
        CHECK_INT(all.destroyed, 1);
        CHECK_INT(all.called, 0);
        for (int i = 0; i < 6 && way != 1; i++) {
            CHECK_INT(loop_future_done(all.futures[i]), way == 2);
            if (way == 0)
                CHECK_INT(loop_future_cancel(all.futures[i], NULL), LOOP_ECLOSED);
            loop_future_unref(all.futures[i]);
        }
        end_all(&all);
        CHECK_INT(open_fds(), before);
    }
}

TEST(operations_go_on_when_nobody_keeps_their_future) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    int pair[2], called = 0, destroyed = 0;
    unix_pair(SOCK_STREAM, pair);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &future), 0);
    CHECK_INT(loop_future_add_done_callback(future, done, &called, NULL), 0);
    loop_future_unref(future);
    fill(pair[0]);
    CHECK_INT(loop_sock_sendall(loop, pair[0], "abc", 3, &destroyed, count, &future), 0);
    loop_future_unref(future);
    empty(pair[1]);
    CHECK_INT(write(pair[1], "x", 1), 1);
    while (called == 0 || destroyed == 0)
        CHECK(loop_run_once(loop, -1) > 0);
    CHECK(called == 1 && destroyed == 1);
    close(pair[0]);
    close(pair[1]);
    loop_unref(loop);
}

static void forked(void *data) {
    struct waiting *all = data;
    loop_future_t *future = NULL;
    struct sockaddr_in address = {.sin_family = AF_INET};
    loop_t *loop = all->loop;
    int fd = all->pair[0], destroyed = 0;
    char byte;
    CHECK_INT(loop_sock_recv(loop, fd, 1, &future), LOOP_EFORKED);
    CHECK_INT(loop_sock_recv_into(loop, fd, &byte, 1, &future), LOOP_EFORKED);
    CHECK_INT(loop_sock_recvfrom(loop, fd, 1, &future), LOOP_EFORKED);
    CHECK_INT(loop_sock_recvfrom_into(loop, fd, &byte, 1, &future), LOOP_EFORKED);
    CHECK_INT(loop_sock_sendall(loop, fd, "x", 1, &destroyed, count, &future), LOOP_EFORKED);
    CHECK_INT(loop_sock_sendto(loop, fd, "x", 1, &destroyed, count, &address, sizeof address,
                               &future), LOOP_EFORKED);
    CHECK_INT(loop_sock_accept(loop, fd, &future), LOOP_EFORKED);
    CHECK_INT(loop_sock_connect(loop, fd, &address, sizeof address, &future), LOOP_EFORKED);
    CHECK_INT(loop_sock_sendfile(loop, fd, all->file, 0, -1, &future), LOOP_EFORKED);
    CHECK(future == NULL && destroyed == 2);
    CHECK_INT(loop_future_cancel(all->futures[0], NULL), LOOP_EFORKED);
    for (int i = 0; i < 6; i++)
        loop_future_unref(all->futures[i]);
    CHECK_INT(all->destroyed, 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(all->destroyed, 1);
    CHECK_INT(all->called, 0);
    end_all(all);
}

static void reinited(void *data) {
    struct waiting *all = data;
    CHECK_INT(loop_reinit_after_fork(all->loop, 0), 0);
    for (int i = 0; i < 6; i++) {
        CHECK_INT(loop_future_result(all->futures[i], NULL), -ECANCELED);
        loop_future_unref(all->futures[i]);
    }
    CHECK_INT(loop_run_once(all->loop, 0), 6);
    CHECK_INT(all->called, 6);
    end_all(all);
}

TEST(a_forked_child_leaves_the_parents_operations_alone) {
    struct waiting all = {0};
    wait_for_all(&all);
    CHECK_INT(loop_run_once(all.loop, 0), 0);
    CHECK_INT(in_child(forked, &all), 0);
    CHECK_INT(in_child(reinited, &all), 0);
    CHECK_INT(write(all.pair[1], "still", 5), 5);
    CHECK_INT(((loop_received_t *)result_of(all.loop, all.futures[0]))->length, 5);
    empty(all.full[1]);
    settle(all.loop, all.futures[2]);
    CHECK_INT(all.destroyed, 1);
    for (int i = 0; i < 6; i++) {
        loop_future_cancel(all.futures[i], NULL);
        loop_future_unref(all.futures[i]);
    }
    end_all(&all);
}

TEST(sock_operations_refuse_bad_arguments_and_wrong_threads) {
    struct loop_thread thread;
    loop_future_t *future = NULL;
    int pair[2], destroyed = 0;
    char byte;
    unix_pair(SOCK_STREAM, pair);
    loop_t *loop = loop_new();
    CHECK_INT(loop_sock_recv(NULL, pair[0], 1, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_recv(loop, -1, 1, &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "Invalid file descriptor: -1");
    CHECK_INT(loop_sock_recv(loop, pair[0], 1, NULL), LOOP_EINVAL);
    if (sizeof(size_t) > 4) { /* otherwise there may be as much */
        CHECK_INT(loop_sock_recv(loop, pair[0], SIZE_MAX / 4, &future), 0);
        CHECK_INT(failure_of(loop, future), -ENOMEM);
        future = NULL;
    }
    CHECK_INT(loop_sock_recv_into(loop, pair[0], NULL, 1, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_recvfrom_into(loop, pair[0], NULL, 1, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_sendall(loop, pair[0], NULL, 1, &destroyed, count, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_sendall(loop, pair[0], "x", 1, &destroyed, count, NULL), LOOP_EINVAL);
    CHECK_INT(loop_sock_sendall(NULL, pair[0], "x", 1, &destroyed, count, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_sendall(loop, -1, "x", 1, &destroyed, count, &future), LOOP_EINVAL);
    CHECK_INT(destroyed, 4);
    CHECK_INT(recv(pair[1], &byte, 1, 0), -1); /* nothing was sent */
    CHECK_INT(loop_sock_recv(loop, 900, 1, &future), 0);
    CHECK_INT(failure_of(loop, future), -EBADF);
    future = NULL;
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_sock_recv(loop, pair[0], 1, &future), LOOP_ECLOSED);
    CHECK_INT(loop_sock_accept(loop, pair[0], &future), LOOP_ECLOSED);
    CHECK_INT(loop_sock_sendfile(loop, pair[0], 0, 0, 0, &future), LOOP_ECLOSED);
    CHECK_INT(loop_sock_sendall(loop, pair[0], "x", 1, &destroyed, count, &future), LOOP_ECLOSED);
    CHECK_INT(destroyed, 5);
    loop_unref(loop);
    loop_thread_start(&thread);
    CHECK_INT(loop_sock_recv(thread.loop, pair[0], 1, &future), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_sock_sendall(thread.loop, pair[0], "x", 1, &destroyed, count, &future),
              LOOP_EWRONG_THREAD);
    CHECK_INT(destroyed, 6);
    CHECK(future == NULL);
    loop_thread_end(&thread);
    close(pair[0]);
    close(pair[1]);
}

TEST(sockets_that_block_never_hold_the_loop_up) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    struct sockaddr_in address;
    int pair[2], listener = listening(&address), client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(fcntl(listener, F_SETFL, 0), 0);
    const char *words = "the socket must be non-blocking";
    CHECK_INT(loop_sock_accept(loop, listener, &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), words);
    CHECK_INT(loop_sock_connect(loop, client, &address, sizeof address, &future), LOOP_EINVAL);
    CHECK_INT(loop_sock_sendfile(loop, pair[0], 0, 0, 1, &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), words);
    CHECK_INT(loop_sock_recv(loop, pair[0], 1, &future), 0);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(write(pair[1], "x", 1), 1);
    CHECK_INT(((loop_received_t *)result_of(loop, future))->length, 1);
    loop_future_unref(future);
    CHECK_INT(loop_set_debug(loop, 1), 0);
    CHECK_INT(loop_sock_recv(loop, pair[0], 1, &future), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), words);
    close(pair[0]);
    close(pair[1]);
    close(listener);
    close(client);
    loop_unref(loop);
}

struct closer {
    loop_t *loop;
    loop_future_t *future;
    int destroyed;
};

static void cancels_its_own(void *data) {
    struct closer *closer = data;
    closer->destroyed++;
    if (closer->future != NULL)
        CHECK(loop_future_cancel(closer->future, NULL) >= 0);
}

static void closes_the_loop(void *data) {
    struct closer *closer = data;
    closer->destroyed++;
    CHECK_INT(loop_close(closer->loop), 0);
}

TEST(data_of_sock_sendall_may_cancel_or_close_when_it_ends) {
    struct closer closer = {loop_new(), NULL, 0};
    loop_future_t *future;
    int pair[2];
    unix_pair(SOCK_STREAM, pair);
    fill(pair[0]);
    CHECK_INT(loop_sock_sendall(closer.loop, pair[0], "abc", 3, &closer, cancels_its_own,
                                &closer.future), 0);
    empty(pair[1]);
    CHECK_INT(number_of(closer.loop, loop_future_ref(closer.future)), 0);
    CHECK_INT(closer.destroyed, 1);
    loop_future_unref(closer.future);
    fill(pair[0]);
    CHECK_INT(loop_sock_sendall(closer.loop, pair[0], "abc", 3, &closer, closes_the_loop,
                                &future), 0);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_INT(closer.destroyed, 2);
    CHECK_INT(loop_is_closed(closer.loop), 1);
    loop_future_unref(future);
    close(pair[0]);
    close(pair[1]);
    loop_unref(closer.loop);
}
