/* SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * coloop: one event loop for every language in a process.
 *
 * Made from src/ffi by cbindgen; `make header` makes it anew.
 *
 * Conventions
 *   Results     0 or positive is success, negative an error: -errno from the
 *               system, below -1000 one of LOOP_E... . loop_last_error() has the
 *               message. A failed call changes nothing and writes no ret_...
 *               argument.
 *   Time        nanoseconds, on the clock of loop_time(). A time limit that is
 *               negative is none, and 0 is at once; in structs of options 0,
 *               the default, is none.
 *   User data   comes with a destructor, which runs exactly once on every path,
 *               also when the call that was given it fails. NULL is allowed.
 *   Threads     [loop thread]: the thread that runs the loop, or, while it does
 *               not run, any one thread at a time. [any thread]: everywhere.
 *               [signal-safe]: also in signal handlers.
 *   Close       a closed loop answers LOOP_ECLOSED where nothing else is said.
 *   Fork        a loop inherited through fork answers LOOP_EFORKED in the child
 *               where nothing else is said; questions that change nothing
 *               (loop_is_..., loop_get_..., names, times) are answered.
 *   Lacking     what a system cannot do answers LOOP_ENOTSUP, at once.
 *   Windows     Link with coloop.dll by its import library, or see
 *               coloop/dynamic.h; functions need no __declspec(dllimport). A
 *               descriptor is the number of a SOCKET, as an int. Only sockets can
 *               be watched: no pipes, no files, no consoles; a file to be sent
 *               is the number of its HANDLE (_get_osfhandle). What open() and its
 *               like return there is no such number. Nobody can ask whether a
 *               socket blocks: those that calls take are told not to. A program
 *               with sockets of its own calls WSAStartup first, as always.
 *               There are no UNIX sockets, no ports that servers share, and no
 *               descriptor for an outer loop (LOOP_ENOTSUP). errno numbers are
 *               those of errno.h, never those of WSAGetLastError; where it has two
 *               for the same, EAGAIN stands for EWOULDBLOCK. Texts are UTF-8.
 *               There is no fork.
 */


#ifndef COLOOP_H
#define COLOOP_H

#include <stddef.h>
#include <stdint.h>

/**
 * The platform's best backend.
 */
#define LOOP_BACKEND_AUTO 0

/**
 * epoll (Linux).
 */
#define LOOP_BACKEND_EPOLL 1

/**
 * kqueue (BSD, macOS).
 */
#define LOOP_BACKEND_KQUEUE 2

/**
 * I/O completion ports (Windows).
 */
#define LOOP_BACKEND_IOCP 3

/**
 * select: known by name, not built.
 */
#define LOOP_BACKEND_SELECT 4

/**
 * poll (Unix systems with neither epoll nor kqueue).
 */
#define LOOP_BACKEND_POLL 5

/**
 * io_uring: known by name, not built.
 */
#define LOOP_BACKEND_IO_URING 6

/**
 * Flag of loop_reinit_after_fork.
 */
#define LOOP_REINIT_KEEP_IO 1

/**
 * Flag of loop_reinit_after_fork.
 */
#define LOOP_REINIT_KEEP_READY 2

/**
 * The main thread gets a loop made for it until somebody sets one (or none).
 */
#define POLICY_LEGACY 0

/**
 * No loop is ever made that was not asked for.
 */
#define POLICY_STRICT 1

/**
 * A step's answer: the task is over.
 */
#define LOOP_TASK_DONE 0

/**
 * A step's answer: wait, as loop_task_await has said.
 */
#define LOOP_TASK_AWAIT 1

/**
 * A step's answer: go on in the next turn.
 */
#define LOOP_TASK_YIELD 2

/**
 * A step's answer: wait for loop_task_wake, as loop_task_park has said.
 */
#define LOOP_TASK_PARK 3

/**
 * loop_create_task_with: run the first step at once, inside the call, as
 * asyncio's eager tasks.
 */
#define LOOP_TASK_EAGER 1

/**
 * loop_gather: failures are results like others, and end nothing.
 */
#define LOOP_RETURN_EXCEPTIONS 1

/**
 * loop_wait: until all are done.
 */
#define LOOP_ALL_COMPLETED 0

/**
 * loop_wait: until one is done.
 */
#define LOOP_FIRST_COMPLETED 1

/**
 * loop_wait: until one failed, or all are done.
 */
#define LOOP_FIRST_EXCEPTION 2

/**
 * In the main thread, while SIGINT has its default action: a first SIGINT
 * cancels the main task, a second one ends the run at once. Either makes the
 * run answer -EINTR. Windows: Ctrl-C, in the oldest thread, unless a loop or
 * signal() of the C runtime handles it.
 */
#define LOOP_RUN_SIGINT 1

/**
 * SO_REUSEPORT: several servers share a port.
 */
#define LOOP_SERVER_REUSE_PORT 1

/**
 * Leaves SO_REUSEADDR off, which is on otherwise.
 */
#define LOOP_SERVER_NO_REUSE_ADDRESS 2

/**
 * SO_KEEPALIVE for the connections.
 */
#define LOOP_SERVER_KEEP_ALIVE 4

/**
 * Binds only; loop_server_start_serving begins to listen.
 */
#define LOOP_SERVER_DEFERRED 8

/**
 * Leaves the file of a UNIX server where it is when the server closes.
 */
#define LOOP_SERVER_KEEP_FILE 16

/**
 * Tells of the failure of every address, also where they are all the same.
 */
#define LOOP_CONNECTION_ALL_ERRORS 1

/**
 * SO_REUSEPORT: several endpoints share a port.
 */
#define LOOP_DATAGRAM_REUSE_PORT 1

/**
 * SO_BROADCAST. The socket is not connected to the remote address then.
 */
#define LOOP_DATAGRAM_ALLOW_BROADCAST 2

/**
 * loop_executor_shutdown: wait until all threads have ended.
 */
#define LOOP_EXECUTOR_WAIT 1

/**
 * loop_executor_shutdown: cancel jobs that have not begun.
 */
#define LOOP_EXECUTOR_CANCEL_QUEUED 2

/**
 * A name or service is not known. Codes of the resolver are -2000 less the
 * number that Linux gives them, on every system; its text is in loop_strerror.
 * A failure for another reason is -errno.
 */
#define LOOP_EAI_NONAME -2002

/**
 * Flags that cannot be used.
 */
#define LOOP_EAI_BADFLAGS -2001

/**
 * The name server cannot answer now; it may later.
 */
#define LOOP_EAI_AGAIN -2003

/**
 * The name server cannot answer.
 */
#define LOOP_EAI_FAIL -2004

/**
 * The name is known but has no address.
 */
#define LOOP_EAI_NODATA -2005

/**
 * The address family is not supported.
 */
#define LOOP_EAI_FAMILY -2006

/**
 * The socket type is not supported.
 */
#define LOOP_EAI_SOCKTYPE -2007

/**
 * The service is not known for that socket type.
 */
#define LOOP_EAI_SERVICE -2008

/**
 * The name has no address in that family.
 */
#define LOOP_EAI_ADDRFAMILY -2009

/**
 * No memory.
 */
#define LOOP_EAI_MEMORY -2010

/**
 * The text is too long.
 */
#define LOOP_EAI_OVERFLOW -2012

/**
 * A descriptor for each child, and a thread for each where the system has none.
 * On Windows the system's own threads wait, with either watcher.
 */
#define LOOP_CHILD_WATCHER_PIDFD 0

/**
 * A thread for each child, as long as it lives.
 */
#define LOOP_CHILD_WATCHER_THREADED 1

/**
 * The least level of loop_set_stats_level, at first: what can be counted for
 * nothing.
 */
#define LOOP_STATS_COUNTS 0

/**
 * Also busy_ns and wait_ns: two readings of the clock for each wait and each
 * run.
 */
#define LOOP_STATS_TIMES 1

/**
 * Also the longest callback: two readings for each callback.
 */
#define LOOP_STATS_CALLBACKS 2

/**
 * The stream leads where the parent's leads.
 */
#define LOOP_STDIO_INHERIT 0

/**
 * The stream is a pipe to the parent: loop_process_get_pipe_fd. Not on Windows.
 */
#define LOOP_STDIO_PIPE 1

/**
 * The stream is /dev/null, or NUL on Windows.
 */
#define LOOP_STDIO_DEVNULL 2

/**
 * Standard error only: it leads where standard output leads.
 */
#define LOOP_STDIO_STDOUT 3

/**
 * The stream is the descriptor `fd` of the parent, which stays the caller's. On
 * Windows the number of a HANDLE, of a file or a pipe, inheritable or not:
 * (int)(intptr_t)handle, or (int)_get_osfhandle(descriptor).
 */
#define LOOP_STDIO_FD 4

/**
 * Flag: descriptors that are not close-on-exec (Windows: inheritable handles)
 * stay open in the program; else all but the standard streams and pass_fds are
 * closed. asyncio: close_fds=False.
 */
#define LOOP_SUBPROCESS_KEEP_FDS 1

/**
 * Flag: the program leads a new session. asyncio: start_new_session.
 */
#define LOOP_SUBPROCESS_NEW_SESSION 2

/**
 * Flag: the program joins the process group `process_group`; 0: a new one.
 */
#define LOOP_SUBPROCESS_SET_PROCESS_GROUP 4

/**
 * Flag: the program gets the user id `uid`.
 */
#define LOOP_SUBPROCESS_SET_UID 8

/**
 * Flag: the program gets the group id `gid`.
 */
#define LOOP_SUBPROCESS_SET_GID 16

/**
 * Flag: the program gets the supplementary groups `groups`.
 */
#define LOOP_SUBPROCESS_SET_GROUPS 32

/**
 * Flag: the program gets the file mode creation mask `umask`.
 */
#define LOOP_SUBPROCESS_SET_UMASK 64

/**
 * The loop was closed: "Event loop is closed".
 */
#define LOOP_ECLOSED -1001

/**
 * The loop runs: it cannot run twice, nor be closed while it runs.
 */
#define LOOP_ERUNNING -1002

/**
 * Another loop runs in this thread.
 */
#define LOOP_EOTHER_RUNNING -1003

/**
 * No loop runs in this thread.
 */
#define LOOP_ENO_RUNNING -1004

/**
 * This thread has no current loop.
 */
#define LOOP_ENO_CURRENT -1005

/**
 * The call belongs to the loop's own thread.
 */
#define LOOP_EWRONG_THREAD -1006

/**
 * The future, task or other object belongs to another loop.
 */
#define LOOP_EWRONG_LOOP -1007

/**
 * The loop was inherited through fork.
 */
#define LOOP_EFORKED -1008

/**
 * The handle has run or was forgotten.
 */
#define LOOP_ESTALE -1009

/**
 * An argument cannot be used.
 */
#define LOOP_EINVAL -1010

/**
 * This platform, or this kind of object, cannot do it.
 */
#define LOOP_ENOTSUP -1011

/**
 * A defect of the library, caught at its boundary.
 */
#define LOOP_EINTERNAL -1012

/**
 * A future is done already, or is not done yet.
 */
#define LOOP_EINVALID_STATE -1013

/**
 * What was awaited was cancelled: asyncio's CancelledError.
 */
#define LOOP_ECANCELLED -1014

/**
 * The loop was stopped before the future it ran for was done.
 */
#define LOOP_ESTOPPED -1015

/**
 * The executor was shut down.
 */
#define LOOP_ESHUTDOWN -1016

/**
 * The host's own code raised an exception of its language, for which there is no
 * other code: its text and loop_future_exception_data say more.
 */
#define LOOP_EEXCEPTION -1017

/**
 * A future that any thread may wait for: asyncio's concurrent.futures.Future,
 * what run_coroutine_threadsafe returns. Opaque, reference-counted. In a forked
 * child every function but loop_cfuture_unref answers LOOP_EFORKED.
 */
typedef struct loop_cfuture_t loop_cfuture_t;

/**
 * A child watcher of asyncio: the way in which loops hear of the end of
 * children. One of two constants, nothing to free; belongs to no loop.
 */
typedef struct loop_child_watcher_t loop_child_watcher_t;

/**
 * A job in the hands of a host's executor. Opaque.
 */
typedef struct loop_executor_job_t loop_executor_job_t;

/**
 * Runs blocking jobs: on a pool of threads (loop_executor_new), or wherever the
 * host likes (loop_executor_create). Opaque, reference-counted, and of no loop:
 * any number of loops may share one.
 *
 * Threads: every function is for [any thread] if nothing else is said.
 *
 * Fork: in a forked child there are none of the threads, and every function
 * returns LOOP_EFORKED, except loop_executor_reinit_after_fork and giving
 * references back. A child's loop makes itself a new default executor.
 */
typedef struct loop_executor_t loop_executor_t;

/**
 * A result that is not there yet: asyncio's Future. Opaque, reference-counted:
 * whoever gets one in a ret_ argument has one reference, which
 * loop_future_unref gives back. It belongs to one loop and to that loop's
 * thread; only references are counted on any thread. Its loop need not be kept
 * alive for it; when the loop is closed it stays as it is.
 *
 * A future is pending, then cancelled or finished with a result or a failure:
 * a negative code with a text. What the code reports stays with the future
 * until its last reference goes, and so does a result with its destructor.
 */
typedef struct loop_future_t loop_future_t;

/**
 * A program that was started: asyncio's SubprocessTransport. Opaque and
 * reference-counted: whoever gets one in a ret_ argument has one reference,
 * which loop_process_unref gives back. It belongs to one loop and to that
 * loop's thread; only references are counted on any thread.
 *
 * A process goes on when its last reference goes; only the pipes that nobody
 * took are closed then. Its loop takes its exit status in any case: nothing
 * else may wait for it. A loop that is closed waits no more, and kills nobody.
 * In a forked child it cannot be used, and its end is the parent's business.
 *
 * Windows: programs cannot have pipes to their parent, nor sessions, user and
 * group ids, a file mode creation mask, descriptors beside their streams:
 * LOOP_ENOTSUP. A process group can only be a new one (Ctrl-C is off in it, and
 * SIGBREAK can be sent to it). Arguments become one line by the rules of
 * Python's list2cmdline.
 */
typedef struct loop_process_t loop_process_t;

/**
 * Runs main tasks on a loop of its own: asyncio's Runner. Opaque; belongs to
 * one thread.
 */
typedef struct loop_runner_t loop_runner_t;

/**
 * A server: asyncio's Server. Opaque, reference-counted: the future that made
 * it has a reference as long as it lives; take your own with loop_server_ref.
 * It needs none to go on: an open server is kept by its loop. Closing the loop
 * closes it, and so does a forked child for its own copy, without harm to the
 * parent's.
 */
typedef struct loop_server_t loop_server_t;

/**
 * An event loop. Opaque and reference-counted: loop_new and its kin give one
 * reference, loop_unref takes it back.
 *
 * Threads: a loop belongs to the thread that runs it, or, while it does not
 * run, to one thread at a time. Functions marked [loop thread] return
 * LOOP_EWRONG_THREAD elsewhere; those marked [any thread] may be called from
 * everywhere, those marked [signal-safe] also inside signal handlers.
 *
 * Fork: in a forked child every function returns LOOP_EFORKED for a loop of
 * the parent, except where its description says otherwise.
 */
typedef struct loop_t loop_t;

/**
 * Tasks that end together: asyncio's TaskGroup. Opaque, reference-counted;
 * belongs to its loop's thread.
 */
typedef struct loop_task_group_t loop_task_group_t;

/**
 * What runs step by step and waits for futures in between: asyncio's Task.
 * Opaque, reference-counted; belongs to its loop's thread. The loop keeps a task
 * alive until it is done. Closing the loop ends pending tasks with the report
 * "Task was destroyed but it is pending!".
 */
typedef struct loop_task_t loop_task_t;

/**
 * A deadline for a part of a task: asyncio.timeout. Opaque.
 */
typedef struct loop_timeout_t loop_timeout_t;

/**
 * A connection that moves bytes and calls a protocol: asyncio's Transport.
 * Opaque, reference-counted. It belongs to one loop and to that loop's thread;
 * only references are counted on any thread.
 *
 * An open transport is kept by its loop: nobody need hold a reference, and a
 * pointer stays valid until connection_lost returned, longer with a reference.
 * Giving references back closes nothing.
 *
 * A transport owns its descriptor and closes it. The protocol's user data is
 * destroyed once: after connection_lost; when another protocol has taken its
 * place; or when the call that was given it fails. Data that is in use by a
 * running call lives until that call has returned.
 *
 * When the loop is closed, its open transports are let go of: descriptors are
 * closed and protocols destroyed, and connection_lost is not called. So it is in
 * a forked child that closes its copy of the loop or makes it its own; the
 * parent's connections are not touched.
 *
 * Errors of all functions where nothing else is said: LOOP_EINVAL (NULL),
 * LOOP_EWRONG_THREAD, LOOP_EFORKED, LOOP_ECLOSED, LOOP_ENOTSUP (this kind of
 * transport cannot do it).
 */
typedef struct loop_transport_t loop_transport_t;

/**
 * A policy. Opaque and reference-counted.
 */
typedef struct policy_t policy_t;

/**
 * A clock: nanoseconds that never go back. It is read on the loop's thread and
 * by whoever calls loop_time. Waits end by real time: a clock that jumps needs
 * loop_wakeup.
 */
typedef uint64_t (*loop_clock_t)(void *clock_data);

/**
 * What loop_create takes. Set `size` to sizeof(loop_options_t) and everything
 * else to zero, then what you want to change.
 */
typedef struct loop_options_t {
    /**
     * sizeof(loop_options_t).
     */
    size_t size;
    /**
     * LOOP_BACKEND_AUTO, or another LOOP_BACKEND_… that the platform has.
     */
    uint32_t backend;
    /**
     * 0; reserved.
     */
    uint32_t flags;
    /**
     * How late a wait for a timer may end, in nanoseconds, so that timers
     * share wake-ups. 0: as precise as the system can, except that deadlines
     * less than 100 µs apart may share one. Never early.
     */
    uint64_t timer_slack_ns;
    /**
     * Where the loop reads the time; NULL is CLOCK_MONOTONIC (Windows: the
     * performance counter).
     */
    loop_clock_t clock;
    /**
     * Passed to `clock`; must outlive the loop.
     */
    void *clock_data;
} loop_options_t;

/**
 * A callback. It runs on the loop's thread. No callback, hook or destructor may
 * leave by longjmp or by ending its thread; a C++ exception that leaves one
 * ends the process with a message.
 */
typedef void (*loop_callback_t)(void *user_data);

/**
 * Ends the life of user data. Runs exactly once for each call that was given
 * it, on every path: after the callback ran, when it is cancelled or replaced,
 * when the loop is closed, and also when the call itself fails. NULL: nothing
 * to destroy.
 */
typedef void (*loop_destroy_t)(void *user_data);

/**
 * A scheduled callback. A plain number, which means something together with its
 * loop only: copy it, forget it, nothing to free. 0 is no handle. A handle kept
 * too long, or given to another loop, is recognised and answered with
 * LOOP_ESTALE (but for one in 268 million).
 */
typedef uint64_t loop_handle_t;

/**
 * A hook that is told which loop calls it.
 */
typedef void (*loop_hook_t)(struct loop_t *loop, void *user_data);

/**
 * How asyncio's context= is entered and left. Each hook may be NULL. The library
 * never looks at a context: NULL is one like any other, and gets to the hooks.
 */
typedef struct loop_context_hooks_t {
    /**
     * sizeof(loop_context_hooks_t).
     */
    size_t size;
    /**
     * Yields a reference to the caller's present context, for calls that name
     * none; runs on the calling thread.
     */
    void *(*capture)(void *user_data);
    /**
     * Makes a context current, just before its callback runs.
     */
    void (*enter)(void *context, void *user_data);
    /**
     * Ends what `enter` began, just after the callback.
     */
    void (*exit)(void *context, void *user_data);
    /**
     * Drops one reference to a context.
     */
    void (*release)(void *context, void *user_data);
} loop_context_hooks_t;

/**
 * What is known of a failure: asyncio's exception context. The strings and the
 * struct are borrowed for the call.
 */
typedef struct loop_exception_context_t {
    /**
     * sizeof(loop_exception_context_t).
     */
    size_t size;
    /**
     * What happened; NULL reads "Unhandled exception in event loop".
     */
    const char *message;
    /**
     * The failure's code; 0 if it has none.
     */
    int code;
    /**
     * The failure's own text, or NULL.
     */
    const char *exception;
    /**
     * The callback that failed, or NULL.
     */
    loop_callback_t callback;
    /**
     * Its user data.
     */
    void *user_data;
    /**
     * Its handle, or 0.
     */
    loop_handle_t handle;
    /**
     * The descriptor it was called for, or -1.
     */
    int fd;
    /**
     * The future it happened in, or NULL: an identity only, it may be ending.
     */
    const struct loop_future_t *future;
    /**
     * The transport it happened in, or NULL: an identity only.
     */
    const struct loop_transport_t *transport;
} loop_exception_context_t;

/**
 * Handles failures that nobody waits for. Runs on the loop's thread.
 */
typedef void (*loop_exception_handler_t)(struct loop_t *loop,
                                         const struct loop_exception_context_t *context,
                                         void *user_data);

/**
 * What debug mode knows of a callback that took long.
 */
typedef struct loop_slow_callback_t {
    /**
     * sizeof(loop_slow_callback_t), as the library knows it.
     */
    size_t size;
    /**
     * The callback.
     */
    loop_callback_t callback;
    /**
     * Its user data: an identity only, it may be destroyed by now.
     */
    void *user_data;
    /**
     * Its handle, or 0.
     */
    loop_handle_t handle;
    /**
     * The descriptor it was called for, or -1.
     */
    int fd;
    /**
     * How long it took.
     */
    uint64_t duration_ns;
} loop_slow_callback_t;

/**
 * Told of slow callbacks in debug mode. Runs on the loop's thread.
 */
typedef void (*loop_slow_callback_hook_t)(struct loop_t *loop,
                                          const struct loop_slow_callback_t *report,
                                          void *user_data);

/**
 * What a host's policy does. Every function is needed; each returns 0 or a
 * negative code, which is passed on.
 */
typedef struct policy_vtable_t {
    /**
     * sizeof(policy_vtable_t).
     */
    size_t size;
    /**
     * Yields the calling thread's loop, which stays the policy's.
     */
    int (*get_event_loop)(void *user_data, struct loop_t **ret_loop);
    /**
     * Makes `loop` (or none: NULL) the calling thread's; takes a reference of
     * its own if it keeps it.
     */
    int (*set_event_loop)(void *user_data, struct loop_t *loop);
    /**
     * Makes a loop, which becomes the caller's.
     */
    int (*new_event_loop)(void *user_data, struct loop_t **ret_loop);
} policy_vtable_t;

/**
 * Is asked, on the loop's thread, when somebody cancels a pending future of
 * loop_future_new_cancellable. `future` and `message` (may be NULL) are borrowed
 * for the call. A positive answer: the request is taken, and whoever made the
 * future ends it, now or later, in whatever way; 0: it is refused; negative: the
 * future is cancelled at once. To cancel it in here has no effect.
 */
typedef int (*loop_future_cancel_t)(struct loop_future_t *future,
                                    const char *message,
                                    void *user_data);

/**
 * Is told that a future is done, on the loop's thread. `future` is borrowed
 * for the call.
 */
typedef void (*loop_future_callback_t)(struct loop_future_t *future, void *user_data);

/**
 * One step of a task, on the loop's thread. `outcome` is 0 at the start and when
 * what the task awaited ended well; the (negative) code of its failure; or
 * LOOP_ECANCELLED when it or the task was cancelled. The step returns
 *
 * - LOOP_TASK_DONE: the task is over (see loop_task_return for a result);
 * - `return loop_task_await(task, future)`: to be called again when it is done;
 * - LOOP_TASK_YIELD: to be called again in the loop's next turn;
 * - `return loop_task_park(task, cancelled, user_data)`: to be called again after
 *   loop_task_wake;
 * - a negative code: the task failed. Handing on `outcome`, or the code of a
 *   call that has just failed, hands on its text; LOOP_ECANCELLED means that the
 *   task was cancelled.
 *
 * When `outcome` is negative, loop_last_error has its text.
 * Anything else, also LOOP_TASK_AWAIT without loop_task_await, ends the task with
 * LOOP_EINVAL "Task got bad yield". `user_data` is destroyed when the task is
 * over, or when the loop closes.
 */
typedef int (*loop_task_step_t)(struct loop_task_t *task, int outcome, void *user_data);

/**
 * How a task begins. Set `size` to sizeof(loop_task_options_t), everything
 * else to zero, then what you want to change.
 */
typedef struct loop_task_options_t {
    /**
     * sizeof(loop_task_options_t).
     */
    size_t size;
    /**
     * 0 or LOOP_TASK_EAGER.
     */
    uint32_t flags;
    /**
     * Not 0: `context` is a context to run the steps in; its reference passes
     * to the loop as with loop_call_soon_context.
     */
    uint32_t has_context;
    /**
     * The context, if there is one.
     */
    void *context;
    /**
     * The task's name (copied); NULL: Task-N.
     */
    const char *name;
} loop_task_options_t;

/**
 * Ends something before the loop ends: 0, and maybe a future to wait for in
 * *ret_future, whose reference passes to the library; or a negative code.
 */
typedef int (*loop_finalizer_t)(struct loop_t *loop,
                                struct loop_future_t **ret_future,
                                void *user_data);

/**
 * How a runner runs. Set `size` to sizeof(loop_runner_options_t), everything
 * else to zero, then what you want to change.
 */
typedef struct loop_runner_options_t {
    /**
     * sizeof(loop_runner_options_t).
     */
    size_t size;
    /**
     * 0 or LOOP_RUN_SIGINT.
     */
    uint32_t flags;
    /**
     * 0: as it is; 1: debug mode on; -1: off.
     */
    int32_t debug;
} loop_runner_options_t;

/**
 * Starts something on the loop's thread: 0, and maybe a future to wait for in
 * *ret_future, whose reference passes to the library; or a negative code.
 */
typedef int (*loop_submit_callback_t)(struct loop_t *loop,
                                      struct loop_future_t **ret_future,
                                      void *user_data);

/**
 * Is told that a thread's future is done: on the thread that ended it, or
 * inside loop_cfuture_add_done_callback.
 */
typedef void (*loop_cfuture_callback_t)(struct loop_cfuture_t *cfuture, void *user_data);

/**
 * A connection: the result of loop_sock_accept. It belongs to its future and
 * lives as long; so does its descriptor, unless loop_accepted_take takes it.
 */
typedef struct loop_accepted_t {
    /**
     * The descriptor: close-on-exec and non-blocking; -1 when it was taken.
     */
    int fd;
    /**
     * The length of the address.
     */
    size_t address_length;
    /**
     * The peer: a struct sockaddr, or NULL.
     */
    const void *address;
} loop_accepted_t;

/**
 * A piece of memory; like struct iovec.
 */
typedef struct loop_iovec_t {
    /**
     * Where it begins.
     */
    const void *base;
    /**
     * How many bytes.
     */
    size_t length;
} loop_iovec_t;

/**
 * What a transport calls: asyncio's Protocol and BufferedProtocol. Set `size` to
 * sizeof(loop_protocol_t); every function may be NULL. The struct is copied.
 *
 * All functions run on the loop's thread. `transport` is borrowed for the call,
 * and valid until connection_lost returned; take a reference to keep it longer.
 * They may call every function on the transport.
 */
typedef struct loop_protocol_t {
    /**
     * sizeof(loop_protocol_t).
     */
    size_t size;
    /**
     * The transport is ready; reading begins when this has returned. First
     * call, and only once.
     */
    void (*connection_made)(struct loop_transport_t *transport, void *user_data);
    /**
     * Bytes came, at most 256 KiB at a time; borrowed for the call.
     */
    void (*data_received)(struct loop_transport_t *transport,
                          const void *data,
                          size_t length,
                          void *user_data);
    /**
     * Set: used instead of data_received. Says where the next bytes go: at least
     * one byte, which the protocol must leave in place until buffer_updated or
     * the next call of this. `size_hint` is what is of use. 0, or a negative
     * code, which ends the connection.
     */
    int (*get_buffer)(struct loop_transport_t *transport,
                      size_t size_hint,
                      void **ret_buffer,
                      size_t *ret_size,
                      void *user_data);
    /**
     * The buffer now begins with so many bytes that came.
     */
    void (*buffer_updated)(struct loop_transport_t *transport,
                           size_t length,
                           void *user_data);
    /**
     * The peer sends no more. Greater than 0: the transport stays open for
     * writing. 0 (also if this is NULL): it is closed.
     */
    int (*eof_received)(struct loop_transport_t *transport, void *user_data);
    /**
     * More than the high-water mark waits to be sent: write no more. Called
     * inside the write that did it.
     */
    void (*pause_writing)(struct loop_transport_t *transport, void *user_data);
    /**
     * No more than the low-water mark waits now: go on.
     */
    void (*resume_writing)(struct loop_transport_t *transport, void *user_data);
    /**
     * The end; last call, and only once. A regular end (closed by this side, or
     * by the peer): 0 and NULL; else the code and the text of what broke it.
     * The descriptor is closed when this has returned.
     */
    void (*connection_lost)(struct loop_transport_t *transport,
                            int code,
                            const char *message,
                            void *user_data);
} loop_protocol_t;

/**
 * What loop_create_server takes. Set `size` to sizeof(loop_server_options_t)
 * and everything else to zero, then what you want to change.
 */
typedef struct loop_server_options_t {
    /**
     * sizeof(loop_server_options_t).
     */
    size_t size;
    /**
     * A name or a numeric address; NULL or "": all interfaces.
     */
    const char *host;
    /**
     * Several of them, instead of `host`.
     */
    const char *const *hosts;
    /**
     * How many.
     */
    size_t host_count;
    /**
     * 0: the system chooses one, for each address another.
     */
    uint16_t port;
    /**
     * AF_INET or AF_INET6; 0: both.
     */
    int family;
    /**
     * AI_... for the resolution of names; AI_PASSIVE is always added.
     */
    int resolve_flags;
    /**
     * How many connections may wait to be accepted; 0: 100.
     */
    int backlog;
    /**
     * LOOP_SERVER_...
     */
    uint32_t flags;
    /**
     * Bound stream sockets instead of host and port. They belong to the server
     * once the call has succeeded, and are closed with it.
     */
    const int *fds;
    /**
     * How many.
     */
    size_t fd_count;
} loop_server_options_t;

/**
 * Makes the protocol of an accepted connection, on the loop's thread, in the
 * context in which serving began: 0 with the functions (copied), the user data
 * and its destructor (which may be NULL) in the ret_ arguments, or a negative
 * code, which is reported to the exception handler as "Error on transport
 * creation for incoming connection"; that connection is closed then.
 */
typedef int (*loop_protocol_factory_t)(struct loop_t *loop,
                                       void *factory_data,
                                       const struct loop_protocol_t **ret_protocol,
                                       void **ret_user_data,
                                       loop_destroy_t *ret_destroy);

/**
 * What loop_create_connection takes. Set `size` to
 * sizeof(loop_connection_options_t) and everything else to zero, then what you
 * want to change.
 */
typedef struct loop_connection_options_t {
    /**
     * sizeof(loop_connection_options_t).
     */
    size_t size;
    /**
     * A name or a numeric address; NULL: this machine.
     */
    const char *host;
    /**
     * Its port.
     */
    uint16_t port;
    /**
     * This side's port, if it matters.
     */
    uint16_t local_port;
    /**
     * This side's name or numeric address; NULL: the system chooses, unless
     * local_port is set.
     */
    const char *local_host;
    /**
     * AF_INET or AF_INET6; 0: both.
     */
    int family;
    /**
     * AI_... for the resolution of names.
     */
    int resolve_flags;
    /**
     * LOOP_CONNECTION_...
     */
    uint32_t flags;
    /**
     * How many addresses of the first family are tried before the families
     * take turns; 0: 1 with happy_eyeballs_delay_ns, otherwise the resolver's
     * order.
     */
    uint32_t interleave;
    /**
     * How long an address is tried before the next one is tried, too; the
     * recommended delay is 250 ms. 0: one after the other.
     */
    uint64_t happy_eyeballs_delay_ns;
    /**
     * After how long all of it fails with -ETIMEDOUT; 0: never.
     */
    uint64_t timeout_ns;
    /**
     * A connected stream socket instead of host and port, or NULL. It belongs
     * to the transport once the call has succeeded.
     */
    const int *fd;
} loop_connection_options_t;

/**
 * What loop_create_datagram_endpoint takes. Set `size` to
 * sizeof(loop_datagram_options_t) and everything else to zero, then what you
 * want to change. A local address is bound; with a remote one the endpoint
 * sends there only, and hears from there only (unless it may broadcast).
 */
typedef struct loop_datagram_options_t {
    /**
     * sizeof(loop_datagram_options_t).
     */
    size_t size;
    /**
     * This side's name or numeric address, or NULL.
     */
    const char *local_host;
    /**
     * The other side's name or numeric address, or NULL.
     */
    const char *remote_host;
    /**
     * This side's port; 0 with local_host: the system chooses one.
     */
    uint16_t local_port;
    /**
     * The other side's port.
     */
    uint16_t remote_port;
    /**
     * AF_INET or AF_INET6; needed where no address is given; 0: any. AF_UNIX is
     * implied by the paths.
     */
    int family;
    /**
     * AI_... for the resolution of names.
     */
    int resolve_flags;
    /**
     * LOOP_DATAGRAM_...
     */
    uint32_t flags;
    /**
     * A UNIX endpoint: the path to bind, or an abstract name after a '@'. A
     * socket that somebody left at this path is removed first. The file is
     * yours to remove in the end.
     */
    const char *local_path;
    /**
     * A UNIX endpoint: where it sends.
     */
    const char *remote_path;
    /**
     * A datagram socket instead of all of that, or NULL. It belongs to the
     * transport once the call has succeeded.
     */
    const int *fd;
} loop_datagram_options_t;

/**
 * What a datagram transport calls: asyncio's DatagramProtocol. Set `size` to
 * sizeof(loop_datagram_protocol_t); functions that are NULL are not called.
 * All run on the loop's thread; `transport` and the rest are borrowed for the
 * call, in which the transport may be closed and aborted.
 */
typedef struct loop_datagram_protocol_t {
    /**
     * sizeof(loop_datagram_protocol_t).
     */
    size_t size;
    /**
     * The transport is ready. Called first, once.
     */
    void (*connection_made)(struct loop_transport_t *transport, void *user_data);
    /**
     * A datagram of `data_length` bytes came (0 is possible) from `address`, a
     * struct sockaddr, or NULL if the sender has no address.
     */
    void (*datagram_received)(struct loop_transport_t *transport,
                              const void *data,
                              size_t data_length,
                              const void *address,
                              size_t address_length,
                              void *user_data);
    /**
     * Sending or receiving failed with a negative code, such as -ECONNREFUSED
     * after a datagram that nobody took. The transport goes on.
     */
    void (*error_received)(struct loop_transport_t *transport, int code, void *user_data);
    /**
     * More than the high-water mark waits to be sent.
     */
    void (*pause_writing)(struct loop_transport_t *transport, void *user_data);
    /**
     * The low-water mark is reached again.
     */
    void (*resume_writing)(struct loop_transport_t *transport, void *user_data);
    /**
     * The end, once: 0 and NULL after loop_transport_close or _abort, else a
     * negative code and its text (or NULL). The user data is destroyed next.
     */
    void (*connection_lost)(struct loop_transport_t *transport,
                            int code,
                            const char *message,
                            void *user_data);
} loop_datagram_protocol_t;

/**
 * What a layer does when the transport it makes is asked for something: for
 * protocols that stand on others, such as TLS. Set `size` to
 * sizeof(loop_layer_t). A NULL function means LOOP_ENOTSUP. The struct is copied.
 *
 * Each function answers 0 or more, or a negative code, which its caller gets. All
 * run on the loop's thread, and none after loop_layer_connection_lost.
 */
typedef struct loop_layer_t {
    /**
     * sizeof(loop_layer_t).
     */
    size_t size;
    /**
     * loop_transport_write, _writev and _write_owned: the pieces are borrowed
     * for the call.
     */
    int (*write)(struct loop_transport_t *transport,
                 const struct loop_iovec_t *pieces,
                 size_t count,
                 void *user_data);
    /**
     * loop_transport_write_eof.
     */
    int (*write_eof)(struct loop_transport_t *transport, void *user_data);
    /**
     * loop_transport_close, once at most: sooner or later call
     * loop_layer_connection_lost, but not from inside.
     */
    int (*close)(struct loop_transport_t *transport, void *user_data);
    /**
     * loop_transport_abort (0 and NULL) and loop_transport_fail.
     */
    int (*abort)(struct loop_transport_t *transport,
                 int code,
                 const char *message,
                 void *user_data);
    /**
     * loop_transport_pause_reading.
     */
    int (*pause_reading)(struct loop_transport_t *transport, void *user_data);
    /**
     * loop_transport_resume_reading.
     */
    int (*resume_reading)(struct loop_transport_t *transport, void *user_data);
    /**
     * loop_transport_is_reading.
     */
    int (*is_reading)(struct loop_transport_t *transport, void *user_data);
    /**
     * loop_transport_set_write_buffer_limits.
     */
    int (*set_write_buffer_limits)(struct loop_transport_t *transport,
                                   size_t high,
                                   size_t low,
                                   void *user_data);
    /**
     * loop_transport_get_write_buffer_size and _get_write_buffer_limits.
     */
    int (*get_write_buffer)(struct loop_transport_t *transport,
                            size_t *ret_size,
                            size_t *ret_high,
                            size_t *ret_low,
                            void *user_data);
    /**
     * loop_transport_get_extra_info.
     */
    int (*get_extra_info)(struct loop_transport_t *transport,
                          const char *name,
                          void **ret_value,
                          void *user_data);
} loop_layer_t;

/**
 * What a host's executor consists of. The struct is copied. Every function is
 * called with the executor's user data, on whatever thread.
 */
typedef struct loop_executor_vtable_t {
    /**
     * sizeof(loop_executor_vtable_t).
     */
    size_t size;
    /**
     * Takes charge of a job, which must end with one call of
     * loop_executor_job_run or loop_executor_job_discard, on any thread, now
     * or later. 0, or a negative code: refused, the job is not the host's.
     */
    int (*submit)(struct loop_executor_job_t *job, void *user_data);
    /**
     * A job of the host's was cancelled and will do nothing. 1: the host gives
     * it back and forgets it; 0: it keeps it, and ends it as above. NULL: 0.
     * If `job` may have ended meanwhile, it must be compared only.
     */
    int (*cancel)(struct loop_executor_job_t *job, void *user_data);
    /**
     * No more jobs will come. With LOOP_EXECUTOR_WAIT: waits for all that were
     * taken, -ETIMEDOUT if that takes longer than timeout_ns (negative: no limit);
     * with LOOP_EXECUTOR_CANCEL_QUEUED: discards what has not begun. May be
     * called more than once. NULL: there is nothing to do or to wait for.
     */
    int (*shutdown)(uint32_t flags, int64_t timeout_ns, void *user_data);
} loop_executor_vtable_t;

/**
 * A job, called on a thread of the executor. 0 or positive: done, with its
 * result in *ret_result (NULL before). Negative: failed with that code, and
 * with the text of loop_job_fail if there is one;
 * LOOP_ECANCELLED: cancelled.
 */
typedef int (*loop_job_t)(void *user_data, void **ret_result);

/**
 * What kind of addresses are wanted. Set `size` to
 * sizeof(loop_addrinfo_hints_t) and everything else to zero (any), then what
 * you want; the values are those of the system's struct addrinfo.
 */
typedef struct loop_addrinfo_hints_t {
    /**
     * sizeof(loop_addrinfo_hints_t).
     */
    size_t size;
    /**
     * AF_INET, AF_INET6, ...
     */
    int family;
    /**
     * SOCK_STREAM, SOCK_DGRAM, ...
     */
    int socktype;
    /**
     * IPPROTO_TCP, ...
     */
    int protocol;
    /**
     * AI_PASSIVE, AI_CANONNAME, ...
     */
    int flags;
} loop_addrinfo_hints_t;

/**
 * One address, with what a socket for it is made of.
 */
typedef struct loop_addrinfo_t {
    /**
     * Of the socket and of the address.
     */
    int family;
    /**
     * Of the socket.
     */
    int socktype;
    /**
     * Of the socket.
     */
    int protocol;
    /**
     * How many bytes `address` has.
     */
    size_t address_length;
    /**
     * A struct sockaddr.
     */
    const void *address;
    /**
     * In the first entry, if AI_CANONNAME asked for it; otherwise NULL.
     */
    const char *canonical_name;
} loop_addrinfo_t;

/**
 * Is told that a child has ended, on the loop's thread. `returncode` is its
 * exit status, or the negative number of the signal that ended it, or 255 if
 * nobody can know: somebody else took the status, or it was no child of this
 * process. Windows: the exit code, all its 32 bits, of whatever process.
 */
typedef void (*loop_child_callback_t)(int pid, int returncode, void *user_data);

/**
 * What a loop has counted since it was made, or since loop_reinit_after_fork;
 * and, in the fields that end with _now, what waits in it.
 */
typedef struct loop_stats_t {
    /**
     * sizeof(loop_stats_t), set by the caller.
     */
    size_t size;
    /**
     * Turns begun.
     */
    uint64_t turns;
    /**
     * Waits that could block.
     */
    uint64_t waits;
    /**
     * Callbacks taken from the queue to run, cancelled ones included.
     */
    uint64_t callbacks;
    /**
     * Readers and writers found ready.
     */
    uint64_t io_events;
    /**
     * Timers that came due.
     */
    uint64_t timers;
    /**
     * Callbacks taken over from other threads.
     */
    uint64_t posts;
    /**
     * From LOOP_STATS_TIMES on: nanoseconds the loop has run, less those it has
     * waited.
     */
    uint64_t busy_ns;
    /**
     * From LOOP_STATS_TIMES on: nanoseconds it has waited for something to do.
     */
    uint64_t wait_ns;
    /**
     * Callbacks that are ready.
     */
    uint64_t ready_now;
    /**
     * Timers that wait.
     */
    uint64_t timers_now;
    /**
     * Callbacks from other threads that the loop has not taken over yet.
     */
    uint64_t posts_now;
    /**
     * Descriptors with a reader or writer.
     */
    uint64_t fds_now;
    /**
     * With LOOP_STATS_CALLBACKS: how long the longest callback took, with its
     * destructor, in nanoseconds; 0 if none is known.
     */
    uint64_t longest_ns;
    /**
     * Which one it was; NULL if none is known.
     */
    loop_callback_t longest_callback;
    /**
     * Its user data: an identity only, it may be destroyed by now.
     */
    void *longest_user_data;
    /**
     * Its handle, or 0.
     */
    loop_handle_t longest_handle;
    /**
     * The descriptor it was called for, or -1.
     */
    int longest_fd;
} loop_stats_t;

/**
 * Where a standard stream of a program leads.
 */
typedef struct loop_stdio_t {
    /**
     * LOOP_STDIO_...
     */
    uint32_t kind;
    /**
     * With LOOP_STDIO_FD; else 0.
     */
    int fd;
} loop_stdio_t;

/**
 * How to start a program. Set `size` to sizeof(loop_subprocess_options_t) and
 * everything else to zero, then what you want to change. Everything is borrowed
 * for the call.
 */
typedef struct loop_subprocess_options_t {
    /**
     * sizeof(loop_subprocess_options_t).
     */
    size_t size;
    /**
     * The arguments, beginning with the program's name, ended by NULL.
     */
    const char *const *argv;
    /**
     * The program, if it is not argv[0]: a path if it contains a slash, else a
     * name that is looked for along the PATH of the program's environment. On
     * Windows ".exe" may be left out, a backslash is a slash, the system's
     * directories come after PATH and the current one is not searched; batch files are for loop_subprocess_shell (LOOP_ENOTSUP).
     */
    const char *file;
    /**
     * The environment, "NAME=value" each, ended by NULL; NULL: the parent's.
     */
    const char *const *env;
    /**
     * The working directory; NULL: the parent's. A relative path of the program
     * is relative to it.
     */
    const char *cwd;
    /**
     * Standard input, output and error.
     */
    struct loop_stdio_t stdio[3];
    /**
     * Further descriptors that stay open in the program, with their numbers.
     */
    const int *pass_fds;
    /**
     * How many.
     */
    size_t pass_fds_count;
    /**
     * LOOP_SUBPROCESS_... flags.
     */
    uint32_t flags;
    /**
     * With LOOP_SUBPROCESS_SET_PROCESS_GROUP.
     */
    int process_group;
    /**
     * With LOOP_SUBPROCESS_SET_UID.
     */
    uint32_t uid;
    /**
     * With LOOP_SUBPROCESS_SET_GID.
     */
    uint32_t gid;
    /**
     * With LOOP_SUBPROCESS_SET_GROUPS.
     */
    const uint32_t *groups;
    /**
     * How many; 0: none.
     */
    size_t groups_count;
    /**
     * With LOOP_SUBPROCESS_SET_UMASK.
     */
    uint32_t umask;
    /**
     * 0.
     */
    uint32_t reserved;
} loop_subprocess_options_t;

/**
 * What a process calls. Set `size` to sizeof(loop_process_protocol_t) and what
 * you do not want to NULL. connection_made comes first; what the pipes bring,
 * their ends and the end of the process come in any order, so data may still
 * come after process_exited; connection_lost comes after all of them. `process`
 * is borrowed for the call. asyncio: SubprocessProtocol.
 */
typedef struct loop_process_protocol_t {
    /**
     * sizeof(loop_process_protocol_t).
     */
    size_t size;
    /**
     * The process runs; its pipes can be written to.
     */
    void (*connection_made)(struct loop_process_t *process, void *user_data);
    /**
     * `count` bytes came from standard stream `fd` (1 or 2); borrowed for the
     * call.
     */
    void (*pipe_data_received)(struct loop_process_t *process,
                               int fd,
                               const void *data,
                               size_t count,
                               void *user_data);
    /**
     * The pipe to standard stream `fd` ended: 0 and NULL, or a code and a text.
     */
    void (*pipe_connection_lost)(struct loop_process_t *process,
                                 int fd,
                                 int code,
                                 const char *message,
                                 void *user_data);
    /**
     * The process ended: loop_process_returncode knows how.
     */
    void (*process_exited)(struct loop_process_t *process, void *user_data);
    /**
     * The process and all of its pipes ended. `code` is 0, `message` is NULL.
     */
    void (*connection_lost)(struct loop_process_t *process,
                            int code,
                            const char *message,
                            void *user_data);
    /**
     * More waits to be sent to standard input than the transport's high-water
     * mark: write no more.
     */
    void (*pause_writing)(struct loop_process_t *process, void *user_data);
    /**
     * The low-water mark is reached: write again.
     */
    void (*resume_writing)(struct loop_process_t *process, void *user_data);
} loop_process_protocol_t;

/**
 * What a watchdog knows of a callback that takes long.
 */
typedef struct loop_watchdog_report_t {
    /**
     * sizeof(loop_watchdog_report_t), as the library knows it.
     */
    size_t size;
    /**
     * The callback.
     */
    loop_callback_t callback;
    /**
     * Its user data: an identity only; it may be in use, or destroyed by now.
     */
    void *user_data;
    /**
     * Its handle, or 0.
     */
    loop_handle_t handle;
    /**
     * The descriptor it was called for, or -1.
     */
    int fd;
    /**
     * How many reports of this very call came before.
     */
    uint32_t earlier;
    /**
     * How long it has run by now, in nanoseconds.
     */
    uint64_t duration_ns;
} loop_watchdog_report_t;

/**
 * Told of a callback that holds its loop up. Runs on the watchdog's thread,
 * while the callback runs on the loop's.
 */
typedef void (*loop_watchdog_callback_t)(struct loop_t *loop,
                                         const struct loop_watchdog_report_t *report,
                                         void *user_data);

/**
 * What was received: the result of loop_sock_recv, loop_sock_recvfrom and
 * loop_sock_recvfrom_into. It belongs to its future and lives as long.
 */
typedef struct loop_received_t {
    /**
     * How many bytes; 0 at the end of a stream.
     */
    size_t length;
    /**
     * The bytes: the future's own, or those of the buffer that was given.
     */
    const void *data;
    /**
     * The length of the address; 0 where none was asked for, or the sender
     * has none.
     */
    size_t address_length;
    /**
     * From whom: a struct sockaddr, or NULL.
     */
    const void *address;
} loop_received_t;

/**
 * The result of loop_gather's future; belongs to that future.
 */
typedef struct loop_gathered_t {
    /**
     * How many futures there were.
     */
    size_t count;
    /**
     * Their results in the order in which they were given; NULL where one failed.
     */
    void *const *results;
    /**
     * Their codes: 0, or how one failed.
     */
    const int *codes;
    /**
     * The futures themselves, borrowed; they keep the results alive.
     */
    struct loop_future_t *const *futures;
} loop_gathered_t;

/**
 * The result of loop_wait's future; belongs to that future.
 */
typedef struct loop_waited_t {
    /**
     * How many are done.
     */
    size_t done_count;
    /**
     * They, borrowed, in the order in which they were given.
     */
    struct loop_future_t *const *done;
    /**
     * How many are not.
     */
    size_t pending_count;
    /**
     * They, borrowed.
     */
    struct loop_future_t *const *pending;
} loop_waited_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version as text, such as "0.1.0". Static. Any thread.
 */
const char *coloop_version(void);

/**
 * The version as a number: major << 16 | minor << 8 | patch. Any thread.
 */
uint32_t coloop_version_number(void);

/**
 * A number that tells copies of the library in one process apart: two callers
 * that get the same number share loops and policy. Any thread.
 */
uint64_t coloop_instance_id(void);

/**
 * A new loop with default options, and one reference to it; NULL on failure
 * (see loop_last_error). Opens no descriptor until the loop has to wait.
 * Any thread. asyncio: new_event_loop().
 */
struct loop_t *loop_new(void);

/**
 * A new loop with options (NULL: the defaults) in *ret_loop, with one
 * reference. 0, or LOOP_EINVAL for a wrong size, unknown fields or flags, or a
 * backend that the platform lacks. Any thread.
 */
int loop_create(const struct loop_options_t *options, struct loop_t **ret_loop);

/**
 * Takes one more reference; returns `loop`. NULL is allowed. Any thread, also
 * after close and after fork.
 */
struct loop_t *loop_ref(struct loop_t *loop);

/**
 * Gives one reference back. The last one closes the loop, if nobody did, and
 * frees it. NULL is allowed. Any thread, also after close and after fork.
 */
void loop_unref(struct loop_t *loop);

/**
 * Closes the loop: queued callbacks are dropped without running, their user
 * data is destroyed, descriptors are closed. Jobs that run on the default
 * executor are not waited for: loop_shutdown_default_executor before does that.
 * Closing again is no error; the
 * reference stays to be given back. LOOP_ERUNNING while the loop runs,
 * LOOP_EWRONG_THREAD while another thread is inside. [loop thread]
 * In a forked child it closes the child's copies and leaves the parent's loop
 * working. asyncio: loop.close().
 */
int loop_close(struct loop_t *loop);

/**
 * Runs the loop in this thread until it is stopped: 0. A positive code of
 * loop_interrupt is returned as it is. LOOP_ECLOSED, LOOP_ERUNNING,
 * LOOP_EOTHER_RUNNING (checked in this order), LOOP_EWRONG_THREAD, LOOP_EFORKED
 * (also in a child that returns from a callback in which it was forked), or the
 * negative errno of a wait that failed. asyncio: loop.run_forever().
 */
int loop_run_forever(struct loop_t *loop);

/**
 * Ends the run after the present turn; before a run, that run makes exactly
 * one turn. From another thread only the flag is set, and a sleeping loop does
 * not see it: use loop_stop_threadsafe. A closed loop is no error.
 * asyncio: loop.stop().
 */
int loop_stop(struct loop_t *loop);

/**
 * Ends the run once everything posted before has run, and wakes the loop.
 * LOOP_ECLOSED, -ENOMEM. [any thread]
 * asyncio: loop.call_soon_threadsafe(loop.stop).
 */
int loop_stop_threadsafe(struct loop_t *loop);

/**
 * Inside a callback: leaves the run right after this callback; in a hook of a
 * wait: before anything else runs. What is queued stays queued for the next
 * run. The run returns `code`, which must be positive. LOOP_ENO_RUNNING when the loop does not run. [loop thread]
 */
int loop_interrupt(struct loop_t *loop,
                   int code);

/**
 * 1 while the loop runs, in whatever thread; else 0. [any thread]
 */
int loop_is_running(const struct loop_t *loop);

/**
 * 1 when the loop is closed, else 0. [any thread], also after fork.
 */
int loop_is_closed(const struct loop_t *loop);

/**
 * The loop's clock now, in nanoseconds since an arbitrary start; 0 for NULL.
 * [any thread], also after close and after fork. asyncio: loop.time().
 */
uint64_t loop_time(const struct loop_t *loop);

/**
 * The clock as the loop read it last in this turn: cheaper than loop_time, and
 * older by what callbacks took since. [loop thread]
 */
uint64_t loop_time_cached(struct loop_t *loop);

/**
 * Debug mode: refuses scheduling from wrong threads and reports slow
 * callbacks. [any thread], also after close. asyncio: loop.set_debug().
 */
int loop_set_debug(struct loop_t *loop, int enabled);

/**
 * 1 in debug mode, else 0. [any thread]
 */
int loop_get_debug(const struct loop_t *loop);

/**
 * How the loop watches descriptors: "epoll", "kqueue", "poll" or
 * "iocp"; NULL for NULL. Static. [any thread]
 */
const char *loop_backend_name(const struct loop_t *loop);

/**
 * Writes "<coloop.EventLoop running=False closed=False debug=False>" by
 * snprintf's rules: at most `size` bytes with the final NUL; returns the length
 * of the whole text. `buffer` may be NULL when `size` is 0. [any thread], also
 * after close and after fork. asyncio: repr(loop).
 */
int loop_describe(const struct loop_t *loop, char *buffer, size_t size);

/**
 * In a forked child: makes an inherited loop this process's own. Timers stay;
 * `flags` keep more: LOOP_REINIT_KEEP_IO the readers and writers whose
 * descriptors are open, LOOP_REINIT_KEEP_READY what was ready to run. All else
 * is dropped and destroyed. Nothing shared with the parent is touched.
 * LOOP_EINVAL if the loop was not inherited, for unknown flags, or if another
 * thread was inside the loop at the fork; LOOP_ECLOSED; -errno.
 */
int loop_reinit_after_fork(struct loop_t *loop, uint32_t flags);

/**
 * The loop that runs in this thread, in *ret_loop, borrowed: it lives at least
 * until the run ends. LOOP_ENO_RUNNING if there is none, also in a child forked
 * inside a callback. [any thread] asyncio: get_running_loop().
 */
int loop_get_running(struct loop_t **ret_loop);

/**
 * Runs `callback` in the loop's next turn, after everything scheduled before.
 * `destroy` may be NULL; it runs exactly once, also when this call fails.
 * `ret_handle` may be NULL. 0, LOOP_EINVAL (NULL loop or callback),
 * LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM. From a thread that is not the loop's it
 * is queued without waking the loop; in debug mode LOOP_EWRONG_THREAD.
 * asyncio: loop.call_soon().
 */
int loop_call_soon(struct loop_t *loop,
                   loop_callback_t callback,
                   void *user_data,
                   loop_destroy_t destroy,
                   loop_handle_t *ret_handle);

/**
 * loop_call_soon in a context: asyncio's context=. One reference to
 * `context` passes to the loop, which releases it by the hook of
 * loop_set_context_hooks once the callback has run or was dropped, and also
 * when this call fails. Only if the loop is NULL or has no such hooks the
 * reference stays the caller's: LOOP_EINVAL. All else as loop_call_soon.
 */
int loop_call_soon_context(struct loop_t *loop,
                           loop_callback_t callback,
                           void *user_data,
                           loop_destroy_t destroy,
                           void *context,
                           loop_handle_t *ret_handle);

/**
 * The same from any thread, and wakes the loop: before, during and after a run,
 * never coalesced, in the order of arrival. A handle obtained here may be used
 * from any thread. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM.
 * [any thread], not inside signal handlers (see loop_wakeup).
 * asyncio: loop.call_soon_threadsafe().
 */
int loop_call_soon_threadsafe(struct loop_t *loop,
                              loop_callback_t callback,
                              void *user_data,
                              loop_destroy_t destroy,
                              loop_handle_t *ret_handle);

/**
 * loop_call_soon_threadsafe in a context: asyncio's context=. One reference to
 * `context` passes to the loop, which releases it by the hook of
 * loop_set_context_hooks once the callback has run or was dropped, and also
 * when this call fails. Only if the loop is NULL or has no such hooks the
 * reference stays the caller's: LOOP_EINVAL. All else as loop_call_soon_threadsafe.
 */
int loop_call_soon_threadsafe_context(struct loop_t *loop,
                                      loop_callback_t callback,
                                      void *user_data,
                                      loop_destroy_t destroy,
                                      void *context,
                                      loop_handle_t *ret_handle);

/**
 * Runs `callback` once `delay_ns` nanoseconds have passed from now, never
 * earlier. Equal deadlines run in the order of scheduling; 0 or less is due in
 * the next turn, behind what is ready. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED,
 * LOOP_EWRONG_THREAD, -ENOMEM. [loop thread] asyncio: loop.call_later().
 */
int loop_call_later(struct loop_t *loop,
                    int64_t delay_ns,
                    loop_callback_t callback,
                    void *user_data,
                    loop_destroy_t destroy,
                    loop_handle_t *ret_handle);

/**
 * loop_call_later in a context: asyncio's context=. One reference to
 * `context` passes to the loop, which releases it by the hook of
 * loop_set_context_hooks once the callback has run or was dropped, and also
 * when this call fails. Only if the loop is NULL or has no such hooks the
 * reference stays the caller's: LOOP_EINVAL. All else as loop_call_later.
 */
int loop_call_later_context(struct loop_t *loop,
                            int64_t delay_ns,
                            loop_callback_t callback,
                            void *user_data,
                            loop_destroy_t destroy,
                            void *context,
                            loop_handle_t *ret_handle);

/**
 * Runs `callback` at `when_ns` on the clock of loop_time, never earlier.
 * LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
 * [loop thread] asyncio: loop.call_at().
 */
int loop_call_at(struct loop_t *loop,
                 uint64_t when_ns,
                 loop_callback_t callback,
                 void *user_data,
                 loop_destroy_t destroy,
                 loop_handle_t *ret_handle);

/**
 * loop_call_at in a context: asyncio's context=. One reference to
 * `context` passes to the loop, which releases it by the hook of
 * loop_set_context_hooks once the callback has run or was dropped, and also
 * when this call fails. Only if the loop is NULL or has no such hooks the
 * reference stays the caller's: LOOP_EINVAL. All else as loop_call_at.
 */
int loop_call_at_context(struct loop_t *loop,
                         uint64_t when_ns,
                         loop_callback_t callback,
                         void *user_data,
                         loop_destroy_t destroy,
                         void *context,
                         loop_handle_t *ret_handle);

/**
 * Wakes the loop if it sleeps, and runs nothing by itself: for signal handlers
 * that have left their news where something on the loop's thread looks, such as
 * the hook after a wait. The only function that a signal handler may call.
 * LOOP_ECLOSED, LOOP_EFORKED. [any thread] [signal-safe]
 */
int loop_wakeup(struct loop_t *loop);

/**
 * Cancels: the callback will not start, and its user data is destroyed now, on
 * this thread. 0, also when it was cancelled before and the loop remembers;
 * LOOP_ESTALE when it ran, runs or was forgotten (harmless). Handles of
 * loop_call_soon_threadsafe may be cancelled by any thread; the call waits
 * until a callback that is running has ended (so the caller must hold nothing
 * that it needs), unless that callback makes it. LOOP_ECLOSED, LOOP_EFORKED,
 * LOOP_EWRONG_THREAD. [loop thread] otherwise. asyncio: handle.cancel().
 */
int loop_handle_cancel(struct loop_t *loop, loop_handle_t handle);

/**
 * 1 if it was cancelled, 0 if it waits to run. A cancelled handle is remembered
 * until the loop reuses its record; then, and once it runs, LOOP_ESTALE.
 * Threads as loop_handle_cancel. asyncio: handle.cancelled().
 */
int loop_handle_cancelled(struct loop_t *loop, loop_handle_t handle);

/**
 * When a waiting timer is due, in *ret_when, on the clock of loop_time. 0;
 * LOOP_EINVAL if the handle is no waiting timer, LOOP_ESTALE if it ran, runs
 * or was cancelled, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread] asyncio: handle.when().
 */
int loop_handle_when(struct loop_t *loop,
                     loop_handle_t handle,
                     uint64_t *ret_when);

/**
 * Moves a waiting timer to `when_ns`, in place: cheaper than cancelling and
 * scheduling again, and the handle stays. A timer that runs no longer waits: to
 * repeat it, schedule it anew. Among equal deadlines it stands where a new timer
 * would. Errors and threads as loop_handle_when; -ENOMEM.
 */
int loop_handle_reschedule(struct loop_t *loop, loop_handle_t handle, uint64_t when_ns);

/**
 * Calls `callback` in every turn in which `fd` is readable, at its end, hung up or broken
 * (level-triggered), until loop_remove_reader. A reader registered before is
 * cancelled and replaced; the other direction is not touched. 0, LOOP_EINVAL
 * (NULL, negative fd), -EBADF (closed), -EBUSY (a transport has it), -EPERM (a plain file), LOOP_ECLOSED,
 * LOOP_EFORKED, LOOP_EWRONG_THREAD, -EMFILE, -ENOMEM. Remove before closing the
 * descriptor. If you cannot: once the number is added again, nothing of its
 * predecessor is delivered any more; until then, events of the old file go on as
 * long as a duplicate keeps that file open. (Windows does not tell of a socket
 * that is closed between its event and the loop's next wait, such as in its own
 * callback: there a reader or writer that you did not remove is its successor's.)
 * What a callback removes or replaces while it runs, itself, is destroyed when it
 * returns.
 * [loop thread] asyncio: loop.add_reader().
 */
int loop_add_reader(struct loop_t *loop,
                    int fd,
                    loop_callback_t callback,
                    void *user_data,
                    loop_destroy_t destroy);

/**
 * loop_add_reader in a context; see loop_call_soon_context.
 */
int loop_add_reader_context(struct loop_t *loop,
                            int fd,
                            loop_callback_t callback,
                            void *user_data,
                            loop_destroy_t destroy,
                            void *context);

/**
 * Ends what loop_add_reader began, at once: an event already queued is not
 * delivered. 1 if there was a reader, 0 if not (always on a closed loop),
 * -EBUSY (a transport has it), LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread] asyncio: loop.remove_reader().
 */
int loop_remove_reader(struct loop_t *loop,
                       int fd);

/**
 * Calls `callback` in every turn in which `fd` is writable, hung up or broken
 * (level-triggered), until loop_remove_writer. A writer registered before is
 * cancelled and replaced; the other direction is not touched. 0, LOOP_EINVAL
 * (NULL, negative fd), -EBADF (closed), -EBUSY (a transport has it), -EPERM (a plain file), LOOP_ECLOSED,
 * LOOP_EFORKED, LOOP_EWRONG_THREAD, -EMFILE, -ENOMEM. Remove before closing the
 * descriptor. If you cannot: once the number is added again, nothing of its
 * predecessor is delivered any more; until then, events of the old file go on as
 * long as a duplicate keeps that file open. (Windows does not tell of a socket
 * that is closed between its event and the loop's next wait, such as in its own
 * callback: there a reader or writer that you did not remove is its successor's.)
 * What a callback removes or replaces while it runs, itself, is destroyed when it
 * returns.
 * [loop thread] asyncio: loop.add_writer().
 */
int loop_add_writer(struct loop_t *loop,
                    int fd,
                    loop_callback_t callback,
                    void *user_data,
                    loop_destroy_t destroy);

/**
 * loop_add_writer in a context; see loop_call_soon_context.
 */
int loop_add_writer_context(struct loop_t *loop,
                            int fd,
                            loop_callback_t callback,
                            void *user_data,
                            loop_destroy_t destroy,
                            void *context);

/**
 * Ends what loop_add_writer began, at once: an event already queued is not
 * delivered. 1 if there was a writer, 0 if not (always on a closed loop),
 * -EBUSY (a transport has it), LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread] asyncio: loop.remove_writer().
 */
int loop_remove_writer(struct loop_t *loop,
                       int fd);

/**
 * One turn: waits at most `timeout_ns` nanoseconds (negative: as long as it
 * takes) for something to do, and does it. How many callbacks were taken,
 * cancelled ones included; 0 also when a signal ended the wait. loop_stop and
 * loop_interrupt end this turn as they end a run, and no more: the host decides
 * about the next. The errors of loop_run_forever. [loop thread]
 */
int loop_run_once(struct loop_t *loop, int64_t timeout_ns);

/**
 * A descriptor that becomes readable when the loop has I/O or, after
 * loop_prepare, anything else to do. It stays the loop's: wait on it, never
 * read or close it, and ask again after each turn, since the loop may have to
 * replace it. LOOP_ENOTSUP where the backend has none ("poll", "iocp"),
 * -errno, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread]
 */
int loop_backend_fd(struct loop_t *loop);

/**
 * The earliest deadline in *ret_when and 1, or 0 when no timer waits.
 * LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread]
 */
int loop_next_deadline(struct loop_t *loop, uint64_t *ret_when);

/**
 * Step one of a turn made by a host: how long it may wait on loop_backend_fd,
 * in *ret_timeout_ns: nanoseconds, 0 for not at all, -1 for ever. From then on
 * a post, or a nearer deadline, makes the descriptor readable and calls the
 * wake hook. When the time is over, it is readable as well where the system can
 * do that (not with timer_slack_ns or a clock of the host's): a host that counts
 * in milliseconds, rounded up, is not late then.
 * Errors as loop_run_forever. [loop thread], not inside a callback.
 */
int loop_prepare(struct loop_t *loop, int64_t *ret_timeout_ns);

/**
 * Step two: collects what is ready, waiting at most `timeout_ns` (negative: as
 * long as it takes; a host that has waited itself passes 0). How many
 * callbacks were queued. Errors and threads as loop_prepare.
 */
int loop_poll(struct loop_t *loop, int64_t timeout_ns);

/**
 * Step three, always needed: runs what was collected, posted and due. How many
 * callbacks were taken. Errors as loop_run_forever. [loop thread]
 */
int loop_dispatch(struct loop_t *loop);

/**
 * Calls `before_wait` just before and `after_wait` just after every wait that
 * may block, on the loop's thread: a language runtime lets go of its lock
 * there. Each may be NULL; both NULL ends it. `destroy` runs when the hooks are
 * replaced or the loop closes. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED,
 * LOOP_EWRONG_THREAD. [loop thread]
 */
int loop_set_wait_hooks(struct loop_t *loop,
                        loop_hook_t before_wait,
                        loop_hook_t after_wait,
                        void *user_data,
                        loop_destroy_t destroy);

/**
 * For a loop that a host drives by loop_prepare: calls `hook` when, after it,
 * somebody posts (on the poster's thread) or a deadline comes nearer than the
 * host was told (on the loop's thread). At most once for each loop_prepare.
 * loop_wakeup, which signal handlers call, does not call it.
 * NULL ends it. Errors as loop_set_wait_hooks.
 */
int loop_set_wake_hook(struct loop_t *loop,
                       loop_hook_t hook,
                       void *user_data,
                       loop_destroy_t destroy);

/**
 * Sets how contexts are captured, entered, left and released (copied); NULL
 * ends it for callbacks scheduled from then on. Callbacks that wait keep the
 * hooks they were scheduled with. `destroy` runs when the hooks are replaced
 * or the loop is freed (not yet when it closes: contexts may still come and
 * must be released), and nothing waits with them any more. LOOP_EINVAL also
 * for a wrong size. [loop thread]
 * asyncio: the context= of the scheduling functions.
 */
int loop_set_context_hooks(struct loop_t *loop,
                           const struct loop_context_hooks_t *hooks,
                           void *user_data,
                           loop_destroy_t destroy);

/**
 * Sets who is told of failures that nobody waits for; NULL restores the
 * default, which prints to stderr. `destroy` runs when the handler is replaced
 * or the loop closes. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED,
 * LOOP_EWRONG_THREAD. [loop thread] asyncio: loop.set_exception_handler().
 */
int loop_set_exception_handler(struct loop_t *loop,
                               loop_exception_handler_t handler,
                               void *user_data,
                               loop_destroy_t destroy);

/**
 * Gives a failure to the loop's handler, now. LOOP_EINVAL (NULL, wrong size),
 * LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread]
 * asyncio: loop.call_exception_handler().
 */
int loop_call_exception_handler(struct loop_t *loop,
                                const struct loop_exception_context_t *context);

/**
 * What happens without a handler: the message, then "key: value" lines, on
 * stderr. LOOP_EINVAL. [any thread] asyncio: loop.default_exception_handler().
 */
int loop_default_exception_handler(struct loop_t *loop,
                                   const struct loop_exception_context_t *context);

/**
 * Inside a callback: reports that it failed. The handler gets "Exception in
 * callback" with `code`, the text `exception` (may be NULL) and the callback's
 * identity. LOOP_ENO_RUNNING outside a callback. [loop thread]
 * asyncio: raising in a callback.
 */
int loop_callback_failed(struct loop_t *loop, int code, const char *exception);

/**
 * Sets who is told of slow callbacks in debug mode; NULL restores a line on
 * stderr. Errors and destroy as loop_set_exception_handler. [loop thread]
 */
int loop_set_slow_callback_hook(struct loop_t *loop,
                                loop_slow_callback_hook_t hook,
                                void *user_data,
                                loop_destroy_t destroy);

/**
 * From how many nanoseconds on debug mode calls a callback slow (at first 100
 * ms). LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED. [any thread]
 * asyncio: loop.slow_callback_duration.
 */
int loop_set_slow_callback_duration(struct loop_t *loop, uint64_t duration_ns);

/**
 * The present limit in nanoseconds; 0 for NULL. [any thread]
 */
uint64_t loop_get_slow_callback_duration(const struct loop_t *loop);

/**
 * This thread's loop in *ret_loop: the running one if there is one, else the
 * policy's. Borrowed: valid until the thread's loop is set anew. In LEGACY mode
 * the main thread gets a new loop if nothing was ever set.
 * LOOP_ENO_CURRENT if there is none, LOOP_EINVAL, or a host policy's code.
 * [any thread] asyncio: get_event_loop().
 */
int policy_get_event_loop(struct loop_t **ret_loop);

/**
 * Makes `loop` this thread's loop, which takes a reference; NULL for none. The
 * same loop may be set in several threads. 0 or a host policy's code.
 * [any thread] asyncio: set_event_loop().
 */
int policy_set_event_loop(struct loop_t *loop);

/**
 * A new loop by the policy in *ret_loop, with one reference. It is not set.
 * [any thread] asyncio: new_event_loop().
 */
int policy_new_event_loop(struct loop_t **ret_loop);

/**
 * Sets the default policy's mode, POLICY_LEGACY or POLICY_STRICT, for the
 * process. LOOP_EINVAL. [any thread]
 */
int policy_set_mode(int mode);

/**
 * The default policy's mode. [any thread]
 */
int policy_get_mode(void);

/**
 * A policy of the host's functions (copied) in *ret_policy, with one reference.
 * `destroy` runs when the policy ends, or when this fails. LOOP_EINVAL for
 * NULL, a wrong size or a missing function. [any thread]
 */
int policy_new(const struct policy_vtable_t *vtable,
               void *user_data,
               loop_destroy_t destroy,
               struct policy_t **ret_policy);

/**
 * Takes one more reference; returns `policy`. NULL is allowed. [any thread]
 */
struct policy_t *policy_ref(struct policy_t *policy);

/**
 * Gives one reference back. NULL is allowed. [any thread]
 */
void policy_unref(struct policy_t *policy);

/**
 * Makes `policy` the process's (it takes a reference); NULL restores the
 * default one. [any thread] asyncio: set_event_loop_policy().
 */
int policy_set(struct policy_t *policy);

/**
 * The process's policy, the same pointer in every thread; borrowed: valid until
 * policy_set. [any thread] asyncio: get_event_loop_policy().
 */
struct policy_t *policy_get(void);

/**
 * policy_get_event_loop of one policy, without asking what runs. LOOP_EINVAL.
 * asyncio: policy.get_event_loop().
 */
int policy_object_get_event_loop(struct policy_t *policy, struct loop_t **ret_loop);

/**
 * policy_set_event_loop of one policy. LOOP_EINVAL.
 */
int policy_object_set_event_loop(struct policy_t *policy, struct loop_t *loop);

/**
 * policy_new_event_loop of one policy. LOOP_EINVAL.
 */
int policy_object_new_event_loop(struct policy_t *policy, struct loop_t **ret_loop);

/**
 * A pending future of `loop` in *ret_future, with one reference. Whoever made
 * it ends it with loop_future_set_result or _set_exception. 0, LOOP_EINVAL,
 * LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM. [any thread] asyncio: loop.create_future().
 */
int loop_future_new(struct loop_t *loop, struct loop_future_t **ret_future);

/**
 * A pending future of `loop` for work that goes on elsewhere and may need time
 * to end, as a task does: as long as it is pending, loop_future_cancel asks
 * `cancel`, and whoever awaits the future goes on when its maker has ended it. The
 * maker ends it as cancelled by loop_future_cancel, and answers -1. `destroy` runs
 * exactly once, when the future is done or freed, also when this call fails.
 * LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
 */
int loop_future_new_cancellable(struct loop_t *loop,
                                loop_future_cancel_t cancel,
                                void *user_data,
                                loop_destroy_t destroy,
                                struct loop_future_t **ret_future);

/**
 * Takes one more reference; returns `future`. NULL is allowed. [any thread]
 */
struct loop_future_t *loop_future_ref(struct loop_future_t *future);

/**
 * Gives a reference back. With the last one the result's destructor and those
 * of callbacks that never ran are called; a failure that nobody asked for goes
 * to the exception handler: "Future exception was never retrieved". NULL is
 * allowed. [any thread], also after close and after fork.
 */
void loop_future_unref(struct loop_future_t *future);

/**
 * The future's loop, borrowed: valid as long as the future. [any thread]
 * asyncio: future.get_loop().
 */
struct loop_t *loop_future_get_loop(struct loop_future_t *future);

/**
 * 1 if the future is done (cancelled, too), 0 if not. LOOP_EINVAL,
 * LOOP_EWRONG_THREAD, LOOP_EFORKED. [loop thread] asyncio: future.done().
 */
int loop_future_done(struct loop_future_t *future);

/**
 * 1 if the future was cancelled, 0 if not. Errors as loop_future_done.
 * asyncio: future.cancelled().
 */
int loop_future_cancelled(struct loop_future_t *future);

/**
 * How the future ended: 0 with its result in *ret_result (may be NULL), which
 * stays the future's; the code of its failure, or LOOP_ECANCELLED, each with
 * its text in loop_last_error; LOOP_EINVALID_STATE "Result is not set." while
 * it is pending. A failure counts as retrieved. Other errors as
 * loop_future_done. asyncio: future.result().
 */
int loop_future_result(struct loop_future_t *future, void **ret_result);

/**
 * The failure of a done future: 0 and NULL in *ret_message after a result,
 * else 1 with its code in *ret_code and its text in *ret_message, which lives
 * as long as the future (either pointer may be NULL). LOOP_ECANCELLED if it was
 * cancelled, LOOP_EINVALID_STATE "Exception is not set." while it is pending.
 * Other errors as loop_future_done. asyncio: future.exception().
 */
int loop_future_exception(struct loop_future_t *future,
                          int *ret_code,
                          const char **ret_message);

/**
 * What loop_future_set_exception_data attached to the failure; NULL otherwise.
 * Borrowed: valid as long as the future. [loop thread]
 */
void *loop_future_exception_data(struct loop_future_t *future);

/**
 * The destructor that came with the result, or with what is attached to the
 * failure; NULL if there is none, and before the future is done. By it a host
 * knows what is its own, of a type that it may look into, such as an object of
 * its language. Does not count as retrieved. [loop thread]
 */
loop_destroy_t loop_future_get_destroy(struct loop_future_t *future);

/**
 * How many references there are, those of the library included, such as the one
 * of a task that awaits the future. If the caller has the only one, nobody else
 * can end the future any more: for garbage collectors. Others may change the
 * number at any time. 0 for NULL. [any thread]
 */
size_t loop_future_use_count(struct loop_future_t *future);

/**
 * Finishes the future with a result, which it destroys with its last
 * reference, or at once if this call fails. Callbacks are scheduled in the
 * order of their registration. LOOP_EINVALID_STATE if it is done already or a
 * task's,
 * LOOP_ECLOSED if there are callbacks and the loop is closed (it stays
 * pending), others as loop_future_done. asyncio: future.set_result().
 */
int loop_future_set_result(struct loop_future_t *future,
                           void *result,
                           loop_destroy_t destroy);

/**
 * Finishes the future with a failure: a negative code and a text, which is
 * copied; NULL: the text of loop_strerror. LOOP_EINVAL also for a code that is
 * not negative; LOOP_ECANCELLED is for loop_future_cancel alone. Others as
 * loop_future_set_result. asyncio: future.set_exception().
 */
int loop_future_set_exception(struct loop_future_t *future,
                              int code,
                              const char *message);

/**
 * The same with something of the host's own, such as an exception of its
 * language, which is destroyed with the failure, or at once if this call fails.
 */
int loop_future_set_exception_data(struct loop_future_t *future,
                                   int code,
                                   const char *message,
                                   void *data,
                                   loop_destroy_t destroy);

/**
 * Finishes the future with the failure of `failed`, a done future of the same
 * loop: both have the same text and data then, which end with the last of them.
 * LOOP_EINVALID_STATE also if that has not failed, LOOP_EWRONG_LOOP. Others as
 * loop_future_set_result.
 */
int loop_future_set_exception_of(struct loop_future_t *future,
                                 struct loop_future_t *failed);

/**
 * Cancels the future: 1 if it is or will be cancelled, 0 if it is done already
 * or refuses. `message` (copied) may be NULL. What worked on it lets go before
 * this returns: descriptors are unregistered, queued jobs are dropped. A task
 * is told at its next step instead. Errors as loop_future_set_result.
 * asyncio: future.cancel().
 */
int loop_future_cancel(struct loop_future_t *future, const char *message);

/**
 * Schedules `callback` by loop_call_soon once the future is done, which may be
 * now; never called from inside this function. Callbacks run in the order of
 * their registration, in the context of the caller if the loop has context
 * hooks, and keep the future alive until they ran. `destroy` runs exactly once,
 * also when this call fails. LOOP_EINVAL, LOOP_EWRONG_THREAD, LOOP_EFORKED,
 * LOOP_ECLOSED (if it is done and the loop is closed), -ENOMEM. [loop thread]
 * asyncio: future.add_done_callback().
 */
int loop_future_add_done_callback(struct loop_future_t *future,
                                  loop_future_callback_t callback,
                                  void *user_data,
                                  loop_destroy_t destroy);

/**
 * The same in a context, by the rules of loop_call_soon_context.
 */
int loop_future_add_done_callback_context(struct loop_future_t *future,
                                          loop_future_callback_t callback,
                                          void *user_data,
                                          loop_destroy_t destroy,
                                          void *context);

/**
 * Takes back every registration of this function with this user data that was
 * not scheduled yet, and destroys its data: how many there were. Errors as
 * loop_future_done. asyncio: future.remove_done_callback().
 */
int loop_future_remove_done_callback(struct loop_future_t *future,
                                     loop_future_callback_t callback,
                                     void *user_data);

/**
 * Starts a task on `loop`: its first step runs in the next turn. `destroy` runs
 * exactly once, also when this call fails. `ret_task` may be NULL, otherwise it
 * gets one reference, for loop_task_unref. 0, LOOP_EINVAL, LOOP_ECLOSED,
 * LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
 * asyncio: loop.create_task().
 */
int loop_create_task(struct loop_t *loop,
                     loop_task_step_t step,
                     void *user_data,
                     loop_destroy_t destroy,
                     struct loop_task_t **ret_task);

/**
 * The same with options (NULL: the defaults).
 */
int loop_create_task_with(struct loop_t *loop,
                          const struct loop_task_options_t *options,
                          loop_task_step_t step,
                          void *user_data,
                          loop_destroy_t destroy,
                          struct loop_task_t **ret_task);

/**
 * Takes one more reference; returns `task`. NULL is allowed. [any thread]
 */
struct loop_task_t *loop_task_ref(struct loop_task_t *task);

/**
 * Gives a reference back; the task goes on. NULL is allowed. [any thread], also
 * after close and after fork.
 */
void loop_task_unref(struct loop_task_t *task);

/**
 * The future of the task's result, borrowed: valid as long as the task. Its
 * loop_future_cancel cancels the task. NULL for NULL. [any thread]
 */
struct loop_future_t *loop_task_future(struct loop_task_t *task);

/**
 * For a step: the task waits for `future`, whose reference passes to the task,
 * also when this fails. Returns what the step then returns: LOOP_TASK_AWAIT, or
 * a negative code: LOOP_EINVAL "Task cannot await on itself" or NULL,
 * LOOP_EWRONG_LOOP, LOOP_EINVALID_STATE outside a step. A future that is done
 * already is followed by the next step at once (but see loop_sleep).
 * [loop thread]
 */
int loop_task_await(struct loop_task_t *task, struct loop_future_t *future);

/**
 * For a step: what the task awaited last, borrowed until the step returns, to
 * read its result. NULL if it awaited nothing. [loop thread]
 */
struct loop_future_t *loop_task_awaited(struct loop_task_t *task);

/**
 * For a step: the task waits for loop_task_wake, which needs no future and no
 * memory. Returns what the step then returns: LOOP_TASK_PARK, or
 * LOOP_EINVALID_STATE outside a step. What is to wake the task, such as a timer
 * or a reader, is the caller's. If the task is cancelled first,
 * `cancelled(user_data)` is called at once (it may be NULL), so that this is
 * undone before loop_task_cancel returns; the next step gets LOOP_ECANCELLED,
 * and no uncancelling changes that. It is not called after loop_task_wake, nor
 * when the loop closes: there the step's own destructor is. [loop thread]
 */
int loop_task_park(struct loop_task_t *task, loop_callback_t cancelled, void *user_data);

/**
 * Lets a parked task go on: its step runs in the loop's next turn, or, if there
 * is no memory to note that, as soon as there is. Valid from loop_task_park on,
 * also before that step has returned; again, or after a cancellation, it changes
 * nothing. 0; LOOP_EINVALID_STATE if the task does not park, and nothing is
 * remembered then; LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD.
 * [loop thread]; others use loop_call_soon_threadsafe.
 */
int loop_task_wake(struct loop_task_t *task);

/**
 * loop_task_wake, but the step runs now, before this returns: for callbacks of the
 * loop that have nothing else to do, such as of a reader, so that no turn passes.
 * Where the loop does not run, and inside the step of any task, it is just
 * loop_task_wake. Results and errors are the same. [loop thread]
 */
int loop_task_wake_now(struct loop_task_t *task);

/**
 * For a step: the task's result. Returns what the step then returns:
 * LOOP_TASK_DONE, or LOOP_EINVALID_STATE outside a step. `destroy` as with
 * loop_future_set_result. [loop thread]
 */
int loop_task_return(struct loop_task_t *task, void *result, loop_destroy_t destroy);

/**
 * For a step: the task's failure with a text of its own (copied). Returns what
 * the step then returns: `code`, which must be negative (LOOP_EINVAL), or
 * LOOP_EINVALID_STATE outside a step. [loop thread]
 */
int loop_task_fail(struct loop_task_t *task, int code, const char *message);

/**
 * The same with something of the host's own, such as an exception of its
 * language (see loop_future_exception_data), which is destroyed with the
 * failure, or at once if this call fails. A cancellation has none: it is
 * destroyed at once. Errors also -ENOMEM.
 */
int loop_task_fail_data(struct loop_task_t *task,
                        int code,
                        const char *message,
                        void *data,
                        loop_destroy_t destroy);

/**
 * For a step: the task's failure is that of `failed`, a done future of its loop,
 * with its text and data: an exception that another language raised goes on as
 * what it was. Returns what the step then returns: the code of the failure;
 * LOOP_EINVALID_STATE outside a step or if that has not failed;
 * LOOP_EWRONG_LOOP. [loop thread]
 */
int loop_task_fail_of(struct loop_task_t *task, struct loop_future_t *failed);

/**
 * Asks the task to end: what it awaits is cancelled, or its next step gets
 * LOOP_ECANCELLED. It may go on nevertheless. 1, or 0 if it is done. `message`
 * (copied) may be NULL. LOOP_EINVAL, LOOP_EWRONG_THREAD, LOOP_EFORKED.
 * [loop thread] asyncio: task.cancel().
 */
int loop_task_cancel(struct loop_task_t *task, const char *message);

/**
 * Takes one request to cancel back; how many are left. Errors as
 * loop_task_cancel. asyncio: task.uncancel().
 */
int loop_task_uncancel(struct loop_task_t *task);

/**
 * How many requests to cancel are pending. Errors as loop_task_cancel.
 * asyncio: task.cancelling().
 */
int loop_task_cancelling(struct loop_task_t *task);

/**
 * Writes the task's name to `buffer` by the rules of snprintf: how long it is,
 * without the NUL. Errors as loop_task_cancel. asyncio: task.get_name().
 */
int loop_task_get_name(struct loop_task_t *task, char *buffer, size_t size);

/**
 * Renames the task (the name is copied). LOOP_EINVAL for NULL, others as
 * loop_task_cancel. asyncio: task.set_name().
 */
int loop_task_set_name(struct loop_task_t *task, const char *name);

/**
 * The task whose step runs now on this loop, borrowed for that step; NULL
 * outside any. [loop thread] asyncio: current_task().
 */
struct loop_task_t *loop_current_task(struct loop_t *loop);

/**
 * The loop's tasks that are not done: how many there are. The first `capacity`
 * of them are written to `tasks` (may be NULL), each with a reference for the
 * caller. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD.
 * [loop thread] asyncio: all_tasks().
 */
int loop_all_tasks(struct loop_t *loop, struct loop_task_t **tasks, size_t capacity);

/**
 * A future that ends with `result` after `delay_ns` nanoseconds. 0 or less: it
 * is done already, but the task that awaits it goes on in the next turn.
 * `destroy` (may be NULL) ends the result's life, exactly once.
 * LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
 * [loop thread] asyncio: sleep().
 */
int loop_sleep(struct loop_t *loop,
               int64_t delay_ns,
               void *result,
               loop_destroy_t destroy,
               struct loop_future_t **ret_future);

/**
 * From now on `task` has `delay_ns` nanoseconds (negative: no limit yet) until
 * loop_timeout_exit; then it is cancelled. *ret_timeout is to be given to
 * loop_timeout_exit exactly once. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED,
 * LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
 */
int loop_timeout_enter(struct loop_task_t *task,
                       int64_t delay_ns,
                       struct loop_timeout_t **ret_timeout);

/**
 * Moves the deadline to `delay_ns` from now (negative: no limit).
 * LOOP_EINVALID_STATE once it has passed, others as loop_timeout_enter.
 * [loop thread] asyncio: timeout.reschedule().
 */
int loop_timeout_reschedule(struct loop_timeout_t *timeout, int64_t delay_ns);

/**
 * Ends the part and frees `timeout`. `outcome` is how the part ended: returned
 * as it is, or as -ETIMEDOUT if it was LOOP_ECANCELLED because of the deadline
 * and of nothing else. LOOP_EWRONG_THREAD and LOOP_EFORKED free nothing.
 * [loop thread]
 */
int loop_timeout_exit(struct loop_timeout_t *timeout, int outcome);

/**
 * A group whose body is what `task` does until loop_task_group_exit. When a
 * task of the group fails, the others are cancelled, and so is `task` if it is
 * still in the body. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM.
 * [loop thread] asyncio: TaskGroup.
 */
int loop_task_group_new(struct loop_task_t *task, struct loop_task_group_t **ret_group);

/**
 * Takes one more reference; returns `group`. NULL is allowed. [any thread]
 */
struct loop_task_group_t *loop_task_group_ref(struct loop_task_group_t *group);

/**
 * Gives a reference back. Tasks of the group go on. NULL is allowed.
 * [any thread]
 */
void loop_task_group_unref(struct loop_task_group_t *group);

/**
 * Starts a task in the group, by the rules of loop_create_task.
 * LOOP_EINVALID_STATE once the group is over or shutting down. [loop thread]
 * asyncio: TaskGroup.create_task().
 */
int loop_task_group_create_task(struct loop_task_group_t *group,
                                loop_task_step_t step,
                                void *user_data,
                                loop_destroy_t destroy,
                                struct loop_task_t **ret_task);

/**
 * Cancels every task of the group, and the body, but as no failure: what the
 * body awaits ends with LOOP_ECANCELLED, and loop_task_group_exit, which every
 * body calls anyway, takes that request back; its future ends with 0 unless
 * something failed. No task can be added any more. Again, and when the group is
 * over: nothing. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD.
 * [loop thread] asyncio: TaskGroup.cancel().
 */
int loop_task_group_cancel(struct loop_task_group_t *group);

/**
 * Leaves the body, with how it ended (0, or a negative code: the tasks are
 * cancelled then). *ret_future is what the task has to await: done when every
 * task of the group is; it fails with the first failure's code and "unhandled
 * errors in a TaskGroup (N sub-exceptions)", and is cancelled if the task was
 * cancelled from outside. LOOP_EINVALID_STATE if it was left before, others as
 * loop_task_group_new. [loop thread]
 */
int loop_task_group_exit(struct loop_task_group_t *group,
                         int outcome,
                         struct loop_future_t **ret_future);

/**
 * How many tasks of the group failed so far. The code and the text (a copy, by
 * the rules of snprintf) of the one at `index` go to *ret_code and `buffer`, if
 * they are not NULL and it exists. [loop thread]
 * asyncio: the exceptions of the ExceptionGroup.
 */
int loop_task_group_errors(struct loop_task_group_t *group,
                           size_t index,
                           int *ret_code,
                           char *buffer,
                           size_t size);

/**
 * What loop_task_fail_data attached to the failure of the task at `index`, by the
 * count of loop_task_group_errors; NULL otherwise. Borrowed: valid as long as the
 * group. [loop thread]
 */
void *loop_task_group_error_data(struct loop_task_group_t *group, size_t index);

/**
 * The destructor that came with that: see loop_future_get_destroy. [loop thread]
 */
loop_destroy_t loop_task_group_error_destroy(struct loop_task_group_t *group,
                                             size_t index);

/**
 * A future of the results of `count` futures, in their order, whatever order
 * they end in: a loop_gathered_t. The first failure (or cancellation) ends it;
 * the others go on. With LOOP_RETURN_EXCEPTIONS it waits for all of them and
 * does not fail. Cancelling it cancels them all. It takes references of its
 * own. LOOP_EINVAL, LOOP_EWRONG_LOOP, LOOP_ECLOSED, LOOP_EFORKED,
 * LOOP_EWRONG_THREAD, -ENOMEM. [loop thread] asyncio: gather().
 */
int loop_gather(struct loop_t *loop,
                struct loop_future_t *const *futures,
                size_t count,
                uint32_t flags,
                struct loop_future_t **ret_future);

/**
 * A future of which of `count` futures are done: a loop_waited_t, as of the
 * moment when it ends. It ends when `return_when` (LOOP_ALL_COMPLETED, ...) says,
 * at the earliest in the next turn, or after `timeout_ns` nanoseconds (negative:
 * no limit); it cancels none of them, and does not fail.
 * LOOP_EINVAL also for none at all, others as loop_gather. [loop thread]
 * asyncio: wait().
 */
int loop_wait(struct loop_t *loop,
              struct loop_future_t *const *futures,
              size_t count,
              int64_t timeout_ns,
              int return_when,
              struct loop_future_t **ret_future);

/**
 * A future that ends as `future` does. If that takes longer than `timeout_ns`
 * nanoseconds (negative: no limit; 0: unless it is done already), `future` is
 * cancelled, and once it is, this one fails with -ETIMEDOUT. Cancelling it
 * cancels `future`. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD,
 * -ENOMEM. [loop thread] asyncio: wait_for().
 */
int loop_wait_for(struct loop_future_t *future,
                  int64_t timeout_ns,
                  struct loop_future_t **ret_future);

/**
 * A future that ends as `future` does; cancelling it leaves `future` alone. If
 * `future` is done, it is that itself. Errors as loop_wait_for. [loop thread] asyncio: shield().
 */
int loop_shield(struct loop_future_t *future,
                struct loop_future_t **ret_future);

/**
 * Runs the loop until `future` is done: 0 with its result in *ret_result (may
 * be NULL), which stays the future's; the code of its failure, or
 * LOOP_ECANCELLED, with its text in loop_last_error; a positive code of
 * loop_interrupt; LOOP_ESTOPPED "Event loop stopped before Future completed.".
 * At least one turn is run. LOOP_ECLOSED, LOOP_ERUNNING, LOOP_EOTHER_RUNNING,
 * LOOP_EWRONG_LOOP (checked in this order), LOOP_EWRONG_THREAD, LOOP_EFORKED,
 * LOOP_EINVAL. asyncio: loop.run_until_complete().
 */
int loop_run_until_complete(struct loop_t *loop,
                            struct loop_future_t *future,
                            void **ret_result);

/**
 * Registers a finalizer for loop_shutdown_asyncgens, and so for loop_run: the
 * generators of a language, for example. *ret_id (may be NULL) is for
 * loop_remove_finalizer. `destroy` runs exactly once: after the finalizer and
 * what it waits for, when it is removed, when the loop is closed, or when this
 * call fails. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD,
 * -ENOMEM. [loop thread]
 */
int loop_add_finalizer(struct loop_t *loop,
                       loop_finalizer_t finalizer,
                       void *user_data,
                       loop_destroy_t destroy,
                       uint64_t *ret_id);

/**
 * Takes a finalizer back without calling it: 1, or 0 if there is none. Errors
 * as loop_add_finalizer. [loop thread]
 */
int loop_remove_finalizer(struct loop_t *loop, uint64_t id);

/**
 * Calls every finalizer once; *ret_future is done when all they wait for is.
 * Failures go to the exception handler. Errors as loop_add_finalizer.
 * [loop thread] asyncio: loop.shutdown_asyncgens().
 */
int loop_shutdown_asyncgens(struct loop_t *loop, struct loop_future_t **ret_future);

/**
 * Runs a task with this step function on a new loop until it is done, then
 * ends everything: other tasks are cancelled and awaited, finalizers are
 * called, the default executor is shut down, this thread's loop is set to none,
 * the loop is closed. Answers as loop_run_until_complete; the main task's
 * future goes to *ret_future (may be NULL) with one reference, to read its
 * result; it is written only if the task was started. `options` may be NULL.
 * LOOP_EOTHER_RUNNING "asyncio.run() cannot be called from a running event
 * loop", LOOP_EINVAL, -ENOMEM, or a host policy's code. `destroy` runs exactly
 * once, also then. [any thread] that runs no loop. asyncio: run().
 */
int loop_run(const struct loop_runner_options_t *options,
             loop_task_step_t step,
             void *user_data,
             loop_destroy_t destroy,
             struct loop_future_t **ret_future);

/**
 * A runner in *ret_runner, for loop_runner_close. Its loop is new and becomes
 * this thread's. Errors as loop_run. asyncio: Runner.
 */
int loop_runner_new(const struct loop_runner_options_t *options,
                    struct loop_runner_t **ret_runner);

/**
 * The runner's loop, borrowed; NULL for NULL. asyncio: runner.get_loop().
 */
struct loop_t *loop_runner_get_loop(struct loop_runner_t *runner);

/**
 * Runs one main task to its end, as loop_run does; may be called again and
 * again. asyncio: runner.run().
 */
int loop_runner_run(struct loop_runner_t *runner,
                    loop_task_step_t step,
                    void *user_data,
                    loop_destroy_t destroy,
                    struct loop_future_t **ret_future);

/**
 * Ends everything as loop_run does at its end, and frees the runner, also if
 * that fails. NULL is allowed. LOOP_ERUNNING while it runs (then it stays).
 * asyncio: runner.close().
 */
int loop_runner_close(struct loop_runner_t *runner);

/**
 * Calls `start` on the loop's thread. What it starts ends *ret_cfuture (one
 * reference; NULL: nobody asks), and is cancelled with it. If the loop is
 * closed before, it fails with LOOP_ECLOSED. `destroy` runs exactly once, after
 * `start`, on the loop's thread, or on the one that closes the loop or calls
 * this. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM. [any thread]
 * asyncio: run_coroutine_threadsafe().
 */
int loop_submit_threadsafe(struct loop_t *loop,
                           loop_submit_callback_t start,
                           void *user_data,
                           loop_destroy_t destroy,
                           struct loop_cfuture_t **ret_cfuture);

/**
 * The same for a task with this step function, by the rules of
 * loop_create_task. [any thread] asyncio: run_coroutine_threadsafe().
 */
int loop_create_task_threadsafe(struct loop_t *loop,
                                loop_task_step_t step,
                                void *user_data,
                                loop_destroy_t destroy,
                                struct loop_cfuture_t **ret_cfuture);

/**
 * A pending one that the caller ends himself, in *ret_cfuture with one
 * reference. LOOP_EINVAL, -ENOMEM. [any thread]
 */
int loop_cfuture_new(struct loop_cfuture_t **ret_cfuture);

/**
 * Takes one more reference; returns `cfuture`. NULL is allowed. [any thread]
 */
struct loop_cfuture_t *loop_cfuture_ref(struct loop_cfuture_t *cfuture);

/**
 * Gives a reference back; what was submitted goes on. NULL is allowed.
 * [any thread], also after fork.
 */
void loop_cfuture_unref(struct loop_cfuture_t *cfuture);

/**
 * 1 if it is done (cancelled, too), 0 if not. LOOP_EINVAL, LOOP_EFORKED.
 * [any thread]
 */
int loop_cfuture_done(struct loop_cfuture_t *cfuture);

/**
 * Waits until it is done, at most `timeout_ns` nanoseconds (negative: for
 * ever): 0 with its result in *ret_result (may be NULL), which lives as long as
 * the future; the code of its failure, or LOOP_ECANCELLED; -ETIMEDOUT if it is
 * not done: it goes on, and may be waited for again. LOOP_EINVAL, LOOP_EFORKED.
 * Never call it without limit on the thread of the loop that is to end it.
 * [any thread] asyncio: concurrent.futures.Future.result(timeout).
 */
int loop_cfuture_result(struct loop_cfuture_t *cfuture,
                        int64_t timeout_ns,
                        void **ret_result);

/**
 * Cancels it, and on the loop's thread what was submitted: 1, or 0 if it is
 * done. `message` (copied) may be NULL. LOOP_EINVAL, LOOP_EFORKED. [any thread]
 */
int loop_cfuture_cancel(struct loop_cfuture_t *cfuture, const char *message);

/**
 * Ends it with a result, by the rules of loop_future_set_result. [any thread]
 */
int loop_cfuture_set_result(struct loop_cfuture_t *cfuture,
                            void *result,
                            loop_destroy_t destroy);

/**
 * Ends it with a failure, by the rules of loop_future_set_exception.
 * [any thread]
 */
int loop_cfuture_set_exception(struct loop_cfuture_t *cfuture,
                               int code,
                               const char *message);

/**
 * The same with something of the host's own, by the rules of
 * loop_future_set_exception_data; it is destroyed on whatever thread drops the
 * failure. [any thread]
 */
int loop_cfuture_set_exception_data(struct loop_cfuture_t *cfuture,
                                    int code,
                                    const char *message,
                                    void *data,
                                    loop_destroy_t destroy);

/**
 * What was attached to the failure, here or to the failure of the loop's future
 * that ended this one; NULL otherwise. Borrowed: valid as long as the future.
 * [any thread]
 */
void *loop_cfuture_exception_data(struct loop_cfuture_t *cfuture);

/**
 * The destructor that came with the result, or with what is attached to the
 * failure: see loop_future_get_destroy. [any thread]
 */
loop_destroy_t loop_cfuture_get_destroy(struct loop_cfuture_t *cfuture);

/**
 * Calls `callback` when it is done: now, if it is; else on the thread that ends
 * it. `destroy` runs exactly once, also when this call fails. LOOP_EINVAL,
 * LOOP_EFORKED, -ENOMEM. [any thread]
 */
int loop_cfuture_add_done_callback(struct loop_cfuture_t *cfuture,
                                   loop_cfuture_callback_t callback,
                                   void *user_data,
                                   loop_destroy_t destroy);

/**
 * A future of `loop` in *ret_future that ends as `cfuture` does; cancelling it
 * cancels `cfuture`. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, -ENOMEM.
 * [loop thread] asyncio: wrap_future().
 */
int loop_wrap_cfuture(struct loop_t *loop,
                      struct loop_cfuture_t *cfuture,
                      struct loop_future_t **ret_future);

/**
 * Receives at most `length` bytes. The future's result is a loop_received_t,
 * with 0 bytes at the end of the stream.
 *
 * What holds for every loop_sock_ function: `fd` is a non-blocking socket of
 * the caller's, which must stay open until the future is done. The operation
 * is tried at once; if the socket is not ready, again whenever it is. 0 with a
 * reference in *ret_future, which may be done already. Whatever the system
 * answers (-ECONNRESET, -ECONNREFUSED, -EPIPE, -EBADF, -EMFILE, ...) is the
 * future's failure, never a signal. Cancelling the future unregisters the
 * descriptor before loop_future_cancel returns: then it may be closed, and its
 * number used for something else. Giving the reference back cancels nothing.
 *
 * One operation at a time may wait for each direction of a descriptor:
 * receiving and accepting are one, sending, connecting and sendfile the other.
 * While one waits, or a reader or writer of loop_add_reader or loop_add_writer
 * stands, another is refused with -EBUSY. Replacing or removing the reader or
 * writer of a waiting operation makes it fail with -ECANCELED, and so does a
 * new operation on a number that was closed without cancelling.
 *
 * Operations that wait when the loop is closed stay pending for ever; what
 * they use is let go of. In a forked child they belong to the parent.
 *
 * LOOP_EINVAL (NULL, negative fd; in debug mode a socket that blocks: "the
 * socket must be non-blocking"), -EBUSY, LOOP_ECLOSED, LOOP_EFORKED,
 * LOOP_EWRONG_THREAD, -ENOMEM; then nothing was done. [loop thread]
 * asyncio: loop.sock_recv().
 */
int loop_sock_recv(struct loop_t *loop,
                   int fd,
                   size_t length,
                   struct loop_future_t **ret_future);

/**
 * Receives into the caller's buffer, which must live until the future is done
 * or the loop is closed. The result is the number of bytes. See loop_sock_recv.
 * asyncio: loop.sock_recv_into().
 */
int loop_sock_recv_into(struct loop_t *loop,
                        int fd,
                        void *buffer,
                        size_t length,
                        struct loop_future_t **ret_future);

/**
 * Receives a datagram of at most `length` bytes; what is longer is cut off. The
 * result is a loop_received_t with the sender's address. See loop_sock_recv.
 * asyncio: loop.sock_recvfrom().
 */
int loop_sock_recvfrom(struct loop_t *loop,
                       int fd,
                       size_t length,
                       struct loop_future_t **ret_future);

/**
 * The same into the caller's buffer, which must live until the future is done
 * or the loop is closed. The result is a loop_received_t. See loop_sock_recv.
 * asyncio: loop.sock_recvfrom_into().
 */
int loop_sock_recvfrom_into(struct loop_t *loop,
                            int fd,
                            void *buffer,
                            size_t length,
                            struct loop_future_t **ret_future);

/**
 * Sends all of `length` bytes, in as many parts as it takes. They are not
 * copied: they must live until `destroy` is called with `user_data`, which
 * happens once, as soon as nothing is read from them any more, perhaps before
 * this returns, and also when the call fails; without `destroy`, until the
 * future is done or the loop is closed. The result is 0. After a failure or a
 * cancellation nobody knows how much was sent. See loop_sock_recv.
 * asyncio: loop.sock_sendall().
 */
int loop_sock_sendall(struct loop_t *loop,
                      int fd,
                      const void *data,
                      size_t length,
                      void *user_data,
                      loop_destroy_t destroy,
                      struct loop_future_t **ret_future);

/**
 * Sends one datagram to `address`, a struct sockaddr, which is copied. For the
 * data holds what loop_sock_sendall says. The result is the number of bytes.
 * LOOP_EINVAL also for an impossible address_length. See loop_sock_recv.
 * asyncio: loop.sock_sendto().
 */
int loop_sock_sendto(struct loop_t *loop,
                     int fd,
                     const void *data,
                     size_t length,
                     void *user_data,
                     loop_destroy_t destroy,
                     const void *address,
                     size_t address_length,
                     struct loop_future_t **ret_future);

/**
 * Takes the next connection of a listening socket. The result is a
 * loop_accepted_t. When the process has no descriptor left, the future fails
 * with -EMFILE and the connection waits for the next accept. LOOP_EINVAL also
 * for a socket that blocks, in debug mode or not. See loop_sock_recv.
 * asyncio: loop.sock_accept().
 */
int loop_sock_accept(struct loop_t *loop, int fd, struct loop_future_t **ret_future);

/**
 * The accepted descriptor, now the caller's to close. LOOP_EINVALID_STATE if it
 * was taken before, LOOP_EINVAL (NULL). [loop thread], also after close and
 * after fork.
 */
int loop_accepted_take(struct loop_accepted_t *accepted);

/**
 * Connects a socket to `address`, a struct sockaddr, which is copied. The
 * result is 0. A local socket whose peer's queue is full fails with -EAGAIN:
 * nothing tells when there is room. LOOP_EINVAL also for a socket that blocks,
 * in debug mode or not, and for an impossible address_length. See
 * loop_sock_recv. asyncio: loop.sock_connect().
 */
int loop_sock_connect(struct loop_t *loop,
                      int fd,
                      const void *address,
                      size_t address_length,
                      struct loop_future_t **ret_future);

/**
 * Sends `count` bytes of a file from `offset` on, or, if `count` is -1, all up
 * to its end; by sendfile where the system can, else by reading and sending.
 * The result is the number of bytes sent, less than `count` if the file ends
 * before. `file_fd` must stay open until the future is done; its position is
 * neither used nor moved. A portion is read in each turn, on the loop's
 * thread. LOOP_EINVAL also for negative numbers, for a socket that is no
 * stream, and for one that blocks, in debug mode or not; -ENOTSOCK, -EBADF. See
 * loop_sock_recv. asyncio: loop.sock_sendfile().
 */
int loop_sock_sendfile(struct loop_t *loop,
                       int fd,
                       int file_fd,
                       int64_t offset,
                       int64_t count,
                       struct loop_future_t **ret_future);

/**
 * Takes one more reference; returns `transport`. NULL is allowed. [any thread]
 */
struct loop_transport_t *loop_transport_ref(struct loop_transport_t *transport);

/**
 * Gives a reference back. This closes nothing: see loop_transport_close. NULL
 * is allowed. [any thread], also after close and after fork.
 */
void loop_transport_unref(struct loop_transport_t *transport);

/**
 * The transport's loop, borrowed: valid as long as the transport. [any thread]
 */
struct loop_t *loop_transport_get_loop(struct loop_transport_t *transport);

/**
 * Sends `length` bytes: at once what the kernel takes, the rest from a copy when
 * there is room. Never waits. If more than the high-water mark waits then,
 * pause_writing is called before this returns.
 *
 * 0 also when the connection is lost: connection_lost tells, and from the fifth
 * such write on the exception handler. LOOP_EINVALID_STATE after
 * loop_transport_write_eof, and while a sendfile is in progress; -ENOMEM, then
 * the connection is broken. [loop thread] asyncio: transport.write().
 */
int loop_transport_write(struct loop_transport_t *transport,
                         const void *data,
                         size_t length);

/**
 * Sends `count` pieces in their order, in one call of the system where it can;
 * otherwise as loop_transport_write. asyncio: transport.writelines().
 */
int loop_transport_writev(struct loop_transport_t *transport,
                          const struct loop_iovec_t *pieces,
                          size_t count);

/**
 * Sends bytes without copying them: they must stay as they are until `destroy`
 * is called with `user_data`, once, when they are sent or not needed any more:
 * perhaps before this returns, and also if it fails. Otherwise as
 * loop_transport_write.
 */
int loop_transport_write_owned(struct loop_transport_t *transport,
                               const void *data,
                               size_t length,
                               void *user_data,
                               loop_destroy_t destroy);

/**
 * Tells the peer, after everything is sent, that no more comes; receiving goes
 * on. On a pipe: closes it. Again: nothing. LOOP_ENOTSUP where
 * loop_transport_can_write_eof is 0. [loop thread] asyncio: transport.write_eof().
 */
int loop_transport_write_eof(struct loop_transport_t *transport);

/**
 * 1 if loop_transport_write_eof can be used, else 0. [loop thread]
 * asyncio: transport.can_write_eof().
 */
int loop_transport_can_write_eof(struct loop_transport_t *transport);

/**
 * Closes the transport: receives no more from now on, sends what waits, a
 * sendfile included, then calls connection_lost and closes the descriptor. Never
 * from inside this function. Again: nothing. [loop thread]
 * asyncio: transport.close().
 */
int loop_transport_close(struct loop_transport_t *transport);

/**
 * Closes the transport at once: what waits to be sent is dropped. Never calls
 * connection_lost from inside. [loop thread] asyncio: transport.abort().
 */
int loop_transport_abort(struct loop_transport_t *transport);

/**
 * loop_transport_abort for a reason, which connection_lost gets: a negative
 * code, and a text (copied; NULL: that of loop_strerror). For protocols that
 * fail, such as one whose language raised an exception. LOOP_EINVAL for other
 * codes. [loop thread] asyncio: what follows an exception in data_received.
 */
int loop_transport_fail(struct loop_transport_t *transport,
                        int code,
                        const char *message);

/**
 * 1 if the transport is closed or about to be, else 0. Also after the loop was
 * closed. [loop thread] asyncio: transport.is_closing().
 */
int loop_transport_is_closing(struct loop_transport_t *transport);

/**
 * Receives no more until loop_transport_resume_reading: what comes meanwhile,
 * the end included, waits in the kernel. Nothing if it is paused or closing.
 * [loop thread] asyncio: transport.pause_reading().
 */
int loop_transport_pause_reading(struct loop_transport_t *transport);

/**
 * Receives again. Nothing if it is not paused, or closing. [loop thread]
 * asyncio: transport.resume_reading().
 */
int loop_transport_resume_reading(struct loop_transport_t *transport);

/**
 * 1 if the transport receives: neither paused nor closing; else 0. [loop thread]
 * asyncio: transport.is_reading().
 */
int loop_transport_is_reading(struct loop_transport_t *transport);

/**
 * The water marks in bytes: pause_writing when more than `high` wait,
 * resume_writing when no more than `low` do. (size_t)-1 leaves one to the other:
 * `high` is then four times `low`, or 64 KiB; `low` a quarter of `high`. May call
 * pause_writing. LOOP_EINVAL for low > high. [loop thread]
 * asyncio: transport.set_write_buffer_limits().
 */
int loop_transport_set_write_buffer_limits(struct loop_transport_t *transport,
                                           size_t high,
                                           size_t low);

/**
 * How many bytes wait to be sent, in *ret_size. [loop thread]
 * asyncio: transport.get_write_buffer_size().
 */
int loop_transport_get_write_buffer_size(struct loop_transport_t *transport,
                                         size_t *ret_size);

/**
 * The water marks; either pointer may be NULL. [loop thread]
 * asyncio: transport.get_write_buffer_limits().
 */
int loop_transport_get_write_buffer_limits(struct loop_transport_t *transport,
                                           size_t *ret_high,
                                           size_t *ret_low);

/**
 * Another protocol takes over from now on; no function of it is called for
 * that. The old one's user_data is destroyed before this returns, or, inside
 * one of its functions, when that has returned. On failure the new one's is.
 * LOOP_EINVALID_STATE if the connection was lost. [loop thread]
 * asyncio: transport.set_protocol().
 */
int loop_transport_set_protocol(struct loop_transport_t *transport,
                                const struct loop_protocol_t *protocol,
                                void *user_data,
                                loop_destroy_t destroy);

/**
 * The protocol's user_data; NULL when it was destroyed, and on failure (see
 * loop_last_error). [loop thread] asyncio: transport.get_protocol().
 */
void *loop_transport_get_protocol(struct loop_transport_t *transport);

/**
 * The transport's descriptor, which stays the transport's: to ask and to set
 * options only. -EBADF when it is closed. [loop thread]
 * asyncio: transport.get_extra_info("socket").fileno().
 */
int loop_transport_get_fd(struct loop_transport_t *transport);

/**
 * The peer's address, a struct sockaddr, at `address`. *length is the room there
 * and becomes the address's length; what does not fit is left out. -ENOTCONN
 * when the peer broke the connection and for datagrams without a fixed peer,
 * -EBADF when it is closed, -ENOTSOCK.
 * [loop thread] asyncio: transport.get_extra_info("peername").
 */
int loop_transport_get_peername(struct loop_transport_t *transport,
                                void *address,
                                size_t *length);

/**
 * The same for the transport's own address.
 * asyncio: transport.get_extra_info("sockname").
 */
int loop_transport_get_sockname(struct loop_transport_t *transport,
                                void *address,
                                size_t *length);

/**
 * What else is known, by asyncio's name, in *ret_value. Streams know "socket"
 * or "pipe", datagram transports "socket": the descriptor as a number. Layers
 * answer for themselves. Addresses have functions of their own:
 * loop_transport_get_sockname, loop_transport_get_peername. LOOP_EINVAL for a
 * name that is not known. [loop thread]
 * asyncio: transport.get_extra_info().
 */
int loop_transport_get_extra_info(struct loop_transport_t *transport,
                                  const char *name,
                                  void **ret_value);

/**
 * Sends `count` bytes of a file from `offset` on, or all up to its end if
 * `count` is -1; by sendfile where the system can, else by reading and sending.
 * What waits is sent before. Until the future is done other writes are refused
 * and reading is paused. The future's result is the number of bytes, less than
 * `count` if the file ends before. `file_fd` is duplicated: it may be closed; its
 * position is neither used nor moved. Cancelling stops after what was sent. If
 * the connection breaks, the future fails with the reason, -ECONNABORTED when it
 * was aborted. LOOP_EINVAL also for other negative numbers; LOOP_EINVALID_STATE
 * if the transport is closing, after write_eof, and while another sendfile is in
 * progress; -EBADF, -EMFILE, -ENOMEM. [loop thread] asyncio: loop.sendfile().
 */
int loop_transport_sendfile(struct loop_transport_t *transport,
                            int file_fd,
                            int64_t offset,
                            int64_t count,
                            struct loop_future_t **ret_future);

/**
 * Begins to serve TCP connections; the result of *ret_future is a
 * loop_server_t *, which the future has a reference to. Every address of every
 * host gets a socket of its own. The future fails with the code of the
 * resolver, with -EADDRINUSE, -EACCES, -EADDRNOTAVAIL (no address could be
 * bound), -EMFILE and the like; cancelling it, or closing the loop, closes the
 * sockets at once. `factory_data` is destroyed when the server is closed, or
 * with the failure. 0, LOOP_EINVAL (also for an fd named twice), -EBADF or
 * -ENOTSOCK for a wrong fd, -EBUSY (a transport has it), LOOP_ECLOSED,
 * LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
 * asyncio: loop.create_server().
 */
int loop_create_server(struct loop_t *loop,
                       const struct loop_server_options_t *options,
                       loop_protocol_factory_t factory,
                       void *factory_data,
                       loop_destroy_t destroy,
                       struct loop_future_t **ret_future);

/**
 * The same with a UNIX socket. A `path` that begins with '@' is an abstract
 * name. A socket that somebody left at this path is removed first; anything
 * else there is -EADDRINUSE. The server removes its file when it closes, unless
 * `flags` say LOOP_SERVER_KEEP_FILE or something else is there by then.
 * `backlog` 0 is 100; of the other flags LOOP_SERVER_DEFERRED is known.
 * LOOP_EINVAL also for a path that is too long. asyncio:
 * loop.create_unix_server().
 */
int loop_create_unix_server(struct loop_t *loop,
                            const char *path,
                            int backlog,
                            uint32_t flags,
                            loop_protocol_factory_t factory,
                            void *factory_data,
                            loop_destroy_t destroy,
                            struct loop_future_t **ret_future);

/**
 * Takes one more reference; returns `server`. NULL is allowed. [any thread]
 */
struct loop_server_t *loop_server_ref(struct loop_server_t *server);

/**
 * Gives a reference back. NULL is allowed. [any thread], also after close and
 * after fork.
 */
void loop_server_unref(struct loop_server_t *server);

/**
 * The server's loop, borrowed: valid as long as the server. [any thread]
 * asyncio: server.get_loop().
 */
struct loop_t *loop_server_get_loop(struct loop_server_t *server);

/**
 * Begins to accept connections; no error if the server does already.
 * LOOP_EINVALID_STATE for a closed server, -EADDRINUSE and the like from
 * listen, LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
 * [loop thread] asyncio: server.start_serving().
 */
int loop_server_start_serving(struct loop_server_t *server);

/**
 * 1 while the server accepts connections, else 0. LOOP_EINVAL,
 * LOOP_EWRONG_THREAD, LOOP_EFORKED. [loop thread] asyncio: server.is_serving().
 */
int loop_server_is_serving(struct loop_server_t *server);

/**
 * Closes the listening sockets, at once; their numbers are free when this
 * returns. Connections go on. Closing again is no error. LOOP_EINVAL,
 * LOOP_EWRONG_THREAD, LOOP_EFORKED. [loop thread], also after the loop's close.
 * asyncio: server.close().
 */
int loop_server_close(struct loop_server_t *server);

/**
 * Calls loop_transport_close for every connection that the server accepted.
 * Errors as loop_server_close. [loop thread] asyncio: server.close_clients().
 */
int loop_server_close_clients(struct loop_server_t *server);

/**
 * Calls loop_transport_abort for every connection that the server accepted.
 * Errors as loop_server_close. [loop thread] asyncio: server.abort_clients().
 */
int loop_server_abort_clients(struct loop_server_t *server);

/**
 * A future in *ret_future that is done once the server is closed and all of
 * its connections are gone. Cancelling it changes nothing for the server.
 * LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
 * [loop thread] asyncio: server.wait_closed().
 */
int loop_server_wait_closed(struct loop_server_t *server,
                            struct loop_future_t **ret_future);

/**
 * Serves until the future in *ret_future is cancelled or the server is closed,
 * which does the same: the server closes, and the future is cancelled once all
 * connections are gone (at once, if it is cancelled again). LOOP_EINVALID_STATE
 * for a closed server, or while there is such a future already; other errors as
 * loop_server_start_serving. [loop thread] asyncio: server.serve_forever().
 */
int loop_server_serve_forever(struct loop_server_t *server,
                              struct loop_future_t **ret_future);

/**
 * The descriptors the server listens with, which stay the server's: writes up
 * to `capacity` of them and returns how many there are (0 once it is closed).
 * `fds` may be NULL when `capacity` is 0. LOOP_EINVAL, LOOP_EWRONG_THREAD,
 * LOOP_EFORKED. [loop thread] asyncio: server.sockets.
 */
int loop_server_get_sockets(struct loop_server_t *server, int *fds, size_t capacity);

/**
 * The address of the server's socket with this index, a struct sockaddr:
 * writes up to `size` bytes and returns the length of the whole. `address` may
 * be NULL when `size` is 0. LOOP_EINVAL also when there is no such socket, as
 * after close; LOOP_EWRONG_THREAD, LOOP_EFORKED, -errno. [loop thread]
 * asyncio: server.sockets[index].getsockname().
 */
int loop_server_get_address(struct loop_server_t *server,
                            size_t index,
                            void *address,
                            size_t size);

/**
 * Connects by TCP and gives the connection to a protocol (functions are
 * copied); the result of *ret_future is a loop_transport_t *, which the future
 * has a reference to, once connection_made was called. The protocol's user data
 * is destroyed after connection_lost, or when there will be no connection. The
 * future fails with the resolver's code, -ECONNREFUSED and the like, and
 * asyncio's text; where several addresses failed differently the text tells of
 * all of them and the code is that of the first. Cancelling the future, or
 * closing the loop, closes every socket at once.
 *
 * connection_lost may come before the next step of a task that awaits the
 * future, or anything else. What a task and a protocol share needs one owner: a
 * task that closes a transport awaits its end, by a future that it makes before
 * and that connection_lost ends.
 *
 * 0, LOOP_EINVAL, -EBADF or
 * -ENOTSOCK for a wrong fd, -EBUSY (a transport has it), LOOP_ECLOSED,
 * LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread] asyncio: loop.create_connection().
 */
int loop_create_connection(struct loop_t *loop,
                           const struct loop_connection_options_t *options,
                           const struct loop_protocol_t *protocol,
                           void *user_data,
                           loop_destroy_t destroy,
                           struct loop_future_t **ret_future);

/**
 * The same with a UNIX socket. A `path` that begins with '@' is an abstract
 * name. While the server's backlog is full it is tried again and again.
 * LOOP_EINVAL also for a path that is too long. asyncio:
 * loop.create_unix_connection().
 */
int loop_create_unix_connection(struct loop_t *loop,
                                const char *path,
                                const struct loop_protocol_t *protocol,
                                void *user_data,
                                loop_destroy_t destroy,
                                struct loop_future_t **ret_future);

/**
 * Opens a UDP or UNIX datagram endpoint for a protocol (functions are copied);
 * the result of *ret_future is a loop_transport_t *, which the future has a
 * reference to, once connection_made was called. The protocol's user data is
 * destroyed after connection_lost, or when there will be no endpoint. The
 * future fails with the resolver's code, -EADDRINUSE, -ECONNREFUSED and the
 * like; cancelling it, or closing the loop, closes the socket at once.
 *
 * connection_lost may come before the next step of a task that awaits the
 * future, or anything else. What a task and a protocol share needs one owner: a
 * task that closes a transport awaits its end, by a future that it makes before
 * and that connection_lost ends.
 *
 * 0,
 * LOOP_EINVAL, -EBADF or -ENOTSOCK for a wrong fd, -EBUSY (a transport has it),
 * LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
 * asyncio: loop.create_datagram_endpoint().
 */
int loop_create_datagram_endpoint(struct loop_t *loop,
                                  const struct loop_datagram_options_t *options,
                                  const struct loop_datagram_protocol_t *protocol,
                                  void *user_data,
                                  loop_destroy_t destroy,
                                  struct loop_future_t **ret_future);

/**
 * Sends a datagram (`data` may be NULL when it is empty) to `address`, a struct
 * sockaddr, or, with NULL and 0, to the endpoint's remote address. What cannot
 * be sent at once is copied and sent later, in order; beyond the high-water
 * mark pause_writing is called, and beyond 16 times that nothing more is taken:
 * -ENOBUFS. Other failures to send go to error_received, which may be called
 * before this returns. After loop_transport_close nothing is sent. LOOP_EINVAL
 * (also for a transport of another kind, or an address that is not the remote
 * one), LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM. [loop thread]
 * asyncio: transport.sendto().
 */
int loop_transport_sendto(struct loop_transport_t *transport,
                          const void *data,
                          size_t data_length,
                          const void *address,
                          size_t address_length);

/**
 * A transport on a connected stream socket of the caller's, such as one that
 * was accepted elsewhere. connection_made is scheduled, reading begins after it.
 * TCP sockets get TCP_NODELAY. The transport, with a reference, in
 * *ret_transport, which may be NULL.
 *
 * On success the transport owns `fd` and closes it; on failure it stays the
 * caller's, as it was, and user_data is destroyed. It is made non-blocking.
 * LOOP_EINVAL (NULL, negative fd, no stream socket), -EBADF, -ENOTSOCK, -EBUSY
 * (a transport has it), LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
 * [loop thread] asyncio: loop.connect_accepted_socket().
 */
int loop_connect_accepted_socket(struct loop_t *loop,
                                 int fd,
                                 const struct loop_protocol_t *protocol,
                                 void *user_data,
                                 loop_destroy_t destroy,
                                 struct loop_transport_t **ret_transport);

/**
 * A transport that reads from a pipe, FIFO, socket or character device. When
 * the other end is closed: eof_received, then connection_lost. Ownership and
 * errors as loop_connect_accepted_socket; LOOP_EINVAL for other kinds of files.
 * [loop thread] asyncio: loop.connect_read_pipe().
 */
int loop_connect_read_pipe(struct loop_t *loop,
                           int fd,
                           const struct loop_protocol_t *protocol,
                           void *user_data,
                           loop_destroy_t destroy,
                           struct loop_transport_t **ret_transport);

/**
 * A transport that writes to a pipe, FIFO, socket or character device, and
 * notices when the reader goes: connection_lost, with -EPIPE if bytes were still
 * waiting. No SIGPIPE is raised. A socket must not receive: that counts as its
 * end. Ownership and errors as loop_connect_accepted_socket; LOOP_EINVAL for
 * other kinds of files. [loop thread] asyncio: loop.connect_write_pipe().
 */
int loop_connect_write_pipe(struct loop_t *loop,
                            int fd,
                            const struct loop_protocol_t *protocol,
                            void *user_data,
                            loop_destroy_t destroy,
                            struct loop_transport_t **ret_transport);

/**
 * A transport in *ret_transport, with a reference, whose functions are those of
 * `layer`, called with layer_data, and whose protocol is `protocol`. The layer is
 * usually the protocol of a lower transport, and hands on what that tells it by
 * the functions below, connection_made first.
 *
 * The transport is kept by the loop until loop_layer_connection_lost; then, or
 * when the loop is closed, protocol_data and layer_data are destroyed, also when
 * this call fails. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD,
 * -ENOMEM. [loop thread]
 */
int loop_transport_new_layer(struct loop_t *loop,
                             const struct loop_layer_t *layer,
                             void *layer_data,
                             loop_destroy_t layer_destroy,
                             const struct loop_protocol_t *protocol,
                             void *protocol_data,
                             loop_destroy_t protocol_destroy,
                             struct loop_transport_t **ret_transport);

/**
 * Calls the protocol's connection_made. Like all these functions: LOOP_EINVAL,
 * LOOP_ENOTSUP for a transport that is no layer, LOOP_ECLOSED, LOOP_EFORKED,
 * LOOP_EWRONG_THREAD; nothing after loop_layer_connection_lost. [loop thread]
 */
int loop_layer_connection_made(struct loop_transport_t *transport);

/**
 * Calls data_received, or get_buffer and buffer_updated as often as it takes.
 * If get_buffer fails, its code, or LOOP_EINVAL for an empty buffer: the rest is
 * not handed on then.
 */
int loop_layer_data_received(struct loop_transport_t *transport,
                             const void *data,
                             size_t length);

/**
 * Calls eof_received: 1 if the protocol wants to stay open for writing, else 0.
 */
int loop_layer_eof_received(struct loop_transport_t *transport);

/**
 * Calls pause_writing.
 */
int loop_layer_pause_writing(struct loop_transport_t *transport);

/**
 * Calls resume_writing.
 */
int loop_layer_resume_writing(struct loop_transport_t *transport);

/**
 * Calls connection_lost, the first time; then protocol and layer are destroyed.
 * `message` is borrowed for the call.
 */
int loop_layer_connection_lost(struct loop_transport_t *transport,
                               int code,
                               const char *message);

/**
 * Calls `callback` in the loop after the signal arrived: once for all arrivals
 * that the loop has not looked at yet. A handler that this loop had for the
 * signal is replaced. Any loop in any thread may have one, several loops for
 * the same signal, too: each is told. What the process did on the signal before
 * comes back when the last loop removes its handler or is closed, unless
 * somebody has set something else meanwhile. System calls that a signal
 * interrupts are restarted. For signals of a fault (SIGSEGV, ...) this is no
 * use: the fault would come again before the loop gets to run.
 *
 * 0; LOOP_EINVAL "invalid signal number N" or "sig N cannot be caught" (SIGKILL,
 * SIGSTOP); LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -EMFILE, -ENOMEM.
 * Fork: in a forked child these signals do nothing until the child sets their
 * dispositions anew, and never reach the parent's loop; loop_reinit_after_fork
 * drops the handlers. Programs started by exec get default dispositions.
 * Windows: SIGINT is Ctrl-C and SIGBREAK (21) Ctrl-Break, of the process's
 * console; LOOP_ENOTSUP for other signals. raise() does not get here, and what
 * was set by signal() or SetConsoleCtrlHandler is not called meanwhile.
 * [loop thread] asyncio: loop.add_signal_handler().
 */
int loop_add_signal_handler(struct loop_t *loop,
                            int signum,
                            loop_callback_t callback,
                            void *user_data,
                            loop_destroy_t destroy);

/**
 * loop_add_signal_handler in a context; see loop_call_soon_context.
 */
int loop_add_signal_handler_context(struct loop_t *loop,
                                    int signum,
                                    loop_callback_t callback,
                                    void *user_data,
                                    loop_destroy_t destroy,
                                    void *context);

/**
 * Ends what loop_add_signal_handler began, at once: a signal that the loop has
 * not looked at yet is forgotten. 1 if there was a handler, 0 if not (always on
 * a closed loop), LOOP_EINVAL "invalid signal number N", LOOP_EFORKED,
 * LOOP_EWRONG_THREAD. [loop thread] asyncio: loop.remove_signal_handler().
 */
int loop_remove_signal_handler(struct loop_t *loop, int signum);

/**
 * A pool of at most `workers` threads in *ret_executor, with one reference. 0
 * workers: the number of processors plus 4, at most 32. Threads start when jobs
 * come that no idle one can take; they are named coloop-0, coloop-1, ... and
 * have all signals blocked but those of faults. LOOP_EINVAL, -ENOMEM.
 * Python: ThreadPoolExecutor(workers).
 */
int loop_executor_new(uint32_t workers, struct loop_executor_t **ret_executor);

/**
 * An executor of the host's in *ret_executor, with one reference. `destroy`
 * runs with the last reference, on whatever thread gives that back; futures of
 * jobs that are not done have one each. LOOP_EINVAL for a wrong size, unknown
 * fields or no `submit`, -ENOMEM.
 */
int loop_executor_create(const struct loop_executor_vtable_t *vtable,
                         void *user_data,
                         loop_destroy_t destroy,
                         struct loop_executor_t **ret_executor);

/**
 * Takes one more reference; returns `executor`. NULL is allowed.
 */
struct loop_executor_t *loop_executor_ref(struct loop_executor_t *executor);

/**
 * Gives a reference back. With the last one a pool's threads do what is queued
 * and end; this never waits for them. In a forked child the child's copy of
 * what was queued is destroyed instead. NULL is allowed.
 */
void loop_executor_unref(struct loop_executor_t *executor);

/**
 * Sets the most threads a pool may have, as in loop_executor_new. More are
 * started if jobs wait, those too many end when they have no job. LOOP_EINVAL,
 * LOOP_ENOTSUP for a host's executor, LOOP_EFORKED, -EAGAIN or -ENOMEM if a
 * thread could not be started (the number is set).
 */
int loop_executor_set_workers(struct loop_executor_t *executor, uint32_t workers);

/**
 * How many threads a pool has now. LOOP_EINVAL, LOOP_ENOTSUP for a host's
 * executor, LOOP_EFORKED.
 */
int loop_executor_threads(struct loop_executor_t *executor);

/**
 * How many jobs wait for a thread of a pool. Errors as loop_executor_threads.
 */
int loop_executor_queued(struct loop_executor_t *executor);

/**
 * Runs `callback` on the executor; nobody waits for it. `destroy` runs after
 * it, on the same thread, or on this one if this call fails. LOOP_EINVAL,
 * LOOP_ESHUTDOWN, LOOP_EFORKED, -ENOMEM, -EAGAIN if there is no thread and none
 * could be started, what a host's submit returns.
 * Python: executor.submit().
 */
int loop_executor_submit(struct loop_executor_t *executor,
                         loop_callback_t callback,
                         void *user_data,
                         loop_destroy_t destroy);

/**
 * Ends an executor: it takes no more jobs (LOOP_ESHUTDOWN). What is queued is
 * done, or cancelled with LOOP_EXECUTOR_CANCEL_QUEUED: destructors run here,
 * futures are cancelled by their loops. With LOOP_EXECUTOR_WAIT the call
 * returns when all threads have ended; -ETIMEDOUT if that takes longer than
 * timeout_ns (negative: no limit). May be called again. LOOP_EINVAL, LOOP_EFORKED,
 * -EDEADLK if this thread is one of them, what a host's shutdown returns.
 * Python: executor.shutdown().
 */
int loop_executor_shutdown(struct loop_executor_t *executor,
                           uint32_t flags,
                           int64_t timeout_ns);

/**
 * In a forked child: makes an inherited executor this process's own. A pool
 * starts anew without threads and jobs; the child's copy of what was queued is
 * destroyed, that of what ran is lost. A host's executor is taken to work in
 * the child. The child must have no other thread that uses it. LOOP_EINVAL,
 * also if it was not inherited, -ENOMEM.
 */
int loop_executor_reinit_after_fork(struct loop_executor_t *executor);

/**
 * For a host's executor: runs a job it took charge of, on this thread, and
 * ends it; does nothing but that if the job was cancelled. NULL is allowed.
 */
void loop_executor_job_run(struct loop_executor_job_t *job);

/**
 * For a host's executor: ends a job without running it. Its data is destroyed
 * here, its future is cancelled. NULL is allowed.
 */
void loop_executor_job_discard(struct loop_executor_job_t *job);

/**
 * Submits `job` at once, whether the loop runs or not, to `executor` or (NULL)
 * to the loop's default one, which is made when it is first needed: a pool as
 * of loop_executor_new(0). The future in *ret_future ends on the loop's thread
 * with what the job returned.
 *
 * `destroy` runs on the job's thread before the future is done, or on this one
 * if this call fails or the job is cancelled before it began. A result that
 * nobody takes, because the future was cancelled or the loop closed meanwhile,
 * ends by `result_destroy` (NULL: it needs none) on whatever thread drops it;
 * so does a result that is not NULL of a job that failed.
 *
 * Cancelling the future takes a job out of the queue; one that runs goes on
 * unseen. Closing the loop drops neither. LOOP_EINVAL, LOOP_ECLOSED,
 * LOOP_EFORKED, LOOP_EWRONG_THREAD, others as loop_executor_submit.
 * [loop thread] asyncio: loop.run_in_executor().
 */
int loop_run_in_executor(struct loop_t *loop,
                         struct loop_executor_t *executor,
                         loop_job_t job,
                         void *user_data,
                         loop_destroy_t destroy,
                         loop_destroy_t result_destroy,
                         struct loop_future_t **ret_future);

/**
 * Inside a job of loop_run_in_executor: its failure with `code`, for the job to
 * return, gets this text (copied; NULL: that of loop_strerror). Returns `code`,
 * also when there is no memory for the text, so that a job may end with
 * `return loop_job_fail(code, "why");`. If the job returns another code the text
 * is dropped; a later call takes its place. LOOP_EINVAL for codes that are not
 * negative, LOOP_EINVALID_STATE outside a job. [any thread] that runs a job, on
 * a host's executor too. Python: raising an exception with a text.
 */
int loop_job_fail(int code, const char *message);

/**
 * The same with something of the host's own, as loop_future_set_exception_data:
 * loop_future_exception_data answers it. It is destroyed with the failure, on
 * whatever thread drops that, or at once if this call fails or another takes its
 * place; without memory for the text there is no data either.
 */
int loop_job_fail_data(int code, const char *message, void *data, loop_destroy_t destroy);

/**
 * Calls `work` on an executor as loop_run_in_executor does, and then `done` on
 * the loop's thread, both with the same user data: what goes from one to the
 * other stands there. There is no future, which makes this the quickest way,
 * and no way to cancel. `done` may be NULL.
 *
 * `destroy` runs after `done`; on whatever thread drops the data if the loop is
 * closed meanwhile or the executor discards the job, on this one if this call
 * fails. Errors as loop_run_in_executor. [loop thread] libuv: uv_queue_work().
 */
int loop_call_in_executor(struct loop_t *loop,
                          struct loop_executor_t *executor,
                          loop_callback_t work,
                          loop_callback_t done,
                          void *user_data,
                          loop_destroy_t destroy);

/**
 * Makes `executor` the loop's default one, which gets the jobs that name none.
 * The loop takes a reference, and charge: loop_close shuts it down without
 * waiting, whoever else uses it, as asyncio does. The one before is given back.
 * LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM.
 * [loop thread] asyncio: loop.set_default_executor().
 */
int loop_set_default_executor(struct loop_t *loop, struct loop_executor_t *executor);

/**
 * Ends the default executor: from now on jobs that name none are refused with
 * LOOP_ESHUTDOWN. The future in *ret_future is done when all threads have
 * ended, at once if there are none; it fails with -ETIMEDOUT if that takes
 * longer than timeout_ns (negative: no limit), and the threads end later.
 * LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -ENOMEM,
 * -EAGAIN (a host's executor is waited for in a thread of its own).
 * [loop thread] asyncio: loop.shutdown_default_executor().
 */
int loop_shutdown_default_executor(struct loop_t *loop,
                                   int64_t timeout_ns,
                                   struct loop_future_t **ret_future);

/**
 * Looks up the addresses of a host (NULL: this one) and a service (a name, a
 * number as text, or NULL), by the system's getaddrinfo on the loop's default
 * executor. What the future in *ret_future ends with is read by
 * loop_getaddrinfo_result. Where neither is a name, no thread is asked, and the
 * future is done at once.
 *
 * The future fails with LOOP_EAI_..., with -ETIMEDOUT if the answer takes
 * longer than timeout_ns (negative: no limit; 0: unless it is there at
 * once). An answer that comes after that, or
 * after the future was cancelled, is dropped. `hints` may be NULL.
 * LOOP_EINVAL, others as loop_run_in_executor. [loop thread]
 * asyncio: loop.getaddrinfo().
 */
int loop_getaddrinfo(struct loop_t *loop,
                     const char *host,
                     const char *service,
                     const struct loop_addrinfo_hints_t *hints,
                     int64_t timeout_ns,
                     struct loop_future_t **ret_future);

/**
 * What loop_getaddrinfo found: *ret_entries has *ret_count entries, at least
 * one, the best first, as the system orders them. They live as long as the
 * future, which must be one of loop_getaddrinfo, or one that shares its result.
 * 0, errors as loop_future_result. [loop thread]
 */
int loop_getaddrinfo_result(struct loop_future_t *future,
                            const struct loop_addrinfo_t **ret_entries,
                            size_t *ret_count);

/**
 * Looks up the name and the service of an address, by the system's getnameinfo
 * with its flags (NI_...) on the loop's default executor. What the future in
 * *ret_future ends with is read by loop_getnameinfo_result. With NI_NUMERICHOST
 * and NI_NUMERICSERV no thread is asked, and the future is done at once.
 * Failures, time limit and errors as of loop_getaddrinfo. [loop thread]
 * asyncio: loop.getnameinfo().
 */
int loop_getnameinfo(struct loop_t *loop,
                     const void *address,
                     size_t address_length,
                     int flags,
                     int64_t timeout_ns,
                     struct loop_future_t **ret_future);

/**
 * What loop_getnameinfo found, each with its NUL; either pointer may be NULL.
 * The texts live as long as the future, which must be one of loop_getnameinfo,
 * or one that shares its result. 0, errors as loop_future_result. [loop thread]
 */
int loop_getnameinfo_result(struct loop_future_t *future,
                            const char **ret_host,
                            const char **ret_service);

/**
 * Calls `callback` once, in the loop, when the process `pid` has ended, and
 * takes its exit status from the system. Nothing else may wait for that child,
 * or the status gets lost (see loop_child_callback_t). SIGCHLD is not touched.
 * What this loop watched under this number before is replaced. A process that
 * is no child of this one can be watched, too: 255.
 *
 * 0; LOOP_EINVAL (NULL, a number that is not positive), -ESRCH if there is no
 * such process, LOOP_ECLOSED, LOOP_EFORKED, LOOP_EWRONG_THREAD, -EMFILE,
 * -ENOMEM, -EAGAIN. Where the system has no descriptors of processes (Linux
 * before 5.3), a thread waits for each child, and a process that is no child
 * counts as ended at once. Windows: any process that may be opened, else -EACCES;
 * others may wait for it as well. Closing the loop ends the watch; so does
 * loop_reinit_after_fork in a forked child, which leaves the parent's alone.
 * [loop thread] asyncio: AbstractChildWatcher.add_child_handler().
 */
int loop_watch_child(struct loop_t *loop,
                     int pid,
                     loop_child_callback_t callback,
                     void *user_data,
                     loop_destroy_t destroy);

/**
 * Ends what loop_watch_child began: 1 if there was a watch, 0 if not (always on
 * a closed loop). The child's status is left to the caller. LOOP_EFORKED,
 * LOOP_EWRONG_THREAD. [loop thread] asyncio: remove_child_handler().
 */
int loop_unwatch_child(struct loop_t *loop, int pid);

/**
 * The child watcher of this kind, LOOP_CHILD_WATCHER_PIDFD or _THREADED; NULL
 * for another. [any thread]
 */
const struct loop_child_watcher_t *loop_child_watcher_get(int kind);

/**
 * "PidfdChildWatcher" or "ThreadedChildWatcher"; NULL for NULL. Static.
 * [any thread]
 */
const char *loop_child_watcher_name(const struct loop_child_watcher_t *watcher);

/**
 * Does nothing but check its arguments: no loop has to be attached. `loop` may
 * be NULL. 0, LOOP_EINVAL, LOOP_ECLOSED, LOOP_EFORKED. [any thread]
 * asyncio: watcher.attach_loop().
 */
int loop_child_watcher_attach_loop(const struct loop_child_watcher_t *watcher,
                                   struct loop_t *loop);

/**
 * 1: a watcher always works. LOOP_EINVAL for NULL. [any thread]
 * asyncio: watcher.is_active().
 */
int loop_child_watcher_is_active(const struct loop_child_watcher_t *watcher);

/**
 * loop_watch_child for the loop that runs in this thread, by the process's
 * watcher, whichever is given. LOOP_ENO_RUNNING; others as there.
 * asyncio: watcher.add_child_handler().
 */
int loop_child_watcher_add_child_handler(const struct loop_child_watcher_t *watcher,
                                         int pid,
                                         loop_child_callback_t callback,
                                         void *user_data,
                                         loop_destroy_t destroy);

/**
 * loop_unwatch_child for the loop that runs in this thread. LOOP_ENO_RUNNING;
 * others as there. asyncio: watcher.remove_child_handler().
 */
int loop_child_watcher_remove_child_handler(const struct loop_child_watcher_t *watcher,
                                            int pid);

/**
 * The process's child watcher in *ret_watcher. LOOP_EINVAL. [any thread]
 * asyncio: get_child_watcher().
 */
int policy_get_child_watcher(const struct loop_child_watcher_t **ret_watcher);

/**
 * Makes `watcher` the process's, for what is watched from now on; NULL: the
 * default, LOOP_CHILD_WATCHER_PIDFD. [any thread] asyncio: set_child_watcher().
 */
int policy_set_child_watcher(const struct loop_child_watcher_t *watcher);

/**
 * Writes what the loop has counted to *ret_stats, whose `size` says how much
 * of it there is; what this version does not know is set to 0. Inside the
 * loop's own callbacks the numbers are exact. Elsewhere they are those of the
 * loop's last poll, at most 64 turns ago, or of the end of its last run (with
 * LOOP_STATS_CALLBACKS, a watchdog or debug mode, of the callback that runs);
 * times and posts_now are always those of this moment. Numbers that belong together
 * may be a moment apart. The loop is never stopped for it; only posts_now is
 * read under the lock of those who post. LOOP_EINVAL (NULL, wrong size).
 * [any thread], also after close (nothing waits in it then) and after fork (as
 * of the fork, posts_now 0).
 */
int loop_get_stats(const struct loop_t *loop, struct loop_stats_t *ret_stats);

/**
 * Sets how much is measured from now on (a LOOP_STATS_ level; each contains
 * those before) and forgets the longest callback. What was added up stays. In
 * the middle of a run times begin with the next wait, callbacks with the next
 * turn. LOOP_EINVAL (NULL, unknown), LOOP_ECLOSED, LOOP_EFORKED. [any thread]
 */
int loop_set_stats_level(struct loop_t *loop, uint32_t level);

/**
 * Starts a program: in *ret_process, with one reference. It runs when this
 * returns; what prevents that is told at once: -ENOENT, -EACCES, -ENOEXEC, ...
 * for the program, -ENOENT or -ENOTDIR for the directory too (the message says
 * which of them), -EPERM for rights,
 * and nothing is left of it. It begins with default signal dispositions and
 * none blocked. This is no fork for this process: no fork handler runs.
 *
 * LOOP_EINVAL (NULL, wrong options), -EBADF (a descriptor), LOOP_ECLOSED,
 * LOOP_EFORKED, LOOP_EWRONG_THREAD, -EMFILE, -EAGAIN, -ENOMEM. [loop thread]
 * asyncio: create_subprocess_exec(), loop.subprocess_exec().
 */
int loop_subprocess_exec(struct loop_t *loop,
                         const struct loop_subprocess_options_t *options,
                         struct loop_process_t **ret_process);

/**
 * loop_subprocess_exec for "/bin/sh -c command". `options` may be NULL; its argv
 * must be NULL. A command that cannot be found is the shell's to report: it
 * ends with 127. Windows: %COMSPEC% /c "command".
 * asyncio: create_subprocess_shell(), loop.subprocess_shell().
 */
int loop_subprocess_shell(struct loop_t *loop,
                          const char *command,
                          const struct loop_subprocess_options_t *options,
                          struct loop_process_t **ret_process);

/**
 * loop_subprocess_exec with a protocol, which is told what the process does, on
 * the loop's thread. Its pipes are transports then, reading from the start; see
 * loop_process_get_pipe_transport. The functions are copied. The loop keeps the
 * process until connection_lost. `destroy` runs after that; if the loop is
 * closed before, with the last reference to the process, on that thread; or when
 * this call fails. LOOP_EINVAL also for a protocol that is NULL or has a wrong
 * size. [loop thread] asyncio: loop.subprocess_exec(protocol_factory, ...).
 */
int loop_subprocess_exec_protocol(struct loop_t *loop,
                                  const struct loop_subprocess_options_t *options,
                                  const struct loop_process_protocol_t *protocol,
                                  void *user_data,
                                  loop_destroy_t destroy,
                                  struct loop_process_t **ret_process);

/**
 * loop_subprocess_shell with a protocol, by the rules of
 * loop_subprocess_exec_protocol. asyncio: loop.subprocess_shell().
 */
int loop_subprocess_shell_protocol(struct loop_t *loop,
                                   const char *command,
                                   const struct loop_subprocess_options_t *options,
                                   const struct loop_process_protocol_t *protocol,
                                   void *user_data,
                                   loop_destroy_t destroy,
                                   struct loop_process_t **ret_process);

/**
 * Takes one more reference; returns `process`. NULL is allowed. [any thread]
 */
struct loop_process_t *loop_process_ref(struct loop_process_t *process);

/**
 * Gives a reference back. With the last one the pipes that nobody took are
 * closed; the process goes on. NULL is allowed. [any thread], also after close
 * and after fork.
 */
void loop_process_unref(struct loop_process_t *process);

/**
 * The process's loop, borrowed: valid as long as the process. [any thread]
 */
struct loop_t *loop_process_get_loop(struct loop_process_t *process);

/**
 * The process id, also when the process has ended and the number may mean
 * another one. LOOP_EINVAL. [any thread] asyncio: transport.get_pid().
 */
int loop_process_pid(struct loop_process_t *process);

/**
 * 0 and how the process ended in *ret_returncode: its exit status, or the
 * negative number of the signal that ended it, or 255 if somebody else took the
 * status; on Windows its exit code, all 32 bits. LOOP_EINVALID_STATE while it
 * runs, as far as the loop has looked; LOOP_EINVAL, LOOP_EWRONG_THREAD,
 * LOOP_EFORKED. [loop thread], also after close. asyncio: transport.get_returncode().
 */
int loop_process_returncode(struct loop_process_t *process, int *ret_returncode);

/**
 * A future in *ret_future that is done when the process has ended; its result
 * is (void *)(intptr_t)returncode. Several may wait; cancelling one does nothing
 * to the process nor to the others. Beware of pipes that nobody reads: the
 * process may wait for you. LOOP_EINVAL, LOOP_ECLOSED, LOOP_EWRONG_THREAD,
 * LOOP_EFORKED, -ENOMEM. [loop thread] asyncio: process.wait().
 */
int loop_process_wait(struct loop_process_t *process, struct loop_future_t **ret_future);

/**
 * Sends a signal to the process, never to another one that got its number.
 * 0 also for a process that has ended and that the loop has not looked at yet;
 * then -ESRCH (asyncio's ProcessLookupError). -EINVAL (no signal), -EPERM,
 * LOOP_EINVAL, LOOP_EWRONG_THREAD, LOOP_EFORKED. Windows: 9 and SIGTERM end it by
 * force, with exit code 1; SIGBREAK (21) is Ctrl-Break for a process that leads
 * a group, else, or without a console, -errno of the system; other signals are
 * LOOP_ENOTSUP. [loop thread], also after
 * close. asyncio: transport.send_signal().
 */
int loop_process_send_signal(struct loop_process_t *process, int signum);

/**
 * loop_process_send_signal with SIGTERM. asyncio: transport.terminate().
 */
int loop_process_terminate(struct loop_process_t *process);

/**
 * loop_process_send_signal with SIGKILL. asyncio: transport.kill().
 */
int loop_process_kill(struct loop_process_t *process);

/**
 * Closes the pipes that nobody took, and kills the process if it still runs; the
 * loop still waits for its end. Closing again is no error. LOOP_EINVAL,
 * LOOP_EWRONG_THREAD, LOOP_EFORKED. [loop thread], also after close of the loop.
 * asyncio: transport.close().
 */
int loop_process_close(struct loop_process_t *process);

/**
 * Our end of the pipe to standard stream 0, 1 or 2: a descriptor that does not
 * block and is close-on-exec. It stays the process's: remove it from the loop
 * before the process is closed or gone. A transport of it:
 * loop_process_take_pipe_fd, then loop_connect_read_pipe or
 * loop_connect_write_pipe; loop_sock_... is for sockets only. LOOP_EINVAL if
 * there is no such pipe, or not any more, or it is a transport's (the process has a protocol);
 * LOOP_EWRONG_THREAD, LOOP_EFORKED. [loop thread]
 */
int loop_process_get_pipe_fd(struct loop_process_t *process,
                             int stream);

/**
 * The same, and the descriptor becomes the caller's, who closes it.
 */
int loop_process_take_pipe_fd(struct loop_process_t *process, int stream);

/**
 * The transport to standard stream 0, 1 or 2 of a process with a protocol, or
 * NULL. Borrowed: valid as long as the process. Standard input is written to;
 * the others may be paused. [loop thread] asyncio: transport.get_pipe_transport().
 */
struct loop_transport_t *loop_process_get_pipe_transport(struct loop_process_t *process,
                                                         int stream);

/**
 * Starts a thread that calls `callback` when one callback of the loop has run
 * for `threshold_ns` nanoseconds, and again each time that its duration has
 * doubled; NULL: a line on stderr, "Executing <callback ...> is taking longer
 * than 0.100 seconds". A loop that waits is never reported. A watchdog from
 * before is replaced. It begins with the loop's next turn, wakes once in each
 * `threshold_ns`, and costs two readings of the clock and two locks for each
 * callback.
 *
 * The thread ends with loop_watchdog_stop and loop_close; both wait for a
 * report that is under way, so a report must not wait for the loop's thread.
 * `destroy` runs once, on the thread that ends it. In a forked child there is
 * no watchdog. LOOP_EINVAL (NULL, 0), LOOP_ECLOSED, LOOP_EFORKED,
 * LOOP_EWRONG_THREAD, -EAGAIN (no more threads), -ENOMEM. [loop thread]
 * asyncio: the slow callbacks of debug mode, while they run.
 */
int loop_watchdog_start(struct loop_t *loop,
                        uint64_t threshold_ns,
                        loop_watchdog_callback_t callback,
                        void *user_data,
                        loop_destroy_t destroy);

/**
 * Ends the watchdog: 1 if there was one, 0 if not (always on a closed loop).
 * After it no report comes. Inside a report it returns at once: that report is
 * the last one, and the loop destroys the data when it gets to it. LOOP_EINVAL,
 * LOOP_EFORKED, LOOP_EWRONG_THREAD. [loop thread], and inside reports.
 */
int loop_watchdog_stop(struct loop_t *loop);

/**
 * What an error code means, in English; never NULL. Static: valid for ever.
 * Any thread.
 */
const char *loop_strerror(int code);

/**
 * The message of this thread's last failed call, in asyncio's own words where
 * it has them; "" before any failure. Borrowed: valid until the next failing
 * call of this library on this thread, or the next loop_last_error.
 */
const char *loop_last_error(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* COLOOP_H */
