/* Futures whose maker decides what becomes of a request to cancel, and what hosts
 * may ask about futures that others made. */
#include "child.h"
#include "future_tools.h"
#include "loop_thread.h"

/* Work that goes on elsewhere. */
struct work {
    loop_future_t *future;
    int answer, asked, destroyed;
    char message[16];
    int ends_it; /* with this result, while it is asked */
};

static int asked_to_cancel(loop_future_t *future, const char *message, void *data) {
    struct work *self = data;
    CHECK(future == self->future);
    CHECK_INT(self->destroyed, 0);
    self->asked++;
    snprintf(self->message, sizeof self->message, "%s", message == NULL ? "-" : message);
    /* Asking again meanwhile changes nothing. */
    CHECK_INT(loop_future_cancel(future, "inner"), 1);
    if (self->ends_it)
        CHECK_INT(loop_future_set_result(future, number(self->ends_it), NULL), 0);
    return self->answer;
}

static void work_destroyed(void *data) {
    ((struct work *)data)->destroyed++;
}

static loop_future_t *begin(loop_t *loop, struct work *self, int answer) {
    memset(self, 0, sizeof *self);
    self->answer = answer;
    CHECK_INT(loop_future_new_cancellable(loop, asked_to_cancel, self, work_destroyed, &self->future), 0);
    return self->future;
}

TEST(a_request_that_is_taken_leaves_the_future_pending) {
    loop_t *loop = loop_new();
    struct work work;
    loop_future_t *future = begin(loop, &work, 1);
    CHECK_INT(loop_future_cancel(future, "enough"), 1);
    CHECK_STR(work.message, "enough");
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_STR(work.message, "-");
    CHECK_INT(work.asked, 2);
    CHECK_INT(work.destroyed, 0);
    CHECK_INT(loop_future_set_result(future, number(5), NULL), 0);
    CHECK_INT(work.destroyed, 1);
    CHECK_INT(loop_future_cancel(future, NULL), 0);
    CHECK_INT(work.asked, 2);
    CHECK_INT(number_of(future), 5);
    loop_future_unref(future);
    CHECK_INT(work.destroyed, 1);
    close_loop(loop);
}

TEST(a_maker_refuses_or_lets_the_future_be_cancelled_at_once) {
    loop_t *loop = loop_new();
    struct work work;
    loop_future_t *future = begin(loop, &work, 0);
    CHECK_INT(loop_future_cancel(future, NULL), 0);
    CHECK_INT(loop_future_done(future), 0);
    work.answer = -1;
    CHECK_INT(loop_future_cancel(future, "now"), 1);
    CHECK_INT(loop_future_cancelled(future), 1);
    CHECK_INT(work.destroyed, 1);
    CHECK_INT(loop_future_result(future, NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "now");
    loop_future_unref(future);
    future = begin(loop, &work, -1);
    work.ends_it = 6;
    CHECK_INT(loop_future_cancel(future, NULL), 0); /* it is done already, then */
    CHECK_INT(number_of(future), 6);
    CHECK_INT(work.destroyed, 1);
    loop_future_unref(future);
    close_loop(loop);
}

TEST(a_cancelled_task_waits_for_what_takes_its_time) {
    loop_t *loop = loop_new();
    struct log log = {0};
    struct work work;
    loop_future_t *future = begin(loop, &work, 1);
    struct waiter waiter = {.number = 1, .waits = {loop_future_ref(future)}, .count = 1, .log = &log};
    loop_task_t *task = start_waiter(loop, &waiter);
    turns(loop, 2);
    CHECK_INT(loop_task_cancel(task, "all"), 1);
    CHECK_STR(work.message, "all");
    turns(loop, 3);
    CHECK_STR(log.text, "b");
    work.answer = -1;
    CHECK_INT(loop_future_cancel(future, "over"), 1);
    turns(loop, 2);
    CHECK_STR(log.text, "bB");
    CHECK_INT(waiter.outcomes[1], LOOP_ECANCELLED);
    CHECK_INT(loop_future_cancelled(loop_task_future(task)), 1);
    loop_task_unref(task);
    loop_future_unref(future);
    close_loop(loop);
}

TEST(what_a_cancellable_future_has_is_destroyed_once_on_every_path) {
    loop_t *loop = loop_new();
    struct work work;
    loop_future_unref(begin(loop, &work, 1));
    CHECK_INT(work.destroyed, 1);
    loop_future_t *future = begin(loop, &work, 1);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(work.destroyed, 0);
    loop_future_unref(future);
    CHECK_INT(work.destroyed, 1);
    work.destroyed = 0;
    future = NULL;
    CHECK_INT(loop_future_new_cancellable(loop, asked_to_cancel, &work, work_destroyed, &future), LOOP_ECLOSED);
    CHECK_INT(work.destroyed, 1);
    CHECK_INT(loop_future_new_cancellable(NULL, asked_to_cancel, &work, work_destroyed, &future), LOOP_EINVAL);
    CHECK_INT(work.destroyed, 2);
    CHECK_INT(loop_future_new_cancellable(loop, NULL, &work, work_destroyed, &future), LOOP_EINVAL);
    CHECK_INT(work.destroyed, 3);
    CHECK_INT(loop_future_new_cancellable(loop, asked_to_cancel, &work, work_destroyed, NULL), LOOP_EINVAL);
    CHECK_INT(work.destroyed, 4);
    CHECK(future == NULL);
    loop_unref(loop);
}

TEST(hosts_know_their_own_results_and_failures_by_the_destructor) {
    loop_t *loop = loop_new();
    int destroyed = 0;
    loop_future_t *future = new_future(loop), *shielded = NULL;
    CHECK(loop_future_get_destroy(NULL) == NULL);
    CHECK(loop_future_get_destroy(future) == NULL);
    CHECK_INT(loop_shield(future, &shielded), 0);
    CHECK_INT(loop_future_set_result(future, &destroyed, count), 0);
    CHECK(loop_future_get_destroy(future) == count);
    turns(loop, 1);
    loop_future_unref(future);
    CHECK(loop_future_get_destroy(shielded) == count);
    CHECK_INT(destroyed, 0);
    loop_future_unref(shielded);
    CHECK_INT(destroyed, 1);
    future = new_future(loop);
    CHECK_INT(loop_future_set_exception_data(future, LOOP_EEXCEPTION, NULL, &destroyed, count), 0);
    CHECK(loop_future_get_destroy(future) == count);
    CHECK_INT(loop_future_result(future, NULL), LOOP_EEXCEPTION);
    CHECK_STR(loop_last_error(), "An exception was raised");
    loop_future_unref(future);
    CHECK_INT(destroyed, 2);
    future = new_future(loop);
    CHECK_INT(loop_future_set_result(future, number(1), NULL), 0);
    CHECK(loop_future_get_destroy(future) == NULL);
    loop_future_unref(future);
    close_loop(loop);
}

TEST(references_are_counted_with_those_of_the_library) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop);
    CHECK_INT(loop_future_use_count(NULL), 0);
    CHECK_INT(loop_future_use_count(future), 1);
    CHECK_INT(loop_future_use_count(loop_future_ref(future)), 2);
    struct waiter waiter = {.number = 1, .waits = {future}, .count = 1};
    loop_task_unref(start_waiter(loop, &waiter));
    turns(loop, 2);
    CHECK(loop_future_use_count(future) > 1); /* the task's */
    CHECK_INT(loop_future_set_result(future, NULL, NULL), 0);
    turns(loop, 2);
    CHECK_INT(waiter.destroyed, 1);
    CHECK_INT(loop_future_use_count(future), 1);
    loop_future_unref(future);
    close_loop(loop);
}

struct handing_on {
    loop_future_t *failed;
    int steps, code;
};

static int hand_on(loop_task_t *task, int outcome, void *data) {
    struct handing_on *self = data;
    (void)outcome;
    /* A turn later, when the library does not know any more what was awaited. */
    if (self->steps++ == 0)
        return LOOP_TASK_YIELD;
    self->code = loop_task_fail_of(task, self->failed);
    return self->code;
}

TEST(a_failure_is_handed_on_with_its_data) {
    loop_t *loop = loop_new();
    int destroyed = 0, code = 0;
    const char *text = NULL;
    loop_future_t *failed = new_future(loop), *other = new_future(loop);
    CHECK_INT(loop_future_set_exception_of(other, failed), LOOP_EINVALID_STATE);
    CHECK_INT(loop_future_set_exception_data(failed, LOOP_EEXCEPTION, "oh", &destroyed, count), 0);
    struct handing_on handing_on = {.failed = failed};
    loop_task_t *task = NULL;
    CHECK_INT(loop_create_task(loop, hand_on, &handing_on, NULL, &task), 0);
    CHECK_INT(loop_task_fail_of(task, failed), LOOP_EINVALID_STATE); /* outside of a step */
    turns(loop, 3);
    CHECK_INT(handing_on.code, LOOP_EEXCEPTION);
    CHECK_INT(loop_future_set_exception_of(other, failed), 0);
    CHECK_INT(loop_future_set_exception_of(other, failed), LOOP_EINVALID_STATE);
    loop_future_unref(failed);
    loop_future_t *both[] = {loop_task_future(task), other};
    for (int i = 0; i < 2; i++) {
        CHECK_INT(loop_future_exception(both[i], &code, &text), 1);
        CHECK_INT(code, LOOP_EEXCEPTION);
        CHECK_STR(text, "oh");
        CHECK(loop_future_exception_data(both[i]) == &destroyed);
        CHECK(loop_future_get_destroy(both[i]) == count);
    }
    loop_task_unref(task);
    CHECK_INT(destroyed, 0);
    loop_future_unref(other);
    CHECK_INT(destroyed, 1);
    close_loop(loop);
}

TEST(only_a_failure_of_the_same_loop_is_handed_on) {
    loop_t *loop = loop_new(), *elsewhere = loop_new();
    loop_future_t *good = new_future(loop), *cancelled = new_future(loop), *far = new_future(elsewhere),
                  *future = new_future(loop);
    CHECK_INT(loop_future_set_result(good, NULL, NULL), 0);
    CHECK_INT(loop_future_cancel(cancelled, NULL), 1);
    CHECK_INT(loop_future_set_exception(far, -5, NULL), 0);
    CHECK_INT(loop_future_set_exception_of(future, good), LOOP_EINVALID_STATE);
    CHECK_STR(loop_last_error(), "the future has not failed");
    CHECK_INT(loop_future_set_exception_of(future, cancelled), LOOP_EINVALID_STATE);
    CHECK_INT(loop_future_set_exception_of(future, far), LOOP_EWRONG_LOOP);
    CHECK_INT(loop_future_set_exception_of(future, NULL), LOOP_EINVAL);
    CHECK_INT(loop_future_set_exception_of(NULL, far), LOOP_EINVAL);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(loop_future_result(far, NULL), -5); /* or it would be reported */
    loop_future_t *all[] = {good, cancelled, far, future};
    for (int i = 0; i < 4; i++)
        loop_future_unref(all[i]);
    close_loop(loop);
    close_loop(elsewhere);
}
