/* Timers moved in place, and the whole timer contract against a simple model. */
#include "test.h"

struct clock {
    uint64_t now;
};

static uint64_t read_clock(void *data) {
    return ((struct clock *)data)->now;
}

static loop_t *loop_with(struct clock *clock) {
    loop_options_t options = {.size = sizeof options, .clock = read_clock, .clock_data = clock};
    loop_t *loop = NULL;
    CHECK_INT(loop_create(&options, &loop), 0);
    return loop;
}

TEST(a_moved_timer_keeps_its_handle_and_fires_once_at_the_new_time) {
    struct clock clock = {.now = 0};
    loop_t *loop = loop_with(&clock);
    int ran = 0, destroyed = 0;
    loop_handle_t handle;
    uint64_t when;
    CHECK_INT(loop_call_at(loop, 1000, count, &ran, NULL, &handle), 0);
    static const uint64_t moves[] = {2000, 500, 3000, 2500, 2500, 4000, 100, 800};
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        CHECK_INT(loop_handle_reschedule(loop, handle, moves[i]), 0);
        CHECK_INT(loop_handle_when(loop, handle, &when), 0);
        CHECK_INT(when, moves[i]);
        CHECK_INT(loop_next_deadline(loop, &when), 1);
        CHECK_INT(when, moves[i]);
        CHECK_INT(loop_handle_cancelled(loop, handle), 0);
    }
    clock.now = 799;
    CHECK_INT(loop_run_once(loop, 0), 0);
    clock.now = 10000;
    CHECK_INT(loop_run_once(loop, 0), 1);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(ran, 1);
    /* It has run: there is nothing left to move. */
    CHECK_INT(loop_handle_reschedule(loop, handle, 1), LOOP_ESTALE);
    CHECK_INT(loop_handle_when(loop, handle, &when), LOOP_ESTALE);

    CHECK_INT(loop_call_at(loop, 20000, count, &destroyed, count, &handle), 0);
    CHECK_INT(loop_handle_reschedule(loop, handle, 15000), 0);
    CHECK_INT(loop_handle_cancel(loop, handle), 0);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_handle_reschedule(loop, handle, 1), LOOP_ESTALE);
    clock.now = 30000;
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_next_deadline(loop, &when), 0);
    loop_unref(loop);
}

TEST(a_moved_timer_stands_where_a_new_one_would) {
    struct clock clock = {.now = 0};
    loop_t *loop = loop_with(&clock);
    struct log log = {0};
    struct mark marks[5];
    loop_handle_t handles[5];
    for (int i = 0; i < 5; i++) {
        marks[i] = (struct mark){&log, (char)('a' + i)};
        CHECK_INT(loop_call_at(loop, 100, leave_mark, &marks[i], NULL, &handles[i]), 0);
    }
    CHECK_INT(loop_handle_reschedule(loop, handles[1], 100), 0); /* to its own time */
    CHECK_INT(loop_handle_reschedule(loop, handles[0], 50), 0);  /* forth and back */
    CHECK_INT(loop_handle_reschedule(loop, handles[0], 100), 0);
    CHECK_INT(loop_handle_reschedule(loop, handles[3], 200), 0); /* back and forth */
    CHECK_INT(loop_handle_reschedule(loop, handles[3], 100), 0);
    clock.now = 100;
    CHECK_INT(loop_run_once(loop, 0), 5);
    CHECK_STR(log.text, "cebad");
    loop_unref(loop);
}

struct watchdog {
    loop_t *loop;
    loop_handle_t handle;
    int fed, barked;
};

static void bark(void *data) {
    struct watchdog *dog = data;
    dog->barked++;
    CHECK_INT(loop_stop(dog->loop), 0);
}

static void feed(void *data) {
    struct watchdog *dog = data;
    CHECK_INT(loop_handle_reschedule(dog->loop, dog->handle, loop_time(dog->loop) + 300 * MS), 0);
    CHECK_INT(dog->barked, 0);
    if (++dog->fed < 20)
        CHECK_INT(loop_call_later(dog->loop, 20 * MS, feed, dog, NULL, NULL), 0);
    else
        CHECK_INT(loop_handle_reschedule(dog->loop, dog->handle, loop_time(dog->loop) + MS), 0);
}

TEST(a_timeout_pushed_ahead_does_not_strike_and_pulled_near_strikes_soon) {
    struct watchdog dog = {.loop = loop_new()};
    long long before = now_ns();
    CHECK_INT(loop_call_later(dog.loop, 300 * MS, bark, &dog, NULL, &dog.handle), 0);
    CHECK_INT(loop_call_soon(dog.loop, feed, &dog, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(dog.loop), 0);
    CHECK_INT(dog.fed, 20);
    CHECK_INT(dog.barked, 1);
    CHECK(now_ns() - before >= 19 * 20 * MS);
    loop_unref(dog.loop);
}

static void move_both(void *data) {
    struct watchdog *dog = data;
    uint64_t when;
    dog->fed++;
    /* It was due with us and stands in this turn: no waiting timer any more. */
    CHECK_INT(loop_handle_reschedule(dog->loop, dog->handle, UINT64_MAX), LOOP_EINVAL);
    CHECK_INT(loop_handle_when(dog->loop, dog->handle, &when), LOOP_EINVAL);
    CHECK_INT(loop_handle_cancelled(dog->loop, dog->handle), 0);
}

TEST(only_waiting_timers_can_be_moved) {
    struct watchdog dog = {.loop = loop_new()};
    loop_handle_t soon, posted;
    uint64_t when = 3;
    CHECK_INT(loop_call_at(dog.loop, 1, move_both, &dog, NULL, NULL), 0);
    CHECK_INT(loop_call_at(dog.loop, 2, count, &dog.barked, NULL, &dog.handle), 0);
    CHECK_INT(loop_run_once(dog.loop, 0), 2);
    CHECK_INT(dog.fed, 1);
    CHECK_INT(dog.barked, 1);
    CHECK_INT(loop_call_soon(dog.loop, count, &dog.fed, NULL, &soon), 0);
    CHECK_INT(loop_call_soon_threadsafe(dog.loop, count, &dog.fed, NULL, &posted), 0);
    CHECK_INT(loop_handle_reschedule(dog.loop, soon, 5), LOOP_EINVAL);
    CHECK_INT(loop_handle_when(dog.loop, soon, &when), LOOP_EINVAL);
    CHECK_INT(loop_handle_reschedule(dog.loop, posted, 5), LOOP_EINVAL);
    CHECK_INT(loop_handle_when(dog.loop, posted, &when), LOOP_EINVAL);
    CHECK_INT(loop_handle_reschedule(dog.loop, 0, 5), LOOP_ESTALE);
    CHECK_INT(when, 3);
    CHECK_INT(loop_run_once(dog.loop, 0), 2);
    CHECK_INT(dog.fed, 3);
    loop_unref(dog.loop);
}

/* The model: a list of timers, searched for the least (when, order). */
enum { SLOTS = 300, NONE = -1 };

struct modelled {
    loop_handle_t handle;
    uint64_t when, order;
    int alive, destroyed;
};

static struct modelled model[SLOTS];
static uint64_t model_now, model_order;
static int model_fired;

static int model_first(void) {
    int first = NONE;
    for (int i = 0; i < SLOTS; i++) {
        if (model[i].alive && model[i].when <= model_now
            && (first == NONE || model[i].when < model[first].when
                || (model[i].when == model[first].when && model[i].order < model[first].order)))
            first = i;
    }
    return first;
}

static void model_fire(void *data) {
    struct modelled *timer = data;
    CHECK_INT(timer - model, model_first());
    timer->alive = 0;
    model_fired++;
}

static void model_destroy(void *data) {
    struct modelled *timer = data;
    CHECK_INT(timer->alive, 0);
    timer->destroyed++;
}

static uint64_t model_random(uint64_t limit) {
    static uint64_t state = 88172645463325252ULL;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

TEST(any_mixture_of_adding_moving_cancelling_and_firing_agrees_with_a_plain_list) {
    struct clock clock = {.now = 1000};
    loop_t *loop = loop_with(&clock);
    int steps = in_valgrind() ? 5000 : 200000;
    for (int step = 0; step < steps; step++) {
        struct modelled *timer = &model[model_random(SLOTS)];
        /* Few different deadlines, so that equal ones are common. */
        uint64_t when = clock.now + model_random(60) * 10;
        uint64_t told;
        switch (model_random(8)) {
        case 0:
            if (model_random(4) == 0) {
                model_now = clock.now += model_random(200);
                int due = 0;
                for (int i = 0; i < SLOTS; i++)
                    due += model[i].alive && model[i].when <= model_now;
                model_fired = 0;
                CHECK_INT(loop_run_once(loop, 0), due);
                CHECK_INT(model_fired, due);
            }
            break;
        case 1:
            if (timer->alive) {
                timer->alive = 0;
                CHECK_INT(loop_handle_cancel(loop, timer->handle), 0);
                CHECK_INT(timer->destroyed, 1);
                CHECK_INT(loop_handle_cancelled(loop, timer->handle), 1);
            }
            break;
        case 2:
        case 3:
        case 4:
            if (timer->alive) {
                CHECK_INT(loop_handle_reschedule(loop, timer->handle, when), 0);
                timer->when = when;
                timer->order = model_order++;
            } else if (timer->handle != 0) {
                CHECK_INT(loop_handle_reschedule(loop, timer->handle, when), LOOP_ESTALE);
            }
            break;
        default:
            if (timer->alive) {
                CHECK_INT(loop_handle_when(loop, timer->handle, &told), 0);
                CHECK_INT(told, timer->when);
            } else {
                *timer = (struct modelled){0, when, model_order++, 1, 0};
                CHECK_INT(loop_call_at(loop, when, model_fire, timer, model_destroy,
                                       &timer->handle), 0);
            }
        }
    }
    for (int i = 0; i < SLOTS; i++)
        model[i].alive = 0;
    loop_unref(loop);
    for (int i = 0; i < SLOTS; i++)
        CHECK_INT(model[i].destroyed, model[i].handle != 0);
}
