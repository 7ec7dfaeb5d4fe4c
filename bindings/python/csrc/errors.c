/* The library's codes as asyncio's exceptions. */
#include "coloop_python.h"

PyObject *raise_code(int code) {
    if (PyErr_Occurred()) return NULL;
    switch (code) {
    case LOOP_ECLOSED:
        PyErr_SetString(PyExc_RuntimeError, "Event loop is closed");
        return NULL;
    case LOOP_ERUNNING:
        PyErr_SetString(PyExc_RuntimeError, "This event loop is already running");
        return NULL;
    case LOOP_EOTHER_RUNNING:
        PyErr_SetString(PyExc_RuntimeError,
                        "Cannot run the event loop while another loop is running");
        return NULL;
    case LOOP_EWRONG_THREAD:
        PyErr_SetString(PyExc_RuntimeError,
                        "Non-thread-safe operation invoked on an event loop "
                        "other than the current one");
        return NULL;
    case LOOP_EINVAL:
        PyErr_SetString(PyExc_ValueError, loop_last_error());
        return NULL;
    case -ENOMEM:
        PyErr_NoMemory();
        return NULL;
    }
    if (code < 0 && code > -1000) {
        errno = -code;
        PyErr_SetFromErrno(PyExc_OSError);
        return NULL;
    }
    PyErr_SetString(PyExc_RuntimeError, loop_last_error());
    return NULL;
}

int failed(int code) {
    if (code >= 0) return 0;
    raise_code(code);
    return 1;
}

PyObject *exception_take(void) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback) PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

void exception_give(PyObject *exception) {
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
}

int exception_must_leave(void) {
    return PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)
        || PyErr_ExceptionMatches(PyExc_SystemExit);
}

PyObject *exception_report(PyObject *object, PyObject *method, PyObject *before,
                           PyObject *after) {
    PyObject *exception = exception_take();
    /* As in an except clause: whoever is told may ask sys.exc_info(). */
    PyObject *outer = PyErr_GetHandledException();
    PyErr_SetHandledException(exception);
    PyObject *given[4] = {object, before ? before : exception, before ? exception : after, NULL};
    size_t count = 2 + (before != NULL) + (after != NULL);
    PyObject *done = PyObject_VectorcallMethod(method, given, count, NULL);
    PyErr_SetHandledException(outer);
    Py_XDECREF(outer);
    Py_DECREF(exception);
    return done;
}
