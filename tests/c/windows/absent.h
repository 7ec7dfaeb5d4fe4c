/* What POSIX has and Windows has not, so that files with tests of it compile:
 * each call fails with ENOSYS. A test that needs one is in not_everywhere.txt. */
#ifndef COLOOP_TESTS_ABSENT_H
#define COLOOP_TESTS_ABSENT_H

#include <process.h>
#include <sys/types.h>

int absent(int, ...);

/* Processes */
#define fork() ((pid_t)absent(0))
#define vfork() ((pid_t)absent(0))
#define setsid() absent(0)
#define getsid(process) ((pid_t)absent(0, process))
#define getpgrp() ((pid_t)absent(0))
#define getppid() ((pid_t)absent(0))
#define getuid() ((unsigned)absent(0))
#define getgid() ((unsigned)absent(0))
#define alarm(seconds) absent(0, seconds)

/* Files */
#define dup3(from, to, flags) absent(0, from, to)
#define pread(fd, bytes, length, offset) ((ssize_t)absent(0, fd, bytes))
#define pwrite(fd, bytes, length, offset) ((ssize_t)absent(0, fd, bytes))
#define readlink(path, bytes, length) ((ssize_t)absent(0, path, bytes))
#define fchmod(fd, mode) absent(0, fd)

#endif
