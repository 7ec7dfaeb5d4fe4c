/* --list names the tests, --files also their files; any other arguments are names of tests to run. */
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct test *test_list;

void stop_loop(void *loop) {
    CHECK_INT(loop_stop(loop), 0);
}

void count(void *number) {
    ++*(int *)number;
}

long long now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

void sleep_ns(long long nanoseconds) {
    struct timespec time = {nanoseconds / 1000000000LL, nanoseconds % 1000000000LL};
    while (nanosleep(&time, &time) != 0) {
    }
}

#ifndef _WIN32 /* there in windows/process.c */
int open_fds(void) {
    int open = -3; /* ".", ".." and the directory itself */
    DIR *directory = opendir("/proc/self/fd");
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        open++;
    closedir(directory);
    return open;
}
#endif

void leave_mark(void *data) {
    struct mark *mark = data;
    record(mark->log, mark->mark);
}

void open_pipe(int ends[2]) {
    CHECK_INT(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

int in_valgrind(void) {
    const char *value = getenv("COLOOP_VALGRIND");
    return value != NULL && *value != '\0';
}

int open_backend(loop_t *loop) {
    int fd = loop_backend_fd(loop);
    CHECK(BACKEND_HAS_FD || fd < 0);
    int has_none = !BACKEND_HAS_FD && fd == LOOP_ENOTSUP;
    return fd >= 0 || has_none ? 0 : fd;
}

#ifndef _WIN32
long resident_kib(void) {
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL);
    CHECK_INT(fscanf(file, "%ld %ld", &size, &resident), 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}
#endif

int in_child(void (*body)(void *), void *argument) {
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        body(argument);
        exit(0);
    }
    int status = 0;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* valgrind cannot make the stack larger in the moment a signal arrives. */
static void stretch_stack(void) {
    volatile char deep[256 << 10];
    for (size_t i = sizeof deep; i >= 1024; i -= 1024)
        deep[i - 1] = 0;
}

int main(int argc, char **argv) {
    if (in_valgrind())
        stretch_stack();
    for (struct test *test = test_list; test != NULL; test = test->next) {
        if (argc == 2 && strcmp(argv[1], "--list") == 0)
            puts(test->name);
        if (argc == 2 && strcmp(argv[1], "--files") == 0)
            printf("%s %s\n", test->name, test->file);
        for (int i = 1; i < argc; i++) {
            if (strcmp(argv[i], test->name) == 0)
                test->run();
        }
    }
    return 0;
}
