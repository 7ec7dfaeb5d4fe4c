/* The library's codes as asyncio's exceptions. */
#include "coloop_python.h"

PyObject *raise_code(LoopObject *loop, int code) {
    (void)loop;
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

int failed(LoopObject *loop, int code) {
    if (code >= 0) return 0;
    raise_code(loop, code);
    return 1;
}
