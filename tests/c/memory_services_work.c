/* Futures for threads, executors, lookups, signals, children and programs when
 * memory fails at any moment. What a thread's start allocates inside of the
 * standard library (less than a kilobyte) fails by an abort there, so threads
 * are started before. */
#include "failing_memory.h"
#include "future_tools.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static loop_t *loop;
static int given, destroyed, called;

static void begin(void) {
    loop = loop_new();
    CHECK(loop != NULL);
    given = destroyed = called = 0;
}

static void *given_data(void) {
    given++;
    return &destroyed;
}

static void shaky_turns(int turns) {
    while (turns-- > 0)
        CHECK_NO_MEMORY(loop_run_once(loop, 0));
}

static void end(void) {
    memory_is_back();
    turns(loop, 4);
    close_loop(loop);
    CHECK_INT(destroyed, given);
}

static void hear_thread(loop_cfuture_t *cfuture, void *data) {
    (void)data;
    CHECK_INT(loop_cfuture_done(cfuture), 1);
    called++;
}

static void for_threads(void) {
    loop_cfuture_t *own = NULL;
    begin();
    memory_fails();
    CHECK_NO_MEMORY(loop_cfuture_new(&own));
    if (own != NULL) {
        int result = loop_cfuture_add_done_callback(own, hear_thread, given_data(), count);
        CHECK_NO_MEMORY(result);
        int set = loop_cfuture_set_exception(own, -EPIPE, "a text");
        CHECK_NO_MEMORY(set);
        if (set == 0)
            CHECK_INT(loop_cfuture_result(own, 0, NULL), -EPIPE);
        else
            CHECK_INT(loop_cfuture_cancel(own, "why"), 1);
        CHECK_INT(called, result == 0);
    }
    memory_is_back();
    loop_cfuture_unref(own);
    end();
}

TEST(a_threads_future_without_memory_tells_everybody) {
    sweep(for_threads);
}

static int start_sleep(loop_t *self, loop_future_t **ret_future, void *data) {
    (void)data;
    return loop_sleep(self, 0, NULL, NULL, ret_future);
}

static void submits(void) {
    loop_cfuture_t *cfuture = NULL;
    begin();
    memory_fails();
    int result = loop_submit_threadsafe(loop, start_sleep, given_data(), count, &cfuture);
    CHECK_NO_MEMORY(result);
    shaky_turns(4);
    memory_is_back();
    turns(loop, 4);
    if (cfuture != NULL) {
        CHECK_INT(loop_cfuture_done(cfuture), 1);
        CHECK_NO_MEMORY(loop_cfuture_result(cfuture, 0, NULL));
    }
    loop_cfuture_unref(cfuture);
    end();
}

TEST(a_submitted_start_without_memory_ends_by_an_error_or_well) {
    sweep(submits);
}

static int job(void *data, void **ret_result) {
    *ret_result = data;
    return 0;
}

static void nothing(void *data) {
    (void)data;
}

static loop_executor_t *executor;

static void jobs(void) {
    loop_future_t *future = NULL;
    begin();
    memory_fails();
    CHECK_NO_MEMORY(loop_run_in_executor(loop, executor, job, given_data(), count, NULL,
                                         &future));
    CHECK_NO_MEMORY(loop_call_in_executor(loop, executor, nothing, nothing, given_data(),
                                          count));
    CHECK_NO_MEMORY(loop_executor_submit(executor, nothing, given_data(), count));
    shaky_turns(2);
    memory_is_back();
    while (destroyed < given || (future != NULL && loop_future_done(future) == 0)) {
        CHECK(loop_run_once(loop, 1 * MS) >= 0);
    }
    loop_future_unref(future);
    end();
}

TEST(jobs_without_memory_are_refused_or_done) {
    CHECK_INT(loop_executor_new(1, &executor), 0);
    int ran = 0;
    CHECK_INT(loop_executor_submit(executor, count, &ran, NULL), 0);
    sweep(jobs);
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, -1), 0);
    loop_executor_unref(executor);
}

static void lookups(void) {
    loop_future_t *future = NULL;
    const loop_addrinfo_t *entries;
    size_t found;
    begin();
    memory_fails();
    int result = loop_getaddrinfo(loop, "127.0.0.1", "80", NULL, -1, &future);
    CHECK_NO_MEMORY(result);
    if (result == 0) {
        CHECK_INT(loop_future_done(future), 1);
        result = loop_getaddrinfo_result(future, &entries, &found);
        CHECK(result == 0 || (memory_failed() &&
                              (result == -ENOMEM || result == LOOP_EAI_MEMORY)));
    }
    memory_is_back();
    loop_future_unref(future);
    end();
}

TEST(a_lookup_without_memory_fails) {
    sweep(lookups);
}

static void signals(void) {
    begin();
    memory_fails();
    int result = loop_add_signal_handler(loop, SIGUSR1, nothing, given_data(), count);
    CHECK_NO_MEMORY(result);
    if (result == 0) {
        CHECK_INT(raise(SIGUSR1), 0);
        shaky_turns(3);
        CHECK_INT(loop_remove_signal_handler(loop, SIGUSR1), 1);
    }
    end();
}

TEST(signal_handlers_without_memory_are_refused_or_work) {
    sweep(signals);
}

static void child_ended(int pid, int status, void *data) {
    (void)pid, (void)data, (void)status;
    called++;
}

static void children(void) {
    begin();
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(3);
    memory_fails();
    int result = loop_watch_child(loop, pid, child_ended, given_data(), count);
    CHECK_NO_MEMORY(result);
    shaky_turns(2);
    memory_is_back();
    if (result == 0) {
        while (called == 0)
            CHECK(loop_run_once(loop, 10 * MS) >= 0);
    } else {
        CHECK_INT(waitpid(pid, NULL, 0), pid);
    }
    end();
}

TEST(a_child_without_memory_is_refused_or_watched) {
    if (in_valgrind())
        return; /* which knows no pidfd, so that a thread would be started */
    sweep(children);
}

static void programs(void) {
    loop_subprocess_options_t options;
    loop_process_t *process = NULL;
    loop_future_t *ended = NULL;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.stdio[1].kind = LOOP_STDIO_PIPE;
    begin();
    memory_fails();
    CHECK_NO_MEMORY(loop_subprocess_shell(loop, "exit 3", &options, &process));
    if (process != NULL)
        CHECK_NO_MEMORY(loop_process_wait(process, &ended));
    shaky_turns(2);
    memory_is_back();
    if (ended != NULL) {
        while (loop_future_done(ended) == 0)
            CHECK(loop_run_once(loop, 10 * MS) >= 0);
        CHECK_INT(number_of(ended), 3);
    }
    if (process != NULL) {
        int returncode = -1000;
        while (loop_process_returncode(process, &returncode) != 0)
            CHECK(loop_run_once(loop, 10 * MS) >= 0);
        CHECK_INT(returncode, 3);
    }
    loop_future_unref(ended);
    loop_process_unref(process);
    end();
}

TEST(a_program_without_memory_is_refused_or_runs) {
    sweep(programs);
}
