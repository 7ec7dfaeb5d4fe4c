/* A child forked inside a callback: it has no running loop, may run one of its
 * own, and leaves the parent's run without having touched anything. */
#include "child.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A callback that forks, in each way a callback can be called. */
enum kind { SOON, HANDLE, TIMER, POSTED, POSTED_HANDLE, READER, WRITER, KINDS };

struct forker {
    loop_t *loop;
    enum kind kind;
    int ends[2];
    pid_t child;
    int calls, destroyed;
    void (*in_child)(struct forker *);
};

static void fork_inside(void *user_data) {
    struct forker *forker = user_data;
    forker->calls++;
    forker->child = start_child();
    if (forker->child == 0) {
        if (forker->in_child != NULL)
            forker->in_child(forker);
        return;
    }
    loop_t *running = NULL;
    CHECK_INT(loop_get_running(&running), 0);
    CHECK(running == forker->loop);
    loop_remove_reader(forker->loop, forker->ends[0]);
    loop_remove_writer(forker->loop, forker->ends[1]);
    CHECK_INT(loop_call_soon(forker->loop, stop_loop, forker->loop, NULL, NULL), 0);
}

static void count_destroyed(void *user_data) {
    ((struct forker *)user_data)->destroyed++;
}

static void schedule(struct forker *forker) {
    loop_t *loop = forker->loop;
    loop_handle_t handle = 0;
    switch (forker->kind) {
    case SOON:
        /* Without destructor and handle: the library's shortest path. */
        forker->destroyed = 1;
        CHECK_INT(loop_call_soon(loop, fork_inside, forker, NULL, NULL), 0);
        break;
    case HANDLE:
        CHECK_INT(loop_call_soon(loop, fork_inside, forker, count_destroyed, &handle), 0);
        break;
    case TIMER:
        CHECK_INT(loop_call_later(loop, 1, fork_inside, forker, count_destroyed, NULL), 0);
        break;
    case POSTED:
        CHECK_INT(loop_call_soon_threadsafe(loop, fork_inside, forker, count_destroyed, NULL), 0);
        break;
    case POSTED_HANDLE:
        CHECK_INT(loop_call_soon_threadsafe(loop, fork_inside, forker, count_destroyed,
                                            &handle), 0);
        break;
    case READER:
        tell(forker->ends[1]);
        CHECK_INT(loop_add_reader(loop, forker->ends[0], fork_inside, forker, count_destroyed), 0);
        break;
    default:
        CHECK_INT(loop_add_writer(loop, forker->ends[1], fork_inside, forker, count_destroyed), 0);
    }
}

/* Forks in each kind of callback. Each child is given to `after` when the
 * parent's run has sent it away, and must end well. */
static void fork_in_each_kind(void (*in_child)(struct forker *),
                              void (*after)(struct forker *)) {
    for (enum kind kind = SOON; kind < KINDS; kind++) {
        struct forker forker = {.loop = loop_new(), .kind = kind, .in_child = in_child};
        make_pipe(forker.ends);
        schedule(&forker);
        int result = loop_run_forever(forker.loop);
        if (forker.child == 0) {
            CHECK_INT(result, LOOP_EFORKED);
            if (after != NULL)
                after(&forker);
            CHECK_INT(loop_close(forker.loop), 0);
            loop_unref(forker.loop);
            CHECK_INT(forker.destroyed, 1);
            exit(0);
        }
        CHECK_INT(result, 0);
        CHECK_INT(end_of(forker.child), 0);
        CHECK_INT(loop_close(forker.loop), 0);
        loop_unref(forker.loop);
        CHECK_INT(forker.calls, 1);
        CHECK_INT(forker.destroyed, 1);
        close(forker.ends[0]);
        close(forker.ends[1]);
    }
}

static void nothing_runs(struct forker *forker) {
    loop_t *running = (loop_t *)forker;
    CHECK_INT(loop_get_running(&running), LOOP_ENO_RUNNING);
    CHECK(running == (loop_t *)forker);
    CHECK_STR(loop_last_error(), "no running event loop");
    CHECK_INT(loop_is_running(forker->loop), 0);
}

TEST(F1_E8_no_loop_runs_in_a_child_of_a_callback) {
    fork_in_each_kind(nothing_runs, nothing_runs);
}

static void run_own_loop(struct forker *forker) {
    struct witness own;
    (void)forker;
    witness_open(&own);
    witness_check(&own);
    witness_close(&own);
}

TEST(E7_F2_P5_a_child_of_a_callback_runs_a_new_loop) {
    fork_in_each_kind(run_own_loop, NULL);
}

static void is_refused(struct forker *forker) {
    char expected[128];
    snprintf(expected, sizeof expected, "loop belongs to pid %d; it was inherited through fork",
             (int)getppid());
    CHECK_STR(loop_last_error(), expected);
    CHECK_INT(loop_run_forever(forker->loop), LOOP_EFORKED);
    CHECK_STR(loop_last_error(), expected);
}

TEST(F14_a_child_that_returns_from_the_callback_gets_EFORKED) {
    fork_in_each_kind(NULL, is_refused);
}

TEST(E7_F2_F14_a_new_loop_runs_after_the_parents_run_sent_the_child_away) {
    fork_in_each_kind(NULL, run_own_loop);
}

static int one_turn(loop_t *loop) {
    return loop_run_once(loop, 0);
}

TEST(F14_a_child_leaves_a_turn_as_it_leaves_a_run) {
    int (*const turns[])(loop_t *) = {one_turn, loop_dispatch};
    for (int i = 0; i < 2; i++) {
        struct forker forker = {.loop = loop_new(), .kind = HANDLE, .ends = {-1, -1}};
        schedule(&forker);
        CHECK_INT(loop_call_soon(forker.loop, count, &forker.calls, NULL, NULL), 0);
        int result = turns[i](forker.loop);
        CHECK_INT(result, forker.child == 0 ? LOOP_EFORKED : 2);
        CHECK_INT(forker.calls, forker.child == 0 ? 1 : 2);
        CHECK_INT(loop_close(forker.loop), 0);
        loop_unref(forker.loop);
        CHECK_INT(forker.destroyed, 1);
        if (forker.child == 0)
            exit(0);
        CHECK_INT(end_of(forker.child), 0);
    }
}

static void close_in_callback(struct forker *forker) {
    CHECK_INT(loop_close(forker->loop), 0);
    CHECK_INT(loop_is_closed(forker->loop), 1);
}

TEST(F5_F14_a_child_may_close_the_loop_inside_the_callback) {
    fork_in_each_kind(close_in_callback, NULL);
}

/* The callback's data may live on the heap, freed by its destructor: it must
 * outlive the call, whatever the call does to the loop. */
static int freed_early;

static void close_and_look(void *user_data) {
    struct forker *forker = user_data;
    fork_inside(forker);
    if (forker->child == 0) {
        CHECK_INT(loop_close(forker->loop), 0);
        freed_early = forker->destroyed;
    }
}

TEST(F5_a_callbacks_data_outlives_the_call_in_which_a_child_closes_the_loop) {
    for (int handle = 0; handle < 2; handle++) {
        struct forker forker = {.loop = loop_new()};
        make_pipe(forker.ends);
        tell(forker.ends[1]);
        if (handle)
            CHECK_INT(loop_call_soon(forker.loop, close_and_look, &forker, count_destroyed,
                                     NULL), 0);
        else
            CHECK_INT(loop_add_reader(forker.loop, forker.ends[0], close_and_look, &forker,
                                      count_destroyed), 0);
        int result = loop_run_forever(forker.loop);
        if (forker.child == 0) {
            CHECK_INT(result, LOOP_EFORKED);
            CHECK_INT(freed_early, 0);
            loop_unref(forker.loop);
            CHECK_INT(forker.destroyed, 1);
            exit(0);
        }
        CHECK_INT(end_of(forker.child), 0);
        CHECK_INT(loop_close(forker.loop), 0);
        loop_unref(forker.loop);
        close(forker.ends[0]);
        close(forker.ends[1]);
    }
}

/* A queue of callbacks that hold data, behind one that forks. */
enum { QUEUED = 100 };

TEST(F18_queued_callbacks_run_in_the_parent_only_and_their_data_ends_once_in_each) {
    struct forker forker = {.loop = loop_new(), .kind = SOON, .ends = {-1, -1}};
    int runs[QUEUED] = {0}, ends = 0;
    loop_handle_t handle;
    schedule(&forker);
    for (int i = 0; i < QUEUED; i++) {
        int at = i % 4;
        CHECK_INT(at == 0   ? loop_call_soon(forker.loop, count, &runs[i], NULL, NULL)
                  : at == 1 ? loop_call_soon(forker.loop, count, &runs[i], count, &handle)
                  : at == 2 ? loop_call_soon_threadsafe(forker.loop, count, &runs[i], count, NULL)
                            : loop_call_soon_threadsafe(forker.loop, count, &runs[i], count,
                                                        &handle), 0);
    }
    CHECK_INT(loop_call_later(forker.loop, 3600000 * MS, never, &ends, count, NULL), 0);
    int result = loop_run_forever(forker.loop);
    if (forker.child == 0) {
        CHECK_INT(result, LOOP_EFORKED);
        CHECK_INT(loop_close(forker.loop), 0);
        loop_unref(forker.loop);
    }
    /* A run counts 1 and a destructor 1: in the child there were no runs. */
    for (int i = 0; i < QUEUED; i++)
        CHECK_INT(runs[i], (forker.child != 0) + (i % 4 != 0));
    if (forker.child == 0) {
        CHECK_INT(ends, 1);
        exit(0);
    }
    CHECK_INT(result, 0);
    CHECK_INT(end_of(forker.child), 0);
    CHECK_INT(ends, 0);
    CHECK_INT(loop_close(forker.loop), 0);
    loop_unref(forker.loop);
    CHECK_INT(ends, 1);
}

/* Each generation forks the next one inside a callback of its own new loop. */
static void generation(int depth) {
    struct forker forker = {.loop = loop_new(), .kind = depth % KINDS};
    make_pipe(forker.ends);
    schedule(&forker);
    int result = loop_run_forever(forker.loop);
    if (forker.child == 0) {
        CHECK_INT(result, LOOP_EFORKED);
        CHECK_INT(loop_call_soon(forker.loop, never, NULL, NULL, NULL), LOOP_EFORKED);
        if (depth < 10)
            generation(depth + 1);
        CHECK_INT(loop_call_soon(forker.loop, never, NULL, NULL, NULL), LOOP_EFORKED);
    } else {
        CHECK_INT(result, 0);
        CHECK_INT(end_of(forker.child), 0);
        CHECK_INT(loop_run_once(forker.loop, 0), 0);
    }
    CHECK_INT(loop_close(forker.loop), 0);
    loop_unref(forker.loop);
    close(forker.ends[0]);
    close(forker.ends[1]);
    /* A child unwinds through the frames of its ancestors: their loops, too,
     * are closed in it. */
}

TEST(F19_ten_generations_deep) {
    generation(1);
}

/* clone() as a fork that no pthread_atfork handler sees. */
static pid_t raw_clone(void) {
    fflush(NULL);
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void clone_inside(void *user_data) {
    struct forker *forker = user_data;
    forker->child = raw_clone();
    CHECK(forker->child >= 0);
    if (forker->child == 0) {
        nothing_runs(forker);
        CHECK_INT(loop_call_soon(forker->loop, never, NULL, NULL, NULL), LOOP_EFORKED);
        CHECK_INT(loop_close(forker->loop), 0);
        run_own_loop(forker);
    }
    if (forker->child != 0)
        CHECK_INT(loop_stop(forker->loop), 0);
}

TEST(E8_a_raw_clone_counts_as_a_fork) {
    struct witness witness;
    witness_open(&witness);
    struct forker forker = {.loop = witness.loop};
    CHECK_INT(loop_call_soon(forker.loop, clone_inside, &forker, NULL, NULL), 0);
    int result = loop_run_forever(forker.loop);
    if (forker.child == 0) {
        CHECK_INT(result, LOOP_EFORKED);
        loop_unref(forker.loop);
        exit(0);
    }
    CHECK_INT(result, 0);
    CHECK_INT(end_of(forker.child), 0);
    witness_check(&witness);
    witness_close(&witness);
}

/* vfork: the child shares this memory until it ends or becomes a program. */
__attribute__((noinline)) static int end_of_vforked(const char *program) {
    char *const arguments[] = {"true", NULL};
    pid_t child = vfork();
    if (child == 0) {
        if (program != NULL)
            execv(program, arguments);
        _exit(7);
    }
    return end_of(child);
}

static void start_programs(void *user_data) {
    struct forker *forker = user_data;
    char *const arguments[] = {"true", NULL};
    loop_t *running = NULL;
    pid_t child;
    CHECK_INT(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ), 0);
    CHECK_INT(end_of(child), 0);
    CHECK_INT(end_of_vforked("/bin/true"), 0);
    CHECK_INT(end_of_vforked(NULL), 7);
    CHECK_INT(system("exit 3"), 3 << 8);
    CHECK_INT(loop_get_running(&running), 0);
    CHECK(running == forker->loop);
    CHECK_INT(loop_is_running(forker->loop), 1);
    forker->calls++;
    CHECK_INT(loop_call_soon(forker->loop, stop_loop, forker->loop, NULL, NULL), 0);
}

TEST(F16_vfork_and_posix_spawn_change_nothing) {
    struct witness witness;
    loop_t *current = NULL, *same = NULL;
    uint64_t instance = coloop_instance_id();
    witness_open(&witness);
    CHECK_INT(policy_get_event_loop(&current), 0);
    struct forker forker = {.loop = witness.loop};
    CHECK_INT(loop_call_soon(forker.loop, start_programs, &forker, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(forker.loop), 0);
    CHECK_INT(forker.calls, 1);
    CHECK_INT(policy_get_event_loop(&same), 0);
    CHECK(same == current);
    CHECK(coloop_instance_id() == instance);
    witness_check(&witness);
    witness_close(&witness);
    CHECK_INT(policy_set_event_loop(NULL), 0);
}
