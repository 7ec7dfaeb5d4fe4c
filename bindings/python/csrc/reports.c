/* What C code reports on a loop that Python made: failures go to Python's
 * exception handler, slow callbacks of debug mode to asyncio's log. */
#include "coloop_python.h"

/* The interpreter has ended, or the object, on a thread that could not take the
 * hooks away: its memory stays then (loop.c). */
static int is_gone(LoopObject *self) { return !Py_IsInitialized() || Py_REFCNT(self) == 0; }

/* Calls a method of the Python loop; what is raised around it stays as it is. A
 * KeyboardInterrupt that comes meanwhile ends the run. */
static void tell(LoopObject *self, const char *name, const char *format, ...) {
    CALLED_BY_LIBRARY;
    int gil = gil_take();
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    va_list values;
    va_start(values, format);
    PyObject *arguments = Py_VaBuildValue(format, values);
    va_end(values);
    PyObject *method = arguments ? PyObject_GetAttrString((PyObject *)self, name) : NULL;
    PyObject *done = method ? PyObject_CallObject(method, arguments) : NULL;
    if (!done && self->runs && exception_must_leave())
        keep_raised(self);
    else if (!done)
        PyErr_WriteUnraisable((PyObject *)self);
    Py_XDECREF(done);
    Py_XDECREF(method);
    Py_XDECREF(arguments);
    PyErr_Restore(type, value, traceback);
    gil_give(gil);
    BACK_TO_LIBRARY;
}

static void on_failure(loop_t *loop, const loop_exception_context_t *context, void *data) {
    if (is_gone(data))
        loop_default_exception_handler(loop, context);
    else
        tell(data, "_report_c_failure", "(zizi)", context->message, context->code,
             context->exception, context->fd);
}

static void on_slow(loop_t *loop, const loop_slow_callback_t *report, void *data) {
    (void)loop;
    /* Python's own were observed one by one (loop_run.c). */
    if (report->callback == run_handle || report->callback == run_watch || is_gone(data)) return;
    tell(data, "_report_slow_c", "(Kid)", (unsigned long long)(uintptr_t)report->callback,
         report->fd, (double)report->duration_ns * 1e-9);
}

/* A loop of C code's keeps what that has set. */
int set_report_hooks(LoopObject *self) {
    if (self->foreign) return 0;
    if (failed(loop_set_exception_handler(self->loop, on_failure, self, NULL))) return -1;
    return failed(loop_set_slow_callback_hook(self->loop, on_slow, self, NULL)) ? -1 : 0;
}

/* True if the loop has forgotten the object. */
int remove_report_hooks(LoopObject *self) {
    if (self->foreign) return 1;
    return loop_set_exception_handler(self->loop, NULL, NULL, NULL) == 0
        && loop_set_slow_callback_hook(self->loop, NULL, NULL, NULL) == 0;
}

/* _set_debug_native(enabled, seconds): debug mode for C code, too. */
static PyObject *set_debug_native(LoopObject *self, PyObject *args) {
    int enabled;
    double seconds;
    if (!PyArg_ParseTuple(args, "pd", &enabled, &seconds)) return NULL;
    if (self->closed || !self->loop) Py_RETURN_NONE;
    if (seconds >= 0 && seconds < 1e9)
        loop_set_slow_callback_duration(self->loop, (uint64_t)(seconds * 1e9));
    loop_set_debug(self->loop, enabled);
    Py_RETURN_NONE;
}

PyMethodDef report_methods[] = {
    {"_set_debug_native", (PyCFunction)set_debug_native, METH_VARARGS, NULL},
    {NULL},
};
