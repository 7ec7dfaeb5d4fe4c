/* Random operations on transports, servers, datagram endpoints and programs, in
 * random order and from random callbacks. Whatever came before, at the end every
 * protocol was destroyed once, heard of its end at most once and of nothing after
 * it, and no descriptor is left. COLOOP_SEED repeats a run. */
#include "net.h"
#include "subprocess.h"
#include "transport.h"
#include <signal.h>
#include <time.h>

enum { TOYS = 12, BLOCK = 200000 };

/* A protocol's books, kept until the end. */
struct toy {
    struct toy *next;
    int made, lost, destroyed, is_server;
    loop_transport_t *transport; /* with a reference, or NULL */
    loop_process_t *process;
    loop_server_t *server;
    loop_future_t *future; /* what makes it */
    int raw;               /* the other end, or -1 */
    char room[512];
};

static loop_t *monkeys_loop;
static struct toy *all_toys, *toys[TOYS];
static char block[BLOCK];
static uint64_t state;
static int file, depth;
static char socket_path[64];

static unsigned roll(unsigned sides) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (unsigned)(state >> 33) % sides;
}

static void play(struct toy *toy);

/* In a callback of any of them: something, to any of them. */
static void misbehave(void) {
    if (depth >= 3 || roll(3) != 0)
        return;
    depth++;
    struct toy *toy = toys[roll(TOYS)];
    if (toy != NULL)
        play(toy);
    depth--;
}

static struct toy *heard(void *data) {
    struct toy *toy = data;
    CHECK_INT(toy->lost, 0);
    CHECK_INT(toy->destroyed, 0);
    return toy;
}

static void toy_made(loop_transport_t *transport, void *data) {
    struct toy *toy = heard(data);
    toy->made = 1;
    if (toy->transport == NULL)
        toy->transport = loop_transport_ref(transport);
    misbehave();
}

static void toy_data(loop_transport_t *transport, const void *bytes, size_t length, void *data) {
    (void)transport, (void)bytes;
    CHECK(length > 0);
    heard(data);
    misbehave();
}

static int toy_get_buffer(loop_transport_t *transport, size_t hint, void **ret_buffer,
                          size_t *ret_length, void *data) {
    struct toy *toy = heard(data);
    (void)transport, (void)hint;
    *ret_buffer = toy->room;
    *ret_length = roll(40) == 0 ? 0 : 1 + roll(sizeof toy->room);
    misbehave();
    return roll(40) == 0 ? -EPROTO : 0;
}

static void toy_updated(loop_transport_t *transport, size_t length, void *data) {
    (void)transport, (void)length;
    heard(data);
    misbehave();
}

static int toy_eof(loop_transport_t *transport, void *data) {
    (void)transport;
    heard(data);
    misbehave();
    return (int)roll(2);
}

static void toy_flow(loop_transport_t *transport, void *data) {
    (void)transport;
    heard(data);
    misbehave();
}

static void toy_lost(loop_transport_t *transport, int code, const char *message, void *data) {
    (void)transport, (void)code, (void)message;
    heard(data)->lost++;
    misbehave();
}

static void toy_received(loop_transport_t *transport, const void *bytes, size_t length,
                         const void *address, size_t address_length, void *data) {
    (void)transport, (void)bytes, (void)length, (void)address, (void)address_length;
    heard(data);
    misbehave();
}

static void toy_error(loop_transport_t *transport, int code, void *data) {
    (void)transport;
    CHECK(code < 0);
    heard(data);
    misbehave();
}

static void toy_program_made(loop_process_t *process, void *data) {
    (void)process;
    heard(data)->made = 1;
    misbehave();
}

static void toy_program_data(loop_process_t *process, int fd, const void *bytes, size_t count,
                             void *data) {
    (void)process, (void)fd, (void)bytes, (void)count;
    heard(data);
    misbehave();
}

static void toy_program_lost(loop_process_t *process, int code, const char *message, void *data) {
    (void)process, (void)code, (void)message;
    heard(data)->lost++;
    misbehave();
}

static void toy_destroyed(void *data) {
    CHECK_INT(((struct toy *)data)->destroyed++, 0);
    misbehave();
}

static const loop_protocol_t streams[2] = {
    {.size = sizeof(loop_protocol_t), .connection_made = toy_made, .data_received = toy_data,
     .eof_received = toy_eof, .pause_writing = toy_flow, .resume_writing = toy_flow,
     .connection_lost = toy_lost},
    {.size = sizeof(loop_protocol_t), .connection_made = toy_made,
     .get_buffer = toy_get_buffer, .buffer_updated = toy_updated, .eof_received = toy_eof,
     .pause_writing = toy_flow, .resume_writing = toy_flow, .connection_lost = toy_lost},
};

static const loop_datagram_protocol_t datagrams = {
    sizeof datagrams, toy_made, toy_received, toy_error, toy_flow, toy_flow, toy_lost,
};

static const loop_process_protocol_t programs = {
    .size = sizeof programs, .connection_made = toy_program_made,
    .pipe_data_received = toy_program_data, .connection_lost = toy_program_lost,
};

static struct toy *new_toy(void) {
    struct toy *toy = calloc(1, sizeof *toy);
    CHECK(toy != NULL);
    toy->raw = -1;
    toy->next = all_toys;
    return all_toys = toy;
}

static int monkey_factory(loop_t *loop, void *data, const loop_protocol_t **protocol,
                          void **user_data, loop_destroy_t *destroy) {
    (void)loop, (void)data;
    misbehave();
    if (roll(8) == 0)
        return -EACCES;
    *protocol = &streams[roll(2)];
    *user_data = new_toy();
    *destroy = toy_destroyed;
    return 0;
}

/* What the futures were for is taken when they are done, and not waited for. */
static void take_result(struct toy *toy) {
    void *result = NULL;
    if (toy->future == NULL || loop_future_done(toy->future) != 1)
        return;
    if (loop_future_result(toy->future, &result) == 0 && toy->is_server)
        toy->server = loop_server_ref(result);
    loop_future_unref(toy->future);
    toy->future = NULL;
}

static void make(struct toy **place) {
    struct toy *toy = *place = new_toy();
    const loop_protocol_t *protocol = &streams[roll(2)];
    int pair[2], result = 0;
    static const unsigned there[] = {0, 1, 2, 5}; /* on Windows: no pipes, no local sockets */
    switch (ON_WINDOWS ? there[roll(4)] : roll(8)) {
    case 0: case 1: case 2:
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        toy->raw = pair[1];
        result = loop_connect_accepted_socket(monkeys_loop, pair[0], protocol, toy, toy_destroyed,
                                              NULL);
        break;
    case 3: case 4: {
        int reads = (int)roll(2);
        CHECK_INT(pipe2(pair, O_NONBLOCK | O_CLOEXEC), 0);
        toy->raw = pair[reads];
        result = (reads ? loop_connect_read_pipe : loop_connect_write_pipe)(
            monkeys_loop, pair[!reads], protocol, toy, toy_destroyed, NULL);
        break;
    }
    case 5: {
        loop_datagram_options_t options = {.size = sizeof options, .fd = &pair[0]};
        CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        toy->raw = pair[1];
        result = loop_create_datagram_endpoint(monkeys_loop, &options, &datagrams, toy,
                                               toy_destroyed, &toy->future);
        break;
    }
    case 6:
        if (roll(2)) {
            toy->is_server = 1;
            result = loop_create_unix_server(monkeys_loop, socket_path, 0, 0, monkey_factory, toy,
                                             toy_destroyed, &toy->future);
        } else {
            result = loop_create_unix_connection(monkeys_loop, socket_path, protocol, toy,
                                                 toy_destroyed, &toy->future);
        }
        break;
    default: {
        static const char *const commands[] = {"exit 1", "echo x; cat", "sleep 0.05", "exec <&-"};
        loop_subprocess_options_t options = no_options();
        for (int i = 0; i < 3; i++)
            options.stdio[i].kind = roll(2) ? LOOP_STDIO_PIPE : LOOP_STDIO_DEVNULL;
        result = loop_subprocess_shell_protocol(monkeys_loop, commands[roll(4)], &options,
                                                &programs, toy, toy_destroyed, &toy->process);
    }
    }
    CHECK_INT(result, 0);
}

/* Lets go of it without ending it: the loop has it. */
static void forget(struct toy *toy) {
    for (int i = 0; i < TOYS; i++)
        if (toys[i] == toy)
            toys[i] = NULL;
    if (toy->raw >= 0)
        close(toy->raw);
    toy->raw = -1;
    loop_transport_t *transport = toy->transport;
    loop_process_t *process = toy->process;
    loop_server_t *server = toy->server;
    loop_future_t *future = toy->future;
    toy->transport = NULL, toy->process = NULL, toy->server = NULL, toy->future = NULL;
    loop_transport_unref(transport);
    loop_process_unref(process);
    loop_server_unref(server);
    if (future != NULL)
        loop_future_unref(future);
}

static void play_transport(loop_transport_t *transport, struct toy *toy) {
    switch (roll(15)) {
    case 0: (void)loop_transport_write(transport, block, 1); break;
    case 1: (void)loop_transport_write(transport, block, BLOCK); break;
    case 2: (void)loop_transport_sendto(transport, block, roll(3000), NULL, 0); break;
    case 3: (void)loop_transport_write_eof(transport); break;
    case 4: case 5: (void)loop_transport_pause_reading(transport); break;
    case 6: case 7: (void)loop_transport_resume_reading(transport); break;
    case 8:
        (void)loop_transport_set_write_buffer_limits(transport, roll(3) * 1000, 0);
        break;
    case 9: (void)loop_transport_close(transport); break;
    case 10: (void)loop_transport_abort(transport); break;
    case 11: (void)loop_transport_fail(transport, -EPROTO, NULL); break;
    case 12: {
        loop_future_t *future = NULL;
        if (loop_transport_sendfile(transport, file, roll(1000), -1, &future) == 0) {
            if (roll(2))
                (void)loop_future_cancel(future, NULL);
            loop_future_unref(future);
        }
        break;
    }
    case 13: {
        struct toy *successor = new_toy();
        if (toy->process == NULL && loop_transport_set_protocol(transport, &streams[roll(2)],
                                                                successor, toy_destroyed) == 0) {
            /* The successor gets what else there is of it, and `toy` is over. */
            successor->made = 1;
            successor->raw = toy->raw, successor->transport = toy->transport;
            toy->raw = -1, toy->transport = NULL;
            for (int i = 0; i < TOYS; i++)
                if (toys[i] == toy)
                    toys[i] = successor;
            forget(toy);
        } else if (successor->destroyed == 0) {
            successor->destroyed = 1; /* it was not given away */
        }
        break;
    }
    default: (void)loop_transport_write_owned(transport, block, BLOCK, NULL, NULL); break;
    }
}

static void play_raw(struct toy *toy) {
    switch (roll(5)) {
    case 0:
        if (write(toy->raw, block, roll(5000)) < 0)
            CHECK(errno == EAGAIN || errno == EPIPE || errno == EBADF || errno == ECONNRESET
                  || errno == ECONNREFUSED || errno == ENOTCONN || errno == EMSGSIZE);
        break;
    case 1: (void)shutdown(toy->raw, SHUT_WR); break;
    case 2:
        close(toy->raw);
        toy->raw = -1;
        break;
    default:
        for (int i = 0; i < 10 && read(toy->raw, block, BLOCK) > 0; i++) {
        }
    }
}

static void play_process(struct toy *toy) {
    loop_transport_t *pipe = loop_process_get_pipe_transport(toy->process, (int)roll(3));
    switch (roll(4)) {
    case 0: (void)loop_process_kill(toy->process); break;
    case 1: (void)loop_process_close(toy->process); break;
    default:
        if (pipe != NULL)
            play_transport(pipe, toy);
    }
}

static void play_server(loop_server_t *server) {
    server = loop_server_ref(server);
    switch (roll(5)) {
    case 0: (void)loop_server_close(server); break;
    case 1: (void)loop_server_close_clients(server); break;
    case 2: (void)loop_server_abort_clients(server); break;
    default: (void)loop_server_start_serving(server);
    }
    loop_server_unref(server);
}

static void play(struct toy *toy) {
    take_result(toy);
    if (roll(20) == 0) {
        forget(toy);
    } else if (toy->future != NULL && roll(10) == 0) {
        loop_future_t *future = toy->future;
        toy->future = NULL;
        (void)loop_future_cancel(future, NULL);
        loop_future_unref(future);
    } else if (toy->raw >= 0 && roll(2)) {
        play_raw(toy);
    } else if (toy->server != NULL) {
        play_server(toy->server);
    } else if (toy->process != NULL) {
        loop_process_t *process = loop_process_ref(toy->process);
        play_process(toy);
        loop_process_unref(process);
    } else if (toy->transport != NULL) {
        loop_transport_t *transport = loop_transport_ref(toy->transport);
        play_transport(transport, toy);
        loop_transport_unref(transport);
    }
}

static void quiet(loop_t *loop, const loop_exception_context_t *context, void *data) {
    (void)loop, (void)data;
    CHECK(context->message != NULL);
    misbehave();
}

static void round_of_play(uint64_t seed, int steps) {
    int before = open_fds();
    state = seed * 0x9E3779B97F4A7C15u | 1;
    monkeys_loop = loop_new();
    CHECK_INT(loop_set_exception_handler(monkeys_loop, quiet, NULL, NULL), 0);
    for (int step = 0; step < steps; step++) {
        struct toy **place = &toys[roll(TOYS)];
        if (*place == NULL)
            make(place);
        else
            play(*place);
        if (roll(3) == 0)
            CHECK(loop_run_once(monkeys_loop, 0) >= 0);
    }
    depth = 3; /* calm */
    for (int i = 0; i < TOYS; i++)
        if (toys[i] != NULL)
            forget(toys[i]);
    for (struct toy *toy = all_toys; toy != NULL; toy = toy->next)
        forget(toy);
    CHECK_INT(loop_close(monkeys_loop), 0);
    loop_unref(monkeys_loop);
    depth = 0;
    while (all_toys != NULL) {
        struct toy *toy = all_toys;
        CHECK_INT(toy->destroyed, 1);
        all_toys = toy->next;
        free(toy);
    }
    CHECK_INT(open_fds(), before);
}

TEST(break_monkey_no_order_of_operations_breaks_a_promise) {
    const char *given = getenv("COLOOP_SEED");
    long long end = now_ns() + 2000 * MS;
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    char path[] = "/tmp/coloop-monkey-XXXXXX";
    file = mkstemp(path);
    CHECK(file >= 0);
    unlink(path);
    CHECK_INT(write(file, block, BLOCK), BLOCK);
    signal(SIGPIPE, SIG_IGN); /* for our own writes */
    snprintf(socket_path, sizeof socket_path, "@%s", path);
    do {
        fprintf(stderr, "COLOOP_SEED=%llu\n", (unsigned long long)seed);
        round_of_play(seed++, in_valgrind() ? 100 : 400);
    } while (given == NULL && now_ns() < end);
    close(file);
}
