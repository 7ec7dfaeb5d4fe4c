/* Programs as children of a loop: starting, waiting, signals, pipes. */
#include "child.h"
#include "loop_thread.h"
#include "subprocess.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int no_children(void) {
    int status;
    return waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD;
}

/* Under valgrind, and where there are no descriptors of processes, threads wait;
 * they end a moment after their child. */
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

enum { MANY = 200 };

static void many_programs_end(void) {
    static loop_process_t *processes[MANY];
    static loop_future_t *futures[MANY];
    loop_t *loop = loop_new();
    int many = in_valgrind() ? 10 : MANY, fds = open_fds();
    const char *argv[] = {"true", NULL};
    loop_subprocess_options_t options = no_options();
    options.argv = argv;
    for (int i = 0; i < many; i++) {
        if (i % 2 == 0) {
            CHECK_INT(loop_subprocess_exec(loop, &options, &processes[i]), 0);
        } else {
            char command[32];
            snprintf(command, sizeof command, i % 10 == 9 ? "kill -%d $$" : "exit %d",
                     i % 10 == 9 ? SIGTERM : i % 256);
            processes[i] = start_shell_with(loop, command, NULL);
        }
        CHECK(loop_process_pid(processes[i]) > 0);
        CHECK_INT(loop_process_wait(processes[i], &futures[i]), 0);
    }
    for (int i = 0; i < many; i++) {
        int expected = i % 2 == 0 ? 0 : i % 10 == 9 ? -SIGTERM : i % 256;
        CHECK_INT(result_of(loop, futures[i]), expected);
        CHECK_INT(returncode_of(loop, processes[i]), expected);
        loop_future_unref(futures[i]);
        loop_process_unref(processes[i]);
    }
    CHECK(no_children());
    loop_unref(loop);
    CHECK_INT(open_fds(), fds);
    settle();
}

TEST(hundreds_of_programs_run_and_each_tells_its_status) {
    many_programs_end();
}

TEST(hundreds_of_programs_with_a_thread_for_each) {
    CHECK_INT(policy_set_child_watcher(loop_child_watcher_get(LOOP_CHILD_WATCHER_THREADED)), 0);
    many_programs_end();
}

static void start_fails(const char *file, const char *cwd, int error, const char *text) {
    loop_t *loop = loop_new();
    loop_process_t *process = NULL;
    const char *argv[] = {file, NULL};
    int fds = open_fds();
    loop_subprocess_options_t options = no_options();
    options.argv = argv;
    options.cwd = cwd;
    options.stdio[0].kind = options.stdio[1].kind = options.stdio[2].kind = LOOP_STDIO_PIPE;
    CHECK_INT(loop_subprocess_exec(loop, &options, &process), error);
    CHECK_STR(loop_last_error(), text);
    CHECK(process == NULL);
    CHECK(no_children());
    CHECK_INT(open_fds(), fds);
    loop_unref(loop);
}

TEST(what_prevents_a_program_is_told_at_once_and_leaves_nothing) {
    start_fails("/no/such/program", NULL, -ENOENT, "No such file or directory: '/no/such/program'");
    start_fails("no-such-program-anywhere", NULL, -ENOENT,
                "No such file or directory: 'no-such-program-anywhere'");
    start_fails("", NULL, -ENOENT, "No such file or directory: ''");
    start_fails("/etc/passwd", NULL, -EACCES, "Permission denied: '/etc/passwd'");
    start_fails("/bin", NULL, -EACCES, "Permission denied: '/bin'");
    start_fails("/bin/true", "/no/such/directory", -ENOENT,
                "No such file or directory: '/no/such/directory'");
    start_fails("/bin/true", "/etc/passwd", -ENOTDIR, "Not a directory: '/etc/passwd'");
}

TEST(a_text_is_no_program) {
    char path[] = "/tmp/coloop-text-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, "hello\n", 6), 6);
    CHECK_INT(fchmod(fd, 0700), 0);
    close(fd);
    char text[80];
    snprintf(text, sizeof text, "Exec format error: '%s'", path);
    start_fails(path, NULL, -ENOEXEC, text);
    unlink(path);
}

TEST(wrong_options_are_refused) {
    loop_t *loop = loop_new();
    loop_process_t *process = NULL;
    const char *argv[] = {"true", NULL}, *none[] = {NULL};
    loop_subprocess_options_t good = no_options(), bad;
    good.argv = argv;
    CHECK_INT(loop_subprocess_exec(NULL, &good, &process), LOOP_EINVAL);
    CHECK_INT(loop_subprocess_exec(loop, NULL, &process), LOOP_EINVAL);
    CHECK_INT(loop_subprocess_exec(loop, &good, NULL), LOOP_EINVAL);
    bad = no_options();
    CHECK_INT(loop_subprocess_exec(loop, &bad, &process), LOOP_EINVAL);
    bad.argv = none;
    CHECK_INT(loop_subprocess_exec(loop, &bad, &process), LOOP_EINVAL);
    bad = good, bad.size = 3;
    CHECK_INT(loop_subprocess_exec(loop, &bad, &process), LOOP_EINVAL);
    bad = good, bad.flags = 1u << 30;
    CHECK_INT(loop_subprocess_exec(loop, &bad, &process), LOOP_EINVAL);
    bad = good, bad.stdio[1].kind = 77;
    CHECK_INT(loop_subprocess_exec(loop, &bad, &process), LOOP_EINVAL);
    bad = good, bad.stdio[0].kind = LOOP_STDIO_STDOUT;
    CHECK_INT(loop_subprocess_exec(loop, &bad, &process), LOOP_EINVAL);
    bad = good, bad.stdio[0].kind = LOOP_STDIO_FD, bad.stdio[0].fd = -1;
    CHECK_INT(loop_subprocess_exec(loop, &bad, &process), LOOP_EINVAL);
    bad.stdio[0].fd = 999;
    CHECK_INT(loop_subprocess_exec(loop, &bad, &process), -EBADF);
    int fds[] = {999};
    bad = good, bad.pass_fds = fds, bad.pass_fds_count = 1;
    CHECK_INT(loop_subprocess_exec(loop, &bad, &process), -EBADF);
    bad.pass_fds = NULL;
    CHECK_INT(loop_subprocess_exec(loop, &bad, &process), LOOP_EINVAL);
    CHECK_INT(loop_subprocess_shell(loop, "true", &good, &process), LOOP_EINVAL);
    CHECK_INT(loop_subprocess_shell(loop, NULL, NULL, &process), LOOP_EINVAL);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_subprocess_exec(loop, &good, &process), LOOP_ECLOSED);
    CHECK(process == NULL);
    loop_unref(loop);
    CHECK_INT(loop_process_pid(NULL), LOOP_EINVAL);
    CHECK_INT(loop_process_kill(NULL), LOOP_EINVAL);
    CHECK(loop_process_ref(NULL) == NULL);
    loop_process_unref(NULL);
    CHECK(no_children());
}

TEST(another_thread_may_not_start_or_use_processes_of_a_running_loop) {
    struct loop_thread other;
    loop_process_t *process = NULL;
    loop_thread_start(&other);
    CHECK_INT(loop_subprocess_shell(other.loop, "true", NULL, &process), LOOP_EWRONG_THREAD);
    CHECK(process == NULL);
    CHECK(no_children());
    loop_thread_end(&other);
}

TEST(an_environment_a_directory_and_a_mask_are_the_programs_own) {
    loop_t *loop = loop_new();
    const char *env[] = {"PATH=/usr/bin:/bin", "COLOOP_TEST=yes", NULL};
    loop_subprocess_options_t options = no_options();
    options.env = env;
    CHECK_STR(output_of(loop, "echo $COLOOP_TEST $HOME", options).text, "yes\n");
    options.cwd = "/usr";
    CHECK_STR(output_of(loop, "/bin/pwd", options).text, "/usr\n");
    options.env = NULL;
    CHECK_INT(setenv("COLOOP_TEST", "inherited", 1), 0);
    CHECK_STR(output_of(loop, "echo $COLOOP_TEST", options).text, "inherited\n");
    options.flags = LOOP_SUBPROCESS_SET_UMASK;
    options.umask = 027;
    CHECK_STR(output_of(loop, "umask", options).text, "0027\n");
    loop_unref(loop);
    settle();
}

TEST(a_session_a_group_and_rights_are_set) {
    loop_t *loop = loop_new();
    loop_subprocess_options_t options = no_options();
    char own[64], expected[64];
    snprintf(own, sizeof own, "%d %d\n", (int)getpgrp(), (int)getsid(0));
    const char *command = "set -- $(cat /proc/$$/stat); [ $5 = $$ ] && echo leads; echo $5 $6";
    CHECK_STR(output_of(loop, command, options).text, own);
    options.flags = LOOP_SUBPROCESS_SET_PROCESS_GROUP;
    CHECK(strncmp(output_of(loop, command, options).text, "leads", 5) == 0);
    options.process_group = getpgrp();
    CHECK_STR(output_of(loop, command, options).text, own);
    options.flags = LOOP_SUBPROCESS_NEW_SESSION;
    CHECK(strncmp(output_of(loop, command, options).text, "leads", 5) == 0);
    options.flags = LOOP_SUBPROCESS_SET_UID | LOOP_SUBPROCESS_SET_GID;
    options.uid = getuid();
    options.gid = getgid();
    snprintf(expected, sizeof expected, "%d %d\n", (int)getuid(), (int)getgid());
    CHECK_STR(output_of(loop, "echo $(id -u) $(id -g)", options).text, expected);
    if (getuid() == 0) {
        uint32_t groups[] = {4321, 1234};
        options.flags |= LOOP_SUBPROCESS_SET_GROUPS;
        options.uid = options.gid = 65534;
        options.groups = groups;
        options.groups_count = 2;
        const char *ids = "echo $(id -u) $(id -g) $(grep Groups: /proc/self/status | cut -f2)";
        CHECK_STR(output_of(loop, ids, options).text, "65534 65534 1234 4321\n");
        CHECK_INT(getuid(), 0);
        const char *argv[] = {"/no/such/program", NULL};
        loop_process_t *process = NULL;
        options.argv = argv;
        CHECK_INT(loop_subprocess_exec(loop, &options, &process), -ENOENT);
    }
    CHECK(no_children());
    loop_unref(loop);
    settle();
}

TEST(only_what_is_passed_is_open_in_the_program) {
    loop_t *loop = loop_new();
    wait_once(loop);
    int fds[2], listed[16];
    CHECK_INT(pipe(fds), 0); /* not close-on-exec */
    for (int i = 0; i < 16; i++)
        CHECK((listed[i] = dup(fds[i % 2])) >= 0);
    loop_subprocess_options_t options = no_options();
    const char *command = "cd /proc/$$/fd; for f in *; do [ -e $f ] && echo $f; done; true";
    options.stdio[0].kind = LOOP_STDIO_DEVNULL;
    options.stdio[2].kind = LOOP_STDIO_STDOUT;
    CHECK_STR(output_of(loop, command, options).text, "0\n1\n2\n");
    int pass[] = {listed[7], listed[3], listed[3], 1}, fd, length, found = 0;
    options.pass_fds = pass;
    options.pass_fds_count = 4;
    CHECK_INT(fcntl(listed[3], F_SETFD, FD_CLOEXEC), 0);
    struct output out = output_of(loop, command, options);
    for (const char *rest = out.text; sscanf(rest, "%d%n", &fd, &length) == 1; rest += length) {
        CHECK(fd <= 2 || fd == listed[3] || fd == listed[7]);
        found++;
    }
    CHECK_INT(found, 5);
    CHECK_INT(fcntl(listed[3], F_GETFD), FD_CLOEXEC);
    /* Asked for, everything that is not close-on-exec gets there. */
    options.pass_fds_count = 0;
    options.flags = LOOP_SUBPROCESS_KEEP_FDS;
    command = "cd /proc/$$/fd; ls | wc -l";
    CHECK(atoi(output_of(loop, command, options).text) >= 3 + 15);
    loop_unref(loop);
    settle();
}

TEST(the_standard_streams_may_be_any_descriptors) {
    int out[2], status;
    char text[64] = "";
    make_pipe(out);
    pid_t child = start_child();
    if (child == 0) {
        /* 0 and 1 change places, and 2 follows the new 1. */
        loop_t *own = loop_new();
        loop_subprocess_options_t options = no_options();
        int in[2];
        make_pipe(in);
        CHECK_INT(write(in[1], "through", 7), 7);
        CHECK_INT(dup2(in[0], 1), 1);
        CHECK_INT(dup2(out[1], 0), 0);
        close(in[1]);
        options.stdio[0].kind = options.stdio[1].kind = LOOP_STDIO_FD;
        options.stdio[0].fd = 1;
        options.stdio[1].fd = 0;
        options.stdio[2].kind = LOOP_STDIO_STDOUT;
        loop_process_t *process = start_shell_with(own, "cat; echo error >&2", &options);
        status = returncode_of(own, process);
        loop_process_unref(process);
        loop_unref(own);
        settle();
        leave_child(status);
    }
    CHECK_INT(end_of(child), 0);
    CHECK(read(out[0], text, sizeof text - 1) > 0);
    CHECK_STR(text, "througherror\n");
}

TEST(closed_standard_streams_of_the_parent_are_no_harm) {
    int out[2];
    char text[64] = "";
    make_pipe(out);
    pid_t child = start_child();
    if (child == 0) {
        loop_t *own = loop_new();
        loop_subprocess_options_t options = no_options();
        options.stdio[0].kind = LOOP_STDIO_DEVNULL;
        options.stdio[1].kind = LOOP_STDIO_FD;
        options.stdio[1].fd = out[1];
        options.stdio[2].kind = LOOP_STDIO_PIPE;
        close(0);
        close(1);
        close(2);
        loop_process_t *process = start_shell_with(own, "cat; echo error >&2; echo fine", &options);
        int status = returncode_of(own, process);
        char error[16] = "";
        int fd = loop_process_get_pipe_fd(process, 2);
        if (read(fd, error, sizeof error) != 6 || strcmp(error, "error\n") != 0)
            status = 99;
        loop_process_unref(process);
        loop_unref(own);
        settle();
        leave_child(status);
    }
    CHECK_INT(end_of(child), 0);
    CHECK(read(out[0], text, sizeof text - 1) > 0);
    CHECK_STR(text, "fine\n");
}

static void on_child_signal(int signum) {
    (void)signum;
}

TEST(a_program_begins_with_default_signals_and_none_blocked) {
    loop_t *loop = loop_new();
    sigset_t blocked, now;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigaddset(&blocked, SIGTERM);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, &blocked, NULL), 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, on_child_signal);
    CHECK_INT(loop_add_signal_handler(loop, SIGALRM, never, NULL, NULL), 0);
    struct output out = output_of(loop, "cat /proc/self/status", no_options());
    CHECK(strstr(out.text, "SigBlk:\t0000000000000000\n") != NULL);
    CHECK(strstr(out.text, "SigIgn:\t0000000000000000\n") != NULL);
    CHECK(strstr(out.text, "SigCgt:\t0000000000000000\n") != NULL);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    CHECK(sigismember(&now, SIGUSR2) && sigismember(&now, SIGTERM) && !sigismember(&now, SIGUSR1));
    loop_unref(loop);
    settle();
}

TEST(signals_reach_the_process_and_never_its_successor) {
    loop_t *loop = loop_new();
    loop_process_t *process = start_shell_with(loop, "exec sleep 30", NULL);
    int code = 0;
    CHECK_INT(loop_process_returncode(process, &code), LOOP_EINVALID_STATE);
    CHECK_STR(loop_last_error(), "the process is still running");
    CHECK_INT(loop_process_send_signal(process, 0), 0);
    CHECK_INT(loop_process_send_signal(process, 999), -EINVAL);
    CHECK_INT(loop_process_terminate(process), 0);
    CHECK_INT(returncode_of(loop, process), -SIGTERM);
    CHECK_INT(loop_process_send_signal(process, SIGTERM), -ESRCH);
    CHECK_INT(loop_process_kill(process), -ESRCH);
    CHECK_INT(loop_process_terminate(process), -ESRCH);
    CHECK_INT(loop_process_close(process), 0);
    loop_process_unref(process);
    process = start_shell_with(loop, "exec sleep 30", NULL);
    CHECK_INT(loop_process_kill(process), 0);
    CHECK_INT(returncode_of(loop, process), -SIGKILL);
    loop_process_unref(process);
    loop_unref(loop);
    settle();
}

TEST(a_status_taken_by_the_host_ends_the_wait_with_255) {
    loop_t *loop = loop_new();
    loop_process_t *process = start_shell_with(loop, "exit 3", NULL);
    CHECK_INT(end_of(loop_process_pid(process)), 3);
    if (!in_valgrind()) /* without descriptors of processes nobody could know */
        CHECK_INT(loop_process_kill(process), -ESRCH);
    CHECK_INT(returncode_of(loop, process), 255);
    CHECK_INT(loop_process_kill(process), -ESRCH);
    loop_process_unref(process);
    loop_unref(loop);
    settle();
}

TEST(cancelling_one_wait_leaves_the_process_and_the_others) {
    loop_t *loop = loop_new();
    loop_future_t *waits[3];
    loop_subprocess_options_t options = no_options();
    options.stdio[0].kind = LOOP_STDIO_PIPE;
    loop_process_t *process = start_shell_with(loop, "read line; exit 4", &options);
    for (int i = 0; i < 3; i++)
        CHECK_INT(loop_process_wait(process, &waits[i]), 0);
    CHECK_INT(loop_future_cancel(waits[1], NULL), 1);
    loop_future_unref(waits[1]);
    CHECK_INT(write(loop_process_get_pipe_fd(process, 0), "\n", 1), 1);
    loop_future_unref(waits[2]); /* goes on without us */
    CHECK_INT(result_of(loop, waits[0]), 4);
    loop_future_unref(waits[0]);
    CHECK_INT(loop_process_wait(process, NULL), LOOP_EINVAL);
    loop_process_unref(process);
    loop_unref(loop);
    settle();
}

TEST(closing_a_process_closes_its_pipes_and_kills_it) {
    loop_t *loop = loop_new();
    int fds = open_fds();
    loop_subprocess_options_t options = no_options();
    options.stdio[0].kind = options.stdio[1].kind = options.stdio[2].kind = LOOP_STDIO_PIPE;
    loop_process_t *process = start_shell_with(loop, "exec sleep 30", &options);
    int taken = loop_process_take_pipe_fd(process, 1);
    CHECK_INT(loop_process_take_pipe_fd(process, 1), LOOP_EINVAL);
    CHECK_INT(loop_process_get_pipe_fd(process, 1), LOOP_EINVAL);
    CHECK_INT(loop_process_get_pipe_fd(process, 3), LOOP_EINVAL);
    CHECK_INT(loop_process_get_pipe_fd(process, -1), LOOP_EINVAL);
    CHECK((fcntl(taken, F_GETFL) & O_NONBLOCK) != 0);
    CHECK_INT(fcntl(taken, F_GETFD), FD_CLOEXEC);
    CHECK_INT(loop_process_close(process), 0);
    CHECK_INT(loop_process_close(process), 0);
    CHECK_INT(loop_process_get_pipe_fd(process, 0), LOOP_EINVAL);
    CHECK_INT(returncode_of(loop, process), -SIGKILL);
    close(taken);
    loop_process_unref(process);
    loop_unref(loop);
    CHECK_INT(open_fds(), fds);
    CHECK(no_children());
    settle();
}

TEST(a_process_nobody_refers_to_goes_on_and_is_waited_for) {
    loop_t *loop = loop_new();
    loop_future_t *future = NULL;
    loop_subprocess_options_t options = no_options();
    options.stdio[0].kind = LOOP_STDIO_PIPE;
    /* It notices that its input was closed. */
    loop_process_t *process = start_shell_with(loop, "read line || exit 6", &options);
    CHECK(loop_process_get_loop(process) == loop);
    CHECK_INT(loop_process_wait(process, &future), 0);
    CHECK(loop_process_ref(process) == process);
    loop_process_unref(process);
    loop_process_unref(process);
    CHECK_INT(result_of(loop, future), 6);
    loop_future_unref(future);
    CHECK(no_children());
    loop_unref(loop);
    settle();
}
