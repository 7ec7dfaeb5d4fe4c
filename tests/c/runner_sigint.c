/* SIGINT while a main task runs. */
#include "child.h"
#include <errno.h>
#include <signal.h>

struct main_task {
    int steps, told, stubborn;
};

static void raise_one(void *unused) {
    (void)unused;
    raise(SIGINT);
}

static int sleep_long(loop_task_t *task, int outcome, void *data) {
    struct main_task *self = data;
    loop_t *loop = loop_future_get_loop(loop_task_future(task));
    if (outcome == LOOP_ECANCELLED) {
        self->told++;
        if (!self->stubborn || self->told > 1) {
            return outcome;
        }
        /* It does not listen; a second signal ends the run. */
        CHECK_INT(loop_call_soon(loop, raise_one, NULL, NULL, NULL), 0);
    } else if (self->steps++ == 0) {
        CHECK_INT(loop_call_soon(loop, raise_one, NULL, NULL, NULL), 0);
    }
    loop_future_t *nap;
    CHECK_INT(loop_sleep(loop, 3600 * 1000 * MS, NULL, NULL, &nap), 0);
    return loop_task_await(task, nap);
}

static const loop_runner_options_t with_sigint = {
    .size = sizeof(loop_runner_options_t), .flags = LOOP_RUN_SIGINT};

TEST(E18_a_first_SIGINT_cancels_the_main_task) {
    struct main_task self = {0};
    CHECK_INT(loop_run(&with_sigint, sleep_long, &self, NULL, NULL), -EINTR);
    CHECK_INT(self.told, 1);
    struct sigaction action;
    CHECK_INT(sigaction(SIGINT, NULL, &action), 0);
    CHECK(action.sa_handler == SIG_DFL);
}

TEST(E18_a_second_SIGINT_ends_the_run_at_once) {
    struct main_task self = {.stubborn = 1};
    CHECK_INT(loop_run(&with_sigint, sleep_long, &self, NULL, NULL), -EINTR);
    /* By the first signal, and when the run's end cancels every task. */
    CHECK_INT(self.told, 2);
}

static void handled(int signal) {
    (void)signal;
}

static int raise_and_end(loop_task_t *task, int outcome, void *data) {
    (void)task, (void)data;
    CHECK_INT(outcome, 0);
    raise(SIGINT);
    return LOOP_TASK_DONE;
}

TEST(E18_a_SIGINT_handler_of_the_host_is_left_alone) {
    struct sigaction action = {.sa_handler = handled}, after;
    CHECK_INT(sigaction(SIGINT, &action, NULL), 0);
    CHECK_INT(loop_run(&with_sigint, raise_and_end, NULL, NULL, NULL), 0);
    CHECK_INT(sigaction(SIGINT, NULL, &after), 0);
    CHECK(after.sa_handler == handled);
}

static void run_and_be_interrupted(void *unused) {
    (void)unused;
    struct main_task self = {0};
    loop_run(NULL, sleep_long, &self, NULL, NULL);
}

TEST(E18_without_the_flag_no_signal_is_touched) {
    CHECK_INT(in_child(run_and_be_interrupted, NULL), 128 + SIGINT);
}
