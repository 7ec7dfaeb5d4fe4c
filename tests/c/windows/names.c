/* The library asks names.c, not the system. */
#include "imports.h"
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

void *dlsym(int where, const char *name) {
    FARPROC function = GetProcAddress(GetModuleHandleW(L"ws2_32.dll"), name);
    void *found;
    (void)where;
    memcpy(&found, &function, sizeof found);
    return found;
}

const char *posix_gai_strerror(int code) {
    return code == EAI_NONAME ? "Name or service not known"
           : code == -9       ? "Address family for hostname not supported"
                              : "?";
}

__attribute__((constructor)) static void stand_before_the_system(void) {
    replace_import("getaddrinfo", (any_function_t *)posix_getaddrinfo);
}
