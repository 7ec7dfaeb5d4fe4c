/* Failures nobody waits for: who is told, and what. */
#include "child.h"
#include "stderr_text.h"

/* A callback that fails, and what its handler must be told. */
struct failing {
    loop_t *loop;
    loop_handle_t handle;
    int fd, ends[2], told, destroyed;
};

static void fail(void *user_data) {
    struct failing *failing = user_data;
    loop_remove_reader(failing->loop, failing->ends[0]);
    loop_remove_writer(failing->loop, failing->ends[1]);
    CHECK_INT(loop_callback_failed(failing->loop, 42, "boom"), 0);
}

static void check_record(loop_t *loop, const loop_exception_context_t *context, void *user_data) {
    struct failing *failing = user_data;
    failing->told++;
    CHECK(loop == failing->loop);
    CHECK_INT(context->size, sizeof *context);
    CHECK_STR(context->message, "Exception in callback");
    CHECK_INT(context->code, 42);
    CHECK_STR(context->exception, "boom");
    CHECK(context->callback == fail);
    CHECK(context->user_data == failing);
    CHECK(context->handle == failing->handle);
    CHECK_INT(context->fd, failing->fd);
}

static void failing_destroyed(void *user_data) {
    ((struct failing *)user_data)->destroyed++;
}

static void failing_open(struct failing *failing) {
    memset(failing, 0, sizeof *failing);
    failing->loop = loop_new();
    failing->fd = -1;
    make_pipe(failing->ends);
    CHECK_INT(loop_set_exception_handler(failing->loop, check_record, failing, NULL), 0);
}

static void failing_run(struct failing *failing) {
    int before = failing->told;
    CHECK_INT(loop_run_once(failing->loop, -1), 1);
    CHECK_INT(failing->told, before + 1);
    failing->handle = 0;
}

TEST(a_failed_callback_is_reported_with_its_identity) {
    struct failing f;
    failing_open(&f);
    loop_t *loop = f.loop;
    CHECK_INT(loop_call_soon(loop, fail, &f, NULL, NULL), 0);
    failing_run(&f);
    CHECK_INT(loop_call_soon(loop, fail, &f, failing_destroyed, &f.handle), 0);
    failing_run(&f);
    CHECK_INT(loop_call_later(loop, 1, fail, &f, failing_destroyed, &f.handle), 0);
    while (f.told < 3)
        CHECK(loop_run_once(loop, -1) >= 0);
    f.handle = 0;
    CHECK_INT(loop_call_soon_threadsafe(loop, fail, &f, NULL, NULL), 0);
    failing_run(&f);
    CHECK_INT(loop_call_soon_threadsafe(loop, fail, &f, failing_destroyed, NULL), 0);
    failing_run(&f);
    CHECK_INT(loop_call_soon_threadsafe(loop, fail, &f, failing_destroyed, &f.handle), 0);
    failing_run(&f);
    CHECK_INT(f.destroyed, 4);
    loop_unref(loop);
}

TEST(a_failed_reader_or_writer_is_reported_with_its_descriptor) {
    struct failing f;
    failing_open(&f);
    tell(f.ends[1]);
    f.fd = f.ends[0];
    CHECK_INT(loop_add_reader(f.loop, f.fd, fail, &f, NULL), 0);
    failing_run(&f);
    f.fd = f.ends[1];
    CHECK_INT(loop_add_writer(f.loop, f.fd, fail, &f, NULL), 0);
    failing_run(&f);
    loop_unref(f.loop);
}

TEST(a_callback_that_failed_in_a_context_keeps_its_own_identity) {
    struct failing f;
    int context = 0;
    loop_context_hooks_t hooks = {.size = sizeof hooks};
    failing_open(&f);
    CHECK_INT(loop_set_context_hooks(f.loop, &hooks, NULL, NULL), 0);
    CHECK_INT(loop_call_soon_context(f.loop, fail, &f, NULL, &context, &f.handle), 0);
    failing_run(&f);
    CHECK_INT(loop_call_soon_threadsafe_context(f.loop, fail, &f, NULL, &context, &f.handle), 0);
    failing_run(&f);
    f.fd = f.ends[1];
    CHECK_INT(loop_add_writer_context(f.loop, f.fd, fail, &f, NULL, &context), 0);
    failing_run(&f);
    loop_unref(f.loop);
}

static void fail_twice(void *user_data) {
    struct failing *failing = user_data;
    CHECK_INT(loop_callback_failed(failing->loop, 1, "one"), 0);
    CHECK_INT(loop_callback_failed(failing->loop, 2, NULL), 0);
}

static void sum_codes(loop_t *loop, const loop_exception_context_t *context, void *user_data) {
    (void)loop;
    *(int *)user_data += context->code;
    CHECK((context->exception == NULL) == (context->code == 2));
}

TEST(a_callback_may_fail_more_than_once) {
    struct failing f;
    int sum = 0;
    failing_open(&f);
    CHECK_INT(loop_set_exception_handler(f.loop, sum_codes, &sum, NULL), 0);
    CHECK_INT(loop_call_soon(f.loop, fail_twice, &f, NULL, NULL), 0);
    CHECK_INT(loop_run_once(f.loop, 0), 1);
    CHECK_INT(sum, 3);
    loop_unref(f.loop);
}

static void fail_too_late(void *user_data) {
    struct failing *failing = user_data;
    failing->destroyed++;
    CHECK_INT(loop_callback_failed(failing->loop, 1, "late"), LOOP_ENO_RUNNING);
}

static void fail_other(void *user_data) {
    struct failing *failing = user_data;
    loop_t *other = loop_new();
    CHECK_INT(loop_callback_failed(other, 1, "x"), LOOP_ENO_RUNNING);
    loop_unref(other);
    failing->told++;
}

static void fail_in_hook(loop_t *loop, void *user_data) {
    CHECK_INT(loop_callback_failed(loop, 1, "x"), LOOP_ENO_RUNNING);
    count(user_data);
}

TEST(only_a_running_callback_can_fail) {
    struct failing f;
    int hooks = 0;
    failing_open(&f);
    CHECK_INT(loop_callback_failed(f.loop, 1, "x"), LOOP_ENO_RUNNING);
    CHECK_STR(loop_last_error(), "no running event loop");
    CHECK_INT(loop_call_soon(f.loop, count, &hooks, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(f.loop, fail_other, &f, fail_too_late, NULL), 0);
    CHECK_INT(loop_run_once(f.loop, 0), 2);
    CHECK_INT(loop_callback_failed(f.loop, 1, "x"), LOOP_ENO_RUNNING);
    CHECK_INT(loop_set_wait_hooks(f.loop, fail_in_hook, fail_in_hook, &hooks, NULL), 0);
    CHECK_INT(loop_run_once(f.loop, 1), 0);
    CHECK_INT(hooks, 3);
    CHECK_INT(f.told, 1);
    CHECK_INT(f.destroyed, 1);
    loop_unref(f.loop);
}

static void *fail_elsewhere(void *user_data) {
    struct failing *failing = user_data;
    loop_exception_context_t context = {.size = sizeof context, .fd = -1};
    CHECK_INT(loop_callback_failed(failing->loop, 1, "x"), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_call_exception_handler(failing->loop, &context), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_set_exception_handler(failing->loop, NULL, failing, failing_destroyed),
              LOOP_EWRONG_THREAD);
    return NULL;
}

static void let_others_fail(void *user_data) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, fail_elsewhere, user_data), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

TEST(only_the_loops_thread_can_fail) {
    struct failing f;
    failing_open(&f);
    CHECK_INT(loop_call_soon(f.loop, let_others_fail, &f, NULL, NULL), 0);
    CHECK_INT(loop_run_once(f.loop, 0), 1);
    CHECK_INT(f.told, 0);
    CHECK_INT(f.destroyed, 1);
    loop_unref(f.loop);
}

static const loop_exception_context_t *given;

static void same_record(loop_t *loop, const loop_exception_context_t *context, void *user_data) {
    (void)loop;
    CHECK(memcmp(context, given, sizeof *context) == 0);
    count(user_data);
}

TEST(call_exception_handler_hands_the_record_on) {
    loop_t *loop = loop_new();
    int told = 0;
    loop_exception_context_t context;
    memset(&context, 0, sizeof context);
    context = (loop_exception_context_t){sizeof context, "m", -3, "e", never, &told, 9, 4, NULL, NULL};
    given = &context;
    CHECK_INT(loop_set_exception_handler(loop, same_record, &told, NULL), 0);
    CHECK_INT(loop_call_exception_handler(loop, &context), 0);
    CHECK_INT(told, 1);
    CHECK_INT(loop_call_exception_handler(loop, NULL), LOOP_EINVAL);
    context.size--;
    CHECK_INT(loop_call_exception_handler(loop, &context), LOOP_EINVAL);
    context.size = 0;
    CHECK_INT(loop_call_exception_handler(loop, &context), LOOP_EINVAL);
    CHECK_INT(loop_default_exception_handler(loop, &context), LOOP_EINVAL);
    context.size = sizeof context;
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_call_exception_handler(loop, &context), LOOP_ECLOSED);
    CHECK_INT(loop_callback_failed(loop, 1, "x"), LOOP_ECLOSED);
    CHECK_INT(told, 1);
    loop_unref(loop);
}

static void replace_itself(loop_t *loop, const loop_exception_context_t *context,
                           void *user_data) {
    struct failing *failing = user_data;
    (void)context;
    failing->told++;
    CHECK_INT(loop_set_exception_handler(loop, NULL, NULL, NULL), 0);
    CHECK_INT(failing->destroyed, 0); /* its data lives until it returns */
    CHECK_INT(loop_call_soon(loop, stop_loop, loop, NULL, NULL), 0);
}

TEST(a_replaced_handler_is_destroyed_once_and_not_under_its_own_feet) {
    struct failing f, g;
    failing_open(&f);
    failing_open(&g);
    CHECK_INT(loop_set_exception_handler(f.loop, check_record, &f, failing_destroyed), 0);
    CHECK_INT(loop_set_exception_handler(f.loop, replace_itself, &g, failing_destroyed), 0);
    CHECK_INT(f.destroyed, 1);
    CHECK_INT(loop_call_soon(f.loop, fail, &f, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(f.loop), 0);
    CHECK_INT(g.told, 1);
    CHECK_INT(g.destroyed, 1);
    CHECK_INT(f.told, 0);
    CHECK_INT(loop_set_exception_handler(f.loop, check_record, &f, failing_destroyed), 0);
    loop_unref(f.loop);
    CHECK_INT(f.destroyed, 2);
    CHECK_INT(g.destroyed, 1);
    CHECK_INT(loop_close(g.loop), 0);
    CHECK_INT(loop_set_exception_handler(g.loop, check_record, &g, failing_destroyed),
              LOOP_ECLOSED);
    CHECK_INT(g.destroyed, 2);
    loop_unref(g.loop);
}

TEST(the_default_handler_writes_the_message_and_sorted_lines) {
    struct failing f;
    struct caught caught;
    char expected[512];
    failing_open(&f);
    CHECK_INT(loop_set_exception_handler(f.loop, NULL, NULL, NULL), 0);
    CHECK_INT(loop_call_soon(f.loop, fail, &f, NULL, &f.handle), 0);
    catch_stderr(&caught);
    CHECK_INT(loop_run_once(f.loop, 0), 1);
    snprintf(expected, sizeof expected,
             "Exception in callback\ncallback: " ADDRESS "\ncode: 42\nexception: boom\n"
             "handle: %#llx\nuser_data: " ADDRESS "\n",
             address_of(fail), (unsigned long long)f.handle, address_of_data(&f));
    CHECK_STR(caught_text(&caught), expected);
    loop_unref(f.loop);
}

TEST(the_default_handler_has_asyncios_words_for_a_missing_message) {
    loop_t *loop = loop_new();
    struct caught caught;
    loop_exception_context_t context = {.size = sizeof context, .fd = -1};
    catch_stderr(&caught);
    CHECK_INT(loop_default_exception_handler(loop, &context), 0);
    CHECK_STR(caught_text(&caught), "Unhandled exception in event loop\n");
    context.message = "Something happened";
    context.fd = 0;
    catch_stderr(&caught);
    CHECK_INT(loop_call_exception_handler(loop, &context), 0);
    CHECK_STR(caught_text(&caught), "Something happened\nfd: 0\n");
    CHECK_INT(loop_default_exception_handler(NULL, &context), LOOP_EINVAL);
    CHECK_INT(loop_default_exception_handler(loop, NULL), LOOP_EINVAL);
    loop_unref(loop);
}

TEST(the_default_handler_survives_a_closed_stderr_and_bytes_that_are_no_text) {
    loop_t *loop = loop_new();
    struct caught caught;
    loop_exception_context_t context = {.size = sizeof context, .message = "a\xff" "b", .fd = -1};
    catch_stderr(&caught);
    CHECK_INT(loop_default_exception_handler(loop, &context), 0);
    const char *text = caught_text(&caught);
    CHECK(text[0] == 'a' && strchr(text, 'b') != NULL);
    int real = dup(2);
    close(2);
    int result = loop_default_exception_handler(loop, &context);
    CHECK_INT(dup2(real, 2), 2);
    close(real);
    CHECK_INT(result, 0);
    loop_unref(loop);
}
