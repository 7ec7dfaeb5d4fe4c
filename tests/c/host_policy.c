/* A policy made of a host's functions. */
#include "loop_thread.h"

struct host {
    loop_t *loop, *set_to;
    int gets, sets, news, destroyed;
    int answer;
};

static int host_get(void *data, loop_t **ret_loop) {
    struct host *host = data;
    host->gets++;
    if (host->answer == 0)
        *ret_loop = host->loop;
    return host->answer;
}

static int host_set(void *data, loop_t *loop) {
    struct host *host = data;
    host->sets++;
    host->set_to = loop;
    return host->answer;
}

static int host_new(void *data, loop_t **ret_loop) {
    struct host *host = data;
    host->news++;
    if (host->answer == 0)
        *ret_loop = loop_new();
    return host->answer;
}

static void host_destroyed(void *data) {
    ((struct host *)data)->destroyed++;
}

static const policy_vtable_t vtable = {sizeof(policy_vtable_t), host_get, host_set, host_new};

TEST(a_hosts_policy_answers_for_the_process) {
    struct host host = {.loop = loop_new()};
    policy_t *policy = NULL, *old = policy_ref(policy_get());
    loop_t *loop = NULL;
    CHECK_INT(policy_new(&vtable, &host, host_destroyed, &policy), 0);
    CHECK_INT(policy_set(policy), 0);
    CHECK(policy_get() == policy);
    CHECK_INT(policy_get_event_loop(&loop), 0);
    CHECK(loop == host.loop);
    CHECK_INT(host.gets, 1);
    CHECK_INT(policy_set_event_loop(host.loop), 0);
    CHECK(host.set_to == host.loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
    CHECK(host.set_to == NULL);
    CHECK_INT(policy_new_event_loop(&loop), 0);
    CHECK(loop != NULL && loop != host.loop);
    loop_unref(loop);
    CHECK_INT(host.gets + host.sets + host.news, 4);
    /* Back to the default one, which knows nothing of that. */
    CHECK_INT(policy_set(NULL), 0);
    CHECK(policy_get() != policy);
    CHECK_INT(policy_get_event_loop(&loop), 0);
    CHECK(loop != host.loop);
    CHECK_INT(host.gets, 1);
    CHECK_INT(host.destroyed, 0);
    policy_unref(policy);
    CHECK_INT(host.destroyed, 1);
    policy_unref(old);
    policy_unref(NULL);
    CHECK(policy_ref(NULL) == NULL);
    loop_unref(host.loop);
    CHECK_INT(policy_set_event_loop(NULL), 0);
}

TEST(a_hosts_refusal_is_passed_on_as_it_is) {
    struct host host = {.answer = -4711};
    policy_t *policy = NULL;
    loop_t *loop = (loop_t *)&host;
    CHECK_INT(policy_new(&vtable, &host, host_destroyed, &policy), 0);
    CHECK_INT(policy_set(policy), 0);
    policy_unref(policy);
    CHECK_INT(policy_get_event_loop(&loop), -4711);
    CHECK_INT(policy_set_event_loop(NULL), -4711);
    CHECK_INT(policy_new_event_loop(&loop), -4711);
    CHECK(loop == (loop_t *)&host);
    /* Success without a loop is none. */
    host.answer = 0;
    CHECK_INT(policy_get_event_loop(&loop), LOOP_ENO_CURRENT);
    CHECK(loop == (loop_t *)&host);
    CHECK_INT(policy_set(NULL), 0);
    CHECK_INT(host.destroyed, 1);
}

TEST(a_policy_lacking_anything_is_refused_and_its_data_destroyed) {
    struct host host = {.loop = NULL};
    policy_vtable_t broken = vtable;
    policy_t *policy = (policy_t *)&host;
    CHECK_INT(policy_new(NULL, &host, host_destroyed, &policy), LOOP_EINVAL);
    CHECK_INT(policy_new(&vtable, &host, host_destroyed, NULL), LOOP_EINVAL);
    broken.size--;
    CHECK_INT(policy_new(&broken, &host, host_destroyed, &policy), LOOP_EINVAL);
    broken = vtable;
    broken.get_event_loop = NULL;
    CHECK_INT(policy_new(&broken, &host, host_destroyed, &policy), LOOP_EINVAL);
    broken = vtable;
    broken.set_event_loop = NULL;
    CHECK_INT(policy_new(&broken, &host, host_destroyed, &policy), LOOP_EINVAL);
    broken = vtable;
    broken.new_event_loop = NULL;
    CHECK_INT(policy_new(&broken, &host, host_destroyed, &policy), LOOP_EINVAL);
    CHECK(policy == (policy_t *)&host);
    CHECK_INT(host.destroyed, 6);
}

struct asking {
    struct host *host;
    loop_t *running;
};

static void ask_inside(void *data) {
    struct asking *asking = data;
    loop_t *loop = NULL;
    CHECK_INT(policy_get_event_loop(&loop), 0);
    CHECK(loop == asking->running);
    CHECK_INT(asking->host->gets, 0);
    CHECK_INT(policy_object_get_event_loop(policy_get(), &loop), 0);
    CHECK(loop == asking->host->loop);
    CHECK_INT(asking->host->gets, 1);
    CHECK_INT(loop_stop(asking->running), 0);
}

TEST(E27_the_running_loop_comes_before_a_hosts_policy_too) {
    struct host host = {.loop = loop_new()};
    struct asking asking = {&host, loop_new()};
    policy_t *policy = NULL;
    CHECK_INT(policy_new(&vtable, &host, NULL, &policy), 0);
    CHECK_INT(policy_set(policy), 0);
    policy_unref(policy);
    CHECK_INT(loop_call_soon(asking.running, ask_inside, &asking, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(asking.running), 0);
    CHECK_INT(policy_set(NULL), 0);
    loop_unref(asking.running);
    loop_unref(host.loop);
}

static void replace_policy(void *data) {
    host_destroyed(data);
    CHECK(policy_get() != NULL);
    CHECK_INT(policy_set(NULL), 0);
}

TEST(the_destructor_of_a_policy_may_use_policies) {
    struct host host = {.loop = NULL};
    policy_t *policy = NULL;
    CHECK_INT(policy_new(&vtable, &host, replace_policy, &policy), 0);
    CHECK_INT(policy_set(policy), 0);
    policy_unref(policy);
    CHECK_INT(policy_set(NULL), 0);
    CHECK_INT(host.destroyed, 1);
}

static void *exchange_policies(void *data) {
    struct host *host = data;
    for (int i = 0; i < 2000; i++) {
        policy_t *policy = NULL;
        loop_t *loop = NULL;
        CHECK_INT(policy_new(&vtable, host, NULL, &policy), 0);
        CHECK_INT(policy_set(i % 3 == 0 ? NULL : policy), 0);
        CHECK_INT(policy_object_new_event_loop(policy, &loop), 0);
        loop_unref(loop);
        policy_unref(policy);
    }
    return NULL;
}

TEST(policies_may_be_exchanged_by_several_threads) {
    struct host hosts[3] = {{.answer = 0}};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, exchange_policies, &hosts[i]), 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 3; i++)
        CHECK(hosts[i].news >= 2000);
    CHECK_INT(policy_set(NULL), 0);
}
