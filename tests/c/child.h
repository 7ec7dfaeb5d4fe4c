/* Children of a test: made, spoken with, waited for. And a parent's loop that
 * can be asked whether a child did it any harm. */
#ifndef CHILD_H
#define CHILD_H

#include "test.h"
#include <pthread.h>
#include <sys/types.h>

/* fork(); an alarm ends the child if it hangs. */
pid_t start_child(void);
/* Waits: the exit status, or 128 + the signal that ended it. */
int end_of(pid_t child);
/* Ends a child whose parent has more threads: their memory, which nobody can
 * free in the child, is no leak of the library, so no leak check sees it. */
_Noreturn void leave_child(int status);

/* One byte through a pipe: "I am that far". */
void make_pipe(int ends[2]);
void tell(int fd);
void hear(int fd);
/* Non-blocking; takes what is there, or writes until no more fits. */
void empty(int fd);
void fill(int fd);

/* What the kernel says of an epoll descriptor, its registrations ("tfd:") included.
 * Empty where the kernel has none to share with a child: they are the process's own. */
struct epoll_text {
    char text[4096];
};
struct epoll_text epoll_text(pid_t process, int epoll_fd);

/* A callback nobody may run. */
void never(void *user_data);
/* A thread's body: runs the loop until it is stopped. */
void *run_loop(void *loop);
/* Makes the loop open every descriptor it may need: it waits for a timer. */
void wait_once(loop_t *loop);

/* A loop with a reader, a writer and a timer, all waiting. */
struct witness {
    loop_t *loop;
    int readable[2], writable[2], asleep[2];
    int reads, writes, timers, posts, destroyed;
    loop_handle_t timer;
    struct epoll_text registered;
};

enum { WITNESS_DATA = 3 }; /* how many destructors its loop holds */

void witness_open(struct witness *witness);
/* Reader, writer and timer fire, a post wakes the sleeping loop, and the
 * kernel's registrations are what they were. */
void witness_check(struct witness *witness);
void witness_close(struct witness *witness);

#endif
