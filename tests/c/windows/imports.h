/* A function of the test program instead of the system's, where the library
 * calls it. On Linux the dynamic linker prefers the program's by itself. */
#ifndef COLOOP_TESTS_IMPORTS_H
#define COLOOP_TESTS_IMPORTS_H

typedef void any_function_t(void);

/* Ends the process if the library does not import it. */
void replace_import(const char *name, any_function_t *instead);

#endif
