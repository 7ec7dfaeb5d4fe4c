/* What the extensions have in common: post(loop, count, done) starts a thread that posts
 * `count` times to the loop; the last of the callbacks calls done(callbacks that ran).
 * instance_id() names the library that the extension uses. */
#ifndef MODULE_H
#define MODULE_H

#include <Python.h>

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)
#define INIT_OF(name) PyInit_##name
#define INIT(name) INIT_OF(name)

static PyObject *post(PyObject *module, PyObject *args);
static PyObject *instance_id(PyObject *module, PyObject *unused);
static int prepare(void);

static PyMethodDef methods[] = {
    {"post", post, METH_VARARGS, NULL},
    {"instance_id", instance_id, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, TEXT(MODULE), NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC INIT(MODULE)(void) {
    return prepare() < 0 ? NULL : PyModule_Create(&definition);
}

/* On the loop's thread, whoever runs the loop. */
static inline void call_done(PyObject *done, long ran) {
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *result = PyObject_CallFunction(done, "l", ran);
    if (!result) PyErr_WriteUnraisable(done);
    Py_XDECREF(result);
    PyGILState_Release(gil);
}

static inline void let_go(PyObject *done) {
    PyGILState_STATE gil = PyGILState_Ensure();
    Py_DECREF(done);
    PyGILState_Release(gil);
}

#endif
