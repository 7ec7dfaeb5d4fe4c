/* Futures for threads: submitted work, chains in both directions, ends of loops. */
#include "child.h"
#include "future_tools.h"
#include "loop_thread.h"
#include <errno.h>

static const int64_t FOREVER = -1;

struct submitted {
    int calls, destroyed, answer;
    loop_future_t *future; /* what `start` yields, with a reference to keep */
    pthread_t thread;
};

static int start_it(loop_t *loop, loop_future_t **ret_future, void *data) {
    struct submitted *self = data;
    self->calls++;
    self->thread = pthread_self();
    if (self->answer < 0)
        return self->answer;
    if (self->answer > 0) {
        self->future = new_future(loop);
        *ret_future = loop_future_ref(self->future);
    }
    return 0;
}

static void submitted_destroyed(void *data) {
    ((struct submitted *)data)->destroyed++;
}

static loop_cfuture_t *submit(loop_t *loop, struct submitted *self) {
    loop_cfuture_t *cfuture = NULL;
    CHECK_INT(loop_submit_threadsafe(loop, start_it, self, submitted_destroyed, &cfuture), 0);
    return cfuture;
}

static void mark_cfuture(loop_cfuture_t *cfuture, void *mark) {
    CHECK_INT(loop_cfuture_done(cfuture), 1);
    leave_mark(mark);
}

TEST(E6_submitted_work_runs_in_the_loops_thread_and_comes_back) {
    struct loop_thread other;
    loop_thread_start(&other);
    struct submitted plain = {0}, refuses = {.answer = -EIO};
    loop_cfuture_t *cfuture = submit(other.loop, &plain);
    CHECK_INT(loop_cfuture_result(cfuture, FOREVER, NULL), 0);
    CHECK(pthread_equal(plain.thread, other.thread));
    loop_cfuture_unref(cfuture);
    cfuture = submit(other.loop, &refuses);
    CHECK_INT(loop_cfuture_result(cfuture, FOREVER, NULL), -EIO);
    CHECK_STR(loop_last_error(), strerror(EIO));
    loop_cfuture_unref(cfuture);

    struct waiter task = {.number = 42, .yields = 3};
    CHECK_INT(loop_create_task_threadsafe(other.loop, waiter_step, &task, waiter_destroyed, &cfuture), 0);
    void *result;
    CHECK_INT(loop_cfuture_result(cfuture, FOREVER, &result), 0);
    CHECK_INT((intptr_t)result, 42);
    CHECK_INT(loop_cfuture_cancel(cfuture, NULL), 0);
    loop_cfuture_unref(cfuture);
    CHECK_INT(loop_submit_threadsafe(other.loop, start_it, &plain, submitted_destroyed, NULL), 0);
    loop_thread_end(&other);
    CHECK_INT(plain.calls, 2);
    CHECK_INT(plain.destroyed, 2);
    CHECK_INT(refuses.destroyed, 1);
    CHECK_INT(task.destroyed, 1);
}

TEST(E6_P32_a_wait_that_is_over_cancels_nothing) {
    struct loop_thread other;
    loop_thread_start(&other);
    struct submitted self = {.answer = 1};
    loop_cfuture_t *cfuture = submit(other.loop, &self);
    long long before = now_ns();
    CHECK_INT(loop_cfuture_result(cfuture, 20 * MS, NULL), -ETIMEDOUT);
    CHECK(now_ns() - before >= 20 * MS);
    CHECK_INT(loop_cfuture_result(cfuture, 0, NULL), -ETIMEDOUT);
    CHECK_INT(loop_cfuture_done(cfuture), 0);
    CHECK_INT(loop_stop_threadsafe(other.loop), 0);
    loop_thread_join(&other);
    CHECK_INT(loop_future_done(self.future), 0);
    CHECK_INT(loop_future_set_result(self.future, number(3), NULL), 0);
    turns(other.loop, 1);
    void *result;
    CHECK_INT(loop_cfuture_result(cfuture, 0, &result), 0);
    CHECK_INT((intptr_t)result, 3);
    loop_cfuture_unref(cfuture);
    loop_future_unref(self.future);
    close_loop(other.loop);
    sem_destroy(&other.asleep);
}

/* E24: nine tasks that sleep, on three loops in three threads. */
enum { LOOPS = 3, TASKS = 9, NAP = 200 };

struct napper {
    int number, steps, destroyed;
    pthread_t thread;
};

static int nap_and_return(loop_task_t *task, int outcome, void *data) {
    struct napper *self = data;
    loop_future_t *nap;
    self->thread = pthread_self();
    if (outcome < 0 || self->steps++ > 0)
        return outcome < 0 ? outcome : loop_task_return(task, number(self->number), NULL);
    CHECK_INT(loop_sleep(loop_of(task), NAP * MS, NULL, NULL, &nap), 0);
    return loop_task_await(task, nap);
}

static void napper_destroyed(void *data) {
    ((struct napper *)data)->destroyed++;
}

TEST(E24_P32_nine_tasks_sleep_on_three_loops_in_three_threads) {
    struct loop_thread threads[LOOPS];
    struct napper tasks[TASKS];
    loop_cfuture_t *cfutures[TASKS];
    memset(tasks, 0, sizeof tasks);
    for (int i = 0; i < LOOPS; i++)
        loop_thread_start(&threads[i]);
    long long before = now_ns();
    for (int i = 0; i < TASKS; i++) {
        tasks[i].number = i;
        CHECK_INT(loop_create_task_threadsafe(threads[i % LOOPS].loop, nap_and_return, &tasks[i],
                                              napper_destroyed, &cfutures[i]), 0);
    }
    CHECK_INT(loop_cfuture_result(cfutures[0], MS, NULL), -ETIMEDOUT);
    for (int i = 0; i < TASKS; i++) {
        void *result;
        CHECK_INT(loop_cfuture_result(cfutures[i], 20000 * MS, &result), 0);
        CHECK_INT((intptr_t)result, i);
        CHECK(pthread_equal(tasks[i].thread, threads[i % LOOPS].thread));
        loop_cfuture_unref(cfutures[i]);
    }
    CHECK(now_ns() - before >= NAP * MS);
    CHECK(now_ns() - before < TASKS * NAP * MS);
    for (int i = 0; i < LOOPS; i++)
        loop_thread_end(&threads[i]);
    for (int i = 0; i < TASKS; i++)
        CHECK_INT(tasks[i].destroyed, 1);
}

TEST(E6_cancelling_goes_to_the_loop_and_its_end_comes_back) {
    loop_t *loop = loop_new();
    struct submitted self = {.answer = 1}, never_run = {.answer = 1};
    loop_cfuture_t *cfuture = submit(loop, &never_run);
    CHECK_INT(loop_cfuture_cancel(cfuture, "too early"), 1);
    turns(loop, 1);
    CHECK_INT(never_run.calls, 0);
    CHECK_INT(never_run.destroyed, 1);
    CHECK_INT(loop_cfuture_result(cfuture, 0, NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "too early");
    loop_cfuture_unref(cfuture);

    cfuture = submit(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_cfuture_cancel(cfuture, "enough"), 1);
    CHECK_INT(loop_cfuture_cancel(cfuture, NULL), 0);
    CHECK_INT(loop_future_done(self.future), 0);
    turns(loop, 1);
    CHECK_INT(loop_future_result(self.future, NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "enough");
    loop_cfuture_unref(cfuture);
    loop_future_unref(self.future);

    cfuture = submit(loop, &self);
    turns(loop, 1);
    CHECK_INT(loop_future_cancel(self.future, "inside"), 1);
    turns(loop, 1);
    CHECK_INT(loop_cfuture_result(cfuture, 0, NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "inside");
    loop_cfuture_unref(cfuture);
    loop_future_unref(self.future);
    close_loop(loop);
}

static void *wait_for_end(void *cfuture) {
    return number(loop_cfuture_result(cfuture, FOREVER, NULL));
}

TEST(E6_threads_that_wait_are_told_that_the_loop_was_closed) {
    for (int started = 0; started < 2; started++) {
        loop_t *loop = loop_new();
        struct submitted self = {.answer = 1};
        loop_cfuture_t *cfuture = submit(loop, &self);
        pthread_t thread;
        if (started)
            turns(loop, 1);
        CHECK_INT(pthread_create(&thread, NULL, wait_for_end, cfuture), 0);
        sleep_ns(10 * MS);
        CHECK_INT(loop_close(loop), 0);
        void *answer;
        CHECK_INT(pthread_join(thread, &answer), 0);
        CHECK_INT((intptr_t)answer, LOOP_ECLOSED);
        CHECK_INT(self.destroyed, 1);
        CHECK_INT(loop_submit_threadsafe(loop, start_it, &self, submitted_destroyed, NULL), LOOP_ECLOSED);
        CHECK_INT(self.destroyed, 2);
        if (started)
            loop_future_unref(self.future);
        loop_cfuture_unref(cfuture);
        loop_unref(loop);
    }
}

TEST(a_pending_task_that_was_submitted_ends_with_its_loop) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports);
    struct waiter self = {.count = 1, .waits = {new_future(loop)}};
    loop_cfuture_t *cfuture;
    CHECK_INT(loop_create_task_threadsafe(loop, waiter_step, &self, waiter_destroyed, &cfuture), 0);
    turns(loop, 3);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_cfuture_result(cfuture, 0, NULL), LOOP_ECLOSED);
    CHECK_INT(self.destroyed, 1);
    loop_cfuture_unref(cfuture);
    loop_unref(loop);
}

enum { CANCELLERS = 4 };

static void *cancel_it(void *cfuture) {
    return number(loop_cfuture_cancel(cfuture, NULL));
}

TEST(of_many_threads_that_cancel_one_does_it) {
    struct loop_thread other;
    loop_thread_start(&other);
    for (int round = 0; round < (in_valgrind() ? 10 : 300); round++) {
        struct waiter self = {.yields = 1000000000};
        pthread_t threads[CANCELLERS];
        loop_cfuture_t *cfuture;
        int cancelled = 0;
        CHECK_INT(loop_create_task_threadsafe(other.loop, waiter_step, &self, waiter_destroyed, &cfuture), 0);
        for (int i = 0; i < CANCELLERS; i++)
            CHECK_INT(pthread_create(&threads[i], NULL, cancel_it, cfuture), 0);
        for (int i = 0; i < CANCELLERS; i++) {
            void *answer;
            CHECK_INT(pthread_join(threads[i], &answer), 0);
            cancelled += (int)(intptr_t)answer;
        }
        CHECK_INT(cancelled, 1);
        CHECK_INT(loop_cfuture_result(cfuture, FOREVER, NULL), LOOP_ECANCELLED);
        loop_cfuture_unref(cfuture);
        /* The loop has heard of it before what comes next, so `self` is free. */
        struct submitted last = {0};
        for (int i = 0; i < 3; i++) {
            cfuture = submit(other.loop, &last);
            CHECK_INT(loop_cfuture_result(cfuture, FOREVER, NULL), 0);
            loop_cfuture_unref(cfuture);
        }
        CHECK(self.destroyed == 1);
    }
    loop_thread_end(&other);
}

TEST(a_hosts_own_is_ended_once_and_tells_its_listeners) {
    loop_cfuture_t *cfuture, *failed;
    struct log log = {0};
    struct mark a = {&log, 'a'}, b = {&log, 'b'};
    int destroyed = 0;
    void *result;
    CHECK_INT(loop_cfuture_new(&cfuture), 0);
    CHECK_INT(loop_cfuture_new(&failed), 0);
    CHECK_INT(loop_cfuture_add_done_callback(cfuture, mark_cfuture, &a, NULL), 0);
    CHECK_INT(loop_cfuture_set_result(cfuture, &destroyed, count), 0);
    CHECK_STR(log.text, "a");
    CHECK_INT(loop_cfuture_add_done_callback(cfuture, mark_cfuture, &b, NULL), 0);
    CHECK_STR(log.text, "ab");
    CHECK_INT(loop_cfuture_set_result(cfuture, &destroyed, count), LOOP_EINVALID_STATE);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_cfuture_set_exception(cfuture, -5, NULL), LOOP_EINVALID_STATE);
    CHECK_INT(loop_cfuture_result(cfuture, FOREVER, &result), 0);
    CHECK(result == &destroyed);
    CHECK(loop_cfuture_get_destroy(cfuture) == count);
    CHECK(loop_cfuture_ref(cfuture) == cfuture);
    loop_cfuture_unref(cfuture);
    loop_cfuture_unref(cfuture);
    CHECK_INT(destroyed, 2);
    CHECK_INT(loop_cfuture_set_exception(failed, 5, NULL), LOOP_EINVAL);
    CHECK_INT(loop_cfuture_set_exception(failed, LOOP_ECANCELLED, NULL), LOOP_EINVAL);
    CHECK_INT(loop_cfuture_add_done_callback(failed, NULL, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(destroyed, 3);
    CHECK_INT(loop_cfuture_set_exception(failed, -5, "it broke"), 0);
    CHECK_INT(loop_cfuture_result(failed, FOREVER, NULL), -5);
    CHECK_STR(loop_last_error(), "it broke");
    loop_cfuture_unref(failed);
    /* Given back undone: its listener never runs. */
    CHECK_INT(loop_cfuture_new(&cfuture), 0);
    CHECK_INT(loop_cfuture_add_done_callback(cfuture, mark_cfuture, &destroyed, count), 0);
    loop_cfuture_unref(cfuture);
    CHECK_INT(destroyed, 4);
}

static void *end_it(void *cfuture) {
    static int destroyed;
    CHECK_INT(loop_cfuture_set_result(cfuture, &destroyed, count), 0);
    loop_cfuture_unref(cfuture);
    return &destroyed;
}

TEST(what_is_attached_to_a_failure_goes_from_future_to_future) {
    loop_t *loop = loop_new();
    loop_cfuture_t *cfuture;
    loop_future_t *wrapped;
    int data = 0, refused = 0;
    CHECK_INT(loop_cfuture_new(&cfuture), 0);
    CHECK(loop_cfuture_exception_data(cfuture) == NULL);
    CHECK(loop_cfuture_exception_data(NULL) == NULL);
    CHECK(loop_cfuture_get_destroy(cfuture) == NULL);
    CHECK(loop_cfuture_get_destroy(NULL) == NULL);
    CHECK_INT(loop_cfuture_set_exception_data(cfuture, 1, NULL, &refused, count), LOOP_EINVAL);
    CHECK_INT(loop_cfuture_set_exception_data(NULL, -EIO, NULL, &refused, count), LOOP_EINVAL);
    CHECK_INT(refused, 2);
    CHECK_INT(loop_wrap_cfuture(loop, cfuture, &wrapped), 0);
    CHECK_INT(loop_cfuture_set_exception_data(cfuture, -EIO, "broken", &data, count), 0);
    CHECK_INT(loop_cfuture_set_exception_data(cfuture, -EIO, "again", &refused, count), LOOP_EINVALID_STATE);
    CHECK_INT(refused, 3);
    CHECK(loop_cfuture_exception_data(cfuture) == &data);
    CHECK(loop_cfuture_get_destroy(cfuture) == count);
    CHECK_INT(loop_cfuture_result(cfuture, 0, NULL), -EIO);
    CHECK_STR(loop_last_error(), "broken");
    loop_cfuture_unref(cfuture);
    CHECK_INT(loop_run_until_complete(loop, wrapped, NULL), -EIO);
    CHECK(loop_future_exception_data(wrapped) == &data);
    CHECK_INT(data, 0);
    loop_future_unref(wrapped);
    CHECK_INT(data, 1);
    loop_unref(loop);
}

TEST(a_wrapped_one_ends_on_the_loop_and_cancelling_goes_back) {
    loop_t *loop = loop_new();
    loop_cfuture_t *cfuture;
    loop_future_t *future;
    pthread_t thread;
    void *result, *destroyed;
    CHECK_INT(loop_cfuture_new(&cfuture), 0);
    CHECK_INT(loop_wrap_cfuture(loop, cfuture, &future), 0);
    CHECK_INT(pthread_create(&thread, NULL, end_it, cfuture), 0);
    CHECK_INT(loop_run_until_complete(loop, future, &result), 0);
    CHECK_INT(pthread_join(thread, &destroyed), 0);
    CHECK(result == destroyed);
    CHECK_INT(*(int *)destroyed, 0);
    loop_future_unref(future);
    CHECK_INT(*(int *)destroyed, 1);

    CHECK_INT(loop_cfuture_new(&cfuture), 0);
    CHECK_INT(loop_wrap_cfuture(loop, cfuture, &future), 0);
    CHECK_INT(loop_future_cancel(future, "enough"), 1);
    CHECK_INT(loop_cfuture_result(cfuture, 0, NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "enough");
    turns(loop, 2);
    loop_future_unref(future);
    CHECK_INT(loop_wrap_cfuture(loop, cfuture, &future), 0); /* done already */
    loop_cfuture_unref(cfuture);
    turns(loop, 1);
    CHECK_INT(loop_future_cancelled(future), 1);
    loop_future_unref(future);
    close_loop(loop);
}

TEST(wrapped_ones_are_freed_whatever_ends_first) {
    for (int how = 0; how < 4; how++) {
        loop_t *loop = loop_new();
        loop_cfuture_t *cfuture;
        loop_future_t *future;
        int destroyed = 0;
        CHECK_INT(loop_cfuture_new(&cfuture), 0);
        CHECK_INT(loop_wrap_cfuture(loop, cfuture, &future), 0);
        CHECK_INT(loop_future_add_done_callback(future, mark_done, &destroyed, count), 0);
        loop_future_unref(future); /* the loop keeps it */
        CHECK_INT(destroyed, 0);
        switch (how) {
        case 0: /* nobody ends it */
            loop_cfuture_unref(cfuture);
            break;
        case 1: /* the news is on its way */
            CHECK_INT(loop_cfuture_set_result(cfuture, NULL, NULL), 0);
            loop_cfuture_unref(cfuture);
            break;
        }
        CHECK_INT(loop_close(loop), 0);
        CHECK_INT(destroyed, 1);
        if (how == 2)
            CHECK_INT(loop_cfuture_cancel(cfuture, NULL), 1);
        loop_unref(loop);
        if (how == 3)
            CHECK_INT(loop_cfuture_set_result(cfuture, NULL, NULL), 0);
        if (how >= 2)
            loop_cfuture_unref(cfuture);
    }
}

TEST(cfutures_answer_NULL_with_EINVAL_and_destroy_what_they_got) {
    loop_t *loop = loop_new();
    loop_cfuture_t *cfuture;
    loop_future_t *future;
    int destroyed = 0;
    CHECK_INT(loop_submit_threadsafe(NULL, start_it, &destroyed, count, &cfuture), LOOP_EINVAL);
    CHECK_INT(loop_submit_threadsafe(loop, NULL, &destroyed, count, &cfuture), LOOP_EINVAL);
    CHECK_INT(loop_create_task_threadsafe(NULL, waiter_step, &destroyed, count, &cfuture), LOOP_EINVAL);
    CHECK_INT(loop_create_task_threadsafe(loop, NULL, &destroyed, count, &cfuture), LOOP_EINVAL);
    CHECK_INT(loop_cfuture_new(NULL), LOOP_EINVAL);
    CHECK(loop_cfuture_ref(NULL) == NULL);
    loop_cfuture_unref(NULL);
    CHECK_INT(loop_cfuture_done(NULL), LOOP_EINVAL);
    CHECK_INT(loop_cfuture_result(NULL, 0, NULL), LOOP_EINVAL);
    CHECK_INT(loop_cfuture_cancel(NULL, NULL), LOOP_EINVAL);
    CHECK_INT(loop_cfuture_set_result(NULL, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_cfuture_set_exception(NULL, -1, NULL), LOOP_EINVAL);
    CHECK_INT(loop_cfuture_add_done_callback(NULL, mark_cfuture, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(destroyed, 6);
    CHECK_INT(loop_cfuture_new(&cfuture), 0);
    CHECK_INT(loop_wrap_cfuture(NULL, cfuture, &future), LOOP_EINVAL);
    CHECK_INT(loop_wrap_cfuture(loop, NULL, &future), LOOP_EINVAL);
    CHECK_INT(loop_wrap_cfuture(loop, cfuture, NULL), LOOP_EINVAL);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_wrap_cfuture(loop, cfuture, &future), LOOP_ECLOSED);
    loop_cfuture_unref(cfuture);
    loop_unref(loop);
}

struct inherited {
    loop_t *loop;
    loop_cfuture_t *submitted, *own;
    struct submitted self;
    int destroyed;
};

static void use_inherited(void *data) {
    struct inherited *self = data;
    loop_future_t *future;
    CHECK_INT(loop_cfuture_done(self->own), LOOP_EFORKED);
    CHECK_INT(loop_cfuture_result(self->own, FOREVER, NULL), LOOP_EFORKED);
    CHECK_INT(loop_cfuture_result(self->submitted, FOREVER, NULL), LOOP_EFORKED);
    CHECK_INT(loop_cfuture_cancel(self->submitted, NULL), LOOP_EFORKED);
    CHECK_INT(loop_cfuture_set_result(self->own, &self->destroyed, count), LOOP_EFORKED);
    CHECK_INT(loop_cfuture_set_exception(self->own, -1, NULL), LOOP_EFORKED);
    CHECK_INT(loop_cfuture_add_done_callback(self->own, mark_cfuture, &self->destroyed, count), LOOP_EFORKED);
    CHECK_INT(self->destroyed, 2);
    CHECK_INT(loop_submit_threadsafe(self->loop, start_it, &self->self, submitted_destroyed, NULL), LOOP_EFORKED);
    CHECK_INT(loop_wrap_cfuture(self->loop, self->own, &future), LOOP_EFORKED);
    loop_t *fresh = loop_new();
    CHECK_INT(loop_wrap_cfuture(fresh, self->own, &future), LOOP_EFORKED);
    close_loop(fresh);
    loop_cfuture_unref(self->own);
    loop_cfuture_unref(self->submitted);
    CHECK_INT(self->destroyed, 3); /* the listener's */
    loop_unref(self->loop);
}

TEST(F14_cfutures_in_a_child_answer_EFORKED_and_nobody_hangs) {
    struct inherited self = {.loop = loop_new(), .self = {.answer = 1}};
    self.submitted = submit(self.loop, &self.self);
    CHECK_INT(loop_cfuture_new(&self.own), 0);
    CHECK_INT(loop_cfuture_add_done_callback(self.own, mark_cfuture, &self.destroyed, count), 0);
    CHECK_INT(in_child(use_inherited, &self), 0);
    CHECK_INT(self.destroyed, 0);
    turns(self.loop, 1);
    CHECK_INT(self.self.calls, 1);
    CHECK_INT(loop_cfuture_cancel(self.submitted, NULL), 1);
    loop_future_unref(self.self.future);
    loop_cfuture_unref(self.submitted);
    loop_cfuture_unref(self.own);
    CHECK_INT(self.destroyed, 1);
    close_loop(self.loop);
}
