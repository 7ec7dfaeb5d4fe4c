/* Names; a test may define getaddrinfo() itself. */
#ifndef COLOOP_TESTS_NETDB_H
#define COLOOP_TESTS_NETDB_H

#include <sys/socket.h>

int posix_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                      struct addrinfo **list);
#define getaddrinfo posix_getaddrinfo

/* The texts of glibc, for the codes that tests have. */
const char *posix_gai_strerror(int code);
#undef gai_strerror
#define gai_strerror(code) posix_gai_strerror(code)

#endif
