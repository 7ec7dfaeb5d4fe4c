/* What a task's failure says, and what its step is told. */
#include "test.h"
#include <errno.h>

static loop_t *loop_of(loop_task_t *task) {
    return loop_future_get_loop(loop_task_future(task));
}

static int hand_a_failed_call_on(loop_task_t *task, int outcome, void *unused) {
    (void)outcome, (void)unused;
    loop_future_t *nap;
    CHECK_INT(loop_add_reader(loop_of(task), -1, NULL, NULL, NULL), LOOP_EINVAL);
    int failed = loop_sleep(NULL, 1, NULL, NULL, &nap);
    CHECK(failed < 0);
    return failed;
}

TEST(a_step_that_hands_a_failed_calls_code_on_hands_its_text_on) {
    CHECK_INT(loop_run(NULL, hand_a_failed_call_on, NULL, NULL, NULL), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "loop is NULL");
}

static int fail_by_itself(loop_task_t *task, int outcome, void *unused) {
    (void)task, (void)outcome, (void)unused;
    CHECK_STR(loop_last_error(), "");
    return -EPIPE;
}

TEST(a_code_of_the_steps_own_has_the_systems_text) {
    CHECK_INT(loop_sleep(NULL, 1, NULL, NULL, NULL), LOOP_EINVAL);
    CHECK_INT(loop_run(NULL, fail_by_itself, NULL, NULL, NULL), -EPIPE);
    CHECK_STR(loop_last_error(), "Broken pipe");
}

struct awaits {
    int code;
    const char *message, *text;
    int cancels;
};

static int fail_first(loop_task_t *task, int outcome, void *data) {
    struct awaits *self = data;
    if (loop_task_awaited(task) == NULL) {
        loop_future_t *future;
        CHECK_INT(outcome, 0);
        CHECK_INT(loop_future_new(loop_of(task), &future), 0);
        if (self->cancels) {
            CHECK_INT(loop_future_cancel(future, self->message), 1);
        } else {
            CHECK_INT(loop_future_set_exception(future, self->code, self->message), 0);
        }
        return loop_task_await(task, future);
    }
    CHECK_INT(outcome, self->code);
    CHECK_STR(loop_last_error(), self->text);
    return outcome;
}

TEST(a_step_finds_the_text_of_its_outcome_in_the_last_error) {
    struct awaits all[] = {
        {-7, "the disk is full", "the disk is full", 0},
        {-EIO, NULL, loop_strerror(-EIO), 0},
        {LOOP_ECANCELLED, "too slow", "too slow", 1},
        {LOOP_ECANCELLED, NULL, "the future was cancelled", 1},
    };
    for (int i = 0; i < 4; i++) {
        CHECK_INT(loop_run(NULL, fail_first, &all[i], NULL, NULL), all[i].code);
        CHECK_STR(loop_last_error(), all[i].text);
    }
}
