/* An extension that makes futures, ends them, and waits for those of Python, without
 * linking to coloop. */
#include <Python.h>
#include <coloop_capi.h>
#include <pthread.h>
#include <stdatomic.h>

#define NAME "coloop.loop_future_t"

static const coloop_capi_t *coloop;
static atomic_long destroyed;

static void count(void *data) {
    (void)data;
    destroyed++;
}

static PyObject *get_destroyed(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromLong(destroyed);
}

static void unref(PyObject *capsule) {
    coloop->loop_future_unref(PyCapsule_GetPointer(capsule, NAME));
}

static PyObject *capsule_of(loop_future_t *future) {
    return future ? PyCapsule_New(future, NAME, unref) : NULL;
}

/* new(loop): a pending future of C code's, in a capsule that has the only reference. */
static PyObject *new(PyObject *module, PyObject *python_loop) {
    (void)module;
    loop_t *loop = coloop->get_loop(python_loop);
    loop_future_t *future = NULL;
    if (!loop) return NULL;
    int code = coloop->loop_future_new(loop, &future);
    return code < 0 ? PyErr_Format(PyExc_RuntimeError, "%d", code) : capsule_of(future);
}

/* Asks `data`, a Python callable, how to answer. */
static int ask(loop_future_t *future, const char *message, void *data) {
    (void)future;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *answer = PyObject_CallFunction(data, "z", message);
    int number = answer ? (int)PyLong_AsLong(answer) : 0;
    if (PyErr_Occurred()) PyErr_WriteUnraisable(data);
    Py_XDECREF(answer);
    PyGILState_Release(gil);
    return number;
}

/* new_cancellable(loop, callable): the callable gets the message of each request. */
static PyObject *new_cancellable(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *python_loop, *callable;
    if (!PyArg_ParseTuple(args, "OO", &python_loop, &callable)) return NULL;
    loop_t *loop = coloop->get_loop(python_loop);
    loop_future_t *future = NULL;
    if (!loop) return NULL;
    coloop->loop_future_new_cancellable(loop, ask, Py_NewRef(callable), coloop->object_release,
                                        &future);
    return capsule_of(future);
}

static loop_future_t *given_future(PyObject *capsule) {
    return PyCapsule_GetPointer(capsule, NAME);
}

/* set_result(future, number): the number as a pointer, which is counted when it is
 * destroyed. */
static PyObject *set_result(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *future;
    size_t number;
    if (!PyArg_ParseTuple(args, "On", &future, &number)) return NULL;
    return PyLong_FromLong(
        coloop->loop_future_set_result(given_future(future), (void *)number, count));
}

/* set_object(future, object): a result that Python code gets as it is. */
static PyObject *set_object(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *future, *object;
    if (!PyArg_ParseTuple(args, "OO", &future, &object)) return NULL;
    return PyLong_FromLong(coloop->loop_future_set_result(given_future(future), Py_NewRef(object),
                                                          coloop->object_release));
}

/* set_null(future): a result that would be an object. */
static PyObject *set_null(PyObject *module, PyObject *future) {
    (void)module;
    return PyLong_FromLong(
        coloop->loop_future_set_result(given_future(future), NULL, coloop->object_release));
}

/* of_null(which, exception or None): a function of the table gets NULL while the
 * exception is raised. */
static PyObject *of_null(PyObject *module, PyObject *args) {
    (void)module;
    int which;
    PyObject *exception;
    if (!PyArg_ParseTuple(args, "iO", &which, &exception)) return NULL;
    if (exception != Py_None) PyErr_SetNone(exception);
    switch (which) {
    case 0: return (PyObject *)coloop->get_loop(NULL);
    case 1: return (PyObject *)coloop->future_pointer(NULL, NULL);
    case 2: return coloop->from_loop(NULL);
    case 3: return coloop->future_from_pointer(NULL, NULL);
    default: return coloop->future_result(NULL);
    }
}

/* set_exception(future, code, text, object or None). */
static PyObject *set_exception(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *future, *object;
    int code;
    const char *text;
    if (!PyArg_ParseTuple(args, "OizO", &future, &code, &text, &object)) return NULL;
    if (object == Py_None)
        code = coloop->loop_future_set_exception_data(given_future(future), code, text,
                                                      (void *)0x5ca1ab1e, count);
    else
        code = coloop->loop_future_set_exception_data(given_future(future), code, text,
                                                      Py_NewRef(object), coloop->object_release);
    return PyLong_FromLong(code);
}

static PyObject *cancel(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *future;
    const char *text = NULL;
    if (!PyArg_ParseTuple(args, "O|z", &future, &text)) return NULL;
    return PyLong_FromLong(coloop->loop_future_cancel(given_future(future), text));
}

static PyObject *done(PyObject *module, PyObject *future) {
    (void)module;
    return PyLong_FromLong(coloop->loop_future_done(given_future(future)));
}

/* end(future): (code, text) of how it ended, or (0, the object that is its result). */
static PyObject *end(PyObject *module, PyObject *capsule) {
    (void)module;
    loop_future_t *future = given_future(capsule);
    void *result = NULL;
    int code = coloop->loop_future_result(future, &result);
    if (code < 0) return Py_BuildValue("(is)", code, coloop->loop_last_error());
    if (coloop->loop_future_get_destroy(future) != coloop->object_release)
        return PyErr_Format(PyExc_TypeError, "the result is no object");
    return Py_BuildValue("(iO)", code, (PyObject *)result);
}

/* exception_data(future): the exception that a failure has. */
static PyObject *exception_data(PyObject *module, PyObject *capsule) {
    (void)module;
    loop_future_t *future = given_future(capsule);
    if (coloop->loop_future_get_destroy(future) != coloop->object_release) Py_RETURN_NONE;
    return Py_NewRef((PyObject *)coloop->loop_future_exception_data(future));
}

static PyObject *python_result(PyObject *module, PyObject *capsule) {
    (void)module;
    return coloop->future_result(given_future(capsule));
}

static void call_python(loop_future_t *future, void *data) {
    (void)future;
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *result = PyObject_CallNoArgs(data);
    if (!result) PyErr_WriteUnraisable(data);
    Py_XDECREF(result);
    PyGILState_Release(gil);
}

/* when_done(future, callable): C code waits for the future. */
static PyObject *when_done(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *future, *callable;
    if (!PyArg_ParseTuple(args, "OO", &future, &callable)) return NULL;
    return PyLong_FromLong(coloop->loop_future_add_done_callback(
        given_future(future), call_python, Py_NewRef(callable), coloop->object_release));
}

/* from_python(awaitable, loop or None): coloop->future_pointer, in a capsule. */
static PyObject *from_python(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *awaitable, *python_loop;
    if (!PyArg_ParseTuple(args, "OO", &awaitable, &python_loop)) return NULL;
    loop_t *loop = NULL;
    if (python_loop != Py_None && !(loop = coloop->get_loop(python_loop))) return NULL;
    return capsule_of(coloop->future_pointer(awaitable, loop));
}

/* to_python(future, convert or None): coloop->future_from_pointer. */
static PyObject *to_python(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *future, *convert;
    if (!PyArg_ParseTuple(args, "OO", &future, &convert)) return NULL;
    return coloop->future_from_pointer(given_future(future), convert == Py_None ? NULL : convert);
}

typedef struct {
    loop_future_t *future;
    size_t number;
} Answer;

static void give_answer(void *data) {
    Answer *answer = data;
    coloop->loop_future_set_result(answer->future, (void *)answer->number, count);
}

/* The last reference may go here, on whatever thread. */
static void end_answer(void *data) {
    coloop->loop_future_unref(((Answer *)data)->future);
    free(data);
}

static void *post_answer(void *data) {
    loop_t *loop = coloop->loop_future_get_loop(((Answer *)data)->future);
    coloop->loop_call_soon_threadsafe(loop, give_answer, data, end_answer, NULL);
    return NULL;
}

/* answer_from_thread(future, number): a thread that has never seen the interpreter. */
static PyObject *answer_from_thread(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *future;
    size_t number;
    if (!PyArg_ParseTuple(args, "On", &future, &number)) return NULL;
    Answer *answer = malloc(sizeof *answer);
    *answer = (Answer){coloop->loop_future_ref(given_future(future)), number};
    pthread_t thread;
    pthread_create(&thread, NULL, post_answer, answer);
    pthread_detach(thread);
    Py_RETURN_NONE;
}

static void *unref_in_thread(void *future) {
    coloop->loop_future_unref(future);
    return NULL;
}

/* forget_on_thread(future): the capsule's reference ends on another thread, while this
 * one waits without the GIL. */
static PyObject *forget_on_thread(PyObject *module, PyObject *capsule) {
    (void)module;
    loop_future_t *future = given_future(capsule);
    PyCapsule_SetDestructor(capsule, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, unref_in_thread, future);
    Py_BEGIN_ALLOW_THREADS
    pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"destroyed", get_destroyed, METH_NOARGS, NULL},
    {"new", new, METH_O, NULL},
    {"new_cancellable", new_cancellable, METH_VARARGS, NULL},
    {"set_result", set_result, METH_VARARGS, NULL},
    {"set_object", set_object, METH_VARARGS, NULL},
    {"set_null", set_null, METH_O, NULL},
    {"of_null", of_null, METH_VARARGS, NULL},
    {"set_exception", set_exception, METH_VARARGS, NULL},
    {"cancel", cancel, METH_VARARGS, NULL},
    {"done", done, METH_O, NULL},
    {"end", end, METH_O, NULL},
    {"exception_data", exception_data, METH_O, NULL},
    {"python_result", python_result, METH_O, NULL},
    {"when_done", when_done, METH_VARARGS, NULL},
    {"from_python", from_python, METH_VARARGS, NULL},
    {"to_python", to_python, METH_VARARGS, NULL},
    {"answer_from_thread", answer_from_thread, METH_VARARGS, NULL},
    {"forget_on_thread", forget_on_thread, METH_O, NULL},
    {NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "futures", .m_size = -1,
                                    .m_methods = methods};

PyMODINIT_FUNC PyInit_futures(void) {
    coloop = coloop_import();
    if (!coloop) return NULL;
    if (!COLOOP_CAPI_HAS(coloop, loop_future_remove_done_callback)) {
        PyErr_SetString(PyExc_ImportError, "this coloop shares no futures");
        return NULL;
    }
    return PyModule_Create(&module);
}
