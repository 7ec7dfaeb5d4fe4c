/* The connection of libpq.h: its states, its queue, what is received. For
 * programs: libpq.h. */
#ifndef COLOOP_ADAPTERS_LIBPQ_CONNECTION_H
#define COLOOP_ADAPTERS_LIBPQ_CONNECTION_H

#include "libpq_command.h"
#include "operation.h"
#include "watch.h"
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A command failed at the server; the connection goes on. The text is the
 * server's, and loop_future_exception_data has the PGresult, for
 * PQresultErrorField(result, PG_DIAG_SQLSTATE) and its kin.
 */
#define COLOOP_PQ_ECOMMAND -4001
/**
 * There is no connection (any more). The text is libpq's.
 */
#define COLOOP_PQ_ECONNECTION -4002

/**
 * A connection on a loop. Belongs to the loop's thread. Opaque.
 */
typedef struct coloop_pq_t coloop_pq_t;

/**
 * Is told of a NOTIFY, on the loop's thread; `notify` lives for the call. NULL:
 * the connection is lost, and this is the last call.
 */
typedef void (*coloop_pq_notify_t)(coloop_pq_t *pq, const PGnotify *notify, void *user_data);

typedef enum coloop_pq_state_t { COLOOP_PQ_CONNECTING, COLOOP_PQ_READY, COLOOP_PQ_LOST } coloop_pq_state_t;

typedef struct coloop_pq_listener_t {
    coloop_pq_notify_t callback;
    void *user_data;
    loop_destroy_t destroy;
} coloop_pq_listener_t;

struct coloop_pq_t {
    loop_t *loop;
    PGconn *connection;
    coloop_watch_t watch;
    coloop_pq_state_t state;
    coloop_pq_command_t *first, *last;
    int running;           /* `first` was sent */
    int abandoned;         /* ... and its future is cancelled */
    int copying;           /* ... and it was a COPY */
    PGresult *result;      /* ... and its last result until now */
    loop_future_t *cancel; /* PQcancel under way */
    coloop_pq_listener_t listener, replaced;
    int listening; /* the listener is being called; 2: it was replaced since */
    int inside;    /* what calls may change is changed later */
    int freed;
    int holders; /* the program, and the callback of `cancel` */
    pid_t process;
};

/* Why `pq` cannot work now, or 0. Its connection is not a forked child's. */
static inline int coloop_pq_usable(const coloop_pq_t *pq) {
    if (pq->process != getpid())
        return LOOP_EFORKED;
    return pq->freed ? LOOP_EINVALID_STATE : coloop_usable(pq->loop);
}

static inline void coloop_pq_drop(void *data) {
    coloop_pq_t *pq = (coloop_pq_t *)data;
    if (--pq->holders == 0) {
        loop_unref(pq->loop);
        free(pq);
    }
}

static inline void coloop_pq_replace_listener(coloop_pq_t *pq, coloop_pq_listener_t listener) {
    coloop_pq_listener_t old = pq->listener;
    pq->listener = listener;
    if (pq->listening == 1) { /* it runs, and needs its data until it returns */
        pq->replaced = old;
        pq->listening = 2;
    } else if (old.destroy != NULL) {
        old.destroy(old.user_data);
    }
}

static inline void coloop_pq_call_listener(coloop_pq_t *pq, const PGnotify *notify) {
    coloop_pq_listener_t listener = pq->listener;
    int replaced;
    if (listener.callback == NULL)
        return;
    pq->listening = 1;
    listener.callback(pq, notify, listener.user_data);
    replaced = pq->listening == 2;
    pq->listening = 0;
    if (replaced && pq->replaced.destroy != NULL)
        pq->replaced.destroy(pq->replaced.user_data);
}

static inline coloop_pq_command_t *coloop_pq_pop(coloop_pq_t *pq) {
    coloop_pq_command_t *command = pq->first;
    pq->first = command->next;
    if (pq->first == NULL)
        pq->last = NULL;
    return command;
}

static inline void coloop_pq_fail_all(coloop_pq_t *pq, const char *text) {
    while (pq->first != NULL) {
        coloop_pq_command_t *command = coloop_pq_pop(pq);
        int abandoned = pq->running && pq->abandoned;
        pq->running = 0;
        if (abandoned)
            coloop_operation_end(&command->operation);
        else
            coloop_pq_command_fail(command, COLOOP_PQ_ECONNECTION, text, NULL);
    }
}

/* There is no connection any more. */
static inline void coloop_pq_lose(coloop_pq_t *pq) {
    static const coloop_pq_listener_t none = {NULL, NULL, NULL};
    pq->state = COLOOP_PQ_LOST;
    coloop_watch_end(&pq->watch);
    PQclear(pq->result);
    pq->result = NULL;
    coloop_pq_fail_all(pq, pq->connection == NULL ? NULL : PQerrorMessage(pq->connection));
    coloop_pq_call_listener(pq, NULL);
    coloop_pq_replace_listener(pq, none);
}

/* Without memory for the watch nothing would ever come back to this connection. */
static inline void coloop_pq_watch(coloop_pq_t *pq, int events) {
    int failed = coloop_watch_set(&pq->watch, PQsocket(pq->connection), events);
    if (failed != 0 && failed != LOOP_ECLOSED)
        coloop_pq_lose(pq);
}

static inline void coloop_pq_on_cancel_sent(loop_future_t *future, void *data);

static inline void coloop_pq_destroy(coloop_pq_t *pq) {
    coloop_watch_end(&pq->watch);
    if (pq->process != getpid()) {
        /* PQfinish would say farewell to the server in the parent's name. */
        int nowhere = PQsocket(pq->connection) < 0 ? -1 : open("/dev/null", O_RDWR);
        if (nowhere >= 0) {
            dup2(nowhere, PQsocket(pq->connection));
            close(nowhere);
        }
    }
    coloop_pq_fail_all(pq, "the connection was closed by coloop_pq_free");
    PQfinish(pq->connection);
    PQclear(pq->result);
    if (pq->listener.destroy != NULL)
        pq->listener.destroy(pq->listener.user_data);
    if (pq->cancel != NULL) {
        loop_future_remove_done_callback(pq->cancel, coloop_pq_on_cancel_sent, pq);
        loop_future_unref(pq->cancel);
    }
    coloop_pq_drop(pq);
}

/* The first command is over: its future gets the last of its results. */
static inline void coloop_pq_finish_first(coloop_pq_t *pq) {
    coloop_pq_command_t *command = coloop_pq_pop(pq);
    PGresult *result = pq->result;
    ExecStatusType status = PQresultStatus(result);
    int abandoned = pq->abandoned, copying = pq->copying;
    pq->running = pq->abandoned = pq->copying = 0;
    pq->result = NULL;
    if (abandoned) {
        PQclear(result);
        coloop_operation_end(&command->operation);
    } else if (copying) {
        coloop_pq_command_fail(command, LOOP_ENOTSUP, "COPY does not go by coloop_pq_query", result);
    } else if (result == NULL) {
        coloop_pq_command_fail(command, COLOOP_PQ_ECONNECTION, PQerrorMessage(pq->connection), NULL);
    } else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
        int code = PQstatus(pq->connection) == CONNECTION_BAD ? COLOOP_PQ_ECONNECTION : COLOOP_PQ_ECOMMAND;
        coloop_pq_command_fail(command, code, PQresultErrorMessage(result), result);
    } else {
        coloop_operation_succeed(&command->operation, result, coloop_pq_clear);
    }
}

/* 0: nothing more can be done until the socket is ready again. */
static inline int coloop_pq_take_result(coloop_pq_t *pq, PGresult *result) {
    char *row;
    int moved;
    switch (PQresultStatus(result)) {
    case PGRES_COPY_OUT:
        while ((moved = PQgetCopyData(pq->connection, &row, 1)) > 0)
            PQfreemem(row);
        moved = moved == -1 ? 1 : moved; /* -1 is the end */
        break;
    case PGRES_COPY_IN:
        moved = PQputCopyEnd(pq->connection, "COPY does not go by coloop_pq_query");
        break;
    case PGRES_COPY_BOTH: /* replication */
        moved = -1;
        break;
    default:
        /* The first failure counts: what follows it tells less. */
        if (pq->result != NULL && PQresultStatus(pq->result) == PGRES_FATAL_ERROR) {
            PQclear(result);
        } else {
            PQclear(pq->result);
            pq->result = result;
        }
        return 1;
    }
    PQclear(result);
    pq->copying = 1;
    if (moved < 0)
        coloop_pq_lose(pq);
    return moved > 0;
}

static inline void coloop_pq_receive(coloop_pq_t *pq) {
    int alive = PQconsumeInput(pq->connection);
    PGnotify *notify;
    while (pq->running && !PQisBusy(pq->connection)) {
        PGresult *result = PQgetResult(pq->connection);
        if (result == NULL)
            coloop_pq_finish_first(pq);
        else if (!coloop_pq_take_result(pq, result))
            break;
    }
    while (!pq->freed && (notify = PQnotifies(pq->connection)) != NULL) {
        coloop_pq_call_listener(pq, notify);
        PQfreemem(notify);
    }
    if ((!alive || PQstatus(pq->connection) == CONNECTION_BAD) && pq->state != COLOOP_PQ_LOST)
        coloop_pq_lose(pq);
}

static inline void coloop_pq_poll_connect(coloop_pq_t *pq) {
    /* libpq may close the socket in there, and get another one of the same number. */
    coloop_watch_end(&pq->watch);
    switch (PQconnectPoll(pq->connection)) {
    case PGRES_POLLING_READING:
        coloop_pq_watch(pq, COLOOP_WATCH_READ);
        break;
    case PGRES_POLLING_OK:
        PQsetnonblocking(pq->connection, 1);
        pq->state = COLOOP_PQ_READY;
        pq->running = 0;
        coloop_operation_succeed(&coloop_pq_pop(pq)->operation, pq, NULL);
        break;
    case PGRES_POLLING_FAILED:
        coloop_pq_lose(pq);
        break;
    default:
        coloop_pq_watch(pq, COLOOP_WATCH_WRITE);
        break;
    }
}

/* Sends what may be sent, and says what to wait for. After everything that has
 * set `inside`; may free `pq`. */
static inline void coloop_pq_settle(coloop_pq_t *pq) {
    pq->inside = 1;
    while (pq->state == COLOOP_PQ_READY && !pq->running && pq->cancel == NULL && pq->first != NULL && !pq->freed) {
        if (coloop_pq_command_send(pq->first, pq->connection))
            pq->running = 1;
        else if (PQstatus(pq->connection) == CONNECTION_BAD)
            coloop_pq_lose(pq);
        else
            coloop_pq_command_fail(coloop_pq_pop(pq), COLOOP_PQ_ECOMMAND, PQerrorMessage(pq->connection), NULL);
    }
    if (pq->state == COLOOP_PQ_READY && !pq->freed) {
        int more = PQflush(pq->connection) == 1; /* its failure is found by reading */
        coloop_pq_watch(pq, COLOOP_WATCH_READ | (more ? COLOOP_WATCH_WRITE : 0));
    }
    if (pq->state == COLOOP_PQ_LOST)
        coloop_pq_fail_all(pq, pq->connection == NULL ? NULL : PQerrorMessage(pq->connection));
    pq->inside = 0;
    if (pq->freed)
        coloop_pq_destroy(pq);
}

static inline void coloop_pq_on_ready(void *data, int events) {
    coloop_pq_t *pq = (coloop_pq_t *)data;
    (void)events;
    if (coloop_pq_usable(pq) != 0)
        return;
    pq->inside = 1;
    if (pq->state == COLOOP_PQ_CONNECTING)
        coloop_pq_poll_connect(pq);
    else
        coloop_pq_receive(pq);
    coloop_pq_settle(pq);
}

static inline int coloop_pq_send_cancel(void *cancel, void **ret_result) {
    char text[256];
    (void)ret_result;
    PQcancel((PGcancel *)cancel, text, (int)sizeof text);
    return 0;
}

static inline void coloop_pq_free_cancel(void *cancel) { PQfreeCancel((PGcancel *)cancel); }

static inline void coloop_pq_on_cancel_sent(loop_future_t *future, void *data) {
    coloop_pq_t *pq = (coloop_pq_t *)data;
    loop_future_exception(future, NULL, NULL); /* seen */
    if (pq->freed)
        return;
    loop_future_unref(pq->cancel);
    pq->cancel = NULL;
    if (coloop_pq_usable(pq) == 0)
        coloop_pq_settle(pq);
}

/* Where the request cannot be sent, the command runs to its own end. */
static inline void coloop_pq_stop_first(coloop_pq_t *pq) {
    PGcancel *cancel = pq->cancel == NULL ? PQgetCancel(pq->connection) : NULL;
    if (cancel == NULL || loop_run_in_executor(pq->loop, NULL, coloop_pq_send_cancel, cancel, coloop_pq_free_cancel,
                                               NULL, &pq->cancel) != 0)
        return;
    pq->holders++;
    if (loop_future_add_done_callback(pq->cancel, coloop_pq_on_cancel_sent, pq, coloop_pq_drop) != 0) {
        loop_future_unref(pq->cancel);
        pq->cancel = NULL;
    }
}

static inline void coloop_pq_unlink(coloop_pq_t *pq, coloop_pq_command_t *command) {
    coloop_pq_command_t *before = pq->first;
    while (before != command && before->next != command)
        before = before->next;
    if (before == command)
        pq->first = command->next;
    else
        before->next = command->next;
    if (pq->last == command)
        pq->last = before == command ? NULL : before;
}

static inline void coloop_pq_on_cancelled(coloop_operation_t *operation) {
    coloop_pq_command_t *command = (coloop_pq_command_t *)operation;
    coloop_pq_t *pq = command->pq;
    int inside = pq->inside;
    if (coloop_pq_usable(pq) != 0)
        return; /* coloop_pq_free will end it */
    pq->inside = 1;
    if (command != pq->first || !pq->running) {
        coloop_pq_unlink(pq, command);
        coloop_operation_end(operation);
    } else if (command->kind != COLOOP_PQ_CONNECT) {
        pq->abandoned = 1;
        coloop_pq_stop_first(pq);
    } else {
        pq->abandoned = 1;
        coloop_watch_end(&pq->watch);
        PQfinish(pq->connection);
        pq->connection = NULL;
        coloop_pq_lose(pq);
    }
    if (!inside)
        coloop_pq_settle(pq);
}

/* Takes a command into the queue. `given` is copied; its pq need not be usable. */
static inline int coloop_pq_enqueue(coloop_pq_t *pq, const coloop_pq_command_t *given, loop_future_t **ret_future) {
    coloop_pq_command_t *command;
    int failed;
    if (given->count < 0 || given->count > 65535)
        return LOOP_EINVAL;
    command = coloop_pq_command_copy(given);
    if (command == NULL)
        return -ENOMEM;
    failed = coloop_operation_begin(&command->operation, pq->loop, coloop_pq_on_cancelled, free);
    if (failed != 0)
        return failed;
    command->pq = pq;
    command->next = NULL;
    if (pq->last != NULL)
        pq->last->next = command;
    else
        pq->first = command;
    pq->last = command;
    if (ret_future != NULL)
        *ret_future = loop_future_ref(command->operation.future);
    return 0;
}

#ifdef __cplusplus
}
#endif
#endif
