/* hiredis on a loop, against a real server. */
#include "../c/failing_memory.h"
#include "idle.h"
#include "redis_server.h"
#include <coloop/adapters/hiredis.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static redisAsyncContext *attached(loop_t *loop) {
    redisAsyncContext *context = redisAsyncConnectUnix(environment("COLOOP_REDIS"));
    CHECK(context != NULL && context->err == 0);
    CHECK_INT(coloop_hiredis_attach(loop, context), REDIS_OK);
    return context;
}

/* What a connection has been told. */
struct told {
    loop_t *loop;
    int replies, nulls, disconnects, status, stop_after, connected;
    long long number, wrong;
    char text[64];
};

static void on_reply(redisAsyncContext *context, void *given, void *data) {
    struct told *told = data;
    redisReply *reply = given;
    (void)context;
    if (reply == NULL) {
        told->nulls++;
        return;
    }
    told->replies++;
    if (reply->type == REDIS_REPLY_INTEGER) {
        told->wrong += reply->integer != told->number + 1;
        told->number = reply->integer;
    } else if (reply->str != NULL) {
        snprintf(told->text, sizeof told->text, "%s", reply->str);
    }
    if (told->replies == told->stop_after)
        loop_stop(told->loop);
}

static void on_disconnect(const redisAsyncContext *context, int status) {
    struct told *told = context->data;
    told->disconnects++;
    told->status = status;
}

static void on_connect(const redisAsyncContext *context, int status) {
    struct told *told = context->data;
    told->connected = 1;
    told->status = status;
}

TEST(hiredis_answers_commands) {
    loop_t *loop = loop_new();
    struct told told = {.loop = loop, .stop_after = 2};
    redisAsyncContext *context = attached(loop);
    CHECK_INT(redisAsyncCommand(context, on_reply, &told, "SET %s %s", "greeting", "hello"), REDIS_OK);
    CHECK_INT(redisAsyncCommand(context, on_reply, &told, "GET greeting"), REDIS_OK);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_STR(told.text, "hello");
    redisAsyncFree(context);
    close_clean(loop);
}

TEST(hiredis_attach_says_what_is_wrong) {
    loop_t *loop = loop_new();
    redisAsyncContext *context = attached(loop);
    CHECK_INT(coloop_hiredis_attach(loop, context), LOOP_EINVAL); /* already */
    CHECK_INT(coloop_hiredis_attach(loop, NULL), LOOP_EINVAL);
    CHECK_INT(coloop_hiredis_attach(NULL, context), LOOP_EINVAL);
    redisAsyncFree(context);
    redisAsyncContext *none = redisAsyncConnectUnix("/nonexistent/redis.sock");
    CHECK(none->err != 0);
    CHECK_INT(coloop_hiredis_attach(loop, none), -EBADF);
    redisAsyncFree(none);
    CHECK_INT(loop_close(loop), 0);
    context = redisAsyncConnectUnix(environment("COLOOP_REDIS"));
    CHECK_INT(coloop_hiredis_attach(loop, context), LOOP_ECLOSED);
    CHECK(context->ev.data == NULL);
    redisAsyncFree(context);
    loop_unref(loop);
}

TEST(hiredis_pipelines_ten_thousand_commands_in_order) {
    enum { COMMANDS = 10000 };
    loop_t *loop = loop_new();
    struct told told = {.loop = loop, .stop_after = COMMANDS};
    redisAsyncContext *context = attached(loop);
    /* Its own key, because the tests run at the same time. */
    for (int i = 0; i < COMMANDS; i++)
        CHECK_INT(redisAsyncCommand(context, on_reply, &told, "INCR pipeline:%d", (int)getpid()), REDIS_OK);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(told.number, COMMANDS);
    CHECK_INT(told.wrong, 0);
    redisAsyncFree(context);
    close_clean(loop);
}

TEST(hiredis_subscribes_and_is_idle_in_between) {
    loop_t *loop = loop_new();
    struct told heard = {.loop = loop}, said = {.loop = loop};
    redisAsyncContext *subscriber = attached(loop), *publisher = attached(loop);
    CHECK_INT(redisAsyncCommand(subscriber, on_reply, &heard, "SUBSCRIBE news:%d", (int)getpid()), REDIS_OK);
    run_until(loop, &heard.replies);
    check_idle(loop);
    for (int i = 0; i < 100; i++)
        CHECK_INT(redisAsyncCommand(publisher, on_reply, &said, "PUBLISH news:%d item", (int)getpid()), REDIS_OK);
    while (heard.replies < 101)
        CHECK(loop_run_once(loop, -1) >= 0);
    CHECK_INT(said.number, 1); /* each time one receiver */
    redisAsyncFree(subscriber);
    redisAsyncFree(publisher);
    close_clean(loop);
}

TEST(hiredis_hears_of_a_killed_server_and_connects_again) {
    struct redis_server server = redis_server_new();
    loop_t *loop = loop_new();
    signal(SIGPIPE, SIG_IGN); /* hiredis writes without MSG_NOSIGNAL */
    redis_server_start(&server);
    for (int round = 0; round < 2; round++) {
        struct told told = {.loop = loop, .stop_after = 1};
        redisAsyncContext *context = redisAsyncConnectUnix(server.path);
        CHECK(context->err == 0);
        context->data = &told;
        CHECK_INT(coloop_hiredis_attach(loop, context), REDIS_OK);
        redisAsyncSetConnectCallback(context, on_connect);
        redisAsyncSetDisconnectCallback(context, on_disconnect);
        CHECK_INT(redisAsyncCommand(context, on_reply, &told, "SET key value"), REDIS_OK);
        CHECK_INT(loop_run_forever(loop), 0);
        CHECK_INT(told.connected, 1);
        CHECK_INT(redisAsyncCommand(context, on_reply, &told, "BLPOP nothing 0"), REDIS_OK);
        CHECK_INT(redisAsyncCommand(context, on_reply, &told, "GET key"), REDIS_OK);
        run_for(loop, 20 * MS); /* the server has them */
        redis_server_kill(&server);
        run_until(loop, &told.disconnects);
        CHECK_INT(told.nulls, 2);
        CHECK_INT(told.status, REDIS_ERR);
        CHECK_INT(stats_of(loop).fds_now, 0);
        redis_server_start(&server);
    }
    redis_server_kill(&server);
    redis_server_remove(&server);
    close_clean(loop);
}

TEST(hiredis_hears_of_a_refused_connection) {
    loop_t *loop = loop_new();
    struct told told = {.loop = loop};
    redisAsyncContext *context = redisAsyncConnect("127.0.0.1", atoi(environment("COLOOP_CLOSED_PORT")));
    if (context->err != 0) { /* refused at once */
        redisAsyncFree(context);
    } else {
        context->data = &told;
        CHECK_INT(coloop_hiredis_attach(loop, context), REDIS_OK);
        redisAsyncSetConnectCallback(context, on_connect);
        CHECK_INT(redisAsyncCommand(context, on_reply, &told, "PING"), REDIS_OK);
        run_until(loop, &told.connected);
        CHECK_INT(told.status, REDIS_ERR);
        run_until(loop, &told.nulls);
    }
    close_clean(loop);
}

static void free_it(redisAsyncContext *context, void *reply, void *data) {
    struct told *told = data;
    told->replies += reply != NULL;
    told->nulls += reply == NULL;
    if (reply != NULL)
        redisAsyncFree(context);
}

static void disconnect_it(redisAsyncContext *context, void *reply, void *data) {
    struct told *told = data;
    told->replies += reply != NULL;
    redisAsyncDisconnect(context);
}

TEST(hiredis_may_be_freed_in_its_callbacks) {
    loop_t *loop = loop_new();
    struct told freed = {.loop = loop}, ended = {.loop = loop};
    redisAsyncContext *context = attached(loop);
    context->data = &freed;
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    for (int i = 0; i < 3; i++)
        CHECK_INT(redisAsyncCommand(context, free_it, &freed, "PING"), REDIS_OK);
    run_until(loop, &freed.disconnects);
    CHECK_INT(freed.replies, 1);
    CHECK_INT(freed.nulls, 2);

    context = attached(loop);
    context->data = &ended;
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    CHECK_INT(redisAsyncCommand(context, disconnect_it, &ended, "PING"), REDIS_OK);
    CHECK_INT(redisAsyncCommand(context, on_reply, &ended, "PING"), REDIS_OK);
    run_until(loop, &ended.disconnects);
    CHECK_INT(ended.replies, 2); /* what was sent is answered first */
    CHECK_INT(ended.status, REDIS_OK);
    close_clean(loop);
}

TEST(hiredis_may_outlive_its_loop) {
    loop_t *loop = loop_new();
    struct told told = {.loop = loop};
    redisAsyncContext *context = attached(loop);
    CHECK_INT(redisAsyncCommand(context, on_reply, &told, "BLPOP never:%d 0", (int)getpid()), REDIS_OK);
    run_for(loop, 10 * MS);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
    CHECK_INT(redisAsyncCommand(context, on_reply, &told, "PING"), REDIS_OK); /* kept, not sent */
    redisAsyncFree(context);
    CHECK_INT(told.nulls, 2);
}

static void stop_each_time(redisAsyncContext *context, void *reply, void *data) {
    struct told *told = data;
    (void)context;
    told->replies += reply != NULL;
    loop_stop(told->loop);
}

TEST(hiredis_goes_on_after_each_stop) {
    loop_t *loop = loop_new();
    struct told told = {.loop = loop};
    redisAsyncContext *context = attached(loop);
    int runs = 0;
    for (int i = 0; i < 50; i++)
        CHECK_INT(redisAsyncCommand(context, stop_each_time, &told, "PING"), REDIS_OK);
    for (; told.replies < 50; runs++)
        CHECK_INT(loop_run_forever(loop), 0);
    CHECK(runs >= 1);
    redisAsyncFree(context);
    close_clean(loop);
}

TEST(hiredis_has_room_for_many_contexts) {
    enum { CONTEXTS = 100 };
    loop_t *loop = loop_new();
    static struct told told[CONTEXTS];
    redisAsyncContext *contexts[CONTEXTS];
    for (int i = 0; i < CONTEXTS; i++) {
        contexts[i] = attached(loop);
        for (int k = 0; k < 10; k++)
            CHECK_INT(redisAsyncCommand(contexts[i], on_reply, &told[i], "INCR many:%d:%d", (int)getpid(), i), 0);
    }
    for (int i = 0; i < CONTEXTS; i++) {
        while (told[i].replies < 10)
            CHECK(loop_run_once(loop, -1) >= 0);
        CHECK_INT(told[i].number, 10);
    }
    check_idle(loop);
    for (int i = 0; i < CONTEXTS; i++)
        redisAsyncFree(contexts[i]);
    close_clean(loop);
}

TEST(hiredis_hears_of_a_descriptor_closed_beneath_it) {
    loop_t *loop = loop_new();
    struct told told = {.loop = loop};
    redisAsyncContext *context = attached(loop);
    context->data = &told;
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    close((int)context->c.fd);
    CHECK_INT(redisAsyncCommand(context, on_reply, &told, "PING"), REDIS_OK);
    run_until(loop, &told.nulls);
    CHECK_INT(told.replies, 0);
    close_clean(loop);
}

TEST(hiredis_waits_for_descriptors_that_the_loop_lacks) {
    struct rlimit limit, none;
    loop_t *loop = loop_new();
    struct told told = {.loop = loop, .stop_after = 1};
    redisAsyncContext *context = attached(loop);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3; /* the loop has not opened its own yet */
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_INT(redisAsyncCommand(context, on_reply, &told, "PING"), REDIS_OK);
    CHECK_INT(stats_of(loop).fds_now, 0);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_STR(told.text, "PONG");
    redisAsyncFree(context);
    close_clean(loop);
}

static void free_in_child(void *data) {
    redisAsyncContext *context = data;
    loop_t *loop = ((struct told *)context->data)->loop;
    CHECK_INT(loop_reinit_after_fork(loop, LOOP_REINIT_KEEP_IO), 0);
    check_idle(loop); /* the reply is the parent's */
    redisAsyncFree(context);
    loop_unref(loop);
}

TEST(hiredis_lives_on_in_the_parent_of_a_fork) {
    loop_t *loop = loop_new();
    struct told told = {.loop = loop, .stop_after = 1};
    redisAsyncContext *context = attached(loop);
    context->data = &told;
    CHECK_INT(redisAsyncCommand(context, on_reply, &told, "PING"), REDIS_OK);
    CHECK_INT(loop_run_forever(loop), 0);
    told.stop_after = 2;
    CHECK_INT(redisAsyncCommand(context, on_reply, &told, "PING"), REDIS_OK);
    CHECK_INT(loop_run_once(loop, 0) >= 0, 1); /* sent */
    CHECK_INT(in_child(free_in_child, context), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK_INT(told.nulls, 0);
    redisAsyncFree(context);
    close_clean(loop);
}

/* Not hiredis itself, which ends the process in some places, but the adapter and
 * the loop. */
static void attach_without_memory(void) {
    loop_t *loop = loop_new();
    struct told told = {.loop = loop, .stop_after = 1};
    redisAsyncContext *context = redisAsyncConnectUnix(environment("COLOOP_REDIS"));
    CHECK(context != NULL && context->err == 0);
    memory_fails();
    int code = coloop_hiredis_attach(loop, context);
    if (code == 0)
        context->ev.addWrite(context->ev.data);
    memory_is_back();
    CHECK_NO_MEMORY(code);
    if (code == 0) { /* what could not be watched then is tried again */
        CHECK_INT(redisAsyncCommand(context, on_reply, &told, "PING"), REDIS_OK);
        CHECK_INT(loop_run_forever(loop), 0);
    }
    redisAsyncFree(context);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(hiredis_without_memory) { sweep(attach_without_memory); }
