/* Handles: cancelling, asking, and handles kept too long. */
#include "loop_thread.h"
#include <stdatomic.h>

TEST(a_cancelled_callback_never_runs_and_its_data_ends_at_once) {
    loop_t *loop = loop_new();
    int destroyed[3] = {0};
    loop_handle_t handles[3];
    CHECK_INT(loop_call_soon(loop, count, &destroyed[0], count, &handles[0]), 0);
    CHECK_INT(loop_call_later(loop, 0, count, &destroyed[1], count, &handles[1]), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &destroyed[2], count, &handles[2]), 0);
    for (int i = 0; i < 3; i++) {
        CHECK(handles[i] != 0);
        CHECK_INT(loop_handle_cancelled(loop, handles[i]), 0);
        CHECK_INT(loop_handle_cancel(loop, handles[i]), 0);
        CHECK_INT(destroyed[i], 1);
        CHECK_INT(loop_handle_cancelled(loop, handles[i]), 1);
        CHECK_INT(loop_handle_cancel(loop, handles[i]), 0);
        CHECK_INT(destroyed[i], 1);
    }
    CHECK(loop_run_once(loop, 0) >= 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    loop_unref(loop);
    for (int i = 0; i < 3; i++)
        CHECK_INT(destroyed[i], 1);
}

TEST(a_handle_that_has_run_is_stale) {
    loop_t *loop = loop_new();
    int ran = 0;
    loop_handle_t handles[3];
    CHECK_INT(loop_call_soon(loop, count, &ran, NULL, &handles[0]), 0);
    CHECK_INT(loop_call_later(loop, 0, count, &ran, NULL, &handles[1]), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, &handles[2]), 0);
    CHECK_INT(loop_run_once(loop, 0), 3);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(loop_handle_cancel(loop, handles[i]), LOOP_ESTALE);
        CHECK_INT(loop_handle_cancelled(loop, handles[i]), LOOP_ESTALE);
    }
    CHECK_INT(ran, 3);
    loop_unref(loop);
}

TEST(a_stale_handle_never_means_its_successor) {
    enum { ROUNDS = 2000 };
    static loop_handle_t old[3 * ROUNDS];
    loop_t *loop = loop_new();
    int ran = 0, kept = 0;
    loop_handle_t living[3];
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_INT(loop_call_soon(loop, count, &ran, NULL, &old[3 * i]), 0);
        CHECK_INT(loop_call_later(loop, 0, count, &ran, NULL, &old[3 * i + 1]), 0);
        CHECK_INT(loop_call_soon_threadsafe(loop, count, &ran, NULL, &old[3 * i + 2]), 0);
        if (i % 2 == 0) {
            CHECK_INT(loop_run_once(loop, 0), 3);
        } else {
            for (int j = 0; j < 3; j++)
                CHECK_INT(loop_handle_cancel(loop, old[3 * i + j]), 0);
            CHECK(loop_run_once(loop, 0) >= 0);
        }
    }
    CHECK_INT(ran, 3 * ROUNDS / 2);
    /* The slots of all those are in use again. */
    CHECK_INT(loop_call_soon(loop, count, &kept, NULL, &living[0]), 0);
    CHECK_INT(loop_call_later(loop, 0, count, &kept, NULL, &living[1]), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, count, &kept, NULL, &living[2]), 0);
    for (int i = 0; i < 3 * ROUNDS; i++) {
        for (int j = 0; j < 3; j++)
            CHECK(old[i] != living[j]);
        int result = loop_handle_cancel(loop, old[i]);
        CHECK(result == LOOP_ESTALE || result == 0);
        CHECK(loop_handle_reschedule(loop, old[i], 1) < 0);
    }
    CHECK_INT(loop_run_once(loop, 0), 3);
    CHECK_INT(kept, 3);
    loop_unref(loop);
}

TEST(numbers_that_were_never_handles_are_stale) {
    static const loop_handle_t nonsense[] = {
        0, 1, 0x80000000, 0x7fffffff, 1ULL << 32, 0x100000005, 0x180000000, UINT64_MAX,
    };
    loop_t *loop = loop_new();
    uint64_t when;
    CHECK_INT(loop_run_once(loop, 0), 0);
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        CHECK_INT(loop_handle_cancel(loop, nonsense[i]), LOOP_ESTALE);
        CHECK_INT(loop_handle_cancelled(loop, nonsense[i]), LOOP_ESTALE);
        CHECK(loop_handle_when(loop, nonsense[i], &when) < 0);
        CHECK(loop_handle_reschedule(loop, nonsense[i], 5) < 0);
    }
    loop_unref(loop);
}

struct self_cancel {
    loop_t *loop;
    loop_handle_t handle;
    int expected, ran, destroyed;
};

static void cancel_itself(void *data) {
    struct self_cancel *self = data;
    self->ran++;
    CHECK_INT(loop_handle_cancel(self->loop, self->handle), self->expected);
    CHECK_INT(self->destroyed, 0); /* it is in use: by us */
}

static void self_destroyed(void *data) {
    ((struct self_cancel *)data)->destroyed++;
}

TEST(a_callback_may_cancel_its_own_handle_in_vain) {
    loop_t *loop = loop_new();
    struct self_cancel soon = {.loop = loop, .expected = LOOP_ESTALE};
    struct self_cancel timer = soon, posted = soon;
    CHECK_INT(loop_call_soon(loop, cancel_itself, &soon, self_destroyed, &soon.handle), 0);
    CHECK_INT(loop_call_later(loop, 0, cancel_itself, &timer, self_destroyed, &timer.handle), 0);
    CHECK_INT(loop_call_soon_threadsafe(loop, cancel_itself, &posted, self_destroyed,
                                        &posted.handle), 0);
    CHECK_INT(loop_run_once(loop, 0), 3);
    CHECK_INT(soon.ran + timer.ran + posted.ran, 3);
    CHECK_INT(soon.destroyed + timer.destroyed + posted.destroyed, 3);
    loop_unref(loop);
}

static void cancel_from_destructor(void *data) {
    struct self_cancel *self = data;
    self->destroyed++;
    int result = loop_handle_cancel(self->loop, self->handle);
    CHECK(result == 0 || result == LOOP_ESTALE);
}

TEST(a_destructor_may_use_the_handle_it_belongs_to) {
    loop_t *loop = loop_new();
    struct self_cancel self = {.loop = loop};
    for (int i = 0; i < 4; i++) {
        int result = i % 2 == 0
            ? loop_call_soon(loop, count, &self, cancel_from_destructor, &self.handle)
            : loop_call_soon_threadsafe(loop, count, &self, cancel_from_destructor, &self.handle);
        CHECK_INT(result, 0);
        CHECK_INT(loop_handle_cancel(loop, self.handle), 0);
        CHECK_INT(self.destroyed, i + 1);
    }
    loop_unref(loop);
}

TEST(the_handles_of_one_thread_are_refused_to_others_while_the_loop_runs) {
    struct loop_thread runner;
    loop_handle_t handle = 5;
    uint64_t when = 5;
    int destroyed = 0;
    loop_thread_start(&runner);
    CHECK_INT(loop_call_later(runner.loop, 0, count, &destroyed, count, &handle),
              LOOP_EWRONG_THREAD);
    CHECK_STR(loop_last_error(),
              "Non-thread-safe operation invoked on an event loop other than the current one");
    CHECK_INT(loop_call_at(runner.loop, 0, count, &destroyed, count, &handle), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_add_reader(runner.loop, 0, count, &destroyed, count), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_add_writer(runner.loop, 1, count, &destroyed, count), LOOP_EWRONG_THREAD);
    CHECK_INT(destroyed, 4);
    CHECK_INT(loop_remove_reader(runner.loop, 0), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_remove_writer(runner.loop, 1), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_handle_cancel(runner.loop, 0x100000000), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_handle_cancelled(runner.loop, 0x100000000), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_handle_when(runner.loop, 0x100000000, &when), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_handle_reschedule(runner.loop, 0x100000000, 1), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_next_deadline(runner.loop, &when), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_backend_fd(runner.loop), LOOP_EWRONG_THREAD);
    CHECK(handle == 5 && when == 5);
    loop_thread_end(&runner);
}

struct slow {
    sem_t entered;
    atomic_int ended, destroyed;
};

static void run_slowly(void *data) {
    struct slow *slow = data;
    sem_post(&slow->entered);
    sleep_ns(50 * MS);
    atomic_store(&slow->ended, 1);
}

static void slow_destroyed(void *data) {
    atomic_fetch_add(&((struct slow *)data)->destroyed, 1);
}

TEST(E5_cancel_waits_for_a_callback_that_runs_in_another_thread) {
    struct loop_thread runner;
    struct slow slow = {.ended = 0};
    loop_handle_t handle;
    sem_init(&slow.entered, 0, 0);
    loop_thread_start(&runner);
    CHECK_INT(loop_call_soon_threadsafe(runner.loop, run_slowly, &slow, slow_destroyed,
                                        &handle), 0);
    take(&slow.entered);
    int result = loop_handle_cancel(runner.loop, handle);
    CHECK_INT(result, LOOP_ESTALE); /* too late: it ran, and has ended now */
    CHECK_INT(atomic_load(&slow.ended), 1);
    CHECK_INT(atomic_load(&slow.destroyed), 1);
    CHECK_INT(loop_handle_cancel(runner.loop, handle), LOOP_ESTALE);
    loop_thread_end(&runner);
}

struct race {
    loop_t *loop;
    atomic_int alive; /* 1 while the callback may use it */
    atomic_int ran, destroyed;
};

static void run_race(void *data) {
    struct race *race = data;
    CHECK_INT(atomic_load(&race->alive), 1);
    atomic_fetch_add(&race->ran, 1);
    CHECK_INT(atomic_load(&race->alive), 1);
}

static void destroy_race(void *data) {
    atomic_fetch_add(&((struct race *)data)->destroyed, 1);
}

/* After cancel has returned the callback neither runs nor will: its data may go. */
TEST(E5_cancel_and_run_exclude_each_other) {
    struct loop_thread runner;
    int rounds = in_valgrind() ? 300 : 20000, ran = 0;
    loop_thread_start(&runner);
    for (int i = 0; i < rounds; i++) {
        struct race race = {.loop = runner.loop, .alive = 1};
        loop_handle_t handle;
        CHECK_INT(loop_call_soon_threadsafe(runner.loop, run_race, &race, destroy_race,
                                            &handle), 0);
        for (volatile int spin = 0; spin < i % 700 * 3; spin++) {
        }
        int result = loop_handle_cancel(runner.loop, handle);
        CHECK(result == 0 || result == LOOP_ESTALE);
        atomic_store(&race.alive, 0);
        CHECK_INT(atomic_load(&race.destroyed), 1);
        CHECK(atomic_load(&race.ran) <= 1);
        CHECK(result == 0 || atomic_load(&race.ran) == 1);
        ran += atomic_load(&race.ran);
    }
    CHECK(ran <= rounds);
    loop_thread_end(&runner);
}

struct cancellers {
    loop_t *loop;
    loop_handle_t *handles;
    int number;
    pthread_barrier_t *barrier;
};

static void *cancel_all(void *data) {
    struct cancellers *self = data;
    pthread_barrier_wait(self->barrier);
    for (int i = 0; i < self->number; i++) {
        int result = loop_handle_cancel(self->loop, self->handles[i]);
        CHECK(result == 0 || result == LOOP_ESTALE);
    }
    return NULL;
}

TEST(E5_many_threads_may_cancel_the_same_handles_while_they_run) {
    enum { HANDLES = 3000, THREADS = 4 };
    static struct race races[HANDLES];
    static loop_handle_t handles[HANDLES];
    struct loop_thread runner;
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, THREADS);
    loop_thread_start(&runner);
    for (int i = 0; i < HANDLES; i++) {
        atomic_store(&races[i].alive, 1);
        CHECK_INT(loop_call_soon_threadsafe(runner.loop, run_race, &races[i], destroy_race,
                                            &handles[i]), 0);
    }
    struct cancellers cancellers = {runner.loop, handles, HANDLES, &barrier};
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, cancel_all, &cancellers), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < HANDLES; i++)
        CHECK_INT(atomic_load(&races[i].destroyed), 1);
    loop_thread_end(&runner);
    for (int i = 0; i < HANDLES; i++)
        CHECK_INT(atomic_load(&races[i].destroyed), 1);
}
