/* An extension that links to the library: C code that makes, runs and closes
 * loops. */
#include <Python.h>
#include <coloop.h>

#define NAME "coloop.loop_t"

static void unref(PyObject *capsule) { loop_unref(PyCapsule_GetPointer(capsule, NAME)); }

/* new(): a capsule with a loop that C code made. */
static PyObject *new(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyCapsule_New(loop_new(), NAME, unref);
}

static PyObject *run_with(PyObject *capsule, int keep_gil) {
    loop_t *loop = PyCapsule_GetPointer(capsule, NAME);
    if (!loop) return NULL;
    int code;
    if (keep_gil) {
        code = loop_run_forever(loop);
    } else {
        Py_BEGIN_ALLOW_THREADS
        code = loop_run_forever(loop);
        Py_END_ALLOW_THREADS
    }
    return PyErr_Occurred() ? NULL : PyLong_FromLong(code);
}

/* run(loop): C code runs the loop, without the GIL; the code. */
static PyObject *run(PyObject *module, PyObject *capsule) {
    (void)module;
    return run_with(capsule, 0);
}

/* run_with_gil(loop): it holds the GIL, and raises what was left for it. */
static PyObject *run_with_gil(PyObject *module, PyObject *capsule) {
    (void)module;
    return run_with(capsule, 1);
}

static PyObject *close_loop(PyObject *module, PyObject *capsule) {
    (void)module;
    loop_t *loop = PyCapsule_GetPointer(capsule, NAME);
    if (!loop) return NULL;
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = loop_close(loop);
    Py_END_ALLOW_THREADS
    return PyLong_FromLong(code);
}

/* stop(loop): from C code, on whatever thread. */
static PyObject *stop(PyObject *module, PyObject *capsule) {
    (void)module;
    loop_t *loop = PyCapsule_GetPointer(capsule, NAME);
    return loop ? PyLong_FromLong(loop_stop_threadsafe(loop)) : NULL;
}

static PyObject *is_closed(PyObject *module, PyObject *capsule) {
    (void)module;
    loop_t *loop = PyCapsule_GetPointer(capsule, NAME);
    return loop ? PyBool_FromLong(loop_is_closed(loop)) : NULL;
}

static PyObject *instance_id(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromUnsignedLongLong(coloop_instance_id());
}

static PyMethodDef methods[] = {
    {"new", new, METH_NOARGS, NULL},
    {"run", run, METH_O, NULL},
    {"run_with_gil", run_with_gil, METH_O, NULL},
    {"close", close_loop, METH_O, NULL},
    {"stop", stop, METH_O, NULL},
    {"is_closed", is_closed, METH_O, NULL},
    {"instance_id", instance_id, METH_NOARGS, NULL},
    {NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "runner", .m_size = -1,
                                    .m_methods = methods};

PyMODINIT_FUNC PyInit_runner(void) { return PyModule_Create(&module); }
