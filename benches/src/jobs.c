/* jobs: 100k empty jobs for 4 threads, submitted in one go by a callback of the loop. A job
 * is done when the loop's thread has been told so.
 *
 *   void b_jobs_setup(unsigned threads);
 *   void b_jobs_run(size_t count, int futures);   returns when all are done */
#include "adapter.h"

#include BENCH_JOBS

enum { THREADS = 4 };

void jobs(const struct scenario *self)
{
    struct bench_span span, begin;
    uint64_t count = 0;
    b_jobs_setup(THREADS);
    b_jobs_run((size_t)self->a, (int)self->b); /* starts the threads, lets the queues grow */
    begin = bench_begin();
    do {
        b_jobs_run((size_t)self->a, (int)self->b);
        count += (uint64_t)self->a;
        span = bench_end(begin);
    } while (span.wall < bench_target_ns());
    bench_report(self->name, span, count, NULL);
}
