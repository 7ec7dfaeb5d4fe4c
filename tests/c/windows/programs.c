/* Programs and the ends of processes on Windows. This program is its own program:
 * with the variable of its environment it does what that says and ends. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include "../test.h"

#define DO "COLOOP_TEST_DO"

/* Before main: its arguments are names of tests. */
__attribute__((constructor)) static void be_the_program(void) {
    const char *what = getenv(DO);
    if (what == NULL)
        return;
    if (strcmp(what, "arguments") == 0)
        for (int i = 1; i < __argc; i++)
            printf("<%s>", __argv[i]);
    if (strcmp(what, "surroundings") == 0) {
        char directory[MAX_PATH];
        GetCurrentDirectoryA(sizeof directory, directory);
        const char *colour = getenv("COLOUR");
        printf("%s %s", directory, colour != NULL ? colour : "no colour");
    }
    if (strcmp(what, "streams") == 0) {
        char line[64] = "";
        if (fgets(line, sizeof line, stdin) == NULL)
            strcpy(line, "nothing");
        printf("out %s", line);
        fflush(stdout);
        fprintf(stderr, "err");
    }
    if (strcmp(what, "sleep") == 0)
        Sleep(30000);
    fflush(NULL);
    exit(atoi(getenv("COLOOP_TEST_CODE") != NULL ? getenv("COLOOP_TEST_CODE") : "0"));
}

static char self_path[MAX_PATH];

/* Options for this program. */
static loop_subprocess_options_t options_for(const char *const *argv) {
    loop_subprocess_options_t options = {.size = sizeof options, .argv = argv};
    CHECK(GetModuleFileNameA(NULL, self_path, sizeof self_path) > 0);
    options.file = self_path;
    return options;
}

static void set(const char *name, const char *value) {
    CHECK_INT(_putenv_s(name, value), 0);
}

static loop_process_t *start(loop_t *loop, const loop_subprocess_options_t *options, const char *what) {
    loop_process_t *process;
    set(DO, what);
    CHECK_INT(loop_subprocess_exec(loop, options, &process), 0);
    set(DO, "");
    return process;
}

static int end_of(loop_t *loop, loop_process_t *process) {
    loop_future_t *future;
    void *code;
    int returncode;
    CHECK_INT(loop_process_wait(process, &future), 0);
    CHECK_INT(loop_run_until_complete(loop, future, &code), 0);
    CHECK_INT(loop_process_returncode(process, &returncode), 0);
    CHECK_INT((int)(intptr_t)code, returncode);
    loop_future_unref(future);
    loop_process_unref(process);
    return returncode;
}

/* A pipe, whose second end a program may have as a stream. */
struct output {
    HANDLE ours, theirs;
};

static struct output open_output(void) {
    struct output output;
    CHECK(CreatePipe(&output.ours, &output.theirs, NULL, 0));
    return output;
}

static loop_stdio_t as_stream(HANDLE handle) {
    return (loop_stdio_t){.kind = LOOP_STDIO_FD, .fd = (int)(intptr_t)handle};
}

/* What came until all others have closed their end. */
static const char *all_of(struct output output) {
    static char text[4096];
    DWORD length = 0, got;
    CloseHandle(output.theirs);
    while (length < sizeof text - 1 && ReadFile(output.ours, text + length, sizeof text - 1 - length, &got, NULL))
        length += got;
    text[length] = '\0';
    CloseHandle(output.ours);
    return text;
}

TEST(windows_arguments_arrive_as_they_were_given) {
    loop_t *loop = loop_new();
    const char *argv[] = {"name", "plain", "", "a b", "say \"x\"", "back\\slash", "end\\", "a b\\", "\\\"", "100%", NULL};
    struct output output = open_output();
    loop_subprocess_options_t options = options_for(argv);
    options.stdio[1] = as_stream(output.theirs);
    set("COLOOP_TEST_CODE", "7");
    CHECK_INT(end_of(loop, start(loop, &options, "arguments")), 7);
    CHECK_STR(all_of(output), "<plain><><a b><say \"x\"><back\\slash><end\\><a b\\><\\\"><100%>");
    loop_unref(loop);
}

TEST(windows_a_program_has_its_own_directory_and_environment) {
    loop_t *loop = loop_new();
    char directory[MAX_PATH], expected[2 * MAX_PATH];
    const char *argv[] = {"name", NULL};
    const char *env[] = {"colour=blue", "COLOOP_TEST_DO=surroundings", NULL};
    struct output output = open_output();
    loop_subprocess_options_t options = options_for(argv);
    CHECK(GetWindowsDirectoryA(directory, sizeof directory) > 0);
    options.cwd = directory;
    options.env = env;
    options.stdio[1] = as_stream(output.theirs);
    CHECK_INT(end_of(loop, start(loop, &options, "")), 0);
    snprintf(expected, sizeof expected, "%s blue", directory);
    CHECK_STR(all_of(output), expected);
    loop_unref(loop);
}

TEST(windows_standard_streams_lead_where_they_shall) {
    loop_t *loop = loop_new();
    const char *argv[] = {"name", NULL};
    loop_subprocess_options_t options = options_for(argv);
    struct output output = open_output();
    options.stdio[0].kind = LOOP_STDIO_DEVNULL;
    options.stdio[1] = as_stream(output.theirs);
    options.stdio[2].kind = LOOP_STDIO_STDOUT;
    CHECK_INT(end_of(loop, start(loop, &options, "streams")), 0);
    CHECK_STR(all_of(output), "out nothingerr");

    struct output input = open_output(), errors = open_output();
    DWORD written;
    CHECK(WriteFile(input.theirs, "line\n", 5, &written, NULL));
    CloseHandle(input.theirs);
    options.stdio[0] = as_stream(input.ours);
    options.stdio[1].kind = LOOP_STDIO_DEVNULL;
    options.stdio[2] = as_stream(errors.theirs);
    CHECK_INT(end_of(loop, start(loop, &options, "streams")), 0);
    CHECK_STR(all_of(errors), "err");
    CloseHandle(input.ours);
    loop_unref(loop);
}

/* Does a program have an inheritable handle of ours? */
static int has_other_handles(uint32_t flags) {
    loop_t *loop = loop_new();
    const char *argv[] = {"name", NULL};
    loop_subprocess_options_t options = options_for(argv);
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    HANDLE ours, theirs;
    DWORD bytes;
    CHECK(CreatePipe(&ours, &theirs, &inheritable, 0));
    options.flags = flags;
    loop_process_t *process = start(loop, &options, "sleep");
    CloseHandle(theirs);
    /* A pipe whose other end nobody has is broken. */
    int has = PeekNamedPipe(ours, NULL, 0, NULL, &bytes, NULL);
    CHECK_INT(loop_process_kill(process), 0);
    CHECK_INT(end_of(loop, process), 1);
    CloseHandle(ours);
    loop_unref(loop);
    return has;
}

TEST(windows_a_program_inherits_its_streams_and_no_other_handle) {
    CHECK_INT(has_other_handles(0), 0);
    CHECK_INT(has_other_handles(LOOP_SUBPROCESS_KEEP_FDS), 1);
}

static int refusal(loop_t *loop, const loop_subprocess_options_t *options) {
    loop_process_t *process = NULL;
    int code = loop_subprocess_exec(loop, options, &process);
    CHECK(process == NULL);
    return code;
}

TEST(windows_what_prevents_a_program_is_told_at_once) {
    loop_t *loop = loop_new();
    const char *argv[] = {"no-such-program", NULL};
    loop_subprocess_options_t options = {.size = sizeof options, .argv = argv};
    CHECK_INT(refusal(loop, &options), -ENOENT);
    CHECK_STR(loop_last_error(), "No such file or directory: 'no-such-program'");
    options = options_for(argv);
    options.cwd = "C:\\no\\such";
    CHECK_INT(refusal(loop, &options), -ENOENT);
    CHECK_STR(loop_last_error(), "No such file or directory: 'C:\\no\\such'");
    options.cwd = self_path;
    CHECK_INT(refusal(loop, &options), -ENOTDIR);
    options.cwd = NULL;
    options.file = "C:\\windows";
    CHECK_INT(refusal(loop, &options), -EACCES);
    options.file = "\xff.exe";
    CHECK_INT(refusal(loop, &options), LOOP_EINVAL);

    char text[MAX_PATH], name[MAX_PATH];
    CHECK(GetTempPathA(sizeof text, text) > 0);
    snprintf(name, sizeof name, "%scoloop-text.exe", text);
    FILE *file = fopen(name, "w");
    fputs("no program", file);
    fclose(file);
    options.file = name;
    CHECK_INT(refusal(loop, &options), -ENOEXEC);
    remove(name);
    snprintf(name, sizeof name, "%scoloop-batch.bat", text);
    file = fopen(name, "w");
    fputs("exit 3", file);
    fclose(file);
    CHECK_INT(refusal(loop, &options), LOOP_ENOTSUP);
    remove(name);
    loop_unref(loop);
}

TEST(windows_what_only_unix_has_is_unsupported) {
    loop_t *loop = loop_new();
    const char *argv[] = {"cmd", "/c", "exit", NULL};
    const int fd = 1;
    const loop_subprocess_options_t plain = {.size = sizeof plain, .argv = argv};
    loop_subprocess_options_t options = plain;
    for (int i = 0; i < 3; i++) {
        options = plain;
        options.stdio[i].kind = LOOP_STDIO_PIPE;
        CHECK_INT(refusal(loop, &options), LOOP_ENOTSUP);
    }
    for (uint32_t flag = LOOP_SUBPROCESS_NEW_SESSION; flag <= LOOP_SUBPROCESS_SET_UMASK; flag *= 2) {
        options = plain;
        options.flags = flag;
        options.process_group = 7;
        CHECK_INT(refusal(loop, &options), LOOP_ENOTSUP);
    }
    options = plain;
    options.pass_fds = &fd;
    options.pass_fds_count = 1;
    CHECK_INT(refusal(loop, &options), LOOP_ENOTSUP);
    options = plain;
    options.stdio[0] = (loop_stdio_t){.kind = LOOP_STDIO_FD, .fd = 0x7ffffff0};
    CHECK_INT(refusal(loop, &options), -EBADF);
    options = plain;
    options.flags = LOOP_SUBPROCESS_SET_PROCESS_GROUP;
    loop_process_t *process;
    CHECK_INT(loop_subprocess_exec(loop, &options, &process), 0);
    CHECK_INT(end_of(loop, process), 0);
    loop_unref(loop);
}

TEST(windows_a_shell_takes_its_command_as_it_is) {
    loop_t *loop = loop_new();
    struct output output = open_output();
    loop_subprocess_options_t options = {.size = sizeof options};
    loop_process_t *process;
    options.stdio[1] = as_stream(output.theirs);
    CHECK_INT(loop_subprocess_shell(loop, "echo \"a b\" c& exit 3", &options, &process), 0);
    CHECK_INT(end_of(loop, process), 3);
    CHECK_STR(all_of(output), "\"a b\" c\r\n");
    CHECK_INT(loop_subprocess_shell(loop, "no-such-command 2>NUL", NULL, &process), 0);
    CHECK(end_of(loop, process) != 0);
    loop_unref(loop);
}

TEST(windows_ending_a_program_by_force) {
    loop_t *loop = loop_new();
    const char *argv[] = {"name", NULL};
    loop_subprocess_options_t options = options_for(argv);
    int returncode;
    int (*const ways[])(loop_process_t *) = {loop_process_kill, loop_process_terminate, loop_process_close};
    for (int i = 0; i < 3; i++) {
        loop_process_t *process = start(loop, &options, "sleep");
        CHECK_INT(loop_process_send_signal(process, 0), 0);
        CHECK_INT(loop_process_send_signal(process, SIGINT), LOOP_ENOTSUP);
        CHECK_INT(loop_process_send_signal(process, 1000), -EINVAL);
        CHECK_INT(loop_process_returncode(process, &returncode), LOOP_EINVALID_STATE);
        CHECK_INT(ways[i](process), 0);
        /* Whether or not it has ended by now, the loop has not looked. */
        CHECK_INT(ways[i](process), 0);
        loop_process_ref(process);
        CHECK_INT(end_of(loop, process), 1);
        CHECK_INT(loop_process_send_signal(process, SIGTERM), -ESRCH);
        CHECK_INT(loop_process_close(process), 0);
        loop_process_unref(process);
    }
    loop_unref(loop);
}

struct told {
    struct log log;
    loop_t *loop;
    int destroyed;
};

static void made(loop_process_t *process, void *data) {
    (void)process;
    record(&((struct told *)data)->log, 'm');
}

static void exited(loop_process_t *process, void *data) {
    int returncode;
    CHECK_INT(loop_process_returncode(process, &returncode), 0);
    CHECK_INT(returncode, 9);
    record(&((struct told *)data)->log, 'e');
}

static void lost(loop_process_t *process, int code, const char *message, void *data) {
    struct told *told = data;
    CHECK(code == 0 && message == NULL && process != NULL);
    record(&told->log, 'l');
    loop_stop(told->loop);
}

static void told_destroyed(void *data) {
    ((struct told *)data)->destroyed++;
}

TEST(windows_a_protocol_is_told_of_its_program) {
    const char *argv[] = {"cmd", "/c", "exit 9", NULL};
    const loop_subprocess_options_t options = {.size = sizeof options, .argv = argv};
    const loop_process_protocol_t protocol = {
        .size = sizeof protocol, .connection_made = made, .process_exited = exited, .connection_lost = lost};
    for (int i = 0; i < 10; i++) {
        struct told told = {.loop = loop_new()};
        loop_process_t *process;
        CHECK_INT(loop_subprocess_exec_protocol(told.loop, &options, &protocol, &told, told_destroyed, &process), 0);
        CHECK(loop_process_pid(process) > 0);
        CHECK(loop_process_get_pipe_transport(process, 1) == NULL);
        loop_process_unref(process);
        CHECK_INT(loop_run_forever(told.loop), 0);
        CHECK_STR(told.log.text, "mel");
        CHECK_INT(told.destroyed, 1);
        loop_unref(told.loop);
    }
}

/* Processes that the host started itself. */

static HANDLE start_plainly(const char *what, int code, int *ret_pid) {
    char number[16];
    STARTUPINFOA startup;
    PROCESS_INFORMATION made_process;
    memset(&startup, 0, sizeof startup);
    startup.cb = sizeof startup;
    CHECK(GetModuleFileNameA(NULL, self_path, sizeof self_path) > 0);
    snprintf(number, sizeof number, "%d", code);
    set(DO, what);
    set("COLOOP_TEST_CODE", number);
    CHECK(CreateProcessA(self_path, NULL, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &made_process));
    set(DO, "");
    CloseHandle(made_process.hThread);
    *ret_pid = (int)made_process.dwProcessId;
    return made_process.hProcess;
}

struct child {
    int pid, code, *left, destroyed;
    loop_t *loop;
};

static void child_ended(int pid, int returncode, void *data) {
    struct child *child = data;
    CHECK_INT(pid, child->pid);
    CHECK_INT(child->destroyed, 0);
    child->code = returncode;
    if (--*child->left == 0)
        loop_stop(child->loop);
}

static void child_destroyed(void *data) {
    ((struct child *)data)->destroyed++;
}

static void watch_many(int kind) {
    enum { COUNT = 8 };
    struct child children[COUNT];
    HANDLE handles[COUNT];
    int left = COUNT;
    loop_t *loop = loop_new();
    CHECK_INT(policy_set_child_watcher(loop_child_watcher_get(kind)), 0);
    for (int i = 0; i < COUNT; i++) {
        children[i] = (struct child){.left = &left, .loop = loop};
        handles[i] = start_plainly("code", 100 + i, &children[i].pid);
        CHECK_INT(loop_watch_child(loop, children[i].pid, child_ended, &children[i], child_destroyed), 0);
    }
    CHECK_INT(loop_run_forever(loop), 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(children[i].code, 100 + i);
        CHECK_INT(children[i].destroyed, 1);
        CloseHandle(handles[i]);
    }
    loop_unref(loop);
}

TEST(windows_every_child_tells_how_it_ended) {
    watch_many(LOOP_CHILD_WATCHER_PIDFD);
}

TEST(windows_the_other_watcher_tells_the_same) {
    watch_many(LOOP_CHILD_WATCHER_THREADED);
}

TEST(windows_a_watch_is_replaced_removed_and_ends_with_its_loop) {
    loop_t *loop = loop_new();
    int pid, left = 1;
    HANDLE handle = start_plainly("sleep", 0, &pid);
    struct child first = {.pid = pid, .left = &left}, second = first, third = first;
    CHECK_INT(loop_watch_child(loop, pid, child_ended, &first, child_destroyed), 0);
    CHECK_INT(loop_watch_child(loop, pid, child_ended, &second, child_destroyed), 0);
    CHECK_INT(first.destroyed, 1);
    CHECK_INT(loop_unwatch_child(loop, pid), 1);
    CHECK_INT(second.destroyed, 1);
    CHECK_INT(loop_unwatch_child(loop, pid), 0);
    CHECK_INT(loop_watch_child(loop, pid, child_ended, &third, child_destroyed), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(third.destroyed, 1);
    CHECK(TerminateProcess(handle, 0));
    WaitForSingleObject(handle, INFINITE);
    CHECK_INT(left, 1);
    CloseHandle(handle);
    loop_unref(loop);
}

TEST(windows_a_process_that_is_not_there_cannot_be_watched) {
    loop_t *loop = loop_new();
    int left = 1;
    struct child child = {.left = &left};
    CHECK_INT(loop_watch_child(loop, 0x7ffffff0, child_ended, &child, child_destroyed), -ESRCH);
    CHECK_INT(child.destroyed, 1);
    loop_unref(loop);
}

/* It ends between two looks, and the loop is closed at any moment of that. */
TEST(windows_a_loop_may_close_while_its_children_end) {
    for (int i = 0; i < 10; i++) {
        loop_t *loop = loop_new();
        int left = 1, pid;
        HANDLE handle = start_plainly("code", 0, &pid);
        struct child child = {.pid = pid, .left = &left, .loop = loop};
        CHECK_INT(loop_watch_child(loop, pid, child_ended, &child, child_destroyed), 0);
        WaitForSingleObject(handle, i % 2 == 0 ? INFINITE : (DWORD)i);
        CHECK_INT(loop_close(loop), 0);
        CHECK_INT(child.destroyed, 1);
        WaitForSingleObject(handle, INFINITE);
        CloseHandle(handle);
        loop_unref(loop);
    }
}

static CRITICAL_SECTION hosts_lock;
static HANDLE hook_began;

static void take_hosts_lock(loop_t *loop, void *unused) {
    (void)loop, (void)unused;
    SetEvent(hook_began);
    EnterCriticalSection(&hosts_lock);
    LeaveCriticalSection(&hosts_lock);
}

static void never_told(int pid, int returncode, void *unused) {
    (void)pid, (void)returncode, (void)unused;
    CHECK(0);
}

/* The host's hook may wait for a lock that the loop's thread holds meanwhile. */
TEST(windows_a_watch_ends_while_the_wake_hook_for_its_child_runs) {
    const char *const argv[] = {"program", NULL};
    InitializeCriticalSection(&hosts_lock);
    hook_began = CreateEventA(NULL, FALSE, FALSE, NULL);
    for (int closes = 0; closes < 2; closes++) {
        loop_t *loop = loop_new(), *other = loop_new();
        int64_t timeout;
        loop_subprocess_options_t options = options_for(argv);
        loop_process_t *process = start(other, &options, "nothing");
        CHECK_INT(loop_set_wake_hook(loop, take_hosts_lock, NULL, NULL), 0);
        EnterCriticalSection(&hosts_lock);
        CHECK_INT(loop_prepare(loop, &timeout), 0);
        CHECK_INT(loop_watch_child(loop, loop_process_pid(process), never_told, NULL, NULL), 0);
        CHECK_INT(WaitForSingleObject(hook_began, 60000), WAIT_OBJECT_0);
        CHECK_INT(closes ? loop_close(loop) : loop_unwatch_child(loop, loop_process_pid(process)), !closes);
        LeaveCriticalSection(&hosts_lock);
        CHECK_INT(end_of(other, process), 0);
        loop_unref(loop);
        loop_unref(other);
    }
}
