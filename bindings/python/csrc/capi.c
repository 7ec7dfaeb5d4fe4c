/* What other extensions find in coloop._C_API without linking: see
 * coloop_capi.h. */
#include "coloop_python.h"
#include "coloop_capi.h"

/* NULL is the result of a call that failed, whose exception stays. */
static int is_given(PyObject *object, const char *needed) {
    if (!object && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, needed);
    return object != NULL;
}

static LoopObject *checked(PyObject *object) {
    static const char *const needed = "a coloop.EventLoop is needed";
    if (!is_given(object, needed)) return NULL;
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(object), &coloop_module);
    if (!module) {
        PyErr_Clear();
        PyErr_SetString(PyExc_TypeError, needed);
        return NULL;
    }
    if (!PyObject_TypeCheck(object, state_of(module)->loop_type)) {
        PyErr_SetString(PyExc_TypeError, needed);
        return NULL;
    }
    return (LoopObject *)object;
}

static loop_t *get_loop(PyObject *object) {
    LoopObject *self = checked(object);
    if (!self) return NULL;
    if (!self->loop) raise_code(LOOP_ECLOSED); /* a subclass that did not call __init__ */
    return self->loop;
}

PyObject *from_loop(loop_t *loop) {
    PyObject *module = PyImport_ImportModule("coloop");
    if (!module) return NULL;
    PyObject *pointer = PyLong_FromVoidPtr(loop);
    PyObject *made =
        pointer ? PyObject_CallMethod(module, "from_pointer", "O", pointer) : NULL;
    Py_XDECREF(pointer);
    Py_DECREF(module);
    return made;
}

/* Calls coloop.<name>(given, keyword=value), the keyword only if there is a value;
 * takes both references. */
static PyObject *call_module(const char *name, PyObject *given, const char *keyword,
                             PyObject *value) {
    PyObject *module = given ? PyImport_ImportModule("coloop") : NULL;
    PyObject *function = module ? PyObject_GetAttrString(module, name) : NULL;
    PyObject *args = function ? PyTuple_Pack(1, given) : NULL;
    PyObject *kwargs = args && value ? Py_BuildValue("{sO}", keyword, value) : NULL;
    PyObject *result = args && (kwargs || !value) ? PyObject_Call(function, args, kwargs) : NULL;
    Py_XDECREF(kwargs);
    Py_XDECREF(args);
    Py_XDECREF(function);
    Py_XDECREF(module);
    Py_XDECREF(given);
    Py_XDECREF(value);
    return result;
}

static loop_future_t *future_pointer(PyObject *awaitable, loop_t *loop) {
    if (!is_given(awaitable, "an awaitable is needed")) return NULL;
    PyObject *python_loop = loop ? from_loop(loop) : NULL;
    if (loop && !python_loop) return NULL;
    PyObject *pointer =
        call_module("future_pointer", Py_NewRef(awaitable), "loop", python_loop);
    if (!pointer) return NULL;
    loop_future_t *future = PyLong_AsVoidPtr(pointer);
    Py_DECREF(pointer);
    return future;
}

static PyObject *future_from_pointer(loop_future_t *future, PyObject *convert) {
    return call_module("future_from_pointer", PyLong_FromVoidPtr(future), "convert",
                       Py_XNewRef(convert));
}

static PyObject *raise_pending(void) {
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    PyObject *class = asyncio ? PyObject_GetAttrString(asyncio, "InvalidStateError") : NULL;
    if (class) PyErr_SetString(class, "Result is not set.");
    Py_XDECREF(class);
    Py_XDECREF(asyncio);
    return NULL;
}

static PyObject *future_result(loop_future_t *future) {
    /* No object that would wait for it. */
    if (loop_future_done(future) == 0) return raise_pending();
    PyObject *asyncio_future = future_from_pointer(future, NULL);
    if (!asyncio_future) return NULL;
    PyObject *result = PyObject_CallMethod(asyncio_future, "result", NULL);
    Py_DECREF(asyncio_future);
    return result;
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
    .future_pointer = future_pointer,
    .future_from_pointer = future_from_pointer,
    .future_result = future_result,
    .object_release = release_object,
    .loop_future_new = loop_future_new,
    .loop_future_new_cancellable = loop_future_new_cancellable,
    .loop_future_ref = loop_future_ref,
    .loop_future_unref = loop_future_unref,
    .loop_future_get_loop = loop_future_get_loop,
    .loop_future_done = loop_future_done,
    .loop_future_cancelled = loop_future_cancelled,
    .loop_future_result = loop_future_result,
    .loop_future_exception = loop_future_exception,
    .loop_future_exception_data = loop_future_exception_data,
    .loop_future_get_destroy = loop_future_get_destroy,
    .loop_future_set_result = loop_future_set_result,
    .loop_future_set_exception = loop_future_set_exception,
    .loop_future_set_exception_data = loop_future_set_exception_data,
    .loop_future_cancel = loop_future_cancel,
    .loop_future_add_done_callback = loop_future_add_done_callback,
    .loop_future_remove_done_callback = loop_future_remove_done_callback,
};

int add_capi(PyObject *module) {
    PyObject *capsule = PyCapsule_New((void *)&table, COLOOP_CAPI_NAME, NULL);
    if (!capsule) return -1;
    int code = PyModule_AddObjectRef(module, "_C_API", capsule);
    Py_DECREF(capsule);
    return code;
}
