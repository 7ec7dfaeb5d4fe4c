/* NULL for every pointer of every function: LOOP_EINVAL or the documented
 * answer, the destructor run, nothing else touched. */
#include "child.h"

static void hook(loop_t *loop, void *user_data) {
    (void)loop, (void)user_data;
}

static void handler(loop_t *loop, const loop_exception_context_t *context, void *user_data) {
    (void)loop, (void)context, (void)user_data;
}

static void slow_hook(loop_t *loop, const loop_slow_callback_t *report, void *user_data) {
    (void)loop, (void)report, (void)user_data;
}

#define REFUSED(call)                                  \
    do {                                               \
        CHECK_INT(call, LOOP_EINVAL);                  \
        CHECK(*loop_last_error() != '\0');             \
    } while (0)

static int destroyed, given;

#define REFUSED_DATA(call)                             \
    do {                                               \
        REFUSED(call);                                 \
        CHECK_INT(destroyed, ++given);                 \
    } while (0)

TEST(no_loop_is_refused_by_every_scheduling_function) {
    int *d = &destroyed, context;
    loop_handle_t h = 77;
    REFUSED_DATA(loop_call_soon(NULL, never, d, count, &h));
    REFUSED_DATA(loop_call_soon_context(NULL, never, d, count, &context, &h));
    REFUSED_DATA(loop_call_soon_threadsafe(NULL, never, d, count, &h));
    REFUSED_DATA(loop_call_soon_threadsafe_context(NULL, never, d, count, &context, &h));
    REFUSED_DATA(loop_call_later(NULL, 0, never, d, count, &h));
    REFUSED_DATA(loop_call_later_context(NULL, 0, never, d, count, &context, &h));
    REFUSED_DATA(loop_call_at(NULL, 0, never, d, count, &h));
    REFUSED_DATA(loop_call_at_context(NULL, 0, never, d, count, &context, &h));
    REFUSED_DATA(loop_add_reader(NULL, 0, never, d, count));
    REFUSED_DATA(loop_add_reader_context(NULL, 0, never, d, count, &context));
    REFUSED_DATA(loop_add_writer(NULL, 0, never, d, count));
    REFUSED_DATA(loop_add_writer_context(NULL, 0, never, d, count, &context));
    CHECK(h == 77);
}

TEST(no_callback_is_refused_by_every_scheduling_function) {
    loop_t *loop = loop_new();
    loop_context_hooks_t hooks = {.size = sizeof hooks};
    int *d = &destroyed, context;
    loop_handle_t h = 77;
    CHECK_INT(loop_set_context_hooks(loop, &hooks, NULL, NULL), 0);
    REFUSED_DATA(loop_call_soon(loop, NULL, d, count, &h));
    REFUSED_DATA(loop_call_soon_context(loop, NULL, d, count, &context, &h));
    REFUSED_DATA(loop_call_soon_threadsafe(loop, NULL, d, count, &h));
    REFUSED_DATA(loop_call_soon_threadsafe_context(loop, NULL, d, count, &context, &h));
    REFUSED_DATA(loop_call_later(loop, 0, NULL, d, count, &h));
    REFUSED_DATA(loop_call_later_context(loop, 0, NULL, d, count, &context, &h));
    REFUSED_DATA(loop_call_at(loop, 0, NULL, d, count, &h));
    REFUSED_DATA(loop_call_at_context(loop, 0, NULL, d, count, &context, &h));
    REFUSED_DATA(loop_add_reader(loop, 0, NULL, d, count));
    REFUSED_DATA(loop_add_reader_context(loop, 0, NULL, d, count, &context));
    REFUSED_DATA(loop_add_writer(loop, 0, NULL, d, count));
    REFUSED_DATA(loop_add_writer_context(loop, 0, NULL, d, count, &context));
    CHECK(h == 77);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_unref(loop);
}

TEST(no_loop_is_refused_by_every_other_function) {
    loop_exception_context_t failure = {.size = sizeof failure, .fd = -1};
    loop_context_hooks_t hooks = {.size = sizeof hooks};
    int *d = &destroyed;
    uint64_t when = 77;
    int64_t timeout = 77;
    char text[8] = "x";
    CHECK(loop_ref(NULL) == NULL);
    loop_unref(NULL);
    REFUSED(loop_close(NULL));
    REFUSED(loop_run_forever(NULL));
    REFUSED(loop_stop(NULL));
    REFUSED(loop_stop_threadsafe(NULL));
    REFUSED(loop_interrupt(NULL, 1));
    CHECK(loop_is_running(NULL) <= 0);
    CHECK(loop_is_closed(NULL) <= 0);
    CHECK_INT(loop_time(NULL), 0);
    CHECK_INT(loop_time_cached(NULL), 0);
    REFUSED(loop_set_debug(NULL, 1));
    CHECK(loop_get_debug(NULL) <= 0);
    CHECK(loop_backend_name(NULL) == NULL);
    REFUSED(loop_describe(NULL, text, sizeof text));
    CHECK_STR(text, "x");
    REFUSED(loop_reinit_after_fork(NULL, 0));
    REFUSED(loop_wakeup(NULL));
    REFUSED(loop_handle_cancel(NULL, 1));
    REFUSED(loop_handle_cancelled(NULL, 1));
    REFUSED(loop_handle_when(NULL, 1, &when));
    REFUSED(loop_handle_reschedule(NULL, 1, 1));
    REFUSED(loop_remove_reader(NULL, 0));
    REFUSED(loop_remove_writer(NULL, 0));
    REFUSED(loop_run_once(NULL, 0));
    REFUSED(loop_backend_fd(NULL));
    REFUSED(loop_next_deadline(NULL, &when));
    REFUSED(loop_prepare(NULL, &timeout));
    REFUSED(loop_poll(NULL, 0));
    REFUSED(loop_dispatch(NULL));
    REFUSED_DATA(loop_set_wait_hooks(NULL, hook, hook, d, count));
    REFUSED_DATA(loop_set_wake_hook(NULL, hook, d, count));
    REFUSED_DATA(loop_set_context_hooks(NULL, &hooks, d, count));
    REFUSED_DATA(loop_set_exception_handler(NULL, handler, d, count));
    REFUSED_DATA(loop_set_slow_callback_hook(NULL, slow_hook, d, count));
    REFUSED(loop_call_exception_handler(NULL, &failure));
    REFUSED(loop_default_exception_handler(NULL, &failure));
    REFUSED(loop_callback_failed(NULL, 1, "x"));
    REFUSED(loop_set_slow_callback_duration(NULL, 1));
    CHECK_INT(loop_get_slow_callback_duration(NULL), 0);
    CHECK(when == 77 && timeout == 77);
}

static void no_place_for_running(void *user_data) {
    REFUSED(loop_get_running(NULL));
    count(user_data);
}

TEST(no_place_for_the_answer_is_refused) {
    loop_t *loop = loop_new();
    loop_handle_t timer;
    int ran = 0;
    REFUSED(loop_create(NULL, NULL));
    CHECK_INT(loop_call_at(loop, UINT64_MAX, never, NULL, NULL, &timer), 0);
    REFUSED(loop_handle_when(loop, timer, NULL));
    REFUSED(loop_next_deadline(loop, NULL));
    REFUSED(loop_describe(loop, NULL, 1));
    CHECK(loop_describe(loop, NULL, 0) > 0);
    CHECK(loop_get_running(NULL) < 0);
    REFUSED(policy_get_event_loop(NULL));
    REFUSED(policy_new_event_loop(NULL));
    CHECK_INT(loop_call_soon(loop, no_place_for_running, &ran, NULL, NULL), 0);
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(ran, 1);
    loop_unref(loop);
}

static void count_wake(loop_t *loop, void *user_data) {
    (void)loop;
    count(user_data);
}

TEST(a_refused_prepare_prepares_nothing) {
    loop_t *loop = loop_new();
    int wakes = 0, ran = 0;
    CHECK_INT(loop_set_wake_hook(loop, count_wake, &wakes, NULL), 0);
    REFUSED(loop_prepare(loop, NULL));
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(wakes, 0);
    CHECK_INT(loop_run_once(loop, 0), 2);
    loop_unref(loop);
}

TEST(optional_pointers_may_be_NULL) {
    loop_t *loop = NULL, *again = NULL;
    loop_exception_context_t failure = {.size = sizeof failure, .fd = -1};
    CHECK_INT(loop_create(NULL, &loop), 0);
    CHECK_INT(loop_set_wait_hooks(loop, NULL, NULL, NULL, NULL), 0);
    CHECK_INT(loop_set_wake_hook(loop, NULL, NULL, NULL), 0);
    CHECK_INT(loop_set_context_hooks(loop, NULL, NULL, NULL), 0);
    CHECK_INT(loop_set_exception_handler(loop, NULL, NULL, NULL), 0);
    CHECK_INT(loop_set_slow_callback_hook(loop, NULL, NULL, NULL), 0);
    REFUSED(loop_call_exception_handler(loop, NULL));
    REFUSED(loop_default_exception_handler(loop, NULL));
    CHECK_INT(loop_set_exception_handler(loop, handler, NULL, NULL), 0);
    CHECK_INT(loop_call_exception_handler(loop, &failure), 0);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    CHECK_INT(policy_set(NULL), 0);
    CHECK_INT(policy_get_event_loop(&again), LOOP_ENO_CURRENT);
    loop_unref(loop);
}

static int no_get(void *user_data, loop_t **ret_loop) {
    (void)user_data, (void)ret_loop;
    return LOOP_ENO_CURRENT;
}

static int no_set(void *user_data, loop_t *loop) {
    (void)user_data, (void)loop;
    return 0;
}

TEST(policies_refuse_NULL_and_missing_functions) {
    policy_t *policy = (policy_t *)&destroyed;
    policy_vtable_t whole = {sizeof whole, no_get, no_set, no_get}, part = whole;
    loop_t *loop = NULL;
    int *d = &destroyed;
    REFUSED_DATA(policy_new(NULL, d, count, &policy));
    REFUSED_DATA(policy_new(&whole, d, count, NULL));
    part.get_event_loop = NULL;
    REFUSED_DATA(policy_new(&part, d, count, &policy));
    part = whole;
    part.set_event_loop = NULL;
    REFUSED_DATA(policy_new(&part, d, count, &policy));
    part = whole;
    part.new_event_loop = NULL;
    REFUSED_DATA(policy_new(&part, d, count, &policy));
    part = whole;
    part.size = 0;
    REFUSED_DATA(policy_new(&part, d, count, &policy));
    CHECK(policy == (policy_t *)&destroyed);
    CHECK(policy_ref(NULL) == NULL);
    policy_unref(NULL);
    REFUSED(policy_object_get_event_loop(NULL, &loop));
    REFUSED(policy_object_get_event_loop(policy_get(), NULL));
    REFUSED(policy_object_set_event_loop(NULL, NULL));
    REFUSED(policy_object_new_event_loop(NULL, &loop));
    REFUSED(policy_object_new_event_loop(policy_get(), NULL));
    REFUSED(policy_set_mode(2));
    REFUSED(policy_set_mode(-1));
    CHECK(loop == NULL);
}

TEST(wrong_sizes_of_structs_are_refused) {
    loop_t *loop = loop_new(), *other = NULL;
    loop_context_hooks_t hooks = {.size = sizeof hooks - 1};
    loop_options_t options = {.size = 0};
    int *d = &destroyed;
    REFUSED_DATA(loop_set_context_hooks(loop, &hooks, d, count));
    REFUSED(loop_create(&options, &other));
    options.size = 1 << 20;
    REFUSED(loop_create(&options, &other));
    options.size = sizeof options;
    options.flags = 1;
    REFUSED(loop_create(&options, &other));
    options.flags = 0;
    for (uint32_t backend = LOOP_BACKEND_EPOLL; backend < 99; backend++) {
        if (backend == BACKEND)
            continue;
        options.backend = backend;
        REFUSED(loop_create(&options, &other));
    }
    CHECK(other == NULL);
    CHECK(loop_strerror(12345) != NULL && loop_strerror(0) != NULL);
    CHECK(loop_strerror(INT32_MIN) != NULL && loop_strerror(INT32_MAX) != NULL);
    loop_unref(loop);
}
