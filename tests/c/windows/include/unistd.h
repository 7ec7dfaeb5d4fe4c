/* Descriptors: numbers of sockets and of files' HANDLEs, or the C runtime's own. */
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
off_t posix_lseek(int fd, off_t offset, int origin);
ssize_t posix_pread(int fd, void *bytes, size_t length, off_t offset);
ssize_t posix_pwrite(int fd, const void *bytes, size_t length, off_t offset);
/* A pipe is a TCP connection over loopback. */
int posix_pipe2(int ends[2], int flags);

#ifndef POSIX_DESCRIPTORS_THEMSELVES
#define read(fd, bytes, length) posix_read(fd, bytes, length)
#define write(fd, bytes, length) posix_write(fd, bytes, length)
#define lseek(fd, offset, origin) posix_lseek(fd, offset, origin)
#define pread(fd, bytes, length, offset) posix_pread(fd, bytes, length, offset)
#define pwrite(fd, bytes, length, offset) posix_pwrite(fd, bytes, length, offset)
#define close(fd) posix_close(fd)
#define dup(fd) posix_dup(fd)
#define dup2(from, to) posix_dup2(from, to)
#define dup3(from, to, flags) posix_dup2(from, to)
#define pipe(ends) posix_pipe2(ends, 0)
#define pipe2(ends, flags) posix_pipe2(ends, flags)
#endif

#endif
