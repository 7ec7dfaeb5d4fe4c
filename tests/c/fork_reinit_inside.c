/* A child takes the inherited loop over inside the very callback in which it
 * was forked: the parent's run ends there, and the child's own may begin. */
#include "child.h"
#include <unistd.h>

enum kind { SOON, POSTED, POSTED_HANDLE, TIMER, READER, KINDS };

struct inside {
    loop_t *loop;
    enum kind kind;
    uint32_t flags;
    int nested, calls, destroyed, destroyed_in_call, fresh_destroyed;
    int ends[2];
    pid_t child;
    struct log log;
    struct mark behind, fresh;
};

static void inside_destroyed(void *user_data) {
    ((struct inside *)user_data)->destroyed++;
}

static void post_fresh(struct inside *inside) {
    loop_handle_t handle = 0;
    CHECK_INT(loop_call_soon_threadsafe(inside->loop, leave_mark, &inside->fresh, NULL,
                                        &handle), 0);
    CHECK_INT(loop_handle_cancelled(inside->loop, handle), 0);
}

static void fork_and_reinit(void *user_data) {
    struct inside *inside = user_data;
    loop_t *running = NULL;
    inside->calls++;
    inside->child = start_child();
    if (inside->child != 0) {
        loop_remove_reader(inside->loop, inside->ends[0]);
        return;
    }
    CHECK_INT(loop_reinit_after_fork(inside->loop, inside->flags), 0);
    CHECK_INT(loop_get_running(&running), LOOP_ENO_RUNNING);
    CHECK_INT(loop_is_running(inside->loop), 0);
    post_fresh(inside);
    /* Or a reader that was kept would run again. The parent's has run already. */
    if (inside->kind == READER)
        hear(inside->ends[0]);
    if (inside->nested)
        CHECK(loop_run_once(inside->loop, 0) > 0);
    inside->destroyed_in_call = inside->destroyed;
}

static void schedule(struct inside *inside) {
    loop_t *loop = inside->loop;
    loop_handle_t handle;
    switch (inside->kind) {
    case SOON:
        CHECK_INT(loop_call_soon(loop, fork_and_reinit, inside, inside_destroyed, NULL), 0);
        break;
    case POSTED:
        CHECK_INT(loop_call_soon_threadsafe(loop, fork_and_reinit, inside, inside_destroyed,
                                            NULL), 0);
        break;
    case POSTED_HANDLE:
        CHECK_INT(loop_call_soon_threadsafe(loop, fork_and_reinit, inside, inside_destroyed,
                                            &handle), 0);
        break;
    case TIMER:
        CHECK_INT(loop_call_at(loop, 0, fork_and_reinit, inside, inside_destroyed, NULL), 0);
        break;
    default:
        tell(inside->ends[1]);
        CHECK_INT(loop_add_reader(loop, inside->ends[0], fork_and_reinit, inside,
                                  inside_destroyed), 0);
    }
    /* Timers and readers come behind what is ready, so these go there, too. */
    CHECK_INT(inside->kind >= TIMER ? loop_call_at(loop, 1, leave_mark, &inside->behind, NULL, NULL)
                                    : loop_call_soon(loop, leave_mark, &inside->behind, NULL, NULL),
              0);
}

static void reinit_inside(enum kind kind, uint32_t flags, int nested) {
    struct inside inside = {.loop = loop_new(), .kind = kind, .flags = flags, .nested = nested};
    inside.behind = (struct mark){&inside.log, 'b'};
    inside.fresh = (struct mark){&inside.log, 'n'};
    make_pipe(inside.ends);
    schedule(&inside);
    int result = loop_run_once(inside.loop, 0);
    if (inside.child == 0) {
        CHECK_INT(result, LOOP_EFORKED);
        CHECK_INT(inside.destroyed_in_call, 0);
        while (loop_run_once(inside.loop, 0) > 0) {
        }
        CHECK_STR(inside.log.text, (flags & LOOP_REINIT_KEEP_READY) ? "bn" : "n");
    } else {
        CHECK_INT(result, 2);
        CHECK_STR(inside.log.text, "b");
        CHECK_INT(end_of(inside.child), 0);
    }
    CHECK_INT(loop_close(inside.loop), 0);
    loop_unref(inside.loop);
    CHECK_INT(inside.calls, 1);
    CHECK_INT(inside.destroyed, 1);
    close(inside.ends[0]);
    close(inside.ends[1]);
    if (inside.child == 0)
        exit(0);
}

static void with_all_flags(enum kind kind) {
    for (uint32_t flags = 0; flags < 4; flags++) {
        reinit_inside(kind, flags, 0);
        reinit_inside(kind, flags, 1);
    }
}

TEST(F9_F14_a_child_reinits_inside_a_callback_and_runs_again) {
    with_all_flags(SOON);
}

TEST(F9_F14_a_child_reinits_inside_a_posted_callback) {
    with_all_flags(POSTED);
}

TEST(F9_F14_a_child_reinits_inside_a_posted_callback_with_handle_and_loses_no_post) {
    with_all_flags(POSTED_HANDLE);
}

TEST(F9_F14_a_child_reinits_inside_a_timer) {
    with_all_flags(TIMER);
}

TEST(F9_F14_a_child_reinits_inside_a_reader_whose_data_outlives_the_call) {
    with_all_flags(READER);
}
