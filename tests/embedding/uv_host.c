/* A libuv loop. */
#include "coloop/adapters/uv.h"
#include "hosts.h"

struct uv_state {
    uv_loop_t loop;
    uv_check_t check; /* runs after each wait */
};

static void count_waits(uv_check_t *check) {
    ((struct host *)check->data)->waits++;
}

static void uv_open(struct host *host) {
    struct uv_state *state = calloc(1, sizeof *state);
    CHECK_INT(uv_loop_init(&state->loop), 0);
    CHECK_INT(uv_check_init(&state->loop, &state->check), 0);
    CHECK_INT(uv_check_start(&state->check, count_waits), 0);
    uv_unref((uv_handle_t *)&state->check);
    state->check.data = host;
    host->state = state;
}

static void uv_end(struct host *host) {
    struct uv_state *state = host->state;
    uv_close((uv_handle_t *)&state->check, NULL);
    CHECK_INT(uv_run(&state->loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(&state->loop), 0);
    free(state);
}

static void *uv_embed(struct host *host, loop_t *loop) {
    coloop_uv_t *bridge = NULL;
    CHECK_INT(coloop_uv_open(&((struct uv_state *)host->state)->loop, loop, &bridge), 0);
    return bridge;
}

static void uv_release(struct host *host, void *embedded) {
    (void)host;
    coloop_uv_close(embedded);
}

static void uv_run_it(struct host *host) {
    uv_run(&((struct uv_state *)host->state)->loop, UV_RUN_DEFAULT);
}

static void uv_quit(struct host *host) {
    uv_stop(&((struct uv_state *)host->state)->loop);
}

static void uv_iterate(struct host *host, int may_wait) {
    uv_run(&((struct uv_state *)host->state)->loop, may_wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

struct uv_call {
    uv_timer_t timer;
    loop_callback_t callback;
    void *data;
};

static void uv_called(uv_timer_t *timer) {
    struct uv_call *call = (struct uv_call *)timer;
    call->callback(call->data);
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
}

static void uv_call_later(struct host *host, int milliseconds, loop_callback_t callback,
                          void *data) {
    struct uv_call *call = calloc(1, sizeof *call);
    call->callback = callback;
    call->data = data;
    uv_timer_init(&((struct uv_state *)host->state)->loop, &call->timer);
    uv_timer_start(&call->timer, uv_called, (uint64_t)milliseconds, 0);
}

static void uv_after_fork(struct host *host) {
    CHECK_INT(uv_loop_fork(&((struct uv_state *)host->state)->loop), 0);
}

const struct host_kind uv_kind = {
    uv_open, uv_end,     uv_embed,      uv_release,    uv_run_it,
    uv_quit, uv_iterate, uv_call_later, uv_after_fork,
};
