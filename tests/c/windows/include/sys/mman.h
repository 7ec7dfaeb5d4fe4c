/* Memory in pages. */
#ifndef COLOOP_TESTS_SYS_MMAN_H
#define COLOOP_TESTS_SYS_MMAN_H

#include <stddef.h>

#define PROT_READ 1
#define MAP_PRIVATE 1
#define MAP_ANONYMOUS 2
#define MAP_NORESERVE 4
#define MAP_FAILED ((void *)-1)

/* Pages of zeros to be read, and nothing else that mmap can do. */
void *zero_pages(size_t size);
int free_pages(void *pages);
#define mmap(where, size, protection, flags, fd, offset) zero_pages(size)
#define munmap(pages, size) free_pages(pages)

#endif
