/* Numbers as sockets. */
#ifndef COLOOP_TESTS_SOCKETS_H
#define COLOOP_TESTS_SOCKETS_H

#include <sys/socket.h>

SOCKET socket_of(int fd);
int is_socket(int fd);
void set_blocking(int fd, int blocks);

#endif
