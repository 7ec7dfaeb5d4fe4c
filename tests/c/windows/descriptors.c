#define POSIX_SOCKETS_THEMSELVES
#define POSIX_DESCRIPTORS_THEMSELVES
#include "errors.h"
#include "sockets.h"
#include <fcntl.h>
#include <unistd.h>

ssize_t posix_read(int fd, void *bytes, size_t length) {
    return is_socket(fd) ? posix_recvfrom(fd, bytes, length, 0, NULL, NULL)
                         : read(fd, bytes, (unsigned)length);
}

ssize_t posix_write(int fd, const void *bytes, size_t length) {
    return is_socket(fd) ? posix_sendto(fd, bytes, length, 0, NULL, 0)
                         : write(fd, bytes, (unsigned)length);
}

int posix_close(int fd) {
    if (!is_socket(fd))
        return close(fd);
    return closesocket(socket_of(fd)) == SOCKET_ERROR ? winsock_failed() : 0;
}

int posix_dup(int fd) {
    if (!is_socket(fd))
        return dup(fd);
    WSAPROTOCOL_INFOW info;
    if (WSADuplicateSocketW(socket_of(fd), GetCurrentProcessId(), &info) == SOCKET_ERROR)
        return winsock_failed();
    SOCKET copy = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                             WSA_FLAG_OVERLAPPED);
    return copy == INVALID_SOCKET ? winsock_failed() : (int)copy;
}

int posix_dup2(int from, int to) {
    if (is_socket(from)) {
        errno = ENOSYS;
        return -1;
    }
    return dup2(from, to) < 0 ? -1 : to; /* the C runtime answers 0 */
}

int posix_pipe2(int ends[2], int flags) {
    return posix_socketpair(AF_INET,
                            SOCK_STREAM | (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0) |
                                (flags & O_NONBLOCK ? SOCK_NONBLOCK : 0),
                            0, ends);
}

/* Winsock does not say whether a socket blocks, so it is tried: a listener that
 * blocks hangs here, and the test with it. */
static int status_flags(int fd) {
    SOCKET one = socket_of(fd);
    BOOL listens = 0;
    int length = sizeof listens;
    getsockopt(one, SOL_SOCKET, SO_ACCEPTCONN, (char *)&listens, &length);
    if (listens) {
        SOCKET came = accept(one, NULL, NULL);
        if (came != INVALID_SOCKET)
            closesocket(came);
        return O_NONBLOCK;
    }
    DWORD before = 0, soon = 1;
    char byte;
    length = sizeof before;
    getsockopt(one, SOL_SOCKET, SO_RCVTIMEO, (char *)&before, &length);
    setsockopt(one, SOL_SOCKET, SO_RCVTIMEO, (char *)&soon, sizeof soon);
    int waits = recv(one, &byte, 1, MSG_PEEK) == SOCKET_ERROR && WSAGetLastError() == WSAETIMEDOUT;
    setsockopt(one, SOL_SOCKET, SO_RCVTIMEO, (char *)&before, sizeof before);
    return waits ? 0 : O_NONBLOCK;
}

int posix_fcntl(int fd, int command, int argument) {
    DWORD flags = 0;
    HANDLE handle = (HANDLE)socket_of(fd);
    if (!is_socket(fd)) {
        errno = EBADF;
        return -1;
    }
    switch (command) {
    case F_GETFD:
        GetHandleInformation(handle, &flags);
        return flags & HANDLE_FLAG_INHERIT ? 0 : FD_CLOEXEC;
    case F_SETFD:
        flags = argument & FD_CLOEXEC ? 0 : HANDLE_FLAG_INHERIT;
        SetHandleInformation(handle, HANDLE_FLAG_INHERIT, flags);
        return 0;
    case F_GETFL:
        return status_flags(fd);
    case F_SETFL:
        set_blocking(fd, !(argument & O_NONBLOCK));
        return 0;
    default:
        errno = EINVAL;
        return -1;
    }
}
