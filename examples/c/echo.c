/* A TCP echo server on one coloop loop, while everything else a loop can do goes
 * on around it.
 *
 *   echo [CONNECTIONS]
 *
 * The main thread runs the loop: a server whose connections are transports. A
 * child process plays the clients: it opens all connections (1000 unless said
 * otherwise), tells so by a signal, exchanges messages on them while all are
 * open, and verifies every byte. A thread of an executor computes meanwhile how
 * many bytes that must be. Two threads post numbered callbacks, and timers are
 * checked against the clock. Everything is counted and checked; the exit status
 * is 1 if anything was wrong. */
#include "coloop.h"
#include "echo_clients.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>

#define MS 1000000LL
#define TIME_LIMIT (60 * 1000 * MS)
#define TICK (5 * MS)

enum {
    HIGH_WATER = 16 * 1024,   /* what a connection may hold back */
    POSTERS = 2,
    POSTS = 50000,            /* by each poster */
    BURST = 500,              /* posts for each tick of the periodic timer */
    TIMERS = 100,
    LONGEST_DELAY_MS = 800
};

struct demo {
    loop_t *loop;
    loop_server_t *server;
    loop_process_t *clients;
    int connections; /* how many there shall be */
    bool clients_gone, counted, signalled;
    int open, peak; /* connections */
    long long bytes, expected_bytes, waits;
    struct poster {
        struct demo *demo;
        pthread_t thread;
        sem_t bursts; /* how many more it may post */
        uint32_t received;
        struct post {
            struct poster *poster;
            uint32_t sequence;
        } posts[POSTS];
    } posters[POSTERS];
    struct timer {
        struct demo *demo;
        uint64_t deadline;
    } timers[TIMERS];
    int timers_fired, ticks;
    uint64_t last_deadline, next_tick;
    int64_t largest_lateness;
    int failures;
};

static void fail(struct demo *demo, const char *what) {
    fprintf(stderr, "echo: WRONG: %s\n", what);
    demo->failures++;
}

static void require_loop(int result, const char *call) {
    require(result >= 0, call, loop_last_error());
}

/* coloop's functions answer with a negative number when they fail. */
#define LOOP(call) require_loop(call, #call)

/* The run ends when every part of the demo has seen its end. */
static void stop_if_done(struct demo *demo) {
    bool done = demo->clients_gone && demo->counted && demo->open == 0 &&
                demo->timers_fired == TIMERS;
    for (int i = 0; i < POSTERS; i++)
        done = done && demo->posters[i].received == POSTS;
    if (done)
        LOOP(loop_stop(demo->loop));
}

/* ---- The server -------------------------------------------------------- */

/* A connection that cannot send stops reading: so a client that does not read
 * cannot make the server's memory grow. */
static void on_full(loop_transport_t *transport, void *user_data) {
    struct demo *demo = user_data;
    if (demo->waits++ == 0)
        SYSTEM(write(loop_process_get_pipe_fd(demo->clients, 0), "", 1));
    LOOP(loop_transport_pause_reading(transport));
}

static void on_room(loop_transport_t *transport, void *user_data) {
    (void)user_data;
    LOOP(loop_transport_resume_reading(transport));
}

static void on_connection(loop_transport_t *transport, void *user_data) {
    struct demo *demo = user_data;
    int size = SOCKET_BUFFER;
    SYSTEM(setsockopt(loop_transport_get_fd(transport), SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
    LOOP(loop_transport_set_write_buffer_limits(transport, HIGH_WATER, 0));
    if (++demo->open > demo->peak)
        demo->peak = demo->open;
}

static void on_data(loop_transport_t *transport, const void *data, size_t length, void *user_data) {
    ((struct demo *)user_data)->bytes += (long long)length;
    LOOP(loop_transport_write(transport, data, length));
}

static void on_lost(loop_transport_t *transport, int code, const char *message, void *user_data) {
    struct demo *demo = user_data;
    (void)transport;
    if (code != 0)
        fail(demo, message);
    demo->open--;
    stop_if_done(demo);
}

static const loop_protocol_t echo = {
    .size = sizeof echo,
    .connection_made = on_connection,
    .data_received = on_data,
    .pause_writing = on_full,
    .resume_writing = on_room,
    .connection_lost = on_lost,
};

/* Each connection gets the same functions and the same data. */
static int make_protocol(loop_t *loop, void *demo, const loop_protocol_t **ret_protocol,
                         void **ret_user_data, loop_destroy_t *ret_destroy) {
    (void)loop;
    *ret_protocol = &echo;
    *ret_user_data = demo;
    *ret_destroy = NULL;
    return 0;
}

static void serve(struct demo *demo) {
    loop_future_t *made;
    void *server;
    loop_server_options_t options = {
        .size = sizeof options, .host = "127.0.0.1", .backlog = demo->connections};
    LOOP(loop_create_server(demo->loop, &options, make_protocol, demo, NULL, &made));
    LOOP(loop_run_until_complete(demo->loop, made, &server));
    demo->server = loop_server_ref(server);
    loop_future_unref(made);
}

/* ---- The clients' process, its signal, and a job ----------------------- */

static void on_clients_gone(loop_future_t *future, void *user_data) {
    struct demo *demo = user_data;
    void *status;
    LOOP(loop_future_result(future, &status));
    if ((intptr_t)status != 0)
        fail(demo, "the clients did not get all of their bytes back");
    demo->clients_gone = true;
    stop_if_done(demo);
}

static void on_signal(void *user_data) {
    ((struct demo *)user_data)->signalled = true;
}

/* This program again, with a pipe as its standard input. */
static void start_clients(struct demo *demo) {
    char port[16], count[16];
    struct sockaddr_in address;
    loop_future_t *end;
    LOOP(loop_server_get_address(demo->server, 0, &address, sizeof address));
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    snprintf(count, sizeof count, "%d", demo->connections);
    loop_subprocess_options_t options = {
        .size = sizeof options,
        .file = "/proc/self/exe",
        .argv = (const char *[]){"echo", "--clients", port, count, NULL},
        .stdio = {{.kind = LOOP_STDIO_PIPE}},
    };
    LOOP(loop_add_signal_handler(demo->loop, SIGUSR1, on_signal, demo, NULL));
    LOOP(loop_subprocess_exec(demo->loop, &options, &demo->clients));
    LOOP(loop_process_wait(demo->clients, &end));
    LOOP(loop_future_add_done_callback(end, on_clients_gone, demo, NULL));
    loop_future_unref(end);
}

/* In a thread of the executor, so it may take its time. */
static int count_bytes(void *connections, void **ret_result) {
    uintptr_t bytes = 0;
    for (int i = 0; i < (int)(intptr_t)connections; i++) {
        for (int message = 0; message < MESSAGES; message++)
            bytes += message_size(i, message);
    }
    *ret_result = (void *)bytes;
    return 0;
}

static void on_counted(loop_future_t *future, void *user_data) {
    struct demo *demo = user_data;
    void *bytes;
    LOOP(loop_future_result(future, &bytes));
    demo->expected_bytes = (intptr_t)bytes;
    demo->counted = true;
    stop_if_done(demo);
}

static void start_job(struct demo *demo) {
    loop_future_t *counted;
    LOOP(loop_run_in_executor(demo->loop, NULL, count_bytes, (void *)(intptr_t)demo->connections,
                              NULL, NULL, &counted));
    LOOP(loop_future_add_done_callback(counted, on_counted, demo, NULL));
    loop_future_unref(counted);
}

/* ---- Posts from other threads ------------------------------------------ */

/* On the loop's thread: posts of one thread arrive in its order. */
static void on_post(void *user_data) {
    struct post *post = user_data;
    struct poster *poster = post->poster;
    if (post->sequence != poster->received)
        fail(poster->demo, "a post came out of order");
    if (++poster->received == POSTS)
        stop_if_done(poster->demo);
}

/* In bursts, so that posts arrive during the whole run and often find the loop
 * asleep. */
static void *post_all(void *argument) {
    struct poster *poster = argument;
    for (uint32_t i = 0; i < POSTS; i++) {
        while (i % BURST == 0 && sem_wait(&poster->bursts) != 0) {
        }
        struct post *post = &poster->posts[i];
        *post = (struct post){poster, i};
        LOOP(loop_call_soon_threadsafe(poster->demo->loop, on_post, post, NULL, NULL));
    }
    return NULL;
}

/* ---- Timers ------------------------------------------------------------ */

static void check_lateness(struct demo *demo, uint64_t deadline) {
    int64_t lateness = (int64_t)(loop_time(demo->loop) - deadline);
    if (lateness < 0)
        fail(demo, "a timer fired early");
    if (lateness > demo->largest_lateness)
        demo->largest_lateness = lateness;
}

static void on_timer(void *user_data) {
    struct timer *timer = user_data;
    struct demo *demo = timer->demo;
    check_lateness(demo, timer->deadline);
    if (timer->deadline < demo->last_deadline)
        fail(demo, "timers fired out of order");
    demo->last_deadline = timer->deadline;
    if (++demo->timers_fired == TIMERS)
        stop_if_done(demo);
}

/* Periodic: each tick schedules the next. An absolute deadline does not drift. */
static void on_tick(void *user_data) {
    struct demo *demo = user_data;
    check_lateness(demo, demo->next_tick);
    demo->ticks++;
    for (int i = 0; i < POSTERS; i++)
        sem_post(&demo->posters[i].bursts);
    demo->next_tick += TICK;
    LOOP(loop_call_at(demo->loop, demo->next_tick, on_tick, demo, NULL, NULL));
}

static void on_time_limit(void *user_data) {
    (void)user_data;
    fprintf(stderr, "echo: WRONG: not finished within %lld s\n", TIME_LIMIT / 1000 / MS);
    _exit(1); /* the clients end by themselves when their connections break */
}

/* ---- All of it --------------------------------------------------------- */

static void raise_descriptor_limit(rlim_t needed) {
    struct rlimit limit;
    SYSTEM(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = needed;
        SYSTEM(setrlimit(RLIMIT_NOFILE, &limit));
    }
}

static void schedule_timers(struct demo *demo) {
    unsigned seed = 1;
    for (int i = 0; i < TIMERS; i++) {
        struct timer *timer = &demo->timers[i];
        int64_t delay = rand_r(&seed) % (LONGEST_DELAY_MS * 1000) * (MS / 1000);
        loop_handle_t handle;
        timer->demo = demo;
        LOOP(loop_call_later(demo->loop, delay, on_timer, timer, NULL, &handle));
        LOOP(loop_handle_when(demo->loop, handle, &timer->deadline));
    }
    demo->next_tick = loop_time(demo->loop) + TICK;
    LOOP(loop_call_at(demo->loop, demo->next_tick, on_tick, demo, NULL, NULL));
}

static int play_clients(const char *port, const char *count) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    run_clients(&address, atoi(count), STDIN_FILENO);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "--clients") == 0)
        return play_clients(argv[2], argv[3]);
    int connections = argc > 1 ? atoi(argv[1]) : 1000;
    require(connections > 0, "echo [CONNECTIONS]", "the number must be positive");
    raise_descriptor_limit((rlim_t)connections + 64);
    struct demo *demo = calloc(1, sizeof *demo);
    require(demo != NULL, "calloc", "out of memory");
    demo->connections = connections;
    loop_t *loop = demo->loop = loop_new();
    require(loop != NULL, "loop_new", loop_last_error());
    uint64_t start = loop_time(loop);
    LOOP(loop_call_later(loop, TIME_LIMIT, on_time_limit, NULL, NULL, NULL));
    serve(demo);
    start_clients(demo);
    start_job(demo);
    schedule_timers(demo);
    for (int i = 0; i < POSTERS; i++) {
        struct poster *poster = &demo->posters[i];
        poster->demo = demo;
        SYSTEM(sem_init(&poster->bursts, 0, 0));
        SYSTEM(-pthread_create(&poster->thread, NULL, post_all, poster));
    }

    LOOP(loop_run_forever(loop));

    double seconds = (double)(loop_time(loop) - start) / 1e9;
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(demo->posters[i].thread, NULL);
        sem_destroy(&demo->posters[i].bursts);
    }
    if (demo->peak != connections)
        fail(demo, "not all connections were open at once");
    if (demo->bytes != demo->expected_bytes)
        fail(demo, "the server echoed another number of bytes than the job counted");
    if (!demo->signalled)
        fail(demo, "the clients' signal did not arrive");
    printf("echo:   %d connections at once, %.1f MB echoed and verified, "
           "%lld times a connection had to wait\n", demo->peak, (double)demo->bytes / 1e6, demo->waits);
    printf("around: a child process with the clients, its signal, a job that counted the bytes\n");
    printf("posts:  %d threads, %u and %u posts received in order\n", POSTERS,
           demo->posters[0].received, demo->posters[1].received);
    printf("timers: %d in order of their deadlines, %d ticks, none early, at most %.2f ms late\n",
           demo->timers_fired, demo->ticks, (double)demo->largest_lateness / 1e6);
    printf("loop:   one thread, %s, %.2f s: %s\n", loop_backend_name(loop), seconds,
           demo->failures == 0 ? "all right" : "NOT right");

    /* What still waits (the next tick, the time limit, the server) goes with the loop. */
    int failures = demo->failures;
    loop_server_unref(demo->server);
    loop_process_unref(demo->clients);
    LOOP(loop_close(loop));
    loop_unref(loop);
    free(demo);
    return failures == 0 ? 0 : 1;
}
