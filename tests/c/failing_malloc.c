/* The program's own malloc and its relatives, which the library uses, too. */
#include "failing_memory.h"
#include <malloc.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *place, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *place);

void *malloc(size_t size) {
    return memory_denied(size) ? (errno = ENOMEM, NULL) : memory_given(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size) {
    return memory_denied(count * size) ? (errno = ENOMEM, NULL) : __libc_calloc(count, size);
}

void *realloc(void *place, size_t size) {
    return memory_denied(size) ? (errno = ENOMEM, NULL) : __libc_realloc(place, size);
}

void *memalign(size_t alignment, size_t size) {
    return memory_denied(size) ? (errno = ENOMEM, NULL) : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    void *place = memalign(alignment, size);
    if (place == NULL)
        return ENOMEM;
    *result = memory_given(place, size);
    return 0;
}

void free(void *place) {
    memory_taken_back(place);
    __libc_free(place);
}
