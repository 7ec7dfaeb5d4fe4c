/* A file that is gone when it is closed. */
#ifndef COLOOP_TESTS_STDIO_H
#define COLOOP_TESTS_STDIO_H

#include_next <stdio.h>

FILE *posix_tmpfile(void);
#define tmpfile() posix_tmpfile()

#endif
