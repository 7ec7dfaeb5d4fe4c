/* Random operations, some of them foolish, from outside and from inside
 * callbacks and destructors. Whatever happens: each piece of user data is
 * destroyed exactly once, one-shot callbacks run at most once, and a cancelled
 * one never. */
#include "child.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ITEMS = 60000, HANDLES = 64, SOCKETS = 6 };

struct item {
    struct fuzz *fuzz;
    loop_handle_t handle;
    uint8_t ran, destroyed, cancelled, repeats;
};

struct fuzz {
    loop_t *loop;
    uint64_t random, now;
    int items, depth, sockets[SOCKETS], steps, contexts, reports;
    struct item *recent[HANDLES], *item;
};

static uint32_t random_below(struct fuzz *fuzz, uint32_t limit) {
    fuzz->random = fuzz->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(fuzz->random >> 33) % limit;
}

static void step(struct fuzz *fuzz);

static void run_item(void *user_data) {
    struct item *item = user_data;
    CHECK_INT(item->destroyed, 0);
    CHECK_INT(item->cancelled, 0);
    if (!item->repeats)
        CHECK_INT(item->ran++, 0);
    if (item->fuzz->depth == 0) {
        item->fuzz->depth++;
        for (uint32_t more = random_below(item->fuzz, 3); more > 0; more--)
            step(item->fuzz);
        item->fuzz->depth--;
    }
}

static void destroy_item(void *user_data) {
    struct item *item = user_data;
    CHECK_INT(item->destroyed++, 0);
    if (item->fuzz->depth < 3 && random_below(item->fuzz, 8) == 0) {
        item->fuzz->depth++;
        step(item->fuzz);
        item->fuzz->depth--;
    }
}

static struct item *new_item(struct fuzz *fuzz) {
    struct item *item = &fuzz->item[fuzz->items++];
    *item = (struct item){.fuzz = fuzz};
    return item;
}

static loop_handle_t some_handle(struct fuzz *fuzz, struct item **of) {
    *of = NULL;
    switch (random_below(fuzz, 8)) {
    case 0:
        return ((uint64_t)random_below(fuzz, UINT32_MAX) << 32) | random_below(fuzz, UINT32_MAX);
    case 1:
        return random_below(fuzz, 100) | (uint64_t)random_below(fuzz, 4) << 63;
    case 2:
        return ((uint64_t)random_below(fuzz, 9) << 32) | 0x80000000u | random_below(fuzz, 9);
    default:
        *of = fuzz->recent[random_below(fuzz, HANDLES)];
        return *of != NULL ? (*of)->handle : 0;
    }
}

static void schedule_some(struct fuzz *fuzz, int wants_handle) {
    struct item *item = new_item(fuzz);
    loop_handle_t handle = 0, *ret = wants_handle ? &handle : NULL;
    uint64_t delay = random_below(fuzz, 5);
    int result;
    switch (random_below(fuzz, 4)) {
    case 0:
        result = loop_call_soon(fuzz->loop, run_item, item, destroy_item, ret);
        break;
    case 1:
        result = loop_call_later(fuzz->loop, (int64_t)delay - 1, run_item, item, destroy_item, ret);
        break;
    case 2:
        result = loop_call_at(fuzz->loop, delay == 4 ? UINT64_MAX : fuzz->now + delay, run_item,
                              item, destroy_item, ret);
        break;
    default:
        result = loop_call_soon_threadsafe(fuzz->loop, run_item, item, destroy_item, ret);
    }
    CHECK(result == 0 || result == LOOP_ECLOSED);
    CHECK(result == 0 || item->destroyed == 1);
    item->handle = handle;
    if (handle != 0)
        fuzz->recent[random_below(fuzz, HANDLES)] = item;
}

static void use_handle(struct fuzz *fuzz) {
    struct item *item;
    loop_handle_t handle = some_handle(fuzz, &item);
    uint64_t when;
    int result;
    switch (random_below(fuzz, 4)) {
    case 0:
        result = loop_handle_cancel(fuzz->loop, handle);
        CHECK(result == 0 || result == LOOP_ESTALE || result == LOOP_ECLOSED);
        if (item != NULL && result == 0 && !item->ran) {
            CHECK_INT(item->destroyed, 1);
            item->cancelled = 1;
        }
        return;
    case 1:
        result = loop_handle_cancelled(fuzz->loop, handle);
        CHECK(result == 0 || result == 1 || result == LOOP_ESTALE || result == LOOP_ECLOSED);
        return;
    case 2:
        result = loop_handle_when(fuzz->loop, handle, &when);
        break;
    default:
        result = loop_handle_reschedule(fuzz->loop, handle, fuzz->now + random_below(fuzz, 9));
    }
    CHECK(result == 0 || result == LOOP_ESTALE || result == LOOP_EINVAL || result == LOOP_ECLOSED);
}

static void use_descriptor(struct fuzz *fuzz) {
    int fd = fuzz->sockets[random_below(fuzz, SOCKETS)], result;
    struct item *item;
    char byte = 'x';
    switch (random_below(fuzz, 6)) {
    case 0:
    case 1:
        item = new_item(fuzz);
        item->repeats = 1;
        result = random_below(fuzz, 2) ? loop_add_reader(fuzz->loop, fd, run_item, item, destroy_item)
                                       : loop_add_writer(fuzz->loop, fd, run_item, item, destroy_item);
        CHECK(result == 0 || result == LOOP_ECLOSED);
        return;
    case 2:
        result = loop_remove_reader(fuzz->loop, fd);
        CHECK(result == 0 || result == 1);
        return;
    case 3:
        result = loop_remove_writer(fuzz->loop, fd);
        CHECK(result == 0 || result == 1);
        return;
    case 4:
        if (write(fd, &byte, 1) < 0)
            empty(fd);
        return;
    default:
        empty(fd);
    }
}

static void turn(struct fuzz *fuzz) {
    int64_t timeout;
    int result;
    switch (random_below(fuzz, 4)) {
    case 0:
        result = loop_prepare(fuzz->loop, &timeout);
        break;
    case 1:
        result = loop_poll(fuzz->loop, 0);
        break;
    case 2:
        result = loop_dispatch(fuzz->loop);
        break;
    default:
        result = loop_run_once(fuzz->loop, 0);
    }
    CHECK(result >= 0 || result == LOOP_ERUNNING || result == LOOP_ECLOSED ||
          result == LOOP_EOTHER_RUNNING);
}

static void rarely(struct fuzz *fuzz) {
    int result;
    switch (random_below(fuzz, 8)) {
    case 0:
        /* A descriptor is closed under its watch and its number used again. */
        close(fuzz->sockets[0]);
        CHECK_INT(dup2(fuzz->sockets[1], fuzz->sockets[0]), fuzz->sockets[0]);
        CHECK_INT(fcntl(fuzz->sockets[0], F_SETFL, O_NONBLOCK), 0);
        return;
    case 1:
        result = loop_close(fuzz->loop);
        CHECK(result == 0 || result == LOOP_ERUNNING);
        return;
    case 2:
        result = loop_stop(fuzz->loop);
        CHECK_INT(result, 0);
        return;
    case 3:
        result = loop_stop_threadsafe(fuzz->loop);
        CHECK(result == 0 || result == LOOP_ECLOSED);
        return;
    case 4:
        result = loop_interrupt(fuzz->loop, 3);
        CHECK(result == 0 || result == LOOP_ENO_RUNNING || result == LOOP_ECLOSED);
        return;
    case 5:
        result = loop_wakeup(fuzz->loop);
        CHECK(result == 0 || result == LOOP_ECLOSED);
        return;
    default:
        loop_unref(loop_ref(fuzz->loop));
    }
}

static void step(struct fuzz *fuzz) {
    if (fuzz->items >= ITEMS - 8)
        return;
    fuzz->steps++;
    fuzz->now += random_below(fuzz, 2);
    switch (random_below(fuzz, 16)) {
    case 0: case 1: case 2:
        schedule_some(fuzz, 0);
        break;
    case 3: case 4: case 5:
        schedule_some(fuzz, 1);
        break;
    case 6: case 7: case 8: case 9:
        use_handle(fuzz);
        break;
    case 10: case 11: case 12:
        use_descriptor(fuzz);
        break;
    case 13: case 14:
        turn(fuzz);
        break;
    default:
        if (random_below(fuzz, 20) == 0)
            rarely(fuzz);
    }
}

static uint64_t fuzz_clock(void *fuzz) {
    return ((struct fuzz *)fuzz)->now;
}

static void *capture(void *fuzz) {
    ((struct fuzz *)fuzz)->contexts++;
    return fuzz;
}

static void release(void *context, void *fuzz) {
    CHECK(context == fuzz);
    CHECK(((struct fuzz *)fuzz)->contexts-- > 0);
}

static void report(loop_t *loop, const loop_slow_callback_t *slow, void *fuzz) {
    (void)loop, (void)slow;
    ((struct fuzz *)fuzz)->reports++;
}

/* One loop's life. Ends when somebody closed the loop, or after enough steps. */
static void live(struct fuzz *fuzz, int steps, int debug, int in_context) {
    loop_context_hooks_t hooks = {.size = sizeof hooks, .capture = capture, .release = release};
    loop_options_t options = {.size = sizeof options, .clock = fuzz_clock, .clock_data = fuzz};
    fuzz->now = 1000;
    fuzz->items = fuzz->steps = fuzz->depth = 0;
    memset(fuzz->recent, 0, sizeof fuzz->recent);
    CHECK_INT(loop_create(&options, &fuzz->loop), 0);
    CHECK_INT(loop_set_debug(fuzz->loop, debug), 0);
    CHECK_INT(loop_set_slow_callback_duration(fuzz->loop, 0), 0);
    CHECK_INT(loop_set_slow_callback_hook(fuzz->loop, report, fuzz, NULL), 0);
    if (in_context)
        CHECK_INT(loop_set_context_hooks(fuzz->loop, &hooks, fuzz, NULL), 0);
    while (fuzz->steps < steps && !loop_is_closed(fuzz->loop) && fuzz->items < ITEMS - 8)
        step(fuzz);
    for (int more = 0; more < 20; more++)
        step(fuzz);
    CHECK_INT(loop_close(fuzz->loop), 0);
    loop_unref(fuzz->loop);
    CHECK_INT(fuzz->contexts, 0);
    for (int i = 0; i < fuzz->items; i++)
        CHECK_INT(fuzz->item[i].destroyed, 1);
}

TEST(random_operations_destroy_every_piece_of_data_exactly_once) {
    struct fuzz fuzz = {.item = calloc(ITEMS, sizeof(struct item))};
    int lives = in_valgrind() ? 10 : 400, total = 0;
    CHECK(fuzz.item != NULL);
    signal(SIGPIPE, SIG_IGN);
    for (int pair = 0; pair < SOCKETS; pair += 2)
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, &fuzz.sockets[pair]), 0);
    for (int life = 0; life < lives; life++) {
        /* A failure says which life: its seed is the whole story. */
        fuzz.random = (uint64_t)life;
        fprintf(stderr, "life %d\n", life);
        live(&fuzz, in_valgrind() ? 300 : 4000, life % 2, life / 2 % 2);
        total += fuzz.steps;
    }
    fprintf(stderr, "%d steps\n", total);
    CHECK(total > 20 * lives);
    CHECK(fuzz.reports > 0);
    free(fuzz.item);
}
