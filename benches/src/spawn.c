/* spawn: start /bin/true without redirections, wait for its exit, again; from a parent with
 * 200 MB of memory in use, because that is what fork would have to copy page tables of.
 * The CPU time is that of parent and children: the wall time of one child after the other is
 * mostly that of the machine's other work.
 *
 *   void b_spawn_setup(void);
 *   void b_spawn_run(uint64_t count);    one after the other */
#include "adapter.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/resource.h>

#define SPAWN_PROGRAM "/bin/true"

#include BENCH_SPAWN

static uint64_t children_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

static uint64_t children_begin;

static void spawn_body(uint64_t count)
{
    children_begin = children_cpu();
    b_spawn_run(count);
}

void spawn(const struct scenario *self)
{
    char extra[64];
    uint64_t count;
    char *ballast = malloc((size_t)self->a);
    if (!ballast)
        bench_die("malloc");
    memset(ballast, 1, (size_t)self->a);
    b_spawn_setup();
    struct bench_span span = bench_calibrated(spawn_body, 20, &count);
    uint64_t children = children_cpu() - children_begin;
    span.cpu += children;
    snprintf(extra, sizeof extra, "\"children_cpu_ns_per_op\": %.0f",
             (double)children / (double)count);
    bench_report(self->name, span, count, extra);
    free(ballast);
}
