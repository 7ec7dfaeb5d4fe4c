/* loop_wakeup, from threads and from real signal handlers. */
#include "loop_thread.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static loop_t *signalled_loop;
static atomic_int signals;

static void wake_from_handler(int number) {
    (void)number;
    errno = 4711;
    atomic_fetch_add(&signals, 1);
    int result = loop_wakeup(signalled_loop);
    if (result != 0 || errno != 4711)
        abort();
}

static void catch_signal(int number) {
    struct sigaction action = {.sa_handler = wake_from_handler, .sa_flags = SA_RESTART};
    CHECK_INT(sigaction(number, &action, NULL), 0);
}

static sem_t asleep;

static void post_asleep(loop_t *loop, void *data) {
    (void)loop;
    (void)data;
    sem_post(&asleep);
}

static void *signal_itself(void *data) {
    int rounds = *(int *)data;
    for (int i = 0; i < rounds; i++) {
        take(&asleep);
        /* To this thread, so that the wait does not end by EINTR anyway. */
        CHECK_INT(raise(SIGUSR1), 0);
    }
    return NULL;
}

TEST(a_signal_handler_in_another_thread_wakes_the_loop) {
    int rounds = in_valgrind() ? 50 : 2000;
    pthread_t thread;
    sem_init(&asleep, 0, 0);
    signalled_loop = loop_new();
    catch_signal(SIGUSR1);
    CHECK_INT(loop_set_wait_hooks(signalled_loop, post_asleep, NULL, NULL, NULL), 0);
    CHECK_INT(pthread_create(&thread, NULL, signal_itself, &rounds), 0);
    /* Each wait ends only by the handler's call, wherever the signal falls. */
    while (atomic_load(&signals) < rounds)
        CHECK_INT(loop_run_once(signalled_loop, -1), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    loop_unref(signalled_loop);
}

static void *wait_and_signal_main(void *data) {
    take(&asleep);
    CHECK_INT(pthread_kill(*(pthread_t *)data, SIGUSR1), 0);
    return NULL;
}

TEST(a_signal_handler_of_the_loops_own_thread_ends_the_wait) {
    pthread_t thread, self = pthread_self();
    sem_init(&asleep, 0, 0);
    signalled_loop = loop_new();
    catch_signal(SIGUSR1);
    CHECK_INT(loop_set_wait_hooks(signalled_loop, post_asleep, NULL, NULL, NULL), 0);
    CHECK_INT(pthread_create(&thread, NULL, wait_and_signal_main, &self), 0);
    while (atomic_load(&signals) == 0)
        CHECK_INT(loop_run_once(signalled_loop, -1), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    loop_unref(signalled_loop);
}

static void signal_now(void *data) {
    (void)data;
    CHECK_INT(raise(SIGUSR1), 0);
}

TEST(a_signal_inside_a_callback_or_before_a_run_is_not_lost) {
    int ran = 0;
    signalled_loop = loop_new();
    catch_signal(SIGUSR1);
    signal_now(NULL);
    CHECK_INT(loop_run_once(signalled_loop, -1), 0);
    CHECK_INT(loop_call_soon(signalled_loop, signal_now, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_once(signalled_loop, -1), 1);
    CHECK_INT(loop_run_once(signalled_loop, -1), 0); /* would sleep for ever */
    CHECK_INT(atomic_load(&signals), 2);
    CHECK_INT(loop_call_soon(signalled_loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(signalled_loop, -1), 1);
    loop_unref(signalled_loop);
}

TEST(an_interrupted_wait_goes_on_and_its_timer_is_not_early) {
    loop_t *loop = loop_new();
    struct sigaction action = {.sa_handler = wake_from_handler};
    int ran = 0;
    signalled_loop = loop;
    CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec often = {{0, 3 * MS}, {0, 3 * MS}};
    CHECK_INT(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_INT(timer_settime(timer, 0, &often, NULL), 0);
    long long before = now_ns();
    CHECK_INT(loop_call_later(loop, 100 * MS, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 100 * MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK(now_ns() - before >= 100 * MS);
    CHECK_INT(timer_delete(timer), 0);
    CHECK_INT(ran, 1);
    CHECK(atomic_load(&signals) > 0);
    loop_unref(loop);
}

static int turns;

static void count_turn(loop_t *loop, void *data) {
    (void)loop;
    (void)data;
    turns++;
}

TEST(a_wake_up_runs_nothing_and_wakes_once) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK_INT(loop_set_wait_hooks(loop, count_turn, NULL, NULL, NULL), 0);
    for (int i = 0; i < 100; i++)
        CHECK_INT(loop_wakeup(loop), 0);
    CHECK_INT(loop_call_later(loop, 20 * MS, count, &ran, NULL, NULL), 0);
    while (!ran)
        CHECK(loop_run_once(loop, -1) >= 0);
    CHECK(turns <= 5);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_wakeup(loop), LOOP_ECLOSED);
    loop_unref(loop);
}

struct hammer {
    loop_t *loop;
};

static void *wake_until_closed(void *data) {
    struct hammer *hammer = data;
    int result;
    while ((result = loop_wakeup(hammer->loop)) == 0) {
    }
    CHECK_INT(result, LOOP_ECLOSED);
    return NULL;
}

/* A wake-up that meets a close must not write to a descriptor that has been
 * given to somebody else: here, to the pipes opened all the time. */
TEST(a_wake_up_during_close_touches_no_foreign_descriptor) {
    for (int round = 0; round < (in_valgrind() ? 5 : 100); round++) {
        struct hammer hammer = {.loop = loop_new()};
        pthread_t threads[2];
        int ends[10][2];
        char byte;
        CHECK_INT(loop_run_once(hammer.loop, 1), 0);
        for (int t = 0; t < 2; t++)
            CHECK_INT(pthread_create(&threads[t], NULL, wake_until_closed, &hammer), 0);
        CHECK(loop_run_once(hammer.loop, 0) >= 0);
        CHECK_INT(loop_close(hammer.loop), 0);
        for (int i = 0; i < 10; i++)
            open_pipe(ends[i]);
        for (int t = 0; t < 2; t++)
            CHECK_INT(pthread_join(threads[t], NULL), 0);
        for (int i = 0; i < 10; i++) {
            CHECK_INT(read(ends[i][0], &byte, 1), -1);
            close(ends[i][0]);
            close(ends[i][1]);
        }
        loop_unref(hammer.loop);
    }
}
