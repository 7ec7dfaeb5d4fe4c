/* What other threads may do to a loop. */
#include "loop_thread.h"
#include <stdatomic.h>

static void set_flag(void *flag) {
    atomic_store((atomic_int *)flag, 1);
}

TEST(E3_P4_call_soon_from_another_thread_waits_for_the_next_wake) {
    struct loop_thread runner;
    atomic_int soon = 0;
    sem_t woken;
    sem_init(&woken, 0, 0);
    loop_thread_start(&runner);
    CHECK_INT(loop_call_soon(runner.loop, set_flag, &soon, NULL, NULL), 0);
    sleep_ns(300 * MS);
    CHECK_INT(atomic_load(&soon), 0);
    CHECK_INT(loop_call_soon_threadsafe(runner.loop, post_semaphore, &woken, NULL, NULL), 0);
    take(&woken);
    CHECK_INT(atomic_load(&soon), 1);
    loop_thread_end(&runner);
}

TEST(E3_P1_debug_mode_refuses_call_soon_from_another_thread) {
    struct loop_thread runner;
    int destroyed = 0, ran = 0;
    loop_handle_t handle = 4;
    loop_thread_start(&runner);
    CHECK_INT(loop_set_debug(runner.loop, 1), 0);
    CHECK_INT(loop_call_soon(runner.loop, count, &destroyed, count, &handle), LOOP_EWRONG_THREAD);
    CHECK_STR(loop_last_error(),
              "Non-thread-safe operation invoked on an event loop other than the current one");
    CHECK_INT(destroyed, 1);
    CHECK_INT(handle, 4);
    CHECK_INT(loop_call_later(runner.loop, 0, count, &ran, NULL, NULL), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_call_at(runner.loop, 0, count, &ran, NULL, NULL), LOOP_EWRONG_THREAD);
    /* What is thread-safe stays so. */
    CHECK_INT(loop_call_soon_threadsafe(runner.loop, count, &ran, NULL, NULL), 0);
    loop_thread_end(&runner);
    CHECK_INT(ran, 1);
}

static void *call_soon_from_a_thread(void *data) {
    void **arguments = data;
    CHECK_INT(loop_call_soon(arguments[0], count, arguments[1], NULL, NULL), 0);
    return NULL;
}

TEST(debug_mode_lets_any_thread_schedule_while_the_loop_does_not_run) {
    loop_t *loop = loop_new();
    int ran = 0;
    void *arguments[] = {loop, &ran};
    pthread_t thread;
    CHECK_INT(loop_set_debug(loop, 1), 0);
    CHECK_INT(pthread_create(&thread, NULL, call_soon_from_a_thread, arguments), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(ran, 1);
    loop_unref(loop);
}

TEST(E4_call_soon_threadsafe_wakes_a_sleeping_loop) {
    struct loop_thread runner;
    sem_t ran;
    sem_init(&ran, 0, 0);
    loop_thread_start(&runner);
    for (int i = 0; i < 200; i++) {
        CHECK_INT(loop_call_soon_threadsafe(runner.loop, post_semaphore, &ran, NULL, NULL), 0);
        take(&ran);
        /* Sometimes asleep again, sometimes on its way there. */
        if (i % 2 == 0)
            take(&runner.asleep);
    }
    loop_thread_end(&runner);
}

struct posted {
    struct arrivals *arrivals;
    int thread, number;
};

struct arrivals {
    loop_t *loop;
    int next[4];
    int total, expected, destroyed;
};

static void arrive(void *data) {
    struct posted *posted = data;
    struct arrivals *arrivals = posted->arrivals;
    CHECK_INT(posted->number, arrivals->next[posted->thread]);
    arrivals->next[posted->thread]++;
    if (++arrivals->total == arrivals->expected)
        CHECK_INT(loop_stop(arrivals->loop), 0);
}

static void forget(void *data) {
    struct posted *posted = data;
    posted->arrivals->destroyed++;
}

struct posting {
    struct arrivals *arrivals;
    struct posted *posts;
    int number;
};

static void *post_all(void *data) {
    struct posting *posting = data;
    for (int i = 0; i < posting->number; i++) {
        loop_handle_t handle;
        CHECK_INT(loop_call_soon_threadsafe(posting->arrivals->loop, arrive, &posting->posts[i],
                                            i % 2 == 0 ? forget : NULL,
                                            i % 3 == 0 ? &handle : NULL), 0);
    }
    return NULL;
}

/* Before the run, while it runs, and (by the second half) after one has ended. */
TEST(E4_P4_no_post_of_any_thread_is_lost_or_merged_or_out_of_its_order) {
    enum { THREADS = 4, POSTS = 50000 };
    static struct posted posts[THREADS][POSTS];
    int number = in_valgrind() ? 2000 : POSTS;
    struct arrivals arrivals = {.loop = loop_new(), .expected = THREADS * number};
    struct posting posting[THREADS];
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < number; i++)
            posts[t][i] = (struct posted){&arrivals, t, i};
        posting[t] = (struct posting){&arrivals, posts[t], number / 2};
        CHECK_INT(pthread_create(&threads[t], NULL, post_all, &posting[t]), 0);
    }
    arrivals.expected /= 2;
    CHECK_INT(loop_run_forever(arrivals.loop), 0);
    CHECK_INT(arrivals.total, arrivals.expected);
    for (int t = 0; t < THREADS; t++)
        CHECK_INT(pthread_join(threads[t], NULL), 0);
    arrivals.expected *= 2;
    for (int t = 0; t < THREADS; t++) {
        posting[t] = (struct posting){&arrivals, posts[t] + number / 2, number / 2};
        CHECK_INT(pthread_create(&threads[t], NULL, post_all, &posting[t]), 0);
    }
    for (int t = 0; t < THREADS - 1; t++)
        CHECK_INT(pthread_join(threads[t], NULL), 0);
    CHECK_INT(loop_run_forever(arrivals.loop), 0);
    CHECK_INT(arrivals.total, arrivals.expected);
    CHECK_INT(pthread_join(threads[THREADS - 1], NULL), 0);
    CHECK_INT(arrivals.destroyed, THREADS * number / 2);
    CHECK_INT(loop_run_once(arrivals.loop, 0), 0);
    loop_unref(arrivals.loop);
}

TEST(posts_between_runs_wait_for_the_next_run) {
    loop_t *loop = loop_new();
    int ran = 0;
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 10; i++)
            CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
        CHECK_INT(loop_run_once(loop, 0), 10);
        CHECK_INT(ran, 10 * round);
    }
    loop_unref(loop);
}

struct closing {
    loop_t *loop;
    atomic_int accepted, refused, destroyed, ran;
};

static void closing_ran(void *data) {
    atomic_fetch_add(&((struct closing *)data)->ran, 1);
}

static void closing_destroyed(void *data) {
    atomic_fetch_add(&((struct closing *)data)->destroyed, 1);
}

static void *post_until_refused(void *data) {
    struct closing *closing = data;
    for (int i = 0;; i++) {
        loop_handle_t handle;
        int result = loop_call_soon_threadsafe(closing->loop, closing_ran, closing,
                                               closing_destroyed, i % 2 == 0 ? &handle : NULL);
        if (result != 0) {
            CHECK_INT(result, LOOP_ECLOSED);
            CHECK_STR(loop_last_error(), "Event loop is closed");
            atomic_fetch_add(&closing->refused, 1);
            return NULL;
        }
        atomic_fetch_add(&closing->accepted, 1);
        if (i >= 500)
            sleep_ns(20000); /* posting on, but not burying the loop */
    }
}

TEST(E10_P19_a_post_to_a_closed_loop_is_refused_and_its_data_destroyed) {
    enum { THREADS = 3 };
    for (int round = 0; round < (in_valgrind() ? 5 : 50); round++) {
        struct closing closing = {.loop = loop_new()};
        pthread_t threads[THREADS];
        for (int t = 0; t < THREADS; t++)
            CHECK_INT(pthread_create(&threads[t], NULL, post_until_refused, &closing), 0);
        for (int i = 0; i < round % 3; i++)
            CHECK(loop_run_once(closing.loop, 100000) >= 0);
        CHECK_INT(loop_close(closing.loop), 0);
        for (int t = 0; t < THREADS; t++)
            CHECK_INT(pthread_join(threads[t], NULL), 0);
        CHECK_INT(closing.refused, THREADS);
        CHECK_INT(closing.destroyed, closing.accepted + closing.refused);
        CHECK(closing.ran <= closing.accepted);
        loop_unref(closing.loop);
    }
}

static void *wake_after_handshake(void *data) {
    struct loop_thread *runner = data;
    sem_t ran;
    sem_init(&ran, 0, 0);
    for (int i = 0; i < (in_valgrind() ? 300 : 20000); i++) {
        CHECK_INT(loop_call_soon_threadsafe(runner->loop, post_semaphore, &ran, NULL, NULL), 0);
        take(&ran);
    }
    return NULL;
}

/* Two threads in lock-step with the loop: it goes to sleep all the time just
 * when somebody posts. A lost wake-up would hang. */
TEST(E4_a_wake_up_is_never_lost) {
    struct loop_thread runner;
    pthread_t threads[2];
    loop_thread_start(&runner);
    for (int t = 0; t < 2; t++)
        CHECK_INT(pthread_create(&threads[t], NULL, wake_after_handshake, &runner), 0);
    for (int t = 0; t < 2; t++)
        CHECK_INT(pthread_join(threads[t], NULL), 0);
    loop_thread_end(&runner);
}

/* A clock that lets another thread act at one chosen reading. */
struct pausing_clock {
    loop_t *loop;
    int readings, chosen;
    sem_t go, done;
    int (*act)(loop_t *);
};

static uint64_t read_pausing_clock(void *data) {
    struct pausing_clock *clock = data;
    if (++clock->readings == clock->chosen) {
        sem_post(&clock->go);
        take(&clock->done);
    }
    return 1000;
}

static void *act_once(void *data) {
    struct pausing_clock *clock = data;
    take(&clock->go);
    CHECK_INT(clock->act(clock->loop), 0);
    sem_post(&clock->done);
    return NULL;
}

static int post_a_stop(loop_t *loop) {
    return loop_call_soon_threadsafe(loop, stop_loop, loop, NULL, NULL);
}

/* The loop reads the clock between its last look at what was posted and its
 * sleep; what is posted just there must keep it from sleeping. */
TEST(E4_a_post_on_the_way_to_sleep_is_seen) {
    static int (*const acts[])(loop_t *) = {post_a_stop, loop_stop_threadsafe};
    for (int round = 0; round < 6; round++) {
        struct pausing_clock clock = {.act = acts[round % 2]};
        loop_options_t options = {.size = sizeof options, .clock = read_pausing_clock,
                                  .clock_data = &clock};
        pthread_t thread;
        int never = 0;
        sem_init(&clock.go, 0, 0);
        sem_init(&clock.done, 0, 0);
        CHECK_INT(loop_create(&options, &clock.loop), 0);
        CHECK_INT(pthread_create(&thread, NULL, act_once, &clock), 0);
        CHECK_INT(loop_call_later(clock.loop, 3600 * 1000 * MS, count, &never, NULL, NULL), 0);
        for (int turn = 0; turn < round; turn++)
            CHECK_INT(loop_run_once(clock.loop, MS), 0);
        clock.chosen = clock.readings + 1;
        CHECK_INT(loop_run_forever(clock.loop), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(never, 0);
        loop_unref(clock.loop);
    }
}

static void post_in_hook(loop_t *loop, void *posted) {
    if (*(int *)posted)
        return;
    *(int *)posted = 1;
    CHECK_INT(loop_call_soon_threadsafe(loop, stop_loop, loop, NULL, NULL), 0);
}

TEST(E4_a_post_between_the_decision_to_sleep_and_the_sleep_wakes) {
    loop_t *loop = loop_new();
    int posted = 0;
    CHECK_INT(loop_set_wait_hooks(loop, post_in_hook, NULL, &posted, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(posted, 1);
    loop_unref(loop);
}

static void *describe_for_a_while(void *data) {
    struct loop_thread *runner = data;
    char text[100];
    uint64_t time = 0;
    for (int i = 0; i < (in_valgrind() ? 200 : 20000); i++) {
        uint64_t next = loop_time(runner->loop);
        CHECK(next >= time);
        time = next;
        CHECK_INT(loop_is_running(runner->loop), 1);
        CHECK_INT(loop_is_closed(runner->loop), 0);
        CHECK_INT(loop_get_debug(runner->loop), 0);
        CHECK(loop_describe(runner->loop, text, sizeof text) > 0);
        CHECK(loop_ref(runner->loop) == runner->loop);
        loop_unref(runner->loop);
    }
    return NULL;
}

TEST(questions_may_be_asked_by_any_thread) {
    struct loop_thread runner;
    pthread_t threads[3];
    int ran = 0;
    loop_thread_start(&runner);
    for (int t = 0; t < 3; t++)
        CHECK_INT(pthread_create(&threads[t], NULL, describe_for_a_while, &runner), 0);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(loop_call_soon_threadsafe(runner.loop, count, &ran, NULL, NULL), 0);
    for (int t = 0; t < 3; t++)
        CHECK_INT(pthread_join(threads[t], NULL), 0);
    loop_thread_end(&runner);
    CHECK_INT(ran, 1000);
}
