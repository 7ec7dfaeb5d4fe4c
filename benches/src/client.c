/* The other side of echo and stream: a process of its own with one plain epoll loop. Each
 * connection sends its next message when the last one came back whole. A message that does
 * not fit into the socket is continued when there is room; the client never waits in a
 * send, or two full sockets could wait for each other. */
#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKLOG = 1024, LONGEST = 102400, INBOX = 262144 };

static char message[LONGEST], inbox[INBOX];
static size_t message_size;
static int poller;

struct peer {
    int fd;
    int waits_for_room;
    size_t unsent, outstanding;
};

void bench_no_delay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void watch(struct peer *peer, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};
    if (epoll_ctl(poller, operation, peer->fd, &event) != 0)
        bench_die("epoll_ctl");
}

static void send_rest(struct peer *peer)
{
    ssize_t sent = send(peer->fd, message, peer->unsent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        _exit(0); /* the server has seen enough */
    peer->unsent -= (size_t)(sent < 0 ? 0 : sent);
    if (peer->waits_for_room != (peer->unsent > 0)) {
        peer->waits_for_room = peer->unsent > 0;
        watch(peer, EPOLL_CTL_MOD, EPOLLIN | (peer->waits_for_room ? EPOLLOUT : 0));
    }
}

static void send_message(struct peer *peer)
{
    peer->outstanding = peer->unsent = message_size;
    send_rest(peer);
}

static void receive(struct peer *peer)
{
    ssize_t got = recv(peer->fd, inbox, sizeof inbox, MSG_DONTWAIT);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN)
            return;
        _exit(0);
    }
    peer->outstanding -= (size_t)got;
    if (peer->outstanding == 0)
        send_message(peer);
}

static void run(const struct bench_client *client)
{
    struct epoll_event events[256];
    struct peer *peers = bench_alloc(client->connections, sizeof *peers);
    poller = epoll_create1(EPOLL_CLOEXEC);
    message_size = client->message_size;
    close(client->listener);
    for (size_t i = 0; i < client->connections; i++) {
        peers[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(peers[i].fd, (const struct sockaddr *)&client->address,
                    sizeof client->address) != 0)
            bench_die("connect");
        bench_no_delay(peers[i].fd);
        watch(&peers[i], EPOLL_CTL_ADD, EPOLLIN);
        if (i == 0 && client->first_alone) {
            peers[0].unsent = message_size;
            send_rest(&peers[0]);
            recv(peers[0].fd, inbox, message_size, MSG_WAITALL);
        }
    }
    for (size_t i = client->first_alone; i < client->connections; i++)
        send_message(&peers[i]);
    for (;;) {
        int ready = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            struct peer *peer = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                send_rest(peer);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                receive(peer);
        }
    }
}

void bench_client_start(struct bench_client *client)
{
    socklen_t length = sizeof client->address;
    if (client->message_size > LONGEST)
        bench_die("the message is too long");
    bench_raise_nofile((int)client->connections + 64);
    client->address = (struct sockaddr_in){.sin_family = AF_INET};
    client->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(client->listener, (struct sockaddr *)&client->address, length) != 0 ||
        listen(client->listener, BACKLOG) != 0 ||
        getsockname(client->listener, (struct sockaddr *)&client->address, &length) != 0)
        bench_die("listen");
    client->process = fork();
    if (client->process < 0)
        bench_die("fork");
    if (client->process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(client);
    }
}

void bench_client_stop(struct bench_client *client)
{
    kill(client->process, SIGKILL);
    waitpid(client->process, NULL, 0);
}
