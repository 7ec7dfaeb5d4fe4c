/* An extension that links to the library: a task in C that awaits a future. */
#include <Python.h>
#include <coloop.h>

#define NAME "coloop.loop_future_t"

/* Awaits the future and ends as it did, with its result shared. */
typedef struct {
    loop_future_t *future;
    int started;
} Awaiter;

static void release_future(void *future) { loop_future_unref(future); }

static int step(loop_task_t *task, int outcome, void *data) {
    Awaiter *self = data;
    if (!self->started++) return loop_task_await(task, loop_future_ref(self->future));
    if (outcome < 0) return outcome;
    return loop_task_return(task, loop_future_ref(self->future), release_future);
}

static void end(void *data) {
    loop_future_unref(((Awaiter *)data)->future);
    free(data);
}

static void unref(PyObject *capsule) { loop_future_unref(PyCapsule_GetPointer(capsule, NAME)); }

/* start(future): a C task that awaits it; the task's own future. Its result is the
 * address of the other one. */
static PyObject *start(PyObject *module, PyObject *capsule) {
    (void)module;
    loop_future_t *future = PyCapsule_GetPointer(capsule, NAME);
    Awaiter *self = future ? malloc(sizeof *self) : NULL;
    if (!self) return NULL;
    *self = (Awaiter){loop_future_ref(future), 0};
    loop_task_t *task = NULL;
    int code = loop_create_task(loop_future_get_loop(future), step, self, end, &task);
    if (code < 0) return PyErr_Format(PyExc_RuntimeError, "%s", loop_last_error());
    loop_future_t *own = loop_future_ref(loop_task_future(task));
    loop_task_unref(task);
    return PyCapsule_New(own, NAME, unref);
}

static PyMethodDef methods[] = {{"start", start, METH_O, NULL}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "awaiter", .m_size = -1,
                                    .m_methods = methods};

PyMODINIT_FUNC PyInit_awaiter(void) { return PyModule_Create(&module); }
