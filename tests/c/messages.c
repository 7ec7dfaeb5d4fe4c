/* Error codes and their messages. */
#include "loop_thread.h"
#include <errno.h>

TEST(every_code_has_a_text_that_lives_for_ever) {
    static const int codes[] = {
        LOOP_ECLOSED, LOOP_ERUNNING, LOOP_EOTHER_RUNNING, LOOP_ENO_RUNNING,
        LOOP_ENO_CURRENT, LOOP_EWRONG_THREAD, LOOP_EWRONG_LOOP, LOOP_EFORKED,
        LOOP_ESTALE, LOOP_EINVAL, LOOP_ENOTSUP, LOOP_EINTERNAL,
    };
    enum { CODES = sizeof codes / sizeof *codes };
    const char *texts[CODES];
    for (int i = 0; i < CODES; i++) {
        CHECK(codes[i] < -1000);
        texts[i] = loop_strerror(codes[i]);
        CHECK(texts[i] != NULL && *texts[i] != '\0');
        for (int j = 0; j < i; j++)
            CHECK(strcmp(texts[i], texts[j]) != 0);
    }
    CHECK_STR(loop_strerror(LOOP_ECLOSED), "Event loop is closed");
    CHECK_STR(loop_strerror(LOOP_ERUNNING), "This event loop is already running");
    CHECK_STR(loop_strerror(LOOP_EOTHER_RUNNING),
              "Cannot run the event loop while another loop is running");
    CHECK_STR(loop_strerror(LOOP_ENO_RUNNING), "no running event loop");
    CHECK_STR(loop_strerror(-EBADF), strerror(EBADF));
    CHECK(loop_strerror(0) != NULL && loop_strerror(5) != NULL);
    CHECK(loop_strerror(-999999) != NULL && loop_strerror(-2147483647 - 1) != NULL);
}

static void *fails_by_itself(void *data) {
    (void)data;
    loop_t *loop;
    CHECK_STR(loop_last_error(), "");
    CHECK_INT(loop_get_running(&loop), LOOP_ENO_RUNNING);
    CHECK_STR(loop_last_error(), "no running event loop");
    return NULL;
}

TEST(the_last_error_belongs_to_its_thread_and_outlives_success) {
    loop_t *loop = loop_new();
    pthread_t thread;
    CHECK_STR(loop_last_error(), "");
    CHECK_INT(loop_close(loop), 0);
    CHECK_STR(loop_last_error(), "");
    CHECK_INT(loop_run_forever(loop), LOOP_ECLOSED);
    CHECK_STR(loop_last_error(), "Event loop is closed");
    CHECK_INT(pthread_create(&thread, NULL, fails_by_itself, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(loop_stop(loop), 0);
    CHECK_STR(loop_last_error(), "Event loop is closed");
    loop_unref(loop);
    CHECK_STR(loop_last_error(), "Event loop is closed");
}

TEST(a_system_error_is_told_in_the_systems_words) {
    loop_t *loop = loop_new();
    CHECK_INT(loop_add_reader(loop, 900, count, NULL, NULL), -EBADF);
    CHECK(strstr(loop_last_error(), strerror(EBADF)) != NULL);
    /* asyncio: "Invalid file descriptor: -1". */
    CHECK_INT(loop_add_reader(loop, -1, count, NULL, NULL), LOOP_EINVAL);
    CHECK(strstr(loop_last_error(), "Invalid file descriptor") != NULL);
    loop_unref(loop);
}

TEST(the_library_tells_its_version) {
    unsigned major, minor, patch;
    CHECK_INT(sscanf(coloop_version(), "%u.%u.%u", &major, &minor, &patch), 3);
    CHECK_INT(coloop_version_number(), major << 16 | minor << 8 | patch);
    CHECK(coloop_instance_id() != 0);
    CHECK(coloop_instance_id() == coloop_instance_id());
}
