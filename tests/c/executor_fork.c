/* Executors and forked children. */
#include "child.h"
#include "loop_thread.h"
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* One job that runs and waits, and one that is queued behind it. */
struct busy {
    loop_executor_t *executor;
    sem_t reached, open;
    atomic_int ran, first_destroyed, queued_destroyed;
};

static void hold_the_thread(void *data) {
    struct busy *busy = data;
    sem_post(&busy->reached);
    take(&busy->open);
    atomic_fetch_add(&busy->ran, 1);
}

static void run_queued(void *data) {
    atomic_fetch_add(&((struct busy *)data)->ran, 1);
}

static void first_destroyed(void *data) {
    atomic_fetch_add(&((struct busy *)data)->first_destroyed, 1);
}

static void queued_destroyed(void *data) {
    atomic_fetch_add(&((struct busy *)data)->queued_destroyed, 1);
}

static void make_busy(struct busy *busy) {
    memset(busy, 0, sizeof *busy);
    sem_init(&busy->reached, 0, 0);
    sem_init(&busy->open, 0, 0);
    CHECK_INT(loop_executor_new(1, &busy->executor), 0);
    CHECK_INT(loop_executor_submit(busy->executor, hold_the_thread, busy, first_destroyed), 0);
    take(&busy->reached);
    CHECK_INT(loop_executor_submit(busy->executor, run_queued, busy, queued_destroyed), 0);
}

static void end_busy(struct busy *busy) {
    sem_post(&busy->open);
    CHECK_INT(loop_executor_shutdown(busy->executor, LOOP_EXECUTOR_WAIT, -1), 0);
    CHECK_INT(busy->ran, 2);
    CHECK_INT(busy->first_destroyed, 1);
    CHECK_INT(busy->queued_destroyed, 1);
    loop_executor_unref(busy->executor);
}

static int echo_data(void *data, void **ret_result) {
    *ret_result = data;
    return 0;
}

static void stop_the_loop(loop_future_t *future, void *unused) {
    (void)unused;
    CHECK_INT(loop_stop(loop_future_get_loop(future)), 0);
}

/* A job on the loop's executor, from the submission to the result. */
static void check_job(loop_t *loop, loop_executor_t *executor) {
    loop_future_t *future = NULL;
    void *result = NULL;
    CHECK_INT(loop_run_in_executor(loop, executor, echo_data, &future, NULL, NULL, &future), 0);
    CHECK_INT(loop_future_add_done_callback(future, stop_the_loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_future_result(future, &result), 0);
    CHECK(result == &future);
    loop_future_unref(future);
}

static void join_default(loop_t *loop) {
    loop_future_t *ended = NULL;
    CHECK_INT(loop_shutdown_default_executor(loop, -1, &ended), 0);
    CHECK_INT(loop_future_add_done_callback(ended, stop_the_loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_future_result(ended, NULL), 0);
    loop_future_unref(ended);
}

TEST(F11_an_inherited_executor_refuses_and_neither_hangs_nor_runs_the_parents_jobs) {
    struct busy busy;
    make_busy(&busy);
    pid_t child = start_child();
    if (child == 0) {
        loop_t *loop = loop_new();
        loop_future_t *future = NULL;
        int destroyed = 0;
        CHECK_INT(loop_executor_submit(busy.executor, count, &destroyed, count), LOOP_EFORKED);
        CHECK_INT(loop_run_in_executor(loop, busy.executor, echo_data, &destroyed, count, NULL, &future),
                  LOOP_EFORKED);
        CHECK_INT(destroyed, 2);
        CHECK_INT(loop_executor_set_workers(busy.executor, 3), LOOP_EFORKED);
        CHECK_INT(loop_executor_threads(busy.executor), LOOP_EFORKED);
        CHECK_INT(loop_executor_queued(busy.executor), LOOP_EFORKED);
        CHECK_INT(loop_executor_shutdown(busy.executor, LOOP_EXECUTOR_WAIT, -1), LOOP_EFORKED);
        CHECK_INT(busy.queued_destroyed, 0);
        loop_executor_unref(busy.executor);
        CHECK_INT(busy.queued_destroyed, 1);
        CHECK_INT(busy.first_destroyed, 0);
        CHECK_INT(busy.ran, 0);
        CHECK(future == NULL);
        loop_unref(loop);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    end_busy(&busy);
}

TEST(F11_an_executor_is_made_anew_in_the_child_and_works_in_both_processes) {
    struct busy busy;
    make_busy(&busy);
    pid_t child = start_child();
    if (child == 0) {
        loop_t *loop = loop_new();
        CHECK_INT(loop_executor_reinit_after_fork(busy.executor), 0);
        CHECK_INT(busy.queued_destroyed, 1);
        CHECK_INT(loop_executor_threads(busy.executor), 0);
        CHECK_INT(loop_executor_queued(busy.executor), 0);
        CHECK_INT(loop_executor_reinit_after_fork(busy.executor), LOOP_EINVAL);
        check_job(loop, busy.executor);
        CHECK_INT(loop_executor_threads(busy.executor), 1);
        CHECK_INT(loop_executor_shutdown(busy.executor, LOOP_EXECUTOR_WAIT, -1), 0);
        CHECK_INT(busy.ran, 0);
        loop_executor_unref(busy.executor);
        loop_unref(loop);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    end_busy(&busy);
}

TEST(F11_a_childs_new_loop_has_an_executor_of_its_own) {
    loop_t *loop = loop_new();
    check_job(loop, NULL);
    pid_t child = start_child();
    if (child == 0) {
        loop_future_t *future = NULL;
        int destroyed = 0;
        CHECK_INT(loop_run_in_executor(loop, NULL, echo_data, &destroyed, count, NULL, &future),
                  LOOP_EFORKED);
        CHECK_INT(loop_shutdown_default_executor(loop, -1, &future), LOOP_EFORKED);
        CHECK_INT(destroyed, 1);
        CHECK_INT(loop_close(loop), 0);
        loop_unref(loop);
        loop = loop_new();
        check_job(loop, NULL);
        join_default(loop);
        loop_unref(loop);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    check_job(loop, NULL);
    join_default(loop);
    loop_unref(loop);
}

static int wait_at_gate_then_answer(void *data, void **ret_result) {
    hold_the_thread(data);
    *ret_result = data;
    return 0;
}

TEST(F11_reinit_of_a_loop_makes_its_default_executor_anew_and_tells_who_waits) {
    struct busy busy;
    loop_t *loop = loop_new();
    loop_future_t *running = NULL, *held = NULL;
    memset(&busy, 0, sizeof busy);
    sem_init(&busy.reached, 0, 0);
    sem_init(&busy.open, 0, 0);
    CHECK_INT(loop_executor_new(1, &busy.executor), 0);
    CHECK_INT(loop_set_default_executor(loop, busy.executor), 0);
    CHECK_INT(loop_run_in_executor(loop, NULL, wait_at_gate_then_answer, &busy, first_destroyed, NULL,
                                   &running), 0);
    take(&busy.reached);
    CHECK_INT(loop_run_in_executor(loop, NULL, echo_data, &busy, queued_destroyed, NULL, &held), 0);
    pid_t child = start_child();
    if (child == 0) {
        CHECK_INT(loop_reinit_after_fork(loop, 0), 0);
        CHECK_INT(loop_future_result(running, NULL), LOOP_EFORKED);
        CHECK_INT(loop_future_result(held, NULL), LOOP_EFORKED);
        check_job(loop, NULL);
        join_default(loop);
        CHECK_INT(busy.ran, 0);
        loop_future_unref(running);
        loop_future_unref(held);
        loop_executor_unref(busy.executor);
        CHECK_INT(busy.queued_destroyed, 1);
        loop_unref(loop);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    CHECK_INT(loop_future_done(running), 0);
    sem_post(&busy.open);
    CHECK_INT(loop_future_add_done_callback(held, stop_the_loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_future_result(running, NULL), 0);
    CHECK_INT(loop_future_result(held, NULL), 0);
    CHECK_INT(loop_executor_shutdown(busy.executor, LOOP_EXECUTOR_WAIT, -1), 0);
    CHECK_INT(busy.first_destroyed, 1);
    CHECK_INT(busy.queued_destroyed, 1);
    loop_future_unref(running);
    loop_future_unref(held);
    loop_executor_unref(busy.executor);
    loop_unref(loop);
}

TEST(F11_a_child_closes_its_copy_of_a_loop_with_jobs) {
    struct busy busy;
    loop_t *loop = loop_new();
    loop_future_t *future = NULL;
    int destroyed = 0;
    make_busy(&busy);
    CHECK_INT(loop_set_default_executor(loop, busy.executor), 0);
    CHECK_INT(loop_run_in_executor(loop, NULL, echo_data, &destroyed, count, count, &future), 0);
    pid_t child = start_child();
    if (child == 0) {
        CHECK_INT(loop_close(loop), 0);
        loop_future_unref(future);
        loop_unref(loop);
        loop_executor_unref(busy.executor);
        CHECK_INT(destroyed, 1);
        CHECK_INT(busy.queued_destroyed, 1);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    end_busy(&busy);
    CHECK(loop_run_once(loop, 0) >= 0);
    CHECK_INT(loop_future_result(future, NULL), 0);
    loop_future_unref(future);
    CHECK_INT(destroyed, 2);
    loop_unref(loop);
}

struct forker {
    loop_executor_t *executor;
    pid_t child;
    int returns;
};

static int fork_in_a_job(void *data, void **ret_result) {
    struct forker *self = data;
    self->child = start_child();
    if (self->child == 0) {
        int destroyed = 0;
        CHECK_INT(loop_executor_submit(self->executor, count, &destroyed, count), LOOP_EFORKED);
        CHECK_INT(destroyed, 1);
        if (!self->returns)
            leave_child(7);
    }
    *ret_result = self;
    return 0;
}

static void check_fork_in_a_job(int returns, int expected) {
    loop_t *loop = loop_new();
    loop_future_t *future = NULL;
    struct forker self = {NULL, 0, returns};
    CHECK_INT(loop_executor_new(1, &self.executor), 0);
    CHECK_INT(loop_run_in_executor(loop, self.executor, fork_in_a_job, &self, NULL, NULL, &future), 0);
    CHECK_INT(loop_future_add_done_callback(future, stop_the_loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_future_result(future, NULL), 0);
    CHECK_INT(end_of(self.child), expected);
    loop_future_unref(future);
    CHECK_INT(loop_executor_shutdown(self.executor, LOOP_EXECUTOR_WAIT, -1), 0);
    loop_executor_unref(self.executor);
    loop_unref(loop);
}

TEST(F11_a_job_may_fork) {
    check_fork_in_a_job(0, 7);
}

TEST(F11_a_forked_job_that_returns_ends_the_childs_only_thread) {
    if (!in_valgrind())
        check_fork_in_a_job(1, 0);
}

struct crowd {
    loop_executor_t *executor;
    atomic_int stop;
};

static void nothing(void *unused) {
    (void)unused;
}

static void *submit_all_the_time(void *data) {
    struct crowd *crowd = data;
    while (!atomic_load(&crowd->stop))
        CHECK_INT(loop_executor_submit(crowd->executor, nothing, NULL, NULL), 0);
    return NULL;
}

TEST(F11_F22_a_fork_while_threads_submit_never_hangs) {
    struct crowd crowd = {NULL, 0};
    pthread_t threads[2];
    CHECK_INT(loop_executor_new(2, &crowd.executor), 0);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, submit_all_the_time, &crowd);
    for (int i = 0; i < (in_valgrind() ? 3 : 100); i++) {
        pid_t child = start_child();
        if (child == 0) {
            CHECK_INT(loop_executor_submit(crowd.executor, nothing, NULL, NULL), LOOP_EFORKED);
            if (i % 2) {
                CHECK_INT(loop_executor_reinit_after_fork(crowd.executor), 0);
                CHECK_INT(loop_executor_submit(crowd.executor, nothing, NULL, NULL), 0);
                CHECK_INT(loop_executor_shutdown(crowd.executor, LOOP_EXECUTOR_WAIT, -1), 0);
            }
            loop_executor_unref(crowd.executor);
            leave_child(0);
        }
        CHECK_INT(end_of(child), 0);
    }
    atomic_store(&crowd.stop, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(loop_executor_shutdown(crowd.executor, LOOP_EXECUTOR_CANCEL_QUEUED | LOOP_EXECUTOR_WAIT, -1), 0);
    loop_executor_unref(crowd.executor);
}
