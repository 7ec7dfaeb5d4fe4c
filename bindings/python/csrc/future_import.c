/* C to Python: the asyncio futures that end as a loop_future_t does.
 *
 * One object for each future of C's, whoever asks for it and how often. It has a
 * reference to C's future, whose done-callback has one to it, as long as it is
 * pending. The garbage collector sees through this circle: when nobody else has a
 * reference to C's future, it can never be done, and the circle is garbage. */
#include "coloop_python.h"

typedef struct {
    PyObject_HEAD
    State *state;
    PyObject *module;
    LoopObject *loop;
    loop_future_t *future;
    PyObject *key;     /* its address, in state->imports */
    PyObject *waiters; /* list of asyncio futures */
    PyObject *message; /* of the last request to cancel from Python */
    char listening;    /* C's future has a reference to this */
    char lent;         /* somebody has a pointer that belongs to C's future */
    int ending;        /* how many calls of end_waiters are at work */
} ImportObject;

PyObject *future_as_int(loop_future_t *future) {
    PyObject *pointer = PyLong_FromVoidPtr(future);
    if (pointer) loop_future_ref(future);
    return pointer;
}

static void release_capsule(PyObject *capsule) {
    loop_future_unref(PyCapsule_GetPointer(capsule, FUTURE_CAPSULE));
}

PyObject *future_as_capsule(loop_future_t *future) {
    PyObject *capsule = PyCapsule_New(future, FUTURE_CAPSULE, release_capsule);
    if (capsule) loop_future_ref(future);
    return capsule;
}

/* What the result of a future of C's is in Python, unless somebody converts it. */
static PyObject *plain_result(loop_future_t *future, void *result) {
    if (!result) Py_RETURN_NONE;
    return carries_object(future) ? Py_NewRef((PyObject *)result) : PyLong_FromVoidPtr(result);
}

/* Why it failed: the exception that Python code has raised, or one for the code. */
static PyObject *failure(State *state, loop_future_t *future, int code, const char *text) {
    PyObject *object = carries_object(future) ? loop_future_exception_data(future) : NULL;
    if (object && PyExceptionInstance_Check(object)) return Py_NewRef(object);
    return PyObject_CallFunction(state->exception_of, "iN", code,
                                 PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace"));
}

/* Ends an asyncio future. 0, or -1 with an exception. */
static int end(ImportObject *self, PyObject *waiter) {
    State *state = self->state;
    int code = 0;
    const char *text = NULL;
    void *result = NULL;
    int failure_or = loop_future_exception(self->future, &code, &text);
    PyObject *value = NULL, *method = NULL, *done;
    if (failure_or == LOOP_ECANCELLED) {
        /* By its class: the waiter's own method asks C. */
        text = loop_last_error();
        if (self->message)
            value = Py_NewRef(self->message);
        else if (strcmp(text, "the future was cancelled") == 0)
            value = Py_NewRef(Py_None);
        else
            value = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
        done = value
            ? PyObject_CallMethodObjArgs(state->future_class, state->s_cancel, waiter, value, NULL)
            : NULL;
        Py_XDECREF(value);
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
    if (failure_or == 0 && loop_future_result(self->future, &result) == 0) {
        PyObject *convert = PyObject_GetAttr(waiter, state->s_convert);
        if (convert == Py_None)
            value = plain_result(self->future, result);
        else if (convert && (value = PyLong_FromVoidPtr(result)))
            Py_SETREF(value, PyObject_CallOneArg(convert, value));
        self->lent |= result && (convert != Py_None || !carries_object(self->future));
        Py_XDECREF(convert);
        method = state->s_set_result;
    } else if (failure_or == 1) {
        value = failure(state, self->future, code, text);
        method = state->s_set_exception;
    } else {
        failed(failure_or);
    }
    if (!value) {
        value = exception_take();
        method = state->s_set_exception;
    }
    done = PyObject_CallMethodOneArg(waiter, method, value);
    if (!done && method == state->s_set_exception) {
        /* An asyncio future takes no StopIteration: that it says so is the end. */
        Py_SETREF(value, exception_take());
        done = PyObject_CallMethodOneArg(waiter, method, value);
    }
    Py_DECREF(value);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Gives the reference to C's future back. */
static void let_go(ImportObject *self) {
    loop_future_t *future = self->future;
    if (!future) return;
    self->future = NULL;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyDict_DelItem(self->state->imports, self->key) < 0) PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    loop_future_unref(future);
}

static void end_waiters(void *data) {
    ImportObject *self = data;
    PyObject *waiters = self->waiters;
    self->waiters = NULL;
    if (!waiters) return;
    Py_INCREF(self);
    self->ending++; /* a converter may ask for the same future */
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(waiters); i++) {
        PyObject *waiter = PyList_GET_ITEM(waiters, i);
        PyObject *done = PyObject_CallMethodNoArgs(waiter, self->state->s_done);
        int ended = done == Py_True ? 0 : done ? end(self, waiter) : -1;
        Py_XDECREF(done);
        if (ended < 0) PyErr_WriteUnraisable(waiter);
    }
    /* An exception leads to the frames it came through and to what they await. C's
     * future, which has the exception, too, would close the circle where the garbage
     * collector cannot see it. */
    if (--self->ending == 0 && !self->lent) let_go(self);
    Py_DECREF(waiters);
    Py_DECREF(self);
}

static void on_done(loop_future_t *future, void *data) {
    (void)future;
    CALLED_BY_LIBRARY;
    ImportObject *self = data;
    if (self->loop->runs)
        end_waiters(self);
    else
        enter_from_c(self->loop, end_waiters, self);
    BACK_TO_LIBRARY;
}

static void stop_listening(void *data) {
    if (!Py_IsInitialized()) return;
    ((ImportObject *)data)->listening = 0;
    release_object(data);
}

/* _import_future(pointer): the object of this future of C's. */
PyObject *import_future(PyObject *module, PyObject *given) {
    State *state = state_of(module);
    loop_future_t *future = given_pointer(given, FUTURE_CAPSULE);
    if (!future) return NULL;
    int done = loop_future_done(future);
    if (failed(done)) return NULL;
    PyObject *key = PyLong_FromVoidPtr(future);
    if (!key) return NULL;
    PyObject *known = PyDict_GetItemWithError(state->imports, key);
    ImportObject *self = NULL;
    if (known) {
        self = PyLong_AsVoidPtr(known);
        Py_INCREF(self);
        /* Whoever asks may know already that it is done. */
        if (done) end_waiters(self);
        if (!self->future) Py_CLEAR(self);
    }
    if (!self && !PyErr_Occurred()) {
        PyObject *loop = from_loop(loop_future_get_loop(future));
        PyTypeObject *type = state->import_type;
        if (loop) self = (ImportObject *)type->tp_alloc(type, 0);
        if (self) {
            self->state = state;
            self->module = Py_NewRef(module);
            self->loop = (LoopObject *)Py_NewRef(loop);
            self->future = loop_future_ref(future);
            self->key = Py_NewRef(key);
            PyObject *address = PyLong_FromVoidPtr(self);
            if (!address || PyDict_SetItem(state->imports, key, address) < 0) Py_CLEAR(self);
            Py_XDECREF(address);
        }
        Py_XDECREF(loop);
    }
    Py_DECREF(key);
    return (PyObject *)self;
}

/* add(waiter): ends as C's future does; at once if that is done. */
static PyObject *import_add(ImportObject *self, PyObject *waiter) {
    int done = loop_future_done(self->future);
    if (failed(done)) return NULL;
    if (!done && !self->listening) {
        if (loop_check_open(self->loop) < 0) return NULL;
        self->listening = 1;
        int code = loop_future_add_done_callback(self->future, on_done, Py_NewRef(self),
                                                 stop_listening);
        if (failed(code)) return NULL;
    }
    if (!self->waiters && !(self->waiters = PyList_New(0))) return NULL;
    if (PyList_Append(self->waiters, waiter) < 0) return NULL;
    if (done) end_waiters(self);
    Py_RETURN_NONE;
}

/* waiters(): the list of those that wait. */
static PyObject *import_waiters(ImportObject *self, PyObject *unused) {
    (void)unused;
    return self->waiters ? PySequence_List(self->waiters) : PyList_New(0);
}

/* cancel(message, text): asks C. True, False, or None if the loop is closed. */
static PyObject *import_cancel(ImportObject *self, PyObject *args) {
    PyObject *message;
    const char *text;
    if (!PyArg_ParseTuple(args, "Oz", &message, &text)) return NULL;
    Py_INCREF(self);
    Py_XSETREF(self->message, message == Py_None ? NULL : Py_NewRef(message));
    int taken = loop_future_cancel(self->future, text);
    /* What C worked on has let go; why wait for a turn? */
    if (taken >= 0 && loop_future_done(self->future) == 1) end_waiters(self);
    Py_DECREF(self);
    if (taken == LOOP_ECLOSED) Py_RETURN_NONE;
    if (failed(taken)) return NULL;
    return PyBool_FromLong(taken);
}

static PyObject *import_pointer(ImportObject *self, PyObject *unused) {
    (void)unused;
    return future_as_int(self->future);
}

static PyObject *import_capsule(ImportObject *self, PyObject *unused) {
    (void)unused;
    return future_as_capsule(self->future);
}

static PyObject *import_is_kept(ImportObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(self->future != NULL);
}

static PyObject *import_loop(ImportObject *self, void *unused) {
    (void)unused;
    return Py_NewRef((PyObject *)self->loop);
}

static int import_traverse(ImportObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->module);
    Py_VISIT(self->loop);
    Py_VISIT(self->waiters);
    Py_VISIT(self->message);
    if (self->listening && self->future && loop_future_use_count(self->future) == 1)
        Py_VISIT(self);
    return 0;
}

static int import_clear(ImportObject *self) {
    /* First: nobody may find in state->imports what is on its way out. */
    let_go(self);
    Py_CLEAR(self->waiters);
    Py_CLEAR(self->message);
    return 0;
}

static void import_dealloc(ImportObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    import_clear(self);
    Py_XDECREF(self->key);
    Py_XDECREF(self->loop);
    Py_XDECREF(self->module);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef import_methods[] = {
    {"add", (PyCFunction)import_add, METH_O, NULL},
    {"waiters", (PyCFunction)import_waiters, METH_NOARGS, NULL},
    {"cancel", (PyCFunction)import_cancel, METH_VARARGS, NULL},
    {"pointer", (PyCFunction)import_pointer, METH_NOARGS, NULL},
    {"capsule", (PyCFunction)import_capsule, METH_NOARGS, NULL},
    {NULL},
};
static PyGetSetDef import_getset[] = {
    {"loop", (getter)import_loop, NULL, NULL, NULL},
    {"is_kept", (getter)import_is_kept, NULL, NULL, NULL},
    {NULL},
};
static PyType_Slot import_slots[] = {
    {Py_tp_doc, "A loop_future_t of C, for the asyncio futures that end as it does."},
    {Py_tp_dealloc, import_dealloc},
    {Py_tp_traverse, import_traverse},
    {Py_tp_clear, import_clear},
    {Py_tp_methods, import_methods},
    {Py_tp_getset, import_getset},
    {0, NULL},
};
PyType_Spec import_spec = {
    "coloop._coloop.FutureImport", sizeof(ImportObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE
        | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    import_slots};
