/* The loop's clock, a host's own clock, and timer slack. */
#include "test.h"

struct clock {
    uint64_t now;
    int readings;
};

static uint64_t read_clock(void *data) {
    struct clock *clock = data;
    clock->readings++;
    return clock->now;
}

static loop_t *loop_with(struct clock *clock) {
    loop_options_t options = {.size = sizeof options, .clock = read_clock, .clock_data = clock};
    loop_t *loop = NULL;
    CHECK_INT(loop_create(&options, &loop), 0);
    return loop;
}

TEST(the_default_clock_is_monotonic) {
    loop_t *loop = loop_new();
    long long before = now_ns();
    uint64_t time = loop_time(loop);
    CHECK(time >= (uint64_t)before && time <= (uint64_t)now_ns());
    for (int i = 0; i < 10000; i++) {
        uint64_t next = loop_time(loop);
        CHECK(next >= time);
        time = next;
    }
    loop_unref(loop);
}

TEST(timers_follow_the_clock_of_the_host) {
    struct clock clock = {.now = 1000};
    loop_t *loop = loop_with(&clock);
    struct log log = {0};
    struct mark a = {&log, 'a'}, b = {&log, 'b'};
    loop_handle_t handle;
    uint64_t when;
    CHECK_INT(loop_time(loop), 1000);
    CHECK_INT(loop_call_later(loop, 500, leave_mark, &b, NULL, &handle), 0);
    CHECK_INT(loop_handle_when(loop, handle, &when), 0);
    CHECK_INT(when, 1500);
    CHECK_INT(loop_call_at(loop, 1200, leave_mark, &a, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    clock.now = 1199;
    CHECK_INT(loop_run_once(loop, 0), 0);
    clock.now = 1200;
    CHECK_INT(loop_run_once(loop, 0), 1);
    clock.now = 1499;
    CHECK_INT(loop_run_once(loop, 0), 0);
    clock.now = 99999;
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_STR(log.text, "ab");
    CHECK(clock.readings > 0);
    loop_unref(loop);
}

struct hours {
    loop_t *loop;
    struct clock *clock;
    int passed;
};

static void one_hour(void *data) {
    struct hours *hours = data;
    if (++hours->passed == 100) {
        CHECK_INT(loop_stop(hours->loop), 0);
        return;
    }
    CHECK_INT(loop_call_later(hours->loop, 3600 * 1000 * MS, one_hour, hours, NULL, NULL), 0);
    /* It passes now: a loop that did not ask again would really wait for it. */
    hours->clock->now += 3600 * 1000 * MS;
}

TEST(a_clock_that_jumps_ahead_makes_timers_due) {
    struct clock clock = {.now = 5};
    struct hours hours = {loop_with(&clock), &clock, 0};
    CHECK_INT(loop_call_soon(hours.loop, one_hour, &hours, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(hours.loop), 0);
    CHECK_INT(hours.passed, 100);
    loop_unref(hours.loop);
}

struct cached {
    loop_t *loop;
    struct clock *clock;
};

static void check_cached(void *data) {
    struct cached *cached = data;
    uint64_t first = loop_time_cached(cached->loop);
    cached->clock->now += 5000;
    CHECK_INT(loop_time_cached(cached->loop), first);
    CHECK_INT(loop_time(cached->loop), first + 5000);
    CHECK_INT(loop_time_cached(cached->loop), first + 5000);
}

TEST(the_cached_time_stands_still_until_the_clock_is_read) {
    struct clock clock = {.now = 1};
    struct cached cached = {loop_with(&clock), &clock};
    for (int turn = 0; turn < 3; turn++) {
        clock.now += 100000;
        CHECK_INT(loop_call_soon(cached.loop, check_cached, &cached, NULL, NULL), 0);
        CHECK_INT(loop_run_once(cached.loop, 0), 1);
    }
    loop_unref(cached.loop);
}

static void call_at_now(void *data) {
    struct cached *cached = data;
    CHECK_INT(loop_call_at(cached->loop, loop_time(cached->loop), stop_loop, cached->loop, NULL,
                           NULL), 0);
}

/* The clock does not move: a loop that wanted more than "now" would hang. */
TEST(a_timer_for_the_time_just_read_is_due) {
    struct clock clock = {.now = 123};
    struct cached cached = {loop_with(&clock), &clock};
    CHECK_INT(loop_call_soon(cached.loop, call_at_now, &cached, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(cached.loop), 0);
    loop_unref(cached.loop);
}

static int waits;

static void count_wait(loop_t *loop, void *data) {
    (void)loop;
    (void)data;
    waits++;
}

struct slack {
    loop_t *loop;
    uint64_t when;
    int *ran;
};

static void check_due(void *data) {
    struct slack *slack = data;
    CHECK(loop_time(slack->loop) >= slack->when);
    ++*slack->ran;
}

TEST(slack_lets_timers_share_a_wake_up_and_is_never_early) {
    enum { TIMERS = 40, SLACK_MS = 200 };
    static struct slack timers[TIMERS];
    loop_options_t options = {.size = sizeof options, .timer_slack_ns = SLACK_MS * MS};
    loop_t *loop = NULL;
    int ran = 0;
    CHECK_INT(loop_create(&options, &loop), 0);
    CHECK_INT(loop_set_wait_hooks(loop, count_wait, NULL, NULL, NULL), 0);
    /* 4 ms apart over 160 ms: one wake-up each without slack; with it they
     * lie in two windows of 200 ms at most. */
    uint64_t begin = loop_time(loop) + 20 * MS;
    for (int i = 0; i < TIMERS; i++) {
        timers[i] = (struct slack){loop, begin + i * 4 * MS, &ran};
        CHECK_INT(loop_call_at(loop, timers[i].when, check_due, &timers[i], NULL, NULL), 0);
    }
    int turns = 0;
    for (; ran < TIMERS; turns++)
        CHECK(loop_run_once(loop, -1) >= 0);
    CHECK(waits <= 6);
    CHECK(turns <= 12); /* more would be turns that found nothing due */
    loop_unref(loop);
}

TEST(slack_of_any_size_delays_no_more_than_itself_and_is_never_early) {
    static const uint64_t slacks[] = {1, 7, 999, 1000000, 3333333, 20000000};
    for (size_t i = 0; i < sizeof slacks / sizeof *slacks; i++) {
        loop_options_t options = {.size = sizeof options, .timer_slack_ns = slacks[i]};
        loop_t *loop = NULL;
        int ran = 0;
        CHECK_INT(loop_create(&options, &loop), 0);
        for (int round = 0; round < 5; round++) {
            struct slack timer = {loop, loop_time(loop) + 1234567, &ran};
            CHECK_INT(loop_call_at(loop, timer.when, check_due, &timer, NULL, NULL), 0);
            while (ran == round)
                CHECK(loop_run_once(loop, -1) >= 0);
        }
        loop_unref(loop);
    }
    /* A slack beyond every deadline must not overflow: what is due runs all the same. */
    loop_options_t options = {.size = sizeof options, .timer_slack_ns = UINT64_MAX};
    loop_t *loop = NULL;
    int ran = 0;
    CHECK_INT(loop_create(&options, &loop), 0);
    CHECK_INT(loop_call_later(loop, 0, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, -1), 1);
    CHECK_INT(loop_call_later(loop, 3600 * 1000 * MS, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_unref(loop);
}
