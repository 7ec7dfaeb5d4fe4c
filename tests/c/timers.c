/* Timers: never early, in order, without spinning. */
#include "test.h"
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

struct timed {
    loop_t *loop;
    uint64_t when;
    long long when_monotonic;
    int *left;
};

static void check_not_early(void *data) {
    struct timed *timed = data;
    CHECK(now_ns() >= timed->when_monotonic);
    CHECK(loop_time_cached(timed->loop) >= timed->when);
    CHECK(loop_time(timed->loop) >= timed->when);
    if (--*timed->left == 0)
        CHECK_INT(loop_stop(timed->loop), 0);
}

TEST(timers_are_never_early) {
    enum { TIMERS = 1500 };
    static struct timed timers[TIMERS];
    loop_t *loop = loop_new();
    int left = TIMERS;
    unsigned seed = 1;
    for (int i = 0; i < TIMERS; i++) {
        seed = seed * 1103515245 + 12345;
        /* Up to 60 ms, to the nanosecond: rounding down anywhere would show. */
        long long delay = (seed >> 4) % (60 * MS);
        long long before = now_ns();
        if (i % 2 == 0) {
            loop_handle_t handle;
            CHECK_INT(loop_call_later(loop, delay, check_not_early, &timers[i], NULL, &handle), 0);
            CHECK_INT(loop_handle_when(loop, handle, &timers[i].when), 0);
            CHECK(timers[i].when >= (uint64_t)(before + delay));
        } else {
            timers[i].when = loop_time(loop) + delay;
            CHECK_INT(loop_call_at(loop, timers[i].when, check_not_early, &timers[i], NULL,
                                   NULL), 0);
        }
        timers[i].loop = loop;
        timers[i].when_monotonic = before + delay;
        timers[i].left = &left;
    }
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(left, 0);
    loop_unref(loop);
}

struct numbered {
    int *next;
    int number;
};

static void check_turn_of(void *data) {
    struct numbered *numbered = data;
    CHECK_INT(numbered->number, *numbered->next);
    ++*numbered->next;
}

TEST(E21_equal_deadlines_run_in_the_order_of_scheduling) {
    enum { TIMERS = 1000 };
    static struct numbered numbers[TIMERS];
    loop_t *loop = loop_new();
    int next = 0, other = 0;
    uint64_t when = loop_time(loop) + 10 * MS;
    for (int i = 0; i < TIMERS; i++) {
        numbers[i] = (struct numbered){&next, i};
        CHECK_INT(loop_call_at(loop, when, check_turn_of, &numbers[i], NULL, NULL), 0);
        /* Neighbours that move the heap about. */
        CHECK_INT(loop_call_at(loop, when - 1 - i, count, &other, NULL, NULL), 0);
        CHECK_INT(loop_call_at(loop, when + 1 + (i * 7919) % 1000, count, &other, NULL, NULL), 0);
    }
    CHECK_INT(loop_call_at(loop, when + MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(next, TIMERS);
    CHECK_INT(other, 2 * TIMERS);
    loop_unref(loop);
}

TEST(E23_timers_run_in_the_order_of_their_deadlines) {
    enum { TIMERS = 500 };
    static struct numbered numbers[TIMERS];
    loop_t *loop = loop_new();
    int next = 0;
    uint64_t base = loop_time(loop);
    for (int i = 0; i < TIMERS; i++) {
        int number = i * 263 % TIMERS; /* every number once, far from sorted */
        numbers[i] = (struct numbered){&next, number};
        uint64_t when = base + number * 20000ULL;
        CHECK_INT(loop_call_at(loop, when, check_turn_of, &numbers[i], NULL, NULL), 0);
    }
    CHECK_INT(loop_call_at(loop, base + TIMERS * 20000ULL, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(next, TIMERS);
    loop_unref(loop);
}

static uint64_t real_time(void *data) {
    (void)data;
    return now_ns();
}

static void check_number_of_turns(loop_clock_t clock) {
    loop_options_t options = {.size = sizeof options, .clock = clock};
    loop_t *loop = NULL;
    CHECK_INT(loop_create(&options, &loop), 0);
    for (int i = 0; i < 20; i++) {
        int ran = 0, turns = 0;
        long long before = now_ns(), delay = 2 * MS + i * 97531;
        CHECK_INT(loop_call_later(loop, delay, count, &ran, NULL, NULL), 0);
        for (; !ran; turns++)
            CHECK(loop_run_once(loop, -1) >= 0);
        CHECK(now_ns() - before >= delay);
        /* A wait that ends too soon is repeated over and over. */
        CHECK(turns <= 4);
    }
    loop_unref(loop);
}

TEST(a_timer_costs_few_turns_by_any_clock) {
    check_number_of_turns(NULL);
    check_number_of_turns(real_time);
}

#ifdef __linux__
/* Older kernels, and some sandboxes, know waits of whole milliseconds only. */
TEST(a_timer_costs_few_turns_where_the_system_counts_milliseconds) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 441, 0, 1), /* epoll_pwait2 */
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (!in_valgrind()) { /* it lacks the call by itself */
        CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        CHECK_INT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
        CHECK_INT(syscall(441, -1, NULL, 0, NULL, NULL, 0), -1);
        CHECK_INT(errno, ENOSYS);
    }
    check_number_of_turns(NULL);
    check_number_of_turns(real_time);
}
#endif

static int waits;

static void count_wait(loop_t *loop, void *data) {
    (void)loop;
    (void)data;
    waits++;
}

TEST(a_wait_for_a_timer_does_not_spin) {
    loop_t *loop = loop_new();
    struct rusage before, after;
    CHECK_INT(loop_set_wait_hooks(loop, count_wait, NULL, NULL, NULL), 0);
    CHECK_INT(getrusage(RUSAGE_SELF, &before), 0);
    for (int i = 1; i <= 10; i++)
        CHECK_INT(loop_call_later(loop, i * 40 * MS + 123457, i < 10 ? count : stop_loop,
                                  i < 10 ? (void *)&waits : (void *)loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(getrusage(RUSAGE_SELF, &after), 0);
    /* One wait and one callback for each of nine timers, and one for the last;
     * a second wait where a kernel knows milliseconds only. */
    CHECK(waits <= 10 + 9 + 10);
    if (!in_valgrind()) {
        long long used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000LL
            + after.ru_utime.tv_usec - before.ru_utime.tv_usec;
        CHECK(used < 100000);
    }
    loop_unref(loop);
}

TEST(a_timer_of_some_microseconds_is_not_rounded_to_milliseconds) {
    loop_t *loop = loop_new();
    long long best = 1000 * MS;
    for (int i = 0; i < 300; i++) {
        int ran = 0;
        long long before = now_ns();
        CHECK_INT(loop_call_later(loop, 50000, count, &ran, NULL, NULL), 0);
        while (!ran)
            CHECK(loop_run_once(loop, -1) >= 0);
        long long took = now_ns() - before;
        CHECK(took >= 50000);
        if (took < best)
            best = took;
    }
    /* The best of many: a busy machine may be late, but not always. */
    if (!in_valgrind())
        CHECK(best < MS);
    loop_unref(loop);
}

TEST(delays_at_the_ends_of_the_range_do_not_overflow) {
    loop_t *loop = loop_new();
    int far = 0, near = 0, destroyed = 0;
    loop_handle_t handle;
    uint64_t when = 0;
    CHECK_INT(loop_call_later(loop, INT64_MAX, count, &far, NULL, &handle), 0);
    CHECK_INT(loop_handle_when(loop, handle, &when), 0);
    CHECK(when > loop_time(loop) + (uint64_t)INT64_MAX / 2);
    CHECK_INT(loop_call_at(loop, UINT64_MAX, count, &far, NULL, NULL), 0);
    CHECK_INT(loop_call_at(loop, UINT64_MAX - 1, count, &destroyed, count, NULL), 0);
    CHECK_INT(loop_call_later(loop, INT64_MIN, count, &near, NULL, NULL), 0);
    CHECK_INT(loop_call_at(loop, 0, count, &near, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, -1, count, &near, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, -1), 3);
    CHECK_INT(near, 3);
    CHECK_INT(loop_call_later(loop, MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_run_once(loop, MS), 0);
    CHECK_INT(far, 0);
    loop_unref(loop);
    CHECK_INT(destroyed, 1);
}

struct ticker {
    loop_t *loop;
    int left;
    uint64_t when;
};

static void tick(void *data) {
    struct ticker *ticker = data;
    CHECK(loop_time(ticker->loop) >= ticker->when);
    if (--ticker->left == 0) {
        CHECK_INT(loop_stop(ticker->loop), 0);
        return;
    }
    ticker->when += 300000;
    CHECK_INT(loop_call_at(ticker->loop, ticker->when, tick, ticker, NULL, NULL), 0);
}

TEST(a_timer_may_set_its_successor_and_does_not_drift) {
    struct ticker ticker = {loop_new(), 100, 0};
    ticker.when = loop_time(ticker.loop) + 300000;
    CHECK_INT(loop_call_at(ticker.loop, ticker.when, tick, &ticker, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(ticker.loop), 0);
    CHECK_INT(ticker.left, 0);
    loop_unref(ticker.loop);
}

TEST(cancelled_timers_neither_run_nor_wake_the_loop_nor_pile_up) {
    loop_t *loop = loop_new();
    int ran = 0, destroyed = 0, timers = in_valgrind() ? 20000 : 1000000;
    loop_handle_t handle, oldest;
    CHECK_INT(loop_set_wait_hooks(loop, count_wait, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, MS, count, &ran, NULL, &oldest), 0);
    long before = resident_kib();
    for (int i = 0; i < timers; i++) {
        /* Timeouts that never strike: each set before the last one is cancelled. */
        CHECK_INT(loop_call_later(loop, 5 * MS + i, count, &destroyed, count, &handle), 0);
        CHECK_INT(loop_handle_cancel(loop, oldest), 0);
        oldest = handle;
    }
    long after = resident_kib();
    CHECK_INT(loop_handle_cancel(loop, oldest), 0);
    CHECK_INT(destroyed, timers);
    if (!in_valgrind())
        CHECK(after - before < 4096); /* all kept would be 16 MiB */
    waits = 0;
    CHECK_INT(loop_call_later(loop, 60 * MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(ran, 0);
    CHECK(waits <= 3);
    loop_unref(loop);
}

struct pair {
    loop_t *loop;
    loop_handle_t other;
    int ran;
};

static void cancel_other(void *data) {
    struct pair *pair = data;
    pair->ran++;
    CHECK_INT(loop_handle_cancel(pair->loop, pair->other), 0);
}

TEST(a_timer_may_cancel_another_that_is_due_with_it) {
    loop_t *loop = loop_new();
    struct pair first = {loop, 0, 0};
    int ran = 0, destroyed = 0;
    uint64_t when = loop_time(loop) + MS;
    CHECK_INT(loop_call_at(loop, when, cancel_other, &first, NULL, NULL), 0);
    CHECK_INT(loop_call_at(loop, when, count, &destroyed, count, &first.other), 0);
    CHECK_INT(loop_call_at(loop, when, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 2 * MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(first.ran, 1);
    CHECK_INT(destroyed, 1);
    CHECK_INT(ran, 1);
    loop_unref(loop);
}

TEST(next_deadline_is_the_earliest_live_timer) {
    loop_t *loop = loop_new();
    loop_handle_t early;
    uint64_t when = 5;
    CHECK_INT(loop_next_deadline(loop, &when), 0);
    CHECK_INT(when, 5);
    CHECK_INT(loop_call_at(loop, 3000, count, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_at(loop, 1000, count, NULL, NULL, &early), 0);
    CHECK_INT(loop_call_at(loop, 2000, count, NULL, NULL, NULL), 0);
    CHECK_INT(loop_next_deadline(loop, &when), 1);
    CHECK_INT(when, 1000);
    CHECK_INT(loop_handle_cancel(loop, early), 0);
    CHECK_INT(loop_next_deadline(loop, &when), 1);
    CHECK_INT(when, 2000);
    loop_unref(loop);
}
