/* Names of files and variables of the environment. */
#ifndef COLOOP_TESTS_STDLIB_H
#define COLOOP_TESTS_STDLIB_H

#include_next <stdlib.h>

int setenv(const char *name, const char *value, int replace);
int unsetenv(const char *name);
char *mkdtemp(char *name);
#define mkostemp(name, flags) mkstemp(name)

#endif
