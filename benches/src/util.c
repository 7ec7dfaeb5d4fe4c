/* The parts of bench.h that are not on a measured path. */
#define _GNU_SOURCE
#include "adapter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int bench_divisor = 1;

struct bench_span bench_calibrated(void (*body)(uint64_t n), uint64_t first, uint64_t *ret_n)
{
    uint64_t n = first;
    uint64_t target = bench_target_ns();
    for (;;) {
        struct bench_span begin = bench_begin();
        body(n);
        struct bench_span span = bench_end(begin);
        /* 0.8: a run that was only just too short is not worth a second one. */
        if (span.wall * 10 >= target * 8) {
            *ret_n = n;
            return span;
        }
        double grow = 1.1 * (double)target / (double)(span.wall + 1);
        n = (uint64_t)((double)n * (grow < 1.5 ? 1.5 : grow > 50 ? 50 : grow)) + 1;
    }
}

void bench_report(const char *scenario, struct bench_span span, uint64_t ops, const char *extra)
{
    printf("{\"scenario\": \"%s\", \"lib\": \"%s\", \"cpu_ns_per_op\": %.3f, "
           "\"wall_ns_per_op\": %.3f, \"ops\": %llu%s%s}\n",
           scenario, B_NAME, (double)span.cpu / (double)ops, (double)span.wall / (double)ops,
           (unsigned long long)ops, extra ? ", " : "", extra ? extra : "");
    fflush(stdout);
}

void bench_die(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", B_NAME, what, strerror(errno));
    exit(1);
}

void *bench_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size ? size : 1);
    if (!memory)
        bench_die("calloc");
    return memory;
}

uint32_t *bench_permutation(uint32_t count, uint64_t seed)
{
    uint32_t *order = bench_alloc(count, sizeof *order);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(bench_random(&seed) % (i + 1));
        uint32_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    return order;
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static int compare_i64(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

uint64_t bench_median(uint64_t *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_u64);
    return values[count / 2];
}

int64_t bench_median_signed(int64_t *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_i64);
    return values[count / 2];
}

void bench_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        bench_die("sched_setaffinity");
}

void bench_raise_nofile(int wanted)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= (rlim_t)wanted)
        return;
    if (limit.rlim_max < (rlim_t)wanted)
        limit.rlim_max = (rlim_t)wanted;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        bench_die("setrlimit(RLIMIT_NOFILE)");
}

size_t bench_rss(void)
{
    malloc_trim(0);
    /* Not statm: its counters lag behind by up to a quarter of a megabyte, and they count
     * the code that was run meanwhile for the first time. */
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    unsigned long resident = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Anonymous: %lu kB", &resident) == 1)
            break;
    if (resident == 0)
        bench_die("/proc/self/smaps_rollup");
    fclose(file);
    return resident * 1024;
}

int bench_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    if (!dir)
        bench_die("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 3; /* ".", ".." and the directory itself */
}

void bench_nonblocking(int fd)
{
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
        bench_die("fcntl(O_NONBLOCK)");
}
