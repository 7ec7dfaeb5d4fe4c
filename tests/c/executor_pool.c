/* The life of a pool: its threads, its end, and loops' default ones. */
#include "loop_thread.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>

struct held {
    sem_t reached, open;
    atomic_int ran, destroyed;
};

static void held_init(struct held *held) {
    memset(held, 0, sizeof *held);
    sem_init(&held->reached, 0, 0);
    sem_init(&held->open, 0, 0);
}

static void wait_at_gate(void *data) {
    struct held *held = data;
    sem_post(&held->reached);
    take(&held->open);
    atomic_fetch_add(&held->ran, 1);
}

static void held_destroyed(void *data) {
    atomic_fetch_add(&((struct held *)data)->destroyed, 1);
}

static void add_one(void *number) {
    atomic_fetch_add((atomic_int *)number, 1);
}

static int give_data(void *data, void **ret_result) {
    *ret_result = data;
    return 0;
}

static void stop_its_loop(loop_future_t *future, void *unused) {
    (void)unused;
    CHECK_INT(loop_stop(loop_future_get_loop(future)), 0);
}

static int wait_for(loop_t *loop, loop_future_t *future) {
    if (!loop_future_done(future)) {
        CHECK_INT(loop_future_add_done_callback(future, stop_its_loop, NULL, NULL), 0);
        CHECK_INT(loop_run_forever(loop), 0);
    }
    return loop_future_result(future, NULL);
}

static loop_executor_t *new_pool(uint32_t workers) {
    loop_executor_t *executor = NULL;
    CHECK_INT(loop_executor_new(workers, &executor), 0);
    return executor;
}

static void end_pool(loop_executor_t *executor) {
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, -1), 0);
    CHECK_INT(loop_executor_threads(executor), 0);
    loop_executor_unref(executor);
}

/* A thread counts as idle once its loop asks for the next job. */
static void until_idle(loop_executor_t *executor, struct held *held, int jobs) {
    (void)executor;
    while (atomic_load(&held->destroyed) < jobs)
        sleep_ns(MS);
}

TEST(threads_start_when_jobs_come_and_no_more_than_allowed) {
    loop_executor_t *executor = new_pool(3);
    struct held held;
    held_init(&held);
    CHECK_INT(loop_executor_threads(executor), 0);
    for (int i = 1; i <= 5; i++) {
        CHECK_INT(loop_executor_submit(executor, wait_at_gate, &held, held_destroyed), 0);
        CHECK_INT(loop_executor_threads(executor), i < 3 ? i : 3);
    }
    for (int i = 0; i < 3; i++)
        take(&held.reached);
    CHECK_INT(loop_executor_queued(executor), 2);
    for (int i = 0; i < 5; i++)
        sem_post(&held.open);
    until_idle(executor, &held, 5);
    end_pool(executor);
    CHECK_INT(held.ran, 5);
    CHECK_INT(held.destroyed, 5);
}

TEST(an_idle_thread_takes_the_next_job) {
    loop_executor_t *executor = new_pool(8);
    for (int i = 0; i < 20; i++) {
        struct held held;
        held_init(&held);
        sem_post(&held.open);
        CHECK_INT(loop_executor_submit(executor, wait_at_gate, &held, held_destroyed), 0);
        until_idle(executor, &held, 1);
        sleep_ns(MS);
    }
    CHECK(loop_executor_threads(executor) < 8);
    end_pool(executor);
}

TEST(the_number_of_threads_is_set_at_run_time) {
    loop_executor_t *executor = new_pool(1);
    struct held held;
    held_init(&held);
    for (int i = 0; i < 6; i++)
        CHECK_INT(loop_executor_submit(executor, wait_at_gate, &held, held_destroyed), 0);
    CHECK_INT(loop_executor_threads(executor), 1);
    CHECK_INT(loop_executor_set_workers(executor, 4), 0);
    for (int i = 0; i < 4; i++)
        take(&held.reached);
    CHECK_INT(loop_executor_threads(executor), 4);
    CHECK_INT(loop_executor_queued(executor), 2);
    CHECK_INT(loop_executor_set_workers(executor, 2), 0);
    for (int i = 0; i < 6; i++)
        sem_post(&held.open);
    until_idle(executor, &held, 6);
    while (loop_executor_threads(executor) != 2)
        sleep_ns(MS);
    CHECK_INT(loop_executor_set_workers(executor, 1), 0);
    while (loop_executor_threads(executor) != 1)
        sleep_ns(MS);
    sem_post(&held.open);
    CHECK_INT(loop_executor_submit(executor, wait_at_gate, &held, held_destroyed), 0);
    until_idle(executor, &held, 7);
    end_pool(executor);
}

struct seen {
    char name[16];
    sigset_t mask;
};

static void look_around(void *data) {
    struct seen *seen = data;
    prctl(PR_GET_NAME, seen->name);
    pthread_sigmask(SIG_SETMASK, NULL, &seen->mask);
}

TEST(threads_have_names_and_take_no_signals) {
    loop_executor_t *executor = new_pool(1);
    struct seen seen;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    CHECK_INT(loop_executor_submit(executor, look_around, &seen, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    end_pool(executor);
    CHECK_STR(seen.name, "coloop-0");
    CHECK_INT(sigismember(&seen.mask, SIGINT), 1);
    CHECK_INT(sigismember(&seen.mask, SIGTERM), 1);
    CHECK_INT(sigismember(&seen.mask, SIGCHLD), 1);
    CHECK_INT(sigismember(&seen.mask, SIGUSR1), 1);
    CHECK_INT(sigismember(&seen.mask, SIGSEGV), 0);
    CHECK_INT(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
    CHECK_INT(sigismember(&after, SIGUSR1), sigismember(&before, SIGUSR1));
}

TEST(shutdown_does_what_is_queued_and_takes_no_more) {
    loop_executor_t *executor = new_pool(1);
    struct held held;
    int destroyed = 0;
    held_init(&held);
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_executor_submit(executor, wait_at_gate, &held, held_destroyed), 0);
    take(&held.reached);
    CHECK_INT(loop_executor_shutdown(executor, 0, 0), 0);
    CHECK_INT(loop_executor_submit(executor, count, &destroyed, count), LOOP_ESHUTDOWN);
    CHECK_STR(loop_last_error(), "Executor shutdown has been called");
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, 10 * MS), -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        sem_post(&held.open);
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, -1), 0);
    CHECK_INT(held.ran, 3);
    CHECK_INT(held.destroyed, 3);
    end_pool(executor);
}

TEST(shutdown_may_cancel_what_is_queued) {
    loop_t *loop = loop_new();
    loop_executor_t *executor = new_pool(1);
    struct held held, other;
    loop_future_t *future = NULL;
    int destroyed = 0;
    held_init(&held);
    held_init(&other);
    CHECK_INT(loop_executor_submit(executor, wait_at_gate, &held, held_destroyed), 0);
    take(&held.reached);
    CHECK_INT(loop_executor_submit(executor, wait_at_gate, &other, held_destroyed), 0);
    CHECK_INT(loop_run_in_executor(loop, executor, give_data, &destroyed, count, count, &future), 0);
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_CANCEL_QUEUED, 0), 0);
    CHECK_INT(other.destroyed, 1);
    CHECK_INT(destroyed, 1);
    CHECK_INT(wait_for(loop, future), LOOP_ECANCELLED);
    loop_future_unref(future);
    sem_post(&held.open);
    end_pool(executor);
    CHECK_INT(held.ran, 1);
    CHECK_INT(other.ran, 0);
    CHECK_INT(destroyed, 1);
    loop_unref(loop);
}

static void shut_down_from_inside(void *data) {
    loop_executor_t *executor = data;
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, -1), -EDEADLK);
}

TEST(a_job_cannot_wait_for_its_own_executor) {
    loop_executor_t *executor = new_pool(1);
    CHECK_INT(loop_executor_submit(executor, shut_down_from_inside, executor, NULL), 0);
    end_pool(executor);
}

static void give_back(void *executor) {
    loop_executor_unref(executor);
}

TEST(the_last_reference_may_go_while_jobs_wait) {
    loop_executor_t *executor = new_pool(1);
    struct held held;
    held_init(&held);
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_executor_submit(executor, wait_at_gate, &held, held_destroyed), 0);
    CHECK_INT(loop_executor_submit(executor, give_back, loop_executor_ref(executor), NULL), 0);
    loop_executor_unref(executor);
    for (int i = 0; i < 3; i++)
        sem_post(&held.open);
    until_idle(NULL, &held, 3);
    CHECK_INT(held.ran, 3);
    sleep_ns(in_valgrind() ? 300 * MS : 20 * MS); /* the thread ends by itself */
}

TEST(the_default_executor_ends_once_and_for_all) {
    loop_t *loop = loop_new();
    loop_future_t *job = NULL, *ended = NULL, *again = NULL, *refused = NULL;
    int number = 0, destroyed = 0;
    CHECK_INT(loop_run_in_executor(loop, NULL, give_data, &number, NULL, NULL, &job), 0);
    CHECK_INT(loop_shutdown_default_executor(loop, -1, &ended), 0);
    CHECK_INT(loop_run_in_executor(loop, NULL, give_data, &destroyed, count, NULL, &refused),
              LOOP_ESHUTDOWN);
    CHECK_STR(loop_last_error(), "Executor shutdown has been called");
    CHECK_INT(destroyed, 1);
    CHECK_INT(wait_for(loop, ended), 0);
    CHECK_INT(wait_for(loop, job), 0);
    CHECK_INT(loop_shutdown_default_executor(loop, -1, &again), 0);
    CHECK_INT(wait_for(loop, again), 0);
    loop_executor_t *other = new_pool(1);
    CHECK_INT(loop_set_default_executor(loop, other), 0);
    CHECK_INT(loop_run_in_executor(loop, NULL, give_data, &destroyed, count, NULL, &refused),
              LOOP_ESHUTDOWN);
    CHECK_INT(loop_run_in_executor(loop, other, give_data, &number, NULL, NULL, &refused), 0);
    CHECK_INT(wait_for(loop, refused), 0);
    loop_future_unref(refused);
    loop_future_unref(job);
    loop_future_unref(ended);
    loop_future_unref(again);
    end_pool(other);
    loop_unref(loop);
}

TEST(a_default_executor_that_was_never_used_ends_at_once) {
    loop_t *loop = loop_new();
    loop_future_t *ended = NULL, *refused = NULL;
    CHECK_INT(loop_shutdown_default_executor(loop, -1, &ended), 0);
    CHECK_INT(loop_future_result(ended, NULL), 0);
    CHECK_INT(loop_run_in_executor(loop, NULL, give_data, NULL, NULL, NULL, &refused), LOOP_ESHUTDOWN);
    loop_future_unref(ended);
    loop_unref(loop);
}

TEST(waiting_for_the_default_executor_has_a_limit) {
    loop_t *loop = loop_new();
    loop_executor_t *executor = new_pool(1);
    struct held held;
    loop_future_t *ended = NULL;
    held_init(&held);
    CHECK_INT(loop_set_default_executor(loop, executor), 0);
    CHECK_INT(loop_executor_submit(executor, wait_at_gate, &held, held_destroyed), 0);
    take(&held.reached);
    int64_t limits[] = {5 * MS, 0};
    for (int i = 0; i < 2; i++) {
        CHECK_INT(loop_shutdown_default_executor(loop, limits[i], &ended), 0);
        CHECK_INT(wait_for(loop, ended), -ETIMEDOUT);
        CHECK_INT(held.ran, 0);
        loop_future_unref(ended);
    }
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, 0), -ETIMEDOUT);
    CHECK_INT(loop_shutdown_default_executor(loop, 3600000 * MS, &ended), 0);
    CHECK_INT(loop_future_cancel(ended, NULL), 1);
    loop_future_unref(ended);
    CHECK_INT(loop_shutdown_default_executor(loop, 3600000 * MS, &ended), 0);
    sem_post(&held.open);
    CHECK_INT(wait_for(loop, ended), 0);
    CHECK_INT(loop_executor_threads(executor), 0);
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, 0), 0);
    loop_future_unref(ended);
    loop_unref(loop);
    loop_executor_unref(executor);
}

TEST(close_shuts_the_default_executor_down_without_waiting) {
    loop_t *loop = loop_new();
    loop_executor_t *executor = new_pool(1);
    struct held held;
    loop_future_t *future = NULL;
    int destroyed = 0;
    held_init(&held);
    CHECK_INT(loop_set_default_executor(loop, executor), 0);
    CHECK_INT(loop_executor_submit(executor, wait_at_gate, &held, held_destroyed), 0);
    take(&held.reached);
    CHECK_INT(loop_run_in_executor(loop, NULL, give_data, &destroyed, count, count, &future), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_executor_submit(executor, count, &destroyed, NULL), LOOP_ESHUTDOWN);
    CHECK_INT(destroyed, 0);
    sem_post(&held.open);
    end_pool(executor);
    CHECK_INT(destroyed, 2); /* the job ran, its result was dropped */
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    loop_future_unref(future);
    loop_unref(loop);
}

TEST(a_loop_may_be_closed_while_its_default_executor_ends) {
    loop_t *loop = loop_new();
    loop_executor_t *executor = new_pool(1);
    struct held held;
    loop_future_t *ended = NULL;
    held_init(&held);
    CHECK_INT(loop_set_default_executor(loop, executor), 0);
    CHECK_INT(loop_executor_submit(executor, wait_at_gate, &held, held_destroyed), 0);
    CHECK_INT(loop_shutdown_default_executor(loop, 3600000 * MS, &ended), 0);
    CHECK_INT(loop_close(loop), 0);
    sem_post(&held.open);
    end_pool(executor);
    CHECK_INT(loop_future_done(ended), 0);
    loop_future_unref(ended);
    loop_unref(loop);
}

struct storm {
    loop_executor_t *executor;
    int jobs;
    atomic_int ran;
    atomic_int destroyed;
};

static void *storm_submits(void *data) {
    struct storm *storm = data;
    for (int i = 0; i < storm->jobs; i++)
        CHECK_INT(loop_executor_submit(storm->executor, add_one, &storm->ran, NULL), 0);
    return NULL;
}

TEST(no_job_is_lost_though_many_threads_submit) {
    enum { THREADS = 4 };
    struct storm storm = {new_pool(3), in_valgrind() ? 300 : 20000, 0, 0};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, storm_submits, &storm);
    for (int i = 0; i < 20; i++) {
        CHECK_INT(loop_executor_set_workers(storm.executor, 1 + (uint32_t)i % 4), 0);
        sleep_ns(MS);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    end_pool(storm.executor);
    CHECK_INT(storm.ran, THREADS * storm.jobs);
}

static void open_gate(void *data) {
    sem_post(&((struct held *)data)->open);
}

struct pairs {
    loop_executor_t *executor;
    unsigned seed;
};

/* The first job of each pair ends only if the second one gets a thread meanwhile. */
static void *pairs_submit(void *data) {
    struct pairs *pairs = data;
    struct held held;
    held_init(&held);
    for (int i = 0; i < (in_valgrind() ? 30 : 4000); i++) {
        CHECK_INT(loop_executor_submit(pairs->executor, wait_at_gate, &held, NULL), 0);
        pairs->seed = pairs->seed * 1103515245 + 12345;
        for (volatile unsigned spins = pairs->seed >> 16 & 4095; spins > 0; spins--)
            continue;
        CHECK_INT(loop_executor_submit(pairs->executor, open_gate, &held, NULL), 0);
        take(&held.reached);
        while (atomic_load(&held.ran) != i + 1)
            sched_yield();
    }
    return NULL;
}

TEST(no_job_waits_while_a_thread_sleeps) {
    enum { THREADS = 2 };
    loop_executor_t *executor = new_pool(THREADS + 1);
    struct pairs pairs[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pairs[i] = (struct pairs){executor, (unsigned)i};
        pthread_create(&threads[i], NULL, pairs_submit, &pairs[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    end_pool(executor);
}
