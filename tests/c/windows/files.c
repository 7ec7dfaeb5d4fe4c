/* Plain files. Those that a test opens by itself are numbers of HANDLEs, as coloop
 * wants them; the C runtime's few own descriptors are smaller than any HANDLE. */
#define POSIX_DESCRIPTORS_THEMSELVES
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <windows.h>

static HANDLE handle_of(int fd) {
    return (HANDLE)(intptr_t)fd;
}

int is_file(int fd) {
    return fd >= 32 && GetFileType(handle_of(fd)) == FILE_TYPE_DISK;
}

int close_file(int fd) {
    return CloseHandle(handle_of(fd)) ? 0 : -1;
}

static int opened(const char *path, DWORD creation) {
    HANDLE file = CreateFileA(path, GENERIC_READ | (creation != OPEN_EXISTING ? GENERIC_WRITE : 0),
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              creation, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        errno = ENOENT;
        return -1;
    }
    return (int)(intptr_t)file;
}

int posix_open(const char *path, int flags) {
    char own[MAX_PATH];
    (void)flags;
    if (strcmp(path, "/dev/null") == 0)
        return opened("NUL", OPEN_EXISTING);
    if (strcmp(path, "/proc/self/exe") != 0)
        return opened(path, OPEN_EXISTING);
    GetModuleFileNameA(NULL, own, sizeof own);
    return opened(own, OPEN_EXISTING);
}

int posix_mkstemp(char *name) {
    return _mktemp(name) == NULL ? -1 : opened(name, CREATE_NEW);
}

off_t posix_lseek(int fd, off_t offset, int origin) {
    LARGE_INTEGER by = {.QuadPart = offset}, now;
    return SetFilePointerEx(handle_of(fd), by, &now, (DWORD)origin) ? (off_t)now.QuadPart : -1;
}

static ssize_t answer(BOOL worked, DWORD count) {
    if (worked || GetLastError() == ERROR_HANDLE_EOF)
        return (ssize_t)count;
    errno = EIO;
    return -1;
}

ssize_t read_file(int fd, void *bytes, size_t length) {
    DWORD got = 0;
    BOOL worked = ReadFile(handle_of(fd), bytes, (DWORD)length, &got, NULL);
    return answer(worked, got);
}

ssize_t write_file(int fd, const void *bytes, size_t length) {
    DWORD done = 0;
    BOOL worked = WriteFile(handle_of(fd), bytes, (DWORD)length, &done, NULL);
    return answer(worked, done);
}

/* Windows moves the position in any case, so it is put back. */
ssize_t posix_pread(int fd, void *bytes, size_t length, off_t offset) {
    off_t before = posix_lseek(fd, 0, SEEK_CUR);
    posix_lseek(fd, offset, SEEK_SET);
    ssize_t got = read_file(fd, bytes, length);
    posix_lseek(fd, before, SEEK_SET);
    return got;
}

ssize_t posix_pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    off_t before = posix_lseek(fd, 0, SEEK_CUR);
    posix_lseek(fd, offset, SEEK_SET);
    ssize_t done = write_file(fd, bytes, length);
    posix_lseek(fd, before, SEEK_SET);
    return done;
}
