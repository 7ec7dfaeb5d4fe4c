/* Starting programs without the loop. */
#ifndef COLOOP_TESTS_SPAWN_H
#define COLOOP_TESTS_SPAWN_H

#include "../absent.h"

#define posix_spawn(pid, path, actions, attributes, argv, environ) \
    absent("posix_spawn", pid, path, argv, environ)

#endif
