/* The names of threads. */
#ifndef COLOOP_TESTS_SYS_PRCTL_H
#define COLOOP_TESTS_SYS_PRCTL_H

#define PR_SET_NAME 15
#define PR_GET_NAME 16

/* A name has up to 15 characters, as on Linux. */
int prctl(int what, char *name);

#endif
