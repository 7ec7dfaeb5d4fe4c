#include "child.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t start_child(void) {
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        alarm(in_valgrind() ? 90 : 15);
    return child;
}

int end_of(pid_t child) {
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void leave_child(int status) {
    char command[32];
    snprintf(command, sizeof command, "exit %d", status);
    if (in_valgrind())
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(status);
}

void make_pipe(int ends[2]) {
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
}

void tell(int fd) {
    CHECK_INT(write(fd, "!", 1), 1);
}

void hear(int fd) {
    char byte;
    ssize_t got;
    do
        got = read(fd, &byte, 1);
    while (got < 0 && errno == EINTR);
    CHECK_INT(got, 1);
}

void empty(int fd) {
    char bytes[4096];
    while (read(fd, bytes, sizeof bytes) > 0) {
    }
}

void fill(int fd) {
    static const char bytes[4096];
    int written;
    do {
        for (written = 0; write(fd, bytes, sizeof bytes) > 0; written = 1) {
        }
        /* A TCP connection tries again for a while, and then has room for more. */
        if (ON_WINDOWS)
            sleep_ns(300 * MS);
    } while (ON_WINDOWS && written);
}

struct epoll_text epoll_text(pid_t process, int epoll_fd) {
    struct epoll_text out;
    char path[64];
    if (!BACKEND_HAS_FD) {
        CHECK_INT(epoll_fd, LOOP_ENOTSUP);
        return (struct epoll_text){""};
    }
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)process, epoll_fd);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    size_t length = fread(out.text, 1, sizeof out.text - 1, file);
    out.text[length] = '\0';
    fclose(file);
    CHECK(strstr(out.text, "tfd:") != NULL);
    return out;
}

void never(void *user_data) {
    (void)user_data;
    CHECK(!"this callback must not run");
}

void *run_loop(void *loop) {
    CHECK_INT(loop_run_forever(loop), 0);
    return NULL;
}

void wait_once(loop_t *loop) {
    int ran = 0;
    CHECK_INT(open_backend(loop), 0);
    CHECK_INT(loop_call_later(loop, 30 * MS, count, &ran, NULL, NULL), 0);
    while (ran == 0)
        CHECK(loop_run_once(loop, -1) >= 0);
}

static void stop_when_all_fired(struct witness *witness) {
    if (witness->reads > 0 && witness->writes > 0 && witness->timers > 0)
        CHECK_INT(loop_stop(witness->loop), 0);
}

static void on_readable(void *user_data) {
    struct witness *witness = user_data;
    witness->reads++;
    empty(witness->readable[0]);
    stop_when_all_fired(witness);
}

static void on_writable(void *user_data) {
    struct witness *witness = user_data;
    witness->writes++;
    fill(witness->writable[1]);
    stop_when_all_fired(witness);
}

static void on_timer(void *user_data) {
    struct witness *witness = user_data;
    witness->timers++;
    stop_when_all_fired(witness);
}

static void on_post(void *user_data) {
    struct witness *witness = user_data;
    witness->posts++;
    CHECK_INT(loop_stop(witness->loop), 0);
}

static void destroyed(void *user_data) {
    ((struct witness *)user_data)->destroyed++;
}

static void set_timer(struct witness *witness) {
    witness->timers = 0;
    CHECK_INT(loop_call_later(witness->loop, 20 * MS, on_timer, witness, destroyed,
                              &witness->timer), 0);
}

void witness_open(struct witness *witness) {
    memset(witness, 0, sizeof *witness);
    witness->loop = loop_new();
    CHECK(witness->loop != NULL);
    CHECK_INT(pipe2(witness->readable, O_CLOEXEC | O_NONBLOCK), 0);
    CHECK_INT(pipe2(witness->writable, O_CLOEXEC | O_NONBLOCK), 0);
    make_pipe(witness->asleep);
    fill(witness->writable[1]);
    CHECK_INT(loop_add_reader(witness->loop, witness->readable[0], on_readable, witness,
                              destroyed), 0);
    CHECK_INT(loop_add_writer(witness->loop, witness->writable[1], on_writable, witness,
                              destroyed), 0);
    wait_once(witness->loop);
    set_timer(witness);
    witness->registered = epoll_text(getpid(), loop_backend_fd(witness->loop));
}

static void falls_asleep(loop_t *loop, void *user_data) {
    (void)loop;
    tell(((struct witness *)user_data)->asleep[1]);
}

static void *post_to_sleeper(void *user_data) {
    struct witness *witness = user_data;
    hear(witness->asleep[0]);
    CHECK_INT(loop_call_soon_threadsafe(witness->loop, on_post, witness, NULL, NULL), 0);
    return NULL;
}

void witness_check(struct witness *witness) {
    loop_t *loop = witness->loop;
    CHECK_STR(epoll_text(getpid(), loop_backend_fd(loop)).text, witness->registered.text);
    tell(witness->readable[1]);
    empty(witness->writable[0]);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK(witness->reads > 0 && witness->writes > 0);
    CHECK_INT(witness->timers, 1);
    CHECK_INT(witness->destroyed, 1);

    pthread_t poster;
    CHECK_INT(loop_set_wait_hooks(loop, falls_asleep, NULL, witness, NULL), 0);
    CHECK_INT(pthread_create(&poster, NULL, post_to_sleeper, witness), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(pthread_join(poster, NULL), 0);
    CHECK_INT(witness->posts, 1);
    CHECK_INT(loop_set_wait_hooks(loop, NULL, NULL, NULL, NULL), 0);

    /* Ready for the next check. */
    witness->reads = witness->writes = witness->posts = witness->destroyed = 0;
    set_timer(witness);
    witness->registered = epoll_text(getpid(), loop_backend_fd(loop));
}

void witness_close(struct witness *witness) {
    CHECK_INT(loop_close(witness->loop), 0);
    CHECK_INT(witness->destroyed, WITNESS_DATA);
    loop_unref(witness->loop);
    for (int end = 0; end < 2; end++) {
        close(witness->readable[end]);
        close(witness->writable[end]);
        close(witness->asleep[end]);
    }
}
