/* Running: how the library's turns call Python, and what leaves a run. */
#include "coloop_python.h"

/* What a callback raised that must leave the run: it is kept until the library
 * has ended the run. */
void keep_raised(LoopObject *self) {
    Py_XSETREF(self->raised, exception_take());
    if (self->runs) loop_interrupt(self->loop, 1);
}

/* A callback failed: asyncio's exception handler is told, unless it is one of
 * the exceptions that end the run. */
static void callback_failed(LoopObject *self, HandleObject *handle) {
    if (!exception_must_leave()) {
        PyObject *done = exception_report((PyObject *)self, self->state->s_report_error,
                                          (PyObject *)handle, NULL);
        if (done) {
            Py_DECREF(done);
            return;
        }
    }
    keep_raised(self);
}

static inline PyObject *call(HandleObject *handle) {
    if (handle->nargs == ARGS_IN_TUPLE)
        return PyObject_Call(handle->callback, handle->args[0], NULL);
    /* What lies before the arguments is in use in a handle that waits: _run(). */
    size_t offset = handle->scheduled ? 0 : PY_VECTORCALL_ARGUMENTS_OFFSET;
    return PyObject_Vectorcall(handle->callback, handle->args, handle->nargs | offset, NULL);
}

/* A callback that nobody else holds cannot change under the call: no further
 * references are needed. The loop is held by who runs it; its handle may have let
 * go of it when the callback returns. */
static inline void run_alone(LoopObject *self, HandleObject *handle) {
    PyObject *context = context_enter(self, handle);
    if (!context) {
        callback_failed(self, handle);
        return;
    }
    PyObject *result = call(handle);
    if (!result) context_keep(handle, context);
    if (context_leave(self, handle, context) < 0) Py_CLEAR(result);
    if (result)
        Py_DECREF(result);
    else
        callback_failed(self, handle);
}

/* A callback may cancel its own handle, which lets go of what is in use. Whoever
 * has the handle may ask for its context, and then finds what the callback set. */
static void run_in_context(LoopObject *self, HandleObject *handle) {
    if (context_make(handle) < 0) {
        callback_failed(self, handle);
        return;
    }
    if (!handle->callback) return; /* cancelled by a destructor, just now */
    PyObject *callback = Py_NewRef(handle->callback);
    PyObject *arguments[INLINE_ARGS];
    int count = handle->nargs == ARGS_IN_TUPLE ? 1 : handle->nargs;
    for (int i = 0; i < count; i++) arguments[i] = Py_NewRef(handle->args[i]);
    run_alone(self, handle);
    for (int i = 0; i < count; i++) Py_DECREF(arguments[i]);
    Py_DECREF(callback);
}

/* Debug mode: says which callback runs, and which ones take long. */
static void run_observed(LoopObject *self, HandleObject *handle) {
    State *state = self->state;
    if (PyObject_SetAttr((PyObject *)self, state->s_current_handle, (PyObject *)handle) < 0)
        PyErr_Clear();
    uint64_t before = loop_time(self->loop);
    run_in_context(self, handle);
    double seconds = (double)(loop_time(self->loop) - before) * 1e-9;
    PyObject *limit = PyObject_GetAttr((PyObject *)self, state->s_slow_duration);
    double limit_seconds = limit ? PyFloat_AsDouble(limit) : 0;
    Py_XDECREF(limit);
    if (!PyErr_Occurred() && seconds >= limit_seconds) {
        PyObject *duration = PyFloat_FromDouble(seconds);
        PyObject *done = duration ? PyObject_CallMethodObjArgs((PyObject *)self,
                                                               state->s_report_slow, handle,
                                                               duration, NULL)
                                  : NULL;
        Py_XDECREF(duration);
        Py_XDECREF(done);
    }
    if (PyErr_Occurred()) {
        if (exception_must_leave())
            keep_raised(self);
        else
            PyErr_WriteUnraisable((PyObject *)self);
    }
    if (PyObject_SetAttr((PyObject *)self, state->s_current_handle, Py_None) < 0) PyErr_Clear();
}

static inline void run_with_gil(void *data) {
    HandleObject *handle = data;
    LoopObject *self = handle->loop;
    handle_unlink(handle);
    if (!handle->cancelled) {
        if (self->debug)
            run_observed(self, handle);
        else if (Py_REFCNT(handle) == 1)
            run_alone(self, handle);
        else
            run_in_context(self, handle);
    }
    if (Py_REFCNT(handle) > 1) {
        handle_forget_callback(handle);
        handle_forget_loop(handle);
    }
    Py_DECREF(handle);
}

/* The library's callback of everything that runs once. Its data is the handle,
 * with the reference of the loop's list. */
void run_handle(void *data) {
    CALLED_BY_LIBRARY;
    HandleObject *handle = data;
    if (handle->loop->runs)
        run_with_gil(handle);
    else
        enter_from_c(handle->loop, run_with_gil, handle);
    BACK_TO_LIBRARY;
}

/* Of readers and writers, which stay. */
void run_persistent_handle(void *data) {
    HandleObject *handle = data;
    if (handle->cancelled || !handle->callback) return;
    LoopObject *self = (LoopObject *)Py_NewRef(handle->loop);
    Py_INCREF(handle);
    if (self->debug)
        run_observed(self, handle);
    else
        run_in_context(self, handle);
    Py_DECREF(handle);
    Py_DECREF(self);
}

void run_watch(void *data) {
    CALLED_BY_LIBRARY;
    HandleObject *handle = data;
    if (handle->loop->runs)
        run_persistent_handle(handle);
    else
        enter_from_c(handle->loop, run_persistent_handle, handle);
    BACK_TO_LIBRARY;
}

/* In a forked child: makes the loop this process's own, if it was made to allow
 * that. 0, or the code. */
int recover_from_fork(LoopObject *self, int code) {
    if (code != LOOP_EFORKED || self->fork_mode == FORK_ERROR) return code;
    uint32_t keep =
        self->fork_mode == FORK_ASYNCIO ? LOOP_REINIT_KEEP_IO | LOOP_REINIT_KEEP_READY : 0;
    code = loop_reinit_after_fork(self->loop, keep);
    return code < 0 ? code : 0;
}

/* A run that ends when it is stopped, or a single turn. */
static int run(LoopObject *self, int single) {
    if (!single) return loop_run_forever(self->loop);
    int code = loop_run_once(self->loop, -1);
    return code < 0 ? code : 0;
}

/* asyncio's run_forever calls this in a loop until _stopping is set: one call
 * is a whole run here. Called by itself it is one turn, as in asyncio. */
static PyObject *loop_run_once_method(LoopObject *self, PyObject *unused) {
    (void)unused;
    if (loop_check_open(self) < 0) return NULL;
    int single = !self->thread_id || self->thread_id == Py_None;
    if (self->runs) {
        uint64_t when;
        if (loop_next_deadline(self->loop, &when) != LOOP_EFORKED)
            return raise_code(LOOP_ERUNNING);
    }
    char outer = self->runs;
    self->runs = 1;
    int code = run(self, single);
    if (code == LOOP_EFORKED && (code = recover_from_fork(self, code)) == 0)
        code = run(self, single);
    self->runs = outer;
    if (self->raised) {
        PyObject *raised = self->raised;
        self->raised = NULL;
        exception_give(raised);
        return NULL;
    }
    if (failed(code)) return NULL;
    if (!single) self->stopping = 1;
    Py_RETURN_NONE;
}

static PyObject *loop_wakeup_method(LoopObject *self, PyObject *unused) {
    (void)unused;
    loop_wakeup(self->loop);
    Py_RETURN_NONE;
}

PyMethodDef run_methods[] = {
    {"_run_once", (PyCFunction)loop_run_once_method, METH_NOARGS, NULL},
    {"_write_to_self", (PyCFunction)loop_wakeup_method, METH_NOARGS, NULL},
    {NULL},
};
