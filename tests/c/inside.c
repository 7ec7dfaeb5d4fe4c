#include "inside.h"
#include <errno.h>
#include <unistd.h>

void *given(struct inside *self) {
    self->given++;
    return self;
}

void gone(void *data) {
    /* Also on the threads of a pool. */
    __atomic_fetch_add(&((struct inside *)data)->destroyed, 1, __ATOMIC_RELAXED);
}

int kept_fd(struct inside *self, int fd) {
    CHECK(fd >= 0);
    return self->fds[self->fd_count++] = fd;
}

loop_future_t *kept_future(struct inside *self, loop_future_t *future) {
    return self->futures[self->future_count++] = future;
}

loop_transport_t *kept_transport(struct inside *self, loop_transport_t *transport) {
    return self->transports[self->transport_count++] = transport;
}

static void enough(void *loop) {
    CHECK_INT(loop_stop(loop), 0);
}

static void too_long(void *unused) {
    (void)unused;
    CHECK(!"the place was never reached");
}

/* The end of the run, and of everything else. */
static void finish(struct inside *self, int before) {
    CHECK_INT(self->acted > 0, 1);
    if (self->loop != NULL) {
        CHECK_INT(loop_close(self->loop), 0);
        loop_unref(self->loop);
    }
    for (int i = 0; i < self->future_count; i++) {
        loop_future_unref(self->futures[i]);
    }
    for (int i = 0; i < self->transport_count; i++) {
        loop_transport_unref(self->transports[i]);
    }
    if (self->tear_down != NULL) {
        self->tear_down(self);
    }
    for (int i = 0; i < self->fd_count; i++) {
        close(self->fds[i]);
    }
    if (self->in_child && self->child_may_lose_data) {
        CHECK(self->destroyed <= self->given);
    } else {
        CHECK_INT(self->destroyed, self->given);
    }
    /* valgrind itself has other descriptors in a child. */
    if (!self->in_child || !in_valgrind()) {
        CHECK_INT(open_fds(), before);
    }
}

static void fork_here(struct inside *self) {
    pid_t child = start_child();
    if (child == 0) {
        self->in_child = 1;
        CHECK_INT(loop_call_soon(self->loop, never, NULL, NULL, NULL), LOOP_EFORKED);
        if (self->act == INSIDE_FORK_AND_CLOSE) {
            CHECK_INT(loop_close(self->loop), 0);
        } else if (self->act == INSIDE_FORK_AND_REINIT) {
            CHECK_INT(loop_reinit_after_fork(self->loop, LOOP_REINIT_KEEP_IO | LOOP_REINIT_KEEP_READY), 0);
        }
        return;
    }
    CHECK_INT(end_of(child), 0);
    CHECK_INT(loop_stop(self->loop), 0);
}

void act(struct inside *self) {
    if (self->acted++ > 0) {
        return;
    }
    switch (self->act) {
    case INSIDE_CLOSE:
        CHECK_INT(loop_close(self->loop), LOOP_ERUNNING);
        CHECK_INT(loop_stop(self->loop), 0);
        break;
    case INSIDE_INTERRUPT:
        CHECK_INT(loop_interrupt(self->loop, 7), 0);
        break;
    case INSIDE_UNREF: {
        loop_t *loop = self->loop;
        self->loop = NULL;
        CHECK_INT(loop_stop(loop), 0);
        loop_unref(loop);
        break;
    }
    case INSIDE_CANCEL:
        for (int i = 0; i < self->future_count; i++) {
            CHECK(loop_future_cancel(self->futures[i], "inside") >= 0);
        }
        for (int i = 0; i < self->transport_count; i++) {
            CHECK(loop_transport_abort(self->transports[i]) >= 0);
        }
        CHECK_INT(loop_call_later(self->loop, 3 * MS, enough, self->loop, NULL, NULL), 0);
        break;
    default:
        fork_here(self);
    }
}

void inside(void (*place)(struct inside *self), enum inside_act what) {
    int before = open_fds();
    struct inside *self = calloc(1, sizeof *self);
    CHECK(self != NULL);
    self->act = what;
    loop_t *loop = self->loop = loop_new();
    CHECK_INT(loop_call_later(loop, 20000 * MS, too_long, NULL, NULL, NULL), 0);
    place(self);
    int result = loop_run_forever(loop);
    if (self->in_child) {
        CHECK_INT(result, LOOP_EFORKED);
        if (what == INSIDE_FORK_AND_REINIT) {
            CHECK(loop_run_once(loop, 0) >= 0);
        }
        finish(self, before);
        free(self);
        leave_child(0);
    }
    CHECK_INT(result, what == INSIDE_INTERRUPT ? 7 : 0);
    finish(self, before);
    free(self);
}
