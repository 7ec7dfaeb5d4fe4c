/* Flags of descriptors. */
#ifndef COLOOP_TESTS_FCNTL_H
#define COLOOP_TESTS_FCNTL_H

#include_next <fcntl.h>

#define O_NONBLOCK 0x1000000
#define O_CLOEXEC 0x2000000
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3
#define F_SETFL 4
#define F_SETPIPE_SZ 1031
#define FD_CLOEXEC 1

int posix_open(const char *path, int flags);
#ifndef POSIX_DESCRIPTORS_THEMSELVES
#define open(path, flags) posix_open(path, flags)
#endif

int posix_fcntl(int fd, int command, int argument);
#define FCNTL_WITH(fd, command, argument, ...) posix_fcntl(fd, command, argument)
#define fcntl(...) FCNTL_WITH(__VA_ARGS__, 0, 0)

#endif
