/* Arguments by position or by name, as methods written in Python take them; calls
 * that are handed on as they came. */
#include "coloop_python.h"

static int index_of(PyObject *name, const char *const *parameters, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; i++)
        if (PyUnicode_CompareWithASCIIString(name, parameters[i]) == 0) return (int)i;
    return -1;
}

int arguments_by_name(const char *method, const char *const *parameters, Py_ssize_t count,
                      PyObject *const *args, Py_ssize_t nargs, PyObject *names,
                      PyObject **values) {
    if (nargs > count) {
        PyErr_Format(PyExc_TypeError, "%s() takes %zd argument%s (%zd given)", method, count,
                     count == 1 ? "" : "s", nargs);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) values[i] = i < nargs ? args[i] : NULL;
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        int index = index_of(name, parameters, count);
        if (index < 0 || values[index]) {
            PyErr_Format(PyExc_TypeError,
                         index < 0 ? "%s() got an unexpected keyword argument '%U'"
                                   : "%s() got multiple values for argument '%U'",
                         method, name);
            return -1;
        }
        values[index] = args[nargs + i];
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!values[i]) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%s'", method,
                         parameters[i]);
            return -1;
        }
    }
    return 0;
}

PyObject *call_forward(PyObject *function, PyObject *first, PyObject *const *args,
                       Py_ssize_t nargs, PyObject *names) {
    Py_ssize_t count = nargs + (names ? PyTuple_GET_SIZE(names) : 0);
    PyObject *few[8], **given = few;
    if (count + 2 > (Py_ssize_t)(sizeof few / sizeof *few)) {
        given = PyMem_Malloc((size_t)(count + 2) * sizeof *given);
        if (!given) return PyErr_NoMemory();
    }
    given[0] = NULL; /* the slot that a vectorcall may use */
    given[1] = first;
    for (Py_ssize_t i = 0; i < count; i++) given[i + 2] = args[i];
    PyObject *done = PyObject_Vectorcall(
        function, given + 1, (size_t)(nargs + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    if (given != few) PyMem_Free(given);
    return done;
}

void *given_pointer(PyObject *given, const char *capsule_name) {
    if (PyCapsule_CheckExact(given)) return PyCapsule_GetPointer(given, capsule_name);
    if (!PyLong_Check(given)) {
        PyErr_Format(PyExc_TypeError, "an int or a capsule \"%s\" is needed, not '%s'",
                     capsule_name, Py_TYPE(given)->tp_name);
        return NULL;
    }
    void *pointer = PyLong_AsVoidPtr(given);
    if (!pointer && !PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "the pointer is NULL");
    return pointer;
}
