/* Programs, signals and executors against hosts that do the worst thing at the
 * worst moment. */
#include "child.h"
#include "loop_thread.h"
#include "net.h"
#include "subprocess.h"
#include <signal.h>
#include <sys/wait.h>

struct program {
    loop_t *loop;
    loop_process_t *process;
    int made, exited, lost, destroyed, lost_pipes;
    size_t received, written;
    char last;
    int in_order;
    void (*on_made)(struct program *), (*on_data)(struct program *), (*on_pipe)(struct program *),
        (*on_exit)(struct program *), (*on_lost)(struct program *);
};

static void tell_program(struct program *program, void (*hook)(struct program *)) {
    CHECK_INT(program->lost, 0);
    CHECK_INT(program->destroyed, 0);
    if (hook != NULL)
        hook(program);
}

static void program_made(loop_process_t *process, void *data) {
    struct program *program = data;
    CHECK_INT(program->made++, 0);
    CHECK(process != NULL);
    tell_program(program, program->on_made);
}

static void program_data(loop_process_t *process, int fd, const void *bytes, size_t count,
                         void *data) {
    struct program *program = data;
    (void)process, (void)fd;
    CHECK_INT(program->made, 1);
    program->received += count;
    program->last = ((const char *)bytes)[count - 1];
    tell_program(program, program->on_data);
}

static void program_pipe_lost(loop_process_t *process, int fd, int code, const char *message,
                              void *data) {
    struct program *program = data;
    (void)process, (void)fd, (void)code, (void)message;
    CHECK_INT(program->made, 1);
    program->lost_pipes++;
    tell_program(program, program->on_pipe);
}

static void program_exited(loop_process_t *process, void *data) {
    struct program *program = data;
    int code;
    CHECK_INT(loop_process_returncode(process, &code), 0);
    CHECK_INT(program->made, 1);
    CHECK_INT(program->exited++, 0);
    tell_program(program, program->on_exit);
}

static void program_lost(loop_process_t *process, int code, const char *message, void *data) {
    struct program *program = data;
    (void)process;
    CHECK_INT(code, 0);
    CHECK(message == NULL);
    CHECK_INT(program->exited, 1);
    tell_program(program, program->on_lost);
    program->lost++;
}

static void program_destroyed(void *data) {
    CHECK_INT(((struct program *)data)->destroyed++, 0);
}

static const loop_process_protocol_t program_protocol = {
    .size = sizeof program_protocol, .connection_made = program_made,
    .pipe_data_received = program_data, .pipe_connection_lost = program_pipe_lost,
    .process_exited = program_exited, .connection_lost = program_lost,
};

static void start_program(struct program *program, loop_t *loop, const char *command) {
    loop_subprocess_options_t options = no_options();
    for (int i = 0; i < 3; i++)
        options.stdio[i].kind = LOOP_STDIO_PIPE;
    program->loop = loop;
    CHECK_INT(loop_subprocess_shell_protocol(loop, command, &options, &program_protocol, program,
                                             program_destroyed, &program->process), 0);
}

static void run_program(struct program *program, const char *command) {
    int before = open_fds();
    loop_t *loop = loop_new();
    start_program(program, loop, command);
    RUN_UNTIL(loop, program->destroyed == 1);
    CHECK_INT(program->lost, 1);
    CHECK_INT(program->lost_pipes, 3);
    loop_process_unref(program->process);
    loop_unref(loop);
    CHECK_INT(open_fds(), before);
}

TEST(break_processes_a_program_that_closes_its_streams_early_is_waited_for) {
    struct program program = {0};
    run_program(&program, "exec <&- >&- 2>&-; sleep 0.2");
    CHECK_INT(program.exited, 1);
}

TEST(break_processes_every_line_of_many_arrives) {
    struct program program = {0};
    run_program(&program, "i=0; while [ $i -lt 20000 ]; do echo line; i=$((i+1)); done");
    CHECK_INT(program.received, 100000);
    CHECK_INT(program.last, '\n');
}

/* As in asyncio the pipes count, too: who has them may still write. */
TEST(break_processes_a_grandchild_that_has_the_pipes_delays_the_end_but_not_the_exit) {
    struct program program = {0};
    loop_t *loop = loop_new();
    start_program(&program, loop, "sleep 0.3 & exit 3");
    RUN_UNTIL(loop, program.exited == 1);
    int code = -1;
    CHECK_INT(loop_process_returncode(program.process, &code), 0);
    CHECK_INT(code, 3);
    CHECK_INT(program.lost, 0);
    RUN_UNTIL(loop, program.destroyed == 1);
    loop_process_unref(program.process);
    loop_unref(loop);
}

static void end_all(struct program *program) {
    CHECK_INT(loop_process_close(program->process), 0);
}

static void leave(struct program *program) {
    if (program->process != NULL) {
        loop_process_t *process = program->process;
        program->process = NULL;
        loop_process_unref(process);
    }
}

static void stop_program(struct program *program) {
    CHECK_INT(loop_stop(program->loop), 0);
}

static void start_more(struct program *program) {
    loop_process_t *process = NULL;
    CHECK_INT(loop_subprocess_shell(program->loop, "exit 0", NULL, &process), 0);
    loop_process_unref(process);
}

static void kill_it(struct program *program) {
    int result = loop_process_kill(program->process);
    CHECK(result == 0 || result == -ESRCH);
}

static void write_in(struct program *program) {
    static char bytes[1 << 17];
    loop_transport_t *in = loop_process_get_pipe_transport(program->process, 0);
    if (in != NULL)
        (void)loop_transport_write(in, bytes, sizeof bytes);
}

static void fork_in(struct program *program) {
    pid_t child = start_child();
    if (child == 0)
        leave_child(loop_process_kill(program->process) == LOOP_EFORKED ? 0 : 1);
    CHECK_INT(end_of(child), 0);
}

TEST(break_processes_anything_in_any_callback) {
    void (*const actions[])(struct program *) = {end_all, leave, stop_program, start_more,
                                                 kill_it, write_in, fork_in};
    for (int place = 0; place < 5; place++)
        for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
            struct program program = {0};
            void (**const hooks[])(struct program *) = {&program.on_made, &program.on_data,
                                                        &program.on_pipe, &program.on_exit,
                                                        &program.on_lost};
            *hooks[place] = actions[i];
            if (place == 0 || place == 1)
                run_program(&program, "echo x; sleep 0.01; exec cat >/dev/null & sleep 0.02");
            else
                run_program(&program, "echo x");
        }
}

/* The number is closed twice: it must not be one of the loop's own by then. */
TEST(break_processes_a_pipe_closed_behind_the_process_aborts_nothing) {
    loop_t *loop = loop_new();
    CHECK_INT(open_backend(loop), 0);
    for (int closes = 0; closes < 2; closes++) {
        loop_subprocess_options_t options = no_options();
        options.stdio[1].kind = LOOP_STDIO_PIPE;
        loop_process_t *process = start_shell_with(loop, "exit 0", &options);
        CHECK_INT(close(loop_process_get_pipe_fd(process, 1)), 0);
        if (closes)
            CHECK_INT(loop_process_close(process), 0);
        (void)returncode_of(loop, process);
        loop_process_unref(process);
    }
    loop_unref(loop);
}

TEST(break_processes_a_zombie_cannot_be_killed_and_nobody_else_is) {
    loop_t *loop = loop_new();
    loop_process_t *process = start_shell_with(loop, "exit 0", NULL);
    siginfo_t info;
    /* Dead, but the loop has not looked. */
    CHECK_INT(waitid(P_PID, (id_t)loop_process_pid(process), &info, WEXITED | WNOWAIT), 0);
    CHECK_INT(loop_process_kill(process), 0);
    CHECK_INT(returncode_of(loop, process), 0);
    CHECK_INT(loop_process_kill(process), -ESRCH);
    CHECK_INT(loop_process_close(process), 0);
    loop_process_unref(process);
    loop_unref(loop);
}

/* With SIGCHLD ignored the kernel takes the status: it is unknown then. */
static void ends_though_ignored(int kind) {
    const loop_child_watcher_t *watcher = loop_child_watcher_get(kind);
    signal(SIGCHLD, SIG_IGN);
    CHECK(watcher != NULL);
    CHECK_INT(policy_set_child_watcher(watcher), 0);
    struct program program = {0};
    run_program(&program, "exit 7");
    loop_t *loop = loop_new();
    loop_process_t *process = start_shell_with(loop, "exit 7", NULL);
    CHECK_INT(returncode_of(loop, process), 255);
    CHECK_INT(loop_process_kill(process), -ESRCH);
    loop_process_unref(process);
    loop_unref(loop);
}

TEST(break_processes_end_though_sigchld_is_ignored) {
    ends_though_ignored(LOOP_CHILD_WATCHER_PIDFD);
}

TEST(break_processes_watched_by_a_thread_end_though_sigchld_is_ignored) {
    ends_though_ignored(LOOP_CHILD_WATCHER_THREADED);
}

/* Signals in a storm from several threads while handlers come and go in two
 * loops: none is called after its removal, none is forgotten at the end. */
static volatile sig_atomic_t storm_over;

static void ignore_signal(int signum) {
    (void)signum;
}

static void *storm(void *unused) {
    (void)unused;
    while (!storm_over) {
        kill(getpid(), SIGUSR1);
        kill(getpid(), SIGUSR2);
        if (in_valgrind())
            sleep_ns(10 * MS); /* otherwise nothing else would run there */
    }
    return NULL;
}

struct handler {
    int present, calls, destroyed;
};

static void handled(void *data) {
    struct handler *handler = data;
    CHECK_INT(handler->present, 1);
    handler->calls++;
}

static void handler_gone(void *data) {
    struct handler *handler = data;
    handler->present = 0;
    handler->destroyed++;
}

static void *add_and_remove(void *unused) {
    (void)unused;
    loop_t *loop = loop_new();
    struct handler handlers[2] = {{0}, {0}};
    const int signals[2] = {SIGUSR1, SIGUSR2};
    int added = 0;
    for (int i = 0; i < (in_valgrind() ? 50 : 1500); i++) {
        struct handler *handler = &handlers[i % 2];
        int signum = signals[i % 2];
        if (!handler->present || i % 7 == 0) {
            CHECK_INT(loop_add_signal_handler(loop, signum, handled, handler, handler_gone), 0);
            handler->present = 1;
            added++;
        } else {
            CHECK_INT(loop_remove_signal_handler(loop, signum), 1);
            CHECK_INT(handler->present, 0);
        }
        CHECK(loop_run_once(loop, 0) >= 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_INT(loop_add_signal_handler(loop, signals[i], handled, &handlers[i], handler_gone),
                  0);
        handlers[i].present = 1, handlers[i].calls = 0;
        added++;
    }
    RUN_UNTIL(loop, handlers[0].calls > 0 && handlers[1].calls > 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(handlers[0].destroyed + handlers[1].destroyed, added);
    loop_unref(loop);
    return NULL;
}

TEST(break_signals_in_a_storm_reach_present_handlers_only) {
    pthread_t storms[2], loops[2];
    signal(SIGUSR1, ignore_signal);
    signal(SIGUSR2, ignore_signal);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pthread_create(&storms[i], NULL, storm, NULL), 0);
        CHECK_INT(pthread_create(&loops[i], NULL, add_and_remove, NULL), 0);
    }
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_join(loops[i], NULL), 0);
    storm_over = 1;
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_join(storms[i], NULL), 0);
    struct sigaction action;
    CHECK_INT(sigaction(SIGUSR1, NULL, &action), 0);
    CHECK(action.sa_handler == ignore_signal);
}

struct remover {
    loop_t *loop;
    int calls;
};

static void remove_both(void *data) {
    struct remover *remover = data;
    remover->calls++;
    CHECK_INT(loop_remove_signal_handler(remover->loop, SIGUSR1), 1);
    CHECK_INT(loop_remove_signal_handler(remover->loop, SIGUSR2), 1);
}

TEST(break_signals_a_handler_that_removes_all_is_the_last_one_called) {
    loop_t *loop = loop_new();
    struct remover remover = {.loop = loop};
    for (int i = 0; i < 20; i++) {
        CHECK_INT(loop_add_signal_handler(loop, SIGUSR1, remove_both, &remover, NULL), 0);
        CHECK_INT(loop_add_signal_handler(loop, SIGUSR2, remove_both, &remover, NULL), 0);
        raise(SIGUSR1), raise(SIGUSR2);
        RUN_UNTIL(loop, remover.calls == i + 1);
        CHECK(loop_run_once(loop, 0) >= 0);
        CHECK_INT(remover.calls, i + 1);
    }
    loop_unref(loop);
}

/* Executors. */
struct job {
    loop_executor_t *executor;
    sem_t done;
    int code, runs, destroyed;
};

static void shut_down_inside(void *data) {
    struct job *job = data;
    job->runs++;
    job->code = loop_executor_shutdown(job->executor, LOOP_EXECUTOR_WAIT, -1);
    CHECK_INT(loop_executor_submit(job->executor, never, NULL, NULL), LOOP_ESHUTDOWN);
}

static void job_gone(void *data) {
    struct job *job = data;
    job->destroyed++;
    sem_post(&job->done);
}

TEST(break_executors_a_job_that_waits_for_its_own_pool_is_told_so) {
    struct job job = {0};
    CHECK_INT(sem_init(&job.done, 0, 0), 0);
    CHECK_INT(loop_executor_new(2, &job.executor), 0);
    CHECK_INT(loop_executor_submit(job.executor, shut_down_inside, &job, job_gone), 0);
    take(&job.done);
    CHECK_INT(job.code, -EDEADLK);
    CHECK_INT(loop_executor_shutdown(job.executor, LOOP_EXECUTOR_WAIT, -1), 0);
    loop_executor_unref(job.executor);
}

static void unref_inside(void *data) {
    struct job *job = data;
    job->runs++;
    loop_executor_unref(job->executor);
}

TEST(break_executors_a_job_may_give_back_the_last_reference_to_its_pool) {
    for (int i = 0; i < 20; i++) {
        struct job job = {0};
        CHECK_INT(sem_init(&job.done, 0, 0), 0);
        CHECK_INT(loop_executor_new(1, &job.executor), 0);
        CHECK_INT(loop_executor_submit(job.executor, unref_inside, &job, NULL), 0);
        /* The reference may be gone by now: nothing more can be asked of it. */
        while (__atomic_load_n(&job.runs, __ATOMIC_SEQ_CST) == 0)
            sleep_ns(MS);
        sem_destroy(&job.done);
    }
    sleep_ns(50 * MS); /* the threads end by themselves */
}

static int slow_job(void *data, void **ret_result) {
    (void)ret_result;
    sleep_ns(MS);
    __atomic_add_fetch((int *)data, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void shut_down_pool(void *data) {
    loop_executor_shutdown(data, LOOP_EXECUTOR_CANCEL_QUEUED, 0);
}

static void wait_for_pool(void *data) {
    CHECK_INT(loop_executor_shutdown(data, LOOP_EXECUTOR_CANCEL_QUEUED | LOOP_EXECUTOR_WAIT, -1),
              0);
}

TEST(break_executors_every_future_ends_when_the_pool_is_shut_down_from_a_callback) {
    loop_callback_t const ends[] = {shut_down_pool, wait_for_pool};
    for (int i = 0; i < 2; i++) {
        loop_t *loop = loop_new();
        loop_executor_t *pool = NULL;
        loop_future_t *futures[40];
        int ran = 0, succeeded = 0;
        CHECK_INT(loop_executor_new(2, &pool), 0);
        for (int n = 0; n < 40; n++)
            CHECK_INT(loop_run_in_executor(loop, pool, slow_job, &ran, NULL, NULL, &futures[n]),
                      0);
        CHECK_INT(loop_call_soon(loop, ends[i], pool, NULL, NULL), 0);
        for (int n = 0; n < 40; n++) {
            RUN_UNTIL(loop, loop_future_done(futures[n]) == 1);
            succeeded += loop_future_result(futures[n], NULL) == 0;
            loop_future_unref(futures[n]);
        }
        CHECK_INT(succeeded, ran);
        CHECK_INT(loop_executor_shutdown(pool, LOOP_EXECUTOR_WAIT, -1), 0);
        loop_executor_unref(pool);
        loop_unref(loop);
    }
}
