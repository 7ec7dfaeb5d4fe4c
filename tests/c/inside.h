/* What a callback may do to the loop that calls it: close it, leave it, drop it,
 * cancel everything, fork in several ways. INSIDE(place) makes a test of each for
 * a function `place` that arranges for act() to be called. Afterwards every
 * destructor must have run once and every descriptor be closed, in the parent
 * and in the child. */
#ifndef INSIDE_H
#define INSIDE_H

#include "child.h"

enum inside_act {
    INSIDE_CLOSE,
    INSIDE_INTERRUPT,
    INSIDE_UNREF,
    INSIDE_CANCEL,
    INSIDE_FORK_AND_CLOSE,
    INSIDE_FORK_AND_RETURN,
    INSIDE_FORK_AND_REINIT
};

struct inside {
    loop_t *loop;
    enum inside_act act;
    int acted, given, destroyed;
    /* Given up at the end: the host's descriptors, references, more to do. */
    int fds[8], fd_count;
    loop_future_t *futures[8];
    int future_count;
    loop_transport_t *transports[8];
    int transport_count;
    void (*tear_down)(struct inside *self);
    void *scene;
    /* Threads that hold user data do not exist in a child. */
    int child_may_lose_data, in_child;
};

/* User data for one registration, whose destructor must be `gone`. */
void *given(struct inside *self);
void gone(void *self);
/* To be called by the place; acts the first time. */
void act(struct inside *self);
/* Descriptors, and references to futures and transports, for the end. */
int kept_fd(struct inside *self, int fd);
loop_future_t *kept_future(struct inside *self, loop_future_t *future);
loop_transport_t *kept_transport(struct inside *self, loop_transport_t *transport);

void inside(void (*place)(struct inside *self), enum inside_act what);

#define INSIDE_ONE(place, name, what)                \
    TEST(inside_##place##_##name) {                  \
        inside(place, what);                         \
    }

#define INSIDE(place)                                                          \
    INSIDE_ONE(place, close_is_refused, INSIDE_CLOSE)                          \
    INSIDE_ONE(place, interrupt_ends_the_run, INSIDE_INTERRUPT)                \
    INSIDE_ONE(place, the_last_reference_may_go, INSIDE_UNREF)                 \
    INSIDE_ONE(place, everything_may_be_cancelled, INSIDE_CANCEL)              \
    INSIDE_ONE(place, F5_a_child_may_close_the_loop, INSIDE_FORK_AND_CLOSE)    \
    INSIDE_ONE(place, F14_a_child_may_return, INSIDE_FORK_AND_RETURN)          \
    INSIDE_ONE(place, F9_a_child_may_reinit, INSIDE_FORK_AND_REINIT)

#endif
