/* POSIX's sockets on Winsock, for tests: descriptors are numbers of sockets, as
 * in coloop's own functions, and errno is the C runtime's. */
#ifndef COLOOP_TESTS_SYS_SOCKET_H
#define COLOOP_TESTS_SYS_SOCKET_H

#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>
#include <ws2tcpip.h>
/* Words that windows.h takes away from everybody. */
#undef interface
#undef small
#undef near
#undef far
#undef IN
#undef OUT

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

typedef unsigned short sa_family_t;

/* Flags of POSIX that Winsock has no words for. */
#define SOCK_CLOEXEC 0x10000
#define SOCK_NONBLOCK 0x20000
#define MSG_NOSIGNAL 0
#define MSG_DONTWAIT 0x10000000
#define SHUT_RD SD_RECEIVE
#define SHUT_WR SD_SEND
#define SHUT_RDWR SD_BOTH

int posix_socket(int domain, int type, int protocol);
/* Streams are a TCP connection over loopback, datagrams two UDP sockets. */
int posix_socketpair(int domain, int type, int protocol, int pair[2]);
int posix_bind(int fd, const struct sockaddr *address, socklen_t length);
int posix_listen(int fd, int backlog);
int posix_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int posix_connect(int fd, const struct sockaddr *address, socklen_t length);
int posix_getsockname(int fd, struct sockaddr *address, socklen_t *length);
int posix_getpeername(int fd, struct sockaddr *address, socklen_t *length);
int posix_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
int posix_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int posix_shutdown(int fd, int how);
ssize_t posix_recvfrom(int fd, void *bytes, size_t length, int flags, struct sockaddr *from,
                       socklen_t *from_length);
ssize_t posix_sendto(int fd, const void *bytes, size_t length, int flags,
                     const struct sockaddr *to, socklen_t to_length);

#ifndef POSIX_SOCKETS_THEMSELVES
#define socket(domain, type, protocol) posix_socket(domain, type, protocol)
#define socketpair(domain, type, protocol, pair) posix_socketpair(domain, type, protocol, pair)
#define bind(fd, address, length) posix_bind(fd, address, length)
#define listen(fd, backlog) posix_listen(fd, backlog)
#define accept(fd, address, length) posix_accept4(fd, address, length, 0)
#define accept4(fd, address, length, flags) posix_accept4(fd, address, length, flags)
#define connect(fd, address, length) posix_connect(fd, address, length)
#define getsockname(fd, address, length) posix_getsockname(fd, address, length)
#define getpeername(fd, address, length) posix_getpeername(fd, address, length)
#define getsockopt(fd, level, name, value, length) posix_getsockopt(fd, level, name, value, length)
#define setsockopt(fd, level, name, value, length) posix_setsockopt(fd, level, name, value, length)
#define shutdown(fd, how) posix_shutdown(fd, how)
#define recv(fd, bytes, length, flags) posix_recvfrom(fd, bytes, length, flags, NULL, NULL)
#define recvfrom(fd, bytes, length, flags, from, from_length) \
    posix_recvfrom(fd, bytes, length, flags, from, from_length)
#define send(fd, bytes, length, flags) posix_sendto(fd, bytes, length, flags, NULL, 0)
#define sendto(fd, bytes, length, flags, to, to_length) \
    posix_sendto(fd, bytes, length, flags, to, to_length)
#endif

#endif
