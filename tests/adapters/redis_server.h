/* A redis-server of a test's own, to be killed and started again. It ends with
 * the test in any case. */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include "../c/test.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_server {
    pid_t pid;
    char directory[64];
    char path[80];
};

static inline struct redis_server redis_server_new(void) {
    struct redis_server server = {.pid = 0};
    strcpy(server.directory, "/tmp/coloop-redis-XXXXXX");
    CHECK(mkdtemp(server.directory) != NULL);
    snprintf(server.path, sizeof server.path, "%s/redis.sock", server.directory);
    return server;
}

static inline int redis_server_connects(const struct redis_server *server) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return connected;
}

static inline void redis_server_start(struct redis_server *server) {
    pid_t parent = getpid();
    server->pid = fork();
    CHECK(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->path, "--dir",
                   server->directory, "--save", "", "--logfile", "/dev/null", (char *)NULL);
        _exit(127);
    }
    while (!redis_server_connects(server)) {
        CHECK_INT(waitpid(server->pid, NULL, WNOHANG), 0);
        sleep_ns(5 * MS);
    }
}

static inline void redis_server_kill(struct redis_server *server) {
    CHECK_INT(kill(server->pid, SIGKILL), 0);
    CHECK_INT(waitpid(server->pid, NULL, 0), server->pid);
    unlink(server->path);
}

static inline void redis_server_remove(struct redis_server *server) { rmdir(server->directory); }
#endif
