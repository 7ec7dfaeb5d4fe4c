#include "absent.h"
#include <errno.h>
#include <stdio.h>

int absent(const char *what, ...) {
    fprintf(stderr, "%s: not on Windows\n", what);
    errno = ENOSYS;
    return -1;
}
