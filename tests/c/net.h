/* Peers for tests of servers, connections and datagrams: a protocol that keeps
 * books, plain blocking sockets for the other side, and ways to let a loop run
 * until something is so. */
#ifndef NET_H
#define NET_H

#include "test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Runs turns until `condition` holds; a test fails where that takes too long. */
#define RUN_UNTIL(loop, condition)                                            \
    do {                                                                      \
        long long limit_ = now_ns() + (in_valgrind() ? 100 : 20) * 1000 * MS; \
        while (!(condition)) {                                                \
            CHECK(loop_run_once(loop, 5 * MS) >= 0);                          \
            if (now_ns() > limit_) {                                          \
                fprintf(stderr, "%s:%d: never: %s\n", __FILE__, __LINE__,     \
                        #condition);                                          \
                exit(1);                                                      \
            }                                                                 \
        }                                                                     \
    } while (0)

/* Lets the loop run until the future is done: its result, or its code. Gives
 * the reference back. */
static inline int end_code(loop_t *loop, loop_future_t *future) {
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    int code = loop_future_result(future, NULL);
    loop_future_unref(future);
    return code;
}

/* Waits for the threads that looked names up, so that a leak check finds none
 * of them half way through its end. */
static inline void end_lookups(loop_t *loop) {
    loop_future_t *ended = NULL;
    CHECK_INT(loop_shutdown_default_executor(loop, -1, &ended), 0);
    CHECK_INT(end_code(loop, ended), 0);
}

/* A stream protocol's books; each field counts calls. */
struct books {
    loop_t *loop;
    loop_transport_t *transport; /* borrowed; NULL before and after */
    int made, eof, lost, lost_code, destroyed;
    int echoes;         /* send back what comes */
    int closes_on_made; /* loop_transport_close in connection_made */
    size_t length;
    char data[256];
    void (*on_made)(struct books *books);
};

static inline void books_made(loop_transport_t *transport, void *data) {
    struct books *books = data;
    books->made++;
    books->transport = transport;
    if (books->closes_on_made)
        CHECK_INT(loop_transport_close(transport), 0);
    if (books->on_made != NULL)
        books->on_made(books);
}

static inline void books_received(loop_transport_t *transport, const void *bytes, size_t length,
                                  void *data) {
    struct books *books = data;
    if (books->echoes)
        CHECK_INT(loop_transport_write(transport, bytes, length), 0);
    for (size_t i = 0; i < length && books->length < sizeof books->data - 1; i++)
        books->data[books->length++] = ((const char *)bytes)[i];
}

static inline int books_eof(loop_transport_t *transport, void *data) {
    (void)transport;
    ((struct books *)data)->eof++;
    return 0;
}

static inline void books_lost(loop_transport_t *transport, int code, const char *message,
                              void *data) {
    struct books *books = data;
    (void)transport, (void)message;
    books->lost++;
    books->lost_code = code;
    books->transport = NULL;
}

static inline void books_destroy(void *data) {
    ((struct books *)data)->destroyed++;
}

static const loop_protocol_t books_protocol = {
    .size = sizeof(loop_protocol_t),
    .connection_made = books_made,
    .data_received = books_received,
    .eof_received = books_eof,
    .connection_lost = books_lost,
};

/* A server's connections: each gets the next of the books. */
struct shelf {
    struct books books[64];
    int used, destroyed, fails;
    void (*on_factory)(struct shelf *shelf, loop_t *loop);
    loop_server_t *server;
};

static inline int shelf_factory(loop_t *loop, void *data, const loop_protocol_t **protocol,
                                void **user_data, loop_destroy_t *destroy) {
    struct shelf *shelf = data;
    if (shelf->on_factory != NULL)
        shelf->on_factory(shelf, loop);
    if (shelf->fails > 0) {
        shelf->fails--;
        return -EACCES;
    }
    CHECK(shelf->used < 64);
    struct books *books = &shelf->books[shelf->used++];
    books->loop = loop;
    *protocol = &books_protocol;
    *user_data = books;
    *destroy = books_destroy;
    return 0;
}

static inline void shelf_destroy(void *data) {
    ((struct shelf *)data)->destroyed++;
}

static inline int shelf_lost(const struct shelf *shelf) {
    int lost = 0;
    for (int i = 0; i < shelf->used; i++)
        lost += shelf->books[i].lost;
    return lost;
}

static inline int shelf_made(const struct shelf *shelf) {
    int made = 0;
    for (int i = 0; i < shelf->used; i++)
        made += shelf->books[i].made;
    return made;
}

static inline loop_server_options_t server_options(const char *host) {
    loop_server_options_t options = {.size = sizeof options, .host = host};
    return options;
}

/* A server with a reference of the caller's. */
static inline loop_server_t *served(loop_t *loop, const loop_server_options_t *options,
                                    struct shelf *shelf) {
    loop_future_t *future = NULL;
    CHECK_INT(loop_create_server(loop, options, shelf_factory, shelf, shelf_destroy, &future), 0);
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    void *server = NULL;
    CHECK_INT(loop_future_result(future, &server), 0);
    loop_server_ref(server);
    loop_future_unref(future);
    shelf->server = server;
    return server;
}

/* A server on 127.0.0.1 with a port of the system's choice. */
static inline loop_server_t *serve(loop_t *loop, struct shelf *shelf) {
    loop_server_options_t options = server_options("127.0.0.1");
    return served(loop, &options, shelf);
}

static inline unsigned short port_of_address(const struct sockaddr_storage *address) {
    return ntohs(address->ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)address)->sin6_port
                     : ((const struct sockaddr_in *)address)->sin_port);
}

static inline unsigned short server_port(loop_server_t *server, size_t index) {
    struct sockaddr_storage address;
    CHECK(loop_server_get_address(server, index, &address, sizeof address) > 0);
    return port_of_address(&address);
}

static inline struct sockaddr_in loopback(unsigned short port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* A blocking client; loopback connects without the server's help. */
static inline int dial(unsigned short port) {
    struct sockaddr_in address = loopback(port);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(client >= 0);
    CHECK_INT(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    return client;
}

/* A listening socket outside any loop, and its port. */
static inline int listening(int backlog, unsigned short *port) {
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&address, length), 0);
    CHECK_INT(listen(fd, backlog), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* A port on which nobody listens. */
static inline unsigned short free_port(void) {
    unsigned short port;
    close(listening(1, &port));
    return port;
}

/* Is there something to read (or the end) within a second? */
static inline int readable(int fd) {
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    return poll(&poller, 1, 1000) == 1;
}

/* Reports of the exception handler. */
struct reports {
    int count, code;
    char message[128];
};

static inline void note_report(loop_t *loop, const loop_exception_context_t *context, void *data) {
    struct reports *reports = data;
    (void)loop;
    reports->count++;
    reports->code = context->code;
    snprintf(reports->message, sizeof reports->message, "%s", context->message);
}

#endif
