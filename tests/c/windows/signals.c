/* sigaction() for the signals of the C runtime, whose signal() forgets a handler
 * when it calls it. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>

static void (*handlers[NSIG])(int);

static void call_handler(int number) {
    signal(number, call_handler);
    handlers[number](number);
}

static void (*current(int number))(int) {
    void (*handler)(int) = signal(number, SIG_IGN);
    if (handler != SIG_ERR)
        signal(number, handler);
    return handler == call_handler ? handlers[number] : handler;
}

int posix_sigaction(int number, const struct sigaction *action, struct sigaction *old) {
    if (number <= 0 || number >= NSIG || current(number) == SIG_ERR) {
        errno = EINVAL;
        return -1;
    }
    if (old != NULL)
        *old = (struct sigaction){.sa_handler = current(number)};
    if (action == NULL)
        return 0;
    int is_function = action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
    handlers[number] = action->sa_handler;
    signal(number, is_function ? call_handler : action->sa_handler);
    return 0;
}
