/* Arguments by position or by name, as methods written in Python take them. */
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
