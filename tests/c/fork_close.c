/* A child closes, drops, leaks or abandons the loop it inherited; the parent's
 * loop never notices. */
#include "child.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void with_witness(void (*body)(void *), int expected_end) {
    struct witness witness;
    witness_open(&witness);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(in_child(body, &witness), expected_end);
        witness_check(&witness);
    }
    witness_close(&witness);
}

static void close_it(void *user_data) {
    struct witness *witness = user_data;
    CHECK_INT(loop_close(witness->loop), 0);
    CHECK_INT(loop_is_closed(witness->loop), 1);
    CHECK_INT(witness->destroyed, WITNESS_DATA);
    CHECK_INT(loop_call_soon(witness->loop, never, NULL, NULL, NULL), LOOP_ECLOSED);
    CHECK_INT(loop_close(witness->loop), 0);
    loop_unref(witness->loop);
    CHECK_INT(witness->destroyed, WITNESS_DATA);
}

TEST(F5_P6_child_close_leaves_the_parents_reader_writer_timer_and_wakeup_alive) {
    with_witness(close_it, 0);
}

static void drop_it(void *user_data) {
    struct witness *witness = user_data;
    loop_unref(witness->loop);
    CHECK_INT(witness->destroyed, WITNESS_DATA);
}

TEST(F5_P6_dropping_the_last_reference_in_a_child_leaves_the_parent_alive) {
    with_witness(drop_it, 0);
}

static void close_it_and_run_anew(void *user_data) {
    struct witness own;
    close_it(user_data);
    witness_open(&own);
    witness_check(&own);
    witness_close(&own);
}

TEST(P7_a_child_closes_the_inherited_loop_and_runs_a_new_one) {
    with_witness(close_it_and_run_anew, 0);
}

static void (*volatile at_exit_action)(void *);
static void *at_exit_data;

static void at_exit(void) {
    at_exit_action(at_exit_data);
}

static void leave_by_exit(void *user_data) {
    /* The loop is left as it is; nothing of it may run or hang at exit. */
    at_exit_action = drop_it;
    at_exit_data = user_data;
    CHECK_INT(atexit(at_exit), 0);
    exit(3);
}

static void close_at_exit(void *user_data) {
    at_exit_action = close_it;
    at_exit_data = user_data;
    CHECK_INT(atexit(at_exit), 0);
    exit(4);
}

TEST(F6_exit_in_a_child_runs_its_exit_handlers_and_does_not_hang) {
    with_witness(leave_by_exit, 3);
    with_witness(close_at_exit, 4);
}

static void leave_at_once(void *user_data) {
    (void)user_data;
    kill(getpid(), SIGKILL);
}

static void become_another_program(void *user_data) {
    (void)user_data;
    execl("/bin/false", "false", (char *)NULL);
}

TEST(F6_a_child_that_ends_without_closing_leaves_the_parent_alive) {
    with_witness(leave_at_once, 128 + SIGKILL);
    with_witness(become_another_program, 1);
}

/* Which descriptors are open, as a set. */
static void open_set(char open[1024]) {
    memset(open, 0, 1024);
    for (int fd = 0; fd < 1024; fd++)
        open[fd] = fcntl(fd, F_GETFD) >= 0;
}

TEST(F20_every_descriptor_of_a_loop_is_closed_by_exec) {
    char before[1024], after[1024];
    open_set(before);
    loop_t *loop = loop_new();
    wait_once(loop);
    open_set(after);
    int own = 0;
    for (int fd = 0; fd < 1024; fd++) {
        if (after[fd] && !before[fd]) {
            own++;
            CHECK_INT(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        }
    }
    CHECK(own >= 2);
    loop_unref(loop);
}

struct counted {
    loop_t *loop;
    int own; /* how many descriptors are the loop's */
};

static void close_and_count(void *user_data) {
    struct counted *counted = user_data;
    int inherited = open_fds();
    CHECK_INT(loop_close(counted->loop), 0);
    CHECK_INT(open_fds(), inherited - counted->own);
    loop_unref(counted->loop);
    loop_t *own = loop_new();
    wait_once(own);
    CHECK_INT(loop_close(own), 0);
    CHECK_INT(open_fds(), inherited - counted->own);
    loop_unref(own);
}

TEST(F20_close_in_a_child_gives_every_descriptor_back) {
    int before = open_fds();
    struct counted counted = {.loop = loop_new()};
    wait_once(counted.loop);
    int with_loop = open_fds();
    counted.own = with_loop - before;
    for (int round = 0; round < 20; round++) {
        CHECK_INT(in_child(close_and_count, &counted), 0);
        CHECK_INT(open_fds(), with_loop);
    }
    CHECK_INT(loop_close(counted.loop), 0);
    CHECK_INT(open_fds(), before);
    loop_unref(counted.loop);
}

enum { HOOKS = 5 };

static void ignore_hook(loop_t *loop, void *user_data) {
    (void)loop, (void)user_data;
}

static void ignore_failure(loop_t *loop, const loop_exception_context_t *context,
                           void *user_data) {
    (void)loop, (void)context, (void)user_data;
}

static void ignore_slow(loop_t *loop, const loop_slow_callback_t *report, void *user_data) {
    (void)loop, (void)report, (void)user_data;
}

static int hooks_destroyed;

static void close_with_hooks(void *user_data) {
    loop_t *loop = user_data;
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(hooks_destroyed, HOOKS - 1); /* context hooks stay as long as the loop */
    loop_unref(loop);
    CHECK_INT(hooks_destroyed, HOOKS);
}

TEST(F5_every_hooks_data_ends_once_in_each_process_when_it_closes_the_loop) {
    loop_t *loop = loop_new();
    loop_context_hooks_t hooks = {.size = sizeof hooks};
    int *n = &hooks_destroyed;
    CHECK_INT(loop_set_wait_hooks(loop, ignore_hook, ignore_hook, n, count), 0);
    CHECK_INT(loop_set_wake_hook(loop, ignore_hook, n, count), 0);
    CHECK_INT(loop_set_context_hooks(loop, &hooks, n, count), 0);
    CHECK_INT(loop_set_exception_handler(loop, ignore_failure, n, count), 0);
    CHECK_INT(loop_set_slow_callback_hook(loop, ignore_slow, n, count), 0);
    CHECK_INT(in_child(close_with_hooks, loop), 0);
    CHECK_INT(hooks_destroyed, 0);
    close_with_hooks(loop);
}

/* Posts to a parent's loop while an idle child holds a copy of it. */
struct posts {
    loop_t *loop;
    int ran;
};

static void *post_many(void *user_data) {
    struct posts *posted = user_data;
    int posts = in_valgrind() ? 100 : 1000;
    for (int i = 0; i < posts; i++) {
        CHECK_INT(loop_call_soon_threadsafe(posted->loop, count, &posted->ran, NULL, NULL), 0);
        if (i % 10 == 0)
            sched_yield();
    }
    CHECK_INT(loop_stop_threadsafe(posted->loop), 0);
    return NULL;
}

TEST(F8_posts_all_arrive_while_an_idle_child_holds_the_loop) {
    struct witness witness;
    int release[2];
    witness_open(&witness);
    make_pipe(release);
    pid_t child = start_child();
    if (child == 0) {
        close(release[1]);
        hear(release[0]);
        CHECK_INT(loop_call_soon(witness.loop, never, NULL, NULL, NULL), LOOP_EFORKED);
        drop_it(&witness);
        exit(0);
    }
    struct posts posted = {.loop = witness.loop};
    pthread_t poster;
    CHECK_INT(pthread_create(&poster, NULL, post_many, &posted), 0);
    CHECK_INT(loop_run_forever(witness.loop), 0);
    CHECK_INT(pthread_join(poster, NULL), 0);
    CHECK_INT(posted.ran, in_valgrind() ? 100 : 1000);
    witness_check(&witness);
    tell(release[1]);
    CHECK_INT(end_of(child), 0);
    witness_check(&witness);
    witness_close(&witness);
}

/* A daemon: the child of a child goes on alone and reports to the first
 * parent's reader. */
static void daemonize(struct witness *witness) {
    CHECK(setsid() >= 0);
    pid_t daemon = start_child();
    if (daemon != 0) {
        CHECK_INT(end_of(daemon), 0);
        drop_it(witness);
        exit(0);
    }
    int out = dup(witness->readable[1]);
    close_it_and_run_anew(witness);
    tell(out);
    exit(0);
}

TEST(F15_a_daemon_runs_its_own_loop_and_the_first_parent_hears_of_it) {
    struct witness witness;
    witness_open(&witness);
    pid_t child = start_child();
    if (child == 0)
        daemonize(&witness);
    empty(witness.writable[0]);
    CHECK_INT(loop_run_forever(witness.loop), 0); /* until reader, writer and timer fired */
    CHECK_INT(end_of(child), 0);
    witness_check(&witness);
    witness_close(&witness);
}

/* What multiprocessing does: a worker made in a callback, its result through a
 * pipe to a reader. */
struct worker {
    loop_t *loop;
    int ends[2];
    pid_t child;
    char result;
};

static void double_it(void *user_data) {
    *(int *)user_data *= 2;
}

static void take_result(void *user_data) {
    struct worker *worker = user_data;
    CHECK_INT(read(worker->ends[0], &worker->result, 1), 1);
    CHECK_INT(loop_remove_reader(worker->loop, worker->ends[0]), 1);
    CHECK_INT(loop_stop(worker->loop), 0);
}

static void start_worker(void *user_data) {
    struct worker *worker = user_data;
    worker->child = start_child();
    if (worker->child != 0) {
        CHECK_INT(loop_add_reader(worker->loop, worker->ends[0], take_result, worker, NULL), 0);
        return;
    }
    int number = 21;
    loop_t *own = loop_new();
    CHECK_INT(loop_call_later(own, 1, double_it, &number, NULL, NULL), 0);
    CHECK_INT(loop_call_later(own, 2, stop_loop, own, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(own), 0);
    loop_unref(own);
    char result = (char)number;
    CHECK_INT(write(worker->ends[1], &result, 1), 1);
}

TEST(F17_a_worker_forked_in_a_callback_computes_and_its_result_arrives) {
    struct worker worker = {.loop = loop_new()};
    make_pipe(worker.ends);
    CHECK_INT(loop_call_soon(worker.loop, start_worker, &worker, NULL, NULL), 0);
    int result = loop_run_forever(worker.loop);
    if (worker.child == 0) {
        CHECK_INT(result, LOOP_EFORKED);
        loop_unref(worker.loop);
        exit(0);
    }
    CHECK_INT(result, 0);
    CHECK_INT(worker.result, 42);
    CHECK_INT(end_of(worker.child), 0);
    loop_unref(worker.loop);
}
