/* Layers: a transport of the host's, which turns letters around (rot13). */
#include "transport.h"

struct rot13 {
    loop_t *loop;
    loop_transport_t *lower, *upper; /* borrowed */
    int references, code, freed_layers;
    size_t high, low;
};

static void turn(const char *from, char *to, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char base = from[i] >= 'a' && from[i] <= 'z' ? 'a' : from[i] >= 'A' && from[i] <= 'Z' ? 'A' : 0;
        to[i] = (char)(base ? base + (from[i] - base + 13) % 26 : from[i]);
    }
}

/* As the protocol of the lower transport. */
static void lower_made(loop_transport_t *transport, void *data) {
    struct rot13 *self = data;
    self->lower = transport;
    CHECK_INT(loop_layer_connection_made(self->upper), 0);
}

static void lower_data(loop_transport_t *transport, const void *bytes, size_t length, void *data) {
    struct rot13 *self = data;
    char turned[64];
    (void)transport;
    CHECK(length <= sizeof turned);
    turn(bytes, turned, length);
    CHECK_INT(loop_layer_data_received(self->upper, turned, length), 0);
}

static int lower_eof(loop_transport_t *transport, void *data) {
    (void)transport;
    return loop_layer_eof_received(((struct rot13 *)data)->upper);
}

static void lower_pause(loop_transport_t *transport, void *data) {
    (void)transport;
    CHECK_INT(loop_layer_pause_writing(((struct rot13 *)data)->upper), 0);
}

static void lower_resume(loop_transport_t *transport, void *data) {
    (void)transport;
    CHECK_INT(loop_layer_resume_writing(((struct rot13 *)data)->upper), 0);
}

static void lower_lost(loop_transport_t *transport, int code, const char *message, void *data) {
    struct rot13 *self = data;
    loop_transport_t *upper = self->upper;
    (void)transport;
    CHECK_INT(loop_layer_connection_lost(upper, code, message), 0);
    CHECK_INT(self->freed_layers, 1);
}

static const loop_protocol_t lower_protocol = {
    .size = sizeof lower_protocol,
    .connection_made = lower_made,
    .data_received = lower_data,
    .eof_received = lower_eof,
    .pause_writing = lower_pause,
    .resume_writing = lower_resume,
    .connection_lost = lower_lost,
};

/* As the layer of the upper one. */
static int upper_write(loop_transport_t *transport, const loop_iovec_t *pieces, size_t number,
                       void *data) {
    struct rot13 *self = data;
    char turned[64];
    (void)transport;
    for (size_t i = 0; i < number; i++) {
        if (pieces[i].length > sizeof turned)
            return -EMSGSIZE;
        turn(pieces[i].base, turned, pieces[i].length);
        int result = loop_transport_write(self->lower, turned, pieces[i].length);
        if (result < 0)
            return result;
    }
    return 0;
}

static int upper_eof(loop_transport_t *transport, void *data) {
    (void)transport;
    return loop_transport_write_eof(((struct rot13 *)data)->lower);
}

static int upper_close(loop_transport_t *transport, void *data) {
    (void)transport;
    return loop_transport_close(((struct rot13 *)data)->lower);
}

static int upper_abort(loop_transport_t *transport, int code, const char *message, void *data) {
    struct rot13 *self = data;
    (void)transport;
    return code == 0 ? loop_transport_abort(self->lower)
                     : loop_transport_fail(self->lower, code, message);
}

static int upper_pause(loop_transport_t *transport, void *data) {
    (void)transport;
    return loop_transport_pause_reading(((struct rot13 *)data)->lower);
}

static int upper_resume(loop_transport_t *transport, void *data) {
    (void)transport;
    return loop_transport_resume_reading(((struct rot13 *)data)->lower);
}

static int upper_is_reading(loop_transport_t *transport, void *data) {
    (void)transport;
    return loop_transport_is_reading(((struct rot13 *)data)->lower);
}

static int upper_limits(loop_transport_t *transport, size_t high, size_t low, void *data) {
    struct rot13 *self = data;
    (void)transport;
    self->high = high, self->low = low;
    return 0;
}

static int upper_buffer(loop_transport_t *transport, size_t *size, size_t *high, size_t *low,
                        void *data) {
    struct rot13 *self = data;
    (void)transport;
    *high = self->high, *low = self->low;
    return loop_transport_get_write_buffer_size(self->lower, size);
}

static int upper_info(loop_transport_t *transport, const char *name, void **value, void *data) {
    struct rot13 *self = data;
    (void)transport;
    if (strcmp(name, "cipher") != 0)
        return loop_transport_get_extra_info(self->lower, name, value);
    *value = (void *)"rot13";
    return 0;
}

static const loop_layer_t rot13_layer = {
    .size = sizeof rot13_layer,
    .write = upper_write,
    .write_eof = upper_eof,
    .close = upper_close,
    .abort = upper_abort,
    .pause_reading = upper_pause,
    .resume_reading = upper_resume,
    .is_reading = upper_is_reading,
    .set_write_buffer_limits = upper_limits,
    .get_write_buffer = upper_buffer,
    .get_extra_info = upper_info,
};

static void layer_freed(void *data) {
    ((struct rot13 *)data)->freed_layers++;
    ((struct rot13 *)data)->references--;
}

static void lower_freed(void *data) {
    ((struct rot13 *)data)->references--;
}

/* A layer with `peer` above it, on a socket pair whose other end is returned. */
static int stack(struct rot13 *self, struct peer *peer, loop_t *loop) {
    int pair[2];
    *self = (struct rot13){.loop = loop, .references = 2};
    peer->loop = loop;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(loop_transport_new_layer(loop, &rot13_layer, self, layer_freed, &peer_protocol, peer,
                                       peer_destroy, &self->upper), 0);
    loop_transport_unref(self->upper);
    CHECK_INT(loop_connect_accepted_socket(loop, pair[0], &lower_protocol, self, lower_freed, NULL),
              0);
    settle(loop);
    return pair[1];
}

TEST(transport_layer_stands_between_a_protocol_and_a_lower_transport) {
    loop_t *loop = loop_new();
    struct rot13 layer;
    char bytes[16] = {0}, turned[16] = {0};
    struct peer peer = {.bytes = bytes, .room = sizeof bytes, .keeps_open = 1};
    int other = stack(&layer, &peer, loop);
    size_t size = 1, high = 0, low = 0;
    void *value = NULL;
    loop_transport_t *upper = peer.transport;
    CHECK(upper == layer.upper);
    CHECK(loop_transport_get_loop(upper) == loop);
    CHECK(loop_transport_get_protocol(upper) == &peer);
    CHECK_INT(loop_transport_writev(upper, (loop_iovec_t[]){{"Hel", 3}, {"lo", 2}}, 2), 0);
    CHECK_INT(read(other, turned, sizeof turned), 5);
    CHECK_STR(turned, "Uryyb");
    CHECK_INT(write(other, "Uryyb", 5), 5);
    settle(loop);
    CHECK_STR(bytes, "Hello");
    CHECK_INT(loop_transport_is_reading(upper), 1);
    CHECK_INT(loop_transport_pause_reading(upper), 0);
    CHECK_INT(loop_transport_is_reading(layer.lower), 0);
    CHECK_INT(loop_transport_is_reading(upper), 0);
    CHECK_INT(loop_transport_resume_reading(upper), 0);
    CHECK_INT(loop_transport_set_write_buffer_limits(upper, 7, 3), 0);
    CHECK_INT(loop_transport_get_write_buffer_limits(upper, &high, &low), 0);
    CHECK(high == 7 && low == 3);
    CHECK_INT(loop_transport_get_write_buffer_size(upper, &size), 0);
    CHECK_INT(size, 0);
    CHECK_INT(loop_transport_get_extra_info(upper, "cipher", &value), 0);
    CHECK_STR(value, "rot13");
    CHECK_INT(loop_transport_get_extra_info(upper, "nothing", &value), LOOP_EINVAL);
    CHECK_INT(loop_transport_get_fd(upper), LOOP_ENOTSUP);
    char large[100] = {0};
    CHECK_INT(loop_transport_write(upper, large, sizeof large), -EMSGSIZE);
    CHECK_STR(loop_last_error(), loop_strerror(-EMSGSIZE));
    CHECK_INT(loop_transport_can_write_eof(upper), 1);
    CHECK_INT(loop_transport_write_eof(upper), 0);
    CHECK_INT(read(other, turned, sizeof turned), 0);
    CHECK_INT(shutdown(other, SHUT_WR), 0);
    settle(loop);
    CHECK_STR(peer.log.text, "mde");
    loop_transport_ref(upper);
    CHECK_INT(loop_transport_close(upper), 0);
    CHECK_INT(loop_transport_close(upper), 0);
    CHECK_INT(loop_transport_is_closing(upper), 1);
    CHECK_STR(peer.log.text, "mde");
    settle(loop);
    CHECK_STR(peer.log.text, "mdelD");
    CHECK_INT(layer.references, 0);
    /* What is left answers for itself. */
    CHECK_INT(loop_transport_write(upper, "x", 1), 0);
    CHECK_INT(loop_transport_is_closing(upper), 1);
    CHECK_INT(loop_transport_is_reading(upper), 0);
    CHECK_INT(loop_layer_data_received(upper, "x", 1), 0);
    CHECK_INT(loop_layer_connection_lost(upper, 0, NULL), 0);
    CHECK_STR(peer.log.text, "mdelD");
    loop_transport_unref(upper);
    close(other);
    loop_unref(loop);
}

TEST(transport_layer_hands_on_reasons_and_aborts) {
    loop_t *loop = loop_new();
    for (int i = 0; i < 2; i++) {
        struct rot13 layer;
        struct peer peer = {0};
        int other = stack(&layer, &peer, loop);
        if (i == 0)
            CHECK_INT(loop_transport_fail(peer.transport, -EPROTO, "bad"), 0);
        else
            CHECK_INT(loop_transport_abort(peer.transport), 0);
        settle(loop);
        CHECK_STR(peer.log.text, "mlD");
        CHECK_INT(peer.code, i == 0 ? -EPROTO : 0);
        CHECK_STR(peer.message, i == 0 ? "bad" : "");
        CHECK_INT(layer.references, 0);
        close(other);
    }
    loop_unref(loop);
}

TEST(transport_layer_ends_with_its_loop_and_with_a_failed_call) {
    loop_t *loop = loop_new(), *closed = loop_new();
    struct rot13 layer;
    struct peer peer = {0};
    int other = stack(&layer, &peer, loop), failed = 0;
    CHECK_INT(loop_close(closed), 0);
    loop_transport_t *made = NULL;
    const loop_layer_t wrong = {.size = 1};
#define REFUSED(loop, layer, protocol) \
    loop_transport_new_layer(loop, layer, &failed, count, protocol, &failed, count, &made)
    CHECK_INT(REFUSED(NULL, &rot13_layer, &peer_protocol), LOOP_EINVAL);
    CHECK_INT(REFUSED(loop, NULL, &peer_protocol), LOOP_EINVAL);
    CHECK_INT(REFUSED(loop, &rot13_layer, NULL), LOOP_EINVAL);
    CHECK_INT(REFUSED(loop, &wrong, &peer_protocol), LOOP_EINVAL);
    CHECK_INT(REFUSED(closed, &rot13_layer, &peer_protocol), LOOP_ECLOSED);
    CHECK_INT(failed, 10);
    CHECK_INT(loop_layer_connection_made(layer.lower), LOOP_ENOTSUP);
    CHECK_INT(loop_layer_connection_made(NULL), LOOP_EINVAL);
    loop_transport_t *kept = loop_transport_ref(layer.upper);
    CHECK_INT(loop_close(loop), 0);
    CHECK_STR(peer.log.text, "mD");
    CHECK_INT(layer.references, 0);
    CHECK_INT(loop_transport_write(kept, "x", 1), LOOP_ECLOSED);
    CHECK_INT(loop_layer_eof_received(kept), LOOP_ECLOSED);
    loop_transport_unref(kept);
    close(other);
    loop_unref(loop);
    loop_unref(closed);
}

static char place[3];
static char collected[16];
static size_t collected_length;

static int three_bytes(loop_transport_t *transport, size_t hint, void **buffer, size_t *size,
                       void *data) {
    (void)transport, (void)hint, (void)data;
    *buffer = place;
    *size = collected_length < 6 ? sizeof place : 0;
    return 0;
}

static void collect(loop_transport_t *transport, size_t length, void *data) {
    (void)transport, (void)data;
    memcpy(collected + collected_length, place, length);
    collected_length += length;
}

TEST(transport_layer_feeds_protocols_that_have_their_own_buffer) {
    loop_t *loop = loop_new();
    loop_transport_t *upper;
    int destroyed = 0;
    const loop_layer_t layer = {.size = sizeof layer};
    const loop_protocol_t protocol = {
        .size = sizeof protocol, .get_buffer = three_bytes, .buffer_updated = collect};
    CHECK_INT(loop_transport_new_layer(loop, &layer, NULL, NULL, &protocol, &destroyed, count,
                                       &upper), 0);
    CHECK_INT(loop_layer_data_received(upper, "abcde", 5), 0);
    CHECK_STR(collected, "abcde");
    CHECK_INT(loop_layer_data_received(upper, "fghi", 4), LOOP_EINVAL);
    CHECK_STR(collected, "abcdefgh");
    CHECK_INT(loop_transport_write(upper, "x", 1), LOOP_ENOTSUP);
    CHECK_INT(loop_transport_close(upper), LOOP_ENOTSUP);
    CHECK_INT(loop_layer_connection_lost(upper, 0, NULL), 0);
    CHECK_INT(destroyed, 1);
    loop_transport_unref(upper);
    loop_unref(loop);
}
