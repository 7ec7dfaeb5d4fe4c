/* The order inside a turn and between turns. */
#include "test.h"
#include <unistd.h>

struct stage {
    loop_t *loop;
    struct log log;
    struct mark marks[26];
    int ends[2];
};

static void set_up(struct stage *stage) {
    memset(stage, 0, sizeof *stage);
    stage->loop = loop_new();
    for (int i = 0; i < 26; i++)
        stage->marks[i] = (struct mark){&stage->log, (char)('a' + i)};
    open_pipe(stage->ends);
}

static void tear_down(struct stage *stage) {
    loop_unref(stage->loop);
    close(stage->ends[0]);
    close(stage->ends[1]);
}

static void soon(struct stage *stage, char mark) {
    CHECK_INT(loop_call_soon(stage->loop, leave_mark, &stage->marks[mark - 'a'], NULL, NULL), 0);
}

static void later(struct stage *stage, long long delay, char mark) {
    struct mark *data = &stage->marks[mark - 'a'];
    CHECK_INT(loop_call_later(stage->loop, delay, leave_mark, data, NULL, NULL), 0);
}

static void at(struct stage *stage, uint64_t when, char mark) {
    struct mark *data = &stage->marks[mark - 'a'];
    CHECK_INT(loop_call_at(stage->loop, when, leave_mark, data, NULL, NULL), 0);
}

static void post(struct stage *stage, char mark) {
    struct mark *data = &stage->marks[mark - 'a'];
    CHECK_INT(loop_call_soon_threadsafe(stage->loop, leave_mark, data, NULL, NULL), 0);
}

static void read_and_mark_r(void *data) {
    struct stage *stage = data;
    char byte;
    CHECK_INT(read(stage->ends[0], &byte, 1), 1);
    record(&stage->log, 'r');
}

static void schedule_n(void *data) {
    soon(data, 'n');
}

TEST(P13_P18_a_turn_runs_what_is_ready_then_io_then_due_timers) {
    struct stage stage;
    set_up(&stage);
    CHECK_INT(loop_add_reader(stage.loop, stage.ends[0], read_and_mark_r, &stage, NULL), 0);
    CHECK_INT(write(stage.ends[1], "x", 1), 1);
    soon(&stage, 'a');
    later(&stage, 0, 'z');
    at(&stage, 1, 'p');
    soon(&stage, 'b');
    CHECK_INT(loop_call_soon(stage.loop, schedule_n, &stage, NULL, NULL), 0);
    CHECK_INT(loop_run_once(stage.loop, 0), 6);
    CHECK_STR(stage.log.text, "abrpz");
    CHECK_INT(loop_run_once(stage.loop, 0), 1);
    CHECK_STR(stage.log.text, "abrpzn");
    tear_down(&stage);
}

TEST(call_later_0_stands_behind_what_is_ready) {
    struct stage stage;
    set_up(&stage);
    later(&stage, 0, 'l');
    soon(&stage, 'a');
    soon(&stage, 'b');
    CHECK_INT(loop_run_once(stage.loop, 0), 3);
    CHECK_STR(stage.log.text, "abl");
    tear_down(&stage);
}

static void soon_n_from_m(void *data) {
    struct stage *stage = data;
    record(&stage->log, 'm');
    soon(stage, 'n');
}

static void later_0_then_soon(void *data) {
    struct stage *stage = data;
    later(stage, 0, 'l');
    soon(stage, 's');
    CHECK_INT(loop_call_soon(stage->loop, soon_n_from_m, stage, NULL, NULL), 0);
    later(stage, -3600 * 1000 * MS, 'k');
}

TEST(call_later_0_inside_a_callback_is_due_in_the_next_turn) {
    struct stage stage;
    set_up(&stage);
    CHECK_INT(loop_call_soon(stage.loop, later_0_then_soon, &stage, NULL, NULL), 0);
    CHECK_INT(loop_call_later(stage.loop, 200 * MS, stop_loop, stage.loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(stage.loop), 0);
    /* 'n' is of the turn after: it comes behind both timers. */
    CHECK_STR(stage.log.text, "smkln");
    tear_down(&stage);
}

TEST(past_deadlines_run_in_the_order_of_their_deadlines) {
    struct stage stage;
    set_up(&stage);
    uint64_t now = loop_time(stage.loop);
    at(&stage, now - 10, 'c');
    at(&stage, 0, 'a');
    at(&stage, now - 20, 'b');
    at(&stage, now - 10, 'd');
    CHECK_INT(loop_run_once(stage.loop, 0), 4);
    CHECK_STR(stage.log.text, "abcd");
    tear_down(&stage);
}

static void soon_post_soon(void *data) {
    soon(data, 'x');
    post(data, 'y');
    soon(data, 'z');
    post(data, 'w');
}

TEST(P24_call_soon_and_posts_share_one_queue_in_order_of_arrival) {
    struct stage stage;
    set_up(&stage);
    soon(&stage, 'a');
    post(&stage, 'b');
    soon(&stage, 'c');
    CHECK_INT(loop_call_soon(stage.loop, soon_post_soon, &stage, NULL, NULL), 0);
    post(&stage, 'd');
    CHECK_INT(loop_run_once(stage.loop, 0), 5);
    CHECK_STR(stage.log.text, "abcd");
    CHECK_INT(loop_run_once(stage.loop, 0), 4);
    CHECK_STR(stage.log.text, "abcdxyzw");
    tear_down(&stage);
}

TEST(posts_made_before_a_turn_run_before_its_io) {
    struct stage stage;
    set_up(&stage);
    CHECK_INT(loop_add_reader(stage.loop, stage.ends[0], read_and_mark_r, &stage, NULL), 0);
    CHECK_INT(write(stage.ends[1], "x", 1), 1);
    post(&stage, 'a');
    later(&stage, 0, 'z');
    CHECK_INT(loop_run_once(stage.loop, 0), 3);
    CHECK_STR(stage.log.text, "arz");
    tear_down(&stage);
}

static void again(void *data) {
    struct stage *stage = data;
    record(&stage->log, 'g');
    CHECK_INT(loop_call_soon(stage->loop, again, stage, NULL, NULL), 0);
}

TEST(what_a_turn_schedules_waits_for_the_next_one) {
    struct stage stage;
    set_up(&stage);
    CHECK_INT(loop_call_soon(stage.loop, again, &stage, NULL, NULL), 0);
    soon(&stage, 'a');
    for (int turn = 1; turn <= 3; turn++)
        CHECK_INT(loop_run_once(stage.loop, -1), turn == 1 ? 2 : 1);
    CHECK_STR(stage.log.text, "gagg");
    tear_down(&stage);
}

static void read_and_schedule(void *data) {
    read_and_mark_r(data);
    soon(data, 's');
    later(data, 0, 't');
}

TEST(what_io_schedules_waits_for_the_next_turn) {
    struct stage stage;
    set_up(&stage);
    CHECK_INT(loop_add_reader(stage.loop, stage.ends[0], read_and_schedule, &stage, NULL), 0);
    CHECK_INT(write(stage.ends[1], "x", 1), 1);
    later(&stage, 0, 'l');
    CHECK_INT(loop_run_once(stage.loop, -1), 2);
    CHECK_STR(stage.log.text, "rl");
    CHECK_INT(loop_run_once(stage.loop, -1), 2);
    CHECK_STR(stage.log.text, "rlst");
    tear_down(&stage);
}

struct victim {
    loop_t *loop;
    loop_handle_t soon, timer, posted;
    int soon_ran, timer_ran, posted_ran;
};

static void cancel_the_rest_of_the_turn(void *data) {
    struct victim *victim = data;
    CHECK_INT(loop_handle_cancel(victim->loop, victim->soon), 0);
    CHECK_INT(loop_handle_cancel(victim->loop, victim->timer), 0);
    CHECK_INT(loop_handle_cancel(victim->loop, victim->posted), 0);
}

TEST(a_callback_cancelled_earlier_in_its_own_turn_does_not_run) {
    struct victim victim = {.loop = loop_new()};
    loop_t *loop = victim.loop;
    CHECK_INT(loop_call_soon(loop, cancel_the_rest_of_the_turn, &victim, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, count, &victim.soon_ran, NULL, &victim.soon), 0);
    CHECK_INT(loop_call_later(loop, 0, count, &victim.timer_ran, NULL, &victim.timer), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &victim.posted_ran, NULL, &victim.posted), 0);
    CHECK(loop_run_once(loop, 0) >= 1);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(victim.soon_ran + victim.timer_ran + victim.posted_ran, 0);
    loop_unref(loop);
}

static void record_w(void *data) {
    record(&((struct stage *)data)->log, 'w');
}

TEST(the_reader_of_a_descriptor_runs_before_its_writer) {
    struct stage stage;
    set_up(&stage);
    /* The pipe's read end without a writer is hung up: ready both ways. */
    close(stage.ends[1]);
    CHECK_INT(loop_add_writer(stage.loop, stage.ends[0], record_w, &stage, NULL), 0);
    CHECK_INT(loop_add_reader(stage.loop, stage.ends[0], leave_mark, &stage.marks[0], NULL), 0);
    CHECK_INT(loop_run_once(stage.loop, 0), 2);
    CHECK_STR(stage.log.text, "aw");
    stage.ends[1] = dup(stage.ends[0]);
    tear_down(&stage);
}

TEST(run_once_waits_only_while_there_is_nothing_to_do) {
    struct stage stage;
    set_up(&stage);
    CHECK_INT(loop_run_once(stage.loop, 0), 0);
    long long before = now_ns();
    CHECK_INT(loop_run_once(stage.loop, 20 * MS), 0);
    CHECK(now_ns() - before >= 20 * MS);
    soon(&stage, 'a');
    CHECK_INT(loop_run_once(stage.loop, -1), 1);
    later(&stage, 5 * MS, 'b');
    CHECK_INT(loop_run_once(stage.loop, -1), 1);
    CHECK_STR(stage.log.text, "ab");
    tear_down(&stage);
}
