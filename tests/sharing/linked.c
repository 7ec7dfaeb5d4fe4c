#include <coloop.h>
#include <stdio.h>

static void hello(void *loop) {
    puts("hello");
    loop_stop(loop);
}

int main(void) {
    loop_t *loop = loop_new();
    int code = loop_call_soon(loop, hello, loop, NULL, NULL);
    if (code == 0) code = loop_run_forever(loop);
    loop_close(loop);
    loop_unref(loop);
    return -code;
}
