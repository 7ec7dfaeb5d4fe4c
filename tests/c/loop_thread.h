/* A loop that runs in a thread of its own. `asleep` counts its waits: once it
 * was taken, the loop looks at nothing any more until it is woken. */
#ifndef LOOP_THREAD_H
#define LOOP_THREAD_H

#include "test.h"
#include <pthread.h>
#include <semaphore.h>

struct loop_thread {
    loop_t *loop;
    pthread_t thread;
    sem_t asleep;
    int result;
};

static inline void take(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0) {
    }
}

static inline void loop_thread_sleeps(loop_t *loop, void *self) {
    (void)loop;
    sem_post(&((struct loop_thread *)self)->asleep);
}

static inline void *loop_thread_main(void *data) {
    struct loop_thread *self = data;
    self->result = loop_run_forever(self->loop);
    return NULL;
}

/* Returns when the loop is about to sleep. */
static inline void loop_thread_start(struct loop_thread *self) {
    self->loop = loop_new();
    CHECK(self->loop != NULL);
    CHECK_INT(sem_init(&self->asleep, 0, 0), 0);
    CHECK_INT(loop_set_wait_hooks(self->loop, loop_thread_sleeps, NULL, self, NULL), 0);
    CHECK_INT(pthread_create(&self->thread, NULL, loop_thread_main, self), 0);
    take(&self->asleep);
}

static inline void loop_thread_join(struct loop_thread *self) {
    CHECK_INT(pthread_join(self->thread, NULL), 0);
    CHECK_INT(self->result, 0);
}

static inline void loop_thread_end(struct loop_thread *self) {
    CHECK_INT(loop_stop_threadsafe(self->loop), 0);
    loop_thread_join(self);
    CHECK_INT(loop_close(self->loop), 0);
    loop_unref(self->loop);
    sem_destroy(&self->asleep);
}

/* sem_post as a callback. */
static inline void post_semaphore(void *semaphore) {
    sem_post(semaphore);
}

#endif
