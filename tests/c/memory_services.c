/* Futures, tasks, what is made of them, and futures for threads, when memory
 * fails at any moment: an error code or success, every callback called that was
 * promised, every destructor run once. */
#include "failing_memory.h"
#include "future_tools.h"

enum { MOST = 8 };

static loop_t *loop;
static int given, destroyed, called;
static loop_future_t *made[MOST];
static loop_task_t *task;

static void begin(void) {
    loop = loop_new();
    CHECK(loop != NULL);
    given = destroyed = called = 0;
    memset(made, 0, sizeof made);
    task = NULL;
}

static void *given_data(void) {
    given++;
    return &destroyed;
}

static void forget(void) {
    for (int i = 0; i < MOST; i++) {
        loop_future_unref(made[i]);
        made[i] = NULL;
    }
    loop_task_unref(task);
    task = NULL;
}

/* Turns that may fail for lack of memory only, and others that may not. */
static void shaky_turns(int turns) {
    while (turns-- > 0)
        CHECK_NO_MEMORY(loop_run_once(loop, 0));
}

static void end(void) {
    memory_is_back();
    turns(loop, 6);
    int ran = 0;
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(ran, 1);
    forget();
    close_loop(loop);
    CHECK_INT(destroyed, given);
}

static void hear_end(loop_future_t *future, void *data) {
    (void)data;
    CHECK_INT(loop_future_done(future), 1);
    called++;
}

static void futures(void) {
    int registered = 0, result;
    begin();
    memory_fails();
    CHECK_NO_MEMORY(loop_future_new(loop, &made[0]));
    if (made[0] != NULL) {
        for (int i = 0; i < 3; i++) {
            result = loop_future_add_done_callback(made[0], hear_end, given_data(), count);
            CHECK_NO_MEMORY(result);
            registered += result == 0;
        }
        /* Needs no memory. */
        CHECK_INT(loop_future_set_result(made[0], given_data(), count), 0);
        CHECK_INT(loop_future_done(made[0]), 1);
        result = loop_future_add_done_callback(made[0], hear_end, given_data(), count);
        CHECK_NO_MEMORY(result);
        registered += result == 0;
        CHECK_INT(called, 0);
    }
    shaky_turns(3);
    memory_is_back();
    turns(loop, 3);
    CHECK_INT(called, registered);
    end();
}

TEST(a_future_without_memory_tells_everybody_in_the_end) {
    sweep(futures);
}

static void failures(void) {
    struct reports reports = {0};
    int set = 0, cancelled;
    begin();
    CHECK_INT(loop_set_exception_handler(loop, hear_report, &reports, NULL), 0);
    for (int i = 0; i < 4; i++)
        made[i] = new_future(loop);
    memory_fails();
    CHECK_NO_MEMORY(loop_future_add_done_callback(made[0], hear_end, given_data(), count));
    int result = loop_future_set_exception(made[0], -EPIPE, "a text");
    CHECK_NO_MEMORY(result);
    CHECK_INT(loop_future_done(made[0]), result == 0);
    set += result == 0;
    result = loop_future_set_exception_data(made[1], -EPIPE, NULL, given_data(), count);
    CHECK_NO_MEMORY(result);
    set += result == 0;
    CHECK_INT(loop_future_done(made[1]), result == 0);
    cancelled = loop_future_cancel(made[2], "why");
    CHECK_INT(cancelled, 1);
    CHECK_INT(loop_future_cancelled(made[2]), 1);
    CHECK_INT(loop_future_result(made[2], NULL), LOOP_ECANCELLED);
    shaky_turns(2);
    forget();
    memory_is_back();
    CHECK(reports.count <= set);
    end();
}

TEST(failures_and_cancellations_without_memory_keep_their_code) {
    sweep(failures);
}

static void on_closed_loop(void) {
    begin();
    made[0] = new_future(loop);
    CHECK_INT(loop_future_add_done_callback(made[0], hear_end, given_data(), count), 0);
    memory_fails();
    CHECK_INT(loop_future_set_result(made[0], given_data(), count), 0);
    CHECK_INT(loop_close(loop), 0);
    memory_is_back();
    CHECK_INT(called, 0);
    CHECK_INT(destroyed, 1);
    /* So that there is an allocation that can fail. */
    memory_fails();
    free(malloc(1));
    memory_is_back();
    forget();
    loop_unref(loop);
    CHECK_INT(destroyed, 2);
}

TEST(callbacks_that_wait_for_memory_end_with_the_loop) {
    sweep(on_closed_loop);
}

/* A task: awaits a sleep, yields, awaits a future, and ends. */
struct story {
    int steps, told;
    int wants_group;
};

static int step(loop_task_t *self, int outcome, void *data) {
    struct story *story = data;
    story->told = outcome;
    if (outcome < 0)
        return outcome;
    switch (story->steps++) {
    case 0: {
        loop_future_t *sleep = NULL;
        int result = loop_sleep(loop_of(self), 0, NULL, NULL, &sleep);
        CHECK_NO_MEMORY(result);
        if (result < 0)
            return result;
        result = loop_task_await(self, sleep);
        CHECK_INT(result, LOOP_TASK_AWAIT);
        return result;
    }
    case 1:
        return LOOP_TASK_YIELD;
    case 2:
        CHECK_INT(loop_task_await(self, loop_future_ref(made[0])), LOOP_TASK_AWAIT);
        return LOOP_TASK_AWAIT;
    default:
        CHECK_INT(loop_task_return(self, given_data(), count), 0);
        return LOOP_TASK_DONE;
    }
}

static struct story story;

static void end_story(void *data) {
    (void)data;
    destroyed++;
}

static void task_to_its_end(void) {
    loop_task_options_t options = {.size = sizeof options, .name = "a name"};
    char name[32];
    begin();
    memset(&story, 0, sizeof story);
    made[0] = new_future(loop);
    memory_fails();
    given++;
    int result = loop_create_task_with(loop, &options, step, &story, end_story, &task);
    CHECK_NO_MEMORY(result);
    if (result == 0) {
        CHECK_NO_MEMORY(loop_future_add_done_callback(loop_task_future(task), hear_end,
                                                      given_data(), count));
        CHECK_NO_MEMORY(loop_task_set_name(task, "another"));
        CHECK(loop_task_get_name(task, name, sizeof name) > 0);
        loop_task_t *all[4];
        CHECK_NO_MEMORY(loop_all_tasks(loop, all, 0));
        shaky_turns(4);
        CHECK_INT(loop_future_set_result(made[0], NULL, NULL), 0);
        shaky_turns(2);
        memory_is_back();
        turns(loop, 6);
        CHECK_INT(loop_future_done(loop_task_future(task)), 1);
        result = loop_future_result(loop_task_future(task), NULL);
        CHECK_NO_MEMORY(result);
    }
    end();
}

TEST(a_task_without_memory_ends_by_an_error_or_well) {
    sweep(task_to_its_end);
}

static void unnamed_task(void) {
    begin();
    memset(&story, 0, sizeof story);
    made[0] = new_future(loop);
    memory_fails();
    given++;
    CHECK_NO_MEMORY(loop_create_task(loop, step, &story, end_story, &task));
    if (task != NULL) {
        CHECK_INT(loop_task_cancel(task, "a reason"), 1);
        shaky_turns(4);
        memory_is_back();
        turns(loop, 6);
        CHECK_INT(loop_future_done(loop_task_future(task)), 1);
    }
    end();
}

TEST(a_task_is_cancelled_without_memory) {
    sweep(unnamed_task);
}


static int waiting_step(loop_task_t *self, int outcome, void *data) {
    int *steps = data;
    static loop_timeout_t *timeout;
    if ((*steps)++ == 0) {
        timeout = NULL;
        int result = loop_timeout_enter(self, 0, &timeout);
        CHECK_NO_MEMORY(result);
        if (result < 0)
            return result;
        result = loop_timeout_reschedule(timeout, -1);
        CHECK_NO_MEMORY(result);
        result = loop_timeout_reschedule(timeout, 0);
        CHECK_NO_MEMORY(result);
        if (result < 0) {
            loop_timeout_exit(timeout, result);
            return result;
        }
        CHECK_INT(loop_task_await(self, loop_future_ref(made[0])), LOOP_TASK_AWAIT);
        return LOOP_TASK_AWAIT;
    }
    outcome = loop_timeout_exit(timeout, outcome);
    return outcome < 0 ? outcome : LOOP_TASK_DONE;
}

static void timeouts(void) {
    int steps = 0;
    begin();
    made[0] = new_future(loop);
    memory_fails();
    CHECK_NO_MEMORY(loop_create_task(loop, waiting_step, &steps, NULL, &task));
    shaky_turns(4);
    memory_is_back();
    turns(loop, 6);
    if (task != NULL) {
        CHECK_INT(loop_future_done(loop_task_future(task)), 1);
        int result = loop_future_result(loop_task_future(task), NULL);
        CHECK(result == -ETIMEDOUT || (memory_failed() && result == -ENOMEM));
    }
    end();
}

TEST(timeouts_without_memory_end_their_task_once) {
    sweep(timeouts);
}

/* A group: one child fails, one would wait for ever. */
static int child_step(loop_task_t *self, int outcome, void *data) {
    (void)data;
    if (outcome < 0)
        return outcome;
    CHECK_INT(loop_task_await(self, loop_future_ref(made[0])), LOOP_TASK_AWAIT);
    return LOOP_TASK_AWAIT;
}

static int failing_step(loop_task_t *self, int outcome, void *data) {
    (void)data;
    if (outcome < 0)
        return outcome;
    int result = loop_task_fail(self, -EPIPE, "broken");
    CHECK(result == -EPIPE || (memory_failed() && result == -ENOMEM));
    return -EPIPE;
}

static loop_task_group_t *group;

static int parent_step(loop_task_t *self, int outcome, void *data) {
    int *steps = data;
    if ((*steps)++ > 0)
        return outcome < 0 ? outcome : LOOP_TASK_DONE;
    int result = loop_task_group_new(self, &group);
    CHECK_NO_MEMORY(result);
    if (result < 0)
        return result;
    for (int i = 0; i < 2; i++) {
        given++;
        result = loop_task_group_create_task(group, i == 0 ? child_step : failing_step, NULL,
                                             end_story, NULL);
        CHECK_NO_MEMORY(result);
        if (result < 0)
            break;
    }
    loop_future_t *all = NULL;
    int left = loop_task_group_exit(group, result, &all);
    CHECK_NO_MEMORY(left);
    if (left < 0)
        return left;
    CHECK_INT(loop_task_await(self, all), LOOP_TASK_AWAIT);
    return LOOP_TASK_AWAIT;
}

static void groups(void) {
    int steps = 0;
    begin();
    group = NULL;
    made[0] = new_future(loop);
    memory_fails();
    CHECK_NO_MEMORY(loop_create_task(loop, parent_step, &steps, NULL, &task));
    shaky_turns(8);
    memory_is_back();
    turns(loop, 8);
    if (task != NULL) {
        loop_future_cancel(made[0], NULL);
        turns(loop, 8);
        CHECK_INT(loop_future_done(loop_task_future(task)), 1);
        int result = loop_future_result(loop_task_future(task), NULL);
        CHECK(result == -EPIPE || (memory_failed() && result == -ENOMEM));
    }
    loop_task_group_unref(group);
    end();
}

TEST(task_groups_without_memory_end_all_their_tasks) {
    sweep(groups);
}

static void sleeps(void) {
    begin();
    memory_fails();
    CHECK_NO_MEMORY(loop_sleep(loop, 1, given_data(), count, &made[0]));
    CHECK_NO_MEMORY(loop_sleep(loop, 0, given_data(), count, &made[1]));
    CHECK_NO_MEMORY(loop_sleep(loop, 3600000 * MS, given_data(), count, &made[2]));
    shaky_turns(2);
    memory_is_back();
    sleep_ns(1 * MS);
    turns(loop, 2);
    if (made[0] != NULL)
        CHECK_INT(loop_future_done(made[0]), 1);
    end();
}

TEST(sleeps_without_memory) {
    sweep(sleeps);
}

static void gathers(void) {
    begin();
    for (int i = 0; i < 3; i++)
        made[i] = new_future(loop);
    memory_fails();
    CHECK_NO_MEMORY(loop_gather(loop, made, 3, LOOP_RETURN_EXCEPTIONS, &made[3]));
    CHECK_NO_MEMORY(loop_gather(loop, made, 0, 0, &made[4]));
    CHECK_NO_MEMORY(loop_gather(loop, made, 3, 0, &made[5]));
    CHECK_INT(loop_future_set_result(made[0], NULL, NULL), 0);
    CHECK_INT(loop_future_set_result(made[1], NULL, NULL), 0);
    CHECK_INT(loop_future_cancel(made[2], "enough"), 1);
    shaky_turns(3);
    memory_is_back();
    turns(loop, 3);
    for (int i = 3; i < 6; i++) {
        if (made[i] != NULL) {
            CHECK_INT(loop_future_done(made[i]), 1);
            int result = loop_future_result(made[i], NULL);
            CHECK(result == 0 || result == LOOP_ECANCELLED ||
                  (memory_failed() && result == -ENOMEM));
        }
    }
    end();
}

TEST(gather_without_memory_is_refused_or_ends) {
    sweep(gathers);
}

static void waits(void) {
    begin();
    for (int i = 0; i < 3; i++)
        made[i] = new_future(loop);
    memory_fails();
    CHECK_NO_MEMORY(loop_wait(loop, made, 3, -1, LOOP_ALL_COMPLETED, &made[3]));
    CHECK_NO_MEMORY(loop_wait(loop, made, 2, 0, LOOP_FIRST_COMPLETED, &made[4]));
    CHECK_NO_MEMORY(loop_wait_for(made[0], 3600000 * MS, &made[5]));
    CHECK_NO_MEMORY(loop_wait_for(made[2], 0, &made[6]));
    CHECK_NO_MEMORY(loop_shield(made[1], &made[7]));
    loop_future_set_result(made[0], NULL, NULL);
    loop_future_set_result(made[1], given_data(), count);
    loop_future_cancel(made[2], "a text");
    shaky_turns(3);
    memory_is_back();
    turns(loop, 3);
    for (int i = 3; i < 8; i++) {
        if (made[i] != NULL)
            CHECK_INT(loop_future_done(made[i]), 1);
    }
    end();
}

TEST(wait_and_wait_for_and_shield_without_memory_are_refused_or_end) {
    sweep(waits);
}
