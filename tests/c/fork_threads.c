/* Forks while other threads run the loop or post to it. Those threads do not
 * exist in the child, whatever they held at that moment. */
#include "child.h"
#include <stdatomic.h>
#include <unistd.h>

struct runner {
    loop_t *loop;
    pthread_t thread;
    int ran, destroyed;
};

static void runner_start(struct runner *runner) {
    runner->loop = loop_new();
    /* A timer keeps the loop turning, so that a fork meets it anywhere. */
    CHECK_INT(loop_call_later(runner->loop, 3600000 * MS, never, &runner->destroyed, count,
                              NULL), 0);
    CHECK_INT(pthread_create(&runner->thread, NULL, run_loop, runner->loop), 0);
    while (!loop_is_running(runner->loop))
        sched_yield();
}

static void runner_stop(struct runner *runner) {
    CHECK_INT(loop_call_soon_threadsafe(runner->loop, count, &runner->ran, NULL, NULL), 0);
    CHECK_INT(loop_stop_threadsafe(runner->loop), 0);
    CHECK_INT(pthread_join(runner->thread, NULL), 0);
    CHECK_INT(runner->ran, 1);
    CHECK_INT(loop_close(runner->loop), 0);
    CHECK_INT(runner->destroyed, 1);
    loop_unref(runner->loop);
}

static void own_loop_works(void) {
    struct witness own;
    witness_open(&own);
    witness_check(&own);
    witness_close(&own);
}

static void live_in_child(loop_t *inherited) {
    loop_t *found = NULL;
    CHECK_INT(loop_get_running(&found), LOOP_ENO_RUNNING);
    CHECK_INT(loop_is_running(inherited), 0);
    CHECK_INT(loop_call_soon(inherited, never, NULL, NULL, NULL), LOOP_EFORKED);
    CHECK_INT(loop_call_soon_threadsafe(inherited, never, NULL, NULL, NULL), LOOP_EFORKED);
    CHECK_INT(loop_stop_threadsafe(inherited), LOOP_EFORKED);
    CHECK_INT(loop_run_forever(inherited), LOOP_EFORKED);
    /* The thread that forked is the child's main thread. */
    CHECK_INT(policy_get_event_loop(&found), 0);
    CHECK(found != inherited);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    own_loop_works();
    CHECK_INT(loop_close(inherited), 0);
    CHECK_INT(loop_is_closed(inherited), 1);
    CHECK_INT(loop_call_soon(inherited, never, NULL, NULL, NULL), LOOP_ECLOSED);
    loop_unref(inherited);
    own_loop_works();
    leave_child(0);
}

static void *fork_here(void *user_data) {
    pid_t child = start_child();
    if (child == 0)
        live_in_child(user_data);
    CHECK_INT(end_of(child), 0);
    return NULL;
}

TEST(F13_a_fork_by_another_thread_leaves_the_running_loop_alone) {
    struct runner runner = {0};
    runner_start(&runner);
    for (int round = 0; round < 3; round++)
        fork_here(runner.loop);
    runner_stop(&runner);
}

TEST(F13_a_fork_by_a_thread_that_is_not_the_main_one) {
    struct runner runner = {0};
    pthread_t forker;
    runner_start(&runner);
    CHECK_INT(pthread_create(&forker, NULL, fork_here, runner.loop), 0);
    CHECK_INT(pthread_join(forker, NULL), 0);
    runner_stop(&runner);
}

TEST(F9_F13_reinit_refuses_a_loop_that_another_thread_ran) {
    struct runner runner = {0};
    runner_start(&runner);
    pid_t child = start_child();
    if (child == 0) {
        CHECK_INT(loop_reinit_after_fork(runner.loop, 0), LOOP_EINVAL);
        CHECK_INT(loop_call_soon(runner.loop, never, NULL, NULL, NULL), LOOP_EFORKED);
        CHECK_INT(loop_close(runner.loop), 0);
        loop_unref(runner.loop);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    runner_stop(&runner);
}

/* Threads that post without pause. */
enum { POSTERS = 2 };

struct posters {
    loop_t *loop;
    pthread_t threads[POSTERS];
    atomic_int stopping, posted, ran;
    atomic_int references;
};

static void count_run(void *user_data) {
    ((struct posters *)user_data)->ran++;
}

static void *post_without_pause(void *user_data) {
    struct posters *posters = user_data;
    loop_handle_t handle;
    for (int i = 0; !posters->stopping; i++) {
        int plain = i % 2 == 0;
        CHECK_INT(loop_call_soon_threadsafe(posters->loop, count_run, posters, NULL,
                                            plain ? NULL : &handle), 0);
        posters->posted++;
        /* The queue stays short: the forks are to meet the locks, not the memory. */
        while (posters->posted - posters->ran > 1000 && !posters->stopping)
            sched_yield();
    }
    return NULL;
}

static void posters_start(struct posters *posters) {
    for (int i = 0; i < POSTERS; i++)
        CHECK_INT(pthread_create(&posters->threads[i], NULL, post_without_pause, posters), 0);
    while (posters->posted == 0)
        sched_yield();
}

static void posters_stop(struct posters *posters) {
    posters->stopping = 1;
    for (int i = 0; i < POSTERS; i++)
        CHECK_INT(pthread_join(posters->threads[i], NULL), 0);
}

static int rounds(void) {
    return in_valgrind() ? 4 : 150;
}

static void refuse_and_close(loop_t *inherited) {
    CHECK_INT(loop_call_soon_threadsafe(inherited, never, NULL, NULL, NULL), LOOP_EFORKED);
    CHECK_INT(loop_close(inherited), 0);
    loop_unref(inherited);
    loop_t *own = loop_new();
    int ran = 0;
    CHECK_INT(loop_call_soon_threadsafe(own, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_stop_threadsafe(own), 0);
    CHECK_INT(loop_run_forever(own), 0);
    CHECK_INT(ran, 1);
    loop_unref(own);
    leave_child(0);
}

TEST(F22_a_child_forked_in_the_middle_of_posts_never_hangs) {
    struct runner runner = {0};
    runner_start(&runner);
    struct posters posters = {.loop = runner.loop};
    posters_start(&posters);
    for (int round = 0; round < rounds(); round++) {
        pid_t child = start_child();
        if (child == 0)
            refuse_and_close(runner.loop);
        CHECK_INT(end_of(child), 0);
    }
    posters_stop(&posters);
    runner_stop(&runner);
    CHECK_INT(posters.ran, posters.posted);
}

static void run_reinited(loop_t *loop, struct posters *posters) {
    int ran = 0;
    posters->stopping = 1;
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_stop_threadsafe(loop), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(ran, 2);
}

/* The loop does not run, so only the locks can be held at the fork. */
static void reinit_in_the_middle_of_posts(struct posters *posters) {
    loop_t *loop = posters->loop;
    int torn = 0;
    CHECK_INT(open_backend(loop), 0);
    posters_start(posters);
    for (int round = 0; round < 2 * rounds(); round++) {
        uint32_t flags = round % 4;
        pid_t child = start_child();
        if (child == 0) {
            int result = loop_reinit_after_fork(loop, flags);
            CHECK(result == 0 || result == LOOP_EINVAL);
            if (result == 0)
                run_reinited(loop, posters);
            CHECK_INT(loop_close(loop), 0);
            loop_unref(loop);
            leave_child(result == 0 ? 0 : 2);
        }
        int end = end_of(child);
        CHECK(end == 0 || end == 2);
        torn += end == 2;
        while (loop_run_once(loop, 0) > 0 && posters->posted - posters->ran > 100) {
        }
    }
    CHECK(torn < 2 * rounds());
    posters_stop(posters);
    while (loop_run_once(loop, 0) > 0) {
    }
    CHECK_INT(posters->ran, posters->posted);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(posters->references, 0);
    loop_unref(loop);
}

TEST(F9_F22_reinit_in_the_middle_of_posts_works_or_refuses_and_never_hangs) {
    struct posters posters = {.loop = loop_new()};
    reinit_in_the_middle_of_posts(&posters);
}

static void *capture(void *user_data) {
    struct posters *posters = user_data;
    posters->references++;
    return posters;
}

static void release(void *context, void *user_data) {
    (void)user_data;
    ((struct posters *)context)->references--;
}

TEST(F9_F22_reinit_in_the_middle_of_posts_in_a_context) {
    struct posters posters = {.loop = loop_new()};
    loop_context_hooks_t hooks = {.size = sizeof hooks, .capture = capture, .release = release};
    CHECK_INT(loop_set_context_hooks(posters.loop, &hooks, &posters, NULL), 0);
    reinit_in_the_middle_of_posts(&posters);
}

static void ignore_wake(loop_t *loop, void *user_data) {
    (void)loop, (void)user_data;
}

TEST(F9_F22_reinit_in_the_middle_of_posts_with_a_wake_hook) {
    struct posters posters = {.loop = loop_new()};
    CHECK_INT(loop_set_wake_hook(posters.loop, ignore_wake, NULL, NULL), 0);
    reinit_in_the_middle_of_posts(&posters);
}

/* Threads that use the policy without pause. */
static atomic_int policy_done;

static void *use_policy(void *user_data) {
    loop_t *found = NULL, *own = loop_new();
    (void)user_data;
    while (!policy_done) {
        CHECK_INT(policy_set_event_loop(own), 0);
        CHECK_INT(policy_get_event_loop(&found), 0);
        CHECK(found == own);
        CHECK_INT(policy_set(NULL), 0);
    }
    CHECK_INT(policy_set_event_loop(NULL), 0);
    loop_unref(own);
    return NULL;
}

TEST(F21_F22_a_fork_while_threads_use_the_policy_never_hangs) {
    pthread_t threads[2];
    CHECK(policy_get() != NULL);
    loop_unref(loop_new()); /* not the library's first use: that is the next test */
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, use_policy, NULL), 0);
    for (int round = 0; round < rounds(); round++) {
        pid_t child = start_child();
        if (child == 0) {
            loop_t *found = NULL;
            CHECK(policy_get() != NULL);
            CHECK_INT(policy_get_event_loop(&found), 0);
            CHECK_INT(policy_set_event_loop(NULL), 0);
            CHECK_INT(policy_set(NULL), 0);
            CHECK_INT(policy_get_event_loop(&found), LOOP_ENO_CURRENT);
            leave_child(0);
        }
        CHECK_INT(end_of(child), 0);
    }
    policy_done = 1;
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
}

static atomic_int at_start;

static void *use_first(void *user_data) {
    (void)user_data;
    at_start = 1;
    loop_unref(loop_new());
    CHECK(policy_get() != NULL);
    return NULL;
}

static void fork_at_first_use(void *user_data) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, use_first, NULL), 0);
    while (!at_start) {
    }
    for (volatile int spin = *(int *)user_data; spin > 0; spin--) {
    }
    pid_t child = start_child();
    if (child == 0) {
        loop_unref(loop_new());
        CHECK(policy_get() != NULL);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

TEST(F21_F22_a_fork_during_the_librarys_first_use_never_hangs) {
    /* Each round in a process that has not used the library yet. */
    for (int round = 0; round < rounds(); round++) {
        int spin = round * 50;
        CHECK_INT(in_child(fork_at_first_use, &spin), 0);
    }
}

/* A hundred children alive at the same time, all forked by callbacks. */
enum { MANY = 100 };

struct storm {
    loop_t *loop;
    int children, wanted, release[2];
    pid_t pids[MANY];
};

static void fork_one_more(void *user_data) {
    struct storm *storm = user_data;
    if (storm->children == storm->wanted) {
        CHECK_INT(loop_stop(storm->loop), 0);
        return;
    }
    pid_t child = start_child();
    if (child == 0) {
        storm->pids[0] = 0;
        return;
    }
    storm->pids[storm->children++] = child;
    CHECK_INT(loop_call_soon(storm->loop, fork_one_more, storm, NULL, NULL), 0);
}

TEST(F13_F20_a_storm_of_a_hundred_children_is_harmless) {
    struct witness witness;
    int before = open_fds();
    witness_open(&witness);
    int with_loop = open_fds();
    struct storm storm = {.loop = witness.loop, .wanted = in_valgrind() ? 8 : MANY};
    make_pipe(storm.release);
    storm.pids[0] = -1;
    CHECK_INT(loop_call_soon(witness.loop, fork_one_more, &storm, NULL, NULL), 0);
    int result = loop_run_forever(witness.loop);
    if (storm.pids[0] == 0) {
        CHECK_INT(result, LOOP_EFORKED);
        close(storm.release[1]);
        char byte;
        CHECK_INT(read(storm.release[0], &byte, 1), 0); /* until the parent lets go */
        CHECK_INT(loop_close(witness.loop), 0);
        loop_unref(witness.loop);
        own_loop_works();
        exit(0);
    }
    CHECK_INT(result, 0);
    CHECK_INT(storm.children, storm.wanted);
    CHECK_INT(open_fds(), with_loop + 2);
    witness_check(&witness);
    close(storm.release[1]);
    for (int i = 0; i < storm.children; i++)
        CHECK_INT(end_of(storm.pids[i]), 0);
    witness_check(&witness);
    witness_close(&witness);
    close(storm.release[0]);
    CHECK_INT(open_fds(), before);
}
