/* call_soon, call_later, call_at, call_soon_threadsafe: asyncio's, with a handle
 * in the library's queues. */
#include "coloop_python.h"
#include <math.h>

/* The value of context=; *ret_others tells whether other arguments are named. */
static PyObject *take_context(State *state, PyObject *const *values, PyObject *names,
                              int *ret_others) {
    PyObject *context = NULL;
    *ret_others = 0;
    if (!names) return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (name == state->s_context || PyUnicode_CompareWithASCIIString(name, "context") == 0)
            context = values[i];
        else
            *ret_others = 1;
    }
    return context;
}

/* callback= and the like: puts the arguments in order and calls the method again.
 * See _in_order of coloop/_loop.py. */
static PyObject *in_order(LoopObject *self, const char *method, PyObject *const *args,
                          Py_ssize_t nargs, PyObject *names) {
    PyObject *function = PyObject_GetAttr((PyObject *)self, self->state->s_in_order);
    PyObject *name = function ? PyUnicode_FromString(method) : NULL;
    PyObject *done = name ? call_forward(function, name, args, nargs, names) : NULL;
    Py_XDECREF(name);
    Py_XDECREF(function);
    return done;
}

static int check_debug(LoopObject *self, PyObject *callback, const char *method, int thread) {
    State *state = self->state;
    if (thread) {
        PyObject *done = PyObject_CallMethodNoArgs((PyObject *)self, state->s_check_thread);
        if (!done) return -1;
        Py_DECREF(done);
    }
    PyObject *name = PyUnicode_FromString(method);
    if (!name) return -1;
    PyObject *done = PyObject_CallMethodObjArgs((PyObject *)self, state->s_check_callback,
                                                callback, name, NULL);
    Py_DECREF(name);
    if (!done) return -1;
    Py_DECREF(done);
    return 0;
}

static int needs(Py_ssize_t nargs, Py_ssize_t least, const char *method) {
    if (nargs >= least) return 0;
    PyErr_Format(PyExc_TypeError, "%s() missing %zd required positional argument%s", method,
                 least - nargs, least - nargs == 1 ? "" : "s");
    return -1;
}

/* Gives a scheduled handle back to nobody: it could not be scheduled. */
static PyObject *not_scheduled(HandleObject *handle, int code) {
    handle_unlink(handle);
    Py_DECREF(handle);
    Py_DECREF(handle);
    return raise_code(code);
}

typedef int (*call_soon_t)(loop_t *, loop_callback_t, void *, loop_destroy_t, loop_handle_t *);

static PyObject *soon(LoopObject *self, call_soon_t function, PyObject *callback,
                      PyObject *const *args, Py_ssize_t nargs, PyObject *context) {
    HandleObject *handle =
        handle_new(self, 0, callback, args, nargs, context);
    if (!handle) return NULL;
    handle_link(handle);
    int code = function(self->loop, run_handle, handle, NULL, NULL);
    if (code < 0) {
        code = recover_from_fork(self, code);
        if (code == 0) code = function(self->loop, run_handle, handle, NULL, NULL);
        if (code < 0) return not_scheduled(handle, code);
    }
    return (PyObject *)handle;
}

static PyObject *loop_call_soon_method(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                                       PyObject *names) {
    int others;
    PyObject *context = take_context(self->state, args + nargs, names, &others);
    if (others) return in_order(self, "call_soon", args, nargs, names);
    if (needs(nargs, 1, "call_soon") < 0 || loop_check_open(self) < 0) return NULL;
    if (self->debug && check_debug(self, args[0], "call_soon", 1) < 0) return NULL;
    return soon(self, loop_call_soon, args[0], args + 1, nargs - 1, context);
}

static PyObject *loop_threadsafe_method(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                                        PyObject *names) {
    int others;
    PyObject *context = take_context(self->state, args + nargs, names, &others);
    if (others) return in_order(self, "call_soon_threadsafe", args, nargs, names);
    if (needs(nargs, 1, "call_soon_threadsafe") < 0 || loop_check_open(self) < 0) return NULL;
    if (self->debug && check_debug(self, args[0], "call_soon_threadsafe", 0) < 0) return NULL;
    return soon(self, loop_call_soon_threadsafe, args[0], args + 1, nargs - 1, context);
}

/* asyncio's _add_callback: a handle made by the standard library's code. */
static PyObject *loop_add_callback(LoopObject *self, PyObject *handle) {
    PyObject *cancelled = PyObject_GetAttrString(handle, "_cancelled");
    if (!cancelled) return NULL;
    int is_cancelled = PyObject_IsTrue(cancelled);
    Py_DECREF(cancelled);
    if (is_cancelled) return is_cancelled < 0 ? NULL : Py_NewRef(Py_None);
    if (loop_check_open(self) < 0) return NULL;
    PyObject *run = PyObject_GetAttrString(handle, "_run");
    if (!run) return NULL;
    PyObject *made = soon(self, loop_call_soon, run, NULL, 0, NULL);
    Py_DECREF(run);
    Py_XDECREF(made);
    return made ? Py_NewRef(Py_None) : NULL;
}

/* Seconds as the library's nanoseconds, rounded up: never early. */
static uint64_t nanoseconds(double seconds) {
    if (!(seconds > 0)) return 0;
    if (seconds >= 9.2e9) return INT64_MAX;
    return (uint64_t)ceil(seconds * 1e9);
}

/* A timer that another thread asked for, on the loop's thread. */
static void arm(void *data) {
    HandleObject *handle = data;
    loop_t *loop = handle->loop->loop;
    if (handle->cancelled
        || loop_call_at(loop, nanoseconds(timer(handle)->when), run_handle, handle, NULL,
                        &timer(handle)->id) < 0)
        run_handle(handle);
}

static PyObject *at(LoopObject *self, double when, PyObject *when_object, PyObject *callback,
                    PyObject *const *args, Py_ssize_t nargs, PyObject *context) {
    HandleObject *handle =
        handle_new(self, 1, callback, args, nargs, context);
    if (!handle) return NULL;
    timer(handle)->when = when;
    if (when_object && !PyFloat_CheckExact(when_object)
        && handle_set_when(handle, when_object) < 0) {
        Py_DECREF(handle);
        return NULL;
    }
    handle_link(handle);
    uint64_t due = nanoseconds(when);
    int code = loop_call_at(self->loop, due, run_handle, handle, NULL, &timer(handle)->id);
    if (code < 0) {
        if (code == LOOP_EFORKED && (code = recover_from_fork(self, code)) == 0)
            code = loop_call_at(self->loop, due, run_handle, handle, NULL, &timer(handle)->id);
        /* asyncio lets any thread do it, and the loop may notice late. */
        if (code == LOOP_EWRONG_THREAD)
            code = loop_call_soon_threadsafe(self->loop, arm, handle, NULL, NULL);
        if (code < 0) return not_scheduled(handle, code);
    }
    return (PyObject *)handle;
}

static PyObject *loop_call_later_method(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                                        PyObject *names) {
    int others;
    PyObject *context = take_context(self->state, args + nargs, names, &others);
    if (others) return in_order(self, "call_later", args, nargs, names);
    if (needs(nargs, 2, "call_later") < 0) return NULL;
    if (args[0] == Py_None) {
        PyErr_SetString(PyExc_TypeError, "delay must not be None");
        return NULL;
    }
    double delay = PyFloat_AsDouble(args[0]);
    if (delay == -1 && PyErr_Occurred()) return NULL;
    if (loop_check_open(self) < 0) return NULL;
    if (self->debug && check_debug(self, args[1], "call_at", 1) < 0) return NULL;
    double when = (double)loop_time(self->loop) * 1e-9 + delay;
    return at(self, when, NULL, args[1], args + 2, nargs - 2, context);
}

static PyObject *loop_call_at_method(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *names) {
    int others;
    PyObject *context = take_context(self->state, args + nargs, names, &others);
    if (others) return in_order(self, "call_at", args, nargs, names);
    if (needs(nargs, 2, "call_at") < 0) return NULL;
    if (args[0] == Py_None) {
        PyErr_SetString(PyExc_TypeError, "when cannot be None");
        return NULL;
    }
    double when = PyFloat_AsDouble(args[0]);
    if (when == -1 && PyErr_Occurred()) return NULL;
    if (loop_check_open(self) < 0) return NULL;
    if (self->debug && check_debug(self, args[1], "call_at", 1) < 0) return NULL;
    return at(self, when, args[0], args[1], args + 2, nargs - 2, context);
}

#define FAST(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS
PyMethodDef schedule_methods[] = {
    {"call_soon", FAST(loop_call_soon_method),
     "call_soon($self, callback, *args, context=None)\n--\n\n"
     "Calls it in the loop's next turn, after all that was scheduled before.\n"
     "Returns a Handle; RuntimeError if the loop is closed. asyncio: loop.call_soon."},
    {"call_soon_threadsafe", FAST(loop_threadsafe_method),
     "call_soon_threadsafe($self, callback, *args, context=None)\n--\n\n"
     "call_soon from any thread; wakes the loop. asyncio: loop.call_soon_threadsafe."},
    {"call_later", FAST(loop_call_later_method),
     "call_later($self, delay, callback, *args, context=None)\n--\n\n"
     "Calls it `delay` seconds from now, never earlier; equal deadlines run in the order\n"
     "of scheduling. Returns a TimerHandle. asyncio: loop.call_later."},
    {"call_at", FAST(loop_call_at_method),
     "call_at($self, when, callback, *args, context=None)\n--\n\n"
     "Calls it at `when`, in seconds of loop.time(). Returns a TimerHandle.\n"
     "asyncio: loop.call_at."},
    {"_add_callback", (PyCFunction)loop_add_callback, METH_O, NULL},
    {NULL},
};
