/* The end of children, as callbacks of a loop. */
#include "child.h"
#include "loop_thread.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A shell that runs the command. */
static pid_t start_shell(const char *command) {
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
    pid_t pid = -1;
    CHECK_INT(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
    return pid;
}

/* Watching threads have ended: valgrind would take their memory for lost. (It
 * knows no descriptors of processes, so there it is always threads.) */
static void threads_end(void) {
    for (int entries = 0, tries = 0; entries != 3 && tries < 1000; tries++) {
        DIR *directory = opendir("/proc/self/task");
        CHECK(directory != NULL);
        for (entries = 0; readdir(directory) != NULL;)
            entries++;
        closedir(directory);
        sleep_ns(MS);
    }
}

struct watched {
    loop_t *loop;
    int *waiting; /* stops the loop at 0 */
    int pid, code, calls, destroyed;
};

static void on_end(int pid, int code, void *user_data) {
    struct watched *self = user_data;
    CHECK_INT(pid, self->pid);
    self->code = code;
    self->calls++;
    if (--*self->waiting == 0)
        CHECK_INT(loop_stop(self->loop), 0);
}

static void on_destroy(void *user_data) {
    ((struct watched *)user_data)->destroyed++;
}

static void never_ends(int pid, int code, void *user_data) {
    (void)pid, (void)code, (void)user_data;
    CHECK(!"this callback must not run");
}

static void watch(struct watched *self, loop_t *loop, int *waiting, pid_t pid) {
    *self = (struct watched){.loop = loop, .waiting = waiting, .pid = pid, .code = -1000};
    ++*waiting;
    CHECK_INT(loop_watch_child(loop, pid, on_end, self, on_destroy), 0);
}

static void check_end(const struct watched *self, int code) {
    CHECK_INT(self->code, code);
    CHECK_INT(self->calls, 1);
    CHECK_INT(self->destroyed, 1);
}

static int has_children(void) {
    int status;
    return waitpid(-1, &status, WNOHANG) != -1 || errno != ECHILD;
}

static volatile sig_atomic_t sigchld_calls;

static void on_sigchld(int signum) {
    (void)signum;
    sigchld_calls = sigchld_calls + 1;
}

enum { MANY = 200 };

static void many_children_end(void) {
    static struct watched watched[MANY];
    loop_t *loop = loop_new();
    int waiting = 0, many = in_valgrind() ? 10 : MANY, fds = open_fds();
    struct sigaction action = {0}, still;
    action.sa_handler = on_sigchld;
    action.sa_flags = SA_RESTART;
    CHECK_INT(sigaction(SIGCHLD, &action, NULL), 0);
    for (int i = 0; i < many; i++) {
        char command[64];
        snprintf(command, sizeof command, i % 10 == 9 ? "kill -%d $$" : "exit %d",
                 i % 10 == 9 ? SIGTERM : i % 256);
        watch(&watched[i], loop, &waiting, start_shell(command));
    }
    CHECK_INT(loop_run_forever(loop), 0);
    for (int i = 0; i < many; i++)
        check_end(&watched[i], i % 10 == 9 ? -SIGTERM : i % 256);
    CHECK(!has_children());
    CHECK_INT(sigaction(SIGCHLD, NULL, &still), 0);
    CHECK(still.sa_handler == on_sigchld); /* the host's, untouched and heard */
    CHECK(sigchld_calls > 0);
    loop_unref(loop);
    CHECK_INT(open_fds(), fds);
    threads_end();
}

TEST(E15_hundreds_of_children_end_and_each_tells_its_status) {
    many_children_end();
}

static void use_threads(void) {
    CHECK_INT(policy_set_child_watcher(loop_child_watcher_get(LOOP_CHILD_WATCHER_THREADED)), 0);
}

TEST(E15_the_same_with_a_thread_for_each_child) {
    use_threads();
    many_children_end();
}

TEST(E15_P17_a_child_watcher_is_there_and_need_not_be_attached) {
    const loop_child_watcher_t *watcher = NULL, *threaded;
    loop_t *loop = loop_new();
    int destroyed = 0;
    CHECK_INT(policy_get_child_watcher(&watcher), 0);
    CHECK_STR(loop_child_watcher_name(watcher), "PidfdChildWatcher");
    CHECK_INT(loop_child_watcher_attach_loop(watcher, loop), 0);
    CHECK_INT(loop_child_watcher_attach_loop(watcher, NULL), 0);
    CHECK_INT(loop_child_watcher_attach_loop(NULL, loop), LOOP_EINVAL);
    CHECK_INT(loop_child_watcher_is_active(watcher), 1);
    CHECK_INT(loop_child_watcher_is_active(NULL), LOOP_EINVAL);
    CHECK_INT(policy_get_child_watcher(NULL), LOOP_EINVAL);
    threaded = loop_child_watcher_get(LOOP_CHILD_WATCHER_THREADED);
    CHECK_STR(loop_child_watcher_name(threaded), "ThreadedChildWatcher");
    CHECK(loop_child_watcher_name(NULL) == NULL);
    CHECK(loop_child_watcher_get(7) == NULL);
    CHECK_INT(policy_set_child_watcher(threaded), 0);
    CHECK_INT(policy_get_child_watcher(&watcher), 0);
    CHECK(watcher == threaded);
    CHECK_INT(policy_set_child_watcher(NULL), 0);
    CHECK_INT(policy_get_child_watcher(&watcher), 0);
    CHECK(watcher == loop_child_watcher_get(LOOP_CHILD_WATCHER_PIDFD));
    CHECK_INT(loop_child_watcher_add_child_handler(watcher, 1, never_ends, &destroyed, count),
              LOOP_ENO_RUNNING);
    CHECK_INT(loop_child_watcher_remove_child_handler(watcher, 1), LOOP_ENO_RUNNING);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_child_watcher_attach_loop(watcher, loop), LOOP_ECLOSED);
    loop_unref(loop);
    threads_end();
}

static void start_and_watch(void *user_data) {
    struct watched *self = user_data;
    const loop_child_watcher_t *watcher;
    CHECK_INT(policy_get_child_watcher(&watcher), 0);
    CHECK_INT(loop_child_watcher_remove_child_handler(watcher, 1), 0);
    self->pid = start_shell("exit 3");
    CHECK_INT(loop_child_watcher_add_child_handler(watcher, self->pid, on_end, self, on_destroy), 0);
}

TEST(E15_the_watchers_way_to_watch_is_that_of_the_running_loop) {
    int waiting = 1;
    struct watched self = {.loop = loop_new(), .waiting = &waiting};
    CHECK_INT(loop_call_soon(self.loop, start_and_watch, &self, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(self.loop), 0);
    check_end(&self, 3);
    loop_unref(self.loop);
    threads_end();
}

static void status_gets_stolen(void) {
    loop_t *loop = loop_new();
    int waiting = 0, to_child[2];
    struct watched watched;
    make_pipe(to_child);
    CHECK_INT(dup2(to_child[0], 9), 9); /* not closed by exec */
    pid_t pid = start_shell("read line <&9; exit 7");
    close(9);
    watch(&watched, loop, &waiting, pid);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(write(to_child[1], "\n", 1), 1);
    CHECK_INT(end_of(pid), 7);
    CHECK_INT(loop_run_forever(loop), 0);
    check_end(&watched, 255);
    loop_unref(loop);
    threads_end();
}

TEST(a_status_that_the_host_took_is_unknown_and_nothing_hangs) {
    status_gets_stolen();
}

TEST(a_stolen_status_is_unknown_to_a_watching_thread_too) {
    use_threads();
    status_gets_stolen();
}

TEST(a_process_that_is_no_child_can_be_watched) {
    loop_t *loop = loop_new();
    int waiting = 0, up[2], down[2];
    struct watched watched;
    make_pipe(up);
    make_pipe(down);
    pid_t middle = start_child();
    if (middle == 0) {
        pid_t grandchild = start_child();
        if (grandchild == 0) {
            hear(down[0]);
            leave_child(4);
        }
        CHECK_INT(write(up[1], &grandchild, sizeof grandchild), sizeof grandchild);
        leave_child(0);
    }
    pid_t grandchild = -1;
    CHECK_INT(read(up[0], &grandchild, sizeof grandchild), sizeof grandchild);
    CHECK_INT(end_of(middle), 0);
    watch(&watched, loop, &waiting, grandchild);
    for (int turn = 0; turn < 3; turn++)
        CHECK_INT(loop_run_once(loop, 0), 0);
    tell(down[1]);
    CHECK_INT(loop_run_forever(loop), 0);
    check_end(&watched, 255);
    loop_unref(loop);
    threads_end();
}

static void a_watch_ends(void) {
    loop_t *loop = loop_new();
    int waiting = 0, fds = open_fds();
    struct watched first, second;
    pid_t pid = start_shell("exec sleep 30");
    watch(&first, loop, &waiting, pid);
    watch(&second, loop, &waiting, pid); /* replaces the first */
    CHECK_INT(first.destroyed, 1);
    CHECK_INT(loop_unwatch_child(loop, pid), 1);
    CHECK_INT(second.destroyed, 1);
    CHECK_INT(loop_unwatch_child(loop, pid), 0);
    CHECK_INT(kill(pid, SIGKILL), 0);
    for (int turn = 0; turn < 10; turn++)
        CHECK(loop_run_once(loop, 2 * MS) >= 0);
    CHECK_INT(first.calls + second.calls, 0);
    CHECK_INT(end_of(pid), 128 + SIGKILL); /* the status was left to us */
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
    CHECK_INT(open_fds(), fds);
    threads_end();
}

TEST(a_watch_is_replaced_and_removed_and_leaves_the_status) {
    a_watch_ends();
}

TEST(a_watch_by_a_thread_is_replaced_and_removed_and_leaves_the_status) {
    use_threads();
    a_watch_ends();
}

TEST(closing_the_loop_ends_its_watches) {
    loop_t *loop = loop_new();
    int waiting = 0, fds = open_fds();
    struct watched watched;
    pid_t pid = start_shell("exit 5");
    watch(&watched, loop, &waiting, pid);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(watched.destroyed, 1);
    CHECK_INT(watched.calls, 0);
    CHECK_INT(end_of(pid), 5);
    CHECK_INT(open_fds(), fds);
    CHECK_INT(loop_watch_child(loop, pid, never_ends, &watched, on_destroy), LOOP_ECLOSED);
    CHECK_INT(watched.destroyed, 2);
    CHECK_INT(loop_unwatch_child(loop, pid), 0);
    loop_unref(loop);
    threads_end();
}

TEST(a_thread_may_outlive_its_loop) {
    use_threads();
    loop_t *loop = loop_new();
    int waiting = 0, destroyed;
    struct watched watched;
    pid_t pid = start_shell("sleep 0.1");
    watch(&watched, loop, &waiting, pid);
    loop_unref(loop);
    destroyed = watched.destroyed;
    CHECK_INT(end_of(pid), 0);
    threads_end(); /* the thread finds its loop closed */
    CHECK_INT(destroyed, 1);
    CHECK_INT(watched.calls, 0);
}

TEST(what_cannot_be_watched_is_refused) {
    struct loop_thread other;
    loop_t *loop = loop_new();
    int destroyed = 0;
    CHECK_INT(loop_watch_child(NULL, 1, never_ends, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_watch_child(loop, 1, NULL, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_watch_child(loop, 0, never_ends, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_watch_child(loop, -5, never_ends, &destroyed, count), LOOP_EINVAL);
    pid_t gone = start_shell("exit 0");
    CHECK_INT(end_of(gone), 0);
    CHECK_INT(loop_watch_child(loop, gone, never_ends, &destroyed, count), -ESRCH);
    CHECK_INT(destroyed, 5);
    CHECK_INT(loop_unwatch_child(NULL, 1), LOOP_EINVAL);
    loop_thread_start(&other);
    CHECK_INT(loop_watch_child(other.loop, getpid(), never_ends, &destroyed, count),
              LOOP_EWRONG_THREAD);
    CHECK_INT(loop_unwatch_child(other.loop, 1), LOOP_EWRONG_THREAD);
    CHECK_INT(destroyed, 6);
    loop_thread_end(&other);
    loop_unref(loop);
    threads_end();
}

static void parents_watch_survives(void (*use_it)(loop_t *loop, pid_t pid)) {
    loop_t *loop = loop_new();
    int waiting = 0, to_child[2];
    struct watched watched;
    make_pipe(to_child);
    CHECK_INT(dup2(to_child[0], 9), 9);
    pid_t pid = start_shell("read line <&9; exit 6");
    close(9);
    watch(&watched, loop, &waiting, pid);
    pid_t child = start_child();
    if (child == 0) {
        close(to_child[1]);
        use_it(loop, pid);
        CHECK_INT(watched.calls, 0);
        CHECK_INT(watched.destroyed, 1);
        loop_unref(loop);
        leave_child(0);
    }
    CHECK_INT(end_of(child), 0);
    CHECK_INT(watched.destroyed, 0);
    CHECK_INT(write(to_child[1], "\n", 1), 1);
    CHECK_INT(loop_run_forever(loop), 0);
    check_end(&watched, 6);
    loop_unref(loop);
    threads_end();
}

static void close_it(loop_t *loop, pid_t pid) {
    CHECK_INT(loop_unwatch_child(loop, pid), LOOP_EFORKED);
    CHECK_INT(loop_watch_child(loop, pid, never_ends, NULL, NULL), LOOP_EFORKED);
    CHECK_INT(loop_close(loop), 0);
}

static void take_it_over(loop_t *loop, pid_t pid) {
    struct watched own;
    int waiting = 0;
    CHECK_INT(loop_reinit_after_fork(loop, LOOP_REINIT_KEEP_IO), 0);
    CHECK_INT(loop_unwatch_child(loop, pid), 0);
    watch(&own, loop, &waiting, start_shell("exit 8"));
    CHECK_INT(loop_run_forever(loop), 0);
    check_end(&own, 8);
}

TEST(P8_F12_closing_in_a_child_leaves_the_parents_watch_alive) {
    parents_watch_survives(close_it);
}

TEST(P8_F12_a_child_that_takes_the_loop_over_watches_its_own_children) {
    parents_watch_survives(take_it_over);
}

static void unwatch_the_other(int pid, int code, void *user_data) {
    struct watched *self = user_data;
    (void)pid, (void)code;
    self->calls++;
    CHECK_INT(self->destroyed, 0);
    CHECK_INT(loop_unwatch_child(self->loop, self->pid), 1);
    CHECK_INT(loop_unwatch_child(self->loop, pid), 0); /* it was called */
    CHECK_INT(loop_stop(self->loop), 0);
}

TEST(a_callback_may_end_another_childs_watch) {
    loop_t *loop = loop_new();
    int waiting = 0;
    struct watched other, self = {.loop = loop};
    pid_t sleeper = start_shell("exec sleep 30"), pid = start_shell("exit 0");
    watch(&other, loop, &waiting, sleeper);
    self.pid = sleeper;
    CHECK_INT(loop_watch_child(loop, pid, unwatch_the_other, &self, on_destroy), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(self.calls, 1);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(other.calls, 0);
    CHECK_INT(other.destroyed, 1);
    CHECK_INT(kill(sleeper, SIGKILL), 0);
    CHECK_INT(end_of(sleeper), 128 + SIGKILL);
    loop_unref(loop);
    threads_end();
}
