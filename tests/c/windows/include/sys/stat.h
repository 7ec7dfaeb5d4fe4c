#ifndef COLOOP_TESTS_SYS_STAT_H
#define COLOOP_TESTS_SYS_STAT_H

#include_next <sys/stat.h>
#include <direct.h>

#define mkdir(path, mode) _mkdir(path)
#define mkfifo(path, mode) absent("mkfifo", path)

#endif
