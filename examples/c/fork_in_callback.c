/* fork() inside a coroutine of a running loop. The child has no running loop,
 * is refused the parent's, and runs one of its own; the parent goes on.
 *
 * Output:
 * child: no running event loop
 * child: the parent's loop is refused
 * child: its own loop ran
 * parent: the child ended with 0
 * parent: its timer fired
 */
#include "coloop.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000LL

static void require(int code, const char *what) {
    if (code < 0) {
        fprintf(stderr, "%s: %s\n", what, loop_last_error());
        exit(1);
    }
}

static void stop(void *loop) {
    loop_stop(loop);
}

static void child(loop_t *inherited) {
    loop_t *loop;
    if (loop_get_running(&loop) == LOOP_ENO_RUNNING) {
        printf("child: %s\n", loop_last_error());
    }
    if (loop_call_soon(inherited, stop, inherited, NULL, NULL) == LOOP_EFORKED) {
        printf("child: the parent's loop is refused\n");
    }
    loop = loop_new();
    require(loop_call_later(loop, 100 * MS, stop, loop, NULL, NULL), "call_later");
    require(loop_run_forever(loop), "run_forever");
    loop_unref(loop);
    printf("child: its own loop ran\n");
    fflush(stdout);
    _exit(0);
}

static int coroutine(loop_task_t *task, int outcome, void *data) {
    loop_t *loop = loop_future_get_loop(loop_task_future(task));
    (void)data;
    if (outcome < 0) {
        return outcome;
    }
    if (loop_task_awaited(task) == NULL) {
        pid_t pid = fork();
        if (pid < 0) {
            return -1;
        }
        if (pid == 0) {
            child(loop);
        }
        int status;
        waitpid(pid, &status, 0);
        printf("parent: the child ended with %d\n", WEXITSTATUS(status));
        loop_future_t *nap;
        require(loop_sleep(loop, 10 * MS, NULL, NULL, &nap), "sleep");
        return loop_task_await(task, nap);
    }
    printf("parent: its timer fired\n");
    return LOOP_TASK_DONE;
}

int main(void) {
    /* Nothing of the output may wait in a buffer when the process forks. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    require(loop_run(NULL, coroutine, NULL, NULL, NULL), "run");
    return 0;
}
