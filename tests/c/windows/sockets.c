#define POSIX_SOCKETS_THEMSELVES
#include "errors.h"
#include "sockets.h"
#include <sys/socket.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Before any test: Winsock wants to be asked first. */
__attribute__((constructor)) static void start_winsock(void) {
    WSADATA data;
    WSAStartup(MAKEWORD(2, 2), &data);
}

SOCKET socket_of(int fd) {
    return (SOCKET)(unsigned)fd;
}

int is_socket(int fd) {
    int type, length = sizeof type;
    return getsockopt(socket_of(fd), SOL_SOCKET, SO_TYPE, (char *)&type, &length) == 0;
}

static int code_of(int result) {
    return result == SOCKET_ERROR ? winsock_failed() : 0;
}

/* The number of a new socket that has what the flags ask for. */
static int with_flags(SOCKET made, int flags) {
    if (made == INVALID_SOCKET)
        return winsock_failed();
    SetHandleInformation((HANDLE)made, HANDLE_FLAG_INHERIT,
                         flags & SOCK_CLOEXEC ? 0 : HANDLE_FLAG_INHERIT);
    set_blocking((int)made, !(flags & SOCK_NONBLOCK));
    return (int)made;
}

void set_blocking(int fd, int blocks) {
    u_long non_blocking = !blocks;
    ioctlsocket(socket_of(fd), (long)FIONBIO, &non_blocking);
}

int posix_socket(int domain, int type, int protocol) {
    int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
    return with_flags(WSASocketW(domain, kind, protocol, NULL, 0, WSA_FLAG_OVERLAPPED), type);
}

int posix_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    return with_flags(accept(socket_of(fd), address, length), flags);
}

static int bound(int type, struct sockaddr_in *address) {
    socklen_t length = sizeof *address;
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = posix_socket(AF_INET, type, 0);
    if (fd < 0 || posix_bind(fd, (struct sockaddr *)address, sizeof *address) < 0 ||
        posix_getsockname(fd, (struct sockaddr *)address, &length) < 0)
        return -1;
    return fd;
}

/* About as much as a pipe or a UNIX socket holds on Linux, not megabytes. */
static void hold_little(int fd) {
    int bytes = 1 << 16;
    posix_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    posix_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

static int stream_pair(int flags, int pair[2]) {
    struct sockaddr_in address;
    /* The pair comes first: it may get numbers that were given back just now. */
    pair[0] = posix_socket(AF_INET, SOCK_STREAM | (flags & SOCK_CLOEXEC), 0);
    int on = 1, listener = bound(SOCK_STREAM | SOCK_CLOEXEC, &address);
    if (listener < 0 || pair[0] < 0)
        return -1;
    hold_little(listener); /* and so what it accepts */
    hold_little(pair[0]);
    if (posix_listen(listener, 1) < 0 ||
        posix_connect(pair[0], (struct sockaddr *)&address, sizeof address) < 0)
        return -1;
    pair[1] = posix_accept4(listener, NULL, NULL, flags);
    posix_close(listener);
    if (pair[1] < 0)
        return -1;
    set_blocking(pair[0], !(flags & SOCK_NONBLOCK));
    for (int end = 0; end < 2; end++)
        posix_setsockopt(pair[end], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return 0;
}

static int datagram_pair(int flags, int pair[2]) {
    struct sockaddr_in addresses[2];
    for (int end = 0; end < 2; end++) {
        pair[end] = bound(SOCK_DGRAM | flags, &addresses[end]);
        if (pair[end] < 0)
            return -1;
    }
    for (int end = 0; end < 2; end++) {
        if (posix_connect(pair[end], (struct sockaddr *)&addresses[!end], sizeof addresses[0]) < 0)
            return -1;
    }
    return 0;
}

int posix_socketpair(int domain, int type, int protocol, int pair[2]) {
    int flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)domain, (void)protocol;
    switch (type & ~flags) {
    case SOCK_STREAM: return stream_pair(flags, pair);
    case SOCK_DGRAM: return datagram_pair(flags, pair);
    default:
        errno = EPROTONOSUPPORT;
        return -1;
    }
}

int posix_bind(int fd, const struct sockaddr *address, socklen_t length) {
    return code_of(bind(socket_of(fd), address, length));
}

int posix_listen(int fd, int backlog) {
    return code_of(listen(socket_of(fd), backlog));
}

int posix_connect(int fd, const struct sockaddr *address, socklen_t length) {
    int code = code_of(connect(socket_of(fd), address, length));
    if (code < 0 && errno == EAGAIN)
        errno = EINPROGRESS;
    return code;
}

int posix_getsockname(int fd, struct sockaddr *address, socklen_t *length) {
    return code_of(getsockname(socket_of(fd), address, length));
}

int posix_getpeername(int fd, struct sockaddr *address, socklen_t *length) {
    return code_of(getpeername(socket_of(fd), address, length));
}

int posix_getsockopt(int fd, int level, int name, void *value, socklen_t *length) {
    return code_of(getsockopt(socket_of(fd), level, name, value, length));
}

int posix_setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    return code_of(setsockopt(socket_of(fd), level, name, value, length));
}

int posix_shutdown(int fd, int how) {
    return code_of(shutdown(socket_of(fd), how));
}

int posix_poll(struct pollfd *fds, unsigned long count, int milliseconds) {
    int ready = WSAPoll(fds, count, milliseconds);
    return ready == SOCKET_ERROR ? winsock_failed() : ready;
}

/* MSG_DONTWAIT: would the call have to wait? */
static int would_wait(int fd, int *flags, short events) {
    struct pollfd poller = {.fd = socket_of(fd), .events = events};
    int asked = *flags & MSG_DONTWAIT;
    *flags &= ~MSG_DONTWAIT;
    if (!asked || WSAPoll(&poller, 1, 0) != 0)
        return 0;
    errno = EAGAIN;
    return 1;
}

ssize_t posix_recvfrom(int fd, void *bytes, size_t length, int flags, struct sockaddr *from,
                       socklen_t *from_length) {
    if (would_wait(fd, &flags, POLLIN))
        return -1;
    int got = recvfrom(socket_of(fd), bytes, (int)length, flags, from, from_length);
    return got == SOCKET_ERROR ? winsock_failed() : got;
}

ssize_t posix_sendto(int fd, const void *bytes, size_t length, int flags,
                     const struct sockaddr *to, socklen_t to_length) {
    if (would_wait(fd, &flags, POLLOUT))
        return -1;
    int sent = sendto(socket_of(fd), bytes, (int)length, flags, to, to_length);
    return sent == SOCKET_ERROR ? winsock_failed() : sent;
}
