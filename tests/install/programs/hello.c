/* A consumer of the installed package: a callback, a timer, and a post from a
 * thread. It prints what ran. */
#include <coloop.h>
#include <pthread.h>
#include <stdio.h>

static void soon(void *user_data) {
    (void)user_data;
    puts("soon");
}

static void posted(void *loop) {
    puts("posted");
    loop_stop((loop_t *)loop);
}

static void *post(void *loop) {
    loop_call_soon_threadsafe((loop_t *)loop, posted, loop, NULL, NULL);
    return NULL;
}

static void later(void *thread_and_loop) {
    void **pair = (void **)thread_and_loop;
    puts("later");
    pthread_create((pthread_t *)pair[0], NULL, post, pair[1]);
}

#ifndef HELLO_MAIN
#define HELLO_MAIN main
#else
int HELLO_MAIN(void);
#endif

int HELLO_MAIN(void) {
    pthread_t thread;
    loop_t *loop = loop_new();
    void *pair[2];
    pair[0] = &thread;
    pair[1] = loop;
    if (loop_call_later(loop, 1000000, later, pair, NULL, NULL) < 0 ||
        loop_call_soon(loop, soon, NULL, NULL, NULL) < 0 || loop_run_forever(loop) < 0) {
        fprintf(stderr, "%s\n", loop_last_error());
        return 1;
    }
    pthread_join(thread, NULL);
    if (loop_close(loop) < 0) {
        return 1;
    }
    loop_unref(loop);
    printf("version %s\n", coloop_version());
    return 0;
}
