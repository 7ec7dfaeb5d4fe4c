/* Tasks: steps, results, names, contexts, and what ends them. */
#include "child.h"
#include "future_tools.h"

struct sleeper {
    int number;
    int steps;
    long long delay;
    struct log *log;
};

static int sleep_then_return(loop_task_t *task, int outcome, void *data) {
    struct sleeper *self = data;
    if (outcome < 0) {
        return outcome;
    }
    if (self->steps++ == 0) {
        loop_future_t *nap;
        CHECK_INT(loop_sleep(loop_of(task), self->delay, NULL, NULL, &nap), 0);
        return loop_task_await(task, nap);
    }
    record(self->log, (char)('0' + self->number));
    return loop_task_return(task, number(self->number + 100), NULL);
}

enum { TEN = 10 };

struct ten {
    struct sleeper sleepers[TEN];
    struct log log;
    int steps;
    int results[TEN];
    int destroyed;
};

static int gather_ten(loop_task_t *task, int outcome, void *data) {
    struct ten *ten = data;
    CHECK_INT(outcome, 0);
    loop_t *loop = loop_of(task);
    CHECK(loop_current_task(loop) == task);
    if (ten->steps++ == 0) {
        loop_future_t *futures[TEN], *all;
        loop_task_t *tasks[TEN];
        for (int i = 0; i < TEN; i++) {
            ten->sleepers[i] = (struct sleeper){i, 0, ((i * 7) % TEN + 1) * (in_valgrind() ? 60 : 3) * MS, &ten->log};
            CHECK_INT(loop_create_task(loop, sleep_then_return, &ten->sleepers[i], NULL, &tasks[i]), 0);
            futures[i] = loop_task_future(tasks[i]);
        }
        CHECK_INT(loop_all_tasks(loop, NULL, 0), TEN + 1);
        CHECK_INT(loop_gather(loop, futures, TEN, 0, &all), 0);
        for (int i = 0; i < TEN; i++) {
            loop_task_unref(tasks[i]);
        }
        return loop_task_await(task, all);
    }
    void *result;
    CHECK_INT(loop_future_result(loop_task_awaited(task), &result), 0);
    loop_gathered_t *gathered = result;
    CHECK_INT(gathered->count, TEN);
    for (int i = 0; i < TEN; i++) {
        CHECK_INT(gathered->codes[i], 0);
        ten->results[i] = (int)(intptr_t)gathered->results[i];
    }
    CHECK_INT(loop_all_tasks(loop, NULL, 0), 1);
    return LOOP_TASK_DONE;
}

TEST(E17_E23_P22_run_and_gather_keep_the_order_of_submission) {
    struct ten ten = {0};
    int before = open_fds();
    for (int round = 0; round < 2; round++) {
        ten.steps = 0;
        ten.log.length = 0;
        CHECK_INT(loop_run(NULL, gather_ten, &ten, NULL, NULL), 0);
        for (int i = 0; i < TEN; i++) {
            CHECK_INT(ten.results[i], 100 + i);
        }
        CHECK_STR(ten.log.text, "0369258147");
    }
    CHECK_INT(open_fds(), before);
}

TEST(P14_P26_a_task_is_driven_step_by_step_from_the_next_turn_on) {
    loop_t *loop = loop_new();
    struct log log = {0};
    loop_future_t *future = new_future(loop);
    struct waiter self = {.number = 3, .count = 1, .waits = {loop_future_ref(future)}, .yields = 2, .log = &log};
    loop_task_t *task = start_waiter(loop, &self), *all[2] = {NULL, NULL};
    CHECK_INT(self.steps, 0);
    CHECK_INT(loop_all_tasks(loop, all, 2), 1);
    CHECK(all[0] == task && all[1] == NULL);
    loop_task_unref(all[0]);
    turns(loop, 1);
    CHECK_INT(self.steps, 1);
    turns(loop, 2);
    CHECK_INT(self.steps, 3);
    turns(loop, 3); /* it waits */
    CHECK_INT(self.steps, 3);
    CHECK(loop_current_task(loop) == NULL);
    CHECK_INT(loop_future_set_result(future, number(5), NULL), 0);
    turns(loop, 1);
    CHECK_INT(self.steps, 4);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(number_of(loop_task_future(task)), 3);
    CHECK_INT(loop_all_tasks(loop, NULL, 0), 0);
    CHECK_INT(loop_future_set_result(future, NULL, NULL), LOOP_EINVALID_STATE);
    CHECK_INT(loop_task_cancel(task, NULL), 0);
    loop_future_unref(future);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(a_future_is_awaited_by_several_and_a_done_one_without_a_turn) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop);
    struct waiter all[3] = {{0}};
    for (int i = 0; i < 3; i++) {
        all[i].count = 2;
        all[i].waits[0] = loop_future_ref(future);
        all[i].waits[1] = loop_future_ref(future);
        loop_task_unref(start_waiter(loop, &all[i]));
    }
    turns(loop, 1);
    CHECK_INT(loop_future_set_exception(future, -5, "it broke"), 0);
    all[1].swallows = all[2].swallows = 1;
    turns(loop, 1);
    CHECK_INT(all[0].steps, 2);
    CHECK_INT(all[0].outcomes[1], -5);
    CHECK_INT(all[1].steps, 3);
    CHECK_INT(all[2].steps, 3);
    CHECK_INT(all[0].destroyed + all[1].destroyed + all[2].destroyed, 3);
    loop_future_unref(future);
    close_loop(loop);
}

TEST(a_failure_that_is_handed_on_keeps_its_text) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop);
    struct waiter inner = {.count = 1, .waits = {future}}, outer = {.number = 1, .count = 1};
    loop_task_t *first = start_waiter(loop, &inner);
    outer.waits[0] = loop_future_ref(loop_task_future(first));
    loop_task_t *second = start_waiter(loop, &outer);
    turns(loop, 1);
    CHECK_INT(loop_future_set_exception(future, -5, "it broke"), 0);
    turns(loop, 2);
    CHECK_INT(loop_future_result(loop_task_future(second), NULL), -5);
    CHECK_STR(loop_last_error(), "it broke");
    loop_task_unref(first);
    loop_task_unref(second);
    close_loop(loop);
}

struct odd {
    int returns, fails;
    int destroyed;
};

static int odd_step(loop_task_t *task, int outcome, void *data) {
    struct odd *odd = data;
    (void)outcome;
    switch (odd->fails) {
    case 1: return loop_task_fail(task, -7, "out of luck");
    case 2: return loop_task_fail(task, LOOP_ECANCELLED, "no more");
    case 3: return loop_task_await(task, loop_future_ref(loop_task_future(task)));
    case 4: return loop_task_await(task, NULL);
    case 5: CHECK_INT(loop_task_return(task, &odd->destroyed, count), 0); break;
    case 6: CHECK_INT(loop_task_fail(task, 1, "x"), LOOP_EINVAL); break;
    case 7: CHECK_INT(loop_task_fail(task, -1, "x"), -1); break;
    }
    return odd->returns;
}

static void count_odd(void *data) {
    ((struct odd *)data)->destroyed += 10;
}

static void check_odd(int returns, int fails, int code, const char *text) {
    loop_t *loop = loop_new();
    struct odd odd = {returns, fails, 0};
    loop_task_t *task;
    CHECK_INT(loop_create_task(loop, odd_step, &odd, count_odd, &task), 0);
    turns(loop, 1);
    CHECK_INT(loop_future_result(loop_task_future(task), NULL), code);
    if (text != NULL)
        CHECK_STR(loop_last_error(), text);
    CHECK_INT(loop_future_cancelled(loop_task_future(task)), code == LOOP_ECANCELLED);
    loop_task_unref(task);
    CHECK_INT(odd.destroyed, fails == 5 ? 11 : 10);
    close_loop(loop);
}

TEST(what_a_step_returns_decides_and_nonsense_is_a_failure) {
    check_odd(0, 1, -7, "out of luck");
    check_odd(0, 2, LOOP_ECANCELLED, "no more");
    check_odd(0, 3, LOOP_EINVAL, "Task cannot await on itself");
    check_odd(0, 4, LOOP_EINVAL, NULL);
    check_odd(0, 5, 0, NULL);
    check_odd(LOOP_TASK_AWAIT, 5, LOOP_EINVAL, "Task got bad yield");
    check_odd(-9, 5, -9, NULL);
    check_odd(0, 6, 0, NULL);
    check_odd(-3, 7, -3, NULL);
    check_odd(LOOP_TASK_AWAIT, 0, LOOP_EINVAL, "Task got bad yield");
    check_odd(17, 0, LOOP_EINVAL, "Task got bad yield");
    check_odd(LOOP_ECANCELLED, 0, LOOP_ECANCELLED, NULL);
}

TEST(only_a_running_step_may_await_and_return) {
    loop_t *loop = loop_new();
    struct waiter self = {0};
    int destroyed = 0;
    loop_task_t *task = start_waiter(loop, &self);
    CHECK_INT(loop_task_await(task, new_future(loop)), LOOP_EINVALID_STATE);
    CHECK_INT(loop_task_return(task, &destroyed, count), LOOP_EINVALID_STATE);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_task_fail(task, -1, "x"), LOOP_EINVALID_STATE);
    CHECK(loop_task_awaited(task) == NULL);
    CHECK_INT(loop_future_set_result(loop_task_future(task), &destroyed, count), LOOP_EINVALID_STATE);
    CHECK_STR(loop_last_error(), "Task does not support set_result operation");
    CHECK_INT(destroyed, 2);
    turns(loop, 1);
    CHECK_INT(self.destroyed, 1);
    loop_task_unref(task);
    close_loop(loop);
}

TEST(tasks_have_names) {
    loop_t *loop = loop_new();
    struct waiter one = {0}, two = {0};
    char name[16], first[16];
    loop_task_options_t options = {.size = sizeof options, .name = "fetch"};
    loop_task_t *task = start_waiter(loop, &one), *named;
    CHECK(loop_task_get_name(task, first, sizeof first) >= 6);
    CHECK(strncmp(first, "Task-", 5) == 0);
    CHECK_INT(loop_create_task_with(loop, &options, waiter_step, &two, waiter_destroyed, &named), 0);
    CHECK_INT(loop_task_get_name(named, name, 3), 5);
    CHECK_STR(name, "fe");
    CHECK_INT(loop_task_get_name(named, NULL, 0), 5);
    CHECK_INT(loop_task_set_name(named, "send"), 0);
    CHECK_INT(loop_task_get_name(named, name, sizeof name), 4);
    CHECK_STR(name, "send");
    CHECK_INT(loop_task_set_name(named, NULL), LOOP_EINVAL);
    turns(loop, 1);
    CHECK_INT(loop_task_get_name(task, name, sizeof name), (int)strlen(first));
    CHECK_STR(name, first);
    loop_task_unref(task);
    loop_task_unref(named);
    close_loop(loop);
}

TEST(an_eager_task_runs_its_first_step_at_once) {
    loop_t *loop = loop_new();
    struct waiter whole = {.number = 1}, part = {.number = 2, .yields = 1};
    loop_task_options_t options = {.size = sizeof options, .flags = LOOP_TASK_EAGER};
    loop_task_t *task;
    CHECK_INT(loop_create_task_with(loop, &options, waiter_step, &whole, waiter_destroyed, &task), 0);
    CHECK_INT(whole.destroyed, 1);
    CHECK_INT(number_of(loop_task_future(task)), 1);
    CHECK_INT(loop_all_tasks(loop, NULL, 0), 0);
    loop_task_unref(task);
    CHECK_INT(loop_create_task_with(loop, &options, waiter_step, &part, waiter_destroyed, &task), 0);
    CHECK_INT(part.steps, 1);
    CHECK_INT(loop_all_tasks(loop, NULL, 0), 1);
    turns(loop, 1);
    CHECK_INT(number_of(loop_task_future(task)), 2);
    loop_task_unref(task);
    close_loop(loop);
}

static int close_and_wait(loop_task_t *task, int outcome, void *data) {
    struct waiter *self = data;
    CHECK_INT(outcome, 0);
    self->steps++;
    CHECK_INT(loop_close(loop_of(task)), 0);
    CHECK_INT(self->destroyed, 0);
    if (self->yields)
        return LOOP_TASK_YIELD;
    loop_future_t *wait = self->waits[0];
    self->count = 0;
    return loop_task_await(task, wait);
}

TEST(an_eager_step_may_close_the_loop) {
    for (int yields = 0; yields < 2; yields++) {
        struct reports reports;
        loop_t *loop = loop_with_reports(&reports);
        struct waiter self = {.yields = yields, .count = 1, .waits = {new_future(loop)}};
        loop_task_options_t options = {.size = sizeof options, .flags = LOOP_TASK_EAGER};
        loop_task_t *task;
        CHECK_INT(loop_create_task_with(loop, &options, close_and_wait, &self, waiter_destroyed, &task), 0);
        CHECK_INT(self.destroyed, 1);
        CHECK_INT(loop_future_done(loop_task_future(task)), 0);
        CHECK_INT(reports.count, 1);
        loop_task_unref(task);
        loop_unref(loop);
    }
}

TEST(closing_a_loop_reports_its_pending_tasks_and_destroys_their_data) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports);
    loop_future_t *future = new_future(loop);
    struct waiter fresh = {0}, waits = {.count = 1, .waits = {loop_future_ref(future)}},
                  yields = {.yields = 100};
    loop_task_options_t options = {.size = sizeof options, .name = "fresh"};
    loop_task_t *kept = start_waiter(loop, &waits);
    loop_task_unref(start_waiter(loop, &yields));
    turns(loop, 3);
    CHECK_INT(loop_create_task_with(loop, &options, waiter_step, &fresh, waiter_destroyed, NULL), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(reports.count, 3);
    CHECK_STR(reports.message, "Task was destroyed but it is pending!");
    CHECK_STR(reports.exception, "fresh");
    CHECK_INT(fresh.destroyed + waits.destroyed + yields.destroyed, 3);
    CHECK_INT(loop_future_done(loop_task_future(kept)), 0);
    CHECK_INT(loop_future_set_result(future, NULL, NULL), 0); /* nobody waits any more */
    CHECK_INT(loop_future_set_result(loop_task_future(kept), NULL, NULL), LOOP_EINVALID_STATE);
    CHECK_INT(loop_create_task(loop, waiter_step, &fresh, waiter_destroyed, NULL), LOOP_ECLOSED);
    CHECK_INT(fresh.destroyed, 2);
    CHECK_INT(loop_all_tasks(loop, NULL, 0), LOOP_ECLOSED);
    loop_future_unref(future);
    loop_task_unref(kept);
    loop_unref(loop);
}

TEST(P28_sleeping_yields_a_result_and_zero_is_one_turn) {
    loop_t *loop = loop_new();
    struct log log = {0};
    struct mark mark = {&log, '.'};
    int destroyed = 0;
    loop_future_t *nap;
    CHECK_INT(loop_sleep(loop, MS, &destroyed, count, &nap), 0);
    void *result = NULL;
    CHECK_INT(loop_run_until_complete(loop, nap, &result), 0);
    CHECK(result == &destroyed);
    CHECK_INT(destroyed, 0);
    loop_future_unref(nap);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_sleep(loop, MS, &destroyed, count, NULL), LOOP_EINVAL);
    CHECK_INT(loop_sleep(NULL, MS, &destroyed, count, &nap), LOOP_EINVAL);
    CHECK_INT(destroyed, 3);

    struct waiter self = {.count = 2, .log = &log};
    CHECK_INT(loop_sleep(loop, 0, number(7), NULL, &self.waits[0]), 0);
    CHECK_INT(loop_sleep(loop, -5, number(8), NULL, &self.waits[1]), 0);
    loop_task_unref(start_waiter(loop, &self));
    for (int turn = 0; turn < 3; turn++) {
        CHECK_INT(loop_call_soon(loop, leave_mark, &mark, NULL, NULL), 0);
        turns(loop, 1);
    }
    CHECK_STR(log.text, "a.a.a.");
    /* Cancelled: its timer goes, and with it the result. */
    CHECK_INT(loop_sleep(loop, 3600000 * MS, &destroyed, count, &nap), 0);
    CHECK_INT(loop_future_cancel(nap, NULL), 1);
    CHECK_INT(destroyed, 4);
    loop_future_unref(nap);
    /* Nobody refers to it: it goes on. */
    CHECK_INT(loop_sleep(loop, 3600000 * MS, &destroyed, count, &nap), 0);
    loop_future_unref(nap);
    CHECK_INT(destroyed, 4);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(destroyed, 5);
    CHECK_INT(loop_sleep(loop, MS, &destroyed, count, &nap), LOOP_ECLOSED);
    CHECK_INT(destroyed, 6);
    loop_unref(loop);
}

TEST(P27_a_future_of_another_loop_is_refused_everywhere) {
    loop_t *loop = loop_new(), *other = loop_new();
    loop_future_t *mine = new_future(loop), *foreign = new_future(other), *out = NULL;
    loop_future_t *both[] = {mine, foreign};
    CHECK_INT(loop_run_until_complete(loop, foreign, NULL), LOOP_EWRONG_LOOP);
    CHECK_INT(loop_gather(loop, both, 2, 0, &out), LOOP_EWRONG_LOOP);
    CHECK_INT(loop_wait(loop, both, 2, -1, LOOP_ALL_COMPLETED, &out), LOOP_EWRONG_LOOP);
    CHECK(out == NULL);
    struct waiter self = {.count = 1, .waits = {loop_future_ref(foreign)}};
    loop_task_t *task = start_waiter(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_future_result(loop_task_future(task), NULL), LOOP_EWRONG_LOOP);
    CHECK_STR(loop_last_error(),
              "The future belongs to a different loop than the one specified as the loop argument");
    CHECK_INT(self.destroyed, 1);
    loop_task_unref(task);
    loop_future_unref(mine);
    loop_future_unref(foreign);
    close_loop(other);
    close_loop(loop);
}

/* A stand-in for Python's contexts. */
struct context {
    int references, value;
};

static struct context outside, *current = &outside;

static void *capture(void *data) {
    (void)data;
    current->references++;
    return current;
}

static void enter(void *context, void *data) {
    (void)data;
    CHECK(current == &outside);
    current = context;
}

static void leave(void *context, void *data) {
    (void)data;
    CHECK(current == context);
    current = &outside;
}

static void release(void *context, void *data) {
    (void)data;
    CHECK(((struct context *)context)->references-- > 0);
}

static int step_in_context(loop_task_t *task, int outcome, void *data) {
    struct waiter *self = data;
    (void)outcome;
    CHECK(current != &outside);
    current->value++;
    if (self->steps++ == 0)
        return loop_task_await(task, self->waits[0]);
    return LOOP_TASK_DONE;
}

static void callback_in_context(loop_future_t *future, void *context) {
    (void)future;
    CHECK(current == context);
    current->value += 10;
}

TEST(E22_P25_steps_and_done_callbacks_run_in_their_contexts) {
    loop_t *loop = loop_new();
    loop_context_hooks_t hooks = {sizeof hooks, capture, enter, leave, release};
    struct context of_task = {1, 0}, of_callback = {1, 0}, unused = {1, 0}, refused = {1, 0};
    loop_future_t *future = new_future(loop);
    struct waiter self = {.waits = {loop_future_ref(future)}};
    loop_task_options_t options = {.size = sizeof options, .has_context = 1, .context = &of_task};
    loop_task_t *task;
    CHECK_INT(loop_set_context_hooks(loop, &hooks, NULL, NULL), 0);
    CHECK_INT(loop_create_task_with(loop, &options, step_in_context, &self, NULL, &task), 0);
    CHECK_INT(loop_future_add_done_callback_context(future, callback_in_context, &of_callback, NULL, &of_callback), 0);
    CHECK_INT(loop_future_add_done_callback(future, callback_in_context, &outside, NULL), 0);
    CHECK_INT(outside.references, 1);
    CHECK_INT(loop_future_add_done_callback_context(future, callback_in_context, NULL, NULL, &unused), 0);
    CHECK_INT(loop_future_remove_done_callback(future, callback_in_context, NULL), 1);
    CHECK_INT(unused.references, 0);
    CHECK_INT(loop_future_add_done_callback_context(future, NULL, NULL, NULL, &refused), LOOP_EINVAL);
    CHECK_INT(refused.references, 0);
    turns(loop, 1);
    CHECK_INT(of_task.value, 1);
    CHECK_INT(loop_future_set_result(future, NULL, NULL), 0);
    turns(loop, 2);
    CHECK_INT(of_task.value, 2);
    CHECK_INT(of_callback.value, 10);
    CHECK_INT(outside.value, 10);
    CHECK_INT(loop_future_done(loop_task_future(task)), 1);
    loop_task_unref(task);
    loop_future_unref(future);
    CHECK_INT(of_task.references + of_callback.references + outside.references, 0);
    close_loop(loop);
}

struct forks {
    int steps;
    pid_t child;
    int destroyed;
    struct waiter other;
};

static void fork_destroyed(void *data) {
    ((struct forks *)data)->destroyed++;
}

static int fork_in_step(loop_task_t *task, int outcome, void *data) {
    struct forks *self = data;
    CHECK_INT(outcome, 0);
    if (self->steps++ == 0) {
        self->child = start_child();
        if (self->child == 0) {
            loop_task_t *none;
            CHECK_INT(loop_task_cancel(task, NULL), LOOP_EFORKED);
            CHECK_INT(loop_task_return(task, NULL, NULL), LOOP_EFORKED);
            CHECK_INT(loop_create_task(loop_of(task), waiter_step, self, NULL, &none), LOOP_EFORKED);
            CHECK(loop_current_task(loop_of(task)) == NULL);
        }
        return LOOP_TASK_YIELD;
    }
    CHECK(self->child != 0);
    return LOOP_TASK_DONE;
}

TEST(F14_a_child_forked_in_a_step_leaves_the_run_when_the_step_returns) {
    loop_t *loop = loop_new();
    struct forks self = {.other = {.yields = 2}};
    loop_task_t *task, *other;
    CHECK_INT(loop_create_task(loop, fork_in_step, &self, fork_destroyed, &task), 0);
    other = start_waiter(loop, &self.other);
    int code = loop_run_until_complete(loop, loop_task_future(task), NULL);
    if (self.child == 0) {
        CHECK_INT(code, LOOP_EFORKED);
        CHECK_INT(self.other.steps, 0);
        loop_t *own = loop_new();
        struct waiter mine = {.yields = 1};
        loop_task_t *fresh = start_waiter(own, &mine);
        CHECK_INT(loop_run_until_complete(own, loop_task_future(fresh), NULL), 0);
        loop_task_unref(fresh);
        close_loop(own);
        loop_task_unref(task);
        loop_task_unref(other);
        CHECK_INT(loop_close(loop), 0);
        CHECK_INT(self.other.destroyed, 1);
        CHECK_INT(self.destroyed, 1);
        loop_unref(loop);
        exit(0);
    }
    CHECK_INT(code, 0);
    CHECK_INT(self.other.destroyed, 1);
    CHECK_INT(end_of(self.child), 0);
    loop_task_unref(task);
    loop_task_unref(other);
    close_loop(loop);
}
