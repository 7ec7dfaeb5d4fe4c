/* libpq on a loop, against clusters of the driver's own. */
#include "../c/failing_memory.h"
#include "idle.h"
#include <coloop/adapters/libpq.h>
#include <pthread.h>
#include <signal.h>

static coloop_pq_t *connected_to(loop_t *loop, const char *variable) {
    coloop_pq_t *pq = NULL;
    loop_future_t *future = NULL;
    void *result = NULL;
    CHECK_INT(coloop_pq_connect(loop, environment(variable), &pq, &future), 0);
    CHECK_INT(loop_run_until_complete(loop, future, &result), 0);
    CHECK(result == pq);
    loop_future_unref(future);
    return pq;
}

static coloop_pq_t *connected(loop_t *loop) { return connected_to(loop, "COLOOP_PG"); }

static loop_future_t *query(coloop_pq_t *pq, const char *command) {
    loop_future_t *future = NULL;
    CHECK_INT(coloop_pq_query(pq, command, &future), 0);
    return future;
}

/* Waits for the future and copies the value in the first row. */
static int outcome(loop_t *loop, loop_future_t *future, char value[64]) {
    PGresult *rows = NULL;
    int code = loop_run_until_complete(loop, future, (void **)&rows);
    if (code == 0 && value != NULL)
        snprintf(value, 64, "%s", PQntuples(rows) == 0 ? "" : PQgetvalue(rows, 0, 0));
    if (code != 0 && value != NULL)
        snprintf(value, 64, "%s", loop_last_error());
    loop_future_unref(future);
    return code;
}

/* Also joins the thread that has cancelled something. */
static void finish(loop_t *loop, coloop_pq_t *pq) {
    loop_future_t *joined = NULL;
    CHECK_INT(coloop_pq_free(pq), 0);
    CHECK_INT(loop_shutdown_default_executor(loop, -1, &joined), 0);
    CHECK_INT(outcome(loop, joined, NULL), 0);
    close_clean(loop);
}

TEST(libpq_queries) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop);
    char value[64];
    CHECK_INT(outcome(loop, query(pq, "SELECT 6 * 7"), value), 0);
    CHECK_STR(value, "42");
    CHECK_INT(outcome(loop, query(pq, "SELECT 1; SELECT 'the last'"), value), 0);
    CHECK_STR(value, "the last");
    CHECK_INT(outcome(loop, query(pq, ""), NULL), 0);
    CHECK(PQserverVersion(coloop_pq_connection(pq)) > 90000);
    check_idle(loop);
    finish(loop, pq);
}

TEST(libpq_queries_with_parameters) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop);
    loop_future_t *futures[4] = {NULL};
    char value[64], text[16] = "ten", number[16] = "10";
    unsigned char binary[4] = {0, 0, 1, 0};
    const char *values[2] = {text, number};
    Oid types[2] = {25, 23}; /* text, int4 */
    int lengths[2] = {0, 4}, formats[2] = {0, 1};
    CHECK_INT(coloop_pq_query_params(pq, "SELECT $1 || ' is ' || $2", 2, types, values, NULL, NULL, 0, &futures[0]), 0);
    CHECK_INT(coloop_pq_prepare(pq, "twice", "SELECT 2 * $2 || $1", 2, types, &futures[1]), 0);
    values[1] = (const char *)binary;
    CHECK_INT(coloop_pq_query_prepared(pq, "twice", 2, values, lengths, formats, 0, &futures[2]), 0);
    values[0] = NULL;
    CHECK_INT(coloop_pq_query_params(pq, "SELECT coalesce($1, 'nothing') || $2", 2, types, values, lengths, formats, 0,
                                     &futures[3]), 0);
    /* Everything was copied. */
    memset(text, '?', sizeof text);
    memset(number, '?', sizeof number);
    memset(binary, '?', sizeof binary);
    CHECK_INT(outcome(loop, futures[0], value), 0);
    CHECK_STR(value, "ten is 10");
    CHECK_INT(outcome(loop, futures[1], NULL), 0);
    CHECK_INT(outcome(loop, futures[2], value), 0);
    CHECK_STR(value, "512ten");
    CHECK_INT(outcome(loop, futures[3], value), 0);
    CHECK_STR(value, "nothing256");
    finish(loop, pq);
}

TEST(libpq_queues_commands_also_before_it_is_connected) {
    enum { COMMANDS = 500 };
    loop_t *loop = loop_new();
    coloop_pq_t *pq = NULL;
    static loop_future_t *futures[COMMANDS];
    char command[64], value[64], expected[16];
    CHECK_INT(coloop_pq_connect(loop, environment("COLOOP_PG"), &pq, NULL), 0);
    for (int i = 0; i < COMMANDS; i++) {
        snprintf(command, sizeof command, "SELECT %d", i);
        futures[i] = query(pq, command);
    }
    for (int i = COMMANDS - 1; i >= 0; i--) { /* the last one last */
        CHECK_INT(outcome(loop, futures[i], value), 0);
        snprintf(expected, sizeof expected, "%d", i);
        CHECK_STR(value, expected);
    }
    finish(loop, pq);
}

TEST(libpq_moves_large_values_both_ways) {
    enum { SIZE = 8 << 20 };
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop);
    loop_future_t *future = NULL;
    char *large = malloc(SIZE + 1);
    const char *values[1] = {large};
    PGresult *rows = NULL;
    memset(large, 'x', SIZE);
    large[SIZE] = '\0';
    CHECK_INT(coloop_pq_query_params(pq, "SELECT $1::text", 1, NULL, values, NULL, NULL, 0, &future), 0);
    CHECK_INT(loop_run_until_complete(loop, future, (void **)&rows), 0);
    CHECK_INT(PQgetlength(rows, 0, 0), SIZE);
    loop_future_unref(future);
    free(large);
    finish(loop, pq);
}

TEST(libpq_failures_have_texts_and_results) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop);
    char value[64];
    loop_future_t *future = query(pq, "SELECT * FROM missing");
    const char *text;
    int code;
    CHECK_INT(loop_run_until_complete(loop, future, NULL), COLOOP_PQ_ECOMMAND);
    CHECK_INT(loop_future_exception(future, &code, &text), 1);
    CHECK(strstr(text, "relation \"missing\" does not exist") != NULL);
    CHECK(text[strlen(text) - 1] != '\n');
    CHECK_STR(PQresultErrorField(loop_future_exception_data(future), PG_DIAG_SQLSTATE), "42P01");
    loop_future_unref(future);
    CHECK_INT(outcome(loop, query(pq, "SELECT 1; SELECT 1/0; SELECT 2"), value), COLOOP_PQ_ECOMMAND);
    CHECK(strstr(value, "division by zero") != NULL);
    CHECK_INT(outcome(loop, query(pq, "SELECT 'goes on'"), value), 0);
    CHECK_STR(value, "goes on");
    finish(loop, pq);
}

TEST(libpq_ends_copy) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop);
    char value[64];
    CHECK_INT(outcome(loop, query(pq, "COPY (SELECT generate_series(1, 200000)) TO STDOUT"), value), LOOP_ENOTSUP);
    CHECK_INT(outcome(loop, query(pq, "CREATE TEMP TABLE t (n int)"), NULL), 0);
    CHECK_INT(outcome(loop, query(pq, "COPY t FROM STDIN"), value), LOOP_ENOTSUP);
    CHECK(strstr(value, "COPY") != NULL);
    CHECK_INT(outcome(loop, query(pq, "SELECT count(*) FROM t"), value), 0);
    CHECK_STR(value, "0");
    finish(loop, pq);
}

TEST(libpq_fails_to_connect) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = NULL;
    loop_future_t *future, *queued;
    char conninfo[256], value[64];
    for (int i = 0; i < 3; i++) {
        if (i == 0) /* nobody listens */
            snprintf(conninfo, sizeof conninfo, "hostaddr=127.0.0.1 port=%s", environment("COLOOP_CLOSED_PORT"));
        else if (i == 1) /* libpq does not even begin */
            snprintf(conninfo, sizeof conninfo, "nonsense");
        else /* the server refuses */
            snprintf(conninfo, sizeof conninfo, "%s dbname=missing", environment("COLOOP_PG"));
        CHECK_INT(coloop_pq_connect(loop, conninfo, &pq, &future), 0);
        queued = query(pq, "SELECT 1");
        CHECK_INT(outcome(loop, future, value), COLOOP_PQ_ECONNECTION);
        CHECK(value[0] != '\0');
        CHECK_INT(outcome(loop, queued, value), COLOOP_PQ_ECONNECTION);
        CHECK_INT(outcome(loop, query(pq, "SELECT 1"), NULL), COLOOP_PQ_ECONNECTION);
        CHECK_INT(coloop_pq_free(pq), 0);
    }
    close_clean(loop);
}

TEST(libpq_tries_several_hosts) {
    /* The socket changes while it connects, and keeps its number. */
    loop_t *loop = loop_new();
    coloop_pq_t *pq = NULL;
    loop_future_t *future = NULL;
    char conninfo[512], value[64], host[128], port[16];
    CHECK_INT(sscanf(environment("COLOOP_PG"), "host=%127s port=%15s", host, port), 2);
    const char *closed = environment("COLOOP_CLOSED_PORT");
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1,127.0.0.1,%s port=%s,%s,%s user=test dbname=postgres", host,
             closed, closed, port);
    CHECK_INT(coloop_pq_connect(loop, conninfo, &pq, &future), 0);
    CHECK_INT(outcome(loop, future, NULL), 0);
    CHECK_INT(outcome(loop, query(pq, "SELECT 'third'"), value), 0);
    CHECK_STR(value, "third");
    finish(loop, pq);
}

TEST(libpq_speaks_tls) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected_to(loop, "COLOOP_PG_TLS");
    char value[64];
    CHECK_INT(PQsslInUse(coloop_pq_connection(pq)), 1);
    CHECK_INT(outcome(loop, query(pq, "SELECT repeat('x', 3000000)"), NULL), 0);
    CHECK_INT(outcome(loop, query(pq, "SELECT 1"), value), 0);
    CHECK_STR(value, "1");
    finish(loop, pq);
}

struct heard {
    int notes, lost, destroyed;
    char text[64];
    coloop_pq_t *free_it;
};

static void on_notify(coloop_pq_t *pq, const PGnotify *notify, void *data) {
    struct heard *heard = data;
    (void)pq;
    if (notify == NULL) {
        heard->lost++;
        return;
    }
    heard->notes++;
    snprintf(heard->text, sizeof heard->text, "%s", notify->extra);
    if (heard->free_it != NULL)
        CHECK_INT(coloop_pq_free(heard->free_it), 0);
}

static void on_heard_destroyed(void *data) { ((struct heard *)data)->destroyed++; }

static void replace_listener(coloop_pq_t *pq, const PGnotify *notify, void *data) {
    struct heard *heard = data;
    (void)notify;
    heard->notes++;
    CHECK_INT(coloop_pq_set_notify(pq, on_notify, data, NULL), 0);
    CHECK_INT(heard->destroyed, 0); /* not while it runs */
}

TEST(libpq_listens) {
    loop_t *loop = loop_new();
    coloop_pq_t *listener = connected(loop), *notifier = connected(loop);
    struct heard heard = {0};
    char command[64];
    snprintf(command, sizeof command, "LISTEN news%d", (int)getpid());
    CHECK_INT(coloop_pq_set_notify(listener, on_notify, &heard, on_heard_destroyed), 0);
    CHECK_INT(outcome(loop, query(listener, command), NULL), 0);
    check_idle(loop);
    for (int i = 1; i <= 20; i++) {
        snprintf(command, sizeof command, "NOTIFY news%d, 'item %d'", (int)getpid(), i);
        CHECK_INT(outcome(loop, query(notifier, command), NULL), 0);
    }
    while (heard.notes < 20)
        CHECK(loop_run_once(loop, -1) >= 0);
    CHECK_STR(heard.text, "item 20");

    CHECK_INT(coloop_pq_set_notify(listener, replace_listener, &heard, on_heard_destroyed), 0);
    CHECK_INT(heard.destroyed, 1);
    heard.destroyed = heard.notes = 0;
    CHECK_INT(outcome(loop, query(notifier, command), NULL), 0);
    run_until(loop, &heard.notes);
    CHECK_INT(heard.destroyed, 1);

    heard.free_it = listener; /* in the callback */
    heard.notes = 0;
    loop_future_t *pending = query(listener, "SELECT pg_sleep(60)");
    CHECK_INT(outcome(loop, query(notifier, command), NULL), 0);
    /* The note comes when the command ends, or before the server begins it. */
    CHECK_INT(loop_future_cancel(pending, NULL), heard.notes ? 0 : 1);
    run_until(loop, &heard.notes);
    loop_future_unref(pending);
    CHECK_INT(heard.lost, 0);
    finish(loop, notifier);
}

TEST(libpq_cancelling_stops_the_server) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop), *other = connected(loop);
    char value[64], running[160];
    snprintf(running, sizeof running, "SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND state = 'active'",
             PQbackendPID(coloop_pq_connection(pq)));
    for (int i = 0; i < 5; i++) {
        loop_future_t *sleeping = query(pq, "SELECT pg_sleep(600)"), *queued = query(pq, "SELECT pg_sleep(601)");
        loop_future_t *next = query(pq, "SELECT 'next'");
        do
            CHECK_INT(outcome(loop, query(other, running), value), 0);
        while (strcmp(value, "1") != 0);
        CHECK_INT(loop_future_cancel(queued, NULL), 1);
        CHECK_INT(loop_future_cancel(sleeping, NULL), 1);
        CHECK_INT(outcome(loop, sleeping, NULL), LOOP_ECANCELLED);
        /* The cancellation hits that command and no other. */
        CHECK_INT(outcome(loop, next, value), 0);
        CHECK_STR(value, "next");
        CHECK_INT(outcome(loop, queued, NULL), LOOP_ECANCELLED);
    }
    CHECK_INT(outcome(loop, query(other, running), value), 0);
    CHECK_STR(value, "0");
    CHECK_INT(coloop_pq_free(other), 0);
    finish(loop, pq);
}

TEST(libpq_cancelling_in_every_place_of_the_queue) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop);
    char value[64];
    for (int mask = 0; mask < 16; mask++) {
        loop_future_t *futures[4];
        for (int i = 0; i < 4; i++)
            futures[i] = query(pq, "SELECT 'x'");
        for (int i = 3; i >= 0; i--)
            if (mask & 1 << i)
                CHECK_INT(loop_future_cancel(futures[i], NULL), 1);
        for (int i = 0; i < 4; i++)
            CHECK_INT(outcome(loop, futures[i], value), mask & 1 << i ? LOOP_ECANCELLED : 0);
    }
    CHECK_INT(outcome(loop, query(pq, "SELECT 'y'"), value), 0);
    CHECK_STR(value, "y");
    finish(loop, pq);
}

TEST(libpq_cancelling_the_attempt_to_connect) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = NULL;
    loop_future_t *future, *queued;
    int before = open_fds();
    CHECK_INT(coloop_pq_connect(loop, environment("COLOOP_PG"), &pq, &future), 0);
    queued = query(pq, "SELECT 1");
    CHECK_INT(loop_future_cancel(future, NULL), 1);
    CHECK_INT(outcome(loop, future, NULL), LOOP_ECANCELLED);
    CHECK_INT(outcome(loop, queued, NULL), COLOOP_PQ_ECONNECTION);
    CHECK(coloop_pq_connection(pq) == NULL);
    CHECK_INT(stats_of(loop).fds_now, 0);
    CHECK_INT(coloop_pq_free(pq), 0);
    close_clean(loop);
    CHECK_INT(open_fds(), before);
}

TEST(libpq_hears_of_a_terminated_backend) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop), *other = connected(loop);
    struct heard heard = {0};
    char command[64], value[64];
    CHECK_INT(coloop_pq_set_notify(pq, on_notify, &heard, on_heard_destroyed), 0);
    snprintf(command, sizeof command, "SELECT pg_terminate_backend(%d)", PQbackendPID(coloop_pq_connection(pq)));
    loop_future_t *sleeping = query(pq, "SELECT pg_sleep(600)"), *queued = query(pq, "SELECT 1");
    CHECK_INT(outcome(loop, query(other, command), value), 0);
    CHECK_STR(value, "t");
    CHECK(outcome(loop, sleeping, value) < 0);
    CHECK(strstr(value, "terminating connection") != NULL);
    CHECK_INT(outcome(loop, queued, value), COLOOP_PQ_ECONNECTION);
    run_until(loop, &heard.lost);
    CHECK_INT(heard.destroyed, 1);
    check_idle(loop); /* a lost connection is not watched */
    CHECK_INT(coloop_pq_free(other), 0);
    finish(loop, pq);
    CHECK_INT(heard.lost, 1);
    CHECK_INT(heard.destroyed, 1);
}

TEST(libpq_hears_of_a_killed_server_and_connects_again) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected_to(loop, "COLOOP_PG_KILLED");
    loop_future_t *sleeping = query(pq, "SELECT pg_sleep(600)");
    char value[64];
    run_for(loop, 20 * MS);
    /* The server ends every connection when one of its processes dies like that. */
    CHECK_INT(kill(PQbackendPID(coloop_pq_connection(pq)), SIGKILL), 0);
    CHECK_INT(outcome(loop, sleeping, value), COLOOP_PQ_ECONNECTION);
    CHECK_INT(coloop_pq_free(pq), 0);
    for (int again = 0; !again;) { /* it ends the other connections, and starts anew */
        CHECK_INT(coloop_pq_connect(loop, environment("COLOOP_PG_KILLED"), &pq, NULL), 0);
        again = outcome(loop, query(pq, "SELECT 'again'"), value) == 0;
        CHECK_INT(coloop_pq_free(pq), 0);
        run_for(loop, 20 * MS);
    }
    CHECK_STR(value, "again");
    finish(loop, NULL);
}

static void free_in_done(loop_future_t *future, void *pq) {
    (void)future;
    CHECK_INT(coloop_pq_free(pq), 0);
}

TEST(libpq_may_be_freed_when_a_future_is_done) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop);
    loop_future_t *first = query(pq, "SELECT 1"), *second = query(pq, "SELECT pg_sleep(600)");
    char value[64];
    CHECK_INT(loop_future_add_done_callback(first, free_in_done, pq, NULL), 0);
    CHECK_INT(outcome(loop, second, value), COLOOP_PQ_ECONNECTION);
    CHECK_STR(value, "the connection was closed by coloop_pq_free");
    CHECK_INT(outcome(loop, first, value), 0);
    close_clean(loop);
}

TEST(libpq_may_be_freed_while_it_is_cancelling) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop);
    loop_future_t *sleeping = query(pq, "SELECT pg_sleep(600)");
    run_for(loop, 10 * MS);
    CHECK_INT(loop_future_cancel(sleeping, NULL), 1);
    CHECK_INT(loop_run_once(loop, 0) >= 0, 1);
    CHECK_INT(coloop_pq_free(pq), 0);
    CHECK_INT(outcome(loop, sleeping, NULL), LOOP_ECANCELLED);
    finish(loop, NULL);
}

TEST(libpq_may_outlive_its_loop) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop);
    loop_future_t *sleeping = query(pq, "SELECT pg_sleep(600)"), *refused = NULL;
    loop_executor_t *executor = NULL;
    CHECK_INT(loop_executor_new(1, &executor), 0);
    CHECK_INT(loop_set_default_executor(loop, executor), 0);
    run_for(loop, 10 * MS);
    CHECK_INT(loop_future_cancel(sleeping, NULL), 1);
    CHECK_INT(loop_run_once(loop, 0) >= 0, 1); /* PQcancel is under way */
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
    CHECK_INT(coloop_pq_query(pq, "SELECT 1", &refused), LOOP_ECLOSED);
    CHECK_INT(coloop_pq_free(pq), 0);
    loop_future_unref(sleeping);
    CHECK_INT(loop_executor_shutdown(executor, LOOP_EXECUTOR_WAIT, -1), 0);
    loop_executor_unref(executor);
}

TEST(libpq_goes_on_after_each_stop) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = NULL;
    CHECK_INT(coloop_pq_connect(loop, environment("COLOOP_PG"), &pq, NULL), 0);
    loop_future_t *future = query(pq, "SELECT repeat('x', 1000000)");
    while (!loop_future_done(future)) {
        CHECK_INT(loop_stop(loop), 0); /* one turn at a time */
        CHECK_INT(loop_run_forever(loop), 0);
    }
    CHECK_INT(outcome(loop, future, NULL), 0);
    finish(loop, pq);
}

TEST(libpq_has_room_for_many_connections) {
    enum { CONNECTIONS = 20 };
    loop_t *loop = loop_new();
    coloop_pq_t *all[CONNECTIONS];
    loop_future_t *futures[CONNECTIONS];
    char value[64];
    for (int i = 0; i < CONNECTIONS; i++) {
        CHECK_INT(coloop_pq_connect(loop, environment("COLOOP_PG"), &all[i], NULL), 0);
        futures[i] = query(all[i], "SELECT 'one of many'");
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        CHECK_INT(outcome(loop, futures[i], value), 0);
        CHECK_STR(value, "one of many");
    }
    for (int i = 0; i < CONNECTIONS; i++)
        CHECK_INT(coloop_pq_free(all[i]), 0);
    close_clean(loop);
}

static void *use_elsewhere(void *pq) {
    loop_future_t *future = NULL;
    CHECK_INT(coloop_pq_query(pq, "SELECT 1", &future), LOOP_EWRONG_THREAD);
    CHECK_INT(coloop_pq_set_notify(pq, NULL, NULL, NULL), LOOP_EWRONG_THREAD);
    CHECK_INT(coloop_pq_free(pq), LOOP_EWRONG_THREAD);
    return NULL;
}

static void start_thread(void *pq) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, use_elsewhere, pq), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

static void in_forked_child(void *pq) {
    loop_future_t *future = NULL;
    loop_t *loop = ((coloop_pq_t *)pq)->loop;
    CHECK_INT(coloop_pq_query(pq, "SELECT 1", &future), LOOP_EFORKED);
    CHECK_INT(coloop_pq_free(pq), 0);
    loop_unref(loop);
}

TEST(libpq_refuses_wrong_threads_and_children) {
    for (int tls = 0; tls < 2; tls++) {
        loop_t *loop = loop_new();
        coloop_pq_t *pq = connected_to(loop, tls ? "COLOOP_PG_TLS" : "COLOOP_PG");
        char value[64];
        CHECK_INT(loop_call_soon(loop, start_thread, pq, NULL, NULL), 0);
        run_for(loop, 1 * MS);
        CHECK_INT(in_child(in_forked_child, pq), 0);
        CHECK_INT(outcome(loop, query(pq, "SELECT 'still here'"), value), 0);
        CHECK_STR(value, "still here");
        finish(loop, pq);
    }
}

TEST(libpq_says_what_is_wrong) {
    loop_t *loop = loop_new();
    coloop_pq_t *pq = NULL;
    loop_future_t *future = NULL;
    struct heard heard = {0};
    CHECK_INT(coloop_pq_connect(NULL, "", &pq, &future), LOOP_EINVAL);
    CHECK_INT(coloop_pq_connect(loop, NULL, &pq, &future), LOOP_EINVAL);
    CHECK_INT(coloop_pq_connect(loop, "", NULL, &future), LOOP_EINVAL);
    CHECK_INT(coloop_pq_query(NULL, "SELECT 1", &future), LOOP_EINVAL);
    pq = connected(loop);
    CHECK_INT(coloop_pq_query(pq, NULL, &future), LOOP_EINVAL);
    CHECK_INT(coloop_pq_query(pq, "SELECT 1", NULL), LOOP_EINVAL);
    CHECK_INT(coloop_pq_query_params(pq, "SELECT 1", -1, NULL, NULL, NULL, NULL, 0, &future), LOOP_EINVAL);
    CHECK_INT(coloop_pq_query_params(pq, "SELECT 1", 70000, NULL, NULL, NULL, NULL, 0, &future), LOOP_EINVAL);
    CHECK_INT(coloop_pq_prepare(pq, NULL, "SELECT 1", 0, NULL, &future), LOOP_EINVAL);
    CHECK_INT(coloop_pq_query_prepared(pq, "missing", 0, NULL, NULL, NULL, 0, &future), 0);
    CHECK_INT(outcome(loop, future, NULL), COLOOP_PQ_ECOMMAND);
    CHECK_INT(coloop_pq_set_notify(NULL, on_notify, &heard, on_heard_destroyed), LOOP_EINVAL);
    CHECK_INT(heard.destroyed, 1);
    CHECK(coloop_pq_connection(NULL) == NULL);
    CHECK_INT(coloop_pq_free(NULL), 0);
    CHECK_INT(coloop_pq_free(pq), 0);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(coloop_pq_connect(loop, "", &pq, &future), LOOP_ECLOSED);
    loop_unref(loop);
}

static void query_without_memory(void) {
    const char *values[] = {"5"};
    loop_t *loop = loop_new();
    coloop_pq_t *pq = connected(loop);
    loop_future_t *future = NULL;
    memory_fails();
    int code = coloop_pq_query_params(pq, "SELECT $1::int", 1, NULL, values, NULL, NULL, 0, &future);
    for (int turn = 0; code == 0 && turn < 20; turn++)
        (void)loop_run_once(loop, 1 * MS);
    memory_is_back();
    if (code == 0) /* it ends, well or not */
        code = loop_run_until_complete(loop, future, NULL);
    CHECK(code == 0 || memory_failed());
    loop_future_unref(future);
    CHECK_INT(coloop_pq_free(pq), 0);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(libpq_without_memory) { sweep(query_without_memory); }
