/* call_soon, call_later, call_at: arguments, order, and the life of user data. */
#include "test.h"
#include <pthread.h>
#include <unistd.h>

TEST(E21_soon_threadsafe_later_at_run_in_this_order) {
    loop_t *loop = loop_new();
    struct log log = {0};
    struct mark marks[] = {{&log, 's'}, {&log, 't'}, {&log, 'l'}, {&log, 'a'}};
    CHECK_INT(loop_call_soon(loop, leave_mark, &marks[0], NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, leave_mark, &marks[1], NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 20 * MS, leave_mark, &marks[2], NULL, NULL), 0);
    CHECK_INT(loop_call_at(loop, loop_time(loop) + 20 * MS, leave_mark, &marks[3], NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 30 * MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_STR(log.text, "stla");
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(P18_what_is_scheduled_before_a_run_waits_for_it) {
    loop_t *loop = loop_new();
    int ran = 0, ends[2];
    open_pipe(ends);
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_later(loop, 0, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, NULL), 0);
    CHECK_INT(loop_add_writer(loop, ends[1], count, &ran, NULL), 0);
    CHECK_INT(ran, 0);
    CHECK_INT(loop_stop(loop), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(ran, 4);
    loop_unref(loop);
}

struct step {
    int *next;
    int number, ran, destroyed;
};

static void run_step(void *data) {
    struct step *step = data;
    CHECK_INT(step->number, *step->next);
    CHECK_INT(step->destroyed, 0);
    ++*step->next;
    step->ran++;
}

static void destroy_step(void *data) {
    struct step *step = data;
    /* Right after its callback, before the next one begins. */
    CHECK_INT(step->ran, 1);
    CHECK_INT(*step->next, step->number + 1);
    step->destroyed++;
}

TEST(call_soon_is_first_in_first_out_and_data_ends_with_its_callback) {
    enum { STEPS = 20000 };
    static struct step steps[STEPS];
    loop_t *loop = loop_new();
    int next = 0;
    for (int i = 0; i < STEPS; i++) {
        loop_handle_t handle = 0;
        steps[i] = (struct step){&next, i, 0, 0};
        /* Each combination is stored in another way, and all stand in one queue. */
        loop_destroy_t destroy = i % 3 == 0 ? destroy_step : NULL;
        loop_handle_t *ret = i % 5 == 0 ? &handle : NULL;
        int result = i % 7 == 0
            ? loop_call_soon_threadsafe(loop, run_step, &steps[i], destroy, ret)
            : loop_call_soon(loop, run_step, &steps[i], destroy, ret);
        CHECK_INT(result, 0);
        CHECK_INT(handle != 0, i % 5 == 0);
    }
    CHECK_INT(loop_run_once(loop, 0), STEPS);
    CHECK_INT(next, STEPS);
    for (int i = 0; i < STEPS; i++) {
        CHECK_INT(steps[i].ran, 1);
        CHECK_INT(steps[i].destroyed, i % 3 == 0);
    }
    loop_unref(loop);
}

struct chain {
    loop_t *loop;
    int left;
};

static void next_link(void *data) {
    struct chain *chain = data;
    if (--chain->left == 0)
        CHECK_INT(loop_stop(chain->loop), 0);
    else
        CHECK_INT(loop_call_soon(chain->loop, next_link, chain, NULL, NULL), 0);
}

TEST(a_long_chain_of_callbacks_uses_no_stack) {
    struct chain chain = {loop_new(), in_valgrind() ? 10000 : 1000000};
    CHECK_INT(loop_call_soon(chain.loop, next_link, &chain, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(chain.loop), 0);
    CHECK_INT(chain.left, 0);
    loop_unref(chain.loop);
}

static void schedule_count_again(void *data) {
    struct chain *chain = data;
    chain->left++;
    CHECK_INT(loop_call_soon(chain->loop, count, &chain->left, NULL, NULL), 0);
    CHECK_INT(loop_call_later(chain->loop, 0, count, &chain->left, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_threadsafe(chain->loop, count, &chain->left, NULL, NULL), 0);
}

TEST(a_destructor_may_schedule) {
    struct chain chain = {loop_new(), 0};
    int ran = 0;
    loop_handle_t handle;
    CHECK_INT(loop_call_soon(chain.loop, leave_mark, &chain, schedule_count_again, &handle), 0);
    CHECK_INT(loop_handle_cancel(chain.loop, handle), 0);
    CHECK_INT(chain.left, 1);
    CHECK_INT(loop_call_soon(chain.loop, count, &ran, NULL, NULL), 0);
    CHECK(loop_run_once(chain.loop, 0) >= 4);
    CHECK_INT(chain.left, 4);
    CHECK_INT(ran, 1);
    loop_unref(chain.loop);
}

/* Tries every function that takes user data; each must refuse with `expected`. */
static int refused(loop_t *loop, loop_callback_t callback, int expected) {
    int destroyed = 0;
    loop_handle_t handle = 99;
    CHECK_INT(loop_call_soon(loop, callback, &destroyed, count, &handle), expected);
    CHECK_INT(loop_call_soon(loop, callback, &destroyed, count, NULL), expected);
    CHECK_INT(loop_call_soon_threadsafe(loop, callback, &destroyed, count, &handle), expected);
    CHECK_INT(loop_call_soon_threadsafe(loop, callback, &destroyed, count, NULL), expected);
    CHECK_INT(loop_call_later(loop, 0, callback, &destroyed, count, &handle), expected);
    CHECK_INT(loop_call_at(loop, 0, callback, &destroyed, count, &handle), expected);
    CHECK_INT(loop_add_reader(loop, 0, callback, &destroyed, count), expected);
    CHECK_INT(loop_add_writer(loop, 1, callback, &destroyed, count), expected);
    CHECK_INT(handle, 99);
    /* And without a destructor, where there is nothing to run. */
    CHECK_INT(loop_call_soon(loop, callback, NULL, NULL, NULL), expected);
    CHECK_INT(loop_call_later(loop, 0, callback, NULL, NULL, NULL), expected);
    return destroyed;
}

TEST(a_failed_call_destroys_its_data_once_and_writes_nothing) {
    loop_t *loop = loop_new();
    CHECK_INT(refused(loop, NULL, LOOP_EINVAL), 8);
    CHECK_INT(refused(NULL, count, LOOP_EINVAL), 8);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_unref(loop);
}

TEST(P19_a_closed_loop_schedules_nothing_and_still_answers_questions) {
    loop_t *loop = loop_new();
    uint64_t when = 1;
    int64_t timeout = 1;
    CHECK_INT(loop_set_debug(loop, 1), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(refused(loop, count, LOOP_ECLOSED), 8);
    CHECK_STR(loop_last_error(), "Event loop is closed");
    CHECK_INT(loop_run_forever(loop), LOOP_ECLOSED);
    CHECK_INT(loop_run_once(loop, 0), LOOP_ECLOSED);
    CHECK_INT(loop_prepare(loop, &timeout), LOOP_ECLOSED);
    CHECK_INT(loop_poll(loop, 0), LOOP_ECLOSED);
    CHECK_INT(loop_dispatch(loop), LOOP_ECLOSED);
    CHECK_INT(loop_backend_fd(loop), LOOP_ECLOSED);
    CHECK_INT(loop_next_deadline(loop, &when), LOOP_ECLOSED);
    CHECK_INT(loop_wakeup(loop), LOOP_ECLOSED);
    CHECK_INT(loop_stop_threadsafe(loop), LOOP_ECLOSED);
    CHECK_INT(loop_handle_cancel(loop, 1), LOOP_ECLOSED);
    CHECK_INT(loop_handle_cancelled(loop, 1), LOOP_ECLOSED);
    CHECK_INT(loop_handle_when(loop, 1, &when), LOOP_ECLOSED);
    CHECK_INT(loop_handle_reschedule(loop, 1, 1), LOOP_ECLOSED);
    CHECK(when == 1 && timeout == 1);
    CHECK_INT(loop_remove_reader(loop, 0), 0);
    CHECK_INT(loop_remove_writer(loop, 0), 0);
    CHECK_INT(loop_stop(loop), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_is_closed(loop), 1);
    CHECK_INT(loop_is_running(loop), 0);
    CHECK_INT(loop_get_debug(loop), 1);
    CHECK_STR(loop_backend_name(loop), BACKEND_NAME);
    uint64_t before = loop_time(loop);
    CHECK(before > 0 && loop_time(loop) >= before);
    loop_unref(loop);
}

TEST(NULL_for_a_loop_or_a_result_is_refused) {
    loop_t *loop = loop_new();
    loop_handle_t handle;
    CHECK_INT(loop_close(NULL), LOOP_EINVAL);
    CHECK_INT(loop_run_forever(NULL), LOOP_EINVAL);
    CHECK_INT(loop_run_once(NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_stop(NULL), LOOP_EINVAL);
    CHECK_INT(loop_stop_threadsafe(NULL), LOOP_EINVAL);
    CHECK_INT(loop_interrupt(NULL, 1), LOOP_EINVAL);
    CHECK_INT(loop_is_running(NULL), LOOP_EINVAL);
    CHECK_INT(loop_is_closed(NULL), LOOP_EINVAL);
    CHECK_INT(loop_time(NULL), 0);
    CHECK_INT(loop_time_cached(NULL), 0);
    CHECK_INT(loop_set_debug(NULL, 1), LOOP_EINVAL);
    CHECK_INT(loop_get_debug(NULL), LOOP_EINVAL);
    CHECK(loop_backend_name(NULL) == NULL);
    CHECK_INT(loop_describe(NULL, NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_describe(loop, NULL, 5), LOOP_EINVAL);
    CHECK_INT(loop_wakeup(NULL), LOOP_EINVAL);
    CHECK_INT(loop_remove_reader(NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_remove_writer(NULL, 0), LOOP_EINVAL);
    CHECK_INT(loop_handle_cancel(NULL, 1), LOOP_EINVAL);
    CHECK_INT(loop_handle_cancelled(NULL, 1), LOOP_EINVAL);
    CHECK_INT(loop_handle_reschedule(NULL, 1, 1), LOOP_EINVAL);
    CHECK_INT(loop_call_later(loop, MS, count, NULL, NULL, &handle), 0);
    CHECK_INT(loop_handle_when(loop, handle, NULL), LOOP_EINVAL);
    CHECK_INT(loop_get_running(NULL) < 0, 1);
    CHECK_INT(policy_get_event_loop(NULL), LOOP_EINVAL);
    CHECK_INT(policy_new_event_loop(NULL), LOOP_EINVAL);
    loop_unref(loop);
}

static void *schedule_from_here(void *data) {
    struct chain *chain = data;
    CHECK_INT(loop_call_soon(chain->loop, count, &chain->left, NULL, NULL), 0);
    CHECK_INT(loop_call_later(chain->loop, 0, count, &chain->left, NULL, NULL), 0);
    CHECK_INT(loop_call_at(chain->loop, 0, count, &chain->left, NULL, NULL), 0);
    return NULL;
}

TEST(a_loop_that_does_not_run_may_be_handed_from_thread_to_thread) {
    struct chain chain = {loop_new(), 0};
    pthread_t thread;
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pthread_create(&thread, NULL, schedule_from_here, &chain), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
    }
    CHECK_INT(loop_run_once(chain.loop, 0), 9);
    CHECK_INT(chain.left, 9);
    loop_unref(chain.loop);
}
