/* Python to C: a loop_future_t that ends as an asyncio future does.
 *
 * The asyncio future has the exporter as a done-callback, and the exporter has a
 * reference to C's future. Back there is no reference, only the tie: a future that
 * nothing in Python leads to can never be done, so nothing is lost when the garbage
 * collector takes it; C's future is cancelled then. */
#include "coloop_python.h"

#include <stdatomic.h>

/* What C's future has. It outlives the exporter when C code keeps the future, and
 * may end on any thread, also when there is no interpreter any more. */
typedef struct {
    atomic_int owners;
    ExportObject *exporter; /* NULL once it is gone. Needs the GIL */
} Tie;

struct ExportObject {
    PyObject_HEAD
    State *state;
    PyObject *future; /* asyncio's; NULL before follow() and when it is over */
    loop_future_t *shared;
    Tie *tie;
    PyObject *message; /* of C's last request to cancel */
    char over;
};

static void tie_release(void *data) {
    Tie *tie = data;
    if (atomic_fetch_sub(&tie->owners, 1) == 1) free(tie);
}

void release_object(void *object) {
    if (!object || !Py_IsInitialized()) return;
    CALLED_BY_LIBRARY;
    int gil = gil_take();
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    Py_DECREF((PyObject *)object);
    PyErr_Restore(type, value, traceback);
    gil_give(gil);
    BACK_TO_LIBRARY;
}

int carries_object(loop_future_t *future) {
    /* An object of another interpreter's is a mere pointer here. */
    return loop_future_get_destroy(future) == release_object
        && PyInterpreterState_Get() == PyInterpreterState_Main();
}

/* A task knows its message only until it raises it. */
static void cancel_shared(ExportObject *self) {
    PyObject *message = PyObject_GetAttrString(self->future, "_cancel_message");
    if (self->message && (!message || message == Py_None))
        Py_XSETREF(message, Py_NewRef(self->message));
    const char *text = message && PyUnicode_Check(message) ? PyUnicode_AsUTF8(message) : NULL;
    PyErr_Clear();
    loop_future_cancel(self->shared, text);
    Py_XDECREF(message);
}

static int fail_shared(ExportObject *self, PyObject *exception) {
    PyObject *answer = PyObject_CallOneArg(self->state->failure_of, exception);
    int code;
    const char *text;
    if (!answer || !PyArg_ParseTuple(answer, "iz", &code, &text)) {
        /* The exception itself is passed on all the same. */
        PyErr_WriteUnraisable(exception);
        code = LOOP_EEXCEPTION;
        text = NULL;
    }
    code = loop_future_set_exception_data(self->shared, code, text, Py_NewRef(exception),
                                          release_object);
    Py_XDECREF(answer);
    return failed(code) ? -1 : 0;
}

/* The asyncio future is done: so is C's now. */
static void export_end(ExportObject *self) {
    if (self->over) return;
    self->over = 1;
    PyObject *future = Py_NewRef(self->future);
    PyObject *cancelled = PyObject_CallMethodNoArgs(future, self->state->s_cancelled);
    int ended = cancelled ? 0 : -1;
    if (cancelled == Py_True) {
        cancel_shared(self);
    } else if (cancelled) {
        PyObject *exception = PyObject_CallMethodNoArgs(future, self->state->s_exception);
        if (exception == Py_None) {
            PyObject *result = PyObject_CallMethodNoArgs(future, self->state->s_result);
            ended = result && !failed(loop_future_set_result(self->shared, result,
                                                                   release_object))
                ? 0
                : -1;
        } else {
            ended = exception ? fail_shared(self, exception) : -1;
        }
        Py_XDECREF(exception);
    }
    Py_XDECREF(cancelled);
    if (ended < 0) {
        PyErr_WriteUnraisable(future);
        loop_future_cancel(self->shared, "the outcome could not be passed on");
    }
    Py_CLEAR(self->future);
    Py_DECREF(future);
}

static int export_cancel(loop_future_t *shared, const char *message, void *data) {
    if (!Py_IsInitialized()) return -1;
    CALLED_BY_LIBRARY;
    Tie *tie = data;
    int answer = -1;
    int gil = gil_take();
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    ExportObject *self = tie->exporter;
    if (self && !self->over && self->future) {
        Py_INCREF(self);
        PyObject *future = Py_NewRef(self->future);
        Py_XSETREF(self->message,
                   message ? PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace")
                           : NULL);
        PyErr_Clear();
        PyObject *taken = self->message
            ? PyObject_CallMethodOneArg(future, self->state->s_cancel, self->message)
            : PyObject_CallMethodNoArgs(future, self->state->s_cancel);
        if (!taken) PyErr_WriteUnraisable(future);
        answer = taken == Py_True;
        PyObject *done = PyObject_CallMethodNoArgs(future, self->state->s_done);
        if (!done) PyErr_WriteUnraisable(future);
        if (done == Py_True) {
            /* Perhaps just now: a future, as opposed to a task, is cancelled at once. In here
             * C's future cannot be cancelled but by the answer. */
            if (!answer) export_end(self);
            answer = loop_future_done(shared) == 1 ? 0 : -1;
        }
        Py_XDECREF(done);
        Py_XDECREF(taken);
        Py_DECREF(future);
        Py_DECREF(self);
    }
    PyErr_Restore(type, value, traceback);
    gil_give(gil);
    BACK_TO_LIBRARY;
    return answer;
}

/* A new exporter for a loop, whose future is still pending and follows nothing. */
static PyObject *export_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    State *state = state_of(PyType_GetModule(type));
    LoopObject *loop;
    if (kwargs && PyDict_GET_SIZE(kwargs)) {
        PyErr_SetString(PyExc_TypeError, "a loop is needed");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O", &loop)) return NULL;
    if (!PyObject_TypeCheck(loop, state->loop_type)) {
        PyErr_SetString(PyExc_TypeError, "a coloop.EventLoop is needed");
        return NULL;
    }
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError,
                        "only the main interpreter can hand futures to C code");
        return NULL;
    }
    if (loop_check_open(loop) < 0) return NULL;
    ExportObject *self = (ExportObject *)type->tp_alloc(type, 0);
    Tie *tie = self ? malloc(sizeof *tie) : NULL;
    if (!tie) {
        Py_XDECREF(self);
        return PyErr_NoMemory();
    }
    *tie = (Tie){2, self};
    self->state = state;
    int code = loop_future_new_cancellable(loop->loop, export_cancel, tie, tie_release,
                                           &self->shared);
    self->tie = tie;
    if (failed(code)) Py_CLEAR(self);
    return (PyObject *)self;
}

/* The asyncio future's done-callback. */
static PyObject *export_call(ExportObject *self, PyObject *args, PyObject *kwargs) {
    (void)args, (void)kwargs;
    if (self->future) export_end(self);
    Py_RETURN_NONE;
}

/* follow(future): ends as this one does, which may be done already. */
static PyObject *export_follow(ExportObject *self, PyObject *future) {
    if (self->future || self->over) {
        PyErr_SetString(PyExc_RuntimeError, "it follows a future already");
        return NULL;
    }
    self->future = Py_NewRef(future);
    PyObject *done = PyObject_CallMethodNoArgs(future, self->state->s_done);
    if (done == Py_True)
        export_end(self);
    else if (done)
        Py_SETREF(done, PyObject_CallMethodOneArg(future, self->state->s_add_done_callback,
                                                  (PyObject *)self));
    if (!done) return NULL;
    Py_DECREF(done);
    Py_RETURN_NONE;
}

/* pointer(): C's future as an int, with a reference. */
static PyObject *export_pointer(ExportObject *self, PyObject *unused) {
    (void)unused;
    return future_as_int(self->shared);
}

static PyObject *export_capsule(ExportObject *self, PyObject *unused) {
    (void)unused;
    return future_as_capsule(self->shared);
}

/* Nobody in Python can end the future any more. */
static void cancel_abandoned(void *future) {
    loop_future_cancel(future, "the Python future was destroyed");
}

static void unref_abandoned(void *future) { loop_future_unref(future); }

static void abandon(loop_future_t *future) {
    if (loop_future_use_count(future) == 1) return; /* and nobody wants to know */
    if (loop_future_cancel(future, "the Python future was destroyed") == LOOP_EWRONG_THREAD)
        loop_call_soon_threadsafe(loop_future_get_loop(future), cancel_abandoned,
                                  loop_future_ref(future), unref_abandoned, NULL);
}

static int export_traverse(ExportObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->future);
    return 0;
}

static int export_clear(ExportObject *self) {
    Py_CLEAR(self->future);
    Py_CLEAR(self->message);
    return 0;
}

static void export_dealloc(ExportObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->tie) {
        self->tie->exporter = NULL;
        tie_release(self->tie);
    }
    if (self->shared) {
        if (!self->over) abandon(self->shared);
        loop_future_unref(self->shared);
    }
    export_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef export_methods[] = {
    {"follow", (PyCFunction)export_follow, METH_O, NULL},
    {"pointer", (PyCFunction)export_pointer, METH_NOARGS, NULL},
    {"capsule", (PyCFunction)export_capsule, METH_NOARGS, NULL},
    {NULL},
};
static PyType_Slot export_slots[] = {
    {Py_tp_doc, "The end of an asyncio future, for a loop_future_t of C."},
    {Py_tp_new, export_new},
    {Py_tp_call, export_call},
    {Py_tp_dealloc, export_dealloc},
    {Py_tp_traverse, export_traverse},
    {Py_tp_clear, export_clear},
    {Py_tp_methods, export_methods},
    {0, NULL},
};
PyType_Spec export_spec = {
    "coloop._coloop.FutureExport", sizeof(ExportObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, export_slots};
