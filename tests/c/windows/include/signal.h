/* The signals of POSIX have numbers here, but only those of the C runtime can be
 * caught. */
#ifndef COLOOP_TESTS_SIGNAL_H
#define COLOOP_TESTS_SIGNAL_H

#include_next <signal.h>
#include "../absent.h"
#include <pthread_signal.h>

#define SIGHUP 1
#define SIGQUIT 3
#define SIGKILL 9
#define SIGUSR1 SIGBREAK /* one that a test may raise as it likes */
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGURG 23
#define SIGWINCH 28
#define NSIG_OF_POSIX 65

#define SA_RESTART 1
#define SA_ONSTACK 2
#define SA_NOCLDSTOP 4
#define SA_SIGINFO 8
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

typedef unsigned long long sigset_t;
struct sigaction {
    void (*sa_handler)(int);
    sigset_t sa_mask;
    int sa_flags;
};

int posix_sigaction(int number, const struct sigaction *action, struct sigaction *old);
#define sigaction(number, action, old) posix_sigaction(number, action, old)
#define sigprocmask(how, set, old) absent("sigprocmask", set, old)
#undef pthread_sigmask
#define pthread_sigmask(how, set, old) absent("pthread_sigmask", set, old)
#define sigpending(set) absent("sigpending", set)
#define sigemptyset(set) absent("sigemptyset", set)
#define sigaddset(set, signal) absent("sigaddset", set, signal)
#define sigismember(set, signal) absent("sigismember", set, signal)
#define kill(process, signal) absent("kill", process, signal)

/* Timers that send signals */
#define SIGEV_SIGNAL 0
typedef int timer_t;
struct sigevent {
    int sigev_notify, sigev_signo;
};
#define timer_create(clock, event, ret_timer) absent("timer_create", clock, event, ret_timer)
#define timer_settime(timer, flags, value, old) absent("timer_settime", timer, flags, value, old)
#define timer_delete(timer) absent("timer_delete", timer)

#endif
