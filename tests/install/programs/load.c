/* hello.c without linking: load PATH? loads the library and then runs what
 * hello.c, a file that knows nothing of it, calls main. */
#include <coloop/dynamic.h>

int hello(void);

int main(int argc, char **argv) {
    int result = coloop_load(argc > 1 ? argv[1] : NULL);
    if (result < 0) {
        printf("%d %s\n", result, coloop_load_error());
        return 1;
    }
    return hello();
}
