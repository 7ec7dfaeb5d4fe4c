/* Sockets for tests, and futures driven to their end. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "child.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A listening TCP socket on the loopback interface, non-blocking. */
static inline int listening(struct sockaddr_in *address) {
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    CHECK_INT(listen(fd, 16), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

static inline int tcp_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0);
    return fd;
}

/* Two connected TCP sockets, non-blocking. */
static inline void tcp_pair(int pair[2]) {
    struct sockaddr_in address;
    int listener = listening(&address);
    pair[0] = tcp_socket();
    CHECK(connect(pair[0], (struct sockaddr *)&address, sizeof address) == 0 ||
          errno == EINPROGRESS);
    do
        pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (pair[1] < 0 && errno == EAGAIN);
    CHECK(pair[1] >= 0);
    close(listener);
}

static inline void unix_pair(int type, int pair[2]) {
    CHECK_INT(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
}

/* Runs turns until the future is done. */
static inline void settle(loop_t *loop, loop_future_t *future) {
    while (loop_future_done(future) == 0)
        CHECK(loop_run_once(loop, -1) >= 0);
    CHECK_INT(loop_future_done(future), 1);
}

/* The result of a future that succeeds. */
static inline void *result_of(loop_t *loop, loop_future_t *future) {
    void *result = NULL;
    settle(loop, future);
    CHECK_INT(loop_future_result(future, &result), 0);
    return result;
}

/* The same as a number; the reference is given back. */
static inline long number_of(loop_t *loop, loop_future_t *future) {
    long number = (long)(intptr_t)result_of(loop, future);
    loop_future_unref(future);
    return number;
}

/* The code of a future that does not; the reference is given back. */
static inline int failure_of(loop_t *loop, loop_future_t *future) {
    settle(loop, future);
    int code = loop_future_result(future, NULL);
    loop_future_unref(future);
    return code;
}

#endif
