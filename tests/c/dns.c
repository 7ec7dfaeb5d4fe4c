/* Names and addresses. Nothing here asks a name server. */
#include "loop_thread.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static void stop_after(loop_future_t *future, void *unused) {
    (void)unused;
    CHECK_INT(loop_stop(loop_future_get_loop(future)), 0);
}

static int result_of(loop_t *loop, loop_future_t *future) {
    if (!loop_future_done(future)) {
        CHECK_INT(loop_future_add_done_callback(future, stop_after, NULL, NULL), 0);
        CHECK_INT(loop_run_forever(loop), 0);
    }
    return loop_future_result(future, NULL);
}

static void end_with_threads(loop_t *loop) {
    loop_future_t *ended = NULL;
    CHECK_INT(loop_shutdown_default_executor(loop, -1, &ended), 0);
    CHECK_INT(result_of(loop, ended), 0);
    loop_future_unref(ended);
    loop_unref(loop);
}

static loop_addrinfo_hints_t stream_hints(int family) {
    loop_addrinfo_hints_t hints = {sizeof hints, family, SOCK_STREAM, 0, 0};
    return hints;
}

TEST(addresses_as_text_are_answered_at_once_and_without_threads) {
    loop_t *loop = loop_new();
    loop_executor_t *executor = NULL;
    loop_future_t *future = NULL;
    const loop_addrinfo_t *found = NULL;
    size_t count = 0;
    loop_addrinfo_hints_t hints = stream_hints(AF_UNSPEC);
    CHECK_INT(loop_executor_new(1, &executor), 0);
    CHECK_INT(loop_set_default_executor(loop, executor), 0);
    CHECK_INT(loop_getaddrinfo(loop, "127.0.0.1", "8080", &hints, 0, &future), 0);
    CHECK_INT(loop_future_done(future), 1);
    CHECK_INT(loop_getaddrinfo_result(future, &found, &count), 0);
    CHECK_INT(count, 1);
    CHECK_INT(found[0].family, AF_INET);
    CHECK_INT(found[0].socktype, SOCK_STREAM);
    CHECK(found[0].protocol == IPPROTO_TCP || ON_WINDOWS); /* which may leave it open */
    CHECK_INT(found[0].address_length, sizeof(struct sockaddr_in));
    const struct sockaddr_in *v4 = found[0].address;
    CHECK_INT(v4->sin_family, AF_INET);
    CHECK_INT(ntohs(v4->sin_port), 8080);
    CHECK_INT(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
    CHECK(found[0].canonical_name == NULL);
    loop_future_unref(future);

    CHECK_INT(loop_getaddrinfo(loop, "::1", NULL, &hints, -1, &future), 0);
    CHECK_INT(loop_getaddrinfo_result(future, &found, &count), 0);
    CHECK_INT(found[0].family, AF_INET6);
    const struct sockaddr_in6 *v6 = found[0].address;
    CHECK(IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr));
    loop_future_unref(future);

    hints.flags = AI_CANONNAME;
    CHECK_INT(loop_getaddrinfo(loop, "127.0.0.1", NULL, &hints, -1, &future), 0);
    CHECK_INT(loop_getaddrinfo_result(future, &found, &count), 0);
    CHECK_STR(found[0].canonical_name, "127.0.0.1");
    loop_future_unref(future);

    hints.flags = AI_PASSIVE;
    CHECK_INT(loop_getaddrinfo(loop, NULL, "80", &hints, -1, &future), 0);
    CHECK_INT(loop_getaddrinfo_result(future, &found, &count), 0);
    CHECK(count >= 1);
    loop_future_unref(future);

    CHECK_INT(loop_getaddrinfo(loop, "127.0.0.1", "80", NULL, -1, &future), 0);
    CHECK_INT(loop_getaddrinfo_result(future, &found, &count), 0);
    CHECK(count > 1 || ON_WINDOWS); /* elsewhere one for each kind of socket */
    loop_future_unref(future);

    CHECK_INT(loop_executor_threads(executor), 0);
    loop_executor_unref(executor);
    loop_unref(loop);
}

TEST(names_are_looked_up_on_the_default_executor) {
    loop_t *loop = loop_new();
    loop_executor_t *executor = NULL;
    loop_future_t *future = NULL;
    const loop_addrinfo_t *found = NULL;
    size_t count = 0;
    loop_addrinfo_hints_t hints = stream_hints(AF_INET);
    CHECK_INT(loop_executor_new(1, &executor), 0);
    CHECK_INT(loop_set_default_executor(loop, executor), 0);
    CHECK_INT(loop_getaddrinfo(loop, "localhost", "80", &hints, 3600000 * MS, &future), 0);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(loop_executor_threads(executor), 1);
    CHECK_INT(result_of(loop, future), 0);
    CHECK_INT(loop_getaddrinfo_result(future, &found, &count), 0);
    CHECK(count >= 1);
    const struct sockaddr_in *v4 = found[0].address;
    CHECK_INT(v4->sin_family, AF_INET);
    CHECK_INT(ntohs(v4->sin_port), 80);
    loop_future_unref(future);
    end_with_threads(loop);
    loop_executor_unref(executor);
}

TEST(a_failed_lookup_has_the_resolvers_code_and_text) {
    loop_t *loop = loop_new();
    loop_future_t *future = NULL;
    loop_addrinfo_hints_t hints = stream_hints(AF_INET6);
    CHECK_INT(loop_getaddrinfo(loop, "127.0.0.1", NULL, &hints, -1, &future), 0);
    int code = loop_future_result(future, NULL);
    if (ON_WINDOWS) { /* it has no code for that */
        CHECK(code <= LOOP_EAI_BADFLAGS);
        CHECK_STR(loop_last_error(), loop_strerror(code));
    } else {
        CHECK_INT(code, LOOP_EAI_ADDRFAMILY);
        CHECK_STR(loop_last_error(), gai_strerror(-9));
        CHECK_STR(loop_strerror(LOOP_EAI_ADDRFAMILY), gai_strerror(-9));
    }
    loop_future_unref(future);
    CHECK_INT(loop_getaddrinfo(loop, NULL, NULL, NULL, -1, &future), 0);
    const loop_addrinfo_t *found = NULL;
    size_t count = 0;
    CHECK_INT(loop_getaddrinfo_result(future, &found, &count), LOOP_EAI_NONAME);
    CHECK(found == NULL);
    CHECK_STR(loop_strerror(LOOP_EAI_NONAME), gai_strerror(EAI_NONAME));
    loop_future_unref(future);
    hints = stream_hints(AF_INET);
    CHECK_INT(loop_getaddrinfo(loop, "127.0.0.1", "no such service", &hints, -1, &future), 0);
    CHECK_INT(result_of(loop, future), LOOP_EAI_SERVICE);
    loop_future_unref(future);
    hints.flags = AI_NUMERICHOST;
    CHECK_INT(loop_getaddrinfo(loop, "not.an.address", NULL, &hints, -1, &future), 0);
    CHECK_INT(result_of(loop, future), LOOP_EAI_NONAME);
    loop_future_unref(future);
    hints.flags = 0x40000000;
    CHECK_INT(loop_getaddrinfo(loop, "127.0.0.1", NULL, &hints, -1, &future), 0);
    if (!ON_WINDOWS) /* which knows no wrong flags */
        CHECK_INT(loop_future_result(future, NULL), LOOP_EAI_BADFLAGS);
    loop_future_unref(future);
    end_with_threads(loop);
}

TEST(names_of_addresses) {
    loop_t *loop = loop_new();
    loop_future_t *future = NULL;
    const char *host = NULL, *service = NULL;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(loop_getnameinfo(loop, &v4, sizeof v4, NI_NUMERICHOST | NI_NUMERICSERV, -1, &future), 0);
    CHECK_INT(loop_getnameinfo_result(future, &host, &service), 0);
    CHECK_STR(host, "127.0.0.1");
    CHECK_STR(service, "80");
    loop_future_unref(future);
    CHECK_INT(loop_getnameinfo(loop, &v4, sizeof v4, NI_NUMERICHOST, -1, &future), 0);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(result_of(loop, future), 0);
    CHECK_INT(loop_getnameinfo_result(future, &host, NULL), 0);
    CHECK_STR(host, "127.0.0.1");
    loop_future_unref(future);
    v4.sin_family = 12345;
    CHECK_INT(loop_getnameinfo(loop, &v4, sizeof v4, NI_NUMERICHOST | NI_NUMERICSERV, -1, &future), 0);
    CHECK_INT(loop_future_result(future, NULL), LOOP_EAI_FAMILY);
    loop_future_unref(future);
    end_with_threads(loop);
}

/* The executor's only thread, held up. */
struct blocked {
    loop_executor_t *executor;
    sem_t reached, open;
};

static void block(void *data) {
    struct blocked *blocked = data;
    sem_post(&blocked->reached);
    take(&blocked->open);
}

static void block_default(struct blocked *blocked, loop_t *loop) {
    sem_init(&blocked->reached, 0, 0);
    sem_init(&blocked->open, 0, 0);
    CHECK_INT(loop_executor_new(1, &blocked->executor), 0);
    CHECK_INT(loop_set_default_executor(loop, blocked->executor), 0);
    CHECK_INT(loop_executor_submit(blocked->executor, block, blocked, NULL), 0);
    take(&blocked->reached);
}

TEST(a_lookup_has_a_time_limit_and_makes_room_when_it_is_over) {
    loop_t *loop = loop_new();
    struct blocked blocked;
    loop_future_t *future = NULL;
    block_default(&blocked, loop);
    int64_t limits[] = {5 * MS, 0};
    for (int i = 0; i < 2; i++) {
        CHECK_INT(loop_getaddrinfo(loop, "localhost", NULL, NULL, limits[i], &future), 0);
        CHECK_INT(loop_executor_queued(blocked.executor), 1);
        CHECK_INT(result_of(loop, future), -ETIMEDOUT);
        CHECK_INT(loop_executor_queued(blocked.executor), 0);
        loop_future_unref(future);
    }
    sem_post(&blocked.open);
    end_with_threads(loop);
    loop_executor_unref(blocked.executor);
}

TEST(a_lookup_is_given_up_when_cancelled) {
    loop_t *loop = loop_new();
    struct blocked blocked;
    loop_future_t *future = NULL, *late = NULL;
    block_default(&blocked, loop);
    CHECK_INT(loop_getaddrinfo(loop, "localhost", NULL, NULL, 3600000 * MS, &future), 0);
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_INT(loop_executor_queued(blocked.executor), 0);
    loop_future_unref(future);
    /* What runs already ends unseen. */
    CHECK_INT(loop_getaddrinfo(loop, "localhost", NULL, NULL, -1, &late), 0);
    sem_post(&blocked.open);
    while (loop_executor_queued(blocked.executor) != 0)
        sleep_ns(MS);
    CHECK_INT(loop_future_cancel(late, NULL), 1);
    loop_future_unref(late);
    end_with_threads(loop);
    loop_executor_unref(blocked.executor);
}

TEST(a_loop_may_be_closed_while_it_looks_up) {
    loop_t *loop = loop_new();
    struct blocked blocked;
    loop_future_t *future = NULL;
    block_default(&blocked, loop);
    CHECK_INT(loop_getaddrinfo(loop, "localhost", NULL, NULL, 3600000 * MS, &future), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_future_done(future), 0);
    sem_post(&blocked.open);
    CHECK_INT(loop_executor_shutdown(blocked.executor, LOOP_EXECUTOR_WAIT, -1), 0);
    loop_future_unref(future);
    loop_executor_unref(blocked.executor);
    loop_unref(loop);
}

static void look_up_in_child(void *loop) {
    loop_future_t *future = NULL;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    CHECK_INT(loop_getaddrinfo(loop, "127.0.0.1", NULL, NULL, -1, &future), LOOP_EFORKED);
    CHECK_INT(loop_getnameinfo(loop, &v4, sizeof v4, 0, -1, &future), LOOP_EFORKED);
    CHECK(future == NULL);
    loop_unref(loop);
}

TEST(lookups_of_a_loop_that_came_through_fork_are_refused) {
    loop_t *loop = loop_new();
    CHECK_INT(in_child(look_up_in_child, loop), 0);
    loop_unref(loop);
}

TEST(lookups_refuse_what_cannot_be) {
    loop_t *loop = loop_new();
    loop_future_t *future = NULL;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    loop_addrinfo_hints_t hints = {0};
    CHECK_INT(loop_getaddrinfo(NULL, "127.0.0.1", NULL, NULL, -1, &future), LOOP_EINVAL);
    CHECK_INT(loop_getaddrinfo(loop, "127.0.0.1", NULL, NULL, -1, NULL), LOOP_EINVAL);
    CHECK_INT(loop_getaddrinfo(loop, "127.0.0.1", NULL, &hints, -1, &future), LOOP_EINVAL);
    CHECK_INT(loop_getaddrinfo_result(NULL, NULL, NULL), LOOP_EINVAL);
    CHECK_INT(loop_getnameinfo_result(NULL, NULL, NULL), LOOP_EINVAL);
    CHECK_INT(loop_getnameinfo(NULL, &v4, sizeof v4, 0, -1, &future), LOOP_EINVAL);
    CHECK_INT(loop_getnameinfo(loop, NULL, sizeof v4, 0, -1, &future), LOOP_EINVAL);
    CHECK_INT(loop_getnameinfo(loop, &v4, 1, 0, -1, &future), LOOP_EINVAL);
    CHECK_INT(loop_getnameinfo(loop, &v4, 100000, 0, -1, &future), LOOP_EINVAL);
    CHECK_INT(loop_getnameinfo(loop, &v4, sizeof v4, 0, -1, NULL), LOOP_EINVAL);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_getaddrinfo(loop, "127.0.0.1", NULL, NULL, -1, &future), LOOP_ECLOSED);
    CHECK_INT(loop_getnameinfo(loop, &v4, sizeof v4, 0, -1, &future), LOOP_ECLOSED);
    CHECK(future == NULL);
    loop_unref(loop);
    struct loop_thread runner;
    loop_thread_start(&runner);
    CHECK_INT(loop_getaddrinfo(runner.loop, "127.0.0.1", NULL, NULL, -1, &future), LOOP_EWRONG_THREAD);
    loop_thread_end(&runner);
}
