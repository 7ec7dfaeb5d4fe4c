/* Programs with a protocol: what they are told, and in which order. */
#include "child.h"
#include "subprocess.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

struct talk {
    loop_t *loop;
    loop_process_t *process;
    /* m made, d data, 0 1 2 a pipe's end, x exited, l lost, ~ destroyed */
    struct log log;
    char text[256];
    size_t received, sent, to_send;
    int returncode, pauses, resumes, destroyed, paused, last_code;
    void (*when_made)(struct talk *self);
};

static unsigned char pattern(size_t position) {
    return (unsigned char)(position * 7 + position / 256);
}

static void made(loop_process_t *process, void *user_data) {
    struct talk *self = user_data;
    CHECK(self->process == process);
    record(&self->log, 'm');
    if (self->when_made != NULL)
        self->when_made(self);
}

static void data(loop_process_t *process, int fd, const void *bytes, size_t count,
                 void *user_data) {
    struct talk *self = user_data;
    CHECK(self->process == process);
    CHECK(count > 0 && (fd == 1 || fd == 2));
    if (self->log.length == 0 || self->log.text[self->log.length - 1] != 'd')
        record(&self->log, 'd');
    for (size_t i = 0; i < count; i++) {
        if (self->to_send != 0)
            CHECK_INT(((const unsigned char *)bytes)[i], pattern(self->received + i));
        else if (self->received + i < sizeof self->text - 1)
            self->text[self->received + i] = ((const char *)bytes)[i];
    }
    self->received += count;
}

static void pipe_lost(loop_process_t *process, int fd, int code, const char *message,
                      void *user_data) {
    struct talk *self = user_data;
    CHECK(self->process == process);
    CHECK((code == 0) == (message == NULL));
    self->last_code = code;
    record(&self->log, (char)('0' + fd));
}

static void exited(loop_process_t *process, void *user_data) {
    struct talk *self = user_data;
    CHECK(self->process == process);
    CHECK_INT(loop_process_returncode(process, &self->returncode), 0);
    record(&self->log, 'x');
}

static void lost(loop_process_t *process, int code, const char *message, void *user_data) {
    struct talk *self = user_data;
    CHECK(self->process == process);
    CHECK(code == 0 && message == NULL);
    CHECK_INT(self->destroyed, 0);
    record(&self->log, 'l');
    CHECK_INT(loop_stop(self->loop), 0);
}

static void write_on(struct talk *self) {
    unsigned char block[10000];
    loop_transport_t *in = loop_process_get_pipe_transport(self->process, 0);
    while (!self->paused && self->sent < self->to_send) {
        size_t count = self->to_send - self->sent;
        count = count < sizeof block ? count : sizeof block;
        for (size_t i = 0; i < count; i++)
            block[i] = pattern(self->sent + i);
        self->sent += count;
        CHECK(loop_transport_write(in, block, count) >= 0);
    }
    if (self->sent == self->to_send && self->to_send != 0)
        CHECK_INT(loop_transport_write_eof(in), 0);
}

static void pause_writing(loop_process_t *process, void *user_data) {
    struct talk *self = user_data;
    CHECK(self->process == process);
    self->pauses++;
    self->paused = 1;
}

static void resume_writing(loop_process_t *process, void *user_data) {
    struct talk *self = user_data;
    CHECK(self->process == process);
    self->resumes++;
    self->paused = 0;
    write_on(self);
}

static void destroy(void *user_data) {
    struct talk *self = user_data;
    self->destroyed++;
    record(&self->log, '~');
}

static loop_process_protocol_t all_functions(void) {
    loop_process_protocol_t protocol;
    memset(&protocol, 0, sizeof protocol);
    protocol.size = sizeof protocol;
    protocol.connection_made = made;
    protocol.pipe_data_received = data;
    protocol.pipe_connection_lost = pipe_lost;
    protocol.process_exited = exited;
    protocol.connection_lost = lost;
    protocol.pause_writing = pause_writing;
    protocol.resume_writing = resume_writing;
    return protocol;
}

static loop_subprocess_options_t three_pipes(void) {
    loop_subprocess_options_t options = no_options();
    options.stdio[0].kind = options.stdio[1].kind = options.stdio[2].kind = LOOP_STDIO_PIPE;
    return options;
}

static void start_talk(struct talk *self, const char *command,
                       const loop_subprocess_options_t *options) {
    loop_process_protocol_t protocol = all_functions();
    CHECK_INT(loop_subprocess_shell_protocol(self->loop, command, options, &protocol, self, destroy,
                                             &self->process), 0);
    CHECK_STR(self->log.text, "");
}

static void settle(void) {
    for (int entries = 0, tries = 0; entries != 3 && tries < 1000; tries++) {
        DIR *directory = opendir("/proc/self/task");
        CHECK(directory != NULL);
        for (entries = 0; readdir(directory) != NULL;)
            entries++;
        closedir(directory);
        sleep_ns(MS);
    }
}

static int position(const struct talk *self, char mark) {
    const char *found = strchr(self->log.text, mark);
    CHECK(found != NULL);
    return (int)(found - self->log.text);
}

static void close_input(struct talk *self) {
    CHECK_INT(loop_transport_close(loop_process_get_pipe_transport(self->process, 0)), 0);
}

TEST(a_protocol_is_told_everything_and_connection_lost_comes_last) {
    int fds = open_fds();
    struct talk self = {.loop = loop_new(), .when_made = close_input};
    loop_subprocess_options_t options = three_pipes();
    start_talk(&self, "cat; echo hello; exec sh -c 'echo trouble >&2; exit 7'", &options);
    CHECK(loop_process_get_pipe_transport(self.process, 0) != NULL);
    CHECK(loop_process_get_pipe_transport(self.process, 3) == NULL);
    CHECK(loop_process_get_pipe_transport(NULL, 0) == NULL);
    CHECK_INT(loop_process_get_pipe_fd(self.process, 1), LOOP_EINVAL);
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_INT(self.returncode, 7);
    CHECK(strstr(self.text, "hello\n") != NULL && strstr(self.text, "trouble\n") != NULL);
    CHECK_INT(self.received, 14);
    CHECK_INT(self.log.text[0], 'm');
    int lost_at = position(&self, 'l');
    for (const char *mark = "012dx"; *mark != '\0'; mark++)
        CHECK(position(&self, *mark) < lost_at);
    CHECK_INT(position(&self, '~'), lost_at + 1);
    CHECK_INT(self.destroyed, 1);
    loop_process_unref(self.process);
    loop_unref(self.loop);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(open_fds(), fds);
    settle();
}

static void *capture_slowly(void *unused) {
    (void)unused;
    sleep_ns(50 * MS);
    return NULL;
}

static void change_nothing(void *context, void *unused) {
    (void)context, (void)unused;
}

/* The thread that waits for the program has told the loop of its end before the
 * start is through. */
TEST(connection_made_comes_first_though_a_thread_has_seen_the_end) {
    static const loop_context_hooks_t hooks = {sizeof hooks, capture_slowly, change_nothing,
                                               change_nothing, change_nothing};
    CHECK_INT(policy_set_child_watcher(loop_child_watcher_get(LOOP_CHILD_WATCHER_THREADED)), 0);
    struct talk self = {.loop = loop_new()};
    CHECK_INT(loop_set_context_hooks(self.loop, &hooks, NULL, NULL), 0);
    loop_subprocess_options_t options = no_options();
    start_talk(&self, "exit 3", &options);
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_STR(self.log.text, "mxl~");
    CHECK_INT(self.returncode, 3);
    loop_process_unref(self.process);
    loop_unref(self.loop);
}

TEST(a_megabyte_goes_through_cat_with_flow_control) {
    struct talk self = {.loop = loop_new(), .when_made = write_on, .to_send = 1 << 20};
    loop_subprocess_options_t options = three_pipes();
    options.stdio[2].kind = LOOP_STDIO_INHERIT;
    start_talk(&self, "exec cat", &options);
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_INT(self.received, 1 << 20);
    CHECK_INT(self.returncode, 0);
    CHECK(self.pauses > 0);
    CHECK_INT(self.resumes, self.pauses);
    CHECK_INT(self.destroyed, 1);
    loop_process_unref(self.process);
    loop_unref(self.loop);
    settle();
}

TEST(without_pipes_there_are_the_beginning_and_the_end) {
    struct talk self = {.loop = loop_new()};
    loop_process_protocol_t protocol = all_functions();
    const char *argv[] = {"true", NULL};
    loop_subprocess_options_t options = no_options();
    options.argv = argv;
    CHECK_INT(loop_subprocess_exec_protocol(self.loop, &options, &protocol, &self, destroy,
                                            &self.process), 0);
    loop_process_unref(self.process); /* the loop keeps it */
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_STR(self.log.text, "mxl~");
    CHECK_INT(self.returncode, 0);
    loop_unref(self.loop);
    settle();
}

TEST(a_pipe_that_outlives_the_process_delays_connection_lost) {
    struct talk self = {.loop = loop_new()};
    loop_subprocess_options_t options = three_pipes();
    options.stdio[0].kind = LOOP_STDIO_DEVNULL;
    options.stdio[2].kind = LOOP_STDIO_DEVNULL;
    start_talk(&self, "(sleep 0.2; echo late) & exit 3", &options);
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_STR(self.log.text, "mxd1l~");
    CHECK_INT(self.returncode, 3);
    CHECK_STR(self.text, "late\n");
    loop_process_unref(self.process);
    loop_unref(self.loop);
    settle();
}

static void close_process(struct talk *self) {
    CHECK_INT(loop_process_close(self->process), 0);
    CHECK_INT(loop_process_close(self->process), 0);
}

TEST(closing_a_process_with_a_protocol_kills_it_and_everything_ends) {
    struct talk self = {.loop = loop_new(), .when_made = close_process};
    loop_subprocess_options_t options = three_pipes();
    start_talk(&self, "exec sleep 30", &options);
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_INT(self.returncode, -SIGKILL);
    CHECK(position(&self, '0') < position(&self, 'l') && position(&self, 'x') < position(&self, 'l'));
    CHECK_INT(self.destroyed, 1);
    loop_process_unref(self.process);
    loop_unref(self.loop);
    settle();
}

static void write_to_nobody(struct talk *self) {
    static char much[1 << 20];
    CHECK(loop_transport_write(loop_process_get_pipe_transport(self->process, 0), much,
                               sizeof much) >= 0);
}

TEST(a_program_that_does_not_read_loses_its_input_without_a_signal) {
    struct talk self = {.loop = loop_new(), .when_made = write_to_nobody};
    loop_subprocess_options_t options = no_options();
    options.stdio[0].kind = LOOP_STDIO_PIPE;
    start_talk(&self, "exit 0", &options);
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_INT(self.last_code, -EPIPE);
    CHECK_INT(self.returncode, 0);
    CHECK_INT(self.destroyed, 1);
    loop_process_unref(self.process);
    loop_unref(self.loop);
    settle();
}

TEST(a_protocol_that_cannot_start_is_destroyed_and_hears_nothing) {
    struct talk self = {.loop = loop_new()};
    loop_process_protocol_t protocol = all_functions(), bad = protocol;
    loop_subprocess_options_t options = three_pipes();
    const char *argv[] = {"/no/such/program", NULL};
    int fds = open_fds();
    options.argv = argv;
    CHECK_INT(loop_subprocess_exec_protocol(self.loop, &options, &protocol, &self, destroy,
                                            &self.process), -ENOENT);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(loop_subprocess_exec_protocol(self.loop, &options, NULL, &self, destroy,
                                            &self.process), LOOP_EINVAL);
    bad.size = 1;
    CHECK_INT(loop_subprocess_exec_protocol(self.loop, &options, &bad, &self, destroy,
                                            &self.process), LOOP_EINVAL);
    CHECK_INT(loop_subprocess_exec_protocol(NULL, &options, &protocol, &self, destroy,
                                            &self.process), LOOP_EINVAL);
    CHECK_INT(loop_subprocess_exec_protocol(self.loop, NULL, &protocol, &self, destroy,
                                            &self.process), LOOP_EINVAL);
    CHECK_INT(loop_subprocess_shell_protocol(self.loop, "true", NULL, &protocol, &self, destroy,
                                             NULL), LOOP_EINVAL);
    CHECK_INT(self.destroyed, 6);
    CHECK_INT(loop_run_once(self.loop, 0), 0);
    CHECK_STR(self.log.text, "~~~~~~");
    CHECK(self.process == NULL);
    CHECK_INT(open_fds(), fds);
    loop_unref(self.loop);
}

TEST(closing_the_loop_destroys_the_protocol_with_the_last_reference) {
    int fds = open_fds();
    struct talk self = {.loop = loop_new()};
    loop_subprocess_options_t options = three_pipes();
    start_talk(&self, "cat", &options);
    CHECK_INT(loop_run_once(self.loop, 0) >= 0, 1);
    CHECK_STR(self.log.text, "m");
    CHECK_INT(loop_close(self.loop), 0);
    CHECK_INT(self.destroyed, 0);
    /* Its input ended, and so does it. Did that come quickly enough for the loop? */
    int status = -1;
    if (loop_process_returncode(self.process, &status) != 0)
        status = end_of(loop_process_pid(self.process));
    CHECK_INT(status, 0);
    CHECK(loop_process_get_pipe_transport(self.process, 0) != NULL);
    loop_process_unref(self.process);
    CHECK_INT(self.destroyed, 1);
    loop_unref(self.loop);
    CHECK_STR(self.log.text, "m~");
    CHECK_INT(open_fds(), fds);
    settle();
}

TEST(a_child_forked_beside_a_process_leaves_it_to_the_parent) {
    struct talk self = {.loop = loop_new()};
    loop_subprocess_options_t options = three_pipes();
    start_talk(&self, "cat; exit 5", &options);
    CHECK(loop_run_once(self.loop, 0) >= 0);
    pid_t child = start_child();
    if (child == 0) {
        CHECK_INT(loop_process_close(self.process), LOOP_EFORKED);
        CHECK_INT(loop_close(self.loop), 0);
        CHECK_INT(self.destroyed, 0);
        loop_process_unref(self.process);
        CHECK_INT(self.destroyed, 1);
        loop_unref(self.loop);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    CHECK_INT(self.destroyed, 0);
    close_input(&self);
    CHECK_INT(loop_run_forever(self.loop), 0);
    CHECK_INT(self.returncode, 5);
    CHECK_INT(self.destroyed, 1);
    loop_process_unref(self.process);
    loop_unref(self.loop);
    settle();
}
