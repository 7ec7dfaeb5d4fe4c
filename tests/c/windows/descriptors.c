#define POSIX_SOCKETS_THEMSELVES
#define POSIX_DESCRIPTORS_THEMSELVES
#include "errors.h"
#include "files.h"
#include "sockets.h"
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

ssize_t posix_read(int fd, void *bytes, size_t length) {
    return is_socket(fd) ? posix_recvfrom(fd, bytes, length, 0, NULL, NULL)
           : is_file(fd) ? read_file(fd, bytes, length)
                         : read(fd, bytes, (unsigned)length);
}

ssize_t posix_write(int fd, const void *bytes, size_t length) {
    return is_socket(fd) ? posix_sendto(fd, bytes, length, 0, NULL, 0)
           : is_file(fd) ? write_file(fd, bytes, length)
                         : write(fd, bytes, (unsigned)length);
}

int posix_close(int fd) {
    if (!is_socket(fd))
        return is_file(fd) ? close_file(fd) : close(fd);
    return closesocket(socket_of(fd)) == SOCKET_ERROR ? winsock_failed() : 0;
}

int posix_dup(int fd) {
    if (!is_socket(fd) && !is_file(fd))
        return dup(fd);
    HANDLE copy, self = GetCurrentProcess();
    if (!DuplicateHandle(self, (HANDLE)socket_of(fd), self, &copy, 0, TRUE, DUPLICATE_SAME_ACCESS)) {
        errno = EMFILE;
        return -1;
    }
    return (int)(intptr_t)copy;
}

/* Numbers cannot be chosen, but taken until the right one comes. */
static int take_number(int from, int number) {
    enum { MOST = 1 << 12 };
    static int others[MOST];
    int got, count = 0;
    while ((got = posix_dup(from)) != number && got >= 0 && count < MOST)
        others[count++] = got;
    while (count > 0)
        posix_close(others[--count]);
    return got == number ? number : -1;
}

int posix_dup2(int from, int to) {
    if (!is_socket(from) && !is_file(from))
        return dup2(from, to) < 0 ? -1 : to; /* the C runtime answers 0 */
    if (is_socket(to) || is_file(to))
        posix_close(to);
    return take_number(from, to);
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
    case F_SETPIPE_SZ:
        return posix_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &argument, sizeof argument) < 0 ? -1
                                                                                           : argument;
    default:
        errno = EINVAL;
        return -1;
    }
}
