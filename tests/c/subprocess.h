/* Starting programs in tests. */
#ifndef SUBPROCESS_H
#define SUBPROCESS_H

#include "test.h"
#include <fcntl.h>
#include <unistd.h>

enum { MOST_OUTPUT = 8192 };

/* A program's standard output as a text. */
struct output {
    char text[MOST_OUTPUT];
};

static inline loop_subprocess_options_t no_options(void) {
    loop_subprocess_options_t options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    return options;
}

static inline loop_process_t *start_shell_with(loop_t *loop, const char *command,
                                               const loop_subprocess_options_t *options) {
    loop_process_t *process = NULL;
    CHECK_INT(loop_subprocess_shell(loop, command, options, &process), 0);
    CHECK(process != NULL);
    return process;
}

static inline void stop_when_done(loop_future_t *future, void *loop) {
    (void)future;
    CHECK_INT(loop_stop(loop), 0);
}

/* Runs the loop until the future is done; its result as a number. */
static inline int result_of(loop_t *loop, loop_future_t *future) {
    void *result = NULL;
    CHECK_INT(loop_future_add_done_callback(future, stop_when_done, loop, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(loop_future_result(future, &result), 0);
    return (int)(intptr_t)result;
}

static inline int returncode_of(loop_t *loop, loop_process_t *process) {
    loop_future_t *future = NULL;
    int returncode = -1000;
    CHECK_INT(loop_process_wait(process, &future), 0);
    int result = result_of(loop, future);
    loop_future_unref(future);
    CHECK_INT(loop_process_returncode(process, &returncode), 0);
    CHECK_INT(returncode, result);
    return returncode;
}

/* What the command writes to its standard output; it must end with 0. */
static inline struct output output_of(loop_t *loop, const char *command,
                                      loop_subprocess_options_t options) {
    struct output out;
    size_t length = 0;
    options.stdio[1].kind = LOOP_STDIO_PIPE;
    loop_process_t *process = start_shell_with(loop, command, &options);
    int fd = loop_process_take_pipe_fd(process, 1);
    CHECK(fd >= 0);
    CHECK_INT(fcntl(fd, F_SETFL, 0), 0); /* blocking will do here */
    for (ssize_t got; (got = read(fd, out.text + length, sizeof out.text - 1 - length)) > 0;)
        length += (size_t)got;
    out.text[length] = '\0';
    close(fd);
    CHECK_INT(returncode_of(loop, process), 0);
    loop_process_unref(process);
    return out;
}

#endif
