/* Stream transports against hosts that do the worst thing at the worst moment:
 * each callback tries each action, and whatever happens the protocol hears of the
 * end once, is destroyed once and hears nothing afterwards. */
#include "transport.h"
#include <fcntl.h>
#include <sys/mman.h>

enum place { MADE, DATA, GET_BUFFER, UPDATED, ENDED, PAUSE, RESUME, LOST, DESTROY, SENT, PLACES };
enum action {
    NOTHING, CLOSE, ABORT, FAIL, WRITE, WRITE_MUCH, WRITE_OWNED, WRITE_EOF, PAUSE_READING,
    RESUME_READING, SET_PROTOCOL, SET_SAME_TWICE, LIMITS_ZERO, SENDFILE, CANCELLED_SENDFILE,
    STOP, UNREF, ANOTHER, ALL, ACTIONS
};

/* One transport with its protocol's books. */
struct subject {
    loop_t *loop;
    loop_transport_t *transport; /* with a reference */
    enum place place;
    enum action action;
    int acted, lost, destroyed, protocols, owners, owners_ended, others;
    char room[4096];
};

static char much[1 << 20];
static int file_fd;

static void act(struct subject *subject, enum place place);

static void alive(struct subject *subject) {
    CHECK_INT(subject->lost, 0);
    CHECK(subject->destroyed < subject->protocols);
}

static void on_made(loop_transport_t *transport, void *data) {
    struct subject *subject = data;
    alive(subject);
    CHECK(transport == subject->transport || subject->transport == NULL);
    act(subject, MADE);
}

static void on_data(loop_transport_t *transport, const void *bytes, size_t length, void *data) {
    (void)transport, (void)bytes;
    CHECK(length > 0);
    alive(data);
    act(data, DATA);
}

static int on_get_buffer(loop_transport_t *transport, size_t hint, void **ret_buffer,
                         size_t *ret_length, void *data) {
    struct subject *subject = data;
    (void)transport, (void)hint;
    alive(subject);
    *ret_buffer = subject->room;
    *ret_length = sizeof subject->room;
    act(subject, GET_BUFFER);
    return 0;
}

static void on_updated(loop_transport_t *transport, size_t length, void *data) {
    (void)transport;
    CHECK(length > 0 && length <= 4096);
    alive(data);
    act(data, UPDATED);
}

static int on_eof(loop_transport_t *transport, void *data) {
    (void)transport;
    alive(data);
    act(data, ENDED);
    return ((struct subject *)data)->action % 2;
}

static void on_pause(loop_transport_t *transport, void *data) {
    (void)transport;
    alive(data);
    act(data, PAUSE);
}

static void on_resume(loop_transport_t *transport, void *data) {
    (void)transport;
    alive(data);
    act(data, RESUME);
}

static void on_lost(loop_transport_t *transport, int code, const char *message, void *data) {
    struct subject *subject = data;
    (void)transport;
    alive(subject);
    CHECK((code != 0) == (message != NULL) || code < 0);
    subject->lost++;
    act(subject, LOST);
}

static void on_destroy(void *data) {
    struct subject *subject = data;
    subject->destroyed++;
    CHECK(subject->destroyed <= subject->protocols);
    act(subject, DESTROY);
}

static void on_sent(void *data) {
    struct subject *subject = data;
    subject->owners_ended++;
    act(subject, SENT);
}

static const loop_protocol_t plain = {
    .size = sizeof plain, .connection_made = on_made, .data_received = on_data,
    .eof_received = on_eof, .pause_writing = on_pause, .resume_writing = on_resume,
    .connection_lost = on_lost,
};

static const loop_protocol_t buffered = {
    .size = sizeof buffered, .connection_made = on_made, .get_buffer = on_get_buffer,
    .buffer_updated = on_updated, .eof_received = on_eof, .pause_writing = on_pause,
    .resume_writing = on_resume, .connection_lost = on_lost,
};

static void replace(struct subject *subject, const loop_protocol_t *protocol) {
    subject->protocols++;
    int result = loop_transport_set_protocol(subject->transport, protocol, subject, on_destroy);
    CHECK(result == 0 || result == LOOP_EINVALID_STATE);
}

static void owned(struct subject *subject) {
    subject->owners++;
    int result = loop_transport_write_owned(subject->transport, much, sizeof much, subject,
                                            on_sent);
    CHECK(result == 0 || result == LOOP_EINVALID_STATE);
}

static void send_file(struct subject *subject, int cancels) {
    loop_future_t *future = NULL;
    int result = loop_transport_sendfile(subject->transport, file_fd, 0, -1, &future);
    CHECK(result == 0 || result == LOOP_EINVALID_STATE);
    if (result != 0)
        return;
    if (cancels)
        CHECK_INT(loop_future_cancel(future, NULL), 1);
    loop_future_add_done_callback(future, NULL, NULL, NULL);
    loop_future_unref(future);
}

static void ignore_report(loop_t *loop, const loop_exception_context_t *context, void *data) {
    (void)loop, (void)context, (void)data;
}

/* Does it once, however often it gets here. */
static void do_it(struct subject *subject, enum action action) {
    loop_transport_t *transport = subject->transport;
    switch (action) {
    case NOTHING: case ACTIONS: break;
    case CLOSE: CHECK_INT(loop_transport_close(transport), 0); break;
    case ABORT: CHECK_INT(loop_transport_abort(transport), 0); break;
    case FAIL: CHECK_INT(loop_transport_fail(transport, -EPROTO, "no"), 0); break;
    case WRITE: (void)loop_transport_write(transport, "x", 1); break;
    case WRITE_MUCH: (void)loop_transport_write(transport, much, sizeof much); break;
    case WRITE_OWNED: owned(subject); break;
    case WRITE_EOF: (void)loop_transport_write_eof(transport); break;
    case PAUSE_READING: CHECK_INT(loop_transport_pause_reading(transport), 0); break;
    case RESUME_READING: CHECK_INT(loop_transport_resume_reading(transport), 0); break;
    case SET_PROTOCOL: replace(subject, &buffered); break;
    case SET_SAME_TWICE: replace(subject, &plain), replace(subject, &plain); break;
    case LIMITS_ZERO:
        CHECK_INT(loop_transport_set_write_buffer_limits(transport, 0, 0), 0);
        break;
    case SENDFILE: send_file(subject, 0); break;
    case CANCELLED_SENDFILE: send_file(subject, 1); break;
    case STOP: CHECK_INT(loop_stop(subject->loop), 0); break;
    case UNREF:
        subject->transport = NULL;
        loop_transport_unref(transport);
        break;
    case ANOTHER: {
        int pair[2];
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        CHECK_INT(loop_connect_accepted_socket(subject->loop, pair[0], &peer_protocol,
                                               calloc(1, sizeof(struct peer)), free, NULL), 0);
        close(pair[1]);
        break;
    }
    case ALL:
        do_it(subject, SET_SAME_TWICE), do_it(subject, SENDFILE), do_it(subject, WRITE_EOF);
        do_it(subject, PAUSE_READING), do_it(subject, CLOSE), do_it(subject, WRITE_OWNED);
        do_it(subject, ABORT), do_it(subject, UNREF);
    }
}

static void act(struct subject *subject, enum place place) {
    if (place == subject->place && !subject->acted++)
        do_it(subject, subject->action);
}

static void drain(int fd) {
    while (read(fd, much, sizeof much) > 0) {
    }
}

/* A life in which every function is called, unless the action forbids it. */
static void live(enum place place, enum action action) {
    int pair[2], before = open_fds();
    loop_t *loop = loop_new();
    struct subject subject = {.loop = loop, .place = place, .action = action, .protocols = 1};
    CHECK_INT(loop_set_exception_handler(loop, ignore_report, NULL, NULL), 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(loop_connect_accepted_socket(
                  loop, pair[0], place == GET_BUFFER || place == UPDATED ? &buffered : &plain,
                  &subject, on_destroy, &subject.transport), 0);
    settle(loop);
    (void)send(pair[1], "hello", 5, MSG_NOSIGNAL);
    settle(loop);
    if (subject.transport != NULL && subject.lost == 0) {
        (void)loop_transport_resume_reading(subject.transport);
        (void)loop_transport_write(subject.transport, much, sizeof much);
        if (place == SENT && subject.transport != NULL)
            owned(&subject);
    }
    for (int turn = 0; turn < 6; turn++) {
        settle(loop);
        drain(pair[1]);
    }
    CHECK_INT(shutdown(pair[1], SHUT_WR), 0);
    settle(loop);
    if (subject.transport != NULL) {
        (void)loop_transport_resume_reading(subject.transport);
        settle(loop);
        (void)loop_transport_close(subject.transport);
    }
    for (int turn = 0; turn < 6; turn++) {
        settle(loop);
        drain(pair[1]);
    }
    close(pair[1]);
    settle(loop);
    if (place != LOST || action != NOTHING)
        CHECK(subject.acted > 0);
    CHECK_INT(subject.lost, 1);
    CHECK_INT(subject.destroyed, subject.protocols);
    CHECK_INT(subject.owners_ended, subject.owners);
    loop_transport_unref(subject.transport);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
    CHECK_INT(open_fds(), before);
}

static void open_file(void) {
    char path[] = "/tmp/coloop-break-XXXXXX";
    file_fd = mkstemp(path);
    CHECK(file_fd >= 0);
    unlink(path);
    CHECK_INT(write(file_fd, much, 300000), 300000);
}

static void live_all(enum place place) {
    open_file();
    for (enum action action = NOTHING; action < ACTIONS; action++)
        live(place, action);
    close(file_fd);
}

TEST(break_streams_anything_in_connection_made) { live_all(MADE); }
TEST(break_streams_anything_in_data_received) { live_all(DATA); }
TEST(break_streams_anything_in_get_buffer) { live_all(GET_BUFFER); }
TEST(break_streams_anything_in_buffer_updated) { live_all(UPDATED); }
TEST(break_streams_anything_in_eof_received) { live_all(ENDED); }
TEST(break_streams_anything_in_pause_writing) { live_all(PAUSE); }
TEST(break_streams_anything_in_resume_writing) { live_all(RESUME); }
TEST(break_streams_anything_in_connection_lost) { live_all(LOST); }
TEST(break_streams_anything_in_a_protocols_destructor) { live_all(DESTROY); }
TEST(break_streams_anything_when_bytes_are_given_back) { live_all(SENT); }
