/* The C library's own allocation by the names that glibc has for it: musl has none. */
#include <stdlib.h>

#if defined(__linux__) && !defined(__GLIBC__)
#include <dlfcn.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *place, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *place);

/* The one behind the program's; dlsym allocates nothing there. */
#define FIND_NEXT(pointer, name)                     \
    do {                                             \
        if (pointer == NULL) {                       \
            void *found_ = dlsym(RTLD_NEXT, name);   \
            memcpy(&pointer, &found_, sizeof found_); \
        }                                            \
    } while (0)

void *__libc_malloc(size_t size) {
    static void *(*next)(size_t);
    FIND_NEXT(next, "malloc");
    return next(size);
}

void *__libc_calloc(size_t count, size_t size) {
    static void *(*next)(size_t, size_t);
    FIND_NEXT(next, "calloc");
    return next(count, size);
}

void *__libc_realloc(void *place, size_t size) {
    static void *(*next)(void *, size_t);
    FIND_NEXT(next, "realloc");
    return next(place, size);
}

/* Its memalign would call the program's aligned_alloc. */
void *__libc_memalign(size_t alignment, size_t size) {
    static void *(*next)(size_t, size_t);
    FIND_NEXT(next, "aligned_alloc");
    return next(alignment, size);
}

void __libc_free(void *place) {
    static void (*next)(void *);
    FIND_NEXT(next, "free");
    next(place);
}
#endif
