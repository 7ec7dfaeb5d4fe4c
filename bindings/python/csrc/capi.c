/* What other extensions find in coloop._C_API without linking: see
 * coloop_capi.h. */
#include "coloop_python.h"
#include "coloop_capi.h"

static LoopObject *checked(PyObject *object) {
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(object), &coloop_module);
    if (!module) {
        PyErr_Clear();
        PyErr_SetString(PyExc_TypeError, "a coloop.EventLoop is needed");
        return NULL;
    }
    if (!PyObject_TypeCheck(object, state_of(module)->loop_type)) {
        PyErr_SetString(PyExc_TypeError, "a coloop.EventLoop is needed");
        return NULL;
    }
    return (LoopObject *)object;
}

static loop_t *get_loop(PyObject *object) {
    LoopObject *self = checked(object);
    return self ? self->loop : NULL;
}

static PyObject *from_loop(loop_t *loop) {
    PyObject *module = PyImport_ImportModule("coloop");
    if (!module) return NULL;
    PyObject *pointer = PyLong_FromVoidPtr(loop);
    PyObject *made =
        pointer ? PyObject_CallMethod(module, "from_pointer", "O", pointer) : NULL;
    Py_XDECREF(pointer);
    Py_DECREF(module);
    return made;
}

static const coloop_capi_t table = {
    .size = sizeof(coloop_capi_t),
    .version_number = coloop_version_number,
    .instance_id = coloop_instance_id,
    .get_loop = get_loop,
    .from_loop = from_loop,
    .loop_ref = loop_ref,
    .loop_unref = loop_unref,
    .loop_call_soon = loop_call_soon,
    .loop_call_soon_threadsafe = loop_call_soon_threadsafe,
    .loop_call_later = loop_call_later,
    .loop_call_at = loop_call_at,
    .loop_handle_cancel = loop_handle_cancel,
    .loop_time = loop_time,
    .loop_wakeup = loop_wakeup,
    .loop_add_reader = loop_add_reader,
    .loop_remove_reader = loop_remove_reader,
    .loop_add_writer = loop_add_writer,
    .loop_remove_writer = loop_remove_writer,
    .loop_get_running = loop_get_running,
    .loop_strerror = loop_strerror,
    .loop_last_error = loop_last_error,
    .loop_new = loop_new,
    .loop_run_forever = loop_run_forever,
    .loop_stop = loop_stop,
    .loop_stop_threadsafe = loop_stop_threadsafe,
    .loop_close = loop_close,
};

int add_capi(PyObject *module) {
    PyObject *capsule = PyCapsule_New((void *)&table, COLOOP_CAPI_NAME, NULL);
    if (!capsule) return -1;
    int code = PyModule_AddObjectRef(module, "_C_API", capsule);
    Py_DECREF(capsule);
    return code;
}
