/* A test is a function that returns, or ends the process by a failed CHECK.
 * The runner (run.py) gives each test a process and a time limit of its own.
 * Names begin with the rows of docs/contract.md that the test holds. */
#ifndef TEST_H
#define TEST_H

#include "coloop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
    const char *name;
    void (*run)(void);
    const char *file;
    struct test *next;
};

extern struct test *test_list;

#define TEST(test_name)                                                       \
    static void test_name(void);                                              \
    __attribute__((constructor)) static void register_##test_name(void) {     \
        static struct test test = {#test_name, test_name, __FILE__, NULL};    \
        test.next = test_list;                                                \
        test_list = &test;                                                    \
    }                                                                         \
    static void test_name(void)

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: not true: %s (last error: %s)\n",         \
                    __FILE__, __LINE__, #condition, loop_last_error());       \
            exit(1);                                                          \
        }                                                                     \
    } while (0)

#define CHECK_INT(expression, expected)                                       \
    do {                                                                      \
        long long got_ = (long long)(expression);                             \
        long long want_ = (long long)(expected);                              \
        if (got_ != want_) {                                                  \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld (last error: %s)\n", \
                    __FILE__, __LINE__, #expression, got_, want_,             \
                    loop_last_error());                                       \
            exit(1);                                                          \
        }                                                                     \
    } while (0)

#define CHECK_STR(expression, expected)                                       \
    do {                                                                      \
        const char *got_ = (expression);                                      \
        const char *want_ = (expected);                                       \
        if (strcmp(got_, want_) != 0) {                                       \
            fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__,    \
                    __LINE__, #expression, got_, want_);                      \
            exit(1);                                                          \
        }                                                                     \
    } while (0)

#ifdef _WIN32
enum { ON_WINDOWS = 1 };
#else
enum { ON_WINDOWS = 0 };
#endif

#define MS 1000000LL

/* The back end that the library must have. */
#ifdef _WIN32
#define BACKEND LOOP_BACKEND_IOCP
#define BACKEND_NAME "iocp"
#define BACKEND_HAS_FD 0
#elif defined(TEST_POLL)
#define BACKEND LOOP_BACKEND_POLL
#define BACKEND_NAME "poll"
#define BACKEND_HAS_FD 0
#else
#define BACKEND LOOP_BACKEND_EPOLL
#define BACKEND_NAME "epoll"
#define BACKEND_HAS_FD 1
#endif

/* The loop opens what it needs to wait. -errno if it cannot. */
int open_backend(loop_t *loop);

/* A record of what ran, in order: record(&log, 'a') and then CHECK_STR(log.text, "a"). */
struct log {
    char text[256];
    size_t length;
};

static inline void record(struct log *log, char mark) {
    if (log->length + 1 < sizeof log->text) {
        log->text[log->length++] = mark;
        log->text[log->length] = '\0';
    }
}

/* loop_stop as a callback: user_data is the loop. */
void stop_loop(void *loop);
/* Adds 1 to the int behind user_data; also serves as a destructor. */
void count(void *number);
/* Monotonic nanoseconds, and sleeping. */
long long now_ns(void);
void sleep_ns(long long nanoseconds);
/* How many descriptors this process has open. */
int open_fds(void);
/* A mark for a log, and the callback (or destructor) that leaves it there. */
struct mark {
    struct log *log;
    char mark;
};
void leave_mark(void *mark);
/* A pipe whose ends do not block. */
void open_pipe(int ends[2]);
/* Under valgrind everything is some fifty times slower. */
int in_valgrind(void);
/* How much memory this process occupies, in KiB. */
long resident_kib(void);
/* Runs body in a forked child and yields its exit status (a failed CHECK: 1). */
int in_child(void (*body)(void *), void *argument);

#endif
