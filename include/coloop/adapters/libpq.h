/* PostgreSQL's libpq on a coloop loop: connecting and each command are futures.
 *
 *     coloop_pq_t *pq;
 *     loop_future_t *connected, *answer;
 *     PGresult *rows;
 *     coloop_pq_connect(loop, "dbname=test", &pq, &connected);
 *     coloop_pq_query(pq, "SELECT 1", &answer);
 *     loop_run_until_complete(loop, answer, (void **)&rows);
 *     puts(PQgetvalue(rows, 0, 0));
 *
 * Commands are sent one at a time, in the order of the calls; those that wait
 * for their turn are queued (no pipeline mode). For libpq 9.2 or later. Link to
 * pq and coloop. */
#ifndef COLOOP_ADAPTERS_LIBPQ_H
#define COLOOP_ADAPTERS_LIBPQ_H

#include "libpq_connection.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Begins to connect, by a connection string or URI: the connection in *ret_pq,
 * for coloop_pq_free, and in *ret_future (one reference) a future that ends with
 * the coloop_pq_t * once it is made; may be NULL: a failure goes to the exception
 * handler. Commands may be queued at once; they fail if it is not made. Failures
 * have COLOOP_PQ_ECONNECTION.
 *
 * There is no time limit (libpq's connect_timeout is for blocking calls only):
 * use loop_wait_for. Cancelling the future ends the attempt, and the connection
 * with it. libpq looks up the names of hosts inside this call, and blocks: give
 * it hostaddr= (beside host=, for TLS) where names may be slow.
 *
 * 0, LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
 * [loop thread]
 */
static inline int coloop_pq_connect(loop_t *loop, const char *conninfo, coloop_pq_t **ret_pq,
                                    loop_future_t **ret_future) {
    coloop_pq_command_t connect;
    coloop_pq_t *pq;
    int failed = coloop_usable(loop);
    if (failed != 0)
        return failed;
    if (conninfo == NULL || ret_pq == NULL)
        return LOOP_EINVAL;
    pq = (coloop_pq_t *)calloc(1, sizeof *pq);
    if (pq == NULL)
        return -ENOMEM;
    pq->loop = loop_ref(loop);
    pq->holders = 1;
    pq->process = getpid();
    coloop_watch_init(&pq->watch, loop, coloop_pq_on_ready, pq);
    memset(&connect, 0, sizeof connect);
    connect.kind = COLOOP_PQ_CONNECT;
    pq->connection = PQconnectStart(conninfo);
    failed = pq->connection == NULL ? -ENOMEM : coloop_pq_enqueue(pq, &connect, ret_future);
    if (failed != 0) {
        PQfinish(pq->connection);
        coloop_pq_drop(pq);
        return failed;
    }
    *ret_pq = pq;
    pq->running = 1;
    if (PQstatus(pq->connection) == CONNECTION_BAD)
        coloop_pq_lose(pq);
    else
        coloop_pq_watch(pq, COLOOP_WATCH_WRITE);
    return 0;
}

/**
 * Closes the connection (PQfinish); commands that are not answered fail with
 * COLOOP_PQ_ECONNECTION. May be called in every callback, and before or after
 * the loop is closed (then the futures stay as they are). NULL is allowed. A
 * command that runs at the server goes on there until the server notices:
 * cancel it before. In a forked child nothing is said to the server, and the
 * parent's connection goes on. 0, LOOP_EWRONG_THREAD (nothing is freed).
 * [loop thread]
 */
static inline int coloop_pq_free(coloop_pq_t *pq) {
    if (pq == NULL)
        return 0;
    if (coloop_usable(pq->loop) == LOOP_EWRONG_THREAD)
        return LOOP_EWRONG_THREAD;
    if (!pq->freed && !pq->inside) {
        pq->freed = 1;
        coloop_pq_destroy(pq);
    } else {
        pq->freed = 1;
    }
    return 0;
}

/**
 * The PGconn, for PQserverVersion, PQescapeLiteral, PQsetNoticeProcessor, ...;
 * do not send or receive with it. NULL if the attempt to connect was cancelled.
 */
static inline PGconn *coloop_pq_connection(coloop_pq_t *pq) { return pq == NULL ? NULL : pq->connection; }

static inline int coloop_pq_submit(coloop_pq_t *pq, const coloop_pq_command_t *given, loop_future_t **ret_future) {
    int failed = pq == NULL || ret_future == NULL ? LOOP_EINVAL : coloop_pq_usable(pq);
    if (failed == 0)
        failed = coloop_pq_enqueue(pq, given, ret_future);
    if (failed == 0 && !pq->inside)
        coloop_pq_settle(pq);
    return failed;
}

/**
 * Sends a command as PQexec does: several statements may stand in it, and the
 * result of the last one counts. The future in *ret_future (one reference) ends
 * with a PGresult *, which it clears with its last reference. It fails with
 * COLOOP_PQ_ECOMMAND, COLOOP_PQ_ECONNECTION, or LOOP_ENOTSUP for COPY, which is
 * ended without moving data.
 *
 * Cancelling the future of a command that is queued drops it. One that runs is
 * stopped at the server: PQcancel blocks, so it runs on the loop's default
 * executor, and the next command is sent once both are over.
 *
 * `command` is copied. 0, LOOP_EINVAL, LOOP_EINVALID_STATE (coloop_pq_free was
 * called), LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
 * [loop thread]
 */
static inline int coloop_pq_query(coloop_pq_t *pq, const char *command, loop_future_t **ret_future) {
    coloop_pq_command_t given;
    memset(&given, 0, sizeof given);
    given.kind = COLOOP_PQ_QUERY;
    given.text = command;
    return command == NULL ? LOOP_EINVAL : coloop_pq_submit(pq, &given, ret_future);
}

/**
 * One statement with parameters: the arguments are those of PQexecParams, all
 * of them copied; all else as coloop_pq_query. [loop thread]
 */
static inline int coloop_pq_query_params(coloop_pq_t *pq, const char *command, int count, const Oid *types,
                                         const char *const *values, const int *lengths, const int *formats,
                                         int result_format, loop_future_t **ret_future) {
    coloop_pq_command_t given;
    memset(&given, 0, sizeof given);
    given.kind = COLOOP_PQ_QUERY_PARAMS;
    given.text = command;
    coloop_pq_set_parameters(&given, count, types, values, lengths, formats, result_format);
    return command == NULL ? LOOP_EINVAL : coloop_pq_submit(pq, &given, ret_future);
}

/**
 * Prepares a statement under a name, as PQprepare does. The PGresult has no
 * rows. All else as coloop_pq_query. [loop thread]
 */
static inline int coloop_pq_prepare(coloop_pq_t *pq, const char *name, const char *command, int count,
                                    const Oid *types, loop_future_t **ret_future) {
    coloop_pq_command_t given;
    memset(&given, 0, sizeof given);
    given.kind = COLOOP_PQ_PREPARE;
    given.name = name;
    given.text = command;
    coloop_pq_set_parameters(&given, count, types, NULL, NULL, NULL, 0);
    return name == NULL || command == NULL ? LOOP_EINVAL : coloop_pq_submit(pq, &given, ret_future);
}

/**
 * Runs a prepared statement: the arguments are those of PQexecPrepared, all of
 * them copied; all else as coloop_pq_query. [loop thread]
 */
static inline int coloop_pq_query_prepared(coloop_pq_t *pq, const char *name, int count, const char *const *values,
                                           const int *lengths, const int *formats, int result_format,
                                           loop_future_t **ret_future) {
    coloop_pq_command_t given;
    memset(&given, 0, sizeof given);
    given.kind = COLOOP_PQ_QUERY_PREPARED;
    given.name = name;
    coloop_pq_set_parameters(&given, count, NULL, values, lengths, formats, result_format);
    return name == NULL ? LOOP_EINVAL : coloop_pq_submit(pq, &given, ret_future);
}

/**
 * Calls `callback` for each NOTIFY of the channels that LISTEN named, and at the
 * loss of the connection; NULL: no more. Another one takes its place. `destroy`
 * runs exactly once: when it is replaced, with the connection, or when this call
 * fails. 0, LOOP_EINVAL, LOOP_EINVALID_STATE, LOOP_EFORKED, LOOP_EWRONG_THREAD.
 * [loop thread]
 */
static inline int coloop_pq_set_notify(coloop_pq_t *pq, coloop_pq_notify_t callback, void *user_data,
                                       loop_destroy_t destroy) {
    coloop_pq_listener_t listener;
    int failed = pq == NULL ? LOOP_EINVAL : coloop_pq_usable(pq);
    if (failed == LOOP_ECLOSED)
        failed = 0;
    if (failed != 0) {
        if (destroy != NULL)
            destroy(user_data);
        return failed;
    }
    listener.callback = callback;
    listener.user_data = user_data;
    listener.destroy = destroy;
    coloop_pq_replace_listener(pq, listener);
    return 0;
}

#ifdef __cplusplus
}
#endif
#endif
