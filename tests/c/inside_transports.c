/* What transports call. */
#include "inside.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void act_transport(loop_transport_t *transport, void *self) {
    CHECK(transport != NULL);
    act(self);
}

static void act_data(loop_transport_t *transport, const void *data, size_t length, void *self) {
    (void)transport, (void)data;
    CHECK(length > 0);
    act(self);
}

static int act_eof(loop_transport_t *transport, void *self) {
    (void)transport;
    act(self);
    return 1;
}

static void act_lost(loop_transport_t *transport, int code, const char *message, void *self) {
    (void)transport, (void)message;
    CHECK(code <= 0);
    act(self);
}

static char room[64];

static int act_get_buffer(loop_transport_t *transport, size_t size_hint, void **ret_buffer,
                          size_t *ret_size, void *self) {
    (void)transport, (void)size_hint;
    *ret_buffer = room;
    *ret_size = sizeof room;
    act(self);
    return 0;
}

static int get_buffer(loop_transport_t *transport, size_t size_hint, void **ret_buffer,
                      size_t *ret_size, void *self) {
    (void)transport, (void)size_hint, (void)self;
    *ret_buffer = room;
    *ret_size = sizeof room;
    return 0;
}

static void act_updated(loop_transport_t *transport, size_t length, void *self) {
    act_data(transport, room, length, self);
}

/* A transport on one end of a socketpair; yields the other end. */
static int stream(struct inside *self, const loop_protocol_t *protocol) {
    int ends[2];
    loop_transport_t *transport;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    CHECK_INT(loop_connect_accepted_socket(self->loop, ends[0], protocol, given(self), gone, &transport), 0);
    kept_transport(self, transport);
    CHECK_INT(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    return kept_fd(self, ends[1]);
}

static void connection_made(struct inside *self) {
    stream(self, &(loop_protocol_t){.size = sizeof(loop_protocol_t), .connection_made = act_transport});
}
INSIDE(connection_made)

static void data_received(struct inside *self) {
    int fd = stream(self, &(loop_protocol_t){.size = sizeof(loop_protocol_t), .data_received = act_data});
    CHECK_INT(write(fd, "hello", 5), 5);
}
INSIDE(data_received)

static void a_buffer_that_is_asked_for(struct inside *self) {
    int fd = stream(self, &(loop_protocol_t){.size = sizeof(loop_protocol_t), .get_buffer = act_get_buffer});
    CHECK_INT(write(fd, "hello", 5), 5);
}
INSIDE(a_buffer_that_is_asked_for)

static void a_buffer_that_was_filled(struct inside *self) {
    int fd = stream(self, &(loop_protocol_t){.size = sizeof(loop_protocol_t),
                                             .get_buffer = get_buffer,
                                             .buffer_updated = act_updated});
    CHECK_INT(write(fd, "hello", 5), 5);
}
INSIDE(a_buffer_that_was_filled)

static void eof_received(struct inside *self) {
    int fd = stream(self, &(loop_protocol_t){.size = sizeof(loop_protocol_t), .eof_received = act_eof});
    CHECK_INT(shutdown(fd, SHUT_WR), 0);
}
INSIDE(eof_received)

static void connection_lost(struct inside *self) {
    int fd = stream(self, &(loop_protocol_t){.size = sizeof(loop_protocol_t), .connection_lost = act_lost});
    CHECK_INT(shutdown(fd, SHUT_WR), 0);
}
INSIDE(connection_lost)

static void abort_transport(loop_transport_t *transport, void *self) {
    (void)self;
    CHECK_INT(loop_transport_abort(transport), 0);
}

static void connection_lost_after_abort(struct inside *self) {
    stream(self, &(loop_protocol_t){.size = sizeof(loop_protocol_t),
                                    .connection_made = abort_transport,
                                    .connection_lost = act_lost});
}
INSIDE(connection_lost_after_abort)

static char much[1 << 20];

static void write_much(loop_transport_t *transport, void *data) {
    struct inside *self = data;
    /* The protocol may have ended the loop in the middle of it. */
    int result = loop_transport_write(transport, much, sizeof much);
    CHECK(result == 0 || self->acted);
}

static void pause_writing(struct inside *self) {
    stream(self, &(loop_protocol_t){.size = sizeof(loop_protocol_t),
                                    .connection_made = write_much,
                                    .pause_writing = act_transport});
}
INSIDE(pause_writing)

static void read_all(void *data) {
    struct inside *self = data;
    empty(self->fds[0]);
}

static void resume_writing(struct inside *self) {
    int fd = stream(self, &(loop_protocol_t){.size = sizeof(loop_protocol_t),
                                             .connection_made = write_much,
                                             .resume_writing = act_transport});
    CHECK_INT(loop_add_reader(self->loop, fd, read_all, self, NULL), 0);
}
INSIDE(resume_writing)

static void act_and_be_gone(void *self) {
    act(self);
    gone(self);
}

static void the_destructor_of_a_protocol(struct inside *self) {
    int ends[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    kept_fd(self, ends[1]);
    loop_protocol_t protocol = {.size = sizeof protocol, .connection_made = abort_transport};
    CHECK_INT(loop_connect_accepted_socket(self->loop, ends[0], &protocol, given(self), act_and_be_gone, NULL), 0);
}
INSIDE(the_destructor_of_a_protocol)

static void a_read_pipe(struct inside *self) {
    int ends[2];
    loop_transport_t *transport;
    loop_protocol_t protocol = {.size = sizeof protocol, .data_received = act_data};
    make_pipe(ends);
    CHECK_INT(loop_connect_read_pipe(self->loop, ends[0], &protocol, given(self), gone, &transport), 0);
    kept_transport(self, transport);
    tell(kept_fd(self, ends[1]));
}
INSIDE(a_read_pipe)

static void a_write_pipe_without_a_reader(struct inside *self) {
    int ends[2];
    loop_transport_t *transport;
    loop_protocol_t protocol = {.size = sizeof protocol, .connection_lost = act_lost};
    make_pipe(ends);
    CHECK_INT(loop_connect_write_pipe(self->loop, ends[1], &protocol, given(self), gone, &transport), 0);
    kept_transport(self, transport);
    close(ends[0]);
}
INSIDE(a_write_pipe_without_a_reader)

static void act_when_done(loop_future_t *future, void *self) {
    (void)future;
    act(self);
}

static void send_itself(loop_transport_t *transport, void *data) {
    struct inside *self = data;
    int file = kept_fd(self, open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    loop_future_t *future;
    CHECK_INT(loop_transport_sendfile(transport, file, 0, 100, &future), 0);
    kept_future(self, future);
    CHECK_INT(loop_future_add_done_callback(future, act_when_done, given(self), gone), 0);
}

static void the_end_of_a_sendfile(struct inside *self) {
    stream(self, &(loop_protocol_t){.size = sizeof(loop_protocol_t), .connection_made = send_itself});
}
INSIDE(the_end_of_a_sendfile)
