/* Signals around fork: a signal to one process never gets to the other's loop. */
#include "child.h"
#include "loop_thread.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void add_counting(loop_t *loop, int signum, int *calls) {
    CHECK_INT(loop_add_signal_handler(loop, signum, count, calls, NULL), 0);
}

/* Runs what is there; a signal's callback takes two turns. */
static void look(loop_t *loop) {
    for (int turn = 0; turn < 3; turn++)
        CHECK(loop_run_once(loop, 0) >= 0);
}

TEST(F10_a_signal_to_the_child_does_not_run_the_parents_handler) {
    loop_t *loop = loop_new();
    int calls = 0;
    add_counting(loop, SIGUSR1, &calls);
    pid_t child = start_child();
    if (child == 0) {
        raise(SIGUSR1); /* a no-op here */
        CHECK_INT(loop_add_signal_handler(loop, SIGUSR1, never, NULL, NULL), LOOP_EFORKED);
        CHECK_INT(loop_remove_signal_handler(loop, SIGUSR1), LOOP_EFORKED);
        raise(SIGUSR1);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    look(loop);
    CHECK_INT(calls, 0);
    CHECK_INT(raise(SIGUSR1), 0);
    look(loop);
    CHECK_INT(calls, 1);
    loop_unref(loop);
}

TEST(F10_a_signal_to_the_parent_does_not_reach_the_child) {
    loop_t *loop = loop_new();
    int calls = 0, there[2], back[2];
    make_pipe(there);
    make_pipe(back);
    add_counting(loop, SIGUSR1, &calls);
    pid_t child = start_child();
    if (child == 0) {
        CHECK_INT(loop_reinit_after_fork(loop, LOOP_REINIT_KEEP_IO), 0);
        add_counting(loop, SIGUSR1, &calls);
        tell(there[1]);
        hear(back[0]);
        look(loop);
        CHECK_INT(calls, 0);
        raise(SIGUSR1);
        look(loop);
        CHECK_INT(calls, 1);
        loop_unref(loop);
        leave_child(0);
    }
    hear(there[0]);
    CHECK_INT(raise(SIGUSR1), 0);
    look(loop);
    CHECK_INT(calls, 1);
    tell(back[1]);
    CHECK_INT(end_of(child), 0);
    look(loop);
    CHECK_INT(calls, 1);
    loop_unref(loop);
}

TEST(F10_a_childs_new_loop_has_signals_of_its_own) {
    loop_t *loop = loop_new();
    int calls = 0;
    add_counting(loop, SIGUSR1, &calls);
    pid_t child = start_child();
    if (child == 0) {
        loop_t *own = loop_new();
        int own_calls = 0;
        add_counting(own, SIGUSR1, &own_calls);
        raise(SIGUSR1);
        look(own);
        CHECK_INT(own_calls, 1);
        CHECK_INT(loop_close(loop), 0); /* the inherited one: restores nothing */
        raise(SIGUSR1);
        look(own);
        CHECK_INT(own_calls, 2);
        loop_unref(own);
        struct sigaction now;
        sigaction(SIGUSR1, NULL, &now);
        CHECK(now.sa_handler == SIG_DFL); /* as before the parent's first handler */
        loop_unref(loop);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    look(loop);
    CHECK_INT(calls, 0);
    raise(SIGUSR1);
    look(loop);
    CHECK_INT(calls, 1);
    loop_unref(loop);
}

TEST(F10_closing_in_the_child_leaves_the_parents_signals_alone) {
    loop_t *loop = loop_new();
    int calls = 0, destroyed = 0, fds = open_fds();
    CHECK_INT(loop_add_signal_handler(loop, SIGUSR1, count, &calls, NULL), 0);
    CHECK_INT(loop_add_signal_handler(loop, SIGUSR2, never, &destroyed, count), 0);
    int of_the_loop = open_fds() - fds;
    pid_t child = start_child();
    if (child == 0) {
        fds = open_fds(); /* under valgrind not what the parent has */
        CHECK_INT(loop_close(loop), 0);
        CHECK_INT(destroyed, 1);
        CHECK_INT(open_fds(), fds - of_the_loop);
        raise(SIGUSR1); /* still a no-op */
        loop_unref(loop);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    CHECK_INT(destroyed, 0);
    look(loop);
    CHECK_INT(calls, 0);
    raise(SIGUSR1);
    look(loop);
    CHECK_INT(calls, 1);
    loop_unref(loop);
    CHECK_INT(destroyed, 1);
}

static void spin_adding(void *loop) {
    CHECK_INT(loop_add_signal_handler(loop, SIGUSR2, never, NULL, NULL), 0);
    CHECK_INT(loop_remove_signal_handler(loop, SIGUSR2), 1);
}

static void *add_and_remove(void *stop) {
    loop_t *loop = loop_new();
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED))
        spin_adding(loop);
    loop_unref(loop);
    return NULL;
}

TEST(F22_a_fork_while_threads_change_signal_handlers_never_hangs) {
    int stop = 0;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, add_and_remove, &stop), 0);
    for (int round = 0; round < (in_valgrind() ? 3 : 60); round++) {
        pid_t child = start_child();
        if (child == 0) {
            loop_t *own = loop_new();
            int calls = 0;
            add_counting(own, SIGUSR2, &calls);
            raise(SIGUSR2);
            look(own);
            CHECK_INT(calls, 1);
            loop_unref(own);
            leave_child(0);
        }
        CHECK_INT(end_of(child), 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
}
