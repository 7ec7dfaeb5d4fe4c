/* coloop/dynamic.h, one way per command: dynamic COMMAND [LIBRARY...] */
#define _POSIX_C_SOURCE 200809L
#include <coloop/dynamic.h>
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

static void count(void *counter) { ++*(int *)counter; }

static void nothing(void *user_data) { (void)user_data; }

static loop_protocol_t *no_protocol(void *user_data) {
    (void)user_data;
    return NULL;
}

static int tell(const char *path) {
    int result = coloop_load(path);
    printf("%d %s\n", result, result < 0 ? coloop_load_error() : coloop_version());
    return result;
}

static void use(void) {
    int calls = 0;
    loop_t *loop = loop_new();
    assert(loop_call_soon(loop, count, &calls, count, NULL) == 0);
    assert(loop_run_once(loop, 0) >= 0 && calls == 2);
    assert(loop_close(loop) == 0);
    loop_unref(loop);
}

/* Before the library is loaded: errors, and what was given is destroyed. */
static void unloaded(void) {
    int destroyed = 0;
    loop_t *loop = NULL;
    loop_future_t *future = NULL;
    loop_transport_t *transport = NULL;
    assert(loop_new() == NULL && coloop_version_number() == 0 && loop_is_closed(NULL) == -ENOSYS);
    assert(loop_get_running(&loop) == -ENOSYS && loop == NULL);
    loop_unref(NULL);
    assert(loop_call_soon(NULL, nothing, &destroyed, count, NULL) == -ENOSYS && destroyed == 1);
    assert(loop_call_soon(NULL, nothing, NULL, NULL, NULL) == -ENOSYS);
    assert(loop_future_set_result(NULL, &destroyed, count) == -ENOSYS && destroyed == 2);
    assert(loop_transport_new_layer(NULL, NULL, &destroyed, count, NULL, &destroyed, count,
                                    &transport) == -ENOSYS && destroyed == 4);
    /* The second destructor is for a result, which there never was. */
    assert(loop_run_in_executor(NULL, NULL, NULL, &destroyed, count, count, &future) == -ENOSYS);
    assert(destroyed == 5 && future == NULL && transport == NULL);
    assert(strstr(loop_last_error(), "coloop_load") && strstr(loop_strerror(-1), "coloop_load"));
    assert(strcmp(coloop_load_error(), "") == 0);
    (void)no_protocol;
}

static void *load_and_use(void *path) {
    assert(coloop_load((const char *)path) == 0);
    use();
    return NULL;
}

static void threads(char *path) {
    pthread_t all[8];
    int i;
    for (i = 0; i < 8; i++) {
        assert(pthread_create(&all[i], NULL, load_and_use, path) == 0);
    }
    for (i = 0; i < 8; i++) {
        pthread_join(all[i], NULL);
    }
}

/* The text of a failure is the thread's own. */
static void *no_failure(void *unused) {
    assert(strcmp(coloop_load_error(), "") == 0);
    return unused;
}

static void *load_only(void *path) {
    coloop_load((const char *)path);
    return NULL;
}

/* A fork while another thread is loading: `slow` is a library whose constructor
 * writes to descriptor `loading` and never ends. */
static void in_fork(char *slow, char *path) {
    pthread_t thread;
    int status, ends[2];
    char byte, name[16];
    pid_t child;
    assert(pipe(ends) == 0);
    snprintf(name, sizeof name, "%d", ends[1]);
    setenv("LOADING", name, 1);
    assert(pthread_create(&thread, NULL, load_only, slow) == 0);
    assert(read(ends[0], &byte, 1) == 1);
    child = fork();
    if (child == 0) {
        alarm(120);
        _exit(coloop_load(path) == 0 && (use(), 1) ? 0 : 1);
    }
    assert(waitpid(child, &status, 0) == child && status == 0);
    puts("the child loaded");
    fflush(stdout);
    _exit(0);
}

/* Others loaded the library before, by its path: that copy is used. */
static void shares(char *first, char *second) {
    void *library = dlopen(first, RTLD_NOW | RTLD_LOCAL);
    uint64_t (*instance)(void);
    void *symbol;
    assert(library && (symbol = dlsym(library, "coloop_instance_id")));
    memcpy(&instance, &symbol, sizeof symbol);
    assert(coloop_load(second) == 0 && coloop_instance_id() == instance());
    assert(dlopen(second, RTLD_NOW | RTLD_NOLOAD) == NULL);
    puts("one instance");
}

/* A plugin that includes dynamic.h, in a program that does. */
static void plugin(char *path, char *library) {
    void *module = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    uint64_t (*instance)(const char *);
    void *symbol;
    assert(module && (symbol = dlsym(module, "plugin_instance")));
    memcpy(&instance, &symbol, sizeof symbol);
    /* Its table is its own. */
    assert(instance(library) != 0 && coloop_version_number() == 0);
    assert(coloop_load("/no/such/file") == 0 && instance(NULL) == coloop_instance_id());
    puts("one instance");
}

int main(int argc, char **argv) {
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "tell") == 0) {
        int i, result = -1;
        pthread_t thread;
        for (i = 2; i < argc; i++) {
            result = tell(argv[i]);
        }
        assert(pthread_create(&thread, NULL, no_failure, NULL) == 0);
        pthread_join(thread, NULL);
        if (result == 0) {
            use();
        }
    } else if (strcmp(command, "unloaded") == 0) {
        unloaded();
    } else if (strcmp(command, "threads") == 0) {
        threads(argv[2]);
    } else if (strcmp(command, "fork") == 0) {
        in_fork(argv[2], argv[3]);
    } else if (strcmp(command, "shares") == 0) {
        shares(argv[2], argv[3]);
    } else if (strcmp(command, "plugin") == 0) {
        plugin(argv[2], argv[3]);
    } else {
        return 2;
    }
    return 0;
}
