/* Memory that runs out: -ENOMEM (or NULL), nothing lost, nothing destroyed
 * twice, never the end of the process. */
#include "child.h"
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

/* valgrind brings a malloc of its own, which no limit of the system reaches. */
#define NOT_IN_VALGRIND() do { if (in_valgrind()) return; } while (0)

static struct rlimit unlimited;

static void limit_memory(long more_megabytes) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    CHECK_INT(getrlimit(RLIMIT_AS, &unlimited), 0);
    struct rlimit limit = unlimited;
    limit.rlim_cur = (rlim_t)(pages * sysconf(_SC_PAGESIZE) + more_megabytes * 1048576);
    CHECK_INT(setrlimit(RLIMIT_AS, &limit), 0);
}

static void lift_limit(void) {
    CHECK_INT(setrlimit(RLIMIT_AS, &unlimited), 0);
}

/* Takes every block the allocator still has; a list, so that it can give them back. */
struct block {
    struct block *next;
};

static struct block *taken;

static void take_all_memory(void) {
    limit_memory(8);
    /* Small blocks of every size: the allocator keeps them apart. */
    for (size_t size = 1 << 20; size >= 16; size = size > 1024 ? size / 2 : size - 16) {
        struct block *block;
        while ((block = malloc(size)) != NULL) {
            block->next = taken;
            taken = block;
        }
    }
}

static void give_memory_back(void) {
    lift_limit();
    while (taken != NULL) {
        struct block *block = taken;
        taken = block->next;
        free(block);
    }
}

/* Schedules until memory ends; the destructor is only for the one that failed. */
enum way { SOON, SOON_HANDLE, TIMER, POST, POST_HANDLE, WAYS };

static int ran, destroyed;

static void run_one(void *user_data) {
    (void)user_data;
    ran++;
}

static void destroy_one(void *user_data) {
    (void)user_data;
    destroyed++;
}

static int schedule(loop_t *loop, enum way way) {
    loop_handle_t handle = 77;
    switch (way) {
    case SOON:
        return loop_call_soon(loop, run_one, NULL, NULL, NULL);
    case SOON_HANDLE:
        return loop_call_soon(loop, run_one, NULL, destroy_one, &handle);
    case TIMER:
        return loop_call_at(loop, 0, run_one, NULL, destroy_one, NULL);
    case POST:
        return loop_call_soon_threadsafe(loop, run_one, NULL, NULL, NULL);
    default:
        return loop_call_soon_threadsafe(loop, run_one, NULL, destroy_one, &handle);
    }
}

static void exhaust(enum way way) {
    int scheduled = 0, result;
    loop_t *loop = loop_new();
    ran = destroyed = 0;
    limit_memory(48);
    while ((result = schedule(loop, way)) == 0)
        scheduled++;
    CHECK_INT(result, -ENOMEM);
    CHECK(scheduled > 100000);
    CHECK_INT(destroyed, way == SOON || way == POST ? 0 : 1);
    CHECK_INT(schedule(loop, way), -ENOMEM);
    /* Turns without memory may fail, but lose nothing. */
    for (int turn = 0; turn < 3; turn++) {
        result = loop_run_once(loop, 0);
        CHECK(result >= 0 || result == -ENOMEM);
    }
    lift_limit();
    do
        result = loop_run_once(loop, 0);
    while (result > 0);
    CHECK_INT(result, 0);
    CHECK_INT(ran, scheduled);
    CHECK_INT(destroyed, way == SOON || way == POST ? 0 : scheduled + 2);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(call_soon_without_memory_loses_nothing) {
    NOT_IN_VALGRIND();
    exhaust(SOON);
    exhaust(SOON_HANDLE);
}

TEST(timers_without_memory_are_not_lost) {
    NOT_IN_VALGRIND();
    exhaust(TIMER);
}

TEST(posts_without_memory_are_not_lost) {
    NOT_IN_VALGRIND();
    exhaust(POST);
    exhaust(POST_HANDLE);
}

TEST(a_loop_closed_without_memory_destroys_everything_once) {
    NOT_IN_VALGRIND();
    for (enum way way = SOON_HANDLE; way < WAYS; way++) {
        int scheduled = 0;
        loop_t *loop = loop_new();
        ran = destroyed = 0;
        limit_memory(48);
        while (schedule(loop, way) == 0)
            scheduled++;
        CHECK_INT(loop_close(loop), 0);
        lift_limit();
        CHECK_INT(ran, 0);
        CHECK_INT(destroyed, way == POST ? 0 : scheduled + 1);
        loop_unref(loop);
    }
}

/* One call of each kind with no memory at all, in a child of its own: an abort
 * would be its end. Exit status 1 is a failed check. */
static void no_loop(void *user_data) {
    (void)user_data;
    take_all_memory();
    loop_t *loop = loop_new();
    loop_t *created = (loop_t *)&taken;
    int result = loop_create(NULL, &created);
    give_memory_back();
    CHECK(loop == NULL);
    CHECK_INT(result, -ENOMEM);
    CHECK(created == (loop_t *)&taken);
}

TEST(loop_new_without_memory_yields_NULL) {
    NOT_IN_VALGRIND();
    CHECK_INT(in_child(no_loop, NULL), 0);
}

static void no_schedule(void *user_data) {
    enum way way = *(enum way *)user_data;
    loop_t *loop = loop_new();
    int result;
    take_all_memory();
    /* Room that is left from before may be used up first. */
    for (int i = 0; (result = schedule(loop, way)) == 0 && i < 100000; i++) {
    }
    give_memory_back();
    CHECK_INT(result, -ENOMEM);
    loop_unref(loop);
}

TEST(scheduling_without_any_memory_is_refused) {
    NOT_IN_VALGRIND();
    for (enum way way = SOON; way < WAYS; way++)
        CHECK_INT(in_child(no_schedule, &way), 0);
}

static void no_boxed_post(void *user_data) {
    (void)user_data;
    loop_t *loop = loop_new();
    int result;
    take_all_memory();
    do
        result = loop_call_soon_threadsafe(loop, run_one, NULL, destroy_one, NULL);
    while (result == 0);
    give_memory_back();
    CHECK_INT(result, -ENOMEM);
    CHECK_INT(destroyed, 1);
    loop_unref(loop);
}

TEST(a_post_with_data_but_no_handle_is_refused_without_memory) {
    NOT_IN_VALGRIND();
    CHECK_INT(in_child(no_boxed_post, NULL), 0);
}

static void no_reader(void *user_data) {
    int ends[2], results[2];
    (void)user_data;
    make_pipe(ends);
    loop_t *loop = loop_new();
    take_all_memory();
    results[0] = loop_add_reader(loop, ends[0], run_one, NULL, destroy_one);
    results[1] = open_backend(loop);
    give_memory_back();
    CHECK_INT(results[0], -ENOMEM);
    CHECK(results[1] >= 0 || results[1] == -ENOMEM);
    CHECK_INT(destroyed, 1);
    loop_unref(loop);
}

TEST(a_reader_without_memory_is_refused) {
    NOT_IN_VALGRIND();
    CHECK_INT(in_child(no_reader, NULL), 0);
}

static void ignore(loop_t *loop, void *user_data) {
    (void)loop, (void)user_data;
}

static void no_hooks(void *user_data) {
    loop_context_hooks_t hooks = {.size = sizeof hooks};
    loop_t *loop = loop_new();
    int results[3];
    (void)user_data;
    take_all_memory();
    results[0] = loop_set_wait_hooks(loop, ignore, ignore, NULL, destroy_one);
    results[1] = loop_set_wake_hook(loop, ignore, NULL, destroy_one);
    results[2] = loop_set_context_hooks(loop, &hooks, NULL, destroy_one);
    give_memory_back();
    for (int i = 0; i < 3; i++)
        CHECK_INT(results[i], -ENOMEM);
    CHECK_INT(destroyed, 3);
    loop_unref(loop);
}

TEST(hooks_without_memory_are_refused_and_destroyed) {
    NOT_IN_VALGRIND();
    CHECK_INT(in_child(no_hooks, NULL), 0);
}

static void no_context(void *user_data) {
    loop_context_hooks_t hooks = {.size = sizeof hooks};
    loop_t *loop = loop_new();
    int result;
    (void)user_data;
    CHECK_INT(loop_set_context_hooks(loop, &hooks, NULL, NULL), 0);
    take_all_memory();
    do
        result = loop_call_soon_context(loop, run_one, NULL, NULL, &hooks, NULL);
    while (result == 0);
    give_memory_back();
    CHECK_INT(result, -ENOMEM);
    loop_unref(loop);
}

TEST(a_callback_in_a_context_is_refused_without_memory) {
    NOT_IN_VALGRIND();
    CHECK_INT(in_child(no_context, NULL), 0);
}

static void no_description(void *user_data) {
    char text[128] = "";
    loop_t *loop = loop_new();
    (void)user_data;
    take_all_memory();
    int length = loop_describe(loop, text, sizeof text);
    int failed = loop_run_once(NULL, 0);
    const char *error = loop_last_error();
    char first = error[0];
    give_memory_back();
    CHECK(length > 0 || length == -ENOMEM);
    CHECK_INT(failed, LOOP_EINVAL);
    CHECK(first != '\0');
    loop_unref(loop);
}

TEST(descriptions_and_messages_without_memory_do_not_end_the_process) {
    NOT_IN_VALGRIND();
    CHECK_INT(in_child(no_description, NULL), 0);
}
