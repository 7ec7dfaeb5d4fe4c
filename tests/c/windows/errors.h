/* What Winsock's calls leave behind, as errno. */
#ifndef COLOOP_TESTS_ERRORS_H
#define COLOOP_TESTS_ERRORS_H

/* Sets errno to what WSAGetLastError() says, and yields -1. */
int winsock_failed(void);

#endif
