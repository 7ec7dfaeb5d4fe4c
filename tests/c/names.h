/* A name with addresses of the test's choice: names.c stands before the
 * system's getaddrinfo. */
#ifndef NAMES_H
#define NAMES_H

#include <netdb.h>

#define TEST_NAME "host.coloop.test"

/* The addresses of TEST_NAME, in this order; both NULL: it is not known. */
void name_addresses(const char *first, const char *second);
/* TEST_NAME is known as 127.0.0.1, but that takes so long. */
void name_addresses_slowly(long long delay_ns);

#endif
