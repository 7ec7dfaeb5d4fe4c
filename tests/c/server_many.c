/* Ten thousand connections at once on one loop. */
#include "child.h"
#include "net.h"
#include <sys/resource.h>

struct crowd {
    int made, received, lost, destroyed;
};

static void crowd_made(loop_transport_t *transport, void *data) {
    (void)transport;
    ((struct crowd *)data)->made++;
}

static void crowd_received(loop_transport_t *transport, const void *bytes, size_t length,
                           void *data) {
    ((struct crowd *)data)->received += (int)length;
    CHECK_INT(loop_transport_write(transport, bytes, length), 0);
}

static void crowd_lost(loop_transport_t *transport, int code, const char *message, void *data) {
    (void)transport, (void)code, (void)message;
    ((struct crowd *)data)->lost++;
}

static void crowd_destroy(void *data) {
    ((struct crowd *)data)->destroyed++;
}

static int join_crowd(loop_t *loop, void *data, const loop_protocol_t **protocol,
                      void **user_data, loop_destroy_t *destroy) {
    static const loop_protocol_t functions = {
        .size = sizeof functions,
        .connection_made = crowd_made,
        .data_received = crowd_received,
        .connection_lost = crowd_lost,
    };
    (void)loop;
    *protocol = &functions;
    *user_data = data;
    *destroy = crowd_destroy;
    return 0;
}

/* As many as are wanted, or as the system allows, which is said. */
static int allowed(int wanted) {
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < (rlim_t)wanted + 64) {
        fprintf(stderr, "only %ld descriptors: fewer connections\n", (long)limit.rlim_max);
        return (int)limit.rlim_max - 64;
    }
    return wanted;
}

TEST(ten_thousand_connections_are_held_and_served_by_one_loop) {
    int count = allowed(in_valgrind() ? 200 : 10000), port_pipe[2], ready[2], leave[2];
    make_pipe(port_pipe), make_pipe(ready), make_pipe(leave);
    pid_t child = start_child();
    if (child == 0) {
        unsigned short port;
        int *clients = malloc((size_t)count * sizeof *clients);
        char byte;
        alarm(100);
        CHECK_INT(read(port_pipe[0], &port, sizeof port), sizeof port);
        for (int i = 0; i < count; i++)
            clients[i] = dial(port);
        for (int i = 0; i < count; i++)
            CHECK_INT(write(clients[i], "x", 1), 1);
        for (int i = 0; i < count; i++)
            CHECK_INT(read(clients[i], &byte, 1), 1);
        tell(ready[1]);
        hear(leave[0]);
        free(clients);
        leave_child(0);
    }
    loop_t *loop = loop_new();
    struct crowd crowd = {0};
    loop_server_options_t options = server_options("127.0.0.1");
    options.backlog = 4096;
    loop_future_t *future, *closed;
    void *server;
    CHECK_INT(loop_create_server(loop, &options, join_crowd, &crowd, NULL, &future), 0);
    RUN_UNTIL(loop, loop_future_done(future) == 1);
    CHECK_INT(loop_future_result(future, &server), 0);
    unsigned short port = server_port(server, 0);
    CHECK_INT(write(port_pipe[1], &port, sizeof port), sizeof port);
    RUN_UNTIL(loop, crowd.received == count);
    CHECK_INT(crowd.made, count);
    CHECK_INT(crowd.lost, 0);
    hear(ready[0]);
    CHECK_INT(loop_server_wait_closed(server, &closed), 0);
    CHECK_INT(loop_server_close(server), 0);
    tell(leave[1]);
    RUN_UNTIL(loop, loop_future_done(closed) == 1);
    CHECK_INT(crowd.lost, count);
    CHECK_INT(crowd.destroyed, count);
    CHECK_INT(end_of(child), 0);
    loop_future_unref(closed);
    loop_future_unref(future);
    loop_unref(loop);
}
