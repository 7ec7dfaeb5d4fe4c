/* Layers whose functions, and whose protocol's, do anything in any order. */
#include "transport.h"

enum where { L_WRITE, L_CLOSE, L_ABORT, L_MADE, L_DATA, L_BUFFER, L_UPDATED, L_EOF, L_FLOW,
             L_LOST, L_DESTROY, L_DESTROY_LAYER, WHERES };
enum what { W_NOTHING, W_LOSE, W_LOSE_TWICE, W_CLOSE, W_ABORT, W_DATA, W_WRITE, W_REPLACE,
            W_UNREF, W_STOP, W_EVERYTHING, WHATS };

struct stack {
    loop_t *loop;
    loop_transport_t *transport; /* with a reference */
    enum where where;
    enum what what;
    int done, lost, layers_destroyed, protocols, destroyed;
    char room[16];
};

static const loop_protocol_t upper, upper_buffered;

static void layer_gone(void *data) {
    struct stack *stack = data;
    CHECK_INT(stack->layers_destroyed++, 0);
}

static void upper_gone(void *data) {
    struct stack *stack = data;
    stack->destroyed++;
    CHECK(stack->destroyed <= stack->protocols);
}

static void do_what(struct stack *stack, enum what what) {
    loop_transport_t *transport = stack->transport;
    switch (what) {
    case W_NOTHING: case WHATS: break;
    case W_LOSE: CHECK_INT(loop_layer_connection_lost(transport, -EPROTO, "no"), 0); break;
    case W_LOSE_TWICE: do_what(stack, W_LOSE), do_what(stack, W_LOSE); break;
    case W_CLOSE: CHECK(loop_transport_close(transport) <= 0); break;
    case W_ABORT: CHECK(loop_transport_abort(transport) <= 0); break;
    case W_DATA: CHECK_INT(loop_layer_data_received(transport, "0123456789abcdefghij", 20), 0); break;
    case W_WRITE: CHECK_INT(loop_transport_write(transport, "x", 1), 0); break;
    case W_REPLACE: {
        stack->protocols++;
        int result = loop_transport_set_protocol(transport, &upper, stack, upper_gone);
        CHECK(result == 0 || result == LOOP_EINVALID_STATE);
        break;
    }
    case W_UNREF:
        stack->transport = NULL;
        loop_transport_unref(transport);
        break;
    case W_STOP: CHECK_INT(loop_stop(stack->loop), 0); break;
    case W_EVERYTHING:
        for (enum what one = W_CLOSE; one < W_UNREF; one++)
            do_what(stack, one);
        do_what(stack, W_LOSE), do_what(stack, W_WRITE), do_what(stack, W_DATA);
        do_what(stack, W_UNREF);
    }
}

static void at(void *data, enum where where) {
    struct stack *stack = data;
    if (where == stack->where && !stack->done++)
        do_what(stack, stack->what);
}

static void alive_at(void *data, enum where where) {
    struct stack *stack = data;
    CHECK_INT(stack->lost, 0);
    CHECK(stack->destroyed < stack->protocols);
    at(data, where);
}

static int lower_write(loop_transport_t *transport, const loop_iovec_t *pieces, size_t count,
                       void *data) {
    (void)transport, (void)pieces, (void)count;
    CHECK_INT(((struct stack *)data)->layers_destroyed, 0);
    at(data, L_WRITE);
    return 0;
}

static int lower_close(loop_transport_t *transport, void *data) {
    (void)transport;
    CHECK_INT(((struct stack *)data)->layers_destroyed, 0);
    at(data, L_CLOSE);
    return 0;
}

static int lower_abort(loop_transport_t *transport, int code, const char *message, void *data) {
    (void)transport, (void)code, (void)message;
    CHECK_INT(((struct stack *)data)->layers_destroyed, 0);
    at(data, L_ABORT);
    return 0;
}

static void upper_made(loop_transport_t *transport, void *data) {
    (void)transport;
    alive_at(data, L_MADE);
}

static void upper_data(loop_transport_t *transport, const void *bytes, size_t length, void *data) {
    (void)transport, (void)bytes;
    CHECK(length > 0);
    alive_at(data, L_DATA);
}

static int upper_buffer(loop_transport_t *transport, size_t hint, void **ret_buffer,
                        size_t *ret_length, void *data) {
    struct stack *stack = data;
    (void)transport, (void)hint;
    *ret_buffer = stack->room;
    *ret_length = 3;
    alive_at(data, L_BUFFER);
    return 0;
}

static void upper_updated(loop_transport_t *transport, size_t length, void *data) {
    (void)transport, (void)length;
    CHECK(((struct stack *)data)->destroyed < ((struct stack *)data)->protocols);
    at(data, L_UPDATED);
}

static int upper_eof(loop_transport_t *transport, void *data) {
    (void)transport;
    alive_at(data, L_EOF);
    return 1;
}

static void upper_flow(loop_transport_t *transport, void *data) {
    (void)transport;
    alive_at(data, L_FLOW);
}

static void upper_lost(loop_transport_t *transport, int code, const char *message, void *data) {
    struct stack *stack = data;
    (void)transport, (void)code, (void)message;
    CHECK_INT(stack->lost++, 0);
    at(data, L_LOST);
}

static void layer_gone_at(void *data) {
    layer_gone(data);
    at(data, L_DESTROY_LAYER);
}

static void upper_gone_at(void *data) {
    upper_gone(data);
    at(data, L_DESTROY);
}

static const loop_layer_t lower = {.size = sizeof lower, .write = lower_write,
                                   .close = lower_close, .abort = lower_abort};

static const loop_protocol_t upper = {
    .size = sizeof upper, .connection_made = upper_made, .data_received = upper_data,
    .eof_received = upper_eof, .pause_writing = upper_flow, .resume_writing = upper_flow,
    .connection_lost = upper_lost,
};

static const loop_protocol_t upper_buffered = {
    .size = sizeof upper, .connection_made = upper_made, .get_buffer = upper_buffer,
    .buffer_updated = upper_updated, .eof_received = upper_eof, .pause_writing = upper_flow,
    .resume_writing = upper_flow, .connection_lost = upper_lost,
};

static void live_as_layer(void *data) {
    struct stack *stack = data;
    loop_transport_t *transport = loop_transport_ref(stack->transport);
    CHECK_INT(loop_layer_connection_made(transport), 0);
    CHECK_INT(loop_transport_write(transport, "x", 1), 0);
    CHECK_INT(loop_layer_data_received(transport, "0123456789", 10), 0);
    CHECK_INT(loop_layer_pause_writing(transport), 0);
    CHECK_INT(loop_layer_resume_writing(transport), 0);
    CHECK(loop_layer_eof_received(transport) >= 0);
    CHECK_INT(loop_transport_close(transport), 0);
    CHECK_INT(loop_transport_abort(transport), 0);
    CHECK_INT(loop_layer_connection_lost(transport, 0, NULL), 0);
    CHECK_INT(loop_layer_connection_lost(transport, 0, NULL), 0);
    loop_transport_unref(transport);
}

TEST(break_layers_anything_in_any_function_ends_once) {
    for (enum where where = 0; where < WHERES; where++)
        for (enum what what = 0; what < WHATS; what++) {
            int buffers = where == L_BUFFER || where == L_UPDATED;
            struct stack stack = {.where = where, .what = what, .protocols = 1};
            stack.loop = loop_new();
            CHECK_INT(loop_transport_new_layer(stack.loop, &lower, &stack, layer_gone_at,
                                               buffers ? &upper_buffered : &upper, &stack,
                                               upper_gone_at, &stack.transport), 0);
            CHECK_INT(loop_call_soon(stack.loop, live_as_layer, &stack, NULL, NULL), 0);
            settle(stack.loop);
            settle(stack.loop);
            CHECK_INT(stack.done > 0, 1);
            CHECK_INT(stack.lost, 1);
            CHECK_INT(stack.destroyed, stack.protocols);
            CHECK_INT(stack.layers_destroyed, 1);
            loop_transport_unref(stack.transport);
            loop_unref(stack.loop);
        }
}
