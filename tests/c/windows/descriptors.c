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

/* A handle of nothing, which takes the smallest free number. */
static int place_taken(void) {
    return (int)(intptr_t)CreateEventW(NULL, TRUE, FALSE, NULL);
}

static void give_back(int place) {
    CloseHandle((HANDLE)(intptr_t)place);
}

/* Wine takes a number for a moment before that of the copy. It shall be this one, so
 * that the copy has the smallest of all others. */
static int passing;

__attribute__((constructor)) static void keep_a_number(void) {
    passing = place_taken();
}

int posix_dup(int fd) {
    if (!is_socket(fd))
        return dup(fd);
    WSAPROTOCOL_INFOW info;
    give_back(passing);
    int code = WSADuplicateSocketW(socket_of(fd), GetCurrentProcessId(), &info);
    passing = place_taken();
    if (code == SOCKET_ERROR)
        return winsock_failed();
    SOCKET copy = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                             WSA_FLAG_OVERLAPPED);
    return copy == INVALID_SOCKET ? winsock_failed() : (int)copy;
}

/* Numbers cannot be chosen, but the smaller ones be taken until the right one comes. */
static int copy_to(int from, int number) {
    enum { MOST = 1 << 10 };
    int places[MOST], count = 0, copy = -1;
    if (is_socket(number))
        posix_close(number);
    while (count < MOST && (places[count] = place_taken()) != number)
        count++;
    if (count < MOST) {
        give_back(number);
        copy = posix_dup(from);
    }
    while (count > 0)
        give_back(places[--count]);
    return copy;
}

int posix_dup2(int from, int to) {
    if (!is_socket(from))
        return dup2(from, to) < 0 ? -1 : to; /* the C runtime answers 0 */
    return copy_to(from, to);
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
