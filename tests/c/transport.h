/* A protocol that remembers what happened, for the tests of transports. */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "child.h"
#include "test.h"
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Marks in `log`: m made, d data, e end, p pause, r resume, l lost, D destroyed. */
struct peer {
    loop_t *loop;
    loop_transport_t *transport; /* borrowed; NULL before it is made */
    struct log log;
    char *bytes; /* what came, if there is room for it */
    size_t room, received;
    int keeps_open; /* the answer of eof_received */
    int stops;      /* stops the loop when the connection is lost */
    int echoes;
    int lost, destroyed, code;
    char message[64];
    void (*on_made)(struct peer *);
    void (*on_data)(struct peer *, const void *, size_t);
    void (*on_eof)(struct peer *);
    void (*on_pause)(struct peer *);
    void (*on_resume)(struct peer *);
    void (*on_lost)(struct peer *);
    void *extra;
};

static inline void peer_made(loop_transport_t *transport, void *data) {
    struct peer *peer = data;
    record(&peer->log, 'm');
    peer->transport = transport;
    if (peer->on_made != NULL)
        peer->on_made(peer);
}

static inline void peer_data(loop_transport_t *transport, const void *bytes, size_t length,
                             void *data) {
    struct peer *peer = data;
    if (peer->log.length == 0 || peer->log.text[peer->log.length - 1] != 'd')
        record(&peer->log, 'd');
    if (peer->received + length <= peer->room)
        memcpy(peer->bytes + peer->received, bytes, length);
    peer->received += length;
    if (peer->echoes)
        CHECK_INT(loop_transport_write(transport, bytes, length), 0);
    if (peer->on_data != NULL)
        peer->on_data(peer, bytes, length);
}

static inline int peer_eof(loop_transport_t *transport, void *data) {
    struct peer *peer = data;
    (void)transport;
    record(&peer->log, 'e');
    if (peer->on_eof != NULL)
        peer->on_eof(peer);
    return peer->keeps_open;
}

static inline void peer_pause(loop_transport_t *transport, void *data) {
    struct peer *peer = data;
    (void)transport;
    record(&peer->log, 'p');
    if (peer->on_pause != NULL)
        peer->on_pause(peer);
}

static inline void peer_resume(loop_transport_t *transport, void *data) {
    struct peer *peer = data;
    (void)transport;
    record(&peer->log, 'r');
    if (peer->on_resume != NULL)
        peer->on_resume(peer);
}

static inline void peer_lost(loop_transport_t *transport, int code, const char *message,
                             void *data) {
    struct peer *peer = data;
    (void)transport;
    record(&peer->log, 'l');
    CHECK_INT(peer->destroyed, 0);
    peer->lost++;
    peer->code = code;
    snprintf(peer->message, sizeof peer->message, "%s", message != NULL ? message : "");
    if (peer->stops)
        loop_stop(peer->loop);
    if (peer->on_lost != NULL)
        peer->on_lost(peer);
}

static inline void peer_destroy(void *data) {
    struct peer *peer = data;
    record(&peer->log, 'D');
    peer->destroyed++;
}

static const loop_protocol_t peer_protocol = {
    .size = sizeof(loop_protocol_t),
    .connection_made = peer_made,
    .data_received = peer_data,
    .eof_received = peer_eof,
    .pause_writing = peer_pause,
    .resume_writing = peer_resume,
    .connection_lost = peer_lost,
};

/* One end of a socket pair becomes a transport; the other is returned, non-blocking. */
static inline int peer_open(struct peer *peer, loop_t *loop) {
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    peer->loop = loop;
    CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &peer_protocol, peer, peer_destroy,
                                           NULL), 0);
    return pair[1];
}

/* Turns until nothing is ready any more. */
static inline void settle(loop_t *loop) {
    for (int idle = 0; idle < 3;) {
        int ran = loop_run_once(loop, 0);
        CHECK(ran >= 0);
        idle = ran == 0 ? idle + 1 : 0;
    }
}

/* As many descriptors as this process may have. */
static inline void raise_limit(void) {
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

#endif
