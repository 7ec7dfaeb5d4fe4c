/* Enough for code that knows UNIX sockets to compile; nothing answers to it. */
#ifndef COLOOP_TESTS_SYS_UN_H
#define COLOOP_TESTS_SYS_UN_H

#include <sys/socket.h>

struct sockaddr_un {
    unsigned short sun_family;
    char sun_path[108];
};

#endif
