/* Which allocations fail; failing_malloc.c lets them. */
#include "failing_memory.h"
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

static struct {
    long at;      /* which allocation is the first to fail; 0: none */
    int lasting;  /* so do all that follow */
    long counted; /* since the scenario began */
    int failed;
    int traced;
} plan;

static atomic_int everywhere;
static __thread int here;
static pid_t planned_in;

/* The library asks for memory just before a container of the standard library
 * takes the same amount, gives it back, and relies on that: a place that was
 * given back just now is there. */
static __thread struct {
    void *place;
    size_t size;
    size_t part; /* the place is this much of what was given back */
    int free;
} probed;

/* polling's portable back end has two lists that grow at once, and the library asks
 * for the memory of both: there, what was given back serves until it is used up. */
#ifdef TEST_POLL
enum { ONCE = 0 };
#else
enum { ONCE = 1 };
#endif

int memory_denied(size_t size) {
    if (!here && !atomic_load_explicit(&everywhere, memory_order_relaxed))
        return 0;
    if (probed.free && size <= probed.size) {
        probed.free = !ONCE;
        probed.place = NULL;
        probed.size -= size;
        return 0;
    }
    probed.place = NULL;
    probed.free = 0;
    if (plan.at == 0 || planned_in != getpid())
        return 0;
    long number = ++plan.counted;
    if (number != plan.at && !(plan.lasting && number > plan.at))
        return 0;
    plan.failed = 1;
    return 1;
}

void *memory_given(void *place, size_t size) {
    probed.place = place;
    if (probed.free && !ONCE) {
        probed.part = size;
    } else {
        probed.size = size;
        probed.free = 0;
    }
    return place;
}

void memory_taken_back(void *place) {
    if (place != NULL && place == probed.place && probed.free)
        probed.size += probed.part, probed.place = NULL;
    else if (place != NULL && place == probed.place)
        probed.free = 1;
    else if (ONCE || !probed.free)
        probed.place = NULL, probed.free = 0;
}

void memory_fails(void) {
    probed.place = NULL;
    probed.free = 0;
    here = 1;
}

void memory_fails_everywhere(void) {
    memory_fails();
    atomic_store(&everywhere, 1);
}

void memory_is_back(void) {
    here = 0;
    atomic_store(&everywhere, 0);
}

int memory_failed(void) {
    return plan.failed;
}

static void run(void (*scenario)(void), long at, int lasting) {
    plan.at = at;
    plan.lasting = lasting;
    plan.counted = 0;
    plan.failed = 0;
    planned_in = getpid();
    scenario();
    CHECK_INT(here, 0);
    plan.at = 0;
}

/* For whoever looks for what is wrong: each run in a child, so that all of them
 * come to an end. */
static void run_apart(void (*scenario)(void), long at, int lasting);

struct apart {
    void (*scenario)(void);
    long at;
    int lasting;
};

static void apart(void *data) {
    struct apart *apart = data;
    run(apart->scenario, apart->at, apart->lasting);
    exit(plan.failed ? 0 : 3);
}

static void run_apart(void (*scenario)(void), long at, int lasting) {
    struct apart data = {scenario, at, lasting};
    int status = in_child(apart, &data);
    if (status != 0 && status != 3)
        fprintf(stderr, "allocation %ld%s: status %d\n", at, lasting ? " and later" : "", status);
    plan.failed = status != 3;
}

void sweep(void (*scenario)(void)) {
    int all = getenv("COLOOP_SWEEP_ALL") != NULL;
    run(scenario, 0, 0);
    int before = open_fds();
    for (int lasting = 0; lasting < 2; lasting++) {
        long at = 0;
        do {
            at++;
            (all ? run_apart : run)(scenario, at, lasting);
            int fds = open_fds();
            if (fds != before)
                fprintf(stderr, "allocation %ld%s\n", at, lasting ? " and later" : "");
            CHECK_INT(fds, before);
        } while (plan.failed && at < 2000);
        CHECK(at > 1);
        CHECK(at < 2000);
    }
}
