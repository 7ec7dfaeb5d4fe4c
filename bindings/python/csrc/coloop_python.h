/* What the files of the extension share. The hot paths of an asyncio loop are
 * here, on the public C ABI of libcoloop; everything else is the standard
 * library's own code, which the Python classes derive from.
 *
 * Who may touch what: every function runs with the GIL, except where a hook
 * lets go of it around a wait. The library calls back on the thread that runs
 * the loop; when that is a thread of C code without the GIL, the callback takes
 * it first (see from_c.c). */
#ifndef COLOOP_PYTHON_H
#define COLOOP_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <coloop.h>
#include <structmember.h>
#include <unistd.h>

/* Around everything that the library calls. Up to Python 3.13 a thread that wants
 * the GIL while the interpreter ends is ended by pthread_exit. Unwinding the
 * library's frames would abort the process, so the thread stays where it is, as
 * from Python 3.14 on. -fexceptions makes this work in C, at no cost. No return
 * may be between the two. */
static inline void stay_if_unwinding(char *unwinding) {
    while (*unwinding) pause();
}
#define CALLED_BY_LIBRARY char unwinding __attribute__((cleanup(stay_if_unwinding))) = 1
#define BACK_TO_LIBRARY unwinding = 0

/* Arguments kept in a handle itself; more are kept in a tuple. */
#define INLINE_ARGS 2
#define ARGS_IN_TUPLE 0xff
/* asyncio's max_size: what one read may bring. */
#define READ_SIZE (256 * 1024)

typedef struct HandleObject HandleObject;
typedef struct ExportObject ExportObject;

/* What tls.c needs of asyncio.sslproto: names of attributes and methods, states. */
typedef struct {
    PyTypeObject *type;
    PyObject *loop, *sslobj, *incoming, *outgoing, *pending, *read, *write, *transport, *state,
        *ssl_buffer_view, *ssl_protocol, *app_protocol, *app_protocol_is_buffer,
        *app_reading_paused, *app_writing_paused, *ssl_reading_paused, *ssl_writing_paused,
        *write_backlog, *write_buffer_size, *incoming_high_water, *outgoing_high_water,
        *control_app_writing, *control_ssl_reading, *call_eof_received, *start_shutdown,
        *do_read, *do_read_buffered, *do_write, *do_handshake, *do_flush, *do_shutdown,
        *fatal_message;
    PyObject *unwrapped, *wrapped, *handshaking, *flushing, *shutting_down;
    PyObject *again; /* the exceptions that mean: later */
    PyObject *standard_read_copied, *standard_write, *standard_transport_write;
    PyObject *ssl_object_class;
} Tls;

/* Per interpreter. */
typedef struct {
    PyTypeObject *loop_type;
    PyTypeObject *handle_type;
    PyTypeObject *timer_type;
    PyTypeObject *stream_type;
    PyTypeObject *datagram_type;
    PyTypeObject *operation_type;
    PyTypeObject *export_type;
    PyTypeObject *import_type;

    /* The standard library's. */
    PyObject *asyncio_handle;
    PyObject *asyncio_timer_handle;
    PyObject *buffered_protocol;
    PyObject *tasks_module;
    PyObject *future_class;
    PyObject *base_create_task;
    PyObject *extract_stack;
    PyObject *stream_write;
    PyObject *stream_writelines;
    PyObject *datagram_sendto;
    PyObject *selector_loop; /* asyncio's class */
    PyObject *socket_class;

    /* Interned names. */
    PyObject *s_get_buffer, *s_buffer_updated, *s_data_received, *s_on_eof, *s_fatal_error,
        *s_add_writer, *s_write_ready, *s_append, *s_maybe_pause, *s_check_callback,
        *s_check_thread, *s_report_error, *s_report_slow, *s_slow_duration, *s_current_handle,
        *s_task, *s_datagram_received, *s_error_received, *s_context, *s_in_order, *s_fileno, *s_done,
        *s_set_result, *s_set_exception, *s_ensure_free, *s_transports, *s_cancelled,
        *s_exception, *s_result, *s_add_done_callback, *s_cancel, *s_convert;
    PyObject *kw_loop;         /* ('loop',) */
    PyObject *kw_task;         /* ('loop', 'name', 'context') */

    /* _futures.py's: an exception's (code, text), and the exception of both. */
    PyObject *failure_of, *exception_of;
    PyObject *imports; /* FutureImport objects by the address of C's future; not counted */

    Tls tls;

    HandleObject *free_handles[2]; /* handles, timers */
    int free_count[2];
    int contexts_known;
    PyObject *no_variables; /* of an empty context */
    struct LoopObject *loops; /* all of them, linked by next_loop */
} State;

typedef struct SockWatch SockWatch;
typedef struct Operation Operation;
typedef struct KnownAddress KnownAddress;

typedef struct {
    HandleObject *reader;
    HandleObject *writer;
    SockWatch *sock;   /* a reader of sock_recv's */
    Operation *sender; /* a sock_sendall that waits; the library has a reference */
} Watch;

typedef struct LoopObject {
    PyObject_HEAD
    State *state;
    PyObject *module; /* which has the state: held to the very end, never cleared */
    loop_t *loop;
    PyThreadState *thread_state; /* while a wait has let go of the GIL */
    PyObject *raised;            /* what leaves the run: a BaseException */
    PyObject *task_factory;
    PyObject *transports; /* the dict behind _transports, by descriptor */
    PyObject *thread_id; /* None: asyncio's run_forever is not at work */
    HandleObject *first, *last; /* scheduled handles; each has a reference */
    Watch *watches;             /* by descriptor; borrowed from the library */
    int watches_count;
    char *read_buffer;
    KnownAddress *addresses; /* datagram.c's */
    struct LoopObject *next_loop;
    PyObject *context; /* for callbacks that remember variables; NULL while in use */
    char runs;       /* Python runs it, in this very call */
    char closed;
    char stopping;
    char debug;
    char foreign; /* made by C code, which may run it when this object is gone */
    char hooked;  /* the loop's own thread has set the hooks, later */
    char fork_mode; /* FORK_... */
} LoopObject;

enum { FORK_ERROR, FORK_ASYNCIO, FORK_REINIT };

/* What few handles have. */
typedef struct {
    PyObject *when;             /* what the caller gave, if it was no float */
    PyObject *source_traceback; /* in debug mode */
    PyObject *text;             /* _repr of a handle cancelled in debug mode */
} Rare;

/* Not known to the garbage collector: in a loop that is busy, handles would be
 * most of what it counts. So a handle lets go of its callback and arguments once
 * it has run; before that the loop shows them (loop_traverse). */
struct HandleObject {
    PyObject_HEAD
    LoopObject *loop;   /* NULL once it is over: the garbage collector cannot see it */
    PyObject *callback; /* NULL once it has run or was cancelled */
    PyObject *context; /* or its variables: see context.c */
    PyObject *weakrefs;
    Rare *rare;
    HandleObject *next; /* among the loop's scheduled; or the free list */
    unsigned char cancelled;
    unsigned char scheduled; /* in the loop's list */
    unsigned char is_timer;
    unsigned char has_variables;
    unsigned char nargs; /* or ARGS_IN_TUPLE: args[0] is a tuple */
    int fd;              /* of a reader or writer */
    /* Lies before the arguments, where a vectorcall may write: while a callback
     * runs its handle is in no list, and this is not used. */
    HandleObject *previous;
    PyObject *args[INLINE_ARGS];
};

typedef struct {
    HandleObject handle;
    loop_handle_t id;
    double when;
} TimerObject;

static inline TimerObject *timer(HandleObject *handle) { return (TimerObject *)handle; }

/* module.c */
extern struct PyModuleDef coloop_module;

/* arguments.c: puts arguments, all of which are needed, in the order of `parameters`,
 * borrowed. 0, or -1 with a TypeError. */
int arguments_by_name(const char *method, const char *const *parameters, Py_ssize_t count,
                      PyObject *const *args, Py_ssize_t nargs, PyObject *names, PyObject **values);

/* function(first, ...): the arguments of a call as they came. */
PyObject *call_forward(PyObject *function, PyObject *first, PyObject *const *args,
                       Py_ssize_t nargs, PyObject *names);

/* The address in an int or in a capsule of this name; NULL with an exception. */
#define LOOP_CAPSULE "coloop.loop_t"
#define FUTURE_CAPSULE "coloop.loop_future_t"
void *given_pointer(PyObject *given, const char *capsule_name);

/* A method of one argument that may be given by name: named(self, data). */
#define NAMED_ARGUMENT(named, function, method, parameter)                                      \
    static PyObject *named(PyObject *self, PyObject *const *args, Py_ssize_t nargs,              \
                           PyObject *names) {                                                    \
        static const char *const parameters[] = {parameter};                                     \
        PyObject *value;                                                                         \
        if (nargs == 1 && !names) return function(self, args[0]);                                \
        if (arguments_by_name(method, parameters, 1, args, nargs, names, &value) < 0)            \
            return NULL;                                                                         \
        return function(self, value);                                                            \
    }
#define NAMED(method) (PyCFunction)(void (*)(void))method, METH_FASTCALL | METH_KEYWORDS

/* errors.c: sets the exception that asyncio would raise; returns NULL. */
PyObject *raise_code(int code);
/* Checks an argument of a library call: true if it failed (exception set). */
int failed(int code);

/* The exception that is raised, which is not raised any more; a new reference. */
PyObject *exception_take(void);
/* Raises it; takes the reference. */
void exception_give(PyObject *exception);
/* Is it one that asyncio hands to nobody but whoever called run_forever? */
int exception_must_leave(void);
/* Calls object.method(before, exception) or object.method(exception, after), each
 * of them optional, with the exception that is raised: an except clause. */
PyObject *exception_report(PyObject *object, PyObject *method, PyObject *before,
                           PyObject *after);

/* handle.c */
extern PyType_Spec handle_spec, timer_spec;
HandleObject *handle_new(LoopObject *loop, int is_timer, PyObject *callback,
                         PyObject *const *args, Py_ssize_t nargs, PyObject *context);
void handle_link(HandleObject *handle);
void handle_unlink(HandleObject *handle);
void handle_forget_callback(HandleObject *handle);
void handle_forget_loop(HandleObject *handle);
int handle_visit(HandleObject *handle, visitproc visit, void *arg);
int handle_set_when(HandleObject *handle, PyObject *when);
void free_handles_clear(State *state);

/* context.c */
int contexts_are_known(State *state);
PyObject *context_remember(State *state, int *ret_is_variables);
int context_make(HandleObject *handle);
PyObject *context_enter(LoopObject *loop, HandleObject *handle);
void context_keep(HandleObject *handle, PyObject *context);
int context_leave(LoopObject *loop, HandleObject *handle, PyObject *context);

/* loop.c, loop_run.c, schedule.c, watch.c, create.c, sock.c, reports.c */
extern PyType_Spec loop_spec, operation_spec;
extern PyMethodDef run_methods[], schedule_methods[], watch_methods[], create_methods[], sock_methods[], report_methods[];
void run_handle(void *data);
void run_watch(void *data);
void run_persistent_handle(void *handle);
void keep_raised(LoopObject *loop);
int loop_check_open(LoopObject *loop);
int set_report_hooks(LoopObject *loop);
int remove_report_hooks(LoopObject *loop);
PyObject *find_loop(PyObject *module, PyObject *given);
int recover_from_fork(LoopObject *loop, int code);
void watches_clear(LoopObject *loop);
/* The loop's buffer for READ_SIZE bytes, or NULL with an exception. */
char *read_buffer(LoopObject *loop);
/* The reader that sock.c has on a descriptor. */
SockWatch *watch_of_sock(LoopObject *loop, int fd);
int watch_of_sock_set(LoopObject *loop, int fd, SockWatch *watch);
void watch_of_sock_dropped(LoopObject *loop, int fd, SockWatch *watch);
/* Which sock_sendall waits for a descriptor: for the garbage collector. */
void watch_of_sender(LoopObject *loop, int fd, Operation *sender, int waits);
/* Room in the loop's table for an open descriptor. */
int watches_reserve(LoopObject *loop, int fd);
int sock_watch_is_idle(SockWatch *watch);
/* asyncio's _ensure_fd_no_transport. */
int check_no_transport(LoopObject *loop, int fd);
void drop_scheduled(LoopObject *loop);

/* from_c.c */
void enter_from_c(LoopObject *loop, void (*call)(void *), void *data);
int set_wait_hooks(LoopObject *loop);
int remove_hooks(LoopObject *loop);

/* stream.c, datagram.c */
void addresses_clear(LoopObject *loop);
PyTypeObject *make_stream_type(PyObject *module, PyObject *base);
PyTypeObject *make_datagram_type(PyObject *module, PyObject *base);

/* tls.c */
PyObject *make_tls_types(PyObject *module, PyObject *args);

/* from_c.c: takes the GIL unless this thread has it; the result is for gil_give. */
#define GIL_HELD (-1)
int gil_take(void);
void gil_give(int gil);

/* future_export.c */
extern PyType_Spec export_spec;
/* The destructor of what is a Python object; it takes the GIL. */
void release_object(void *object);
/* Is what a future of C's ended with such an object? */
int carries_object(loop_future_t *future);

/* future_import.c */
extern PyType_Spec import_spec;
PyObject *import_future(PyObject *module, PyObject *pointer);
/* The address as an int, for somebody who gets a reference. */
PyObject *future_as_int(loop_future_t *future);
/* The same in a capsule. */
PyObject *future_as_capsule(loop_future_t *future);

/* capi.c */
int add_capi(PyObject *module);
/* The Python object of a loop; a new reference. */
PyObject *from_loop(loop_t *loop);

static inline State *state_of(PyObject *module) { return (State *)PyModule_GetState(module); }

#endif
