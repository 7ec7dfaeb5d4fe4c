/* How an embedding ends: the loop first or the host first, inside callbacks of
 * both, in forked children; and what goes wrong on the way. */
#include "../c/child.h"
#include "coloop/adapters/glib.h"
#include "coloop/adapters/uv.h"
#include "hosts.h"
#include <errno.h>
#include <sys/resource.h>

TEST_IN_HOSTS(a_released_loop_is_open_and_can_be_embedded_again) {
    int ran = 0;
    host->kind->iterate(host, 0);
    host_release(host);
    CHECK_INT(loop_call_soon(host->loop, count, &ran, NULL, NULL), 0);
    for (int i = 0; i < 3; i++)
        host->kind->iterate(host, 0);
    CHECK_INT(ran, 0);
    CHECK_INT(loop_run_once(host->loop, 0), 1);
    host->embedded = host->kind->embed(host, host->loop);
    CHECK_INT(loop_call_soon(host->loop, count, &ran, NULL, NULL), 0);
    host->kind->iterate(host, 0);
    CHECK_INT(ran, 2);
}

TEST_IN_HOSTS(embedding_again_and_again_leaves_no_descriptor_open) {
    int before = 0;
    for (int round = 0; round < 20; round++) {
        host->kind->iterate(host, 0);
        host_release(host);
        host->kind->iterate(host, 0);
        if (round == 0)
            before = open_fds();
        host->embedded = host->kind->embed(host, host->loop);
    }
    host_release(host);
    host->kind->iterate(host, 0);
    CHECK_INT(open_fds(), before);
}

TEST_IN_HOSTS(an_embedding_that_never_ran_can_end) {
    host_release(host);
}

TEST_IN_HOSTS(a_closed_loop_ends_its_embedding) {
    int ran = 0, destroyed = 0;
    host->kind->iterate(host, 0);
    CHECK_INT(loop_call_soon(host->loop, count, &ran, count, NULL), 0);
    CHECK_INT(loop_call_later(host->loop, MS, never, &destroyed, count, NULL), 0);
    CHECK_INT(loop_close(host->loop), 0);
    CHECK_INT(ran + destroyed, 2); /* both only destroyed */
    for (int i = 0; i < 3; i++)
        host->kind->iterate(host, 0);
    /* Its numbers may mean something else by now, which the host must not meet. */
    int ends[2];
    make_pipe(ends);
    tell(ends[1]);
    host->waits = 0;
    host->kind->call_later(host, 20, host_quit, host);
    host_run(host);
    CHECK(host->waits <= 6);
}

static void close_it(void *data) {
    CHECK_INT(loop_close(((struct host *)data)->loop), 0);
}

TEST_IN_HOSTS(a_host_callback_may_close_the_loop) {
    host->kind->call_later(host, 1, close_it, host);
    host->kind->call_later(host, 20, host_quit, host);
    host_run(host);
    CHECK_INT(loop_is_closed(host->loop), 1);
}

static void release_it(void *data) {
    CHECK_INT(loop_close(((struct host *)data)->loop), LOOP_ERUNNING);
    host_release(data);
}

TEST_IN_HOSTS(a_callback_of_the_loop_may_end_the_embedding) {
    int ran = 0;
    CHECK_INT(loop_call_soon(host->loop, release_it, host, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(host->loop, count, &ran, NULL, NULL), 0);
    host->kind->iterate(host, 0);
    CHECK_INT(ran, 1); /* the turn goes on */
    CHECK_INT(loop_call_soon(host->loop, count, &ran, NULL, NULL), 0);
    host->kind->iterate(host, 0);
    CHECK_INT(ran, 1);
}

static void release_and_close(void *data) {
    host_release(data);
    close_it(data);
}

TEST_IN_HOSTS(a_host_callback_may_end_both) {
    CHECK_INT(loop_call_later(host->loop, 3600000 * MS, never, NULL, NULL, NULL), 0);
    host->kind->call_later(host, 1, release_and_close, host);
    host->kind->call_later(host, 20, host_quit, host);
    host_run(host);
}

/* The embedding's reference keeps a loop that nobody else has. */
static void drop_it(void *loop) {
    loop_unref(loop);
}

TEST_IN_HOSTS(the_embedding_holds_the_loop) {
    loop_ref(host->loop);
    CHECK_INT(loop_call_soon(host->loop, drop_it, host->loop, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(host->loop, drop_it, host->loop, NULL, NULL), 0);
    host->kind->iterate(host, 0);
    host_release(host);
    host->kind->iterate(host, 0);
    host->loop = NULL; /* freed with the embedding */
}

/* Forked children. */
struct family {
    struct host *host;
    int ran, forks, keeps;
};

static void child_ran(void *data) {
    ((struct family *)data)->ran++;
}

static void *post_later(void *data) {
    struct family *family = data;
    sleep_ns(10 * MS); /* the host sleeps by then, most of the time */
    CHECK_INT(loop_call_soon_threadsafe(family->host->loop, child_ran, family, NULL, NULL), 0);
    return NULL;
}

static void check_wakes(struct family *family) {
    pthread_t thread;
    int before = family->ran;
    CHECK_INT(pthread_create(&thread, NULL, post_later, family), 0);
    HOST_UNTIL(family->host, family->ran > before);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

/* Before the host finds that the loop is the parent's, and ends the embedding. */
static void claim_in_child(struct family *family) {
    family->host->kind->after_fork(family->host);
    if (family->keeps)
        CHECK_INT(loop_reinit_after_fork(family->host->loop, LOOP_REINIT_KEEP_IO), 0);
}

static void use_in_child(struct family *family) {
    struct host *host = family->host;
    if (family->keeps) {
        check_wakes(family);
        check_wakes(family);
    } else {
        for (int i = 0; i < 3; i++)
            host->kind->iterate(host, 0);
        host->waits = 0;
        host->kind->call_later(host, 20, host_quit, host);
        host_run(host);
        CHECK(host->waits <= 6);
        CHECK_INT(loop_call_soon(host->loop, child_ran, family, NULL, NULL), LOOP_EFORKED);
    }
    host_close(host);
    leave_child(0);
}

static void fork_here(void *data) {
    struct family *family = data;
    pid_t child = start_child();
    if (child == 0) {
        family->forks = -1;
        claim_in_child(family);
        return; /* out of the turn, as a library's fork would */
    }
    CHECK_INT(end_of(child), 0);
    family->forks++;
}

TEST_IN_HOSTS(a_child_forked_between_turns_does_the_parent_no_harm) {
    struct family family = {.host = host};
    int ends[2], reads = 0;
    make_pipe(ends);
    CHECK_INT(loop_add_reader(host->loop, ends[0], count, &reads, NULL), 0);
    for (family.keeps = 0; family.keeps < 2; family.keeps++) {
        host->kind->iterate(host, 0);
        pid_t child = start_child();
        if (child == 0) {
            claim_in_child(&family);
            use_in_child(&family);
        }
        CHECK_INT(end_of(child), 0);
        check_wakes(&family);
    }
}

TEST_IN_HOSTS(a_child_forked_in_a_callback_does_the_parent_no_harm) {
    struct family family = {.host = host};
    for (family.keeps = 0; family.keeps < 2; family.keeps++) {
        int before = family.forks;
        CHECK_INT(loop_call_soon(host->loop, fork_here, &family, NULL, NULL), 0);
        CHECK_INT(loop_call_soon(host->loop, child_ran, &family, NULL, NULL), 0);
        host->kind->iterate(host, 0);
        if (family.forks < 0) {
            CHECK_INT(family.ran, family.keeps * 2); /* the rest of the turn is the parent's */
            use_in_child(&family);
        }
        CHECK_INT(family.forks, before + 1);
        check_wakes(&family);
    }
}

/* Without descriptors the loop cannot be waited for. It goes on all the same,
 * says so once, and is woken again when there are some. */
struct failure {
    struct host *host;
    int reports, code, ran;
};

static void on_failure(loop_t *loop, const loop_exception_context_t *context, void *data) {
    struct failure *failure = data;
    CHECK(loop == failure->host->loop);
    CHECK_STR(context->message, "The embedded event loop cannot wait");
    failure->reports++;
    failure->code = context->code;
}

static void ran_without(void *data) {
    ((struct failure *)data)->ran++;
}

TEST_IN_HOSTS(without_descriptors_the_loop_goes_on_and_says_so_once) {
    struct failure failure = {.host = host};
    struct rlimit old, none;
    CHECK_INT(loop_set_exception_handler(host->loop, on_failure, &failure, NULL), 0);
    host->kind->call_later(host, 1, host_quit, host);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 1; i <= 4; i++) {
        CHECK_INT(loop_call_soon(host->loop, ran_without, &failure, NULL, NULL), 0);
        HOST_UNTIL(host, failure.ran == i);
    }
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    CHECK_INT(failure.reports, 1);
    CHECK_INT(failure.code, -EMFILE);
    for (int i = 5; i <= 6; i++) {
        host->kind->iterate(host, 0);
        CHECK_INT(loop_call_soon_threadsafe(host->loop, ran_without, &failure, NULL, NULL), 0);
        HOST_UNTIL(host, failure.ran == i);
    }
    CHECK_INT(failure.reports, 1);
}

/* The loop has its descriptors, but libuv gets none for its watch. */
TEST(uv_without_a_descriptor_for_its_watch_says_so_once) {
    struct host host;
    struct failure failure = {.host = &host};
    struct rlimit old, none;
    host_open(&host, &uv_kind);
    CHECK_INT(loop_set_exception_handler(host.loop, on_failure, &failure, NULL), 0);
    CHECK(loop_backend_fd(host.loop) >= 0);
    int next = dup(0);
    close(next);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = (rlim_t)next;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 1; i <= 4; i++) {
        CHECK_INT(loop_call_soon_threadsafe(host.loop, ran_without, &failure, NULL, NULL), 0);
        HOST_UNTIL(&host, failure.ran == i);
    }
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    CHECK_INT(failure.reports, 1);
    CHECK_INT(failure.code, -EMFILE);
    host_close(&host);
}

TEST(nothing_to_embed_is_refused) {
    uv_loop_t uv;
    loop_t *loop = loop_new();
    coloop_uv_t *bridge = NULL;
    CHECK_INT(uv_loop_init(&uv), 0);
    CHECK(coloop_glib_source_new(NULL) == NULL);
    CHECK_INT(coloop_uv_open(NULL, loop, &bridge), LOOP_EINVAL);
    CHECK_INT(coloop_uv_open(&uv, NULL, &bridge), LOOP_EINVAL);
    CHECK_INT(coloop_uv_open(&uv, loop, NULL), LOOP_EINVAL);
    CHECK(bridge == NULL);
    coloop_uv_close(NULL);
    CHECK_INT(uv_loop_close(&uv), 0);
    loop_unref(loop);
}

/* uv_run ends by itself when only an unreferenced bridge is left. */
TEST(uv_does_not_wait_for_a_bridge_without_reference) {
    struct host host;
    int ran = 0;
    host_open(&host, &uv_kind);
    CHECK_INT(loop_call_later(host.loop, 3600000 * MS, never, NULL, NULL, NULL), 0);
    host.kind->iterate(&host, 0);
    coloop_uv_unref(host.embedded);
    host_run(&host);
    coloop_uv_ref(host.embedded);
    CHECK_INT(loop_call_soon(host.loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(host.loop, host_quit, &host, NULL, NULL), 0);
    host_run(&host);
    CHECK_INT(ran, 1);
    host_close(&host);
}

/* libuv inside a third loop: that one asks how long it may wait, after a turn. */
static void schedule_one_more(void *data) {
    CHECK_INT(loop_call_soon(data, count, calloc(1, sizeof(int)), free, NULL), 0);
}

TEST(uv_backend_timeout_knows_what_the_loop_has_to_do) {
    uv_loop_t uv;
    loop_t *loop = loop_new();
    coloop_uv_t *bridge = NULL;
    CHECK_INT(uv_loop_init(&uv), 0);
    CHECK_INT(coloop_uv_open(&uv, loop, &bridge), 0);
    uv_run(&uv, UV_RUN_NOWAIT);
    CHECK_INT(uv_backend_timeout(&uv), -1);
    CHECK_INT(loop_call_soon(loop, schedule_one_more, loop, NULL, NULL), 0);
    uv_run(&uv, UV_RUN_NOWAIT);
    CHECK_INT(uv_backend_timeout(&uv), 0);
    uv_run(&uv, UV_RUN_NOWAIT);
    CHECK_INT(uv_backend_timeout(&uv), -1);
    CHECK_INT(loop_call_later(loop, 3600000 * MS, never, NULL, NULL, NULL), 0);
    uv_run(&uv, UV_RUN_NOWAIT);
    CHECK(uv_backend_timeout(&uv) > 3500000);
    coloop_uv_close(bridge);
    loop_unref(loop);
    CHECK_INT(uv_run(&uv, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(&uv), 0);
}
