/* An extension that finds coloop in the capsule and does not link to it: what a
 * third party's C code does to a loop, from threads of its own. */
#include <Python.h>
#include <coloop_capi.h>
#include <pthread.h>
#include <stdatomic.h>

static const coloop_capi_t *coloop;

/* Counted over all threads, since reset(). */
static atomic_long ran, destroyed, accepted, out_of_order;
#define MOST_THREADS 8
static long next_number[MOST_THREADS];

typedef struct {
    int thread;
    long number;
} Post;

static void on_post(void *data) {
    Post *post = data;
    /* On the loop's thread only. */
    if (next_number[post->thread]++ != post->number) out_of_order++;
    ran++;
}

static void end_post(void *data) {
    free(data);
    destroyed++;
}

typedef struct {
    pthread_t thread;
    loop_t *loop;
    int index;
    long count;
    int code; /* of the first post that failed */
} Poster;

static Poster posters[MOST_THREADS];
static int poster_count;

/* A thread that has never seen the interpreter. */
static void *post_all(void *data) {
    Poster *poster = data;
    for (long i = 0; i < poster->count; i++) {
        Post *post = malloc(sizeof *post);
        *post = (Post){poster->index, i};
        int code = coloop->loop_call_soon_threadsafe(poster->loop, on_post, post, end_post, NULL);
        if (code < 0) {
            poster->code = code;
            break;
        }
        accepted++;
    }
    coloop->loop_unref(poster->loop);
    return NULL;
}

static loop_t *given_loop(PyObject *given) {
    if (PyCapsule_CheckExact(given)) return PyCapsule_GetPointer(given, "coloop.loop_t");
    return coloop->get_loop(given);
}

/* start(loop, threads, count): each of the threads begins to post `count` times. */
static PyObject *start(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *given;
    long count;
    if (!PyArg_ParseTuple(args, "Oil", &given, &poster_count, &count)) return NULL;
    loop_t *loop = given_loop(given);
    if (!loop) return NULL;
    ran = destroyed = accepted = out_of_order = 0;
    memset(next_number, 0, sizeof next_number);
    for (int i = 0; i < poster_count; i++) {
        posters[i] = (Poster){.loop = coloop->loop_ref(loop), .index = i, .count = count};
        pthread_create(&posters[i].thread, NULL, post_all, &posters[i]);
    }
    Py_RETURN_NONE;
}

/* join(): waits for the threads, and keeps the GIL; the codes that ended them. */
static PyObject *join(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *codes = PyList_New(poster_count);
    for (int i = 0; i < poster_count; i++) {
        pthread_join(posters[i].thread, NULL);
        PyList_SET_ITEM(codes, i, PyLong_FromLong(posters[i].code));
    }
    return codes;
}

/* counts(): of posts that were accepted, ran, were destroyed, ran out of order. */
static PyObject *counts(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return Py_BuildValue("llll", accepted, ran, destroyed, out_of_order);
}

/* A C callback that calls Python. */
static void call_python(void *data) {
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *result = PyObject_CallNoArgs(data);
    if (!result) PyErr_WriteUnraisable(data);
    Py_XDECREF(result);
    PyGILState_Release(gil);
}

static void release(void *data) {
    PyGILState_STATE gil = PyGILState_Ensure();
    Py_DECREF(data);
    PyGILState_Release(gil);
}

typedef int (*schedule_t)(loop_t *, loop_callback_t, void *, loop_destroy_t, loop_handle_t *);

static PyObject *schedule(PyObject *args, schedule_t function) {
    PyObject *given, *callback;
    if (!PyArg_ParseTuple(args, "OO", &given, &callback)) return NULL;
    loop_t *loop = given_loop(given);
    if (!loop) return NULL;
    return PyLong_FromLong(function(loop, call_python, Py_NewRef(callback), release, NULL));
}

/* call_soon(loop, callback) and call_soon_threadsafe: a C callback calls it; the code. */
static PyObject *call_soon(PyObject *module, PyObject *args) {
    (void)module;
    return schedule(args, coloop->loop_call_soon);
}

static PyObject *call_soon_threadsafe(PyObject *module, PyObject *args) {
    (void)module;
    return schedule(args, coloop->loop_call_soon_threadsafe);
}

static int at_fixed_time(loop_t *loop, loop_callback_t callback, void *data, loop_destroy_t destroy,
                         loop_handle_t *ret_handle) {
    return coloop->loop_call_at(loop, 1, callback, data, destroy, ret_handle);
}

/* call_at_1ns(loop, callback): a timer that is long overdue. */
static PyObject *call_at_1ns(PyObject *module, PyObject *args) {
    (void)module;
    return schedule(args, at_fixed_time);
}

static PyObject *from_loop(PyObject *module, PyObject *given) {
    (void)module;
    loop_t *loop = given_loop(given);
    return loop ? coloop->from_loop(loop) : NULL;
}

static PyObject *about(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return Py_BuildValue("nKI", (Py_ssize_t)coloop->size, coloop->instance_id(),
                         coloop->version_number());
}

static PyMethodDef methods[] = {
    {"start", start, METH_VARARGS, NULL},
    {"join", join, METH_NOARGS, NULL},
    {"counts", counts, METH_NOARGS, NULL},
    {"call_soon", call_soon, METH_VARARGS, NULL},
    {"call_soon_threadsafe", call_soon_threadsafe, METH_VARARGS, NULL},
    {"call_at_1ns", call_at_1ns, METH_VARARGS, NULL},
    {"from_loop", from_loop, METH_O, NULL},
    {"about", about, METH_NOARGS, NULL},
    {NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "poster", .m_size = -1,
                                    .m_methods = methods};

PyMODINIT_FUNC PyInit_poster(void) {
    coloop = coloop_import();
    return coloop ? PyModule_Create(&module) : NULL;
}
