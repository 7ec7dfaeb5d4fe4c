/* The module: its types, and what they need of the standard library. */
#include "coloop_python.h"

void collect_loop_methods(void);

static PyObject *attribute(const char *module_name, const char *name) {
    PyObject *module = PyImport_ImportModule(module_name);
    if (!module) return NULL;
    PyObject *value = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    return value;
}

static PyObject *attribute_of(const char *module_name, const char *class_name, const char *name) {
    PyObject *class = attribute(module_name, class_name);
    if (!class) return NULL;
    PyObject *value = PyObject_GetAttrString(class, name);
    Py_DECREF(class);
    return value;
}

static int intern_names(State *state) {
    struct {
        PyObject **place;
        const char *text;
    } names[] = {
        {&state->s_get_buffer, "get_buffer"},
        {&state->s_buffer_updated, "buffer_updated"},
        {&state->s_data_received, "data_received"},
        {&state->s_on_eof, "_read_ready__on_eof"},
        {&state->s_fatal_error, "_fatal_error"},
        {&state->s_add_writer, "_add_writer"},
        {&state->s_write_ready, "_write_ready"},
        {&state->s_append, "append"},
        {&state->s_maybe_pause, "_maybe_pause_protocol"},
        {&state->s_check_callback, "_check_callback"},
        {&state->s_check_thread, "_check_thread"},
        {&state->s_report_error, "_report_error"},
        {&state->s_report_slow, "_report_slow"},
        {&state->s_slow_duration, "slow_callback_duration"},
        {&state->s_current_handle, "_current_handle"},
        {&state->s_task, "Task"},
        {&state->s_datagram_received, "datagram_received"},
        {&state->s_error_received, "error_received"},
        {&state->s_context, "context"},
        {&state->s_in_order, "_in_order"},
        {&state->s_fileno, "fileno"},
        {&state->s_done, "done"},
        {&state->s_set_result, "set_result"},
        {&state->s_set_exception, "set_exception"},
        {&state->s_ensure_free, "_ensure_fd_no_transport"},
        {&state->s_transports, "_transports"},
        {&state->s_cancelled, "cancelled"},
        {&state->s_exception, "exception"},
        {&state->s_result, "result"},
        {&state->s_add_done_callback, "add_done_callback"},
        {&state->s_cancel, "cancel"},
        {&state->s_convert, "_convert"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(*names[i].place = PyUnicode_InternFromString(names[i].text))) return -1;
    return 0;
}

static int find_library(State *state) {
    if (!(state->asyncio_handle = attribute("asyncio.events", "Handle"))) return -1;
    if (!(state->asyncio_timer_handle = attribute("asyncio.events", "TimerHandle"))) return -1;
    if (!(state->buffered_protocol = attribute("asyncio.protocols", "BufferedProtocol")))
        return -1;
    if (!(state->tasks_module = PyImport_ImportModule("asyncio.tasks"))) return -1;
    if (!(state->future_class = attribute("asyncio.futures", "Future"))) return -1;
    if (!(state->base_create_task =
              attribute_of("asyncio.base_events", "BaseEventLoop", "create_task")))
        return -1;
    const char *selector = "asyncio.selector_events";
    if (!(state->stream_write = attribute_of(selector, "_SelectorSocketTransport", "write")))
        return -1;
    if (!(state->stream_writelines =
              attribute_of(selector, "_SelectorSocketTransport", "writelines")))
        return -1;
    if (!(state->datagram_sendto =
              attribute_of(selector, "_SelectorDatagramTransport", "sendto")))
        return -1;
    if (!(state->selector_loop = attribute(selector, "BaseSelectorEventLoop"))) return -1;
    if (!(state->socket_class = attribute("socket", "socket"))) return -1;
    if (!(state->kw_loop = Py_BuildValue("(s)", "loop"))) return -1;
    if (!(state->kw_task = Py_BuildValue("(sss)", "loop", "name", "context"))) return -1;
    return 0;
}

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type && PyModule_AddType(module, type) < 0) Py_CLEAR(type);
    return type;
}

static int module_exec(PyObject *module) {
    State *state = state_of(module);
    if (intern_names(state) < 0 || find_library(state) < 0) return -1;
    state->contexts_known = contexts_are_known(state);
    if (!(state->handle_type = add_type(module, &handle_spec))) return -1;
    if (!(state->timer_type = add_type(module, &timer_spec))) return -1;
    if (!(state->loop_type = add_type(module, &loop_spec))) return -1;
    if (!(state->operation_type = add_type(module, &operation_spec))) return -1;
    if (!(state->export_type = add_type(module, &export_spec))) return -1;
    if (!(state->import_type = add_type(module, &import_spec))) return -1;
    if (!(state->imports = PyDict_New())) return -1;
    PyObject *mixin = attribute("asyncio.transports", "_FlowControlMixin");
    if (!mixin) return -1;
    state->stream_type = make_stream_type(module, mixin);
    state->datagram_type = state->stream_type ? make_datagram_type(module, mixin) : NULL;
    Py_DECREF(mixin);
    if (!state->datagram_type || PyModule_AddType(module, state->stream_type) < 0
        || PyModule_AddType(module, state->datagram_type) < 0)
        return -1;
    PyObject *id = PyLong_FromUnsignedLongLong(coloop_instance_id());
    if (!id || PyModule_AddObjectRef(module, "instance_id", id) < 0) return -1;
    Py_DECREF(id);
    if (PyModule_AddStringConstant(module, "version", coloop_version()) < 0) return -1;
    return add_capi(module);
}

/* _set_extract_stack(function): what makes a handle's source traceback in debug
 * mode. */
static PyObject *set_extract_stack(PyObject *module, PyObject *function) {
    Py_INCREF(function);
    Py_XSETREF(state_of(module)->extract_stack, function);
    Py_RETURN_NONE;
}

/* _set_current(loop or None): this thread's loop for C code that asks the policy. */
static PyObject *set_current(PyObject *module, PyObject *given) {
    PyTypeObject *type = state_of(module)->loop_type;
    loop_t *loop = PyObject_TypeCheck(given, type) ? ((LoopObject *)given)->loop : NULL;
    int code = policy_set_event_loop(loop);
    if (code < 0) return raise_code(code);
    Py_RETURN_NONE;
}

/* _set_failures(failure_of, exception_of): what futures need of _futures.py. */
static PyObject *set_failures(PyObject *module, PyObject *args) {
    State *state = state_of(module);
    PyObject *failure_of, *exception_of;
    if (!PyArg_ParseTuple(args, "OO", &failure_of, &exception_of)) return NULL;
    Py_XSETREF(state->failure_of, Py_NewRef(failure_of));
    Py_XSETREF(state->exception_of, Py_NewRef(exception_of));
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"_set_extract_stack", set_extract_stack, METH_O, NULL},
    {"_find_loop", find_loop, METH_O, NULL},
    {"_set_current", set_current, METH_O, NULL},
    {"_set_failures", set_failures, METH_VARARGS, NULL},
    {"_import_future", import_future, METH_O, NULL},
    {"_make_tls_types", make_tls_types, METH_VARARGS, NULL},
    {NULL},
};

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    State *state = state_of(module);
    if (!state) return 0;
    Py_VISIT(state->loop_type);
    Py_VISIT(state->handle_type);
    Py_VISIT(state->timer_type);
    Py_VISIT(state->stream_type);
    Py_VISIT(state->datagram_type);
    Py_VISIT(state->operation_type);
    Py_VISIT(state->export_type);
    Py_VISIT(state->import_type);
    Py_VISIT(state->tasks_module);
    Py_VISIT(state->future_class);
    Py_VISIT(state->extract_stack);
    return 0;
}

static int module_clear(PyObject *module) {
    State *state = state_of(module);
    if (!state) return 0;
    /* The rest is needed as long as there are loops. */
    Py_CLEAR(state->extract_stack);
    return 0;
}

static void module_free(void *module) {
    State *state = state_of(module);
    if (state) free_handles_clear(state);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

struct PyModuleDef coloop_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "coloop._coloop",
    .m_doc = "The native half of coloop, on the C ABI of libcoloop.",
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__coloop(void) {
    collect_loop_methods();
    return PyModuleDef_Init(&coloop_module);
}
