/* What the system refuses: descriptors, memory, its own objects. The loop
 * answers with an error code and loses nothing. */
#include "child.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Lets this process open `more` descriptors and no more. */
static struct rlimit allow_descriptors(int more) {
    struct rlimit old, limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    int next = dup(0);
    close(next);
    limit = old;
    limit.rlim_cur = (rlim_t)(next + more);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return old;
}

static void allow_again(struct rlimit old) {
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
}

TEST(without_descriptors_the_loop_fails_cleanly_and_works_later) {
    int ends[2], before;
    make_pipe(ends);
    tell(ends[1]);
    before = open_fds();
    /* However many it gets before the limit: the next one fails. */
    for (int more = 0, enough = 0; !enough; more++) {
        loop_t *loop = loop_new();
        int ran = 0, destroyed = 0;
        int64_t timeout = 77;
        CHECK_INT(loop_call_later(loop, 1, count, &ran, NULL, NULL), 0);
        struct rlimit old = allow_descriptors(more);
        int result = open_backend(loop);
        if (result == 0) {
            CHECK(more >= 2);
            enough = 1;
            allow_again(old);
            loop_unref(loop);
            continue;
        }
        CHECK_INT(result, -EMFILE);
        CHECK_INT(loop_add_reader(loop, ends[0], count, &destroyed, count), -EMFILE);
        CHECK_INT(destroyed, 1);
        CHECK_INT(loop_remove_reader(loop, ends[0]), 0);
        CHECK_INT(loop_prepare(loop, &timeout), -EMFILE);
        CHECK_INT(timeout, 77);
        /* What needs no descriptor goes on. */
        while (ran == 0)
            CHECK(loop_run_once(loop, 0) >= 0);
        CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
        CHECK_INT(loop_run_once(loop, -1), 1);
        CHECK_INT(loop_call_later(loop, 3600000 * MS, count, &ran, count, NULL), 0);
        CHECK_INT(loop_run_forever(loop), -EMFILE);
        CHECK_INT(loop_is_running(loop), 0);
        CHECK_INT(loop_run_once(loop, -1), -EMFILE);
        allow_again(old);
        CHECK_INT(loop_add_reader(loop, ends[0], stop_loop, loop, NULL), 0);
        CHECK_INT(loop_run_forever(loop), 0);
        CHECK_INT(ran, 2);
        CHECK_INT(loop_close(loop), 0);
        CHECK_INT(ran, 3);
        CHECK_INT(open_fds(), before);
        loop_unref(loop);
    }
}

static void reinit_without_descriptors(void *user_data) {
    struct witness *witness = user_data;
    struct rlimit old = {0}, none;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    int result = loop_reinit_after_fork(witness->loop, LOOP_REINIT_KEEP_IO);
    allow_again(old);
    CHECK_INT(result, -EMFILE);
    /* "A failed call changes nothing": the loop is inherited as before. */
    CHECK_INT(loop_run_once(witness->loop, 0), LOOP_EFORKED);
    CHECK_INT(loop_reinit_after_fork(witness->loop, LOOP_REINIT_KEEP_IO), 0);
    witness->registered = epoll_text(getpid(), loop_backend_fd(witness->loop));
    witness_check(witness);
    witness_close(witness);
}

TEST(F9_reinit_without_descriptors_can_be_tried_again) {
    struct witness witness;
    witness_open(&witness);
    CHECK_INT(in_child(reinit_without_descriptors, &witness), 0);
    witness_check(&witness);
    witness_close(&witness);
}

/* Which of the open descriptors did the loop open? */
static int descriptors_of(loop_t *loop, int fds[16]) {
    char before[64];
    int found = 0;
    for (int fd = 0; fd < 64; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    int ran = 0;
    CHECK_INT(loop_call_later(loop, 100 * MS, count, &ran, NULL, NULL), 0);
    while (ran == 0) /* a wait for a timer that is not due before it, so that everything is open */
        CHECK(loop_run_once(loop, -1) >= 0);
    for (int fd = 0; fd < 64; fd++) {
        if (!before[fd] && fcntl(fd, F_GETFD) >= 0)
            fds[found++] = fd;
    }
    return found;
}

TEST(a_backend_descriptor_closed_behind_the_loops_back_is_an_error_never_a_crash) {
    int ends[2], ran = 0, destroyed = 0;
    int64_t timeout;
    make_pipe(ends);
    loop_t *loop = loop_new();
    CHECK_INT(loop_add_reader(loop, ends[0], never, &destroyed, count), 0);
    CHECK_INT(close(loop_backend_fd(loop)), 0);
    CHECK_INT(loop_run_once(loop, 1 * MS), -EBADF);
    CHECK_INT(loop_run_forever(loop), -EBADF);
    CHECK_INT(loop_is_running(loop), 0);
    CHECK_INT(loop_add_reader(loop, ends[1], never, &destroyed, count), -EBADF);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_add_writer(loop, ends[0], never, &destroyed, count), -EBADF);
    CHECK_INT(destroyed, 2);
    CHECK_INT(loop_prepare(loop, &timeout), 0);
    CHECK_INT(loop_poll(loop, 0), -EBADF);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_dispatch(loop), 1);
    CHECK_INT(loop_remove_reader(loop, ends[0]), 1);
    CHECK_INT(destroyed, 3);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(any_descriptor_of_the_loop_may_vanish_without_a_crash) {
    int fds[16];
    loop_t *probe = loop_new();
    int many = descriptors_of(probe, fds);
    loop_unref(probe);
    for (int lost = 0; lost < many; lost++) {
        loop_t *loop = loop_new();
        int ran = 0;
        CHECK_INT(descriptors_of(loop, fds), many);
        CHECK_INT(close(fds[lost]), 0);
        CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
        int result = loop_run_once(loop, 1 * MS);
        CHECK(result == 1 || result == -EBADF);
        CHECK_INT(loop_wakeup(loop), 0);
        result = loop_run_once(loop, 1 * MS);
        CHECK(result >= 0 || result == -EBADF);
        CHECK_INT(loop_close(loop), 0);
        loop_unref(loop);
    }
}

TEST(descriptors_that_cannot_be_watched_are_refused_with_errno) {
    loop_t *loop = loop_new();
    int destroyed = 0;
    FILE *plain = tmpfile();
    CHECK(plain != NULL);
    CHECK_INT(loop_add_reader(loop, fileno(plain), never, &destroyed, count), -EPERM);
    CHECK_INT(loop_add_writer(loop, fileno(plain), never, &destroyed, count), -EPERM);
    CHECK_INT(loop_add_reader(loop, 1000000, never, &destroyed, count), -EBADF);
    CHECK_INT(loop_add_writer(loop, 1000000, never, &destroyed, count), -EBADF);
    CHECK_INT(loop_add_reader(loop, INT32_MAX, never, &destroyed, count), -EBADF);
    CHECK_INT(loop_add_reader(loop, -1, never, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_add_writer(loop, INT32_MIN, never, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(destroyed, 7);
    CHECK_INT(loop_remove_reader(loop, INT32_MAX), 0);
    CHECK_INT(loop_remove_writer(loop, -1), 0);
    fclose(plain);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_unref(loop);
}
