/* The other side of the echo rows: load KIND ADDRESS CONNECTIONS BYTES PID [MS]
 *
 * KIND is tcp, unix, udp or tls; ADDRESS a port on 127.0.0.1 or a path. Each connection has
 * one message under way and sends the next when it came back whole; what comes back is
 * compared. A run ends when the server, process PID, has used MS milliseconds of CPU time
 * after a warm-up of a quarter of that, and prints the server's CPU time by message as JSON. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4096, LONGEST = 1 << 20, TIMEOUT_S = 60, LOOK_EVERY = 16 };

struct peer {
    struct wire wire;
    int watched_for_room;
    size_t unsent, missing;
};

static unsigned char message[LONGEST], inbox[LONGEST];
static size_t message_size;
static int poller;
static uint64_t messages;

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        die("clock_gettime");
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void watch(struct peer *peer, int operation, int for_room)
{
    struct epoll_event event = {.events = EPOLLIN | (for_room ? EPOLLOUT : 0),
                                .data.ptr = peer};
    if (epoll_ctl(poller, operation, peer->wire.fd, &event) != 0)
        die("epoll_ctl");
    peer->watched_for_room = for_room;
}

/* Until the message is sent or there is no room. */
static void send_rest(struct peer *peer)
{
    int waits = 0;
    while (peer->unsent) {
        ssize_t sent = wire_send(&peer->wire, message + message_size - peer->unsent,
                                 peer->unsent, &waits);
        if (sent < 0)
            break;
        peer->unsent -= (size_t)sent;
    }
    if (waits != peer->watched_for_room)
        watch(peer, EPOLL_CTL_MOD, waits);
}

static void send_message(struct peer *peer)
{
    peer->unsent = peer->missing = message_size;
    send_rest(peer);
}

static void compare(struct peer *peer, size_t got)
{
    if (got > peer->missing ||
        memcmp(inbox, message + message_size - peer->missing, got) != 0) {
        errno = EBADMSG;
        die("what came back is not what was sent");
    }
}

/* Until nothing is left to read: OpenSSL may hold what epoll does not see. */
static void receive(struct peer *peer)
{
    int waits = 0;
    do {
        ssize_t got = wire_receive(&peer->wire, inbox, sizeof inbox, &waits);
        if (got < 0)
            return;
        if (got == 0) {
            errno = EPIPE;
            die("recv");
        }
        compare(peer, (size_t)got);
        peer->missing -= (size_t)got;
        if (peer->missing == 0) {
            messages++;
            send_message(peer);
        }
    } while (peer->wire.tls);
}

static void turn(void)
{
    struct epoll_event events[256];
    int ready = epoll_wait(poller, events, 256, TIMEOUT_S * 1000);
    if (ready == 0) {
        errno = ETIMEDOUT;
        die("no answer");
    }
    for (int i = 0; i < ready; i++) {
        struct peer *peer = events[i].data.ptr;
        if (peer->unsent)
            send_rest(peer);
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            receive(peer);
    }
}

/* Goes on until the server has used this much more CPU time; returns how much it was. */
static int64_t run(clockid_t server, int64_t window)
{
    int64_t start = nanoseconds(server), spent = 0;
    int64_t last = nanoseconds(CLOCK_MONOTONIC) + TIMEOUT_S * INT64_C(1000000000);
    for (uint64_t look = messages; spent < window;) {
        turn();
        if (messages < look)
            continue;
        look = messages + LOOK_EVERY;
        spent = nanoseconds(server) - start;
        if (nanoseconds(CLOCK_MONOTONIC) > last) {
            errno = ETIMEDOUT;
            die("the window is too long");
        }
    }
    return spent;
}

static enum kind kind_named(const char *name)
{
    static const char *const names[] = {"tcp", "unix", "udp", "tls"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum kind)i;
    errno = EINVAL;
    die(name);
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc > 7) {
        fprintf(stderr, "usage: load tcp|unix|udp|tls ADDRESS CONNECTIONS BYTES PID [MS]\n");
        return 2;
    }
    enum kind kind = kind_named(argv[1]);
    size_t count = strtoul(argv[3], NULL, 10);
    clockid_t server;
    message_size = strtoul(argv[4], NULL, 10);
    errno = clock_getcpuclockid(atoi(argv[5]), &server);
    if (errno != 0)
        die("clock_getcpuclockid");
    int64_t window = (argc > 6 ? atoi(argv[6]) : 250) * INT64_C(1000000);
    errno = EINVAL;
    if (count == 0 || count > MOST || message_size == 0 || message_size > LONGEST || window <= 0)
        die("arguments");
    for (size_t i = 0; i < message_size; i++)
        message[i] = (unsigned char)(i * 31 + i / 251);
    struct peer *peers = calloc(count, sizeof *peers);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!peers || poller < 0)
        die("epoll_create1");
    for (size_t i = 0; i < count; i++) {
        wire_open(&peers[i].wire, kind, argv[2]);
        watch(&peers[i], EPOLL_CTL_ADD, 0);
    }
    for (size_t i = 0; i < count; i++)
        send_message(&peers[i]);
    run(server, window / 4);
    uint64_t before = messages;
    int64_t wall = nanoseconds(CLOCK_MONOTONIC), spent = run(server, window);
    double done = (double)(messages - before);
    wall = nanoseconds(CLOCK_MONOTONIC) - wall;
    printf("{\"cpu_us\": %.4f, \"wall_us\": %.4f, \"operations\": %.0f}\n",
           (double)spent / done / 1e3, (double)wall / done / 1e3, done);
    return 0;
}
