/* loop_run() makes a loop, runs a main task on it and leaves the thread without
 * one: asking for the current loop afterwards is an error, also in the main
 * thread. asyncio: run() and get_event_loop().
 *
 * Output:
 * main ran on the current loop: yes
 * main ran on the current loop: yes
 * both loops were one: no
 * There is no current event loop in thread 'MainThread'.
 * step is NULL
 */
#include "coloop.h"
#include <stdio.h>
#include <stdlib.h>

static loop_t *seen[2];
static int runs;

static int main_task(loop_task_t *task, int outcome, void *data) {
    (void)outcome, (void)data;
    loop_t *own = loop_future_get_loop(loop_task_future(task)), *current;
    int is_current = policy_get_event_loop(&current) == 0 && current == own;
    printf("main ran on the current loop: %s\n", is_current ? "yes" : "no");
    /* Kept, so that the second loop cannot be at the same address. */
    seen[runs++] = loop_ref(own);
    return LOOP_TASK_DONE;
}

int main(void) {
    for (int i = 0; i < 2; i++) {
        if (loop_run(NULL, main_task, NULL, NULL, NULL) != 0) {
            fprintf(stderr, "run: %s\n", loop_last_error());
            return 1;
        }
    }
    printf("both loops were one: %s\n", seen[0] == seen[1] ? "yes" : "no");
    loop_unref(seen[0]);
    loop_unref(seen[1]);
    loop_t *loop;
    if (policy_get_event_loop(&loop) != LOOP_ENO_CURRENT) {
        return 1;
    }
    printf("%s\n", loop_last_error());
    if (loop_run(NULL, NULL, NULL, NULL, NULL) != LOOP_EINVAL) {
        return 1;
    }
    printf("%s\n", loop_last_error());
    return 0;
}
