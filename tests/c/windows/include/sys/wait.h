/* No children that end here. */
#ifndef COLOOP_TESTS_SYS_WAIT_H
#define COLOOP_TESTS_SYS_WAIT_H

#include "../../absent.h"

#define WNOHANG 1
#define WIFEXITED(status) (((status) & 0x7f) == 0)
#define WEXITSTATUS(status) ((status) >> 8 & 0xff)
#define WIFSIGNALED(status) (((status) & 0x7f) != 0)
#define WTERMSIG(status) ((status) & 0x7f)
#define waitpid(process, status, flags) ((pid_t)absent("waitpid", process, status))


typedef int id_t;
typedef struct {
    int si_pid, si_status;
} siginfo_t;
#define P_PID 1
#define WEXITED 4
#define WNOWAIT 8
#define waitid(type, id, info, flags) absent("waitid", id, info)

#endif
