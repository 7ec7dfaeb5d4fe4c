/* Queries, a failure, a notification and a cancelled query: libpq CONNECTION-STRING
 *
 * Output:
 * connected
 * 6 * 7 = 42
 * failed (22012): ERROR:  division by zero
 * news: hello
 * sleeping: cancelled
 * still here
 */
#include <coloop/adapters/libpq.h>
#include <stdio.h>

static void on_notify(coloop_pq_t *pq, const PGnotify *notify, void *data) {
    (void)pq;
    (void)data;
    if (notify != NULL)
        printf("%s: %s\n", notify->relname, notify->extra);
    else
        puts("the connection was lost");
}

/* Waits for a query and prints its first value, or what became of it. */
static void print_answer(loop_t *loop, const char *what, loop_future_t *future) {
    PGresult *result = NULL;
    int code = loop_run_until_complete(loop, future, (void **)&result);
    if (code == 0 && PQntuples(result) > 0)
        printf("%s%s\n", what, PQgetvalue(result, 0, 0));
    else if (code == LOOP_ECANCELLED)
        printf("%scancelled\n", what);
    else if (code == COLOOP_PQ_ECOMMAND)
        printf("%sfailed (%s): %s\n", what,
               PQresultErrorField(loop_future_exception_data(future), PG_DIAG_SQLSTATE), loop_last_error());
    else if (code < 0)
        printf("%sfailed: %s\n", what, loop_last_error());
    loop_future_unref(future);
}

int main(int argc, char **argv) {
    const char *values[] = {"6", "7"};
    loop_future_t *connected = NULL, *answer = NULL;
    coloop_pq_t *pq = NULL;
    loop_t *loop = loop_new();

    if (loop == NULL || coloop_pq_connect(loop, argc > 1 ? argv[1] : "", &pq, &connected) < 0 ||
        loop_run_until_complete(loop, connected, NULL) < 0) {
        fprintf(stderr, "cannot connect: %s\n", loop_last_error());
        return 1;
    }
    loop_future_unref(connected);
    puts("connected");

    /* The calls below can fail for want of memory only. */
    if (coloop_pq_query_params(pq, "SELECT $1::int * $2::int", 2, NULL, values, NULL, NULL, 0, &answer) == 0)
        print_answer(loop, "6 * 7 = ", answer);
    if (coloop_pq_query(pq, "SELECT 1 / 0", &answer) == 0)
        print_answer(loop, "", answer);

    coloop_pq_set_notify(pq, on_notify, NULL, NULL);
    if (coloop_pq_query(pq, "LISTEN news; NOTIFY news, 'hello'", &answer) == 0)
        print_answer(loop, "", answer);

    if (coloop_pq_query(pq, "SELECT pg_sleep(3600)", &answer) == 0) {
        loop_future_cancel(answer, NULL); /* the server stops, too */
        print_answer(loop, "sleeping: ", answer);
    }
    if (coloop_pq_query(pq, "SELECT 'still here'", &answer) == 0)
        print_answer(loop, "", answer);

    coloop_pq_free(pq);
    loop_close(loop);
    loop_unref(loop);
    return 0;
}
