/* libcurl on a loop, against tests/adapters/http_server.py. */
#include "../c/failing_memory.h"
#include "idle.h"
#include <coloop/adapters/curl.h>
#include <pthread.h>
#include <stdarg.h>
#include <unistd.h>

/* A transfer, and what it has brought. */
struct transfer {
    CURL *easy;
    loop_future_t *future;
    size_t length;
    char begin[32];
    coloop_curl_t *curl; /* what on_data does with it */
    void (*on_data)(struct transfer *);
};

static size_t on_data(char *data, size_t size, size_t count, void *given) {
    struct transfer *transfer = given;
    for (size_t i = 0; i < size * count && transfer->length + i + 1 < sizeof transfer->begin; i++)
        transfer->begin[transfer->length + i] = data[i];
    transfer->length += size * count;
    if (transfer->on_data != NULL)
        transfer->on_data(transfer);
    return size * count;
}

static void prepare(struct transfer *transfer, const char *server, const char *format, ...) {
    char path[64], url[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    snprintf(url, sizeof url, "%s%s", environment(server), path);
    memset(transfer, 0, sizeof *transfer);
    transfer->easy = curl_easy_init();
    CHECK(transfer->easy != NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
}

static void perform(coloop_curl_t *curl, struct transfer *transfer) {
    CHECK_INT(coloop_curl_perform(curl, transfer->easy, &transfer->future), 0);
}

static void clean(struct transfer *transfer) {
    loop_future_unref(transfer->future);
    curl_easy_cleanup(transfer->easy);
}

static long long number_at(coloop_curl_t *curl, loop_t *loop, const char *format, const char *name) {
    struct transfer transfer;
    prepare(&transfer, "COLOOP_HTTP", format, name);
    perform(curl, &transfer);
    CHECK_INT(loop_run_until_complete(loop, transfer.future, NULL), 0);
    long long number = atoll(transfer.begin);
    clean(&transfer);
    return number;
}

static void wait_hanging(coloop_curl_t *curl, loop_t *loop, const char *name, int expected) {
    while (number_at(curl, loop, "/hanging/%s", name) != expected)
        run_for(loop, 5 * MS);
}

TEST(curl_performs_transfers) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer transfer;
    void *result = NULL;
    long status = 0;
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    prepare(&transfer, "COLOOP_HTTP", "/size/100000");
    for (int round = 0; round < 2; round++) { /* an easy handle can be used again */
        transfer.length = 0;
        perform(curl, &transfer);
        CHECK_INT(loop_run_until_complete(loop, transfer.future, &result), 0);
        CHECK(result == transfer.easy);
        CHECK_INT(transfer.length, 100000);
        curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
        CHECK_INT(status, 200);
        loop_future_unref(transfer.future);
    }
    curl_easy_setopt(transfer.easy, CURLOPT_POSTFIELDS, "a body");
    transfer.length = 0;
    perform(curl, &transfer);
    CHECK_INT(loop_run_until_complete(loop, transfer.future, NULL), 0);
    CHECK_INT(memcmp(transfer.begin, "a body", 6), 0);
    CHECK_INT(transfer.length, 6);
    clean(&transfer);
    check_idle(loop); /* the connection stays open */
    CHECK_INT(coloop_curl_free(curl), 0);
    close_clean(loop);
}

TEST(curl_runs_a_hundred_transfers_at_once) {
    enum { TRANSFERS = 100 };
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    static struct transfer transfers[TRANSFERS];
    loop_future_t *futures[TRANSFERS], *all;
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    for (int i = 0; i < TRANSFERS; i++) {
        if (i % 3 == 0)
            prepare(&transfers[i], "COLOOP_HTTP", "/chunked/%d", i);
        else if (i % 3 == 1)
            prepare(&transfers[i], "COLOOP_HTTP", "/size/%d", i * 1000);
        else
            prepare(&transfers[i], "COLOOP_HTTP", "/slow/%d", i);
        perform(curl, &transfers[i]);
        futures[i] = transfers[i].future;
    }
    CHECK_INT(loop_gather(loop, futures, TRANSFERS, 0, &all), 0);
    CHECK_INT(loop_run_until_complete(loop, all, NULL), 0);
    loop_future_unref(all);
    for (int i = 0; i < TRANSFERS; i++) {
        CHECK_INT(transfers[i].length, i % 3 == 2 ? 4 : i * 1000);
        clean(&transfers[i]);
    }
    CHECK_INT(coloop_curl_free(curl), 0);
    close_clean(loop);
}

TEST(curl_failures_have_codes_and_texts) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer refused, broken, added;
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    prepare(&refused, "COLOOP_HTTP", "/");
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%s/", environment("COLOOP_CLOSED_PORT"));
    curl_easy_setopt(refused.easy, CURLOPT_URL, url);
    prepare(&broken, "COLOOP_HTTP", "/broken");
    prepare(&added, "COLOOP_HTTP", "/slow/1");
    CURLM *other = curl_multi_init();
    CHECK_INT(curl_multi_add_handle(other, added.easy), CURLM_OK);
    perform(curl, &refused);
    perform(curl, &broken);
    perform(curl, &added);
    CHECK_INT(loop_run_until_complete(loop, refused.future, NULL), COLOOP_CURL_CODE(CURLE_COULDNT_CONNECT));
    CHECK_STR(loop_last_error(), curl_easy_strerror(CURLE_COULDNT_CONNECT));
    CHECK_INT(loop_run_until_complete(loop, broken.future, NULL), COLOOP_CURL_CODE(CURLE_PARTIAL_FILE));
    CHECK_INT(broken.length, 10);
    CHECK_INT(loop_run_until_complete(loop, added.future, NULL), COLOOP_CURLM_CODE(CURLM_ADDED_ALREADY));
    curl_multi_remove_handle(other, added.easy);
    curl_multi_cleanup(other);
    clean(&refused);
    clean(&broken);
    clean(&added);
    CHECK_INT(coloop_curl_free(curl), 0);
    close_clean(loop);
}

TEST(curl_keeps_its_own_time_limits) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer transfer;
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    prepare(&transfer, "COLOOP_HTTP", "/hang/timeout%d", (int)getpid());
    curl_easy_setopt(transfer.easy, CURLOPT_TIMEOUT_MS, 50L);
    uint64_t before = stats_of(loop).turns;
    perform(curl, &transfer);
    CHECK_INT(loop_run_until_complete(loop, transfer.future, NULL), COLOOP_CURL_CODE(CURLE_OPERATION_TIMEDOUT));
    CHECK(stats_of(loop).turns - before < 100); /* it does not spin */
    clean(&transfer);
    CHECK_INT(coloop_curl_free(curl), 0);
    close_clean(loop);
}

TEST(curl_speaks_tls) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer transfers[5];
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    for (int i = 0; i < 5; i++) {
        prepare(&transfers[i], "COLOOP_HTTPS", "/size/%d", 10000 * i);
        if (i != 4) /* the last one does not trust the server */
            curl_easy_setopt(transfers[i].easy, CURLOPT_CAINFO, environment("COLOOP_CA"));
        perform(curl, &transfers[i]);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_INT(loop_run_until_complete(loop, transfers[i].future, NULL), 0);
        CHECK_INT(transfers[i].length, 10000 * i);
        clean(&transfers[i]);
    }
    CHECK_INT(loop_run_until_complete(loop, transfers[4].future, NULL),
              COLOOP_CURL_CODE(CURLE_PEER_FAILED_VERIFICATION));
    clean(&transfers[4]);
    CHECK_INT(coloop_curl_free(curl), 0);
    close_clean(loop);
}

TEST(curl_cancelling_closes_the_connection) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer transfers[3];
    char name[32];
    snprintf(name, sizeof name, "cancel%d", (int)getpid());
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    for (int i = 0; i < 3; i++) {
        prepare(&transfers[i], "COLOOP_HTTP", "/hang/%s", name);
        perform(curl, &transfers[i]);
    }
    wait_hanging(curl, loop, name, 3);
    CHECK_INT(loop_future_cancel(transfers[0].future, NULL), 1);
    wait_hanging(curl, loop, name, 2);
    clean(&transfers[0]);
    /* At once: the handle may be cleaned up, or used again. */
    CHECK_INT(loop_future_cancel(transfers[1].future, NULL), 1);
    CHECK_INT(loop_future_cancelled(transfers[1].future), 1);
    CHECK_INT(loop_future_cancel(transfers[1].future, NULL), 0);
    clean(&transfers[1]);
    wait_hanging(curl, loop, name, 1);
    CHECK_INT(loop_future_cancel(transfers[2].future, NULL), 1);
    loop_future_unref(transfers[2].future);
    perform(curl, &transfers[2]);
    wait_hanging(curl, loop, name, 1);
    CHECK_INT(loop_future_cancel(transfers[2].future, NULL), 1);
    clean(&transfers[2]);
    wait_hanging(curl, loop, name, 0);
    CHECK_INT(coloop_curl_free(curl), 0);
    close_clean(loop);
}

TEST(curl_cancelled_before_it_began) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer transfer;
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    prepare(&transfer, "COLOOP_HTTP", "/size/1");
    perform(curl, &transfer);
    loop_future_cancel(transfer.future, NULL);
    CHECK_INT(loop_run_until_complete(loop, transfer.future, NULL), LOOP_ECANCELLED);
    run_for(loop, 1 * MS);
    CHECK_INT(transfer.length, 0);
    loop_future_unref(transfer.future);
    perform(curl, &transfer);
    CHECK_INT(loop_run_until_complete(loop, transfer.future, NULL), 0);
    clean(&transfer);
    CHECK_INT(coloop_curl_free(curl), 0);
    close_clean(loop);
}

static struct transfer nested;

static void begin_another(struct transfer *transfer) {
    if (nested.future == NULL)
        perform(transfer->curl, &nested);
}

static void cancel_itself(struct transfer *transfer) {
    transfer->on_data = NULL;
    CHECK_INT(loop_future_cancel(transfer->future, NULL), 1);
}

static void free_all(struct transfer *transfer) { CHECK_INT(coloop_curl_free(transfer->curl), 0); }

TEST(curl_may_be_called_inside_its_own_callbacks) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer transfer, hanging;
    CHECK_INT(coloop_curl_new(loop, &curl), 0);

    prepare(&nested, "COLOOP_HTTP", "/size/7");
    prepare(&transfer, "COLOOP_HTTP", "/size/3");
    transfer.curl = curl;
    transfer.on_data = begin_another;
    perform(curl, &transfer);
    CHECK_INT(loop_run_until_complete(loop, transfer.future, NULL), 0);
    CHECK_INT(loop_run_until_complete(loop, nested.future, NULL), 0);
    CHECK_INT(nested.length, 7);
    clean(&nested);
    clean(&transfer);

    prepare(&transfer, "COLOOP_HTTP", "/chunked/100");
    transfer.curl = curl;
    transfer.on_data = cancel_itself;
    perform(curl, &transfer);
    CHECK_INT(loop_run_until_complete(loop, transfer.future, NULL), LOOP_ECANCELLED);
    clean(&transfer);

    prepare(&hanging, "COLOOP_HTTP", "/hang/nested");
    perform(curl, &hanging);
    prepare(&transfer, "COLOOP_HTTP", "/size/3");
    transfer.curl = curl;
    transfer.on_data = free_all;
    perform(curl, &transfer);
    CHECK(loop_run_until_complete(loop, transfer.future, NULL) <= 0);
    CHECK_INT(loop_run_until_complete(loop, hanging.future, NULL),
              COLOOP_CURL_CODE(CURLE_ABORTED_BY_CALLBACK));
    clean(&transfer);
    clean(&hanging);
    close_clean(loop);
}

static void free_in_done(loop_future_t *future, void *curl) {
    (void)future;
    CHECK_INT(coloop_curl_free(curl), 0);
}

TEST(curl_may_be_freed_when_a_future_is_done) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer quick, hanging;
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    prepare(&quick, "COLOOP_HTTP", "/size/1");
    prepare(&hanging, "COLOOP_HTTP", "/hang/freed");
    perform(curl, &hanging);
    perform(curl, &quick);
    CHECK_INT(loop_future_add_done_callback(quick.future, free_in_done, curl, NULL), 0);
    CHECK(loop_run_until_complete(loop, hanging.future, NULL) < 0);
    clean(&quick);
    clean(&hanging);
    close_clean(loop);
}

TEST(curl_may_outlive_its_loop) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer transfer, later;
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    prepare(&transfer, "COLOOP_HTTP", "/hang/closed");
    perform(curl, &transfer);
    run_for(loop, 20 * MS);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
    prepare(&later, "COLOOP_HTTP", "/");
    CHECK_INT(coloop_curl_perform(curl, later.easy, &later.future), LOOP_ECLOSED);
    curl_easy_cleanup(later.easy);
    CHECK_INT(coloop_curl_free(curl), 0);
    clean(&transfer);
}

TEST(curl_goes_on_after_each_stop) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer transfer;
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    prepare(&transfer, "COLOOP_HTTP", "/chunked/500");
    perform(curl, &transfer);
    while (!loop_future_done(transfer.future)) {
        CHECK_INT(loop_stop(loop), 0); /* one turn at a time */
        CHECK_INT(loop_run_forever(loop), 0);
    }
    CHECK_INT(transfer.length, 500000);
    clean(&transfer);
    CHECK_INT(coloop_curl_free(curl), 0);
    close_clean(loop);
}

static void *use_elsewhere(void *given) {
    struct transfer *transfer = given;
    loop_future_t *future = NULL;
    CHECK_INT(coloop_curl_perform(transfer->curl, transfer->easy, &future), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_future_cancel(transfer->future, NULL), LOOP_EWRONG_THREAD);
    CHECK_INT(coloop_curl_free(transfer->curl), LOOP_EWRONG_THREAD);
    return NULL;
}

static void start_thread(void *transfer) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, use_elsewhere, transfer), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

static void in_forked_child(void *given) {
    struct transfer *transfer = given;
    loop_future_t *future = NULL;
    loop_t *loop = loop_future_get_loop(transfer->future);
    CHECK_INT(coloop_curl_perform(transfer->curl, transfer->easy, &future), LOOP_EFORKED);
    CHECK_INT(loop_reinit_after_fork(loop, LOOP_REINIT_KEEP_IO), 0);
    CHECK_INT(coloop_curl_perform(transfer->curl, transfer->easy, &future), LOOP_EFORKED);
    check_idle(loop); /* also when the answer is there: it is the parent's */
    CHECK_INT(coloop_curl_free(transfer->curl), 0);
    execl("/bin/true", "true", (char *)NULL); /* valgrind need not see what is libcurl's, and stays */
}

TEST(curl_refuses_wrong_threads_and_children) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    struct transfer transfer;
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    prepare(&transfer, "COLOOP_HTTP", "/slow/100");
    transfer.curl = curl;
    perform(curl, &transfer);
    CHECK_INT(loop_call_soon(loop, start_thread, &transfer, NULL, NULL), 0);
    run_for(loop, 20 * MS);
    CHECK_INT(in_child(in_forked_child, &transfer), 0);
    CHECK_INT(loop_run_until_complete(loop, transfer.future, NULL), 0);
    CHECK_STR(transfer.begin, "slow");
    clean(&transfer);
    CHECK_INT(coloop_curl_free(curl), 0);
    close_clean(loop);
}

TEST(curl_says_what_is_wrong) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl = NULL;
    loop_future_t *future = NULL;
    CURL *easy = curl_easy_init();
    CHECK_INT(coloop_curl_new(NULL, &curl), LOOP_EINVAL);
    CHECK_INT(coloop_curl_new(loop, NULL), LOOP_EINVAL);
    CHECK_INT(coloop_curl_new(loop, &curl), 0);
    CHECK_INT(coloop_curl_perform(NULL, easy, &future), LOOP_EINVAL);
    CHECK_INT(coloop_curl_perform(curl, NULL, &future), LOOP_EINVAL);
    CHECK_INT(coloop_curl_perform(curl, easy, NULL), LOOP_EINVAL);
    CHECK(coloop_curl_multi(curl) != NULL && coloop_curl_multi(NULL) == NULL);
    CHECK_INT(coloop_curl_perform(curl, easy, &future), 0); /* no URL: libcurl's error */
    CHECK_INT(loop_run_until_complete(loop, future, NULL), COLOOP_CURL_CODE(CURLE_URL_MALFORMAT));
    loop_future_unref(future);
    CHECK_INT(coloop_curl_free(NULL), 0);
    CHECK_INT(coloop_curl_free(curl), 0);
    curl_easy_cleanup(easy);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(coloop_curl_new(loop, &curl), LOOP_ECLOSED);
    loop_unref(loop);
}

static void transfer_without_memory(void) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl = NULL;
    struct transfer transfer;
    prepare(&transfer, "COLOOP_HTTP", "/size/5");
    memory_fails();
    int code = coloop_curl_new(loop, &curl);
    if (code == 0)
        code = coloop_curl_perform(curl, transfer.easy, &transfer.future);
    for (int turn = 0; code == 0 && turn < 20; turn++)
        (void)loop_run_once(loop, 1 * MS);
    memory_is_back();
    if (code == 0) /* it ends, well or not */
        code = loop_run_until_complete(loop, transfer.future, NULL);
    CHECK(code == 0 || memory_failed());
    CHECK_INT(coloop_curl_free(curl), 0);
    clean(&transfer);
    CHECK_INT(loop_close(loop), 0);
    loop_unref(loop);
}

TEST(curl_without_memory) { sweep(transfer_without_memory); }
