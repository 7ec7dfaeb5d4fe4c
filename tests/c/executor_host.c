/* Executors that a host supplies. */
#include "loop_thread.h"
#include <errno.h>
#include <stdatomic.h>

/* An executor that keeps its jobs until it is told to go on. */
struct host {
    loop_executor_job_t *jobs[8];
    int submitted, cancels, shutdowns, destroyed;
    int refuse, gives_back, runs_at_once;
    uint32_t flags;
    int64_t timeout_ns;
    int shutdown_result;
};

static int host_submit(loop_executor_job_t *job, void *data) {
    struct host *host = data;
    if (host->refuse)
        return host->refuse;
    if (host->runs_at_once) {
        loop_executor_job_run(job);
        return 0;
    }
    host->jobs[host->submitted++] = job;
    return 0;
}

static int host_cancel(loop_executor_job_t *job, void *data) {
    struct host *host = data;
    host->cancels++;
    if (host->gives_back)
        for (int i = 0; i < host->submitted; i++)
            if (host->jobs[i] == job)
                host->jobs[i] = NULL;
    return host->gives_back;
}

static int host_shutdown(uint32_t flags, int64_t timeout_ns, void *data) {
    struct host *host = data;
    host->shutdowns++;
    host->flags = flags;
    host->timeout_ns = timeout_ns;
    return host->shutdown_result;
}

static void host_destroyed(void *data) {
    ((struct host *)data)->destroyed++;
}

static loop_executor_t *host_executor(struct host *host) {
    loop_executor_vtable_t vtable = {sizeof vtable, host_submit, host_cancel, host_shutdown};
    loop_executor_t *executor = NULL;
    CHECK_INT(loop_executor_create(&vtable, host, host_destroyed, &executor), 0);
    return executor;
}

static int succeed(void *data, void **ret_result) {
    *ret_result = data;
    return 0;
}

static void *run_a_job(void *job) {
    loop_executor_job_run(job);
    return NULL;
}

static void turn(loop_t *loop) {
    CHECK(loop_run_once(loop, 0) >= 0);
}

TEST(a_hosts_executor_runs_jobs_where_it_likes) {
    struct host host = {0};
    loop_executor_t *executor = host_executor(&host);
    loop_t *loop = loop_new();
    loop_future_t *here = NULL, *there = NULL;
    int destroyed = 0, results = 0, submitted = 0;
    CHECK_INT(loop_run_in_executor(loop, executor, succeed, &results, NULL, count, &here), 0);
    CHECK_INT(loop_run_in_executor(loop, executor, succeed, &destroyed, count, NULL, &there), 0);
    CHECK_INT(loop_executor_submit(executor, count, &submitted, count), 0);
    CHECK_INT(host.submitted, 3);
    loop_executor_job_run(host.jobs[0]);
    pthread_t thread;
    pthread_create(&thread, NULL, run_a_job, host.jobs[1]);
    pthread_join(thread, NULL);
    loop_executor_job_run(host.jobs[2]);
    CHECK_INT(submitted, 2);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_future_done(here), 0);
    turn(loop);
    CHECK_INT(loop_future_result(here, NULL), 0);
    CHECK_INT(loop_future_result(there, NULL), 0);
    loop_future_unref(here);
    loop_future_unref(there);
    CHECK_INT(results, 1);
    loop_executor_unref(executor);
    CHECK_INT(host.destroyed, 1);
    loop_unref(loop);
}

TEST(a_hosts_executor_may_run_a_job_at_once_and_still_the_future_waits_for_the_loop) {
    struct host host = {.runs_at_once = 1};
    loop_executor_t *executor = host_executor(&host);
    loop_t *loop = loop_new();
    loop_future_t *future = NULL;
    CHECK_INT(loop_set_default_executor(loop, executor), 0);
    CHECK_INT(loop_run_in_executor(loop, NULL, succeed, NULL, NULL, NULL, &future), 0);
    CHECK_INT(loop_future_done(future), 0);
    turn(loop);
    CHECK_INT(loop_future_done(future), 1);
    loop_future_unref(future);
    loop_executor_unref(executor);
    CHECK_INT(host.destroyed, 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(host.shutdowns, 1);
    CHECK_INT(host.flags, 0);
    CHECK_INT(host.destroyed, 1);
    loop_unref(loop);
}

TEST(what_a_host_refuses_is_destroyed) {
    struct host host = {.refuse = -EBUSY};
    loop_executor_t *executor = host_executor(&host);
    loop_t *loop = loop_new();
    loop_future_t *future = NULL;
    int destroyed = 0;
    CHECK_INT(loop_run_in_executor(loop, executor, succeed, &destroyed, count, count, &future), -EBUSY);
    CHECK_INT(loop_executor_submit(executor, count, &destroyed, count), -EBUSY);
    host.refuse = -5000;
    CHECK_INT(loop_executor_submit(executor, count, &destroyed, count), -5000);
    CHECK_INT(destroyed, 3);
    CHECK(future == NULL);
    loop_executor_unref(executor);
    CHECK_INT(host.destroyed, 1);
    loop_unref(loop);
}

TEST(a_cancelled_job_is_given_back_or_does_nothing) {
    struct host host = {.gives_back = 1};
    loop_executor_t *executor = host_executor(&host);
    loop_t *loop = loop_new();
    loop_future_t *futures[3];
    int destroyed[3] = {0};
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_run_in_executor(loop, executor, succeed, &destroyed[i], count, count,
                                       &futures[i]), 0);
    CHECK_INT(loop_future_cancel(futures[0], NULL), 1);
    CHECK_INT(destroyed[0], 1);
    CHECK_INT(host.cancels, 1);
    CHECK(host.jobs[0] == NULL);
    host.gives_back = 0;
    CHECK_INT(loop_future_cancel(futures[1], NULL), 1);
    CHECK_INT(host.cancels, 2);
    loop_executor_job_run(host.jobs[1]);
    CHECK_INT(destroyed[1], 1);
    loop_executor_job_discard(host.jobs[2]);
    CHECK_INT(destroyed[2], 1);
    turn(loop);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(loop_future_cancelled(futures[i]), 1);
        loop_future_unref(futures[i]);
    }
    loop_executor_unref(executor);
    CHECK_INT(host.destroyed, 1);
    loop_unref(loop);
}

static void end_the_run(loop_future_t *future, void *unused) {
    (void)unused;
    CHECK_INT(loop_stop(loop_future_get_loop(future)), 0);
}

/* A job that runs another one on its way, and what they say of their ends. */
struct sayer {
    loop_executor_job_t *inner;
    int said, code;
};

static int say(void *data, void **ret_result) {
    struct sayer *sayer = data;
    (void)ret_result;
    CHECK_INT(loop_job_fail(sayer->said, "first"), sayer->said);
    int said = loop_job_fail(sayer->said, "the disk is gone");
    loop_executor_job_run(sayer->inner);
    CHECK_INT(loop_job_fail(0, "well"), LOOP_EINVAL);
    CHECK_INT(said, sayer->said);
    return sayer->code;
}

static void ends_so(loop_t *loop, loop_future_t *future, int code, const char *text) {
    turn(loop);
    CHECK_INT(loop_future_result(future, NULL), code);
    CHECK_STR(loop_last_error(), text);
    loop_future_unref(future);
}

/* What a job attaches to its failure. */
struct attached {
    int first, second, code;
};

static int attach(void *data, void **ret_result) {
    struct attached *self = data;
    (void)ret_result;
    CHECK_INT(loop_job_fail_data(-EIO, "first", &self->first, count), -EIO);
    CHECK_INT(loop_job_fail_data(-EPIPE, "second", &self->second, count), -EPIPE);
    CHECK_INT(self->first, 1);
    return self->code;
}

TEST(what_a_job_attaches_to_its_failure_goes_with_it) {
    struct host host = {0};
    loop_executor_t *executor = host_executor(&host);
    loop_t *loop = loop_new();
    struct attached fails = {.code = -EPIPE}, changes = {.code = -EIO}, works = {0}, leaves = {.code = LOOP_ECANCELLED};
    struct attached *all[] = {&fails, &changes, &works, &leaves};
    loop_future_t *futures[4], *shield;
    for (int i = 0; i < 4; i++)
        CHECK_INT(loop_run_in_executor(loop, executor, attach, all[i], NULL, NULL, &futures[i]), 0);
    CHECK_INT(loop_shield(futures[0], &shield), 0);
    for (int i = 0; i < 4; i++)
        loop_executor_job_run(host.jobs[i]);
    /* Whose code is another one is not that failure's. */
    CHECK_INT(changes.second, 1);
    CHECK_INT(works.second, 1);
    CHECK_INT(leaves.second, 1);
    CHECK_INT(fails.second, 0);
    turn(loop);
    turn(loop);
    CHECK_INT(loop_future_result(shield, NULL), -EPIPE);
    CHECK_STR(loop_last_error(), "second");
    CHECK(loop_future_exception_data(futures[0]) == &fails.second);
    CHECK(loop_future_exception_data(shield) == &fails.second);
    CHECK(loop_future_exception_data(futures[1]) == NULL);
    CHECK_INT(loop_future_result(futures[1], NULL), -EIO);
    for (int i = 0; i < 4; i++)
        loop_future_unref(futures[i]);
    CHECK_INT(fails.second, 0);
    loop_future_unref(shield);
    CHECK_INT(fails.second, 1);
    int refused = 0;
    CHECK_INT(loop_job_fail_data(-EIO, "no job", &refused, count), LOOP_EINVALID_STATE);
    CHECK_INT(loop_job_fail_data(0, "fine", &refused, count), LOOP_EINVAL);
    CHECK_INT(refused, 2);
    loop_executor_unref(executor);
    loop_unref(loop);
}

TEST(a_job_says_why_it_failed) {
    struct host host = {0};
    loop_executor_t *executor = host_executor(&host);
    loop_t *loop = loop_new();
    loop_future_t *outer, *inner, *other, *cancelled;
    struct sayer quiet = {NULL, -EPIPE, -EPIPE}, sayer = {NULL, -EIO, -EIO};
    struct sayer changed = {NULL, -EIO, -ENOENT}, leaves = {NULL, LOOP_ECANCELLED, LOOP_ECANCELLED};
    CHECK_INT(loop_run_in_executor(loop, executor, say, &quiet, NULL, NULL, &inner), 0);
    CHECK_INT(loop_run_in_executor(loop, executor, say, &sayer, NULL, NULL, &outer), 0);
    CHECK_INT(loop_run_in_executor(loop, executor, say, &changed, NULL, NULL, &other), 0);
    CHECK_INT(loop_run_in_executor(loop, executor, say, &leaves, NULL, NULL, &cancelled), 0);
    sayer.inner = host.jobs[0];
    for (int i = 1; i < 4; i++)
        loop_executor_job_run(host.jobs[i]);
    ends_so(loop, outer, -EIO, "the disk is gone");
    ends_so(loop, inner, -EPIPE, "the disk is gone");
    ends_so(loop, other, -ENOENT, "No such file or directory");
    ends_so(loop, cancelled, LOOP_ECANCELLED, "the disk is gone");
    CHECK_INT(loop_job_fail(-EIO, "no job"), LOOP_EINVALID_STATE);
    loop_executor_unref(executor);

    /* On a pool. */
    struct sayer pooled = {NULL, -EIO, -EIO};
    CHECK_INT(loop_run_in_executor(loop, NULL, say, &pooled, NULL, NULL, &outer), 0);
    while (!loop_future_done(outer))
        CHECK(loop_run_once(loop, -1) >= 0);
    ends_so(loop, outer, -EIO, "the disk is gone");
    CHECK_INT(loop_shutdown_default_executor(loop, -1, &outer), 0);
    while (!loop_future_done(outer))
        CHECK(loop_run_once(loop, -1) >= 0);
    loop_future_unref(outer);
    loop_unref(loop);
}

TEST(a_hosts_default_executor_is_waited_for) {
    struct host host = {0};
    loop_executor_t *executor = host_executor(&host);
    loop_t *loop = loop_new();
    loop_future_t *ended = NULL;
    int destroyed = 0;
    CHECK_INT(loop_set_default_executor(loop, executor), 0);
    CHECK_INT(loop_shutdown_default_executor(loop, 3600000 * MS, &ended), 0);
    CHECK_INT(loop_future_add_done_callback(ended, end_the_run, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_future_result(ended, NULL), 0);
    CHECK_INT(host.shutdowns, 1);
    CHECK_INT(host.flags, LOOP_EXECUTOR_WAIT);
    CHECK(host.timeout_ns == 3600000 * MS);
    CHECK_INT(loop_executor_submit(executor, count, &destroyed, count), LOOP_ESHUTDOWN);
    host.shutdown_result = -ETIMEDOUT;
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, 1), -ETIMEDOUT);
    loop_future_unref(ended);
    loop_executor_unref(executor);
    loop_unref(loop);
    CHECK_INT(host.destroyed, 1);
    if (in_valgrind())
        sleep_ns(300 * MS); /* the thread that waited ends */
}

TEST(an_executor_is_made_of_a_vtable_with_a_size_and_a_submit) {
    struct host host = {0};
    loop_executor_vtable_t vtable = {sizeof vtable, NULL, NULL, NULL};
    loop_executor_t *executor = NULL;
    CHECK_INT(loop_executor_create(&vtable, &host, host_destroyed, &executor), LOOP_EINVAL);
    CHECK_INT(loop_executor_create(NULL, &host, host_destroyed, &executor), LOOP_EINVAL);
    vtable.submit = host_submit;
    CHECK_INT(loop_executor_create(&vtable, &host, host_destroyed, NULL), LOOP_EINVAL);
    vtable.size = sizeof vtable.size;
    CHECK_INT(loop_executor_create(&vtable, &host, host_destroyed, &executor), LOOP_EINVAL);
    CHECK_INT(host.destroyed, 4);
    struct {
        loop_executor_vtable_t known;
        void *later;
    } longer = {{sizeof longer, host_submit, NULL, NULL}, NULL};
    CHECK_INT(loop_executor_create(&longer.known, &host, host_destroyed, &executor), 0);
    CHECK_INT(loop_executor_threads(executor), LOOP_ENOTSUP);
    CHECK_INT(loop_executor_queued(executor), LOOP_ENOTSUP);
    CHECK_INT(loop_executor_set_workers(executor, 2), LOOP_ENOTSUP);
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, -1), 0);
    loop_executor_unref(executor);
    CHECK_INT(host.destroyed, 5);
    longer.later = &host;
    CHECK_INT(loop_executor_create(&longer.known, &host, host_destroyed, &executor), LOOP_EINVAL);
    CHECK_INT(host.destroyed, 6);
    loop_executor_job_run(NULL);
    loop_executor_job_discard(NULL);
}

static void use_in_child(void *data) {
    struct host *host = ((void **)data)[0];
    loop_executor_t *executor = ((void **)data)[1];
    int destroyed = 0;
    CHECK_INT(loop_executor_submit(executor, count, &destroyed, count), LOOP_EFORKED);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_executor_reinit_after_fork(executor), 0);
    CHECK_INT(loop_executor_reinit_after_fork(executor), LOOP_EINVAL);
    CHECK_INT(loop_executor_submit(executor, count, &destroyed, count), 0);
    loop_executor_job_run(host->jobs[0]);
    CHECK_INT(destroyed, 3);
    loop_executor_unref(executor);
    CHECK_INT(host->destroyed, 1);
}

TEST(F11_a_hosts_executor_works_in_a_child_once_the_host_says_so) {
    struct host host = {0};
    loop_executor_t *executor = host_executor(&host);
    void *both[] = {&host, executor};
    CHECK_INT(in_child(use_in_child, both), 0);
    loop_executor_unref(executor);
    CHECK_INT(host.destroyed, 1);
}
