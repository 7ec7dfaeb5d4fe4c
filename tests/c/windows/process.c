/* What a test asks of its own process. */
#include <sys/socket.h>
#include <windows.h>
#include <psapi.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "../test.h"
#include "files.h"
#include "sockets.h"

/* Sockets and files. Handles are small multiples of four. */
int open_fds(void) {
    int open = 0;
    for (int number = 4; number < 1 << 14; number += 4)
        open += is_socket(number) || is_file(number);
    return open;
}

long resident_kib(void) {
    PROCESS_MEMORY_COUNTERS counters = {.cb = sizeof counters};
    CHECK(K32GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters));
    return (long)(counters.WorkingSetSize / 1024);
}

void *zero_pages(size_t size) {
    void *pages = VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READONLY);
    return pages != NULL ? pages : MAP_FAILED;
}

int free_pages(void *pages) {
    return VirtualFree(pages, 0, MEM_RELEASE) ? 0 : -1;
}

/* Newer than the import libraries. */
static FARPROC found(const char *name) {
    return GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), name);
}

typedef HRESULT WINAPI get_description_t(HANDLE thread, PWSTR *ret_text);
typedef HRESULT WINAPI set_description_t(HANDLE thread, PCWSTR text);

static int get_name(char *name) {
    get_description_t *get = (get_description_t *)(void (*)(void))found("GetThreadDescription");
    PWSTR text;
    size_t length = 0;
    if (get == NULL || FAILED(get(GetCurrentThread(), &text)))
        return -1;
    for (; length < 15 && text[length] != 0; length++)
        name[length] = (char)text[length];
    name[length] = '\0';
    LocalFree(text);
    return 0;
}

static int set_name(const char *name) {
    set_description_t *set = (set_description_t *)(void (*)(void))found("SetThreadDescription");
    WCHAR text[16] = {0};
    for (size_t i = 0; i < 15 && name[i] != '\0'; i++)
        text[i] = (WCHAR)(unsigned char)name[i];
    return set != NULL && SUCCEEDED(set(GetCurrentThread(), text)) ? 0 : -1;
}

int prctl(int what, char *name) {
    return what == PR_GET_NAME ? get_name(name) : set_name(name);
}

enum { FILES = 1 << 20 };

int getrlimit(int resource, struct rlimit *limit) {
    limit->rlim_cur = limit->rlim_max = FILES;
    return resource == RLIMIT_NOFILE ? 0 : absent("a limit of memory");
}

int setrlimit(int resource, const struct rlimit *limit) {
    return resource == RLIMIT_NOFILE && limit->rlim_cur <= FILES && limit->rlim_cur >= 65536
               ? 0
               : absent(resource == RLIMIT_NOFILE ? "few files" : "a limit of memory");
}

static struct time_used time_of(FILETIME time) {
    ULONGLONG units = (ULONGLONG)time.dwHighDateTime << 32 | time.dwLowDateTime;
    return (struct time_used){(long)(units / 10000000), (long)(units % 10000000 / 10)};
}

int getrusage(int who, struct rusage *usage) {
    FILETIME made, ended, kernel, user;
    (void)who;
    if (!GetProcessTimes(GetCurrentProcess(), &made, &ended, &kernel, &user))
        return -1;
    usage->ru_utime = time_of(user);
    usage->ru_stime = time_of(kernel);
    return 0;
}

/* The C runtime's own gives the same names to several processes. */
FILE *posix_tmpfile(void) {
    char name[64];
    snprintf(name, sizeof name, "/tmp/coloop-tests-%lu", GetCurrentProcessId());
    return fopen(name, "w+bTD"); /* removed when it is closed */
}

char *mkdtemp(char *name) {
    return _mktemp(name) != NULL && CreateDirectoryA(name, NULL) ? name : NULL;
}

int setenv(const char *name, const char *value, int replace) {
    return !replace && getenv(name) != NULL ? 0 : _putenv_s(name, value);
}

int unsetenv(const char *name) {
    return _putenv_s(name, "");
}
