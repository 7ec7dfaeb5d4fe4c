/* uv_queue_work; a request is all that a job needs, and is used again. */
#include <stdio.h>
#include <stdlib.h>


static uv_loop_t uv_jobs_loop;
static uv_work_t *uv_jobs;
static size_t uv_jobs_room, uv_jobs_left;

static void uv_empty_job(uv_work_t *job) { (void)job; }

static void uv_job_done(uv_work_t *job, int status)
{
    (void)job;
    b_uv(status);
    uv_jobs_left--;
}

static void b_jobs_setup(unsigned threads)
{
    char text[16];
    snprintf(text, sizeof text, "%u", threads);
    setenv("UV_THREADPOOL_SIZE", text, 1);
    b_uv(uv_loop_init(&uv_jobs_loop));
}

/* libuv's loop ends when nothing is left to do, so a callback to submit from would only
 * add to its work. */
static void b_jobs_run(size_t count, int futures)
{
    (void)futures;
    if (count > uv_jobs_room) {
        uv_jobs = realloc(uv_jobs, count * sizeof *uv_jobs);
        uv_jobs_room = count;
    }
    uv_jobs_left = count;
    for (size_t i = 0; i < count; i++)
        b_uv(uv_queue_work(&uv_jobs_loop, &uv_jobs[i], uv_empty_job, uv_job_done));
    uv_run(&uv_jobs_loop, UV_RUN_DEFAULT);
    if (uv_jobs_left != 0)
        bench_die("uv_run ended with jobs left");
}
