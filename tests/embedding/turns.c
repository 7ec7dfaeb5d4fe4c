/* When an embedded loop makes its turns, and when it lets the host sleep. */
#include "../c/child.h"
#include "hosts.h"
#include <unistd.h>

struct visit {
    struct host *host;
    loop_t *other;
    uint64_t due;
    int ran, quits;
};

static void arrive(void *data) {
    struct visit *visit = data;
    loop_t *running = NULL;
    CHECK_INT(loop_get_running(&running), 0);
    CHECK(running == visit->host->loop);
    CHECK(loop_time(running) >= visit->due);
    visit->ran++;
    host_quit(visit->host);
}

/* In a callback of the host, no loop runs, and ours may be used. */
static void schedule_soon(void *data) {
    struct visit *visit = data;
    loop_t *running = NULL;
    CHECK_INT(loop_get_running(&running), LOOP_ENO_RUNNING);
    CHECK_INT(loop_call_soon(visit->host->loop, arrive, visit, NULL, NULL), 0);
}

static void schedule_later(void *data) {
    struct visit *visit = data;
    visit->due = loop_time(visit->host->loop) + 20 * MS;
    CHECK_INT(loop_call_at(visit->host->loop, visit->due, arrive, visit, NULL, NULL), 0);
}

TEST_IN_HOSTS(what_a_host_callback_schedules_is_run) {
    struct visit visit = {.host = host};
    host->kind->call_later(host, 5, schedule_soon, &visit);
    host_run(host);
    CHECK_INT(visit.ran, 1);
    host->kind->call_later(host, 5, schedule_later, &visit);
    host_run(host);
    CHECK_INT(visit.ran, 2);
}

TEST_IN_HOSTS(a_nearer_deadline_shortens_the_hosts_wait) {
    struct visit visit = {.host = host};
    /* The host would wait for an hour. */
    CHECK_INT(loop_call_later(host->loop, 3600000 * MS, never, NULL, NULL, NULL), 0);
    host->kind->call_later(host, 5, schedule_later, &visit);
    host_run(host);
    CHECK_INT(visit.ran, 1);
}

TEST_IN_HOSTS(one_iteration_is_enough_for_what_is_ready) {
    int ran = 0;
    CHECK_INT(loop_call_soon(host->loop, count, &ran, NULL, NULL), 0);
    host->kind->iterate(host, 0);
    CHECK_INT(ran, 1);
    CHECK_INT(loop_call_soon_threadsafe(host->loop, count, &ran, NULL, NULL), 0);
    host->kind->iterate(host, 1);
    CHECK_INT(ran, 2);
}

TEST_IN_HOSTS(an_idle_loop_lets_the_host_sleep) {
    struct visit visit = {.host = host};
    int ends[2], reads = 0;
    make_pipe(ends);
    CHECK_INT(loop_add_reader(host->loop, ends[0], count, &reads, NULL), 0);
    /* Something of everything first, so that nothing of it is left over. */
    CHECK_INT(loop_call_soon_threadsafe(host->loop, arrive, &visit, NULL, NULL), 0);
    host_run(host);
    visit.due = loop_time(host->loop) + 20 * MS;
    CHECK_INT(loop_call_at(host->loop, visit.due, arrive, &visit, NULL, NULL), 0);
    host_run(host);
    host->waits = 0;
    visit.due = loop_time(host->loop) + 300 * MS;
    CHECK_INT(loop_call_at(host->loop, visit.due, arrive, &visit, NULL, NULL), 0);
    host_run(host);
    /* One would do; the hosts wake up for reasons of their own, too. */
    CHECK(host->waits <= 6);
    CHECK_INT(visit.ran, 3);
    CHECK_INT(reads, 0);
}

static uint64_t turns_of(loop_t *loop) {
    loop_stats_t stats = {.size = sizeof stats};
    CHECK_INT(loop_get_stats(loop, &stats), 0);
    return stats.turns;
}

TEST_IN_HOSTS(what_the_host_does_makes_no_turns) {
    struct visit visit = {.host = host};
    host->kind->iterate(host, 0); /* so that the post must wake the host */
    CHECK_INT(loop_call_soon_threadsafe(host->loop, arrive, &visit, NULL, NULL), 0);
    host_run(host);
    host->kind->iterate(host, 0);
    uint64_t before = turns_of(host->loop);
    for (int i = 0; i < 20; i++) {
        host->kind->call_later(host, 0, host_quit, host);
        host_run(host);
    }
    CHECK_INT(turns_of(host->loop) - before, 0);
}

/* Neither starves the other. */
struct busy {
    struct host *host;
    int turns, host_calls;
};

static void again(void *data) {
    struct busy *busy = data;
    busy->turns++;
    CHECK_INT(loop_call_soon(busy->host->loop, again, busy, NULL, NULL), 0);
}

static void host_called(void *data) {
    struct busy *busy = data;
    busy->host_calls++;
    if (busy->host_calls >= 3 && busy->turns >= 100)
        host_quit(busy->host);
    else
        busy->host->kind->call_later(busy->host, 1, host_called, busy);
}

TEST_IN_HOSTS(a_loop_that_is_always_busy_leaves_the_host_its_turns) {
    struct busy busy = {.host = host};
    CHECK_INT(loop_call_soon(host->loop, again, &busy, NULL, NULL), 0);
    host->kind->call_later(host, 1, host_called, &busy);
    host_run(host);
    CHECK(busy.host_calls >= 3 && busy.turns >= 100);
}

static void stop_in_turn(void *data) {
    struct visit *visit = data;
    CHECK_INT(loop_stop(visit->host->loop), 0);
    CHECK_INT(loop_call_soon(visit->host->loop, arrive, visit, NULL, NULL), 0);
}

static void interrupt_in_turn(void *data) {
    struct visit *visit = data;
    CHECK_INT(loop_interrupt(visit->host->loop, 1), 0);
}

TEST_IN_HOSTS(stopping_the_loop_ends_a_turn_and_nothing_more) {
    struct visit visit = {.host = host};
    CHECK_INT(loop_call_soon(host->loop, stop_in_turn, &visit, NULL, NULL), 0);
    host_run(host);
    CHECK_INT(loop_call_soon(host->loop, interrupt_in_turn, &visit, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(host->loop, arrive, &visit, NULL, NULL), 0);
    host_run(host);
    CHECK_INT(loop_stop_threadsafe(host->loop), 0);
    host->kind->iterate(host, 1);
    CHECK_INT(loop_call_soon(host->loop, arrive, &visit, NULL, NULL), 0);
    host_run(host);
    CHECK_INT(visit.ran, 3);
}

/* A callback of the host may run our loop by itself for a while. */
static void run_it_here(void *data) {
    struct visit *visit = data;
    loop_future_t *sleep = NULL;
    CHECK_INT(loop_sleep(visit->host->loop, 2 * MS, NULL, NULL, &sleep), 0);
    CHECK_INT(loop_run_until_complete(visit->host->loop, sleep, NULL), 0);
    loop_future_unref(sleep);
    visit->quits++;
}

static void *post_arrival(void *data) {
    struct visit *visit = data;
    sleep_ns(10 * MS);
    CHECK_INT(loop_call_soon_threadsafe(visit->host->loop, arrive, visit, NULL, NULL), 0);
    return NULL;
}

TEST_IN_HOSTS(a_run_in_a_host_callback_does_not_lose_later_wakeups) {
    struct visit visit = {.host = host};
    pthread_t thread;
    for (int round = 1; round <= 3; round++) {
        host->kind->call_later(host, 1, run_it_here, &visit);
        HOST_UNTIL(host, visit.quits == round);
        CHECK_INT(pthread_create(&thread, NULL, post_arrival, &visit), 0);
        host_run(host);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(visit.ran, round);
    }
}

/* A host that has quit may go on in another thread. */
static void *run_host(void *host) {
    host_run(host);
    return NULL;
}

TEST_IN_HOSTS(a_host_may_go_on_in_another_thread) {
    struct visit visit = {.host = host};
    pthread_t thread;
    for (int round = 1; round <= 2; round++) {
        CHECK_INT(loop_call_later(host->loop, MS, arrive, &visit, NULL, NULL), 0);
        host_run(host);
        CHECK_INT(pthread_create(&thread, NULL, run_host, host), 0);
        CHECK_INT(loop_call_soon_threadsafe(host->loop, arrive, &visit, NULL, NULL), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(visit.ran, 2 * round);
    }
}

/* Two loops in one host; a callback of one schedules on the other. */
static void pass_on(void *data) {
    struct visit *visit = data;
    CHECK_INT(loop_call_soon_threadsafe(visit->host->loop, arrive, visit, NULL, NULL), 0);
}

static void pass_to_other(void *data) {
    struct visit *visit = data;
    CHECK_INT(loop_call_later(visit->other, MS, pass_on, visit, NULL, NULL), 0);
}

TEST_IN_HOSTS(two_loops_share_a_host) {
    struct visit visit = {.host = host, .other = loop_new()};
    void *embedded = host->kind->embed(host, visit.other);
    for (int round = 1; round <= 3; round++) {
        CHECK_INT(loop_call_soon(host->loop, pass_to_other, &visit, NULL, NULL), 0);
        host_run(host);
        CHECK_INT(visit.ran, round);
    }
    host->kind->release(host, embedded);
    loop_unref(visit.other);
}

/* The loop's descriptor is replaced when the kernel keeps sending events of a
 * number that was closed while a duplicate keeps the file open. */
TEST_IN_HOSTS(a_replaced_descriptor_is_noticed) {
    struct visit visit = {.host = host};
    pthread_t thread;
    for (int round = 1; round <= 3; round++) {
        int ends[2], number = loop_backend_fd(host->loop);
        make_pipe(ends);
        CHECK_INT(loop_add_reader(host->loop, ends[0], count, &visit.quits, NULL), 0);
        host->kind->iterate(host, 0);
        CHECK(dup(ends[0]) >= 0);
        close(ends[0]);
        CHECK_INT(loop_remove_reader(host->loop, ends[0]), 1);
        tell(ends[1]);
        while (loop_backend_fd(host->loop) == number)
            host->kind->iterate(host, 1);
        CHECK_INT(pthread_create(&thread, NULL, post_arrival, &visit), 0);
        host->waits = 0;
        host_run(host);
        CHECK(host->waits <= 6);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(visit.ran, round);
    }
}
