/* Futures: states, done-callbacks, reports, and what they do at bad moments. */
#include "child.h"
#include "future_tools.h"
#include "loop_thread.h"

TEST(a_future_leaves_pending_once) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop);
    int destroyed = 0, refused = 0, code = 7;
    void *result = NULL;
    const char *text = "";
    CHECK(loop_future_get_loop(future) == loop);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(loop_future_cancelled(future), 0);
    CHECK_INT(loop_future_result(future, &result), LOOP_EINVALID_STATE);
    CHECK_STR(loop_last_error(), "Result is not set.");
    CHECK_INT(loop_future_exception(future, &code, &text), LOOP_EINVALID_STATE);
    CHECK_STR(loop_last_error(), "Exception is not set.");
    CHECK_INT(code, 7);
    CHECK_INT(loop_future_set_result(future, &destroyed, count), 0);
    CHECK_INT(loop_future_done(future), 1);
    CHECK_INT(loop_future_set_result(future, &refused, count), LOOP_EINVALID_STATE);
    CHECK_STR(loop_last_error(), "invalid state");
    CHECK_INT(loop_future_set_exception_data(future, -5, "no", &refused, count), LOOP_EINVALID_STATE);
    CHECK_INT(refused, 2);
    CHECK_INT(loop_future_cancel(future, NULL), 0);
    CHECK_INT(loop_future_result(future, &result), 0);
    CHECK(result == &destroyed);
    CHECK_INT(loop_future_result(future, NULL), 0);
    CHECK_INT(loop_future_exception(future, &code, &text), 0);
    CHECK_INT(code, 0);
    CHECK(text == NULL);
    CHECK(loop_future_ref(future) == future);
    loop_future_unref(future);
    CHECK_INT(destroyed, 0);
    loop_future_unref(future);
    CHECK_INT(destroyed, 1);
    close_loop(loop);
}

TEST(a_failure_has_a_code_a_text_and_what_the_host_attached) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports);
    loop_future_t *future = new_future(loop);
    int destroyed = 0, code = 0;
    const char *text = NULL;
    CHECK_INT(loop_future_set_exception(future, 0, "fine"), LOOP_EINVAL);
    CHECK_INT(loop_future_set_exception(future, 3, "fine"), LOOP_EINVAL);
    CHECK_INT(loop_future_set_exception(future, LOOP_ECANCELLED, "x"), LOOP_EINVAL);
    CHECK_INT(loop_future_set_exception_data(future, 3, "fine", &destroyed, count), LOOP_EINVAL);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_future_set_exception_data(future, -5, "it broke", &destroyed, count), 0);
    CHECK(loop_future_exception_data(future) == &destroyed);
    CHECK_INT(loop_future_exception(future, &code, &text), 1);
    CHECK_INT(code, -5);
    CHECK_STR(text, "it broke");
    CHECK_INT(loop_future_result(future, NULL), -5);
    CHECK_STR(loop_last_error(), "it broke");
    CHECK_INT(loop_future_cancelled(future), 0);
    loop_future_unref(future);
    CHECK_INT(destroyed, 2);
    CHECK_INT(reports.count, 0);

    future = new_future(loop);
    CHECK_INT(loop_future_set_exception(future, LOOP_ESHUTDOWN, NULL), 0);
    CHECK_INT(loop_future_exception(future, NULL, &text), 1);
    CHECK_STR(text, loop_strerror(LOOP_ESHUTDOWN));
    loop_future_unref(future);
    close_loop(loop);
}

TEST(a_failure_that_nobody_asked_for_is_reported_once) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports);
    loop_future_t *future = new_future(loop);
    CHECK_INT(loop_future_set_exception(future, -5, "it broke"), 0);
    CHECK_INT(loop_future_done(future), 1);
    loop_future_unref(future);
    CHECK_INT(reports.count, 1);
    CHECK_INT(reports.code, -5);
    CHECK_STR(reports.message, "Future exception was never retrieved");
    CHECK_STR(reports.exception, "it broke");
    future = new_future(loop);
    CHECK_INT(loop_future_cancel(future, "enough"), 1);
    loop_future_unref(future);
    CHECK_INT(reports.count, 1);
    close_loop(loop);
}

TEST(a_cancelled_future_says_so_with_its_message) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop), *plain = new_future(loop);
    int refused = 0;
    CHECK_INT(loop_future_cancel(future, "enough"), 1);
    CHECK_INT(loop_future_cancel(future, "again"), 0);
    CHECK_INT(loop_future_done(future), 1);
    CHECK_INT(loop_future_cancelled(future), 1);
    CHECK_INT(loop_future_result(future, NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "enough");
    CHECK_INT(loop_future_exception(future, NULL, NULL), LOOP_ECANCELLED);
    CHECK_INT(loop_future_set_result(future, &refused, count), LOOP_EINVALID_STATE);
    CHECK_INT(refused, 1);
    CHECK_INT(loop_future_cancel(plain, NULL), 1);
    CHECK_INT(loop_future_result(plain, NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "the future was cancelled");
    loop_future_unref(plain);
    loop_future_unref(future);
    close_loop(loop);
}

TEST(done_callbacks_run_a_turn_later_in_the_order_of_registration) {
    loop_t *loop = loop_new();
    struct log log = {0};
    struct mark a = {&log, 'a'}, b = {&log, 'b'}, c = {&log, 'c'}, soon = {&log, '.'};
    loop_future_t *future = new_future(loop);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &a, NULL), 0);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &b, NULL), 0);
    CHECK_INT(loop_call_soon(loop, leave_mark, &soon, NULL, NULL), 0);
    CHECK_INT(loop_future_set_result(future, NULL, NULL), 0);
    CHECK_STR(log.text, "");
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &c, NULL), 0);
    loop_future_unref(future); /* the callbacks keep it */
    turns(loop, 1);
    CHECK_STR(log.text, ".abc");
    close_loop(loop);
}

struct meddler {
    struct log log;
    struct mark a, b;
    loop_future_t *future;
};

static void remove_b_add_a(loop_future_t *future, void *data) {
    struct meddler *self = data;
    /* It is scheduled already, as in asyncio. */
    CHECK_INT(loop_future_remove_done_callback(future, mark_done, &self->b), 0);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &self->a, NULL), 0);
    CHECK_INT(loop_close(loop_future_get_loop(future)), LOOP_ERUNNING);
}

TEST(a_done_callback_may_add_and_remove_others) {
    loop_t *loop = loop_new();
    struct meddler self;
    int destroyed = 0;
    memset(&self, 0, sizeof self);
    self.a = (struct mark){&self.log, 'a'};
    self.b = (struct mark){&self.log, 'b'};
    loop_future_t *future = new_future(loop);
    CHECK_INT(loop_future_remove_done_callback(future, mark_done, &self.b), 0);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &destroyed, count), 0);
    CHECK_INT(loop_future_add_done_callback(future, remove_b_add_a, &self, NULL), 0);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &destroyed, count), 0);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &self.b, NULL), 0);
    CHECK_INT(loop_future_remove_done_callback(future, mark_done, &destroyed), 2);
    CHECK_INT(destroyed, 2);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    turns(loop, 1);
    CHECK_STR(self.log.text, "b");
    turns(loop, 1);
    CHECK_STR(self.log.text, "ba");
    loop_future_unref(future);
    close_loop(loop);
}

TEST(callbacks_that_never_run_are_destroyed_with_the_future) {
    loop_t *loop = loop_new();
    int destroyed = 0;
    loop_future_t *future = new_future(loop);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &destroyed, count), 0);
    loop_future_unref(future);
    CHECK_INT(destroyed, 1);
    /* Scheduled, and then the loop is closed. */
    future = new_future(loop);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &destroyed, count), 0);
    CHECK_INT(loop_future_set_result(future, &destroyed, count), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(destroyed, 2);
    CHECK_INT(number_of(future), (intptr_t)&destroyed);
    loop_unref(loop);
    loop_future_unref(future);
    CHECK_INT(destroyed, 3);
}

TEST(a_closed_loop_leaves_futures_as_they_are) {
    loop_t *loop = loop_new();
    int destroyed = 0;
    loop_future_t *bare = new_future(loop), *heard = new_future(loop), *never = NULL;
    CHECK_INT(loop_future_add_done_callback(heard, mark_done, &destroyed, count), 0);
    close_loop(loop);
    CHECK_INT(loop_future_new(loop_future_get_loop(bare), &never), LOOP_ECLOSED);
    CHECK(never == NULL);
    CHECK_INT(loop_future_set_result(heard, &destroyed, count), LOOP_ECLOSED);
    CHECK_INT(loop_future_cancel(heard, NULL), LOOP_ECLOSED);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_future_done(heard), 0);
    CHECK_INT(loop_future_set_result(bare, &destroyed, count), 0);
    CHECK_INT(loop_future_add_done_callback(bare, mark_done, &destroyed, count), LOOP_ECLOSED);
    CHECK_INT(destroyed, 2);
    CHECK_INT(loop_future_result(bare, NULL), 0);
    loop_future_unref(heard);
    CHECK_INT(destroyed, 3);
    loop_future_unref(bare);
    CHECK_INT(destroyed, 4);
}

TEST(futures_answer_NULL_with_EINVAL_and_destroy_what_they_got) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop);
    int destroyed = 0;
    CHECK_INT(loop_future_new(NULL, &future), LOOP_EINVAL);
    CHECK_INT(loop_future_new(loop, NULL), LOOP_EINVAL);
    CHECK(loop_future_ref(NULL) == NULL);
    loop_future_unref(NULL);
    CHECK(loop_future_get_loop(NULL) == NULL);
    CHECK(loop_future_exception_data(NULL) == NULL);
    CHECK_INT(loop_future_done(NULL), LOOP_EINVAL);
    CHECK_INT(loop_future_cancelled(NULL), LOOP_EINVAL);
    CHECK_INT(loop_future_result(NULL, NULL), LOOP_EINVAL);
    CHECK_INT(loop_future_exception(NULL, NULL, NULL), LOOP_EINVAL);
    CHECK_INT(loop_future_cancel(NULL, NULL), LOOP_EINVAL);
    CHECK_INT(loop_future_set_result(NULL, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_future_set_exception(NULL, -5, NULL), LOOP_EINVAL);
    CHECK_INT(loop_future_set_exception_data(NULL, -5, NULL, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_future_add_done_callback(NULL, mark_done, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_future_add_done_callback(future, NULL, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_future_add_done_callback_context(future, mark_done, &destroyed, count, NULL), LOOP_EINVAL);
    CHECK_INT(loop_future_remove_done_callback(NULL, mark_done, NULL), LOOP_EINVAL);
    CHECK_INT(loop_future_remove_done_callback(future, NULL, NULL), LOOP_EINVAL);
    CHECK_INT(destroyed, 5);
    loop_future_unref(future);
    close_loop(loop);
}

/* A destructor that gives back the last reference to the future it is with, and
 * closes the loop. */
struct last {
    loop_future_t *future;
    loop_t *loop;
    int destroyed;
};

static void give_last_back(void *data) {
    struct last *self = data;
    self->destroyed++;
    loop_future_unref(self->future);
    if (self->loop != NULL)
        loop_unref(self->loop);
}

static struct last last_of(loop_t *loop) {
    return (struct last){new_future(loop), loop, 0};
}

TEST(a_destructor_may_give_back_the_last_reference_to_future_and_loop) {
    struct last self = last_of(loop_new());
    CHECK_INT(loop_future_add_done_callback(self.future, NULL, &self, give_last_back), LOOP_EINVAL);
    CHECK_INT(self.destroyed, 1);

    self = last_of(loop_new());
    CHECK_INT(loop_future_set_result(self.future, NULL, NULL), 0);
    CHECK_INT(loop_future_set_result(self.future, &self, give_last_back), LOOP_EINVALID_STATE);
    CHECK_INT(self.destroyed, 1);

    self = last_of(loop_new());
    CHECK_INT(loop_future_set_exception_data(self.future, 1, NULL, &self, give_last_back), LOOP_EINVAL);
    CHECK_INT(self.destroyed, 1);

    self = last_of(loop_new());
    CHECK_INT(loop_future_add_done_callback(self.future, mark_done, &self, give_last_back), 0);
    CHECK_INT(loop_future_remove_done_callback(self.future, mark_done, &self), 1);
    CHECK_INT(self.destroyed, 1);

    self = last_of(loop_new());
    CHECK_INT(loop_close(self.loop), 0);
    CHECK_INT(loop_future_set_result(self.future, NULL, NULL), 0);
    CHECK_INT(loop_future_add_done_callback(self.future, mark_done, &self, give_last_back), LOOP_ECLOSED);
    CHECK_INT(self.destroyed, 1);
}

static void end_it_otherwise(void *data) {
    struct last *self = data;
    self->destroyed++;
    CHECK_INT(loop_future_cancel(self->future, NULL), 0);
    CHECK_INT(loop_future_set_result(self->future, NULL, NULL), LOOP_EINVALID_STATE);
    CHECK_INT(loop_close(self->loop), 0);
}

TEST(a_destructor_may_close_the_loop_while_a_sleep_is_cancelled) {
    struct last self = {.loop = loop_new()};
    CHECK_INT(loop_sleep(self.loop, 1000000 * MS, &self, end_it_otherwise, &self.future), 0);
    CHECK_INT(loop_future_cancel(self.future, NULL), 1);
    CHECK_INT(self.destroyed, 1);
    loop_future_unref(self.future);
    loop_unref(self.loop);
}

struct elsewhere {
    loop_future_t *future, *to_unref;
    int destroyed;
    loop_t *loop;
};

static void *use_from_elsewhere(void *data) {
    struct elsewhere *self = data;
    loop_future_t *future = self->future;
    CHECK_INT(loop_future_done(future), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_future_cancelled(future), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_future_result(future, NULL), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_future_exception(future, NULL, NULL), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_future_cancel(future, NULL), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_future_set_result(future, &self->destroyed, count), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_future_set_exception(future, -5, NULL), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &self->destroyed, count), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_future_remove_done_callback(future, mark_done, &self->destroyed), LOOP_EWRONG_THREAD);
    CHECK_INT(self->destroyed, 2);
    CHECK(loop_future_get_loop(future) != NULL);
    loop_future_ref(future);
    loop_future_unref(future);
    loop_future_unref(self->to_unref);
    return NULL;
}

TEST(futures_of_a_running_loop_refuse_other_threads) {
    struct loop_thread other;
    struct elsewhere self = {0};
    loop_thread_start(&other);
    self.future = new_future(other.loop);
    self.to_unref = new_future(other.loop);
    use_from_elsewhere(&self);
    loop_thread_end(&other);
    CHECK_INT(loop_future_done(self.future), 0);
    loop_future_unref(self.future);
}

static void use_in_child(void *data) {
    struct elsewhere *self = data;
    loop_future_t *future = self->future;
    CHECK_INT(loop_future_done(future), LOOP_EFORKED);
    CHECK_INT(loop_future_result(future, NULL), LOOP_EFORKED);
    CHECK_INT(loop_future_cancel(future, NULL), LOOP_EFORKED);
    CHECK_INT(loop_future_set_result(future, &self->destroyed, count), LOOP_EFORKED);
    CHECK_INT(loop_future_add_done_callback(future, mark_done, &self->destroyed, count), LOOP_EFORKED);
    CHECK_INT(loop_future_new(loop_future_get_loop(future), &future), LOOP_EFORKED);
    CHECK_INT(self->destroyed, 2);
    loop_future_unref(self->future); /* its callback */
    CHECK_INT(self->destroyed, 3);
    loop_future_unref(self->to_unref);
    CHECK_INT(self->destroyed, 4);
    loop_unref(self->loop);
}

TEST(F4_futures_in_a_child_answer_EFORKED_and_may_be_given_back) {
    loop_t *loop = loop_new();
    struct elsewhere self = {new_future(loop), NULL, 0, loop};
    CHECK_INT(loop_future_add_done_callback(self.future, mark_done, &self.destroyed, count), 0);
    CHECK_INT(loop_sleep(loop, 3600000 * MS, &self.destroyed, count, &self.to_unref), 0);
    CHECK_INT(loop_future_cancel(self.to_unref, NULL), 1);
    CHECK_INT(self.destroyed, 1);
    loop_future_unref(self.to_unref);
    self.destroyed = 0;
    self.to_unref = new_future(loop);
    CHECK_INT(loop_future_set_result(self.to_unref, &self.destroyed, count), 0);
    CHECK_INT(in_child(use_in_child, &self), 0);
    CHECK_INT(self.destroyed, 0);
    CHECK_INT(loop_future_done(self.future), 0);
    loop_future_unref(self.future);
    loop_future_unref(self.to_unref);
    CHECK_INT(self.destroyed, 2);
    close_loop(loop);
}

static void count_wake(loop_t *loop, void *calls) {
    (void)loop;
    ++*(int *)calls;
}

TEST(a_host_that_waits_for_the_loop_hears_of_futures_that_end_and_tasks_that_begin) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop);
    struct waiter self = {.count = 1, .waits = {loop_future_ref(future)}};
    int64_t timeout;
    int calls = 0;
    CHECK_INT(loop_set_wake_hook(loop, count_wake, &calls, NULL), 0);
    CHECK_INT(loop_prepare(loop, &timeout), 0);
    CHECK_INT(timeout, -1);
    loop_task_unref(start_waiter(loop, &self));
    CHECK_INT(calls, 1);
    CHECK_INT(loop_dispatch(loop), 1);
    CHECK_INT(loop_prepare(loop, &timeout), 0);
    CHECK_INT(timeout, -1);
    CHECK_INT(loop_future_set_result(future, NULL, NULL), 0);
    CHECK_INT(calls, 2);
    CHECK_INT(loop_prepare(loop, &timeout), 0);
    CHECK_INT(timeout, 0);
    CHECK_INT(loop_dispatch(loop), 1);
    CHECK_INT(self.destroyed, 1);
    loop_future_unref(future);
    close_loop(loop);
}
