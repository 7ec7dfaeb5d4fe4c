/* Descriptors: sockets' numbers, or the C runtime's. */
#ifndef COLOOP_TESTS_UNISTD_H
#define COLOOP_TESTS_UNISTD_H

#include <stddef.h>
#include_next <unistd.h>
#include <io.h>
#include "../absent.h"

ssize_t posix_read(int fd, void *bytes, size_t length);
ssize_t posix_write(int fd, const void *bytes, size_t length);
int posix_close(int fd);
int posix_dup(int fd);
int posix_dup2(int from, int to);
/* A pipe is a TCP connection over loopback. */
int posix_pipe2(int ends[2], int flags);

#ifndef POSIX_DESCRIPTORS_THEMSELVES
#define read(fd, bytes, length) posix_read(fd, bytes, length)
#define write(fd, bytes, length) posix_write(fd, bytes, length)
#define close(fd) posix_close(fd)
#define dup(fd) posix_dup(fd)
#define dup2(from, to) posix_dup2(from, to)
#define pipe(ends) posix_pipe2(ends, 0)
#define pipe2(ends, flags) posix_pipe2(ends, flags)
#endif

#endif
