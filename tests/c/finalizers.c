/* What has to end before a loop does: loop_shutdown_asyncgens. */
#include "future_tools.h"
#include <errno.h>

struct finalizer {
    int calls, destroyed, answer;
    loop_future_t *waits; /* its reference passes on */
    struct log *log;
    char mark;
};

static int finalize(loop_t *loop, loop_future_t **ret_future, void *data) {
    struct finalizer *self = data;
    CHECK(loop != NULL);
    CHECK_INT(self->destroyed, 0);
    self->calls++;
    if (self->log != NULL)
        record(self->log, self->mark);
    if (self->waits != NULL)
        *ret_future = self->waits;
    return self->answer;
}

static void finalizer_destroyed(void *data) {
    ((struct finalizer *)data)->destroyed++;
}

static uint64_t add(loop_t *loop, struct finalizer *self) {
    uint64_t id = 0;
    CHECK_INT(loop_add_finalizer(loop, finalize, self, finalizer_destroyed, &id), 0);
    return id;
}

TEST(E16_E20_finalizers_are_called_once_in_order_and_awaited) {
    loop_t *loop = loop_new();
    struct log log = {0};
    loop_future_t *slow = new_future(loop), *all;
    struct finalizer a = {.log = &log, .mark = 'a'}, b = {.log = &log, .mark = 'b', .waits = loop_future_ref(slow)},
                     c = {.log = &log, .mark = 'c'}, removed = {.log = &log, .mark = 'x'};
    add(loop, &a);
    uint64_t id = add(loop, &removed);
    add(loop, &b);
    add(loop, &c);
    CHECK_INT(loop_remove_finalizer(loop, id), 1);
    CHECK_INT(loop_remove_finalizer(loop, id), 0);
    CHECK_INT(removed.destroyed, 1);
    CHECK_INT(loop_shutdown_asyncgens(loop, &all), 0);
    CHECK_STR(log.text, "abc");
    CHECK_INT(a.destroyed + c.destroyed, 2);
    CHECK_INT(b.destroyed, 0);
    turns(loop, 3);
    CHECK_INT(loop_future_done(all), 0);
    CHECK_INT(loop_future_set_result(slow, NULL, NULL), 0);
    CHECK_INT(loop_run_until_complete(loop, all, NULL), 0);
    CHECK_INT(b.destroyed, 1);
    loop_future_unref(all);
    CHECK_INT(loop_shutdown_asyncgens(loop, &all), 0);
    CHECK_INT(loop_run_until_complete(loop, all, NULL), 0);
    CHECK_STR(log.text, "abc");
    loop_future_unref(all);
    loop_future_unref(slow);
    close_loop(loop);
}

TEST(failures_of_finalizers_are_reported_and_end_nothing) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports), *other = loop_new();
    loop_future_t *fails = new_future(loop), *all;
    struct finalizer refuses = {.answer = -EIO}, breaks = {.waits = loop_future_ref(fails)},
                     foreign = {.waits = new_future(other)}, last = {0};
    CHECK_INT(loop_future_set_exception(fails, -5, "it broke"), 0);
    add(loop, &refuses);
    add(loop, &foreign);
    add(loop, &breaks);
    add(loop, &last);
    CHECK_INT(loop_shutdown_asyncgens(loop, &all), 0);
    CHECK_INT(reports.count, 2);
    CHECK_INT(reports.code, LOOP_EWRONG_LOOP);
    CHECK_INT(loop_run_until_complete(loop, all, NULL), 0);
    CHECK_INT(reports.count, 3);
    CHECK_INT(reports.code, -5);
    CHECK_STR(reports.message, "an error occurred during closing of asynchronous generator");
    CHECK_STR(reports.exception, "it broke");
    CHECK_INT(last.calls, 1);
    CHECK_INT(refuses.destroyed + breaks.destroyed + foreign.destroyed + last.destroyed, 4);
    loop_future_unref(all);
    loop_future_unref(fails);
    close_loop(other);
    close_loop(loop);
}

TEST(a_closed_loop_destroys_its_finalizers_uncalled) {
    loop_t *loop = loop_new();
    struct finalizer self = {0}, waits = {.waits = new_future(loop)};
    loop_future_t *all;
    add(loop, &waits);
    CHECK_INT(loop_shutdown_asyncgens(loop, &all), 0);
    add(loop, &self);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(self.destroyed, 1);
    CHECK_INT(self.calls, 0);
    CHECK_INT(waits.destroyed, 1);
    CHECK_INT(loop_future_done(all), 0);
    loop_future_unref(all);
    CHECK_INT(loop_add_finalizer(loop, finalize, &self, finalizer_destroyed, NULL), LOOP_ECLOSED);
    CHECK_INT(self.destroyed, 2);
    CHECK_INT(loop_remove_finalizer(loop, 1), LOOP_ECLOSED);
    CHECK_INT(loop_shutdown_asyncgens(loop, &all), LOOP_ECLOSED);
    loop_unref(loop);
}

static int close_the_loop(loop_t *loop, loop_future_t **ret_future, void *data) {
    ((struct finalizer *)data)->calls++;
    CHECK_INT(loop_future_new(loop, ret_future), 0);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
    return 0;
}

TEST(a_finalizer_may_close_the_loop) {
    loop_t *loop = loop_new();
    struct finalizer self = {0}, next = {0};
    loop_future_t *all = NULL;
    CHECK_INT(loop_add_finalizer(loop, close_the_loop, &self, finalizer_destroyed, NULL), 0);
    add(loop, &next);
    CHECK_INT(loop_shutdown_asyncgens(loop, &all), LOOP_ECLOSED);
    CHECK_INT(self.calls, 1);
    CHECK_INT(self.destroyed + next.destroyed, 2);
}

TEST(finalizers_answer_NULL_with_EINVAL) {
    loop_t *loop = loop_new();
    loop_future_t *all;
    int destroyed = 0;
    CHECK_INT(loop_add_finalizer(NULL, finalize, &destroyed, count, NULL), LOOP_EINVAL);
    CHECK_INT(loop_add_finalizer(loop, NULL, &destroyed, count, NULL), LOOP_EINVAL);
    CHECK_INT(destroyed, 2);
    CHECK_INT(loop_remove_finalizer(NULL, 1), LOOP_EINVAL);
    CHECK_INT(loop_shutdown_asyncgens(NULL, &all), LOOP_EINVAL);
    CHECK_INT(loop_shutdown_asyncgens(loop, NULL), LOOP_EINVAL);
    close_loop(loop);
}
