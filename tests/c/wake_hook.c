/* The wake hook: how a loop calls the host that waits in its stead. */
#include "child.h"
#include <unistd.h>

struct hooked {
    loop_t *loop;
    int calls, ran, destroyed, asleep[2];
    pthread_t caller;
};

static void on_wake(loop_t *loop, void *user_data) {
    struct hooked *hooked = user_data;
    CHECK(loop == hooked->loop);
    hooked->calls++;
    hooked->caller = pthread_self();
}

static void hooked_destroyed(void *user_data) {
    ((struct hooked *)user_data)->destroyed++;
}

static void hooked_open(struct hooked *hooked) {
    memset(hooked, 0, sizeof *hooked);
    hooked->loop = loop_new();
    make_pipe(hooked->asleep);
    CHECK_INT(loop_set_wake_hook(hooked->loop, on_wake, hooked, hooked_destroyed), 0);
}

static void hooked_close(struct hooked *hooked) {
    CHECK_INT(hooked->destroyed, 0);
    CHECK_INT(loop_close(hooked->loop), 0);
    CHECK_INT(hooked->destroyed, 1);
    loop_unref(hooked->loop);
    CHECK_INT(hooked->destroyed, 1);
}

static void prepare(struct hooked *hooked) {
    int64_t timeout = 0;
    CHECK_INT(loop_prepare(hooked->loop, &timeout), 0);
    CHECK(timeout != 0);
}

static void post(struct hooked *hooked) {
    CHECK_INT(loop_call_soon_threadsafe(hooked->loop, count, &hooked->ran, NULL, NULL), 0);
}

static void *post_from_thread(void *user_data) {
    post(user_data);
    return NULL;
}

TEST(the_wake_hook_is_called_on_the_posters_thread) {
    struct hooked hooked;
    pthread_t thread;
    hooked_open(&hooked);
    prepare(&hooked);
    CHECK_INT(pthread_create(&thread, NULL, post_from_thread, &hooked), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(hooked.calls, 1);
    CHECK(!pthread_equal(hooked.caller, pthread_self()));
    CHECK_INT(loop_poll(hooked.loop, 0), 0);
    CHECK_INT(loop_dispatch(hooked.loop), 1);
    hooked_close(&hooked);
}

TEST(the_wake_hook_is_called_at_most_once_for_each_prepare) {
    struct hooked hooked;
    hooked_open(&hooked);
    post(&hooked); /* nobody waits yet */
    CHECK_INT(hooked.calls, 0);
    CHECK_INT(loop_dispatch(hooked.loop), 1);
    for (int round = 1; round <= 3; round++) {
        prepare(&hooked);
        for (int i = 0; i < 5; i++)
            post(&hooked);
        CHECK_INT(loop_call_soon(hooked.loop, count, &hooked.ran, NULL, NULL), 0);
        CHECK_INT(loop_call_at(hooked.loop, 0, count, &hooked.ran, NULL, NULL), 0);
        CHECK_INT(hooked.calls, round);
        CHECK_INT(loop_poll(hooked.loop, 0), 0);
        post(&hooked); /* the host is awake */
        CHECK_INT(hooked.calls, round);
        CHECK_INT(loop_dispatch(hooked.loop), 8);
    }
    hooked_close(&hooked);
}

TEST(the_wake_hook_is_called_for_a_nearer_deadline_only) {
    struct hooked hooked;
    hooked_open(&hooked);
    uint64_t far = loop_time(hooked.loop) + 3600000 * (uint64_t)MS;
    loop_handle_t timer, other;
    CHECK_INT(loop_call_at(hooked.loop, far, never, NULL, NULL, &timer), 0);
    prepare(&hooked);
    CHECK_INT(loop_call_at(hooked.loop, far + 1, never, NULL, NULL, &other), 0);
    CHECK_INT(loop_call_at(hooked.loop, far, never, NULL, NULL, NULL), 0);
    CHECK_INT(loop_handle_reschedule(hooked.loop, other, far + 5), 0);
    CHECK_INT(loop_handle_cancel(hooked.loop, other), 0);
    CHECK_INT(hooked.calls, 0);
    CHECK_INT(loop_handle_reschedule(hooked.loop, timer, far - 1), 0);
    CHECK_INT(hooked.calls, 1);
    CHECK(pthread_equal(hooked.caller, pthread_self()));
    prepare(&hooked);
    CHECK_INT(loop_call_at(hooked.loop, far - 2, never, NULL, NULL, NULL), 0);
    CHECK_INT(hooked.calls, 2);
    /* The loop that waits for ever: any timer is nearer. */
    hooked_close(&hooked);
    hooked_open(&hooked);
    prepare(&hooked);
    CHECK_INT(loop_call_later(hooked.loop, 3600000 * MS, never, NULL, NULL, NULL), 0);
    CHECK_INT(hooked.calls, 1);
    hooked_close(&hooked);
}

TEST(the_wake_hook_is_called_when_the_host_itself_schedules) {
    struct hooked hooked;
    hooked_open(&hooked);
    prepare(&hooked);
    CHECK_INT(loop_call_soon(hooked.loop, count, &hooked.ran, NULL, NULL), 0);
    CHECK_INT(hooked.calls, 1);
    CHECK_INT(loop_poll(hooked.loop, 0), 0);
    CHECK_INT(loop_dispatch(hooked.loop), 1);
    hooked_close(&hooked);
}

static void falls_asleep(loop_t *loop, void *user_data) {
    (void)loop;
    tell(((struct hooked *)user_data)->asleep[1]);
}

static void *stop_sleeper(void *user_data) {
    struct hooked *hooked = user_data;
    hear(hooked->asleep[0]);
    CHECK_INT(loop_stop_threadsafe(hooked->loop), 0);
    return NULL;
}

TEST(the_wake_hook_is_not_called_when_the_loop_waits_itself) {
    struct hooked hooked;
    pthread_t thread;
    hooked_open(&hooked);
    CHECK_INT(loop_set_wait_hooks(hooked.loop, falls_asleep, NULL, &hooked, NULL), 0);
    CHECK_INT(pthread_create(&thread, NULL, stop_sleeper, &hooked), 0);
    CHECK_INT(loop_run_forever(hooked.loop), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(hooked.calls, 0);
    hooked_close(&hooked);
}

TEST(a_replaced_wake_hook_is_destroyed_and_not_called) {
    struct hooked old, new;
    hooked_open(&old);
    new = old;
    prepare(&old);
    CHECK_INT(loop_set_wake_hook(old.loop, on_wake, &new, hooked_destroyed), 0);
    CHECK_INT(old.destroyed, 1);
    post(&old);
    CHECK_INT(old.calls, 0);
    CHECK_INT(new.calls, 1);
    CHECK_INT(loop_poll(old.loop, 0), 0);
    CHECK_INT(loop_dispatch(old.loop), 1);
    CHECK_INT(loop_set_wake_hook(old.loop, NULL, NULL, NULL), 0);
    CHECK_INT(new.destroyed, 1);
    prepare(&old);
    post(&old);
    CHECK_INT(new.calls, 1);
    loop_unref(old.loop);
    CHECK_INT(new.destroyed, 1);
}

TEST(a_refused_wake_hook_is_destroyed) {
    struct hooked hooked = {.loop = loop_new()};
    CHECK_INT(loop_set_wake_hook(NULL, on_wake, &hooked, hooked_destroyed), LOOP_EINVAL);
    CHECK_INT(hooked.destroyed, 1);
    CHECK_INT(loop_close(hooked.loop), 0);
    CHECK_INT(loop_set_wake_hook(hooked.loop, on_wake, &hooked, hooked_destroyed), LOOP_ECLOSED);
    CHECK_INT(hooked.destroyed, 2);
    loop_unref(hooked.loop);
}

/* The hook may schedule: a host's hook often posts to its own loop. */
static void post_in_hook(loop_t *loop, void *user_data) {
    CHECK_INT(loop_call_soon_threadsafe(loop, count, user_data, NULL, NULL), 0);
    CHECK_INT(loop_set_wake_hook(loop, NULL, NULL, NULL), 0);
}

TEST(the_wake_hook_may_post_and_may_end_itself) {
    loop_t *loop = loop_new();
    int ran = 0;
    int64_t timeout;
    CHECK_INT(loop_set_wake_hook(loop, post_in_hook, &ran, NULL), 0);
    CHECK_INT(loop_prepare(loop, &timeout), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_poll(loop, 0), 0);
    CHECK_INT(loop_dispatch(loop), 2);
    CHECK_INT(ran, 2);
    loop_unref(loop);
}
