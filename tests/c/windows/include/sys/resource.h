/* Limits that Windows has not, and the time a process has used. */
#ifndef COLOOP_TESTS_SYS_RESOURCE_H
#define COLOOP_TESTS_SYS_RESOURCE_H

#include "../../absent.h"
#include <time.h>

typedef unsigned long long rlim_t;
struct rlimit {
    rlim_t rlim_cur, rlim_max;
};
#define RLIMIT_NOFILE 7
#define RLIMIT_AS 9
#define RLIM_INFINITY ((rlim_t)-1)
/* Only how many files may be open: more than any test wants, and no fewer. */
int getrlimit(int resource, struct rlimit *limit);
int setrlimit(int resource, const struct rlimit *limit);

struct time_used {
    long tv_sec, tv_usec;
};
struct rusage {
    struct time_used ru_utime, ru_stime;
};
#define RUSAGE_SELF 0
int getrusage(int who, struct rusage *usage);

#endif
