/* In C: as `table` it finds coloop in the capsule, as `linked` it links to the library. */
#include "module.h"

#include <coloop_capi.h>
#include <pthread.h>
#include <stdlib.h>

#ifdef IS_LINKED
#define CALL(name) name
#define INSTANCE_ID coloop_instance_id
static int prepare(void) { return 0; }
#else
static const coloop_capi_t *table;
#define CALL(name) table->name
#define INSTANCE_ID table->instance_id
static int prepare(void) { return (table = coloop_import()) ? 0 : -1; }
#endif

typedef struct {
    loop_t *loop;
    long count, ran;
    PyObject *done;
} job_t;

static void tick(void *data) { ((job_t *)data)->ran++; }

static void finish(void *data) {
    job_t *job = data;
    call_done(job->done, ++job->ran);
}

static void destroy(void *data) {
    job_t *job = data;
    let_go(job->done);
    free(job);
}

/* The last post owns the job: also if the loop was closed it is destroyed once. */
static void *run(void *data) {
    job_t *job = data;
    loop_t *loop = job->loop;
    for (long i = job->count; i > 1; i--)
        CALL(loop_call_soon_threadsafe)(loop, tick, job, NULL, NULL);
    CALL(loop_call_soon_threadsafe)(loop, finish, job, destroy, NULL);
    CALL(loop_unref)(loop);
    return NULL;
}

static PyObject *post(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *capsule, *done;
    long count;
    if (!PyArg_ParseTuple(args, "OlO", &capsule, &count, &done)) return NULL;
    loop_t *loop = PyCapsule_GetPointer(capsule, "coloop.loop_t");
    if (!loop) return NULL;
    job_t *job = malloc(sizeof *job);
    if (!job) return PyErr_NoMemory();
    *job = (job_t){CALL(loop_ref)(loop), count, 0, Py_NewRef(done)};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, job) != 0) {
        CALL(loop_unref)(loop);
        destroy(job);
        return PyErr_Format(PyExc_RuntimeError, "no thread");
    }
    pthread_detach(thread);
    Py_RETURN_NONE;
}

static PyObject *instance_id(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromUnsignedLongLong(INSTANCE_ID());
}
