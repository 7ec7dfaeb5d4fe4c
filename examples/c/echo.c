/* A TCP echo server on one coloop loop, while threads post to it and timers run.
 *
 *   echo [CONNECTIONS]
 *
 * The main thread runs the loop. A child process plays the clients: it opens all
 * connections (1000 unless said otherwise), exchanges messages on them while all
 * are open, and verifies every byte. Two threads post numbered callbacks, and
 * the timers are checked against the clock. Everything is counted and checked;
 * the exit status is 1 if anything was wrong. */
#include "coloop.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000LL
#define TIME_LIMIT (60 * 1000 * MS)
#define TICK (5 * MS)

enum {
    BUFFER_SIZE = 16 * 1024,  /* what a connection may hold back */
    SOCKET_BUFFER = 32 * 1024, /* fixed: the system's own would grow with a big message */
    POSTERS = 2,
    POSTS = 50000,            /* by each poster */
    BURST = 500,              /* posts for each tick of the periodic timer */
    TIMERS = 100,
    LONGEST_DELAY_MS = 800,
    MESSAGES = 5,             /* on each connection */
    SMALL_MESSAGE = 8 * 1024, /* at most */
    BIG_MESSAGE = 300 * 1000, /* more than the sockets on the way can hold */
    BIG_EVERY = 20            /* one connection in so many sends a big message */
};

struct demo {
    loop_t *loop;
    int listener;
    int clients; /* a socket to their process, which closes it when it exits */
    bool clients_gone;
    int open, peak; /* connections */
    long long bytes, waits;
    struct poster {
        struct demo *demo;
        pthread_t thread;
        sem_t bursts; /* how many more it may post */
        uint32_t received;
        struct post {
            struct poster *poster;
            uint32_t sequence;
        } posts[POSTS];
    } posters[POSTERS];
    struct timer {
        struct demo *demo;
        uint64_t deadline;
    } timers[TIMERS];
    int timers_fired, ticks;
    uint64_t last_deadline, next_tick;
    int64_t largest_lateness;
    int failures;
};

static void fail(struct demo *demo, const char *what) {
    fprintf(stderr, "echo: WRONG: %s\n", what);
    demo->failures++;
}

static void require(bool succeeded, const char *call, const char *message) {
    if (!succeeded) {
        fprintf(stderr, "echo: %s: %s\n", call, message);
        exit(1);
    }
}

static void require_loop(int result, const char *call) {
    require(result >= 0, call, loop_last_error());
}

static void require_system(long result, const char *call) {
    require(result >= 0, call, strerror(errno));
}

/* coloop's functions and the system's answer with a negative number when they fail. */
#define LOOP(call) require_loop(call, #call)
#define SYSTEM(call) require_system(call, #call)

/* The run ends when every part of the demo has seen its end. */
static void stop_if_done(struct demo *demo) {
    bool done = demo->clients_gone && demo->open == 0 && demo->timers_fired == TIMERS;
    for (int i = 0; i < POSTERS; i++)
        done = done && demo->posters[i].received == POSTS;
    if (done)
        LOOP(loop_stop(demo->loop));
}

/* ---- The server -------------------------------------------------------- */

/* A connection reads while its buffer is empty, and while the buffer waits for
 * room in the socket it only writes: so a client that does not read cannot make
 * the server's memory grow. */
struct connection {
    struct demo *demo;
    int fd;
    int registrations; /* of the loop, which share this struct */
    bool writing;
    size_t begin, end; /* what waits in the buffer */
    char buffer[BUFFER_SIZE];
};

/* The destructor of each registration. The loop calls it exactly once for each,
 * and never while a callback of that registration runs: so a callback may end
 * its own connection and still use it until it returns. */
static void release(void *user_data) {
    struct connection *connection = user_data;
    struct demo *demo = connection->demo;
    if (--connection->registrations > 0)
        return;
    close(connection->fd);
    free(connection);
    demo->open--;
    stop_if_done(demo);
}

static void on_readable(void *user_data);
static void on_writable(void *user_data);

/* Adds the new registration before it removes the old one, so that the
 * connection always has one that keeps it alive. */
static void set_writing(struct connection *connection, bool writing) {
    loop_t *loop = connection->demo->loop;
    connection->writing = writing;
    connection->registrations++;
    if (writing) {
        if (connection->demo->waits++ == 0)
            SYSTEM(send(connection->demo->clients, "", 1, MSG_NOSIGNAL));
        LOOP(loop_add_writer(loop, connection->fd, on_writable, connection, release));
        LOOP(loop_remove_reader(loop, connection->fd));
    } else {
        LOOP(loop_add_reader(loop, connection->fd, on_readable, connection, release));
        LOOP(loop_remove_writer(loop, connection->fd));
    }
}

static void hang_up(struct connection *connection) {
    LOOP(loop_remove_reader(connection->demo->loop, connection->fd));
    LOOP(loop_remove_writer(connection->demo->loop, connection->fd));
}

static bool try_again_later(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void on_writable(void *user_data) {
    struct connection *connection = user_data;
    while (connection->begin < connection->end) {
        ssize_t sent = send(connection->fd, connection->buffer + connection->begin,
                            connection->end - connection->begin, MSG_NOSIGNAL);
        if (sent < 0 && try_again_later())
            break;
        if (sent < 0) {
            hang_up(connection);
            return;
        }
        connection->begin += (size_t)sent;
        connection->demo->bytes += sent;
    }
    bool waiting = connection->begin < connection->end;
    if (waiting != connection->writing)
        set_writing(connection, waiting);
}

static void on_readable(void *user_data) {
    struct connection *connection = user_data;
    ssize_t got = recv(connection->fd, connection->buffer, BUFFER_SIZE, 0);
    if (got < 0 && try_again_later())
        return;
    if (got <= 0) {
        hang_up(connection);
        return;
    }
    connection->begin = 0;
    connection->end = (size_t)got;
    on_writable(connection); /* nearly always there is room at once */
}

static void on_listener(void *user_data) {
    struct demo *demo = user_data;
    int fd, size = SOCKET_BUFFER;
    while ((fd = accept4(demo->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        require(connection != NULL, "calloc", "out of memory");
        SYSTEM(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
        connection->demo = demo;
        connection->fd = fd;
        connection->registrations = 1;
        if (++demo->open > demo->peak)
            demo->peak = demo->open;
        LOOP(loop_add_reader(demo->loop, fd, on_readable, connection, release));
    }
    require(try_again_later() || errno == ECONNABORTED, "accept", strerror(errno));
}

static void on_clients_gone(void *user_data) {
    struct demo *demo = user_data;
    LOOP(loop_remove_reader(demo->loop, demo->clients));
    demo->clients_gone = true;
    stop_if_done(demo);
}

/* ---- Posts from other threads ------------------------------------------ */

/* On the loop's thread: posts of one thread arrive in its order. */
static void on_post(void *user_data) {
    struct post *post = user_data;
    struct poster *poster = post->poster;
    if (post->sequence != poster->received)
        fail(poster->demo, "a post came out of order");
    if (++poster->received == POSTS)
        stop_if_done(poster->demo);
}

/* In bursts, so that posts arrive during the whole run and often find the loop
 * asleep. */
static void *post_all(void *argument) {
    struct poster *poster = argument;
    for (uint32_t i = 0; i < POSTS; i++) {
        while (i % BURST == 0 && sem_wait(&poster->bursts) != 0) {
        }
        struct post *post = &poster->posts[i];
        *post = (struct post){poster, i};
        LOOP(loop_call_soon_threadsafe(poster->demo->loop, on_post, post, NULL, NULL));
    }
    return NULL;
}

/* ---- Timers ------------------------------------------------------------ */

static void check_lateness(struct demo *demo, uint64_t deadline) {
    int64_t lateness = (int64_t)(loop_time(demo->loop) - deadline);
    if (lateness < 0)
        fail(demo, "a timer fired early");
    if (lateness > demo->largest_lateness)
        demo->largest_lateness = lateness;
}

static void on_timer(void *user_data) {
    struct timer *timer = user_data;
    struct demo *demo = timer->demo;
    check_lateness(demo, timer->deadline);
    if (timer->deadline < demo->last_deadline)
        fail(demo, "timers fired out of order");
    demo->last_deadline = timer->deadline;
    if (++demo->timers_fired == TIMERS)
        stop_if_done(demo);
}

/* Periodic: each tick schedules the next. An absolute deadline does not drift. */
static void on_tick(void *user_data) {
    struct demo *demo = user_data;
    check_lateness(demo, demo->next_tick);
    demo->ticks++;
    for (int i = 0; i < POSTERS; i++)
        sem_post(&demo->posters[i].bursts);
    demo->next_tick += TICK;
    LOOP(loop_call_at(demo->loop, demo->next_tick, on_tick, demo, NULL, NULL));
}

static void on_time_limit(void *user_data) {
    (void)user_data;
    fprintf(stderr, "echo: WRONG: not finished within %lld s\n", TIME_LIMIT / 1000 / MS);
    _exit(1); /* the child ends by itself when its connections break */
}

/* ---- The clients, in a process of their own ---------------------------- */

static uint32_t scramble(uint32_t number) {
    number = (number ^ (number >> 16)) * 0x45d9f3bu;
    return number ^ (number >> 15);
}

/* The byte at this place of a client's stream. */
static unsigned char pattern(int client, size_t place) {
    return (unsigned char)(scramble((uint32_t)client + 1) + scramble((uint32_t)place));
}

struct client {
    int fd, messages;
    bool lazy; /* reads nothing yet */
    size_t sent, received, end; /* of the stream; end: of the present message */
};

static void next_message(struct client *client, int number) {
    bool big = number % BIG_EVERY == 0 && client->messages == 0;
    uint32_t random = scramble((uint32_t)(number * MESSAGES + client->messages++));
    client->end += big ? BIG_MESSAGE : 1 + random % SMALL_MESSAGE;
}

/* The next message follows once this one came back whole. */
static void exchange(struct client *client, int number) {
    unsigned char bytes[8192];
    while (client->sent < client->end) {
        size_t size = 0;
        for (; size < sizeof bytes && client->sent + size < client->end; size++)
            bytes[size] = pattern(number, client->sent + size);
        ssize_t sent = send(client->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        require(sent >= 0 || try_again_later(), "client: send", strerror(errno));
        if (sent < 0)
            break;
        client->sent += (size_t)sent;
    }
    if (client->lazy)
        return;
    ssize_t got = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    require(got > 0 || (got < 0 && try_again_later()), "client: recv", "the server hung up");
    for (ssize_t i = 0; i < got; i++)
        require(bytes[i] == pattern(number, client->received++), "client", "a wrong byte");
    require(client->received <= client->sent, "client", "more came back than was sent");
    if (client->received == client->end && client->messages < MESSAGES)
        next_message(client, number);
}

/* The first client reads nothing until the server says that a socket was full:
 * so every run comes to the point where the server must wait for room. */
static void run_clients(const struct sockaddr_in *address, int count, int server) {
    struct client *clients = calloc((size_t)count, sizeof *clients);
    struct pollfd *polls = calloc((size_t)count + 1, sizeof *polls);
    require(clients != NULL && polls != NULL, "client: calloc", "out of memory");
    for (int i = 0, size = SOCKET_BUFFER; i < count; i++) {
        SYSTEM(clients[i].fd = polls[i].fd = socket(AF_INET, SOCK_STREAM, 0));
        SYSTEM(setsockopt(clients[i].fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
        SYSTEM(connect(clients[i].fd, (const struct sockaddr *)address, sizeof *address));
        next_message(&clients[i], i);
    }
    clients[0].lazy = true;
    polls[count] = (struct pollfd){.fd = server, .events = POLLIN};
    for (int busy = count; busy > 0;) {
        for (int i = 0; i < count; i++)
            polls[i].events = (clients[i].lazy ? 0 : POLLIN) |
                              (clients[i].sent < clients[i].end ? POLLOUT : 0);
        SYSTEM(poll(polls, (nfds_t)count + 1, -1));
        if (polls[count].revents != 0) {
            clients[0].lazy = false;
            polls[count].fd = -1;
        }
        for (int i = 0; i < count; i++) {
            if (polls[i].fd < 0 || polls[i].revents == 0)
                continue;
            exchange(&clients[i], i);
            if (clients[i].received == clients[i].end) {
                polls[i].fd = -1; /* done, but open until all are */
                busy--;
            }
        }
    }
    for (int i = 0; i < count; i++) {
        char byte;
        SYSTEM(shutdown(clients[i].fd, SHUT_WR));
        require(recv(clients[i].fd, &byte, 1, 0) == 0, "client", "the server did not hang up");
        close(clients[i].fd);
    }
    free(clients);
    free(polls);
}

/* ---- All of it --------------------------------------------------------- */

static void raise_descriptor_limit(rlim_t needed) {
    struct rlimit limit;
    SYSTEM(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = needed;
        SYSTEM(setrlimit(RLIMIT_NOFILE, &limit));
    }
}

static void schedule_timers(struct demo *demo) {
    unsigned seed = 1;
    for (int i = 0; i < TIMERS; i++) {
        struct timer *timer = &demo->timers[i];
        int64_t delay = rand_r(&seed) % (LONGEST_DELAY_MS * 1000) * (MS / 1000);
        loop_handle_t handle;
        timer->demo = demo;
        LOOP(loop_call_later(demo->loop, delay, on_timer, timer, NULL, &handle));
        LOOP(loop_handle_when(demo->loop, handle, &timer->deadline));
    }
    demo->next_tick = loop_time(demo->loop) + TICK;
    LOOP(loop_call_at(demo->loop, demo->next_tick, on_tick, demo, NULL, NULL));
}

int main(int argc, char **argv) {
    int connections = argc > 1 ? atoi(argv[1]) : 1000;
    require(connections > 0, "echo [CONNECTIONS]", "the number must be positive");
    raise_descriptor_limit((rlim_t)connections + 64);
    struct demo *demo = calloc(1, sizeof *demo);
    require(demo != NULL, "calloc", "out of memory");

    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SYSTEM(demo->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    SYSTEM(bind(demo->listener, (struct sockaddr *)&address, length));
    SYSTEM(listen(demo->listener, connections));
    SYSTEM(getsockname(demo->listener, (struct sockaddr *)&address, &length));

    /* The child comes first: it shall inherit neither loop nor threads. */
    int ends[2];
    SYSTEM(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    pid_t child = fork();
    SYSTEM(child);
    if (child == 0) {
        close(demo->listener);
        close(ends[0]);
        free(demo);
        run_clients(&address, connections, ends[1]);
        return 0;
    }
    close(ends[1]);
    demo->clients = ends[0];

    loop_t *loop = demo->loop = loop_new();
    require(loop != NULL, "loop_new", loop_last_error());
    uint64_t start = loop_time(loop);
    LOOP(loop_call_later(loop, TIME_LIMIT, on_time_limit, NULL, NULL, NULL));
    LOOP(loop_add_reader(loop, demo->listener, on_listener, demo, NULL));
    LOOP(loop_add_reader(loop, demo->clients, on_clients_gone, demo, NULL));
    schedule_timers(demo);
    for (int i = 0; i < POSTERS; i++) {
        struct poster *poster = &demo->posters[i];
        poster->demo = demo;
        SYSTEM(sem_init(&poster->bursts, 0, 0));
        SYSTEM(-pthread_create(&poster->thread, NULL, post_all, poster));
    }

    LOOP(loop_run_forever(loop));

    double seconds = (double)(loop_time(loop) - start) / 1e9;
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(demo->posters[i].thread, NULL);
        sem_destroy(&demo->posters[i].bursts);
    }
    int status;
    SYSTEM(waitpid(child, &status, 0));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail(demo, "the clients did not get all of their bytes back");
    if (demo->peak != connections)
        fail(demo, "not all connections were open at once");
    printf("echo:   %d connections at once, %.1f MB echoed and verified, "
           "%lld waits for room\n", demo->peak, (double)demo->bytes / 1e6, demo->waits);
    printf("posts:  %d threads, %u and %u posts received in order\n", POSTERS,
           demo->posters[0].received, demo->posters[1].received);
    printf("timers: %d in order of their deadlines, %d ticks, none early, at most %.2f ms late\n",
           demo->timers_fired, demo->ticks, (double)demo->largest_lateness / 1e6);
    printf("loop:   one thread, %s, %.2f s: %s\n", loop_backend_name(loop), seconds,
           demo->failures == 0 ? "all right" : "NOT right");

    /* What still waits (the next tick, the time limit, the listener) goes with the loop. */
    int failures = demo->failures;
    LOOP(loop_close(loop));
    loop_unref(loop);
    close(demo->listener);
    close(demo->clients);
    free(demo);
    return failures == 0 ? 0 : 1;
}
