/* The default policy: which loop is this thread's. */
#include "loop_thread.h"
#include <sys/prctl.h>

static loop_t *current(void) {
    loop_t *loop = NULL;
    CHECK_INT(policy_get_event_loop(&loop), 0);
    CHECK(loop != NULL);
    return loop;
}

static void check_none(void) {
    loop_t *loop = (loop_t *)&loop;
    CHECK_INT(policy_get_event_loop(&loop), LOOP_ENO_CURRENT);
    CHECK(loop == (loop_t *)&loop);
}

TEST(E1_E25_P2_P12_the_main_thread_gets_one_loop_made_for_it) {
    CHECK_INT(policy_get_mode(), POLICY_LEGACY);
    loop_t *loop = current();
    CHECK(current() == loop);
    CHECK_INT(loop_is_closed(loop), 0);
    int ran = 0;
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(ran, 1);
    /* A closed one stays the thread's, as in asyncio. */
    CHECK_INT(loop_close(loop), 0);
    CHECK(current() == loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
}

TEST(E1_P2_strict_mode_never_makes_a_loop) {
    CHECK_INT(policy_set_mode(POLICY_STRICT), 0);
    CHECK_INT(policy_get_mode(), POLICY_STRICT);
    check_none();
    CHECK_STR(loop_last_error(), "There is no current event loop in thread 'MainThread'.");
    CHECK_INT(policy_set_mode(7), LOOP_EINVAL);
    CHECK_INT(policy_set_mode(-1), LOOP_EINVAL);
    CHECK_INT(policy_get_mode(), POLICY_STRICT);
    /* Nothing was set, so the other mode still may. */
    CHECK_INT(policy_set_mode(POLICY_LEGACY), 0);
    loop_t *loop = current();
    CHECK_INT(policy_set_mode(POLICY_STRICT), 0);
    CHECK(current() == loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
}

TEST(E2_P2_set_with_none_ends_the_making_of_loops) {
    CHECK_INT(policy_set_event_loop(NULL), 0);
    check_none();
    CHECK_STR(loop_last_error(), "There is no current event loop in thread 'MainThread'.");
    loop_t *loop = loop_new();
    CHECK_INT(policy_set_event_loop(loop), 0);
    CHECK(current() == loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    check_none();
    loop_unref(loop);
}

TEST(set_takes_a_reference_and_gives_it_back) {
    loop_t *loop = loop_new(), *next = loop_new();
    int destroyed = 0;
    CHECK_INT(loop_call_later(loop, 1000 * MS, count, &destroyed, count, NULL), 0);
    CHECK_INT(policy_set_event_loop(loop), 0);
    CHECK_INT(policy_set_event_loop(loop), 0);
    loop_unref(loop);
    CHECK_INT(destroyed, 0);
    CHECK(current() == loop);
    CHECK_INT(policy_set_event_loop(next), 0);
    CHECK_INT(destroyed, 1);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    CHECK_INT(loop_is_closed(next), 0);
    loop_unref(next);
}

static void set_another(void *data) {
    (void)data;
    CHECK_INT(policy_set_event_loop(NULL), 0);
    loop_t *loop = loop_new();
    CHECK_INT(policy_set_event_loop(loop), 0);
    loop_unref(loop);
}

TEST(a_destructor_may_set_the_loop_of_the_thread) {
    loop_t *loop = loop_new();
    CHECK_INT(loop_call_later(loop, MS, count, NULL, set_another, NULL), 0);
    CHECK_INT(policy_set_event_loop(loop), 0);
    loop_unref(loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    CHECK(current() != NULL);
    CHECK_INT(policy_set_event_loop(NULL), 0);
}

static void *thread_without_loop(void *name) {
    char expected[100];
    CHECK_INT(prctl(PR_SET_NAME, name), 0);
    check_none();
    snprintf(expected, sizeof expected, "There is no current event loop in thread '%s'.",
             (char *)name);
    CHECK_STR(loop_last_error(), expected);
    check_none();
    return NULL;
}

TEST(E13_P3_other_threads_have_no_loop_until_they_set_one) {
    pthread_t thread;
    CHECK(current() != NULL);
    CHECK_INT(pthread_create(&thread, NULL, thread_without_loop, "Thread-1 (f)"), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(pthread_create(&thread, NULL, thread_without_loop, "worker"), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(policy_set_event_loop(NULL), 0);
}

struct worker {
    pthread_barrier_t *barrier;
    loop_t *loop;
    policy_t *policy;
    int ran;
};

static void *set_a_loop_of_its_own(void *data) {
    struct worker *worker = data;
    worker->policy = policy_get();
    CHECK_INT(policy_new_event_loop(&worker->loop), 0);
    check_none(); /* it is not set by being made */
    CHECK_INT(policy_set_event_loop(worker->loop), 0);
    pthread_barrier_wait(worker->barrier);
    CHECK(current() == worker->loop);
    CHECK(policy_get() == worker->policy);
    CHECK_INT(loop_call_soon(worker->loop, count, &worker->ran, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(worker->loop, stop_loop, worker->loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(worker->loop), 0);
    CHECK_INT(loop_close(worker->loop), 0);
    CHECK(current() == worker->loop);
    return NULL;
}

TEST(E14_P16_P33_one_policy_and_a_loop_for_each_thread) {
    enum { THREADS = 3 };
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.barrier = &barrier};
        CHECK_INT(pthread_create(&threads[i], NULL, set_a_loop_of_its_own, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(workers[i].ran, 1);
        CHECK(workers[i].policy == policy_get());
        CHECK(workers[i].loop != workers[(i + 1) % THREADS].loop);
        /* The thread is gone; what its slot held is still ours. */
        CHECK_INT(loop_is_closed(workers[i].loop), 1);
        loop_unref(workers[i].loop);
    }
}

static void *set_and_forget(void *data) {
    loop_t **loops = data;
    int *destroyed = (int *)loops[1];
    loop_t *own = loop_new();
    CHECK_INT(loop_call_later(own, 1000 * MS, count, destroyed, count, NULL), 0);
    CHECK_INT(policy_set_event_loop(loops[0]), 0);
    CHECK(current() == loops[0]);
    CHECK_INT(policy_set_event_loop(own), 0);
    loop_unref(own);
    CHECK_INT(*destroyed, 0);
    return NULL;
}

static void *set_only(void *loop) {
    CHECK_INT(policy_set_event_loop(loop), 0);
    return NULL;
}

TEST(E14_the_end_of_a_thread_gives_its_loop_back_and_frees_nobody_elses) {
    int destroyed = 0, kept = 0, fds = open_fds();
    loop_t *loop = loop_new();
    void *arguments[] = {loop, &destroyed};
    pthread_t thread;
    CHECK_INT(loop_call_soon(loop, count, &kept, count, NULL), 0);
    CHECK_INT(pthread_create(&thread, NULL, set_and_forget, arguments), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(destroyed, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pthread_create(&thread, NULL, set_only, loop), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
    }
    CHECK_INT(loop_is_closed(loop), 0);
    CHECK_INT(kept, 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(kept, 2);
    loop_unref(loop);
    CHECK_INT(open_fds(), fds);
}

TEST(E2_the_same_loop_may_be_set_in_several_threads) {
    loop_t *loop = loop_new();
    pthread_t thread;
    CHECK_INT(policy_set_event_loop(loop), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pthread_create(&thread, NULL, set_only, loop), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
    }
    CHECK(current() == loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    loop_unref(loop);
}

struct question {
    loop_t *running, *set;
};

static void ask_inside(void *data) {
    struct question *question = data;
    loop_t *loop = NULL;
    /* The running loop wins over the one that was set; the policy itself does not ask. */
    CHECK(current() == question->running);
    CHECK_INT(policy_object_get_event_loop(policy_get(), &loop), 0);
    CHECK(loop == question->set);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    CHECK(current() == question->running);
    CHECK_INT(policy_object_get_event_loop(policy_get(), &loop), LOOP_ENO_CURRENT);
    CHECK(loop == question->set);
    CHECK_INT(loop_stop(question->running), 0);
}

TEST(E11_E27_the_running_loop_comes_before_the_policys) {
    struct question question = {loop_new(), loop_new()};
    CHECK_INT(policy_set_event_loop(question.set), 0);
    CHECK_INT(loop_call_soon(question.running, ask_inside, &question, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(question.running), 0);
    check_none();
    loop_unref(question.running);
    loop_unref(question.set);
}

TEST(E27_P35_without_a_running_loop_both_ways_to_get_and_set_are_one) {
    loop_t *loop = loop_new(), *got = NULL;
    CHECK_INT(policy_object_set_event_loop(policy_get(), loop), 0);
    CHECK(current() == loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    CHECK_INT(policy_object_get_event_loop(policy_get(), &got), LOOP_ENO_CURRENT);
    CHECK_INT(policy_set_event_loop(loop), 0);
    CHECK_INT(policy_object_get_event_loop(policy_get(), &got), 0);
    CHECK(got == loop);
    CHECK_INT(policy_object_new_event_loop(policy_get(), &got), 0);
    CHECK(got != loop && got != NULL);
    CHECK(current() == loop);
    loop_unref(got);
    CHECK_INT(policy_object_set_event_loop(policy_get(), NULL), 0);
    check_none();
    CHECK_INT(policy_object_get_event_loop(NULL, &got), LOOP_EINVAL);
    CHECK_INT(policy_object_new_event_loop(NULL, &got), LOOP_EINVAL);
    CHECK_INT(policy_object_set_event_loop(NULL, loop), LOOP_EINVAL);
    CHECK_INT(policy_object_get_event_loop(policy_get(), NULL), LOOP_EINVAL);
    loop_unref(loop);
}

/* E15 without its child watcher, E20 without its coroutine. */
static void make_set_run_and_close(void) {
    loop_t *loop = NULL;
    int ran = 0;
    CHECK_INT(policy_new_event_loop(&loop), 0);
    CHECK_INT(policy_set_event_loop(loop), 0);
    CHECK(current() == loop);
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, stop_loop, current(), NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(ran, 1);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
}

TEST(E15_E16_E20_new_set_get_run_close_works_in_both_modes) {
    make_set_run_and_close();
    CHECK_INT(policy_set_mode(POLICY_STRICT), 0);
    make_set_run_and_close();
    CHECK_INT(policy_set_mode(POLICY_LEGACY), 0);
    /* What E19 leaves behind: none, and none is made. */
    check_none();
}

static void *get_policy(void *data) {
    struct worker *worker = data;
    pthread_barrier_wait(worker->barrier);
    worker->policy = policy_get();
    return NULL;
}

TEST(P15_the_first_policy_is_made_once_though_many_ask_at_once) {
    enum { THREADS = 8 };
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.barrier = &barrier};
        CHECK_INT(pthread_create(&threads[i], NULL, get_policy, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(workers[i].policy != NULL && workers[i].policy == workers[0].policy);
}
