/* A loop that Python shares with C code, which may run it, close it, or have made
 * it: where the GIL is taken and let go of, and what C code gets to know. */
#include "coloop_python.h"

/* Does this thread hold the GIL? PyGILState_Check says yes to everybody once
 * there are subinterpreters. */
static int holds_gil(void) {
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked() != NULL;
#elif PY_VERSION_HEX >= 0x030C0000
    return _PyThreadState_UncheckedGet() != NULL;
#else
    /* Of whatever thread has it. In a subinterpreter it is not the state that
     * PyGILState_... knows of, and to take the GIL again would wait for ever. */
    PyThreadState *current = _PyThreadState_UncheckedGet();
    return current && current->thread_id == PyThread_get_thread_ident();
#endif
}

int gil_take(void) { return holds_gil() ? GIL_HELD : (int)PyGILState_Ensure(); }

void gil_give(int gil) {
    if (gil != GIL_HELD) PyGILState_Release((PyGILState_STATE)gil);
}

/* What must leave a run of C code's ends that run with 1. Code that called with
 * the GIL finds the exception set; other code cannot have it, and it is reported. */
static void leave_run(LoopObject *self, int had_gil) {
    PyObject *raised = self->raised;
    if (!raised) return;
    self->raised = NULL;
    loop_interrupt(self->loop, 1);
    exception_give(raised);
    if (!had_gil) PyErr_WriteUnraisable((PyObject *)self);
}

/* Calls Python when C code runs the loop: with the GIL, and with the running loop
 * and the hooks that asyncio's run_forever would have set. */
void enter_from_c(LoopObject *self, void (*call)(void *), void *data) {
    /* The interpreter may have ended before the loop. */
    if (!Py_IsInitialized()) return;
    int gil = gil_take();
    Py_INCREF(self);
    /* Left by a run whose caller did not look. */
    if (PyErr_Occurred()) PyErr_WriteUnraisable((PyObject *)self);
    PyObject *outer = PyObject_CallMethod((PyObject *)self, "_enter_from_c", NULL);
    if (!outer) PyErr_WriteUnraisable((PyObject *)self);
    call(data);
    if (outer) {
        PyObject *done = PyObject_CallMethod((PyObject *)self, "_leave_to_c", "(O)", outer);
        if (!done) PyErr_WriteUnraisable((PyObject *)self);
        Py_XDECREF(done);
        Py_DECREF(outer);
    }
    leave_run(self, gil == GIL_HELD);
    Py_DECREF(self);
    gil_give(gil);
}

static void before_wait(loop_t *loop, void *data) {
    (void)loop;
    LoopObject *self = data;
    if (self->runs || holds_gil()) self->thread_state = PyEval_SaveThread();
}

static void after_wait(loop_t *loop, void *data) {
    (void)loop;
    LoopObject *self = data;
    if (!self->thread_state) return;
    CALLED_BY_LIBRARY;
    PyEval_RestoreThread(self->thread_state);
    self->thread_state = NULL;
    /* Python's own signal handlers: KeyboardInterrupt comes from here. */
    if (PyErr_CheckSignals() < 0) {
        keep_raised(self);
        if (!self->runs) leave_run(self, 1);
    }
    BACK_TO_LIBRARY;
}

/* The hooks end: usually because the loop was closed, maybe by C code, on
 * whatever thread. The Python side is closed with it then. */
static void hooks_end(void *data) {
    LoopObject *self = data;
    if (!Py_IsInitialized()) return;
    CALLED_BY_LIBRARY;
    int gil = gil_take();
    if (!self->closed && loop_is_closed(self->loop) == 1) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyObject *done = PyObject_CallMethod((PyObject *)self, "_closed_by_c", NULL);
        if (!done) PyErr_WriteUnraisable((PyObject *)self);
        Py_XDECREF(done);
        self->closed = 1;
        drop_scheduled(self);
        PyErr_Restore(type, value, traceback);
    }
    if (self->foreign) Py_DECREF(self);
    gil_give(gil);
    BACK_TO_LIBRARY;
}

/* When another thread runs the loop, that one sets the hooks. The post has a
 * reference of its own, besides the one that passes to the hooks. */
static void set_hooks_late(void *data) {
    LoopObject *self = data;
    self->hooked = 1;
    (void)loop_set_wait_hooks(self->loop, before_wait, after_wait, self, hooks_end);
}

static void set_hooks_late_end(void *data) {
    LoopObject *self = data;
    if (!Py_IsInitialized()) return;
    CALLED_BY_LIBRARY;
    int gil = gil_take();
    if (!self->hooked) hooks_end(self);
    Py_DECREF(self);
    gil_give(gil);
    BACK_TO_LIBRARY;
}

/* A loop that C code made keeps its Python object; one that Python made must
 * not, or it would never be collected. */
int set_wait_hooks(LoopObject *self) {
    if (self->foreign) Py_INCREF(self);
    int code = loop_set_wait_hooks(self->loop, before_wait, after_wait, self, hooks_end);
    if (code == LOOP_EWRONG_THREAD && self->foreign) {
        Py_INCREF(self); /* the first one went with the hooks that failed */
        Py_INCREF(self);
        code = loop_call_soon_threadsafe(self->loop, set_hooks_late, self, set_hooks_late_end,
                                         NULL);
    }
    return failed(code) ? -1 : 0;
}

/* The object ends, maybe while C code runs the loop: true if the loop has
 * forgotten it. */
int remove_hooks(LoopObject *self) {
    return remove_report_hooks(self) & (loop_set_wait_hooks(self->loop, NULL, NULL, NULL, NULL) == 0);
}
