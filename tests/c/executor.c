/* Jobs on a loop's default executor and on pools that loops share. */
#include "loop_thread.h"
#include <errno.h>
#include <stdatomic.h>

/* A job that waits until it may go on. */
struct gate {
    sem_t reached, open;
    atomic_int jobs_destroyed, results_destroyed;
    pthread_t thread;
};

static void gate_init(struct gate *gate) {
    memset(gate, 0, sizeof *gate);
    sem_init(&gate->reached, 0, 0);
    sem_init(&gate->open, 0, 0);
}

static int pass_gate(void *data, void **ret_result) {
    struct gate *gate = data;
    gate->thread = pthread_self();
    sem_post(&gate->reached);
    take(&gate->open);
    *ret_result = gate;
    return 0;
}

static void destroy_job(void *data) {
    atomic_fetch_add(&((struct gate *)data)->jobs_destroyed, 1);
}

static void destroy_result(void *data) {
    atomic_fetch_add(&((struct gate *)data)->results_destroyed, 1);
}

static int answer(void *data, void **ret_result) {
    *ret_result = data;
    return 0;
}

static int fail(void *data, void **ret_result) {
    (void)ret_result;
    return (int)(intptr_t)data;
}

static void stop_when_done(loop_future_t *future, void *unused) {
    (void)unused;
    CHECK_INT(loop_stop(loop_future_get_loop(future)), 0);
}

static void run_until_done(loop_t *loop, loop_future_t *future) {
    CHECK_INT(loop_future_add_done_callback(future, stop_when_done, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_future_done(future), 1);
}

static loop_future_t *submit(loop_t *loop, loop_executor_t *executor, loop_job_t job, void *data) {
    loop_future_t *future = NULL;
    CHECK_INT(loop_run_in_executor(loop, executor, job, data, NULL, NULL, &future), 0);
    return future;
}

static void end_executor(loop_executor_t *executor) {
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, -1), 0);
    loop_executor_unref(executor);
}

static void end_loop(loop_t *loop) {
    loop_future_t *ended = NULL;
    CHECK_INT(loop_shutdown_default_executor(loop, -1, &ended), 0);
    if (!loop_future_done(ended))
        run_until_done(loop, ended);
    CHECK_INT(loop_future_result(ended, NULL), 0);
    loop_future_unref(ended);
    loop_unref(loop);
}

TEST(P29_blocking_code_runs_in_an_executor_and_its_result_arrives) {
    loop_t *loop = loop_new();
    void *result = NULL;
    int number = 0;
    loop_future_t *future = submit(loop, NULL, answer, &number);
    run_until_done(loop, future);
    CHECK_INT(loop_future_result(future, &result), 0);
    CHECK(result == &number);
    loop_future_unref(future);
    future = submit(loop, NULL, fail, (void *)(intptr_t)-ENOENT);
    run_until_done(loop, future);
    CHECK_INT(loop_future_result(future, NULL), -ENOENT);
    CHECK_STR(loop_last_error(), strerror(ENOENT));
    loop_future_unref(future);
    end_loop(loop);
}

TEST(E9_jobs_run_though_the_loop_does_not_and_show_their_results_only_in_it) {
    loop_t *loop = loop_new();
    struct gate gates[2];
    loop_future_t *futures[2];
    for (int i = 0; i < 2; i++) {
        gate_init(&gates[i]);
        sem_post(&gates[i].open);
        CHECK_INT(loop_run_in_executor(loop, NULL, pass_gate, &gates[i], destroy_job, destroy_result,
                                       &futures[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        take(&gates[i].reached);
        while (atomic_load(&gates[i].jobs_destroyed) == 0)
            sleep_ns(MS);
    }
    sleep_ns(20 * MS);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(loop_future_done(futures[i]), 0);
        CHECK_INT(loop_future_result(futures[i], NULL), LOOP_EINVALID_STATE);
    }
    for (int i = 0; i < 2; i++) {
        if (!loop_future_done(futures[i]))
            run_until_done(loop, futures[i]);
        CHECK_INT(gates[i].results_destroyed, 0);
        loop_future_unref(futures[i]);
        CHECK_INT(gates[i].results_destroyed, 1);
    }
    end_loop(loop);
}

struct parallel {
    loop_executor_t *executor;
    pthread_barrier_t *all_run;
    int *result;
};

static int meet(void *barrier, void **ret_result) {
    pthread_barrier_wait(barrier);
    *ret_result = barrier;
    return 0;
}

static void *loop_with_one_job(void *data) {
    struct parallel *parallel = data;
    loop_t *loop = loop_new();
    loop_future_t *future = submit(loop, parallel->executor, meet, parallel->all_run);
    run_until_done(loop, future);
    *parallel->result = loop_future_result(future, NULL);
    loop_future_unref(future);
    loop_unref(loop);
    return NULL;
}

TEST(E10_five_loops_in_five_threads_share_an_executor) {
    enum { LOOPS = 5 };
    loop_executor_t *executor = NULL;
    pthread_barrier_t all_run;
    pthread_t threads[LOOPS];
    int results[LOOPS];
    struct parallel parallel[LOOPS];
    CHECK_INT(loop_executor_new(LOOPS, &executor), 0);
    pthread_barrier_init(&all_run, NULL, LOOPS);
    for (int i = 0; i < LOOPS; i++) {
        parallel[i] = (struct parallel){executor, &all_run, &results[i]};
        results[i] = 1;
        pthread_create(&threads[i], NULL, loop_with_one_job, &parallel[i]);
    }
    for (int i = 0; i < LOOPS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT(results[i], 0);
    }
    CHECK_INT(loop_executor_threads(executor), LOOPS);
    end_executor(executor);
    pthread_barrier_destroy(&all_run);
}

TEST(E10_what_ends_after_its_loop_was_closed_is_destroyed) {
    loop_executor_t *executor = NULL;
    struct gate running, queued, arrived;
    loop_future_t *futures[3];
    loop_t *loop = loop_new();
    gate_init(&running);
    gate_init(&queued);
    gate_init(&arrived);
    CHECK_INT(loop_executor_new(1, &executor), 0);
    sem_post(&arrived.open);
    CHECK_INT(loop_run_in_executor(loop, executor, pass_gate, &arrived, destroy_job, destroy_result,
                                   &futures[0]), 0);
    CHECK_INT(loop_run_in_executor(loop, executor, pass_gate, &running, destroy_job, destroy_result,
                                   &futures[1]), 0);
    CHECK_INT(loop_run_in_executor(loop, executor, pass_gate, &queued, destroy_job, destroy_result,
                                   &futures[2]), 0);
    take(&running.reached);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(arrived.results_destroyed, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(loop_future_done(futures[i]), 0);
        loop_future_unref(futures[i]);
    }
    loop_unref(loop);
    sem_post(&running.open);
    sem_post(&queued.open);
    end_executor(executor);
    CHECK_INT(running.jobs_destroyed, 1);
    CHECK_INT(running.results_destroyed, 1);
    CHECK_INT(queued.jobs_destroyed, 1);
    CHECK_INT(queued.results_destroyed, 1);
    CHECK_INT(arrived.jobs_destroyed, 1);
    CHECK_INT(arrived.results_destroyed, 1);
}

static void mark_done(loop_future_t *future, void *mark) {
    (void)future;
    leave_mark(mark);
}

TEST(P11_a_completion_is_posted_and_the_callbacks_follow_one_turn_later) {
    loop_t *loop = loop_new();
    struct log log = {0};
    struct mark done = {&log, 'd'}, posted = {&log, 'p'};
    struct gate gate;
    loop_executor_t *executor = NULL;
    gate_init(&gate);
    CHECK_INT(loop_executor_new(1, &executor), 0);
    loop_future_t *future = submit(loop, executor, answer, NULL);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &done, NULL), 0);
    end_executor(executor);
    /* Behind the completion, and so before the future's callbacks. */
    CHECK_INT(loop_call_soon_threadsafe(loop, leave_mark, &posted, NULL, NULL), 0);
    CHECK(loop_run_once(loop, 0) >= 0);
    CHECK_INT(loop_future_done(future), 1);
    CHECK_STR(log.text, "p");
    CHECK(loop_run_once(loop, 0) >= 0);
    CHECK_STR(log.text, "pd");
    loop_future_unref(future);
    loop_unref(loop);
}

TEST(cancel_takes_a_queued_job_out_and_leaves_a_running_one) {
    loop_executor_t *executor = NULL;
    struct gate running, queued;
    loop_future_t *first = NULL, *second = NULL;
    loop_t *loop = loop_new();
    gate_init(&running);
    gate_init(&queued);
    CHECK_INT(loop_executor_new(1, &executor), 0);
    CHECK_INT(loop_run_in_executor(loop, executor, pass_gate, &running, destroy_job, destroy_result,
                                   &first), 0);
    take(&running.reached);
    CHECK_INT(loop_run_in_executor(loop, executor, pass_gate, &queued, destroy_job, destroy_result,
                                   &second), 0);
    CHECK_INT(loop_executor_queued(executor), 1);
    CHECK_INT(loop_future_cancel(second, NULL), 1);
    CHECK_INT(loop_executor_queued(executor), 0);
    CHECK_INT(queued.jobs_destroyed, 1);
    CHECK_INT(loop_future_cancel(first, "enough"), 1);
    CHECK_INT(loop_future_cancelled(first), 1);
    CHECK_INT(running.jobs_destroyed, 0);
    sem_post(&running.open);
    end_executor(executor);
    CHECK(loop_run_once(loop, 0) >= 0);
    CHECK_INT(running.jobs_destroyed, 1);
    CHECK_INT(running.results_destroyed, 1);
    CHECK_INT(queued.results_destroyed, 0);
    CHECK_INT(loop_future_result(first, NULL), LOOP_ECANCELLED);
    loop_future_unref(first);
    loop_future_unref(second);
    loop_unref(loop);
}

TEST(a_late_outcome_never_ends_the_future_of_another_job) {
    loop_executor_t *executor = NULL;
    struct gate late;
    loop_future_t *cancelled = NULL;
    loop_t *loop = loop_new();
    int number = 0;
    void *result = NULL;
    gate_init(&late);
    CHECK_INT(loop_executor_new(2, &executor), 0);
    CHECK_INT(loop_run_in_executor(loop, executor, pass_gate, &late, NULL, destroy_result,
                                   &cancelled), 0);
    take(&late.reached);
    CHECK_INT(loop_future_cancel(cancelled, NULL), 1);
    struct gate other;
    gate_init(&other);
    loop_future_t *future = submit(loop, executor, pass_gate, &other);
    sem_post(&late.open);
    while (atomic_load(&late.results_destroyed) == 0)
        CHECK(loop_run_once(loop, MS) >= 0);
    CHECK_INT(loop_future_done(future), 0);
    sem_post(&other.open);
    run_until_done(loop, future);
    CHECK_INT(loop_future_result(future, &result), 0);
    CHECK(result == &other && number == 0);
    loop_future_unref(cancelled);
    loop_future_unref(future);
    end_executor(executor);
    loop_unref(loop);
}

TEST(the_operation_goes_on_when_the_caller_gives_the_future_back) {
    loop_t *loop = loop_new();
    struct log log = {0};
    struct mark done = {&log, 'd'};
    loop_future_t *future = submit(loop, NULL, answer, NULL);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &done, NULL), 0);
    loop_future_unref(future);
    while (log.length == 0)
        CHECK(loop_run_once(loop, MS) >= 0);
    end_loop(loop);
}

TEST(a_thousand_queued_jobs_are_cancelled_in_any_order) {
    enum { JOBS = 1000 };
    static loop_future_t *futures[JOBS];
    static int ran[JOBS], destroyed[JOBS];
    loop_executor_t *executor = NULL;
    struct gate gate;
    loop_t *loop = loop_new();
    gate_init(&gate);
    CHECK_INT(loop_executor_new(1, &executor), 0);
    loop_future_t *first = submit(loop, executor, pass_gate, &gate);
    take(&gate.reached);
    for (int i = 0; i < JOBS; i++)
        CHECK_INT(loop_run_in_executor(loop, executor, answer, &destroyed[i], count, count,
                                       &futures[i]), 0);
    for (int i = 0; i < JOBS; i++) {
        int at = i * 7 % JOBS;
        if (at % 10 == 3)
            continue;
        CHECK_INT(loop_future_cancel(futures[at], NULL), 1);
        CHECK_INT(destroyed[at], 1);
    }
    CHECK_INT(loop_executor_queued(executor), JOBS / 10);
    sem_post(&gate.open);
    run_until_done(loop, first);
    for (int i = 0; i < JOBS; i++) {
        if (i % 10 == 3 && !loop_future_done(futures[i]))
            run_until_done(loop, futures[i]);
        CHECK_INT(loop_future_cancelled(futures[i]), i % 10 != 3);
        loop_future_unref(futures[i]);
        CHECK_INT(destroyed[i], i % 10 == 3 ? 2 : 1);
        CHECK_INT(ran[i], 0);
    }
    loop_future_unref(first);
    end_executor(executor);
    loop_unref(loop);
}

TEST(a_failed_call_destroys_the_data_and_writes_nothing) {
    loop_t *loop = loop_new();
    loop_executor_t *executor = NULL;
    loop_future_t *future = NULL;
    int destroyed = 0;
    CHECK_INT(loop_executor_new(2, NULL), LOOP_EINVAL);
    CHECK_INT(loop_executor_new(2, &executor), 0);
    CHECK_INT(loop_run_in_executor(NULL, executor, answer, &destroyed, count, NULL, &future), LOOP_EINVAL);
    CHECK_INT(loop_run_in_executor(loop, executor, NULL, &destroyed, count, NULL, &future), LOOP_EINVAL);
    CHECK_INT(loop_run_in_executor(loop, executor, answer, &destroyed, count, NULL, NULL), LOOP_EINVAL);
    CHECK_INT(loop_executor_submit(NULL, count, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_executor_submit(executor, NULL, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(destroyed, 5);
    CHECK_INT(loop_executor_threads(executor), 0);
    CHECK_INT(loop_executor_shutdown(executor, 4, 0), LOOP_EINVAL);
    CHECK_INT(loop_executor_shutdown(NULL, 0, 0), LOOP_EINVAL);
    CHECK_INT(loop_executor_threads(NULL), LOOP_EINVAL);
    CHECK_INT(loop_executor_queued(NULL), LOOP_EINVAL);
    CHECK_INT(loop_executor_set_workers(NULL, 1), LOOP_EINVAL);
    CHECK_INT(loop_executor_reinit_after_fork(NULL), LOOP_EINVAL);
    CHECK_INT(loop_executor_reinit_after_fork(executor), LOOP_EINVAL);
    CHECK_INT(loop_set_default_executor(loop, NULL), LOOP_EINVAL);
    CHECK_INT(loop_set_default_executor(NULL, executor), LOOP_EINVAL);
    CHECK_INT(loop_shutdown_default_executor(loop, -1, NULL), LOOP_EINVAL);
    CHECK_INT(loop_shutdown_default_executor(NULL, -1, &future), LOOP_EINVAL);
    loop_executor_unref(NULL);
    CHECK(loop_executor_ref(NULL) == NULL);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_run_in_executor(loop, executor, answer, &destroyed, count, NULL, &future), LOOP_ECLOSED);
    CHECK_INT(loop_run_in_executor(loop, NULL, answer, &destroyed, count, NULL, &future), LOOP_ECLOSED);
    CHECK_INT(loop_set_default_executor(loop, executor), LOOP_ECLOSED);
    CHECK_INT(loop_shutdown_default_executor(loop, -1, &future), LOOP_ECLOSED);
    CHECK_INT(destroyed, 7);
    CHECK(future == NULL);
    loop_unref(loop);
    loop_executor_unref(executor);
}

TEST(jobs_are_submitted_on_the_loops_thread_only) {
    struct loop_thread runner;
    loop_future_t *future = NULL;
    int destroyed = 0;
    loop_thread_start(&runner);
    CHECK_INT(loop_run_in_executor(runner.loop, NULL, answer, &destroyed, count, NULL, &future),
              LOOP_EWRONG_THREAD);
    CHECK_INT(loop_shutdown_default_executor(runner.loop, -1, &future), LOOP_EWRONG_THREAD);
    CHECK_INT(destroyed, 1);
    CHECK(future == NULL);
    loop_thread_end(&runner);
}

struct call {
    loop_t *loop;
    pthread_t worked_in;
    int worked, done, destroyed;
};

static void call_works(void *data) {
    struct call *call = data;
    call->worked_in = pthread_self();
    call->worked++;
}

static void call_is_done(void *data) {
    struct call *call = data;
    CHECK_INT(call->worked, 1);
    CHECK_INT(call->destroyed, 0);
    CHECK(!pthread_equal(call->worked_in, pthread_self()));
    call->done++;
    CHECK_INT(loop_stop(call->loop), 0);
}

static void call_destroyed(void *data) {
    ((struct call *)data)->destroyed++;
}

TEST(work_in_an_executor_is_followed_by_a_call_in_the_loop) {
    struct call call = {.loop = loop_new()}, dropped = {0}, failed = {0};
    loop_executor_t *executor = NULL;
    CHECK_INT(loop_executor_new(1, &executor), 0);
    CHECK_INT(loop_call_in_executor(call.loop, executor, call_works, call_is_done, &call,
                                    call_destroyed), 0);
    CHECK_INT(loop_run_forever(call.loop), 0);
    CHECK_INT(call.done, 1);
    CHECK_INT(call.destroyed, 1);
    CHECK_INT(loop_call_in_executor(call.loop, NULL, call_works, NULL, &call, call_destroyed), 0);
    while (call.destroyed < 2)
        CHECK(loop_run_once(call.loop, MS) >= 0);
    CHECK_INT(loop_call_in_executor(NULL, executor, call_works, NULL, &failed, call_destroyed),
              LOOP_EINVAL);
    CHECK_INT(loop_call_in_executor(call.loop, executor, NULL, NULL, &failed, call_destroyed),
              LOOP_EINVAL);
    CHECK_INT(loop_call_in_executor(call.loop, executor, call_works, call_is_done, &dropped,
                                    call_destroyed), 0);
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, -1), 0);
    CHECK_INT(loop_call_in_executor(call.loop, executor, call_works, NULL, &failed, call_destroyed),
              LOOP_ESHUTDOWN);
    loop_future_t *ended = NULL;
    CHECK_INT(loop_shutdown_default_executor(call.loop, -1, &ended), 0);
    loop_future_unref(ended);
    CHECK_INT(loop_close(call.loop), 0);
    CHECK_INT(dropped.worked, 1);
    CHECK_INT(dropped.done, 0);
    CHECK_INT(dropped.destroyed, 1);
    CHECK_INT(loop_call_in_executor(call.loop, executor, call_works, NULL, &failed, call_destroyed),
              LOOP_ECLOSED);
    CHECK_INT(failed.destroyed, 4);
    loop_executor_unref(executor);
    loop_unref(call.loop);
    sleep_ns(in_valgrind() ? 300 * MS : MS); /* the default executor's thread ends */
}

static void give_the_last_reference_back(void *executor) {
    loop_executor_unref(executor);
}

TEST(a_job_may_own_the_only_reference_to_its_executor) {
    for (int i = 0; i < (in_valgrind() ? 3 : 200); i++) {
        loop_executor_t *executor = NULL;
        CHECK_INT(loop_executor_new(1, &executor), 0);
        CHECK_INT(loop_executor_submit(executor, give_the_last_reference_back, executor, NULL), 0);
    }
    sleep_ns(in_valgrind() ? 300 * MS : 20 * MS);
}

struct submitter {
    loop_t *loop;
    int left, done, fds;
};

static void submit_next(loop_future_t *future, void *data) {
    struct submitter *self = data;
    void *result = NULL;
    if (future != NULL) {
        CHECK_INT(loop_future_result(future, &result), 0);
        CHECK(result == self);
        self->done++;
    }
    if (self->left-- <= 0) {
        CHECK_INT(loop_stop(self->loop), 0);
        return;
    }
    loop_future_t *next = submit(self->loop, NULL, answer, self);
    CHECK_INT(loop_future_add_done_callback(next, submit_next, self, NULL), 0);
    loop_future_unref(next);
}

TEST(jobs_follow_each_other_without_leaking_descriptors) {
    struct submitter self = {loop_new(), in_valgrind() ? 100 : 3000, 0, 0};
    int jobs = self.left;
    CHECK_INT(open_backend(self.loop), 0);
    submit_next(NULL, &self);
    CHECK(loop_run_once(self.loop, 10 * MS) >= 0);
    self.fds = open_fds();
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_INT(self.done, jobs);
    CHECK_INT(open_fds(), self.fds);
    end_loop(self.loop);
}
