/* Callback macros of the libraries whose callbacks are void (*)(void *): nothing to
 * adapt. kind is SOON, TIMER, READER or WRITER. */
#ifndef PLAIN_H
#define PLAIN_H

#define PLAIN_FORWARD(name) static void name(void *)
#define PLAIN_CALLBACK(name, arg) \
    PLAIN_FORWARD(name);          \
    static void name(void *arg)

#endif
