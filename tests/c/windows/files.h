/* Plain files by the number of their HANDLE. */
#ifndef COLOOP_TESTS_FILES_H
#define COLOOP_TESTS_FILES_H

#include <stddef.h>
#include <sys/types.h>

int is_file(int fd);
int close_file(int fd);
ssize_t read_file(int fd, void *bytes, size_t length);
ssize_t write_file(int fd, const void *bytes, size_t length);

#endif
