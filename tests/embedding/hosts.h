/* The loops that coloop is embedded in, behind one set of functions, so that
 * each test is written once and run in each of them. */
#ifndef HOSTS_H
#define HOSTS_H

#include "../c/test.h"

struct host;

struct host_kind {
    void (*open)(struct host *host);
    void (*close)(struct host *host);
    /* Lets the host drive a loop; ends that. */
    void *(*embed)(struct host *host, loop_t *loop);
    void (*release)(struct host *host, void *embedded);
    /* Until quit; one iteration, which waits or not. */
    void (*run)(struct host *host);
    void (*quit)(struct host *host);
    void (*iterate)(struct host *host, int may_wait);
    /* One call of the host's own timer. */
    void (*call_later)(struct host *host, int milliseconds, loop_callback_t callback, void *data);
    /* In a forked child: what the host itself needs. */
    void (*after_fork)(struct host *host);
};

struct host {
    const struct host_kind *kind;
    void *state;
    loop_t *loop; /* the embedded one, and what embeds it; NULL once released */
    void *embedded;
    int waits; /* how many times the host has waited */
};

extern const struct host_kind glib_kind, uv_kind;

/* A host with a loop in it. */
static inline void host_open(struct host *host, const struct host_kind *kind) {
    memset(host, 0, sizeof *host);
    host->kind = kind;
    kind->open(host);
    host->loop = loop_new();
    host->embedded = kind->embed(host, host->loop);
}

static inline void host_release(struct host *host) {
    if (host->embedded != NULL)
        host->kind->release(host, host->embedded);
    host->embedded = NULL;
}

static inline void host_close(struct host *host) {
    host_release(host);
    loop_unref(host->loop);
    host->kind->close(host);
}

static inline void host_run(struct host *host) {
    host->kind->run(host);
}

/* As a callback of either loop. */
static inline void host_quit(void *host) {
    ((struct host *)host)->kind->quit(host);
}

/* Lets the host iterate until `condition` holds. */
#define HOST_UNTIL(host, condition)                                           \
    do {                                                                      \
        while (!(condition))                                                  \
            (host)->kind->iterate(host, 1);                                   \
    } while (0)

/* A test for each host. */
#define TEST_IN_HOSTS(test_name)                                              \
    static void test_name(struct host *host);                                 \
    TEST(glib_##test_name) {                                                  \
        struct host host;                                                     \
        host_open(&host, &glib_kind);                                         \
        test_name(&host);                                                     \
        host_close(&host);                                                    \
    }                                                                         \
    TEST(uv_##test_name) {                                                    \
        struct host host;                                                     \
        host_open(&host, &uv_kind);                                           \
        test_name(&host);                                                     \
        host_close(&host);                                                    \
    }                                                                         \
    static void test_name(struct host *host)

#endif
