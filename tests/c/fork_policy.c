/* The policy's slot in a forked child: fresh, whatever the parent had set. */
#include "child.h"
#include <unistd.h>

static loop_t *parents;

static void makes_its_own(void *user_data) {
    loop_t *found = NULL, *again = NULL;
    (void)user_data;
    CHECK_INT(policy_get_mode(), POLICY_LEGACY);
    CHECK_INT(policy_get_event_loop(&found), 0);
    CHECK(found != parents);
    CHECK_INT(loop_call_soon(found, stop_loop, found, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(found), 0);
    CHECK_INT(policy_get_event_loop(&again), 0);
    CHECK(again == found);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    CHECK_INT(policy_get_event_loop(&found), LOOP_ENO_CURRENT);
    /* The slot's reference to the parent's loop is given up for good. */
    leave_child(0);
}

static void finds_none(void *user_data) {
    loop_t *found = parents;
    (void)user_data;
    CHECK_INT(policy_get_mode(), POLICY_STRICT);
    CHECK_INT(policy_get_event_loop(&found), LOOP_ENO_CURRENT);
    CHECK(found == parents);
    leave_child(0);
}

static void parents_slot_is_untouched(void) {
    loop_t *found = NULL;
    CHECK_INT(policy_get_event_loop(&found), 0);
    CHECK(found == parents);
    CHECK_INT(loop_call_soon(found, stop_loop, found, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(found), 0);
}

TEST(F3_P7_a_child_gets_a_new_loop_from_the_policy_not_the_parents) {
    parents = loop_new();
    CHECK_INT(policy_set_event_loop(parents), 0);
    CHECK_INT(in_child(makes_its_own, NULL), 0);
    parents_slot_is_untouched();
    CHECK_INT(policy_set_event_loop(NULL), 0);
    /* The child is asked anew even though the parent has set "none". */
    CHECK_INT(in_child(makes_its_own, NULL), 0);
    loop_unref(parents);
}

TEST(F3_P7_in_strict_mode_a_child_has_no_current_loop) {
    parents = loop_new();
    CHECK_INT(policy_set_mode(POLICY_STRICT), 0);
    CHECK_INT(policy_set_event_loop(parents), 0);
    CHECK_INT(in_child(finds_none, NULL), 0);
    parents_slot_is_untouched();
    CHECK_INT(policy_set_event_loop(NULL), 0);
    loop_unref(parents);
}

static void fork_in_callback(void *user_data) {
    loop_t *found = NULL;
    CHECK_INT(policy_get_event_loop(&found), 0);
    CHECK(found == parents);
    CHECK_INT(in_child(user_data != NULL ? finds_none : makes_its_own, NULL), 0);
    CHECK_INT(policy_get_event_loop(&found), 0);
    CHECK(found == parents);
    CHECK_INT(loop_stop(parents), 0);
}

TEST(F1_F3_a_child_of_a_callback_asks_the_policy_not_the_running_loop) {
    parents = loop_new();
    CHECK_INT(loop_call_soon(parents, fork_in_callback, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(parents), 0);
    CHECK_INT(policy_set_mode(POLICY_STRICT), 0);
    CHECK_INT(loop_call_soon(parents, fork_in_callback, parents, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(parents), 0);
    loop_unref(parents);
}

static void replaces_the_slot(void *user_data) {
    loop_t *own = loop_new(), *found = NULL;
    (void)user_data;
    CHECK_INT(policy_set_event_loop(own), 0);
    loop_unref(own);
    CHECK_INT(policy_get_event_loop(&found), 0);
    CHECK(found == own);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    leave_child(0);
}

TEST(F3_setting_a_loop_in_a_child_closes_nothing_of_the_parents) {
    struct witness witness;
    witness_open(&witness);
    parents = witness.loop;
    CHECK_INT(policy_set_event_loop(parents), 0);
    CHECK_INT(in_child(replaces_the_slot, NULL), 0);
    witness_check(&witness);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    witness_close(&witness);
}
