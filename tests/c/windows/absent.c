#include "absent.h"
#include <errno.h>

int absent(int unused, ...) {
    (void)unused;
    errno = ENOSYS;
    return -1;
}
