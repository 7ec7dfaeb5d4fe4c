/* Nobody can keep the others from being served: bounds are counted in turns,
 * because a busy machine makes turns longer, never more. */
#include "loop_thread.h"
#include <stdatomic.h>
#include <unistd.h>

struct busy {
    loop_t *loop;
    int turns;      /* made since the event was caused */
    int caused, served;
    int worst;
    int rounds;
    long long burn; /* how long one turn takes */
    int ends[2];
    void (*cause)(struct busy *);
};

static void serve(struct busy *busy) {
    busy->served++;
    if (busy->turns > busy->worst)
        busy->worst = busy->turns;
    if (busy->served == busy->rounds)
        CHECK_INT(loop_stop(busy->loop), 0);
}

static void serve_read(void *data) {
    struct busy *busy = data;
    char byte;
    CHECK_INT(read(busy->ends[0], &byte, 1), 1);
    serve(busy);
}

static void serve_timer(void *data) {
    serve(data);
}

/* Schedules itself for ever. Every few turns it causes an event. */
static void keep_busy(void *data) {
    struct busy *busy = data;
    if (busy->burn != 0) {
        long long end = now_ns() + busy->burn;
        while (now_ns() < end) {
        }
    }
    busy->turns++;
    CHECK(busy->turns < 100000);
    if (busy->caused == busy->served && busy->turns >= 10 + busy->caused % 77) {
        busy->caused++;
        busy->turns = 0;
        busy->cause(busy);
    }
    if (busy->served < busy->rounds)
        CHECK_INT(loop_call_soon(busy->loop, keep_busy, busy, NULL, NULL), 0);
}

static void cause_read(struct busy *busy) {
    CHECK_INT(write(busy->ends[1], "x", 1), 1);
}

static void cause_timer(struct busy *busy) {
    CHECK_INT(loop_call_at(busy->loop, 1, serve_timer, busy, NULL, NULL), 0);
}

/* Due a moment from now, so that the loop has to look at the clock to see it. */
static void cause_timer_soon(struct busy *busy) {
    uint64_t when = loop_time(busy->loop) + 1;
    CHECK_INT(loop_call_at(busy->loop, when, serve_timer, busy, NULL, NULL), 0);
    while (now_ns() <= (long long)when) {
    }
}

static void *post_serve(void *data) {
    struct busy *busy = data;
    CHECK_INT(loop_call_soon_threadsafe(busy->loop, serve_timer, busy, NULL, NULL), 0);
    return NULL;
}

static void cause_post(struct busy *busy) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, post_serve, busy), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

static int worst_number_of_turns(void (*cause)(struct busy *), long long burn, int rounds) {
    struct busy busy = {.loop = loop_new(), .cause = cause, .burn = burn, .rounds = rounds};
    open_pipe(busy.ends);
    CHECK_INT(loop_add_reader(busy.loop, busy.ends[0], serve_read, &busy, NULL), 0);
    CHECK_INT(loop_call_soon(busy.loop, keep_busy, &busy, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(busy.loop), 0);
    CHECK_INT(busy.served, rounds);
    loop_unref(busy.loop);
    close(busy.ends[0]);
    close(busy.ends[1]);
    return busy.worst;
}

TEST(endless_call_soon_does_not_starve_a_reader) {
    CHECK(worst_number_of_turns(cause_read, 0, 1000) <= 64);
}

TEST(endless_call_soon_does_not_starve_a_due_timer) {
    CHECK(worst_number_of_turns(cause_timer, 0, 1000) <= 64);
    CHECK(worst_number_of_turns(cause_timer_soon, 0, 1000) <= 64);
}

TEST(endless_call_soon_does_not_starve_posts) {
    CHECK(worst_number_of_turns(cause_post, 0, 100) <= 1);
}

/* 50 microseconds of callbacks at most, and the turn that passes them. */
TEST(slow_turns_are_interrupted_for_io_and_timers_after_few_of_them) {
    CHECK(worst_number_of_turns(cause_read, 20000, 100) <= 4);
    CHECK(worst_number_of_turns(cause_timer_soon, 20000, 100) <= 4);
    CHECK(worst_number_of_turns(cause_read, 60000, 100) <= 2);
    CHECK(worst_number_of_turns(cause_timer_soon, 60000, 100) <= 2);
}

struct endless {
    loop_t *loop;
    int reads, ticks, turns;
    int ends[2];
};

static void read_nothing(void *data) {
    struct endless *endless = data;
    endless->reads++; /* the byte stays: readable for ever */
}

static void tick(void *data) {
    struct endless *endless = data;
    if (++endless->ticks == 20)
        CHECK_INT(loop_stop(endless->loop), 0);
    else
        CHECK_INT(loop_call_later(endless->loop, 1, tick, endless, NULL, NULL), 0);
}

static void go_on(void *data) {
    struct endless *endless = data;
    endless->turns++;
    CHECK_INT(loop_call_soon(endless->loop, go_on, endless, NULL, NULL), 0);
}

TEST(readers_timers_and_callbacks_all_make_progress_together) {
    struct endless endless = {.loop = loop_new()};
    open_pipe(endless.ends);
    CHECK_INT(write(endless.ends[1], "x", 1), 1);
    CHECK_INT(loop_add_reader(endless.loop, endless.ends[0], read_nothing, &endless, NULL), 0);
    CHECK_INT(loop_call_soon(endless.loop, go_on, &endless, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(endless.loop, tick, &endless, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(endless.loop), 0);
    CHECK(endless.reads >= endless.turns / 64);
    CHECK(endless.reads > 0 && endless.turns > 0);
    loop_unref(endless.loop);
}

static void timer_again(void *data) {
    struct endless *endless = data;
    if (++endless->ticks < 10000 && endless->reads == 0)
        CHECK_INT(loop_call_later(endless->loop, 0, timer_again, endless, NULL, NULL), 0);
}

TEST(endless_due_timers_do_not_starve_a_reader) {
    struct endless endless = {.loop = loop_new()};
    open_pipe(endless.ends);
    CHECK_INT(write(endless.ends[1], "x", 1), 1);
    CHECK_INT(loop_call_soon(endless.loop, timer_again, &endless, NULL, NULL), 0);
    for (int i = 0; i < 100; i++)
        CHECK(loop_run_once(endless.loop, 0) > 0);
    CHECK_INT(loop_add_reader(endless.loop, endless.ends[0], read_nothing, &endless, NULL), 0);
    int before = endless.ticks;
    while (endless.reads == 0)
        CHECK(loop_run_once(endless.loop, 0) > 0);
    CHECK(endless.ticks - before <= 64);
    loop_unref(endless.loop);
}

struct flood {
    loop_t *loop;
    atomic_int over, gave_up;
};

static void nothing(void *data) {
    (void)data;
}

static void *flood(void *data) {
    struct flood *flood = data;
    for (int i = 0; !atomic_load(&flood->over); i++) {
        CHECK_INT(loop_call_soon_threadsafe(flood->loop, nothing, NULL, NULL, NULL), 0);
        if (i == 5000000) {
            atomic_store(&flood->gave_up, 1);
            break;
        }
    }
    return NULL;
}

/* A turn ends with what was there when it began, however much arrives. */
TEST(a_flood_of_posts_does_not_keep_a_turn_from_ending) {
    enum { THREADS = 3 };
    for (int round = 0; round < (in_valgrind() ? 2 : 20); round++) {
        struct flood state = {.loop = loop_new()};
        pthread_t threads[THREADS];
        for (int t = 0; t < THREADS; t++)
            CHECK_INT(pthread_create(&threads[t], NULL, flood, &state), 0);
        CHECK(loop_run_once(state.loop, -1) >= 0);
        atomic_store(&state.over, 1);
        for (int t = 0; t < THREADS; t++)
            CHECK_INT(pthread_join(threads[t], NULL), 0);
        CHECK_INT(atomic_load(&state.gave_up), 0);
        loop_unref(state.loop);
    }
}

struct burst {
    loop_t *loop;
    int level;
};

static void multiply(void *data) {
    struct burst *burst = data;
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_call_soon(burst->loop, nothing, NULL, NULL, NULL), 0);
    if (++burst->level < 2000)
        CHECK_INT(loop_call_soon(burst->loop, multiply, burst, NULL, NULL), 0);
}

TEST(turns_of_growing_and_shrinking_size_lose_nothing) {
    struct burst burst = {loop_new(), 0};
    int ran = 0;
    CHECK_INT(loop_call_soon(burst.loop, multiply, &burst, NULL, NULL), 0);
    for (int round = 0; round < 200; round++) {
        int number = round * 37 % 1000;
        for (int i = 0; i < number; i++)
            CHECK_INT(loop_call_soon(burst.loop, count, &ran, NULL, NULL), 0);
        int before = ran;
        CHECK(loop_run_once(burst.loop, 0) >= number);
        CHECK_INT(ran - before, number);
    }
    loop_unref(burst.loop);
}
