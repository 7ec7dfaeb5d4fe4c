/* The timer heap of the raw adapter: four-ary, keys inline in the array, each timer knows
 * its place. A timer pushed to a later deadline only notes it; the heap learns of it when
 * the old deadline comes up. */
#ifndef RAW_HEAP_H
#define RAW_HEAP_H

#include "bench.h"

#include <stdlib.h>

typedef struct raw_timer {
    uint64_t when; /* >= the key in the heap */
    bench_callback fn;
    void *arg;
    uint32_t place; /* index + 1; 0: not in the heap */
} raw_timer;

struct raw_heap {
    struct raw_entry { uint64_t key; raw_timer *timer; } *at;
    uint32_t count, room;
};

static inline void raw_heap_put(struct raw_heap *h, uint32_t i, struct raw_entry e)
{
    h->at[i] = e;
    e.timer->place = i + 1;
}

static inline void raw_heap_up(struct raw_heap *h, uint32_t i, struct raw_entry e)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 4;
        if (h->at[parent].key <= e.key)
            break;
        raw_heap_put(h, i, h->at[parent]);
        i = parent;
    }
    raw_heap_put(h, i, e);
}

static inline void raw_heap_down(struct raw_heap *h, uint32_t i, struct raw_entry e)
{
    for (;;) {
        uint32_t child = i * 4 + 1, end = child + 4, least = child;
        if (child >= h->count)
            break;
        if (end > h->count)
            end = h->count;
        for (uint32_t k = child + 1; k < end; k++)
            if (h->at[k].key < h->at[least].key)
                least = k;
        if (e.key <= h->at[least].key)
            break;
        raw_heap_put(h, i, h->at[least]);
        i = least;
    }
    raw_heap_put(h, i, e);
}

static inline void raw_heap_add(struct raw_heap *h, raw_timer *timer)
{
    if (h->count == h->room) {
        h->room = h->room ? h->room * 2 : 8;
        h->at = realloc(h->at, h->room * sizeof *h->at);
        if (!h->at)
            bench_die("realloc");
    }
    raw_heap_up(h, h->count++, (struct raw_entry){timer->when, timer});
}

static inline void raw_heap_remove(struct raw_heap *h, raw_timer *timer)
{
    uint32_t i = timer->place - 1;
    struct raw_entry last = h->at[--h->count];
    timer->place = 0;
    if (i == h->count)
        return;
    if (i > 0 && h->at[(i - 1) / 4].key > last.key)
        raw_heap_up(h, i, last);
    else
        raw_heap_down(h, i, last);
}

/* The next timer due at now, taken out of the heap, or NULL. */
static inline raw_timer *raw_heap_due(struct raw_heap *h, uint64_t now)
{
    while (h->count > 0 && h->at[0].key <= now) {
        raw_timer *timer = h->at[0].timer;
        if (timer->when <= now) {
            raw_heap_remove(h, timer);
            return timer;
        }
        raw_heap_down(h, 0, (struct raw_entry){timer->when, timer});
    }
    return NULL;
}

#endif
