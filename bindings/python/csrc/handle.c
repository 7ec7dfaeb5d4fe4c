/* Handle and TimerHandle: asyncio's, with what is read in every turn in C.
 *
 * They do not derive from asyncio's classes, whose slots would double them, but
 * say so where they are asked: __class__, and with it isinstance(). What is
 * rarely used (repr, get_context, comparisons) is asyncio's own code; see
 * coloop/_handles.py. */
#include "coloop_python.h"

#define FREE_HANDLES 256

HandleObject *handle_new(LoopObject *loop, PyTypeObject *type, PyObject *callback,
                         PyObject *const *args, Py_ssize_t nargs, PyObject *context) {
    State *state = loop->state;
    PyObject *tuple = NULL;
    if (nargs > INLINE_ARGS) {
        tuple = PyTuple_New(nargs);
        if (!tuple) return NULL;
        for (Py_ssize_t i = 0; i < nargs; i++) {
            Py_INCREF(args[i]);
            PyTuple_SET_ITEM(tuple, i, args[i]);
        }
    }
    if (!context || context == Py_None) {
        context = PyContext_CopyCurrent();
        if (!context) {
            Py_XDECREF(tuple);
            return NULL;
        }
    } else {
        Py_INCREF(context);
    }
    HandleObject *handle = state->free_handles;
    if (handle) {
        state->free_handles = handle->next;
        state->free_count--;
        Py_INCREF(type);
        Py_SET_TYPE(handle, type);
        _Py_NewReference((PyObject *)handle);
    } else {
        handle = PyObject_GC_New(HandleObject, type);
        if (!handle) {
            Py_XDECREF(tuple);
            Py_DECREF(context);
            return NULL;
        }
    }
    Py_INCREF(loop);
    handle->loop = loop;
    Py_INCREF(callback);
    handle->callback = callback;
    handle->context = context;
    handle->previous = handle->next = NULL;
    handle->id = 0;
    handle->when_object = NULL;
    handle->weakrefs = NULL;
    handle->source_traceback = NULL;
    handle->text = NULL;
    handle->cancelled = 0;
    handle->scheduled = 0;
    handle->is_timer = type == state->timer_type;
    if (tuple) {
        handle->nargs = ARGS_IN_TUPLE;
        handle->args[0] = tuple;
    } else {
        handle->nargs = (unsigned char)nargs;
        for (Py_ssize_t i = 0; i < nargs; i++) {
            Py_INCREF(args[i]);
            handle->args[i] = args[i];
        }
    }
    PyObject_GC_Track(handle);
    if (loop->debug && state->extract_stack) {
        handle->source_traceback = PyObject_CallNoArgs(state->extract_stack);
        if (!handle->source_traceback) {
            Py_DECREF(handle);
            return NULL;
        }
    }
    return handle;
}

/* The loop's list of what is scheduled: so that closing the loop, collecting
 * garbage and asking what is ready find it, and the library need not know how
 * to destroy it. */
void handle_link(HandleObject *handle) {
    LoopObject *loop = handle->loop;
    Py_INCREF(handle);
    handle->scheduled = 1;
    handle->next = NULL;
    handle->previous = loop->last;
    if (loop->last)
        loop->last->next = handle;
    else
        loop->first = handle;
    loop->last = handle;
}

/* The list's reference passes to the caller. */
void handle_unlink(HandleObject *handle) {
    LoopObject *loop = handle->loop;
    handle->scheduled = 0;
    if (handle->previous)
        handle->previous->next = handle->next;
    else
        loop->first = handle->next;
    if (handle->next)
        handle->next->previous = handle->previous;
    else
        loop->last = handle->previous;
    handle->previous = handle->next = NULL;
}

/* Lets go of callback and arguments. */
int handle_forget_callback(HandleObject *handle) {
    int count = handle->nargs == ARGS_IN_TUPLE ? 1 : handle->nargs;
    handle->nargs = 0;
    Py_CLEAR(handle->callback);
    for (int i = 0; i < count; i++) Py_CLEAR(handle->args[i]);
    return 0;
}

static int handle_traverse(HandleObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->loop);
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    Py_VISIT(self->source_traceback);
    Py_VISIT(self->when_object);
    int count = self->nargs == ARGS_IN_TUPLE ? 1 : self->nargs;
    for (int i = 0; i < count; i++) Py_VISIT(self->args[i]);
    return 0;
}

static int handle_clear(HandleObject *self) {
    handle_forget_callback(self);
    Py_CLEAR(self->source_traceback);
    Py_CLEAR(self->context);
    return 0;
}

static void handle_dealloc(HandleObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    State *state = self->loop->state;
    PyObject_GC_UnTrack(self);
    if (self->weakrefs) PyObject_ClearWeakRefs((PyObject *)self);
    handle_forget_callback(self);
    Py_CLEAR(self->context);
    Py_CLEAR(self->source_traceback);
    Py_CLEAR(self->text);
    Py_CLEAR(self->when_object);
    LoopObject *loop = self->loop;
    self->loop = NULL;
    if (state->free_count < FREE_HANDLES) {
        self->next = state->free_handles;
        state->free_handles = self;
        state->free_count++;
    } else {
        PyObject_GC_Del(self);
    }
    Py_DECREF(loop);
    Py_DECREF(type);
}

void free_handles_clear(State *state) {
    while (state->free_handles) {
        HandleObject *handle = state->free_handles;
        state->free_handles = handle->next;
        PyObject_GC_Del(handle);
    }
    state->free_count = FREE_HANDLES; /* no more are kept */
}

static PyObject *handle_cancel(HandleObject *self, PyObject *unused) {
    (void)unused;
    if (self->cancelled) Py_RETURN_NONE;
    self->cancelled = 1;
    if (self->loop->debug) {
        self->text = PyObject_Repr((PyObject *)self);
        if (!self->text) return NULL;
    }
    int was_scheduled = self->scheduled;
    if (was_scheduled && self->is_timer && self->id
        && loop_handle_cancel(self->loop->loop, self->id) == 0) {
        handle_unlink(self);
        handle_forget_callback(self);
        Py_DECREF(self);
        Py_RETURN_NONE;
    }
    handle_forget_callback(self);
    Py_RETURN_NONE;
}

static PyObject *handle_cancelled(HandleObject *self, PyObject *unused) {
    (void)unused;
    return PyBool_FromLong(self->cancelled);
}

static PyObject *handle_run(HandleObject *self, PyObject *unused) {
    (void)unused;
    run_persistent_handle(self);
    if (self->loop->raised && !self->loop->runs) {
        PyObject *raised = self->loop->raised;
        self->loop->raised = NULL;
        PyErr_SetObject((PyObject *)Py_TYPE(raised), raised);
        Py_DECREF(raised);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *handle_get_args(HandleObject *self, void *unused) {
    (void)unused;
    if (self->cancelled && !self->callback) Py_RETURN_NONE;
    if (self->nargs == ARGS_IN_TUPLE) {
        Py_INCREF(self->args[0]);
        return self->args[0];
    }
    PyObject *tuple = PyTuple_New(self->nargs);
    if (!tuple) return NULL;
    for (int i = 0; i < self->nargs; i++) {
        Py_INCREF(self->args[i]);
        PyTuple_SET_ITEM(tuple, i, self->args[i]);
    }
    return tuple;
}

static PyObject *handle_get_class(HandleObject *self, void *unused) {
    (void)unused;
    State *state = self->loop->state;
    PyObject *class = self->is_timer ? state->asyncio_timer_handle : state->asyncio_handle;
    Py_INCREF(class);
    return class;
}

static PyObject *handle_get_when(HandleObject *self, void *unused) {
    (void)unused;
    if (self->when_object) {
        Py_INCREF(self->when_object);
        return self->when_object;
    }
    return PyFloat_FromDouble(self->when);
}

static PyObject *handle_when(HandleObject *self, PyObject *unused) {
    (void)unused;
    return handle_get_when(self, NULL);
}

static Py_hash_t timer_hash(HandleObject *self) {
    PyObject *when = handle_get_when(self, NULL);
    if (!when) return -1;
    Py_hash_t hash = PyObject_Hash(when);
    Py_DECREF(when);
    return hash;
}

static PyMethodDef handle_methods[] = {
    {"cancel", (PyCFunction)handle_cancel, METH_NOARGS,
     "cancel() -> None. The callback will not be called. asyncio.Handle.cancel."},
    {"cancelled", (PyCFunction)handle_cancelled, METH_NOARGS,
     "cancelled() -> bool. asyncio.Handle.cancelled."},
    {"_run", (PyCFunction)handle_run, METH_NOARGS, NULL},
    {NULL},
};

static PyMethodDef timer_methods[] = {
    {"cancel", (PyCFunction)handle_cancel, METH_NOARGS,
     "cancel() -> None. The callback will not be called. asyncio.TimerHandle.cancel."},
    {"cancelled", (PyCFunction)handle_cancelled, METH_NOARGS,
     "cancelled() -> bool. asyncio.Handle.cancelled."},
    {"when", (PyCFunction)handle_when, METH_NOARGS,
     "when() -> float. When it is due, in seconds of loop.time(). asyncio.TimerHandle.when."},
    {"_run", (PyCFunction)handle_run, METH_NOARGS, NULL},
    {NULL},
};

#define OFFSET(field) offsetof(HandleObject, field)
#define HANDLE_MEMBERS                                                                     \
    {"_loop", T_OBJECT, OFFSET(loop), READONLY, NULL},                                     \
    {"_callback", T_OBJECT, OFFSET(callback), READONLY, NULL},                             \
    {"_context", T_OBJECT, OFFSET(context), READONLY, NULL},                               \
    {"_source_traceback", T_OBJECT, OFFSET(source_traceback), 0, NULL},                    \
    {"_repr", T_OBJECT, OFFSET(text), 0, NULL},                                            \
    {"_cancelled", T_BOOL, OFFSET(cancelled), READONLY, NULL},                             \
    {"_scheduled", T_BOOL, OFFSET(scheduled), READONLY, NULL},                             \
    {"__weaklistoffset__", T_PYSSIZET, OFFSET(weakrefs), READONLY, NULL}

static PyMemberDef handle_members[] = {HANDLE_MEMBERS, {NULL}};
static PyGetSetDef handle_getset[] = {
    {"_args", (getter)handle_get_args, NULL, NULL, NULL},
    {"__class__", (getter)handle_get_class, NULL, NULL, NULL},
    {NULL},
};
static PyGetSetDef timer_getset[] = {
    {"_args", (getter)handle_get_args, NULL, NULL, NULL},
    {"_when", (getter)handle_get_when, NULL, NULL, NULL},
    {"__class__", (getter)handle_get_class, NULL, NULL, NULL},
    {NULL},
};

static PyType_Slot handle_slots[] = {
    {Py_tp_doc, "A callback that is scheduled: asyncio.Handle."},
    {Py_tp_dealloc, handle_dealloc},
    {Py_tp_traverse, handle_traverse},
    {Py_tp_clear, handle_clear},
    {Py_tp_methods, handle_methods},
    {Py_tp_members, handle_members},
    {Py_tp_getset, handle_getset},
    {0, NULL},
};
static PyType_Slot timer_slots[] = {
    {Py_tp_doc, "A callback with a deadline: asyncio.TimerHandle."},
    {Py_tp_dealloc, handle_dealloc},
    {Py_tp_traverse, handle_traverse},
    {Py_tp_clear, handle_clear},
    {Py_tp_hash, timer_hash},
    {Py_tp_methods, timer_methods},
    {Py_tp_members, handle_members},
    {Py_tp_getset, timer_getset},
    {0, NULL},
};

#define HANDLE_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION)
PyType_Spec handle_spec = {"coloop.Handle", sizeof(HandleObject), 0, HANDLE_FLAGS, handle_slots};
PyType_Spec timer_spec = {"coloop.TimerHandle", sizeof(HandleObject), 0, HANDLE_FLAGS,
                          timer_slots};
