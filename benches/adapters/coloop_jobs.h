/* loop_call_in_executor, which is libuv's way, and loop_run_in_executor, which is asyncio's;
 * with a pool of its own. */

static loop_t *coloop_jobs_loop;
static loop_executor_t *coloop_pool;
static size_t coloop_jobs_left;

static void coloop_job_done(void *user_data)
{
    (void)user_data;
    if (--coloop_jobs_left == 0)
        b_check(loop_stop(coloop_jobs_loop));
}

static void coloop_empty_job(void *user_data) { (void)user_data; }

static void coloop_submit(void *count)
{
    coloop_jobs_left = (size_t)count;
    for (size_t i = (size_t)count; i > 0; i--)
        b_check(loop_call_in_executor(coloop_jobs_loop, coloop_pool, coloop_empty_job,
                                      coloop_job_done, NULL, NULL));
}

static int coloop_future_job(void *user_data, void **ret_result)
{
    (void)user_data, (void)ret_result;
    return 0;
}

static void coloop_future_done(loop_future_t *future, void *user_data)
{
    (void)future;
    coloop_job_done(user_data);
}

static void coloop_submit_futures(void *count)
{
    coloop_jobs_left = (size_t)count;
    for (size_t i = (size_t)count; i > 0; i--) {
        loop_future_t *future;
        b_check(loop_run_in_executor(coloop_jobs_loop, coloop_pool, coloop_future_job, NULL, NULL,
                                     NULL, &future));
        b_check(loop_future_add_done_callback(future, coloop_future_done, NULL, NULL));
        loop_future_unref(future);
    }
}

static void b_jobs_setup(unsigned threads)
{
    coloop_jobs_loop = b_loop_new(B_DEFAULT);
    b_check(loop_executor_new(threads, &coloop_pool));
}

static void b_jobs_run(size_t count, int futures)
{
    b_check(loop_call_soon(coloop_jobs_loop, futures ? coloop_submit_futures : coloop_submit,
                           (void *)count, NULL, NULL));
    b_check(loop_run_forever(coloop_jobs_loop));
}
