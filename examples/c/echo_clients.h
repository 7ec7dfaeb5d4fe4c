/* The clients of the echo demo, which run in a process of their own: plain
 * sockets and poll(), nothing of coloop. */
#ifndef ECHO_CLIENTS_H
#define ECHO_CLIENTS_H

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SOCKET_BUFFER = 32 * 1024, /* fixed: the system's own would grow with a big message */
    MESSAGES = 5,              /* on each connection */
    SMALL_MESSAGE = 8 * 1024,  /* at most */
    BIG_MESSAGE = 300 * 1000,  /* more than the sockets on the way can hold */
    BIG_EVERY = 20             /* one connection in so many sends a big message */
};

static void require(bool succeeded, const char *call, const char *message) {
    if (!succeeded) {
        fprintf(stderr, "echo: %s: %s\n", call, message);
        exit(1);
    }
}

static void require_system(long result, const char *call) {
    require(result >= 0, call, strerror(errno));
}

/* The system's answer when a call fails is a negative number. */
#define SYSTEM(call) require_system(call, #call)

static bool try_again_later(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

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

static size_t message_size(int number, int message) {
    bool big = number % BIG_EVERY == 0 && message == 0;
    uint32_t random = scramble((uint32_t)(number * MESSAGES + message));
    return big ? BIG_MESSAGE : 1 + random % SMALL_MESSAGE;
}

static void next_message(struct client *client, int number) {
    client->end += message_size(number, client->messages++);
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

/* The first client reads nothing until the server says, on `server`, that a
 * socket was full: so every run comes to the point where the server must wait
 * for room. Once all are connected, the parent gets a signal. */
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
    SYSTEM(kill(getppid(), SIGUSR1));
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

#endif
