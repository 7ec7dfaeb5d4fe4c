/* poll() of sockets. */
#ifndef COLOOP_TESTS_POLL_H
#define COLOOP_TESTS_POLL_H

#include <sys/socket.h>

typedef unsigned long nfds_t;

int posix_poll(struct pollfd *fds, nfds_t count, int milliseconds);
#define poll(fds, count, milliseconds) posix_poll(fds, count, milliseconds)

#endif
