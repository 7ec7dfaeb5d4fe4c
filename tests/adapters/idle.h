/* What the tests of the adapters share: running for a while, and what the loop did. */
#ifndef IDLE_H
#define IDLE_H

#include "../c/test.h"

static inline loop_stats_t stats_of(loop_t *loop) {
    loop_stats_t stats = {.size = sizeof stats};
    CHECK_INT(loop_get_stats(loop, &stats), 0);
    return stats;
}

static inline void run_for(loop_t *loop, long long nanoseconds) {
    CHECK_INT(loop_call_later(loop, nanoseconds, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
}

/* Runs for a while in which nothing happens; a loop that spins makes thousands of turns. */
static inline void check_idle(loop_t *loop) {
    uint64_t before = stats_of(loop).turns;
    run_for(loop, 300 * MS);
    uint64_t turns = stats_of(loop).turns - before;
    if (turns > 30)
        fprintf(stderr, "%llu turns while idle\n", (unsigned long long)turns);
    CHECK(turns <= 30);
}

/* Runs until `*condition` is not 0; the runner limits the time. */
static inline void run_until(loop_t *loop, const int *condition) {
    while (!*condition)
        CHECK(loop_run_once(loop, -1) >= 0);
}

/* What the driver says of its servers. */
static inline const char *environment(const char *name) {
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set: run by tests/adapters/with_servers.py\n", name);
        exit(1);
    }
    return value;
}

/* A loop that has nothing left of an adapter, and its end. */
static inline void close_clean(loop_t *loop) {
    CHECK_INT(loop_run_once(loop, 0) >= 0, 1);
    CHECK_INT(stats_of(loop).fds_now, 0);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}
#endif
