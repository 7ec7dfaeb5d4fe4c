/* Posting for the libraries that offer only a coalescing wake-up: one mutex, two swapped
 * vectors, and a wake-up only when the box was empty. */
#ifndef POSTBOX_H
#define POSTBOX_H

#include "vector.h"

#include <pthread.h>

struct postbox {
    pthread_mutex_t lock;
    struct vector in, spare;
};

static inline void postbox_init(struct postbox *box)
{
    *box = (struct postbox){.lock = PTHREAD_MUTEX_INITIALIZER};
}

static inline void postbox_free(struct postbox *box)
{
    pthread_mutex_destroy(&box->lock);
    free(box->in.at);
    free(box->spare.at);
}

/* Returns whether the caller has to wake the loop. */
static inline int postbox_put(struct postbox *box, bench_callback fn, void *arg)
{
    pthread_mutex_lock(&box->lock);
    int was_empty = box->in.count == 0;
    vector_push(&box->in, fn, arg);
    pthread_mutex_unlock(&box->lock);
    return was_empty;
}

static inline void postbox_drain(struct postbox *box)
{
    pthread_mutex_lock(&box->lock);
    struct vector taken = vector_swap(&box->in, &box->spare);
    pthread_mutex_unlock(&box->lock);
    vector_run(&taken);
    box->spare = taken; /* only this thread touches spare */
}

#endif
