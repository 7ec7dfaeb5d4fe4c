/* The context a callback runs in: a copy of the one in which it was scheduled.
 *
 * Copying a context is to remember its variables, an immutable tree. CPython
 * makes an object for each copy; here a handle remembers the tree alone, and the
 * callback runs in a context of the loop's that is used again for the next one.
 * Whoever asks a handle for its context gets an object made for it.
 *
 * This knows how CPython lays out a context: contexts_are_known() looks whether
 * it is so, and otherwise every handle gets an object. */
#include "coloop_python.h"

typedef struct {
    PyObject_HEAD
    PyObject *previous;
    PyObject *variables;
    PyObject *weakrefs;
    int entered;
} Context;

int contexts_are_known(State *state) {
#if PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
    PyObject *context = PyContext_New();
    if (!context) {
        PyErr_Clear();
        return 0;
    }
    Context *layout = (Context *)context;
    int known = Py_TYPE(context)->tp_basicsize == sizeof(Context)
        && Py_TYPE(context)->tp_weaklistoffset == offsetof(Context, weakrefs)
        && layout->previous == NULL && layout->variables != NULL
        && strcmp(Py_TYPE(layout->variables)->tp_name, "hamt") == 0;
    if (known) state->no_variables = Py_NewRef(layout->variables);
    Py_DECREF(context);
    return known;
#else
    (void)state;
    return 0;
#endif
}

/* A new reference: the variables of the present context, or a copy of it. */
PyObject *context_remember(State *state, int *ret_is_variables) {
    *ret_is_variables = 0;
#if PY_VERSION_HEX < 0x030E0000
    if (state->contexts_known) {
        PyObject *present = PyThreadState_Get()->context;
        if (present) {
            *ret_is_variables = 1;
            return Py_NewRef(((Context *)present)->variables);
        }
    }
#endif
    return PyContext_CopyCurrent();
}

static void set_variables(PyObject *context, PyObject *variables) {
    Py_INCREF(variables);
    Py_SETREF(((Context *)context)->variables, variables);
}

/* A context of its own for a handle that remembers variables. */
int context_make(HandleObject *handle) {
    if (!handle->has_variables) return 0;
    PyObject *context = PyContext_New();
    if (!context) return -1;
    set_variables(context, handle->context);
    Py_SETREF(handle->context, context);
    handle->has_variables = 0;
    return 0;
}

/* The context to enter for a handle: a new reference. */
PyObject *context_enter(LoopObject *loop, HandleObject *handle) {
    PyObject *context;
    if (!handle->has_variables) {
        context = Py_NewRef(handle->context);
    } else {
        context = loop->context;
        loop->context = NULL; /* in use: a run inside of it takes another */
        if (!context && !(context = PyContext_New())) return NULL;
        set_variables(context, handle->context);
    }
    if (PyContext_Enter(context) < 0) Py_CLEAR(context);
    return context;
}

/* The callback failed: the exception handler runs in the context as it is now. */
void context_keep(HandleObject *handle, PyObject *context) {
    if (!handle->has_variables) return;
    handle->has_variables = 0;
    Py_INCREF(context);
    Py_SETREF(handle->context, context);
}

/* 0, or -1 with an exception. Takes the reference. The variables go: until the next
 * callback nobody else may be there to let go of what they hold. */
int context_leave(LoopObject *loop, HandleObject *handle, PyObject *context) {
    int code = PyContext_Exit(context);
    if (code == 0 && handle->has_variables && Py_REFCNT(context) == 1) {
        set_variables(context, loop->state->no_variables);
        /* Destructors may have run the loop. */
        if (!loop->context) {
            loop->context = context;
            return code;
        }
    }
    Py_DECREF(context);
    return code;
}
