/* libcurl on a coloop loop: a multi handle whose sockets and timer are the
 * loop's. Each transfer is a future.
 *
 *     coloop_curl_t *curl;
 *     loop_future_t *future;
 *     coloop_curl_new(loop, &curl);
 *     CURL *easy = curl_easy_init();
 *     curl_easy_setopt(easy, CURLOPT_URL, "https://example.org/");
 *     coloop_curl_perform(curl, easy, &future);
 *     loop_run_until_complete(loop, future, NULL);
 *
 * For libcurl 7.16.3 or later. Link to curl and coloop. */
#ifndef COLOOP_ADAPTERS_CURL_H
#define COLOOP_ADAPTERS_CURL_H

#include "operation.h"
#include "watch.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The codes of failed transfers: a CURLcode, such as
 * COLOOP_CURL_CODE(CURLE_COULDNT_CONNECT), or what a function of the multi
 * interface returned.
 */
#define COLOOP_CURL_CODE(code) (-3000 - (int)(code))
#define COLOOP_CURLM_CODE(code) (-3500 - (int)(code))

/**
 * A multi handle on a loop. Belongs to the loop's thread. Opaque.
 */
typedef struct coloop_curl_t coloop_curl_t;

/**
 * A handle in *ret_curl, for coloop_curl_free. It keeps a reference to the loop.
 * 0, LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
 * [loop thread]
 */
static inline int coloop_curl_new(loop_t *loop, coloop_curl_t **ret_curl);

/**
 * Ends every transfer (its future fails with
 * COLOOP_CURL_CODE(CURLE_ABORTED_BY_CALLBACK)), closes the connections and frees
 * the handle; the easy handles stay yours. May be called in every callback, also
 * in those of libcurl, where it takes effect when that has returned, and before
 * or after the loop is closed (then the futures stay as they are). NULL is
 * allowed. In a forked child nothing is said to the servers, with which the
 * parent still talks: libcurl's own memory stays, until the child ends.
 * 0, LOOP_EWRONG_THREAD (nothing is freed). [loop thread]
 */
static inline int coloop_curl_free(coloop_curl_t *curl);

/**
 * The CURLM, for curl_multi_setopt (CURLMOPT_MAX_HOST_CONNECTIONS, ...). The
 * options for sockets and the timer are the adapter's, and so are adding,
 * removing, and reading messages. [loop thread]
 */
static inline CURLM *coloop_curl_multi(coloop_curl_t *curl);

/**
 * Performs the transfer that `easy` describes. The future in *ret_future (one
 * reference) ends with the CURL * itself, which is out of the multi handle then:
 * ask it (curl_easy_getinfo), use it again or clean it up. A failure has
 * COLOOP_CURL_CODE(code) and the text of curl_easy_strerror; more is in the
 * CURLOPT_ERRORBUFFER, if you have set one.
 *
 * Cancelling the future removes the easy handle: it may be used again or cleaned
 * up when loop_future_cancel returns (in one of libcurl's callbacks: when that
 * has returned).
 *
 * `easy` stays yours, and has to live until the transfer has ended. May be
 * called in libcurl's callbacks. 0, LOOP_EINVAL (NULL), LOOP_EINVALID_STATE
 * (coloop_curl_free was called), LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD,
 * -ENOMEM. [loop thread]
 */
static inline int coloop_curl_perform(coloop_curl_t *curl, CURL *easy, loop_future_t **ret_future);

typedef enum coloop_curl_state_t {
    COLOOP_CURL_NEW,     /* not added to the multi handle yet */
    COLOOP_CURL_RUNNING, /* added */
    COLOOP_CURL_GIVEN_UP /* not wanted any more; added, or never was */
} coloop_curl_state_t;

typedef struct coloop_curl_transfer_t {
    coloop_operation_t operation;
    coloop_curl_t *curl;
    CURL *easy;
    coloop_curl_state_t state;
    int added;
    struct coloop_curl_transfer_t *previous, *next;
} coloop_curl_transfer_t;

typedef struct coloop_curl_socket_t {
    coloop_watch_t watch;
    coloop_curl_t *curl;
    struct coloop_curl_socket_t *previous, *next;
} coloop_curl_socket_t;

struct coloop_curl_t {
    loop_t *loop;
    CURLM *multi;
    coloop_curl_transfer_t *transfers;
    coloop_curl_socket_t *sockets;
    loop_handle_t timer;
    int inside;  /* libcurl works: it may not be called */
    int changed; /* some transfer is new or given up */
    int freed;
    pid_t process;
};

static inline void coloop_curl_unlink(coloop_curl_transfer_t *transfer) {
    if (transfer->previous != NULL)
        transfer->previous->next = transfer->next;
    else
        transfer->curl->transfers = transfer->next;
    if (transfer->next != NULL)
        transfer->next->previous = transfer->previous;
}

/* Why `curl` cannot work now, or 0. Its connections are not a forked child's. */
static inline int coloop_curl_usable(const coloop_curl_t *curl) {
    if (curl->process != getpid())
        return LOOP_EFORKED;
    return curl->freed ? LOOP_EINVALID_STATE : coloop_usable(curl->loop);
}

/* Out of the multi handle and out of the list. The operation is still to be ended. */
static inline void coloop_curl_take_out(coloop_curl_transfer_t *transfer) {
    coloop_curl_t *curl = transfer->curl;
    if (transfer->added && curl->process == getpid())
        curl_multi_remove_handle(curl->multi, transfer->easy);
    coloop_curl_unlink(transfer);
}

static inline void coloop_curl_fail(coloop_curl_transfer_t *transfer, int code, const char *message) {
    coloop_curl_take_out(transfer);
    coloop_operation_fail(&transfer->operation, code, message, NULL, NULL);
}

static inline void coloop_curl_destroy(coloop_curl_t *curl) {
    while (curl->transfers != NULL)
        coloop_curl_fail(curl->transfers, COLOOP_CURL_CODE(CURLE_ABORTED_BY_CALLBACK),
                         "the transfer was ended by coloop_curl_free");
    if (curl->process == getpid())
        curl_multi_cleanup(curl->multi);
    while (curl->sockets != NULL) { /* those that libcurl has kept to itself */
        coloop_curl_socket_t *sock = curl->sockets;
        curl->sockets = sock->next;
        coloop_watch_end(&sock->watch);
        free(sock);
    }
    if (curl->timer != 0)
        loop_handle_cancel(curl->loop, curl->timer);
    loop_unref(curl->loop);
    free(curl);
}

/* Ends the transfers that libcurl reports as done. */
static inline void coloop_curl_read_messages(coloop_curl_t *curl) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(curl->multi, &left)) != NULL) {
        CURLcode code = message->data.result; /* the message goes with the easy handle */
        coloop_curl_transfer_t *transfer = curl->transfers;
        if (message->msg != CURLMSG_DONE)
            continue;
        while (transfer != NULL && (transfer->easy != message->easy_handle || !transfer->added))
            transfer = transfer->next;
        if (transfer == NULL)
            continue;
        coloop_curl_take_out(transfer);
        if (transfer->state == COLOOP_CURL_GIVEN_UP)
            coloop_operation_end(&transfer->operation);
        else if (code == CURLE_OK)
            coloop_operation_succeed(&transfer->operation, transfer->easy, NULL);
        else
            coloop_operation_fail(&transfer->operation, COLOOP_CURL_CODE(code), curl_easy_strerror(code), NULL, NULL);
    }
}

/* Adds what is new, and removes what was given up. */
static inline void coloop_curl_apply_changes(coloop_curl_t *curl) {
    coloop_curl_transfer_t *transfer = curl->transfers;
    curl->changed = 0;
    while (transfer != NULL && !curl->freed) {
        coloop_curl_transfer_t *next = transfer->next;
        if (transfer->state == COLOOP_CURL_NEW) {
            CURLMcode code = curl_multi_add_handle(curl->multi, transfer->easy);
            transfer->state = COLOOP_CURL_RUNNING;
            /* Some failures leave it added; of these it is another's, or none. */
            transfer->added = code != CURLM_ADDED_ALREADY && code != CURLM_BAD_EASY_HANDLE;
            if (code != CURLM_OK)
                coloop_curl_fail(transfer, COLOOP_CURLM_CODE(code), curl_multi_strerror(code));
        } else if (transfer->state == COLOOP_CURL_GIVEN_UP) {
            coloop_curl_take_out(transfer);
            coloop_operation_end(&transfer->operation);
        }
        transfer = next;
    }
}

/* What has to be done after every call of libcurl, and may free `curl`. Ending an
 * operation may run user code, which asks for more changes. */
static inline void coloop_curl_settle(coloop_curl_t *curl, CURLMcode code) {
    curl->inside = 1;
    if (code != CURLM_OK) { /* the multi handle is beyond use */
        while (curl->transfers != NULL && !curl->freed)
            coloop_curl_fail(curl->transfers, COLOOP_CURLM_CODE(code), curl_multi_strerror(code));
    }
    do {
        coloop_curl_read_messages(curl);
        coloop_curl_apply_changes(curl);
    } while (curl->changed && !curl->freed);
    curl->inside = 0;
    if (curl->freed)
        coloop_curl_destroy(curl);
}

static inline void coloop_curl_act(coloop_curl_t *curl, curl_socket_t fd, int events) {
    int running;
    CURLMcode code;
    if (coloop_curl_usable(curl) != 0)
        return;
    curl->inside = 1;
    code = curl_multi_socket_action(curl->multi, fd, events, &running);
    coloop_curl_settle(curl, code);
}

static inline void coloop_curl_on_ready(void *data, int events) {
    coloop_curl_socket_t *sock = (coloop_curl_socket_t *)data;
    coloop_curl_act(sock->curl, sock->watch.fd,
                    (events & COLOOP_WATCH_READ ? CURL_CSELECT_IN : 0) |
                        (events & COLOOP_WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

static inline void coloop_curl_on_timer(void *data) {
    coloop_curl_t *curl = (coloop_curl_t *)data;
    curl->timer = 0;
    coloop_curl_act(curl, CURL_SOCKET_TIMEOUT, 0);
}

/* CURLMOPT_TIMERFUNCTION. -1 makes libcurl give up every transfer, now and later. */
static inline int coloop_curl_set_timer(CURLM *multi, long milliseconds, void *data) {
    coloop_curl_t *curl = (coloop_curl_t *)data;
    (void)multi;
    if (curl->timer != 0)
        loop_handle_cancel(curl->loop, curl->timer);
    curl->timer = 0;
    if (milliseconds < 0 || curl->freed)
        return 0;
    return loop_call_later(curl->loop, (int64_t)milliseconds * 1000000, coloop_curl_on_timer, curl, NULL,
                           &curl->timer) == -ENOMEM
               ? -1
               : 0;
}

static inline coloop_curl_socket_t *coloop_curl_socket_new(coloop_curl_t *curl, curl_socket_t fd) {
    coloop_curl_socket_t *sock = (coloop_curl_socket_t *)calloc(1, sizeof *sock);
    if (sock == NULL)
        return NULL;
    coloop_watch_init(&sock->watch, curl->loop, coloop_curl_on_ready, sock);
    sock->curl = curl;
    sock->next = curl->sockets;
    if (sock->next != NULL)
        sock->next->previous = sock;
    curl->sockets = sock;
    curl_multi_assign(curl->multi, fd, sock);
    return sock;
}

static inline void coloop_curl_socket_free(coloop_curl_socket_t *sock) {
    coloop_watch_end(&sock->watch);
    if (sock->previous != NULL)
        sock->previous->next = sock->next;
    else
        sock->curl->sockets = sock->next;
    if (sock->next != NULL)
        sock->next->previous = sock->previous;
    free(sock);
}

/* CURLMOPT_SOCKETFUNCTION: libcurl says what to watch. */
static inline int coloop_curl_set_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *assigned) {
    coloop_curl_t *curl = (coloop_curl_t *)data;
    coloop_curl_socket_t *sock = (coloop_curl_socket_t *)assigned;
    int failed;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (sock != NULL)
            coloop_curl_socket_free(sock);
        return 0;
    }
    if (sock == NULL)
        sock = coloop_curl_socket_new(curl, fd);
    if (sock == NULL)
        return -1;
    failed = coloop_watch_set(&sock->watch, (int)fd, (what & CURL_POLL_IN ? COLOOP_WATCH_READ : 0) |
                                                         (what & CURL_POLL_OUT ? COLOOP_WATCH_WRITE : 0));
    return failed == 0 || failed == LOOP_ECLOSED ? 0 : -1;
}

static inline void coloop_curl_on_cancelled(coloop_operation_t *operation) {
    coloop_curl_transfer_t *transfer = (coloop_curl_transfer_t *)operation;
    coloop_curl_t *curl = transfer->curl;
    transfer->state = COLOOP_CURL_GIVEN_UP;
    curl->changed = 1;
    if (!curl->inside && curl->process == getpid())
        coloop_curl_settle(curl, CURLM_OK);
}

static inline int coloop_curl_new(loop_t *loop, coloop_curl_t **ret_curl) {
    coloop_curl_t *curl;
    int failed = coloop_usable(loop);
    if (failed != 0)
        return failed;
    if (ret_curl == NULL)
        return LOOP_EINVAL;
    curl = (coloop_curl_t *)calloc(1, sizeof *curl);
    if (curl == NULL)
        return -ENOMEM;
    curl->multi = curl_multi_init();
    if (curl->multi == NULL) {
        free(curl);
        return -ENOMEM;
    }
    curl->loop = loop_ref(loop);
    curl->process = getpid();
    curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, coloop_curl_set_socket);
    curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
    curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, coloop_curl_set_timer);
    curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
    *ret_curl = curl;
    return 0;
}

static inline int coloop_curl_free(coloop_curl_t *curl) {
    if (curl == NULL)
        return 0;
    if (coloop_usable(curl->loop) == LOOP_EWRONG_THREAD)
        return LOOP_EWRONG_THREAD;
    if (!curl->freed && !curl->inside) {
        curl->freed = 1;
        coloop_curl_destroy(curl);
    } else {
        curl->freed = 1;
    }
    return 0;
}

static inline CURLM *coloop_curl_multi(coloop_curl_t *curl) { return curl == NULL ? NULL : curl->multi; }

static inline int coloop_curl_perform(coloop_curl_t *curl, CURL *easy, loop_future_t **ret_future) {
    coloop_curl_transfer_t *transfer;
    int failed;
    if (curl == NULL || easy == NULL || ret_future == NULL)
        return LOOP_EINVAL;
    failed = coloop_curl_usable(curl);
    if (failed != 0)
        return failed;
    transfer = (coloop_curl_transfer_t *)calloc(1, sizeof *transfer);
    if (transfer == NULL)
        return -ENOMEM;
    failed = coloop_operation_begin(&transfer->operation, curl->loop, coloop_curl_on_cancelled, free);
    if (failed != 0)
        return failed;
    transfer->curl = curl;
    transfer->easy = easy;
    transfer->next = curl->transfers;
    if (transfer->next != NULL)
        transfer->next->previous = transfer;
    curl->transfers = transfer;
    curl->changed = 1;
    *ret_future = loop_future_ref(transfer->operation.future);
    if (!curl->inside)
        coloop_curl_settle(curl, CURLM_OK);
    return 0;
}

#ifdef __cplusplus
}
#endif
#endif
