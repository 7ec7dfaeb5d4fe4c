/* Everything a loop does, while a host drives it. */
#include "../c/child.h"
#include "../c/net.h"
#include "../c/subprocess.h"
#include "hosts.h"
#include <signal.h>

enum { TIMERS = 1000, POSTERS = 4, CLIENTS = 8, ROUNDS = 20 };

struct work {
    struct host *host;
    int posts_each, posts, fired, echoed, ended;
    uint64_t latest;
    struct shelf *shelf;
    loop_server_t *server;
    unsigned short port;
    loop_process_t *process;
};

struct timer {
    struct work *work;
    uint64_t when;
};

static void work_ended(struct work *work) {
    if (++work->ended == TIMERS + POSTERS + CLIENTS + 1)
        host_quit(work->host);
}

static void fire(void *data) {
    struct timer *timer = data;
    loop_t *running = NULL;
    CHECK_INT(loop_get_running(&running), 0);
    CHECK(running == timer->work->host->loop);
    CHECK(loop_time(running) >= timer->when);
    CHECK(timer->when >= timer->work->latest);
    timer->work->latest = timer->when;
    timer->work->fired++;
    work_ended(timer->work);
}

static void posted(void *data) {
    ((struct work *)data)->posts++;
}

static void poster_ended(void *data) {
    work_ended(data);
}

static void *post_many(void *data) {
    struct work *work = data;
    for (int i = 0; i < work->posts_each; i++)
        CHECK_INT(loop_call_soon_threadsafe(work->host->loop, posted, work, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(work->host->loop, poster_ended, work, NULL, NULL), 0);
    return NULL;
}

static void client_ended(void *data) {
    struct work *work = data;
    work->echoed++;
    work_ended(work);
}

/* A blocking client in a thread of its own. */
static void *talk(void *data) {
    struct work *work = data;
    int client = dial(work->port);
    for (int round = 0; round < ROUNDS; round++) {
        char answer[4] = {0};
        CHECK_INT(write(client, "echo", 4), 4);
        CHECK_INT(recv(client, answer, 4, MSG_WAITALL), 4);
        CHECK(memcmp(answer, "echo", 4) == 0);
    }
    close(client);
    CHECK_INT(loop_call_soon_threadsafe(work->host->loop, client_ended, work, NULL, NULL), 0);
    return NULL;
}

static void process_ended(loop_future_t *future, void *data) {
    void *returncode = NULL;
    CHECK_INT(loop_future_result(future, &returncode), 0);
    CHECK_INT((intptr_t)returncode, 7);
    work_ended(data);
}

static void serving(loop_future_t *future, void *data) {
    struct work *work = data;
    void *server = NULL;
    CHECK_INT(loop_future_result(future, &server), 0);
    work->server = loop_server_ref(server);
    host_quit(work->host);
}

TEST_IN_HOSTS(a_host_drives_a_server_timers_posts_and_a_process) {
    static struct shelf shelf;
    struct work work = {.host = host, .posts_each = in_valgrind() ? 2500 : 25000, .shelf = &shelf};
    struct timer *timers = calloc(TIMERS, sizeof *timers);
    pthread_t threads[POSTERS + CLIENTS];
    loop_server_options_t options = server_options("127.0.0.1");
    loop_future_t *future = NULL;
    CHECK_INT(loop_create_server(host->loop, &options, shelf_factory, &shelf, NULL, &future), 0);
    CHECK_INT(loop_future_add_done_callback(future, serving, &work, NULL), 0);
    host_run(host);
    loop_future_unref(future);
    work.port = server_port(work.server, 0);
    for (int i = 0; i < CLIENTS; i++)
        shelf.books[i].echoes = 1;
    for (int i = 0; i < TIMERS; i++) {
        timers[i].work = &work;
        timers[i].when = loop_time(host->loop) + (uint64_t)((i * 7919) % 200 * MS / 2);
        CHECK_INT(loop_call_at(host->loop, timers[i].when, fire, &timers[i], NULL, NULL), 0);
    }
    loop_subprocess_options_t no = no_options();
    CHECK_INT(loop_subprocess_shell(host->loop, "sleep 0.05; exit 7", &no, &work.process), 0);
    CHECK_INT(loop_process_wait(work.process, &future), 0);
    CHECK_INT(loop_future_add_done_callback(future, process_ended, &work, NULL), 0);
    for (int i = 0; i < POSTERS + CLIENTS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, i < POSTERS ? post_many : talk, &work), 0);
    host_run(host);
    for (int i = 0; i < POSTERS + CLIENTS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK_INT(work.posts, POSTERS * work.posts_each);
    CHECK_INT(work.fired, TIMERS);
    CHECK_INT(work.echoed, CLIENTS);
    loop_future_unref(future);
    loop_process_unref(work.process);
    HOST_UNTIL(host, shelf_lost(&shelf) == CLIENTS);
    CHECK_INT(loop_server_close(work.server), 0);
    loop_server_unref(work.server);
    free(timers);
}

/* Blocks until the host hears of it: a lost wake-up hangs the test. */
struct rally {
    struct host *host;
    int rounds, there[2], back[2];
};

static void hit_back(void *data) {
    tell(((struct rally *)data)->back[1]);
}

static void *rally(void *data) {
    struct rally *self = data;
    for (int i = 0; i < self->rounds; i++) {
        CHECK_INT(loop_call_soon_threadsafe(self->host->loop, hit_back, self, NULL, NULL), 0);
        hear(self->back[0]);
        if (i % 16 == 0)
            sleep_ns(MS); /* long enough for the host to fall asleep */
    }
    CHECK_INT(loop_call_soon_threadsafe(self->host->loop, host_quit, self->host, NULL, NULL), 0);
    return NULL;
}

TEST_IN_HOSTS(each_post_from_a_thread_wakes_the_host) {
    struct rally self = {.host = host, .rounds = in_valgrind() ? 200 : 2000};
    pthread_t thread;
    make_pipe(self.back);
    CHECK_INT(pthread_create(&thread, NULL, rally, &self), 0);
    host_run(host);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

/* A reader of the loop's, and a future that a task-like chain waits for. */
static void sleep_ended(loop_future_t *future, void *host) {
    CHECK_INT(loop_future_result(future, NULL), 0);
    host_quit(host);
}

TEST_IN_HOSTS(futures_of_the_loop_end_in_the_host) {
    loop_future_t *sleep = NULL;
    uint64_t began = loop_time(host->loop);
    CHECK_INT(loop_sleep(host->loop, 30 * MS, NULL, NULL, &sleep), 0);
    CHECK_INT(loop_future_add_done_callback(sleep, sleep_ended, host, NULL), 0);
    host_run(host);
    CHECK(loop_time(host->loop) - began >= 30 * MS);
    loop_future_unref(sleep);
}

static int turn_signal;

static void on_signal(void *host) {
    turn_signal++;
    host_quit(host);
}

TEST_IN_HOSTS(a_signal_wakes_the_host) {
    CHECK_INT(loop_add_signal_handler(host->loop, SIGUSR1, on_signal, host, NULL), 0);
    CHECK_INT(raise(SIGUSR1), 0);
    host_run(host);
    CHECK_INT(turn_signal, 1);
}

/* loop_wakeup is for signal handlers: nothing but a turn comes of it. */
static void *wake(void *loop) {
    CHECK_INT(loop_wakeup(loop), 0);
    return NULL;
}

TEST_IN_HOSTS(a_wakeup_ends_a_wait_of_the_host) {
    pthread_t thread;
    host->kind->iterate(host, 0);
    CHECK_INT(pthread_create(&thread, NULL, wake, host->loop), 0);
    host->kind->iterate(host, 1);
    CHECK_INT(pthread_join(thread, NULL), 0);
}
