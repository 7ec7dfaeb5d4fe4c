/* The system's function behind one that the program defines as well. */
#ifndef COLOOP_TESTS_DLFCN_H
#define COLOOP_TESTS_DLFCN_H

#define RTLD_NEXT 0

/* Only what the socket library has. */
void *dlsym(int where, const char *name);

#endif
