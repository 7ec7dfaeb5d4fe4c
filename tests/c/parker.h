/* A task that waits without a future. */
#ifndef PARKER_H
#define PARKER_H

#include "future_tools.h"

/* A task that parks so many times and then ends with its number of steps. In a
 * step `in_step`, and when it is cancelled `on_cancel`, may do something. */
struct parker {
    int parks, steps, cancelled, destroyed, swallows;
    int outcomes[8];
    char text[40];
    loop_task_t *task;
    void (*in_step)(struct parker *);
    void (*on_cancel)(struct parker *);
    loop_timeout_t *timeout;
    void *other;
};

static inline void cancelled(void *data) {
    struct parker *self = data;
    CHECK_INT(self->destroyed, 0);
    self->cancelled++;
    if (self->on_cancel != NULL)
        self->on_cancel(self);
}

static inline void destroyed(void *data) {
    ((struct parker *)data)->destroyed++;
}

static inline int park_step(loop_task_t *task, int outcome, void *data) {
    struct parker *self = data;
    CHECK(loop_current_task(loop_of(task)) == task);
    if (self->steps < 8)
        self->outcomes[self->steps] = outcome;
    self->steps++;
    self->task = task;
    if (outcome < 0) {
        snprintf(self->text, sizeof self->text, "%s", loop_last_error());
        if (!self->swallows)
            return outcome;
    }
    if (self->parks-- > 0) {
        int answer = loop_task_park(task, cancelled, self);
        CHECK_INT(answer, LOOP_TASK_PARK);
        if (self->in_step != NULL)
            self->in_step(self);
        return answer;
    }
    return loop_task_return(task, number(self->steps), NULL);
}

static inline loop_task_t *start_parker(loop_t *loop, struct parker *self) {
    loop_task_t *task = NULL;
    CHECK_INT(loop_create_task(loop, park_step, self, destroyed, &task), 0);
    return task;
}

#endif
