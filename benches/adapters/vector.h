/* A growing array of {function, argument}: the ready queue of the libraries that have
 * none. Two of them are swapped per turn, so a turn runs exactly one generation. */
#ifndef VECTOR_H
#define VECTOR_H

#include "bench.h"

#include <stdlib.h>

struct call {
    bench_callback fn;
    void *arg;
};

struct vector {
    struct call *at;
    size_t count, room;
};

static inline void vector_push(struct vector *v, bench_callback fn, void *arg)
{
    if (__builtin_expect(v->count == v->room, 0)) {
        v->room = v->room ? v->room * 2 : 8;
        v->at = realloc(v->at, v->room * sizeof *v->at);
        if (!v->at)
            bench_die("realloc");
    }
    v->at[v->count++] = (struct call){fn, arg};
}

static inline struct vector vector_swap(struct vector *full, struct vector *empty)
{
    struct vector taken = *full;
    *full = *empty;
    full->count = 0;
    return taken;
}

static inline void vector_run(const struct vector *v)
{
    for (size_t i = 0; i < v->count; i++)
        v->at[i].fn(v->at[i].arg);
}

#endif
