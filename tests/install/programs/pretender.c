/* A library that is none, or not the right one: VERSION and NUMBER say which it
 * claims to be. SLOW: one whose loading takes for ever. */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef VERSION
const char *coloop_version(void);
const char *coloop_version(void) { return VERSION; }
uint32_t coloop_version_number(void);
uint32_t coloop_version_number(void) { return NUMBER; }
#endif

#ifdef SLOW
/* Says that it is being loaded, and is so for ever. */
__attribute__((constructor)) static void load(void) {
    if (write(atoi(getenv("LOADING")), "", 1) == 1) {
        for (;;) {
            pause();
        }
    }
}
#endif

int pretender_has_something;
