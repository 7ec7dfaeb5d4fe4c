/* What other threads may do to a loop. */
#include "loop_thread.h"
#include <errno.h>
#include <stdatomic.h>
#include <time.h>

static void set_flag(void *flag) {
    atomic_store((atomic_int *)flag, 1);
}

TEST(E3_P4_call_soon_from_another_thread_waits_for_the_next_wake) {
    struct loop_thread runner;
    atomic_int soon = 0;
    sem_t woken;
    sem_init(&woken, 0, 0);
    loop_thread_start(&runner);
    CHECK_INT(loop_call_soon(runner.loop, set_flag, &soon, NULL, NULL), 0);
    sleep_ns(300 * MS);
    CHECK_INT(atomic_load(&soon), 0);
    CHECK_INT(loop_call_soon_threadsafe(runner.loop, post_semaphore, &woken, NULL, NULL), 0);
    take(&woken);
    CHECK_INT(atomic_load(&soon), 1);
    loop_thread_end(&runner);
}
