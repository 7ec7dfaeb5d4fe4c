/* Ctrl-C as SIGINT, in a console of the test's own. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <windows.h>
#include "../test.h"

#define BREAK 21

static void own_console(void) {
    FreeConsole();
    CHECK(AllocConsole());
}

static void press_ctrl_c(void *unused) {
    (void)unused;
    CHECK(GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0));
}

struct handler {
    loop_t *loop;
    int calls, destroyed;
};

static void on_signal(void *data) {
    struct handler *handler = data;
    handler->calls++;
    loop_stop(handler->loop);
}

static void handler_destroyed(void *data) {
    ((struct handler *)data)->destroyed++;
}

static volatile LONG hosts_calls;

static BOOL WINAPI hosts_handler(DWORD event) {
    CHECK_INT(event, CTRL_C_EVENT);
    InterlockedIncrement(&hosts_calls);
    return TRUE;
}

TEST(windows_ctrl_c_calls_the_handler_of_sigint_in_the_loop) {
    own_console();
    CHECK(SetConsoleCtrlHandler(hosts_handler, TRUE));
    struct handler first = {.loop = loop_new()}, second = {.loop = first.loop};
    loop_t *loop = first.loop;
    CHECK_INT(loop_add_signal_handler(loop, SIGINT, on_signal, &first, handler_destroyed), 0);
    CHECK_INT(loop_call_soon(loop, press_ctrl_c, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(first.calls, 1);
    CHECK_INT(loop_add_signal_handler(loop, SIGINT, on_signal, &second, handler_destroyed), 0);
    CHECK_INT(first.destroyed, 1);
    CHECK_INT(loop_call_soon(loop, press_ctrl_c, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK(first.calls == 1 && second.calls == 1);
    CHECK_INT(hosts_calls, 0);

    /* What the host had set is there again. */
    CHECK_INT(loop_remove_signal_handler(loop, SIGINT), 1);
    CHECK_INT(loop_remove_signal_handler(loop, SIGINT), 0);
    CHECK_INT(second.destroyed, 1);
    press_ctrl_c(NULL);
    for (int i = 0; i < 500 && hosts_calls == 0; i++)
        Sleep(10);
    CHECK_INT(hosts_calls, 1);
    loop_unref(loop);
}

static DWORD WINAPI run_loop(void *data) {
    struct handler *handler = data;
    CHECK_INT(loop_run_forever(handler->loop), 0);
    return 0;
}

TEST(windows_every_loop_in_every_thread_gets_ctrl_c) {
    enum { COUNT = 4 };
    struct handler handlers[COUNT];
    HANDLE threads[COUNT];
    own_console();
    for (int i = 0; i < COUNT; i++) {
        handlers[i] = (struct handler){.loop = loop_new()};
        CHECK_INT(loop_add_signal_handler(handlers[i].loop, SIGINT, on_signal, &handlers[i], handler_destroyed), 0);
        threads[i] = CreateThread(NULL, 0, run_loop, &handlers[i], 0, NULL);
        CHECK(threads[i] != NULL);
    }
    Sleep(50);
    press_ctrl_c(NULL);
    CHECK_INT(WaitForMultipleObjects(COUNT, threads, TRUE, 20000), WAIT_OBJECT_0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(handlers[i].calls, 1);
        loop_unref(handlers[i].loop);
        CHECK_INT(handlers[i].destroyed, 1);
        CloseHandle(threads[i]);
    }
}

TEST(windows_signals_that_no_console_has_are_unsupported) {
    struct handler handler = {.loop = loop_new()};
    CHECK_INT(loop_add_signal_handler(handler.loop, SIGTERM, on_signal, &handler, handler_destroyed), LOOP_ENOTSUP);
    CHECK_INT(loop_add_signal_handler(handler.loop, 9, on_signal, &handler, handler_destroyed), LOOP_ENOTSUP);
    CHECK_INT(loop_add_signal_handler(handler.loop, 0, on_signal, &handler, handler_destroyed), LOOP_EINVAL);
    CHECK_INT(loop_remove_signal_handler(handler.loop, SIGTERM), 0);
    CHECK_INT(handler.destroyed, 3);
    CHECK_INT(loop_add_signal_handler(handler.loop, BREAK, on_signal, &handler, handler_destroyed), 0);
    loop_unref(handler.loop);
    CHECK_INT(handler.destroyed, 4);
}

struct main_task {
    int steps, told, stubborn;
};

static int nap(loop_task_t *task, long long duration) {
    loop_t *loop = loop_future_get_loop(loop_task_future(task));
    loop_future_t *nap;
    CHECK_INT(loop_sleep(loop, duration, NULL, NULL, &nap), 0);
    return loop_task_await(task, nap);
}

static int sleep_long(loop_task_t *task, int outcome, void *data) {
    struct main_task *self = data;
    if (outcome == LOOP_ECANCELLED) {
        self->told++;
        if (!self->stubborn || self->told > 1)
            return outcome;
        /* It does not listen; a second Ctrl-C ends the run. */
        press_ctrl_c(NULL);
    } else if (self->steps++ == 0)
        press_ctrl_c(NULL);
    return nap(task, 3600 * 1000 * MS);
}

static const loop_runner_options_t with_sigint = {
    .size = sizeof(loop_runner_options_t), .flags = LOOP_RUN_SIGINT};

TEST(windows_a_first_ctrl_c_cancels_the_main_task) {
    own_console();
    struct main_task self = {0};
    CHECK_INT(loop_run(&with_sigint, sleep_long, &self, NULL, NULL), -EINTR);
    CHECK_INT(self.told, 1);
}

TEST(windows_a_second_ctrl_c_ends_the_run_at_once) {
    own_console();
    struct main_task self = {.stubborn = 1};
    CHECK_INT(loop_run(&with_sigint, sleep_long, &self, NULL, NULL), -EINTR);
    CHECK_INT(self.told, 2);
}

static volatile sig_atomic_t handled;

static void handle(int signum) {
    (void)signum;
    handled++;
}

static int end_after_ctrl_c(loop_task_t *task, int outcome, void *data) {
    (void)data;
    CHECK_INT(outcome, 0);
    if (handled)
        return LOOP_TASK_DONE;
    press_ctrl_c(NULL);
    for (int i = 0; i < 500 && !handled; i++)
        Sleep(10);
    return nap(task, 50 * MS);
}

TEST(windows_a_handler_of_the_c_runtime_is_left_alone) {
    own_console();
    CHECK(signal(SIGINT, handle) == SIG_DFL);
    CHECK_INT(loop_run(&with_sigint, end_after_ctrl_c, NULL, NULL, NULL), 0);
    CHECK_INT(handled, 1);
}
