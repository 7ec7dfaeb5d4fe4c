/* Tasks and what they wait for. */
#include "test.h"

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
        loop_t *loop = loop_future_get_loop(loop_task_future(task));
        CHECK_INT(loop_sleep(loop, self->delay, NULL, NULL, &nap), 0);
        return loop_task_await(task, nap);
    }
    record(self->log, (char)('0' + self->number));
    return loop_task_return(task, (void *)(intptr_t)(self->number + 100), NULL);
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
    loop_t *loop = loop_future_get_loop(loop_task_future(task));
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

TEST(E17_E23_run_and_gather_keep_the_order_of_submission) {
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
