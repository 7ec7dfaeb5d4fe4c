/* Futures, tasks and what is made of them. */
#include "inside.h"

static void act_as_callback(void *self) {
    act(self);
}

static void act_when_done(loop_future_t *future, void *self) {
    CHECK(loop_future_done(future) >= 0 || ((struct inside *)self)->in_child);
    act(self);
}

static void act_and_be_gone(void *self) {
    act(self);
    gone(self);
}

static loop_future_t *new_future(struct inside *self) {
    loop_future_t *future;
    CHECK_INT(loop_future_new(self->loop, &future), 0);
    return kept_future(self, future);
}

static void a_callback(struct inside *self) {
    CHECK_INT(loop_call_soon(self->loop, act_as_callback, given(self), gone, NULL), 0);
}
INSIDE(a_callback)

static void a_done_callback(struct inside *self) {
    loop_future_t *future = new_future(self);
    CHECK_INT(loop_future_add_done_callback(future, act_when_done, given(self), gone), 0);
    CHECK_INT(loop_future_add_done_callback(future, act_when_done, given(self), gone), 0);
    CHECK_INT(loop_future_set_result(future, given(self), gone), 0);
    CHECK_INT(loop_future_add_done_callback(future, act_when_done, given(self), gone), 0);
}
INSIDE(a_done_callback)

static void a_done_callback_of_a_cancelled_future(struct inside *self) {
    loop_future_t *future = new_future(self);
    CHECK_INT(loop_future_add_done_callback(future, act_when_done, given(self), gone), 0);
    CHECK_INT(loop_future_cancel(future, "outside"), 1);
}
INSIDE(a_done_callback_of_a_cancelled_future)

static void let_go_of_a_result(void *data) {
    struct inside *self = data;
    loop_future_t *future = self->scene;
    self->scene = NULL;
    loop_future_unref(future);
}

static void the_destructor_of_a_result(struct inside *self) {
    loop_future_t *future;
    CHECK_INT(loop_future_new(self->loop, &future), 0);
    CHECK_INT(loop_future_set_result(future, given(self), act_and_be_gone), 0);
    self->scene = future;
    CHECK_INT(loop_call_soon(self->loop, let_go_of_a_result, self, NULL, NULL), 0);
}
INSIDE(the_destructor_of_a_result)

static void a_destructor_of_a_callback(struct inside *self) {
    loop_future_t *future = new_future(self);
    CHECK_INT(loop_future_set_result(future, NULL, NULL), 0);
    CHECK_INT(loop_future_add_done_callback(future, act_when_done, given(self), gone), 0);
    CHECK_INT(loop_call_soon(self->loop, count, calloc(1, sizeof(int)), free, NULL), 0);
}
INSIDE(a_destructor_of_a_callback)

static int act_as_first_step(loop_task_t *task, int outcome, void *self) {
    (void)task;
    act(self);
    return outcome;
}

static void a_first_step(struct inside *self) {
    CHECK_INT(loop_create_task(self->loop, act_as_first_step, given(self), gone, NULL), 0);
}
INSIDE(a_first_step)

static int act_after_a_nap(loop_task_t *task, int outcome, void *data) {
    struct inside *self = data;
    if (outcome == 0 && loop_task_awaited(task) == NULL) {
        loop_future_t *nap;
        CHECK_INT(loop_sleep(self->loop, 1 * MS, given(self), gone, &nap), 0);
        return loop_task_await(task, nap);
    }
    act(self);
    return outcome;
}

static void a_step_after_a_nap(struct inside *self) {
    loop_task_t *task;
    CHECK_INT(loop_create_task(self->loop, act_after_a_nap, given(self), gone, &task), 0);
    kept_future(self, loop_future_ref(loop_task_future(task)));
    loop_task_unref(task);
}
INSIDE(a_step_after_a_nap)

static int act_and_go_on(loop_task_t *task, int outcome, void *data) {
    struct inside *self = data;
    if (outcome < 0) {
        return outcome;
    }
    if (loop_task_awaited(task) != NULL) {
        return LOOP_TASK_DONE;
    }
    loop_future_t *nap;
    CHECK_INT(loop_sleep(self->loop, 3600 * 1000 * MS, given(self), gone, &nap), 0);
    act(self);
    int answer = loop_task_await(task, nap);
    CHECK(answer == LOOP_TASK_AWAIT || self->in_child || self->act == INSIDE_UNREF);
    return answer;
}

static void a_step_that_goes_on(struct inside *self) {
    loop_task_t *task;
    CHECK_INT(loop_create_task(self->loop, act_and_go_on, given(self), gone, &task), 0);
    kept_future(self, loop_future_ref(loop_task_future(task)));
    loop_task_unref(task);
}
INSIDE(a_step_that_goes_on)

static int end_at_once(loop_task_t *task, int outcome, void *self) {
    (void)self;
    return outcome < 0 ? outcome : loop_task_return(task, given(self), gone);
}

static void the_destructor_of_a_tasks_state(struct inside *self) {
    CHECK_INT(loop_create_task(self->loop, end_at_once, given(self), act_and_be_gone, NULL), 0);
}
INSIDE(the_destructor_of_a_tasks_state)

static loop_future_t *nap(struct inside *self, long long delay) {
    loop_future_t *future;
    CHECK_INT(loop_sleep(self->loop, delay, given(self), gone, &future), 0);
    return kept_future(self, future);
}

static void the_end_of_a_gather(struct inside *self) {
    loop_future_t *both, *parts[] = {nap(self, 1 * MS), nap(self, 2 * MS)};
    CHECK_INT(loop_gather(self->loop, parts, 2, 0, &both), 0);
    CHECK_INT(loop_future_add_done_callback(kept_future(self, both), act_when_done, given(self), gone), 0);
}
INSIDE(the_end_of_a_gather)

static void the_middle_of_a_gather(struct inside *self) {
    loop_future_t *both, *parts[] = {nap(self, 1 * MS), nap(self, 3600 * 1000 * MS)};
    CHECK_INT(loop_gather(self->loop, parts, 2, 0, &both), 0);
    CHECK_INT(loop_future_add_done_callback(kept_future(self, both), act_when_done, given(self), gone), 0);
    CHECK_INT(loop_future_add_done_callback(parts[0], act_when_done, given(self), gone), 0);
}
INSIDE(the_middle_of_a_gather)

static void the_end_of_a_wait_for(struct inside *self) {
    loop_future_t *limited, *shielded, *long_nap = nap(self, 3600 * 1000 * MS);
    CHECK_INT(loop_shield(long_nap, &shielded), 0);
    CHECK_INT(loop_wait_for(kept_future(self, shielded), 1 * MS, &limited), 0);
    CHECK_INT(loop_future_add_done_callback(kept_future(self, limited), act_when_done, given(self), gone), 0);
}
INSIDE(the_end_of_a_wait_for)

static void the_end_of_a_wait(struct inside *self) {
    loop_future_t *some, *parts[] = {nap(self, 3600 * 1000 * MS), nap(self, 1 * MS)};
    CHECK_INT(loop_wait(self->loop, parts, 2, -1, LOOP_FIRST_COMPLETED, &some), 0);
    CHECK_INT(loop_future_add_done_callback(kept_future(self, some), act_when_done, given(self), gone), 0);
}
INSIDE(the_end_of_a_wait)

static int start_something(loop_t *loop, loop_future_t **ret_future, void *data) {
    struct inside *self = data;
    CHECK_INT(loop_sleep(loop, 3600 * 1000 * MS, given(self), gone, ret_future), 0);
    act(self);
    return 0;
}

static void drop_cfuture(struct inside *self) {
    loop_cfuture_unref(self->scene);
}

static void what_a_thread_submitted(struct inside *self) {
    loop_cfuture_t *cfuture;
    CHECK_INT(loop_submit_threadsafe(self->loop, start_something, given(self), gone, &cfuture), 0);
    self->scene = cfuture;
    self->tear_down = drop_cfuture;
}
INSIDE(what_a_thread_submitted)

static int finalize(loop_t *loop, loop_future_t **ret_future, void *data) {
    struct inside *self = data;
    int result = loop_sleep(loop, 3600 * 1000 * MS, given(self), gone, ret_future);
    CHECK(result == 0 || self->in_child);
    act(self);
    return result;
}

static void shut_down(void *data) {
    struct inside *self = data;
    loop_future_t *all;
    loop_t *loop = loop_ref(self->loop);
    if (loop_shutdown_asyncgens(loop, &all) == 0) {
        loop_future_unref(all);
    }
    loop_unref(loop);
}

static void a_finalizer(struct inside *self) {
    for (int i = 0; i < 2; i++) {
        CHECK_INT(loop_add_finalizer(self->loop, finalize, given(self), gone, NULL), 0);
    }
    CHECK_INT(loop_call_soon(self->loop, shut_down, self, NULL, NULL), 0);
}
INSIDE(a_finalizer)
