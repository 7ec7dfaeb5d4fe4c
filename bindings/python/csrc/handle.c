/* Handle and TimerHandle: asyncio's, with what is read in every turn in C.
 *
 * They do not derive from asyncio's classes, whose slots would double them, but
 * say so where they are asked: __class__, and with it isinstance(). What is
 * rarely used (repr, get_context, comparisons) is asyncio's own code; see
 * coloop/_handles.py. */
#include "coloop_python.h"

#define FREE_HANDLES 1024

static Rare *rare_of(HandleObject *handle) {
    if (!handle->rare) {
        handle->rare = PyMem_Calloc(1, sizeof(Rare));
        if (!handle->rare) PyErr_NoMemory();
    }
    return handle->rare;
}

int handle_set_when(HandleObject *handle, PyObject *when) {
    Rare *rare = rare_of(handle);
    if (!rare) return -1;
    Py_INCREF(when);
    Py_XSETREF(rare->when, when);
    return 0;
}

HandleObject *handle_new(LoopObject *loop, int is_timer, PyObject *callback,
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
    int has_variables = 0;
    if (!context || context == Py_None) {
        context = context_remember(state, &has_variables);
        if (!context) {
            Py_XDECREF(tuple);
            return NULL;
        }
    } else {
        Py_INCREF(context);
    }
    PyTypeObject *type = is_timer ? state->timer_type : state->handle_type;
    HandleObject *handle = state->free_handles[is_timer];
    if (handle) {
        state->free_handles[is_timer] = handle->next;
        state->free_count[is_timer]--;
        Py_INCREF(type);
        Py_SET_TYPE(handle, type);
        _Py_NewReference((PyObject *)handle);
    } else {
        handle = (HandleObject *)_PyObject_New(type);
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
    if (is_timer) timer(handle)->id = 0;
    handle->weakrefs = NULL;
    handle->rare = NULL;
    handle->cancelled = 0;
    handle->scheduled = 0;
    handle->has_variables = (unsigned char)has_variables;
    handle->is_timer = (unsigned char)is_timer;
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
    if (loop->debug && state->extract_stack) {
        Rare *rare = rare_of(handle);
        if (rare) rare->source_traceback = PyObject_CallNoArgs(state->extract_stack);
        if (!rare || !rare->source_traceback) {
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
void handle_forget_callback(HandleObject *handle) {
    int count = handle->nargs == ARGS_IN_TUPLE ? 1 : handle->nargs;
    PyObject *dropped[INLINE_ARGS + 1] = {handle->callback};
    for (int i = 0; i < count; i++) dropped[i + 1] = handle->args[i];
    handle->nargs = 0;
    handle->callback = NULL;
    for (int i = 0; i <= count; i++) Py_XDECREF(dropped[i]);
}

/* Nothing will happen to it any more: whoever keeps it does not keep the loop.
 * Its callback must have been forgotten. */
void handle_forget_loop(HandleObject *handle) {
    LoopObject *loop = handle->loop;
    handle->loop = NULL;
    Py_XDECREF(loop);
}

/* For the garbage collector: what a scheduled handle holds, shown by its loop,
 * which holds the handle. The handle holds the loop, too: shown as well, so that a
 * loop of which only handles know can be collected. */
int handle_visit(HandleObject *self, visitproc visit, void *arg) {
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    int count = self->nargs == ARGS_IN_TUPLE ? 1 : self->nargs;
    for (int i = 0; i < count; i++) Py_VISIT(self->args[i]);
    Py_VISIT(self->loop);
    return 0;
}

static void handle_dealloc(HandleObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    State *state = PyType_GetModuleState(type);
    if (self->weakrefs) PyObject_ClearWeakRefs((PyObject *)self);
    handle_forget_callback(self);
    Py_CLEAR(self->context);
    if (self->rare) {
        Py_XDECREF(self->rare->when);
        Py_XDECREF(self->rare->source_traceback);
        Py_XDECREF(self->rare->text);
        PyMem_Free(self->rare);
    }
    LoopObject *loop = self->loop;
    self->loop = NULL;
    if (state->free_count[self->is_timer] < FREE_HANDLES) {
        self->next = state->free_handles[self->is_timer];
        state->free_handles[self->is_timer] = self;
        state->free_count[self->is_timer]++;
    } else {
        PyObject_Free(self);
    }
    Py_XDECREF(loop);
    Py_DECREF(type);
}

void free_handles_clear(State *state) {
    for (int kind = 0; kind < 2; kind++) {
        while (state->free_handles[kind]) {
            HandleObject *handle = state->free_handles[kind];
            state->free_handles[kind] = handle->next;
            PyObject_Free(handle);
        }
        state->free_count[kind] = FREE_HANDLES; /* no more are kept */
    }
}

static PyObject *handle_cancel(HandleObject *self, PyObject *unused) {
    (void)unused;
    if (self->cancelled) Py_RETURN_NONE;
    self->cancelled = 1;
    if (!self->loop) Py_RETURN_NONE;
    if (self->loop->debug) {
        Rare *rare = rare_of(self);
        PyObject *text = rare ? PyObject_Repr((PyObject *)self) : NULL;
        if (!text) return NULL;
        Py_XSETREF(rare->text, text);
    }
    int was_scheduled = self->scheduled;
    if (was_scheduled && self->is_timer && timer(self)->id
        && loop_handle_cancel(self->loop->loop, timer(self)->id) == 0) {
        handle_unlink(self);
        handle_forget_callback(self);
        handle_forget_loop(self);
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
    if (!self->loop) Py_RETURN_NONE; /* it is over */
    LoopObject *loop = (LoopObject *)Py_NewRef(self->loop);
    run_persistent_handle(self);
    PyObject *raised = loop->runs ? NULL : loop->raised;
    if (raised) {
        loop->raised = NULL;
        exception_give(raised);
    }
    Py_DECREF(loop);
    return raised ? NULL : Py_NewRef(Py_None);
}

static PyObject *handle_get_args(HandleObject *self, void *unused) {
    (void)unused;
    if (!self->callback) Py_RETURN_NONE;
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
    State *state = PyType_GetModuleState(Py_TYPE(self));
    PyObject *class = self->is_timer ? state->asyncio_timer_handle : state->asyncio_handle;
    Py_INCREF(class);
    return class;
}

static PyObject *handle_get_when(HandleObject *self, void *unused) {
    (void)unused;
    if (self->rare && self->rare->when) return Py_NewRef(self->rare->when);
    return PyFloat_FromDouble(timer(self)->when);
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

static PyObject *get_context(HandleObject *self, void *unused) {
    (void)unused;
    return context_make(self) < 0 ? NULL : Py_NewRef(self->context);
}

static PyObject *get_rare(HandleObject *self, void *place) {
    PyObject *value =
        self->rare ? *(PyObject **)((char *)self->rare + (size_t)place) : NULL;
    return Py_NewRef(value ? value : Py_None);
}

static int set_rare(HandleObject *self, PyObject *value, void *place) {
    Rare *rare = rare_of(self);
    if (!rare) return -1;
    PyObject **target = (PyObject **)((char *)rare + (size_t)place);
    Py_XINCREF(value);
    Py_XSETREF(*target, value);
    return 0;
}

#define HANDLE_METHODS                                                                   \
    {"cancel", (PyCFunction)handle_cancel, METH_NOARGS,                                  \
     "cancel($self)\n--\n\nThe callback will not be called. asyncio.Handle.cancel."},    \
    {"cancelled", (PyCFunction)handle_cancelled, METH_NOARGS,                            \
     "cancelled($self)\n--\n\nHas cancel() been called? asyncio.Handle.cancelled."},     \
    {"_run", (PyCFunction)handle_run, METH_NOARGS, NULL}

static PyMethodDef handle_methods[] = {HANDLE_METHODS, {NULL}};
static PyMethodDef timer_methods[] = {
    HANDLE_METHODS,
    {"when", (PyCFunction)handle_when, METH_NOARGS,
     "when($self)\n--\n\n"
     "When it is due, in seconds of loop.time(). asyncio.TimerHandle.when."},
    {NULL},
};

#define OFFSET(field) offsetof(HandleObject, field)
static PyMemberDef handle_members[] = {
    {"_loop", T_OBJECT, OFFSET(loop), READONLY, NULL},
    {"_callback", T_OBJECT, OFFSET(callback), READONLY, NULL},
    {"_cancelled", T_BOOL, OFFSET(cancelled), READONLY, NULL},
    {"_scheduled", T_BOOL, OFFSET(scheduled), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, OFFSET(weakrefs), READONLY, NULL},
    {NULL},
};
#define HANDLE_GETSET                                                                    \
    {"_context", (getter)get_context, NULL, NULL, NULL},                                 \
    {"_source_traceback", (getter)get_rare, (setter)set_rare, NULL,                      \
     (void *)offsetof(Rare, source_traceback)},                                          \
    {"_repr", (getter)get_rare, (setter)set_rare, NULL, (void *)offsetof(Rare, text)}

static PyGetSetDef handle_getset[] = {
    HANDLE_GETSET,
    {"_args", (getter)handle_get_args, NULL, NULL, NULL},
    {"__class__", (getter)handle_get_class, NULL, NULL, NULL},
    {NULL},
};
static PyGetSetDef timer_getset[] = {
    HANDLE_GETSET,
    {"_args", (getter)handle_get_args, NULL, NULL, NULL},
    {"_when", (getter)handle_get_when, NULL, NULL, NULL},
    {"__class__", (getter)handle_get_class, NULL, NULL, NULL},
    {NULL},
};

static PyType_Slot handle_slots[] = {
    {Py_tp_doc, "A callback that is scheduled: asyncio.Handle."},
    {Py_tp_dealloc, handle_dealloc},
    {Py_tp_methods, handle_methods},
    {Py_tp_members, handle_members},
    {Py_tp_getset, handle_getset},
    {0, NULL},
};
static PyType_Slot timer_slots[] = {
    {Py_tp_doc, "A callback with a deadline: asyncio.TimerHandle."},
    {Py_tp_dealloc, handle_dealloc},
    {Py_tp_hash, timer_hash},
    {Py_tp_methods, timer_methods},
    {Py_tp_members, handle_members},
    {Py_tp_getset, timer_getset},
    {0, NULL},
};

#define HANDLE_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION)
PyType_Spec handle_spec = {"coloop.Handle", sizeof(HandleObject), 0, HANDLE_FLAGS, handle_slots};
PyType_Spec timer_spec = {"coloop.TimerHandle", sizeof(TimerObject), 0, HANDLE_FLAGS,
                          timer_slots};
