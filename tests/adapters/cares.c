/* c-ares on a loop, against dnsmasq and a server that never answers. */
#include "../c/failing_memory.h"
#include "idle.h"
#include <arpa/inet.h>
#include <coloop/adapters/cares.h>
#include <pthread.h>

static coloop_cares_t *channel_to(loop_t *loop, const char *variable, struct ares_options *options, int mask) {
    coloop_cares_t *cares = NULL;
    CHECK_INT(coloop_cares_new(loop, options, mask, &cares), 0);
    CHECK_INT(ares_set_servers_ports_csv(cares->channel, environment(variable)), ARES_SUCCESS);
    return cares;
}

/* Names only from the server, not from /etc/hosts. */
static char lookups[] = "b";

static coloop_cares_t *channel(loop_t *loop) {
    struct ares_options options = {.lookups = lookups};
    return channel_to(loop, "COLOOP_DNS", &options, ARES_OPT_LOOKUPS);
}

static coloop_cares_t *dead_channel(loop_t *loop, int milliseconds) {
    struct ares_options options = {.lookups = lookups, .timeout = milliseconds, .tries = 2};
    return channel_to(loop, "COLOOP_DEAD_DNS", &options, ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
}

static loop_future_t *lookup(coloop_cares_t *cares, const char *name, int family) {
    struct ares_addrinfo_hints hints = {.ai_family = family, .ai_flags = ARES_AI_NOSORT};
    loop_future_t *future = NULL;
    CHECK_INT(coloop_cares_getaddrinfo(cares, name, "80", &hints, &future), 0);
    return future;
}

/* Waits for the future and writes its addresses, each with a space after it. */
static int outcome(loop_t *loop, loop_future_t *future, char text[128]) {
    struct ares_addrinfo *found = NULL;
    int code = loop_run_until_complete(loop, future, (void **)&found);
    text[0] = '\0';
    if (code != 0)
        snprintf(text, 128, "%s", loop_last_error());
    for (struct ares_addrinfo_node *node = code == 0 ? found->nodes : NULL; node != NULL; node = node->ai_next) {
        char address[INET6_ADDRSTRLEN];
        const void *bytes = node->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)node->ai_addr)->sin_addr
                                                       : (void *)&((struct sockaddr_in6 *)node->ai_addr)->sin6_addr;
        inet_ntop(node->ai_family, bytes, address, sizeof address);
        CHECK_INT(ntohs(((struct sockaddr_in *)node->ai_addr)->sin_port), 80);
        strcat(strcat(text, address), " ");
    }
    loop_future_unref(future);
    return code;
}

TEST(cares_finds_addresses) {
    loop_t *loop = loop_new();
    coloop_cares_t *cares = channel(loop);
    char text[128];
    CHECK_INT(outcome(loop, lookup(cares, "one.test", AF_INET), text), 0);
    CHECK_STR(text, "192.0.2.1 ");
    CHECK_INT(outcome(loop, lookup(cares, "one.test", AF_INET6), text), 0);
    CHECK_STR(text, "2001:db8::1 ");
    CHECK_INT(outcome(loop, lookup(cares, "one.test", AF_UNSPEC), text), 0);
    CHECK(strstr(text, "192.0.2.1 ") != NULL && strstr(text, "2001:db8::1 ") != NULL);
    CHECK_INT(outcome(loop, lookup(cares, "192.0.2.33", AF_UNSPEC), text), 0); /* asks nobody */
    CHECK_STR(text, "192.0.2.33 ");
    check_idle(loop);
    CHECK_INT(stats_of(loop).fds_now, 0);
    CHECK_INT(stats_of(loop).timers_now, 0);
    CHECK_INT(coloop_cares_free(cares), 0);
    close_clean(loop);
}

TEST(cares_failures_have_codes_and_texts) {
    loop_t *loop = loop_new();
    coloop_cares_t *cares = channel(loop);
    char text[128];
    CHECK_INT(outcome(loop, lookup(cares, "missing.test", AF_INET), text), COLOOP_CARES_CODE(ARES_ENOTFOUND));
    CHECK_STR(text, ares_strerror(ARES_ENOTFOUND));
    CHECK_INT(outcome(loop, lookup(cares, "other.test", AF_INET6), text), COLOOP_CARES_CODE(ARES_ENODATA));
    CHECK_INT(coloop_cares_free(cares), 0);
    close_clean(loop);
}

TEST(cares_times_out_without_spinning) {
    loop_t *loop = loop_new();
    coloop_cares_t *cares = dead_channel(loop, 100);
    char text[128];
    long long began = now_ns();
    uint64_t before = stats_of(loop).turns;
    CHECK_INT(outcome(loop, lookup(cares, "one.test", AF_INET), text), COLOOP_CARES_CODE(ARES_ETIMEOUT));
    CHECK(now_ns() - began >= 200 * MS); /* two tries */
    CHECK(stats_of(loop).turns - before < 50);
    CHECK_INT(coloop_cares_free(cares), 0);
    close_clean(loop);
}

TEST(cares_asks_for_many_names_at_once) {
    enum { LOOKUPS = 200 };
    loop_t *loop = loop_new();
    coloop_cares_t *cares = channel(loop);
    loop_future_t *futures[LOOKUPS];
    char text[128];
    for (int i = 0; i < LOOKUPS; i++)
        futures[i] = lookup(cares, i % 2 ? "one.test" : "other.test", AF_INET);
    for (int i = 0; i < LOOKUPS; i++) {
        CHECK_INT(outcome(loop, futures[i], text), 0);
        CHECK_STR(text, i % 2 ? "192.0.2.1 " : "192.0.2.7 ");
    }
    CHECK_INT(coloop_cares_free(cares), 0);
    close_clean(loop);
}

TEST(cares_uses_tcp) {
    loop_t *loop = loop_new();
    struct ares_options options = {.lookups = lookups, .flags = ARES_FLAG_USEVC};
    coloop_cares_t *cares = channel_to(loop, "COLOOP_DNS", &options, ARES_OPT_LOOKUPS | ARES_OPT_FLAGS);
    char text[128];
    CHECK_INT(outcome(loop, lookup(cares, "one.test", AF_UNSPEC), text), 0);
    CHECK(strstr(text, "192.0.2.1 ") != NULL);
    CHECK_INT(coloop_cares_free(cares), 0);
    close_clean(loop);
}

TEST(cares_cancelling_stops_the_queries) {
    loop_t *loop = loop_new();
    coloop_cares_t *cares = dead_channel(loop, 60000);
    char text[128];
    loop_future_t *first = lookup(cares, "one.test", AF_INET), *second = lookup(cares, "two.test", AF_INET);
    run_for(loop, 5 * MS);
    CHECK_INT(stats_of(loop).fds_now, 1);
    CHECK_INT(loop_future_cancel(first, NULL), 1);
    run_for(loop, 5 * MS);
    CHECK_INT(loop_future_done(second), 0); /* is not hurt */
    CHECK_INT(loop_future_cancel(second, NULL), 1);
    run_for(loop, 5 * MS);
    CHECK_INT(stats_of(loop).fds_now, 0);
    CHECK_INT(stats_of(loop).timers_now, 0);
    CHECK_INT(outcome(loop, first, text), LOOP_ECANCELLED);
    CHECK_INT(outcome(loop, second, text), LOOP_ECANCELLED);

    /* A limit that a future has by itself. */
    loop_future_t *third = lookup(cares, "one.test", AF_INET), *limited = NULL;
    CHECK_INT(loop_wait_for(third, 20 * MS, &limited), 0);
    CHECK_INT(loop_run_until_complete(loop, limited, NULL), -ETIMEDOUT);
    run_for(loop, 5 * MS);
    CHECK_INT(stats_of(loop).fds_now, 0);
    loop_future_unref(limited);
    loop_future_unref(third);
    CHECK_INT(coloop_cares_free(cares), 0);
    close_clean(loop);
}

struct answer {
    coloop_cares_t *cares;
    int status, calls;
    char text[32];
};

static void on_txt(void *data, int status, int timeouts, unsigned char *bytes, int length) {
    struct answer *answer = data;
    struct ares_txt_reply *reply = NULL;
    (void)timeouts;
    answer->calls++;
    answer->status = status;
    if (status == ARES_SUCCESS && ares_parse_txt_reply(bytes, length, &reply) == ARES_SUCCESS) {
        snprintf(answer->text, sizeof answer->text, "%s", (char *)reply->txt);
        ares_free_data(reply);
    }
    if (answer->cares != NULL)
        CHECK_INT(coloop_cares_free(answer->cares), 0);
}

TEST(cares_carries_its_own_queries) {
    loop_t *loop = loop_new();
    coloop_cares_t *cares = channel(loop);
    struct answer answer = {NULL, -1, 0, ""};
    enum { class_in = 1, type_txt = 16 };
    ares_query(coloop_cares_channel(cares), "one.test", class_in, type_txt, on_txt, &answer);
    run_until(loop, &answer.calls);
    CHECK_INT(answer.status, ARES_SUCCESS);
    CHECK_STR(answer.text, "hello");
    CHECK_INT(coloop_cares_free(cares), 0);

    /* A time limit of its own, beside a lookup that is cancelled, on a socket that
     * stays open. */
    struct ares_options options = {.lookups = lookups, .timeout = 100, .tries = 1, .flags = ARES_FLAG_STAYOPEN};
    cares = channel_to(loop, "COLOOP_DEAD_DNS", &options,
                       ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS);
    for (int i = 0; i < 2; i++) {
        answer.calls = 0;
        loop_future_t *future = lookup(cares, "one.test", AF_INET);
        ares_query(coloop_cares_channel(cares), "one.test", class_in, type_txt, on_txt, &answer);
        CHECK_INT(loop_future_cancel(future, NULL), 1);
        run_until(loop, &answer.calls);
        CHECK_INT(answer.status, ARES_ETIMEOUT);
        loop_future_unref(future);
    }
    check_idle(loop);
    CHECK_INT(coloop_cares_free(cares), 0);

    cares = channel(loop); /* freed in a callback */
    answer.cares = cares;
    answer.calls = 0;
    loop_future_t *other = lookup(cares, "missing.test", AF_INET);
    ares_query(coloop_cares_channel(cares), "one.test", class_in, type_txt, on_txt, &answer);
    run_until(loop, &answer.calls);
    CHECK(loop_run_until_complete(loop, other, NULL) < 0);
    loop_future_unref(other);
    close_clean(loop);
}

static void free_in_done(loop_future_t *future, void *cares) {
    (void)future;
    CHECK_INT(coloop_cares_free(cares), 0);
}

TEST(cares_may_be_freed_when_a_future_is_done) {
    loop_t *loop = loop_new();
    coloop_cares_t *cares = dead_channel(loop, 60000);
    char text[128];
    loop_future_t *numeric = lookup(cares, "192.0.2.1", AF_INET), *pending = lookup(cares, "one.test", AF_INET);
    CHECK_INT(loop_future_add_done_callback(numeric, free_in_done, cares, NULL), 0);
    CHECK_INT(outcome(loop, pending, text), COLOOP_CARES_CODE(ARES_EDESTRUCTION));
    CHECK_INT(outcome(loop, numeric, text), 0);
    close_clean(loop);
}

TEST(cares_may_outlive_its_loop) {
    loop_t *loop = loop_new();
    coloop_cares_t *cares = dead_channel(loop, 60000);
    loop_future_t *pending = lookup(cares, "one.test", AF_INET), *refused = NULL;
    run_for(loop, 5 * MS);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
    CHECK_INT(coloop_cares_getaddrinfo(cares, "one.test", NULL, NULL, &refused), LOOP_ECLOSED);
    CHECK_INT(coloop_cares_free(cares), 0);
    loop_future_unref(pending);
}

TEST(cares_goes_on_after_each_stop) {
    loop_t *loop = loop_new();
    coloop_cares_t *cares = channel(loop);
    char text[128];
    loop_future_t *future = lookup(cares, "one.test", AF_UNSPEC);
    while (!loop_future_done(future)) {
        CHECK_INT(loop_stop(loop), 0); /* one turn at a time */
        CHECK_INT(loop_run_forever(loop), 0);
    }
    CHECK_INT(outcome(loop, future, text), 0);
    CHECK_INT(coloop_cares_free(cares), 0);
    close_clean(loop);
}

static void *use_elsewhere(void *cares) {
    loop_future_t *future = NULL;
    CHECK_INT(coloop_cares_getaddrinfo(cares, "one.test", NULL, NULL, &future), LOOP_EWRONG_THREAD);
    CHECK_INT(coloop_cares_free(cares), LOOP_EWRONG_THREAD);
    return NULL;
}

static void start_thread(void *cares) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, use_elsewhere, cares), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

struct inherited {
    loop_t *loop;
    coloop_cares_t *cares;
    loop_future_t *future;
};

static void free_in_child(void *data) {
    struct inherited *inherited = data;
    loop_future_t *refused = NULL;
    CHECK_INT(coloop_cares_getaddrinfo(inherited->cares, "one.test", NULL, NULL, &refused), LOOP_EFORKED);
    CHECK_INT(coloop_cares_free(inherited->cares), 0);
    loop_future_unref(inherited->future);
    loop_unref(inherited->loop);
}

TEST(cares_refuses_wrong_threads_and_children) {
    loop_t *loop = loop_new();
    coloop_cares_t *cares = channel(loop);
    char text[128];
    CHECK_INT(loop_call_soon(loop, start_thread, cares, NULL, NULL), 0);
    run_for(loop, 1 * MS);
    struct inherited inherited = {loop, cares, lookup(cares, "one.test", AF_INET)};
    CHECK_INT(in_child(free_in_child, &inherited), 0);
    CHECK_INT(outcome(loop, inherited.future, text), 0);
    CHECK_STR(text, "192.0.2.1 ");
    CHECK_INT(coloop_cares_free(cares), 0);
    close_clean(loop);
}

TEST(cares_says_what_is_wrong) {
    loop_t *loop = loop_new();
    coloop_cares_t *cares = NULL;
    loop_future_t *future = NULL;
    struct ares_options options = {.sock_state_cb = NULL};
    CHECK_INT(coloop_cares_new(NULL, NULL, 0, &cares), LOOP_EINVAL);
    CHECK_INT(coloop_cares_new(loop, NULL, 0, NULL), LOOP_EINVAL);
    CHECK_INT(coloop_cares_new(loop, NULL, ARES_OPT_TRIES, &cares), LOOP_EINVAL);
    CHECK_INT(coloop_cares_new(loop, &options, ARES_OPT_SOCK_STATE_CB, &cares), LOOP_EINVAL);
    CHECK_INT(coloop_cares_new(loop, NULL, 0, &cares), 0);
    CHECK_INT(coloop_cares_getaddrinfo(cares, NULL, NULL, NULL, &future), LOOP_EINVAL);
    CHECK_INT(coloop_cares_getaddrinfo(NULL, "one.test", NULL, NULL, &future), LOOP_EINVAL);
    CHECK_INT(coloop_cares_getaddrinfo(cares, "one.test", NULL, NULL, NULL), LOOP_EINVAL);
    CHECK(coloop_cares_channel(NULL) == NULL && coloop_cares_channel(cares) != NULL);
    CHECK_INT(coloop_cares_free(NULL), 0);
    CHECK_INT(coloop_cares_free(cares), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(coloop_cares_new(loop, NULL, 0, &cares), LOOP_ECLOSED);
    loop_unref(loop);
}

static void look_up_without_memory(void) {
    loop_t *loop = loop_new();
    struct ares_options options = {.lookups = lookups, .timeout = 50, .tries = 2};
    coloop_cares_t *cares = channel_to(loop, "COLOOP_DNS", &options,
                                       ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    struct ares_addrinfo_hints hints = {.ai_family = AF_INET, .ai_flags = ARES_AI_NOSORT};
    loop_future_t *future = NULL;
    memory_fails();
    int code = coloop_cares_getaddrinfo(cares, "one.test", "80", &hints, &future);
    for (int turn = 0; code == 0 && turn < 20; turn++)
        (void)loop_run_once(loop, 1 * MS);
    memory_is_back();
    if (code == 0) /* it ends, well or not */
        code = loop_run_until_complete(loop, future, NULL);
    CHECK(code == 0 || memory_failed());
    loop_future_unref(future);
    CHECK_INT(coloop_cares_free(cares), 0);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(cares_without_memory) { sweep(look_up_without_memory); }
