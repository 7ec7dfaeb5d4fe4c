/* Futures made of futures: gather, wait, wait_for, shield. */
#include "future_tools.h"
#include <errno.h>

enum { THREE = 3 };

static void three(loop_t *loop, loop_future_t *futures[THREE]) {
    for (int i = 0; i < THREE; i++)
        futures[i] = new_future(loop);
}

static void unref_three(loop_future_t *futures[THREE]) {
    for (int i = 0; i < THREE; i++)
        loop_future_unref(futures[i]);
}

TEST(gather_of_nothing_is_done_and_of_three_waits_for_all) {
    loop_t *loop = loop_new();
    loop_future_t *futures[THREE], *all;
    void *result;
    CHECK_INT(loop_gather(loop, NULL, 0, 0, &all), 0);
    CHECK_INT(loop_future_result(all, &result), 0);
    CHECK_INT(((loop_gathered_t *)result)->count, 0);
    loop_future_unref(all);

    three(loop, futures);
    int destroyed = 0;
    CHECK_INT(loop_gather(loop, futures, THREE, 0, &all), 0);
    CHECK_INT(loop_future_set_result(futures[2], &destroyed, count), 0);
    CHECK_INT(loop_future_set_result(futures[0], number(1), NULL), 0);
    turns(loop, 3);
    CHECK_INT(loop_future_done(all), 0);
    CHECK_INT(loop_future_set_result(futures[1], number(2), NULL), 0);
    unref_three(futures);
    turns(loop, 2);
    CHECK_INT(destroyed, 0); /* the whole keeps the parts */
    CHECK_INT(loop_future_result(all, &result), 0);
    loop_gathered_t *gathered = result;
    CHECK_INT(gathered->count, 3);
    CHECK_INT((intptr_t)gathered->results[0], 1);
    CHECK_INT((intptr_t)gathered->results[1], 2);
    CHECK(gathered->results[2] == &destroyed);
    CHECK_INT(gathered->codes[0] + gathered->codes[1] + gathered->codes[2], 0);
    CHECK_INT(loop_future_done(gathered->futures[2]), 1);
    loop_future_unref(all);
    CHECK_INT(destroyed, 1);
    close_loop(loop);
}

TEST(the_first_failure_ends_a_gather_and_leaves_the_others_alone) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports);
    loop_future_t *futures[THREE], *all, *kind;
    three(loop, futures);
    CHECK_INT(loop_gather(loop, futures, THREE, 0, &all), 0);
    CHECK_INT(loop_gather(loop, futures, THREE, LOOP_RETURN_EXCEPTIONS, &kind), 0);
    CHECK_INT(loop_future_set_exception(futures[1], -5, "it broke"), 0);
    turns(loop, 1);
    CHECK_INT(loop_future_result(all, NULL), -5);
    CHECK_STR(loop_last_error(), "it broke");
    CHECK_INT(loop_future_done(futures[0]), 0);
    CHECK_INT(loop_future_set_exception(futures[0], -6, NULL), 0);
    CHECK_INT(loop_future_cancel(futures[2], NULL), 1);
    turns(loop, 1);
    void *result;
    CHECK_INT(loop_future_result(kind, &result), 0);
    loop_gathered_t *gathered = result;
    CHECK_INT(gathered->codes[0], -6);
    CHECK_INT(gathered->codes[1], -5);
    CHECK_INT(gathered->codes[2], LOOP_ECANCELLED);
    loop_future_unref(all);
    loop_future_unref(kind);
    unref_three(futures);
    CHECK_INT(reports.count, 0); /* every failure was asked for */
    close_loop(loop);
}

TEST(cancelling_a_gather_cancels_the_parts_and_then_the_whole) {
    loop_t *loop = loop_new();
    for (uint32_t flags = 0; flags < 2; flags++) {
        loop_future_t *futures[THREE], *all;
        three(loop, futures);
        CHECK_INT(loop_future_set_result(futures[0], NULL, NULL), 0);
        CHECK_INT(loop_gather(loop, futures, THREE, flags, &all), 0);
        CHECK_INT(loop_future_cancel(all, "enough"), 1);
        CHECK_INT(loop_future_cancelled(futures[0]), 0);
        CHECK_INT(loop_future_cancelled(futures[1]), 1);
        CHECK_INT(loop_future_cancelled(futures[2]), 1);
        CHECK_INT(loop_future_done(all), 0);
        turns(loop, 1);
        CHECK_INT(loop_future_result(all, NULL), LOOP_ECANCELLED);
        CHECK_STR(loop_last_error(), "enough");
        CHECK_INT(loop_future_cancel(all, NULL), 0);
        loop_future_unref(all);
        unref_three(futures);
    }
    close_loop(loop);
}

static loop_waited_t *waited_of(loop_future_t *future) {
    void *result;
    CHECK_INT(loop_future_result(future, &result), 0);
    return result;
}

TEST(wait_ends_as_it_was_told_and_cancels_nothing) {
    loop_t *loop = loop_new();
    for (int when = LOOP_ALL_COMPLETED; when <= LOOP_FIRST_EXCEPTION; when++) {
        struct reports reports;
        loop_future_t *futures[THREE], *wait;
        three(loop, futures);
        CHECK_INT(loop_set_exception_handler(loop, hear_report, memset(&reports, 0, sizeof reports), NULL), 0);
        CHECK_INT(loop_wait(loop, futures, THREE, -1, when, &wait), 0);
        CHECK_INT(loop_future_set_result(futures[1], NULL, NULL), 0);
        turns(loop, 1);
        CHECK_INT(loop_future_done(wait), when == LOOP_FIRST_COMPLETED);
        CHECK_INT(loop_future_set_exception(futures[2], -5, NULL), 0);
        turns(loop, 1);
        CHECK_INT(loop_future_done(wait), when != LOOP_ALL_COMPLETED);
        CHECK_INT(loop_future_cancel(futures[0], NULL), 1);
        turns(loop, 1);
        loop_waited_t *waited = waited_of(wait);
        int done[] = {3, 1, 2};
        CHECK_INT(waited->done_count, done[when]);
        CHECK_INT(waited->pending_count, THREE - done[when]);
        CHECK(waited->done[when == LOOP_ALL_COMPLETED ? 1 : 0] == futures[1]);
        loop_future_unref(wait);
        CHECK_INT(reports.count, 0);
        unref_three(futures);
        CHECK_INT(reports.count, 1); /* nobody asked for the failure */
    }
    close_loop(loop);
}

TEST(wait_has_a_limit_and_looks_at_done_futures_a_turn_later) {
    loop_t *loop = loop_new();
    loop_future_t *futures[THREE], *wait;
    three(loop, futures);
    CHECK_INT(loop_wait(loop, futures, THREE, MS, LOOP_ALL_COMPLETED, &wait), 0);
    CHECK_INT(loop_run_until_complete(loop, wait, NULL), 0);
    CHECK_INT(waited_of(wait)->pending_count, 3);
    CHECK_INT(loop_future_done(futures[0]), 0);
    loop_future_unref(wait);
    CHECK_INT(loop_future_set_result(futures[0], NULL, NULL), 0);
    CHECK_INT(loop_wait(loop, futures, 1, -1, LOOP_ALL_COMPLETED, &wait), 0);
    CHECK_INT(loop_future_done(wait), 0);
    turns(loop, 1);
    CHECK_INT(waited_of(wait)->done_count, 1);
    loop_future_unref(wait);
    /* Cancelled: nobody else is. */
    CHECK_INT(loop_wait(loop, futures, THREE, 3600000 * MS, LOOP_ALL_COMPLETED, &wait), 0);
    CHECK_INT(loop_future_cancel(wait, NULL), 1);
    CHECK_INT(loop_future_done(futures[1]), 0);
    loop_future_unref(wait);
    CHECK_INT(loop_wait(loop, NULL, 0, -1, LOOP_ALL_COMPLETED, &wait), LOOP_EINVAL);
    CHECK_STR(loop_last_error(), "Set of Tasks/Futures is empty.");
    CHECK_INT(loop_wait(loop, futures, THREE, -1, 3, &wait), LOOP_EINVAL);
    unref_three(futures);
    turns(loop, 1);
    close_loop(loop);
}

TEST(wait_for_ends_like_its_future_or_by_its_limit) {
    loop_t *loop = loop_new();
    loop_future_t *inner = new_future(loop), *outer, *unlimited;
    CHECK_INT(loop_wait_for(inner, 3600000 * MS, &outer), 0);
    CHECK_INT(loop_wait_for(inner, -1, &unlimited), 0);
    CHECK_INT(loop_future_set_result(inner, number(4), NULL), 0);
    turns(loop, 1);
    CHECK_INT(number_of(outer), 4);
    CHECK_INT(number_of(unlimited), 4);
    loop_future_unref(outer);
    loop_future_unref(unlimited);
    CHECK_INT(loop_wait_for(inner, 0, &outer), 0);
    CHECK_INT(number_of(outer), 4);
    loop_future_unref(outer);
    loop_future_unref(inner);

    for (int64_t limit = 0; limit <= MS; limit += MS) {
        inner = new_future(loop);
        CHECK_INT(loop_wait_for(inner, limit, &outer), 0);
        CHECK_INT(loop_run_until_complete(loop, outer, NULL), -ETIMEDOUT);
        CHECK_INT(loop_future_cancelled(inner), 1);
        loop_future_unref(outer);
        loop_future_unref(inner);
    }
    /* A task that will not have it: its result is taken. */
    struct waiter stubborn = {.number = 9, .swallows = 1, .count = 1, .waits = {new_future(loop)}};
    loop_task_t *task = start_waiter(loop, &stubborn);
    CHECK_INT(loop_wait_for(loop_task_future(task), MS, &outer), 0);
    void *result;
    CHECK_INT(loop_run_until_complete(loop, outer, &result), 0);
    CHECK_INT((intptr_t)result, 9);
    loop_future_unref(outer);
    loop_task_unref(task);
    /* Cancelled from outside. */
    inner = new_future(loop);
    CHECK_INT(loop_wait_for(inner, 3600000 * MS, &outer), 0);
    CHECK_INT(loop_future_cancel(outer, "enough"), 1);
    CHECK_INT(loop_future_cancelled(inner), 1);
    turns(loop, 1);
    CHECK_INT(loop_future_result(outer, NULL), LOOP_ECANCELLED);
    CHECK_STR(loop_last_error(), "enough");
    loop_future_unref(outer);
    loop_future_unref(inner);
    /* The host ends it: the future inside is left alone. */
    inner = new_future(loop);
    CHECK_INT(loop_wait_for(inner, MS, &outer), 0);
    CHECK_INT(loop_future_set_result(outer, NULL, NULL), 0);
    loop_future_t *nap;
    CHECK_INT(loop_sleep(loop, 5 * MS, NULL, NULL, &nap), 0);
    CHECK_INT(loop_run_until_complete(loop, nap, NULL), 0);
    CHECK_INT(loop_future_done(inner), 0);
    loop_future_unref(nap);
    loop_future_unref(outer);
    loop_future_unref(inner);
    close_loop(loop);
}

TEST(shield_keeps_cancellation_away) {
    struct reports reports;
    loop_t *loop = loop_with_reports(&reports);
    loop_future_t *inner = new_future(loop), *outer, *other;
    CHECK_INT(loop_shield(inner, &outer), 0);
    CHECK_INT(loop_shield(inner, &other), 0);
    CHECK_INT(loop_future_cancel(outer, NULL), 1);
    CHECK_INT(loop_future_done(inner), 0);
    CHECK_INT(loop_future_set_result(inner, number(6), NULL), 0);
    turns(loop, 1);
    CHECK_INT(number_of(other), 6);
    CHECK_INT(loop_future_cancelled(outer), 1);
    loop_future_unref(outer);
    loop_future_unref(other);
    CHECK_INT(loop_shield(inner, &outer), 0);
    CHECK(outer == inner);
    loop_future_unref(outer);
    loop_future_unref(inner);
    /* A failure behind a cancelled shield is still somebody's to ask for. */
    inner = new_future(loop);
    CHECK_INT(loop_shield(inner, &outer), 0);
    CHECK_INT(loop_future_cancel(outer, NULL), 1);
    CHECK_INT(loop_future_set_exception(inner, -5, NULL), 0);
    turns(loop, 1);
    loop_future_unref(outer);
    CHECK_INT(reports.count, 0);
    loop_future_unref(inner);
    CHECK_INT(reports.count, 1);
    close_loop(loop);
}

TEST(many_shields_leave_nothing_with_the_future_inside) {
    loop_t *loop = loop_new();
    loop_future_t *inner = new_future(loop), *outer;
    long before = 0;
    for (int i = 0; i < 40000; i++) {
        CHECK_INT(loop_shield(inner, &outer), 0);
        CHECK_INT(loop_future_cancel(outer, NULL), 1);
        loop_future_unref(outer);
        if (i == 4000)
            before = resident_kib();
    }
    CHECK(in_valgrind() || resident_kib() < before + 2000);
    loop_future_unref(inner);
    close_loop(loop);
}

TEST(combined_futures_of_a_closed_loop_are_freed) {
    for (int close_first = 0; close_first < 2; close_first++) {
        loop_t *loop = loop_new();
        loop_future_t *futures[THREE], *outer;
        int destroyed = 0;
        three(loop, futures);
        CHECK_INT(loop_gather(loop, futures, THREE, 0, &outer), 0);
        CHECK_INT(loop_future_add_done_callback(outer, mark_done, &destroyed, count), 0);
        loop_future_unref(outer);
        CHECK_INT(loop_wait(loop, futures, THREE, 3600000 * MS, LOOP_ALL_COMPLETED, &outer), 0);
        CHECK_INT(loop_future_add_done_callback(outer, mark_done, &destroyed, count), 0);
        loop_future_unref(outer);
        CHECK_INT(loop_wait_for(futures[0], 3600000 * MS, &outer), 0);
        CHECK_INT(loop_future_add_done_callback(outer, mark_done, &destroyed, count), 0);
        loop_future_unref(outer);
        CHECK_INT(loop_shield(futures[0], &outer), 0);
        CHECK_INT(loop_future_add_done_callback(outer, mark_done, &destroyed, count), 0);
        loop_future_unref(outer);
        if (close_first)
            CHECK_INT(loop_close(loop), 0);
        CHECK_INT(destroyed, close_first ? 4 : 0);
        unref_three(futures);
        CHECK_INT(loop_close(loop), 0);
        CHECK_INT(destroyed, 4);
        loop_unref(loop);
    }
}

TEST(combining_answers_NULL_and_closed_loops) {
    loop_t *loop = loop_new();
    loop_future_t *future = new_future(loop), *list[] = {future, NULL}, *out = NULL;
    CHECK_INT(loop_gather(NULL, list, 1, 0, &out), LOOP_EINVAL);
    CHECK_INT(loop_gather(loop, NULL, 1, 0, &out), LOOP_EINVAL);
    CHECK_INT(loop_gather(loop, list, 2, 0, &out), LOOP_EINVAL);
    CHECK_INT(loop_gather(loop, list, 1, 8, &out), LOOP_EINVAL);
    CHECK_INT(loop_gather(loop, list, 1, 0, NULL), LOOP_EINVAL);
    CHECK_INT(loop_wait(NULL, list, 1, -1, 0, &out), LOOP_EINVAL);
    CHECK_INT(loop_wait(loop, list, 2, -1, 0, &out), LOOP_EINVAL);
    CHECK_INT(loop_wait(loop, list, 1, -1, 0, NULL), LOOP_EINVAL);
    CHECK_INT(loop_wait_for(NULL, 0, &out), LOOP_EINVAL);
    CHECK_INT(loop_wait_for(future, 0, NULL), LOOP_EINVAL);
    CHECK_INT(loop_shield(NULL, &out), LOOP_EINVAL);
    CHECK_INT(loop_shield(future, NULL), LOOP_EINVAL);
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_gather(loop, list, 1, 0, &out), LOOP_ECLOSED);
    CHECK_INT(loop_wait(loop, list, 1, -1, 0, &out), LOOP_ECLOSED);
    CHECK_INT(loop_wait_for(future, 0, &out), LOOP_ECLOSED);
    CHECK_INT(loop_shield(future, &out), LOOP_ECLOSED);
    CHECK(out == NULL);
    loop_future_unref(future);
    loop_unref(loop);
}
