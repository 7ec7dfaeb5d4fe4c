/* Executors, names, signals, children, sockets. */
#include "inside.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void act_when_done(loop_future_t *future, void *self) {
    (void)future;
    act(self);
}

static void act_as_callback(void *self) {
    act(self);
}

static void when_done(struct inside *self, loop_future_t *future) {
    kept_future(self, future);
    CHECK_INT(loop_future_add_done_callback(future, act_when_done, given(self), gone), 0);
}

/* ---- Executors ---- */

static int job(void *data, void **ret_result) {
    CHECK(data != NULL);
    *ret_result = NULL;
    return 0;
}

/* Its threads must be gone before descriptors and memory are counted. In a
 * child they never were. */
static void end_pool(struct inside *self) {
    loop_executor_t *pool = self->scene;
    if (!self->in_child) {
        CHECK_INT(loop_executor_shutdown(pool, LOOP_EXECUTOR_WAIT, -1), 0);
    }
    loop_executor_unref(pool);
}

static void the_end_of_a_job(struct inside *self) {
    loop_executor_t *pool;
    loop_future_t *future;
    CHECK_INT(loop_executor_new(2, &pool), 0);
    self->scene = pool;
    self->tear_down = end_pool;
    self->child_may_lose_data = 1;
    for (int i = 0; i < 3; i++) {
        CHECK_INT(loop_run_in_executor(self->loop, pool, job, given(self), gone, NULL, &future), 0);
        when_done(self, future);
    }
}
INSIDE(the_end_of_a_job)

static void a_name_that_was_looked_up(struct inside *self) {
    loop_future_t *future;
    CHECK_INT(loop_getaddrinfo(self->loop, "127.0.0.1", "80", NULL, -1, &future), 0);
    when_done(self, future);
}
INSIDE(a_name_that_was_looked_up)

/* ---- Signals and children ---- */

static void a_signal_handler(struct inside *self) {
    CHECK_INT(loop_add_signal_handler(self->loop, SIGUSR1, act_as_callback, given(self), gone), 0);
    CHECK_INT(loop_add_signal_handler(self->loop, SIGUSR2, act_as_callback, given(self), gone), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
}
INSIDE(a_signal_handler)

static void act_when_ended(int pid, int returncode, void *self) {
    CHECK(pid > 0);
    CHECK_INT(returncode, 3);
    act(self);
}

static void a_watched_child(struct inside *self) {
    pid_t child = start_child();
    if (child == 0) {
        leave_child(3);
    }
    CHECK_INT(loop_watch_child(self->loop, child, act_when_ended, given(self), gone), 0);
}
INSIDE(a_watched_child)

/* ---- Sockets ---- */

static void non_blocking(int fd) {
    CHECK_INT(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static void pair(struct inside *self, int ends[2]) {
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    kept_fd(self, ends[0]);
    kept_fd(self, ends[1]);
}

static char bytes[4096];

static void received_bytes(struct inside *self) {
    int ends[2];
    loop_future_t *future;
    pair(self, ends);
    CHECK_INT(loop_sock_recv(self->loop, ends[0], 100, &future), 0);
    when_done(self, future);
    CHECK_INT(write(ends[1], "hello", 5), 5);
}
INSIDE(received_bytes)

/* The reader acts while another operation waits for good. */
static void bytes_while_others_wait(struct inside *self) {
    int ends[2], others[2];
    loop_future_t *future;
    pair(self, others);
    CHECK_INT(loop_sock_recv_into(self->loop, others[0], bytes, sizeof bytes, &future), 0);
    kept_future(self, future);
    while (write(others[1], bytes, sizeof bytes) > 0) {
    }
    CHECK_INT(loop_sock_sendall(self->loop, others[1], bytes, 100, given(self), gone, &future), 0);
    kept_future(self, future);
    pair(self, ends);
    received_bytes(self);
}
INSIDE(bytes_while_others_wait)

static int listener(struct inside *self, struct sockaddr_in *address) {
    socklen_t length = sizeof *address;
    int fd = kept_fd(self, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_INT(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    CHECK_INT(listen(fd, 5), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)address, &length), 0);
    non_blocking(fd);
    return fd;
}

static void an_accepted_connection(struct inside *self) {
    struct sockaddr_in address;
    loop_future_t *future;
    int fd = listener(self, &address);
    CHECK_INT(loop_sock_accept(self->loop, fd, &future), 0);
    when_done(self, future);
    int client = kept_fd(self, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    CHECK_INT(loop_sock_connect(self->loop, client, &address, sizeof address, &future), 0);
    kept_future(self, future);
}
INSIDE(an_accepted_connection)

static void a_connected_socket(struct inside *self) {
    struct sockaddr_in address;
    loop_future_t *future;
    listener(self, &address);
    int client = kept_fd(self, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    CHECK_INT(loop_sock_connect(self->loop, client, &address, sizeof address, &future), 0);
    when_done(self, future);
}
INSIDE(a_connected_socket)
