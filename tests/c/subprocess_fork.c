/* Programs around fork, and that starting one is no fork. */
#include "child.h"
#include "subprocess.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static int prepared, in_parent, in_child_handler;

static void count_prepare(void) {
    prepared++;
}

static void count_parent(void) {
    in_parent++;
}

static void count_child(void) {
    in_child_handler++;
}

TEST(F16_starting_a_program_runs_no_fork_handler_and_makes_no_generation) {
    struct witness witness;
    uint64_t instance = coloop_instance_id();
    CHECK_INT(pthread_atfork(count_prepare, count_parent, count_child), 0);
    witness_open(&witness);
    loop_t *other = loop_new();
    loop_process_t *second = start_shell_with(other, "exit 3", NULL);
    CHECK_INT(returncode_of(other, second), 3);
    loop_process_unref(second);
    loop_unref(other);
    witness_check(&witness);
    witness_close(&witness);
    CHECK_INT(prepared + in_parent + in_child_handler, 0);
    CHECK(coloop_instance_id() == instance);
}

TEST(F12_a_childs_own_programs_work_and_the_parents_are_not_its_business) {
    loop_t *loop = loop_new();
    loop_subprocess_options_t options = no_options();
    options.stdio[0].kind = LOOP_STDIO_PIPE;
    loop_process_t *process = start_shell_with(loop, "read line; exit 7", &options);
    loop_future_t *wait = NULL;
    CHECK_INT(loop_process_wait(process, &wait), 0);
    pid_t child = start_child();
    if (child == 0) {
        loop_future_t *none = NULL;
        loop_process_t *refused = NULL;
        int code;
        CHECK_INT(loop_process_kill(process), LOOP_EFORKED);
        CHECK_INT(loop_process_close(process), LOOP_EFORKED);
        CHECK_INT(loop_process_wait(process, &none), LOOP_EFORKED);
        CHECK_INT(loop_process_returncode(process, &code), LOOP_EFORKED);
        CHECK_INT(loop_process_get_pipe_fd(process, 0), LOOP_EFORKED);
        CHECK_INT(loop_process_take_pipe_fd(process, 0), LOOP_EFORKED);
        CHECK_INT(loop_subprocess_shell(loop, "true", NULL, &refused), LOOP_EFORKED);
        CHECK(loop_process_pid(process) > 0);
        CHECK(none == NULL && refused == NULL);
        loop_t *own = loop_new();
        loop_process_t *its_own = start_shell_with(own, "exit 9", NULL);
        CHECK_INT(returncode_of(own, its_own), 9);
        loop_process_unref(its_own);
        loop_unref(own);
        /* It may take the parent's loop over, or close it. */
        CHECK_INT(loop_reinit_after_fork(loop, LOOP_REINIT_KEEP_IO), 0);
        its_own = start_shell_with(loop, "exit 8", NULL);
        CHECK_INT(returncode_of(loop, its_own), 8);
        loop_process_unref(its_own);
        loop_process_unref(process);
        loop_future_unref(wait);
        CHECK_INT(loop_close(loop), 0);
        loop_unref(loop);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    CHECK_INT(write(loop_process_get_pipe_fd(process, 0), "\n", 1), 1);
    CHECK_INT(result_of(loop, wait), 7);
    loop_future_unref(wait);
    loop_process_unref(process);
    loop_unref(loop);
}

static void *allocate_and_signal(void *stop) {
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) {
        free(malloc(1000));
        pthread_kill(pthread_self(), SIGUSR1);
        if (in_valgrind())
            sleep_ns(10 * MS);
    }
    return NULL;
}

static void *send_signals(void *stop) {
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) {
        kill(getpid(), SIGUSR1);
        sleep_ns(in_valgrind() ? 20 * MS : MS / 10);
    }
    return NULL;
}

TEST(programs_start_in_a_storm_of_signals_and_threads) {
    loop_t *loop = loop_new();
    pthread_t threads[2];
    int stop = 0, signals = 0, many = in_valgrind() ? 5 : 200;
    CHECK_INT(loop_add_signal_handler(loop, SIGUSR1, count, &signals, NULL), 0);
    CHECK_INT(pthread_create(&threads[0], NULL, allocate_and_signal, &stop), 0);
    CHECK_INT(pthread_create(&threads[1], NULL, send_signals, &stop), 0);
    for (int i = 0; i < many; i++) {
        loop_process_t *process = start_shell_with(loop, "exit 5", NULL);
        CHECK_INT(returncode_of(loop, process), 5);
        loop_process_unref(process);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK(signals > 0);
    loop_unref(loop);
}

/* The loop is closed while its program runs: nobody is killed, nothing leaks. */
TEST(a_program_outlives_its_loop) {
    loop_t *loop = loop_new();
    int fds = open_fds(), status = -1;
    loop_future_t *wait = NULL, *late = NULL;
    loop_subprocess_options_t options = no_options();
    options.stdio[0].kind = LOOP_STDIO_PIPE;
    loop_process_t *process = start_shell_with(loop, "read line; exit 4", &options);
    CHECK_INT(loop_process_wait(process, &wait), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_future_done(wait), 0);
    loop_future_unref(wait);
    CHECK_INT(loop_process_wait(process, &late), LOOP_ECLOSED);
    CHECK_INT(loop_process_returncode(process, &status), LOOP_EINVALID_STATE);
    CHECK_INT(write(loop_process_get_pipe_fd(process, 0), "\n", 1), 1);
    CHECK_INT(end_of(loop_process_pid(process)), 4); /* ours now */
    loop_process_unref(process);
    loop_unref(loop);
    CHECK_INT(open_fds(), fds);
}
