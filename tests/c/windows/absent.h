/* What POSIX has and Windows has not, so that files with tests of it compile:
 * each call fails with ENOSYS. A test that needs one is in not_everywhere.txt. */
#ifndef COLOOP_TESTS_ABSENT_H
#define COLOOP_TESTS_ABSENT_H

#include <process.h>
#include <sys/types.h>

int absent(const char *what, ...);

/* Processes */
#define fork() ((pid_t)absent("fork"))
#define vfork() ((pid_t)absent("vfork"))
#define setsid() absent("setsid")
#define getsid(process) ((pid_t)absent("getsid", process))
#define getpgrp() ((pid_t)absent("getpgrp"))
#define getppid() ((pid_t)absent("getppid"))
#define getuid() ((unsigned)absent("getuid"))
#define getgid() ((unsigned)absent("getgid"))
#define alarm(seconds) absent("alarm", seconds)

/* Files */
#define readlink(path, bytes, length) ((ssize_t)absent("readlink", path, bytes))
#define fchmod(fd, mode) absent("fchmod", fd)

#endif
