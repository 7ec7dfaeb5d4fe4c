/* Descriptors that run out under services: -EMFILE at every step that makes one,
 * everything destroyed once, none left open, and it works afterwards. */
#include "net.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct rlimit allowed;

static void allow_descriptors(int more) {
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &allowed), 0);
    int next = dup(0);
    close(next);
    limit = allowed;
    limit.rlim_cur = (rlim_t)(next + more);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void allow_again(void) {
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &allowed), 0);
}

static int destroyed;

static void gone(void *data) {
    (void)data;
    destroyed++;
}

static void nothing(void *data) {
    (void)data;
}

/* Runs an operation with room for 0, 1, 2... descriptors until it succeeds. It
 * answers how it ended, and must leave nothing behind but with its loop. */
static void scarce(int (*operation)(loop_t *loop)) {
    int failed = 0, result = -EMFILE;
    for (int more = 0; result < 0; more++) {
        CHECK(more < 20);
        int before = open_fds();
        destroyed = 0;
        loop_t *loop = loop_new();
        allow_descriptors(more);
        result = operation(loop);
        allow_again();
        if (result < 0) {
            CHECK_INT(result, -EMFILE);
            failed++;
        }
        int ran = 0;
        CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
        while (ran == 0)
            CHECK(loop_run_once(loop, 0) >= 0);
        CHECK_INT(loop_close(loop), 0);
        loop_unref(loop);
        CHECK_INT(destroyed, 1);
        CHECK_INT(open_fds(), before);
    }
    CHECK(failed > 0);
}

/* Turns may fail, too; those that need no descriptor do not. */
static int result_of(loop_t *loop, loop_future_t *future) {
    for (int turn = 0; turn < 50 && loop_future_done(future) == 0; turn++)
        loop_run_once(loop, 1 * MS);
    int code = loop_future_done(future) == 1 ? loop_future_result(future, NULL) : -EMFILE;
    loop_future_unref(future);
    return code;
}

static int signals(loop_t *loop) {
    return loop_add_signal_handler(loop, SIGUSR1, nothing, NULL, gone);
}

TEST(signals_without_descriptors_fail_cleanly) {
    scarce(signals);
}

static void child_ended(int pid, int status, void *data) {
    (void)pid, (void)status, (void)data;
}

static int child(loop_t *loop) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(0);
    int result = loop_watch_child(loop, pid, child_ended, NULL, gone);
    if (result == 0)
        CHECK_INT(loop_unwatch_child(loop, pid), 1);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    return result;
}

TEST(children_without_descriptors_fail_cleanly) {
    if (!in_valgrind()) /* which knows no pidfd */
        scarce(child);
}

static int program(loop_t *loop) {
    loop_subprocess_options_t options;
    loop_process_t *process = NULL;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    for (int i = 0; i < 3; i++)
        options.stdio[i].kind = LOOP_STDIO_PIPE;
    destroyed = 1;
    int result = loop_subprocess_shell(loop, "exit 0", &options, &process);
    CHECK((result == 0) == (process != NULL));
    if (process != NULL) {
        loop_future_t *ended = NULL;
        CHECK_INT(loop_process_wait(process, &ended), 0);
        allow_again();
        CHECK_INT(end_code(loop, ended), 0);
        loop_process_unref(process);
    }
    return result;
}

TEST(programs_without_descriptors_fail_cleanly) {
    if (!in_valgrind())
        scarce(program);
}

static int refuse(loop_t *loop, void *data, const loop_protocol_t **protocol, void **user_data,
                  loop_destroy_t *destroy) {
    (void)loop, (void)data, (void)protocol, (void)user_data, (void)destroy;
    return -EACCES;
}

static int server(loop_t *loop) {
    loop_server_options_t options = server_options("127.0.0.1");
    loop_future_t *future = NULL;
    int result = loop_create_server(loop, &options, refuse, NULL, gone, &future);
    return result < 0 ? result : result_of(loop, future);
}

TEST(servers_without_descriptors_fail_cleanly) {
    scarce(server);
}

static const loop_protocol_t silent = {.size = sizeof(loop_protocol_t)};
static unsigned short port;

static int connection(loop_t *loop) {
    loop_connection_options_t options = {
        .size = sizeof options, .host = "127.0.0.1", .port = port};
    loop_future_t *future = NULL;
    int result = loop_create_connection(loop, &options, &silent, NULL, gone, &future);
    return result < 0 ? result : result_of(loop, future);
}

TEST(connections_without_descriptors_fail_cleanly) {
    int listener = listening(64, &port);
    scarce(connection);
    close(listener);
}

static const loop_datagram_protocol_t mute = {.size = sizeof(loop_datagram_protocol_t)};

static int datagrams(loop_t *loop) {
    loop_datagram_options_t options = {.size = sizeof options, .local_host = "127.0.0.1"};
    loop_future_t *future = NULL;
    int result = loop_create_datagram_endpoint(loop, &options, &mute, NULL, gone, &future);
    return result < 0 ? result : result_of(loop, future);
}

TEST(datagram_endpoints_without_descriptors_fail_cleanly) {
    scarce(datagrams);
}
