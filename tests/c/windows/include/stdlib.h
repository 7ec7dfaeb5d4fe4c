/* Names of files and variables of the environment. */
#ifndef COLOOP_TESTS_STDLIB_H
#define COLOOP_TESTS_STDLIB_H

#include_next <stdlib.h>

int setenv(const char *name, const char *value, int replace);
int unsetenv(const char *name);
char *mkdtemp(char *name);
int posix_mkstemp(char *name);
#define mkstemp(name) posix_mkstemp(name)
#define mkostemp(name, flags) posix_mkstemp(name)

#endif
