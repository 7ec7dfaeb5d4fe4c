/* tokio. It has tasks instead of callbacks, so it runs the scenarios of the services only:
 * B_NO_LOOP leaves the others out. */
#define B_NAME "tokio"
#define B_NO_LOOP 1
