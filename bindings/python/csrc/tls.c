/* The native half of TLS connections: what a record costs on its way between the
 * socket's transport and the application's protocol.
 *
 * Handshake, shutdown, flow control and everything rare is asyncio's own code
 * (SSLProtocol), which works on the same attributes. Here reading ends by looking
 * whether anything is left instead of by an exception, and records meet in one
 * buffer of the loop's. */
#include "coloop_python.h"

static PyObject *attribute(PyObject *self, PyObject *name) { return PyObject_GetAttr(self, name); }

static int truth_of(PyObject *self, PyObject *name) {
    PyObject *value = PyObject_GetAttr(self, name);
    int truth = value ? PyObject_IsTrue(value) : -1;
    Py_XDECREF(value);
    return truth;
}

static Py_ssize_t number_of(PyObject *self, PyObject *name) {
    PyObject *value = PyObject_GetAttr(self, name);
    Py_ssize_t number = value ? PyLong_AsSsize_t(value) : -1;
    Py_XDECREF(value);
    return number;
}

static int call_ignoring(PyObject *self, PyObject *name) {
    PyObject *done = PyObject_CallMethodNoArgs(self, name);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static LoopObject *loop_of(PyObject *self) {
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(self), &coloop_module);
    PyObject *loop = module ? attribute(self, state_of(module)->tls.loop) : NULL;
    if (loop && !PyObject_TypeCheck(loop, state_of(module)->loop_type)) {
        Py_CLEAR(loop);
        PyErr_SetString(PyExc_TypeError, "a coloop.EventLoop is needed");
    }
    return (LoopObject *)loop;
}

/* The object that encrypts, a new reference: the one below ssl.SSLObject. NULL
 * without an exception if the context has a class of its own for that, which may
 * take a part only, or keep what it is given: asyncio's code knows how to use it. */
static PyObject *ssl_object(PyObject *self, State *state) {
    PyObject *object = attribute(self, state->tls.sslobj);
    if (object && (PyObject *)Py_TYPE(object) != state->tls.ssl_object_class) {
        Py_DECREF(object);
        return NULL;
    }
    if (object) Py_SETREF(object, attribute(object, state->tls.sslobj));
    return object;
}

/* asyncio's SSLAgainErrors. Clears the exception if it is one. */
static int is_again(State *state) {
    if (!PyErr_ExceptionMatches(state->tls.again)) return 0;
    PyErr_Clear();
    return 1;
}

/* "except Exception": the connection ends. BaseExceptions stay. */
static PyObject *failed_in(PyObject *self, State *state) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return NULL;
    return exception_report(self, state->s_fatal_error, NULL, state->tls.fatal_message);
}

/* asyncio's _process_outgoing: hands what was encrypted to the socket's transport. */
static int send_outgoing(PyObject *self, State *state) {
    int paused = truth_of(self, state->tls.ssl_writing_paused);
    if (paused < 0) return -1;
    PyObject *outgoing = attribute(self, state->tls.outgoing);
    Py_ssize_t pending = outgoing ? number_of(outgoing, state->tls.pending) : -1;
    if (pending > 0 && !paused) {
        PyObject *data = PyObject_CallMethodNoArgs(outgoing, state->tls.read);
        PyObject *transport = data ? attribute(self, state->tls.transport) : NULL;
        PyObject *done =
            transport ? PyObject_CallMethodOneArg(transport, state->tls.write, data) : NULL;
        Py_XDECREF(data);
        Py_XDECREF(transport);
        Py_XDECREF(done);
        pending = done ? number_of(outgoing, state->tls.pending) : -1;
    }
    Py_XDECREF(outgoing);
    if (pending < 0) return -1;
    /* _control_app_writing, if it has anything to do. */
    Py_ssize_t size = number_of(self, state->tls.write_buffer_size);
    Py_ssize_t high = size < 0 ? -1 : number_of(self, state->tls.outgoing_high_water);
    int app_paused = high < 0 ? -1 : truth_of(self, state->tls.app_writing_paused);
    if (app_paused < 0) return -1;
    if (size + pending < high && !app_paused) return 0;
    return call_ignoring(self, state->tls.control_app_writing);
}

static PyObject *process_outgoing(PyObject *self, PyObject *unused) {
    (void)unused;
    LoopObject *loop = loop_of(self);
    int code = loop ? send_outgoing(self, loop->state) : -1;
    Py_XDECREF(loop);
    return code < 0 ? NULL : Py_NewRef(Py_None);
}

/* Is there anything left to decrypt? -1 with an exception. */
static int has_more(PyObject *incoming, PyObject *object, State *state) {
    Py_ssize_t pending = number_of(incoming, state->tls.pending);
    if (pending != 0) return pending < 0 ? -1 : 1;
    PyObject *value = PyObject_CallMethodNoArgs(object, state->tls.pending);
    int truth = value ? PyObject_IsTrue(value) : -1;
    Py_XDECREF(value);
    return truth;
}

/* Decrypts into `place`: how much, *ret_ended at the peer's close_notify. */
static Py_ssize_t decrypt(PyObject *self, State *state, PyObject *object, char *place,
                          int *ret_ended, int *ret_more) {
    Py_ssize_t total = 0;
    PyObject *incoming = attribute(self, state->tls.incoming);
    int more = incoming ? 1 : -1;
    while (more > 0 && total < READ_SIZE) {
        PyObject *room = PyMemoryView_FromMemory(place + total, READ_SIZE - total, PyBUF_WRITE);
        PyObject *size = room ? PyLong_FromSsize_t(READ_SIZE - total) : NULL;
        PyObject *given[3] = {object, size, room};
        PyObject *count =
            size ? PyObject_VectorcallMethod(state->tls.read, given, 3, NULL) : NULL;
        Py_XDECREF(size);
        Py_XDECREF(room);
        if (!count) {
            more = is_again(state) ? 0 : -1;
            break;
        }
        Py_ssize_t number = PyLong_AsSsize_t(count);
        Py_DECREF(count);
        if (number == 0) *ret_ended = 1;
        if (number <= 0) {
            more = number;
            break;
        }
        total += number;
        more = has_more(incoming, object, state);
    }
    Py_XDECREF(incoming);
    *ret_more = more > 0;
    return more < 0 ? -1 : total;
}

/* One chunk for the application: 0, or -1 with an exception. */
static int deliver(PyObject *self, State *state, const char *place, Py_ssize_t count) {
    PyObject *protocol = attribute(self, state->tls.app_protocol);
    PyObject *data = protocol ? PyBytes_FromStringAndSize(place, count) : NULL;
    PyObject *given[2] = {protocol, data};
    PyObject *done =
        data ? PyObject_VectorcallMethod(state->s_data_received, given, 2, NULL) : NULL;
    Py_XDECREF(data);
    Py_XDECREF(protocol);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Between two chunks: does the application want the next one in the same way? It
 * may have paused reading, aborted the connection, or set another protocol. */
static int goes_on(PyObject *self, State *state) {
    PyObject *now = attribute(self, state->tls.state);
    Py_XDECREF(now);
    if (!now || now == state->tls.unwrapped) return now ? 0 : -1;
    int paused = truth_of(self, state->tls.app_reading_paused);
    if (paused) return paused < 0 ? -1 : 0;
    int buffered = truth_of(self, state->tls.app_protocol_is_buffer);
    if (buffered <= 0) return buffered < 0 ? -1 : 1;
    return call_ignoring(self, state->tls.do_read_buffered);
}

/* asyncio's _do_read__copied. */
static int read_copied(PyObject *self, LoopObject *loop) {
    State *state = loop->state;
    PyObject *object = ssl_object(self, state);
    if (!object) {
        PyObject *done = PyErr_Occurred()
            ? NULL
            : PyObject_CallOneArg(state->tls.standard_read_copied, self);
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
    int ended = 0, more = 1, code = 0;
    while (more) {
        char *place = read_buffer(loop);
        Py_ssize_t count = place ? decrypt(self, state, object, place, &ended, &more) : -1;
        code = count > 0 ? deliver(self, state, place, count) : (int)count;
        if (code < 0) break;
        if (more && (more = goes_on(self, state)) < 0) code = -1;
        if (code < 0) break;
    }
    Py_DECREF(object);
    if (code < 0 || !ended) return code;
    if (call_ignoring(self, state->tls.call_eof_received) < 0) return -1;
    return call_ignoring(self, state->tls.start_shutdown);
}

static PyObject *do_read_copied(PyObject *self, PyObject *unused) {
    (void)unused;
    LoopObject *loop = loop_of(self);
    int code = loop ? read_copied(self, loop) : -1;
    Py_XDECREF(loop);
    return code < 0 ? NULL : Py_NewRef(Py_None);
}

/* asyncio's _do_read in the usual case. */
static int read_usual(PyObject *self, LoopObject *loop) {
    State *state = loop->state;
    if (read_copied(self, loop) < 0) return -1;
    int backlog = truth_of(self, state->tls.write_backlog);
    if (backlog < 0) return -1;
    if (backlog ? call_ignoring(self, state->tls.do_write) < 0 : send_outgoing(self, state) < 0)
        return -1;
    /* _control_ssl_reading, if it has anything to do. */
    PyObject *incoming = attribute(self, state->tls.incoming);
    Py_ssize_t size = incoming ? number_of(incoming, state->tls.pending) : -1;
    Py_XDECREF(incoming);
    Py_ssize_t high = size < 0 ? -1 : number_of(self, state->tls.incoming_high_water);
    int paused = high < 0 ? -1 : truth_of(self, state->tls.ssl_reading_paused);
    if (paused < 0) return -1;
    if (size < high && !paused) return 0;
    return call_ignoring(self, state->tls.control_ssl_reading);
}

static PyObject *next_step(PyObject *self, LoopObject *loop, PyObject *now) {
    State *state = loop->state;
    if (now == state->tls.wrapped) {
        int paused = truth_of(self, state->tls.app_reading_paused);
        int buffered = paused < 0 ? -1 : truth_of(self, state->tls.app_protocol_is_buffer);
        if (buffered < 0) return NULL;
        if (paused || buffered) return PyObject_CallMethodNoArgs(self, state->tls.do_read);
        return read_usual(self, loop) < 0 ? failed_in(self, state) : Py_NewRef(Py_None);
    }
    if (now == state->tls.handshaking)
        return PyObject_CallMethodNoArgs(self, state->tls.do_handshake);
    if (now == state->tls.flushing) return PyObject_CallMethodNoArgs(self, state->tls.do_flush);
    if (now == state->tls.shutting_down)
        return PyObject_CallMethodNoArgs(self, state->tls.do_shutdown);
    Py_RETURN_NONE;
}

static PyObject *buffer_updated(PyObject *self, PyObject *length) {
    Py_ssize_t count = PyLong_AsSsize_t(length);
    if (count < 0 && PyErr_Occurred()) return NULL;
    LoopObject *loop = loop_of(self);
    if (!loop) return NULL;
    State *state = loop->state;
    PyObject *view = attribute(self, state->tls.ssl_buffer_view);
    PyObject *part = view ? PySequence_GetSlice(view, 0, count) : NULL;
    PyObject *incoming = part ? attribute(self, state->tls.incoming) : NULL;
    PyObject *done =
        incoming ? PyObject_CallMethodOneArg(incoming, state->tls.write, part) : NULL;
    Py_XDECREF(incoming);
    Py_XDECREF(part);
    Py_XDECREF(view);
    if (done) {
        Py_DECREF(done);
        PyObject *now = attribute(self, state->tls.state);
        done = now ? next_step(self, loop, now) : NULL;
        Py_XDECREF(now);
    }
    Py_DECREF(loop);
    return done;
}

static PyObject *get_buffer(PyObject *self, PyObject *hint) {
    (void)hint; /* the socket's transport asks for as much as possible */
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(self), &coloop_module);
    return module ? attribute(self, state_of(module)->tls.ssl_buffer_view) : NULL;
}

/* Encrypts at once, if nothing waits: 1 done, 0 asyncio's method must, -1. */
static int encrypt(PyObject *self, State *state, PyObject *data) {
    PyObject *now = attribute(self, state->tls.state);
    Py_XDECREF(now);
    if (!now) return -1;
    int backlog = now == state->tls.wrapped ? truth_of(self, state->tls.write_backlog) : 1;
    if (backlog) return backlog < 0 ? -1 : 0;
    Py_ssize_t length = PyObject_Size(data);
    if (length < 0) return -1;
    PyObject *object = ssl_object(self, state);
    if (!object) return PyErr_Occurred() ? -1 : 0;
    PyObject *count = PyObject_CallMethodOneArg(object, state->tls.write, data);
    Py_DECREF(object);
    if (!count) {
        if (!PyErr_Occurred() || !is_again(state)) return -1;
        return 0;
    }
    Py_ssize_t sent = PyLong_AsSsize_t(count);
    Py_DECREF(count);
    if (sent < 0) return -1;
    if (sent < length) {
        PyErr_SetString(PyExc_SystemError, "a memory BIO took a part only");
        return -1;
    }
    return send_outgoing(self, state) < 0 ? -1 : 1;
}

static PyObject *write_one(PyObject *self, LoopObject *loop, PyObject *data) {
    State *state = loop->state;
    /* Views whose items are no bytes, and what is empty, are asyncio's business. */
    int simple = PyBytes_CheckExact(data) && PyBytes_GET_SIZE(data) > 0;
    int code = simple ? encrypt(self, state, data) : 0;
    if (code < 0) return failed_in(self, state);
    if (code > 0) Py_RETURN_NONE;
    PyObject *list = PyTuple_Pack(1, data);
    if (!list) return NULL;
    PyObject *done = PyObject_CallFunctionObjArgs(state->tls.standard_write, self, list, NULL);
    Py_DECREF(list);
    return done;
}

/* write(data) of the application's transport. */
static PyObject *write_data(PyObject *self, PyObject *data) {
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(self), &coloop_module);
    if (!module) return NULL;
    State *state = state_of(module);
    if (!PyBytes_CheckExact(data) || PyBytes_GET_SIZE(data) == 0)
        return PyObject_CallFunctionObjArgs(state->tls.standard_transport_write, self, data, NULL);
    PyObject *protocol = attribute(self, state->tls.ssl_protocol);
    if (!protocol) return NULL;
    PyObject *done = NULL;
    if (Py_TYPE(protocol) == Py_TYPE(self) || !PyObject_TypeCheck(protocol, state->tls.type)) {
        PyObject *list = PyTuple_Pack(1, data);
        if (list) done = PyObject_CallMethod(protocol, "_write_appdata", "N", list);
    } else {
        LoopObject *loop = loop_of(protocol);
        done = loop ? write_one(protocol, loop, data) : NULL;
        Py_XDECREF(loop);
    }
    Py_DECREF(protocol);
    return done;
}

static PyMethodDef tls_methods[] = {
    {"get_buffer", get_buffer, METH_O, NULL},
    {"buffer_updated", buffer_updated, METH_O, NULL},
    {"_do_read__copied", do_read_copied, METH_NOARGS, NULL},
    {"_process_outgoing", process_outgoing, METH_NOARGS, NULL},
    {NULL},
};
NAMED_ARGUMENT(transport_write, write_data, "write", "data")
static PyMethodDef transport_methods[] = {
    {"write", NAMED(transport_write),
     "write($self, data)\n--\n\n"
     "Encrypts a bytes-like object and sends it. asyncio: WriteTransport.write."},
    {NULL},
};
static PyType_Slot tls_slots[] = {
    {Py_tp_doc, "The native half of coloop's TLS protocol."}, {Py_tp_methods, tls_methods}, {0, NULL}};
static PyType_Slot transport_slots[] = {{Py_tp_doc, "The native half of coloop's TLS transports."},
                                        {Py_tp_methods, transport_methods},
                                        {0, NULL}};
static PyType_Spec tls_spec = {"coloop.TLSBase", sizeof(PyObject), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, tls_slots};
static PyType_Spec transport_spec = {"coloop.TLSTransportBase", sizeof(PyObject), 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, transport_slots};

static PyObject *member(PyObject *class, const char *name) {
    return class ? PyObject_GetAttrString(class, name) : NULL;
}

/* _make_tls_types(sslproto, ssl): the two types, for Pythons that have ssl. */
PyObject *make_tls_types(PyObject *module, PyObject *args) {
    PyObject *sslproto, *ssl;
    if (!PyArg_ParseTuple(args, "OO", &sslproto, &ssl)) return NULL;
    State *state = state_of(module);
    struct {
        PyObject **place;
        const char *text;
    } names[] = {
        {&state->tls.loop, "_loop"},
        {&state->tls.sslobj, "_sslobj"},
        {&state->tls.incoming, "_incoming"},
        {&state->tls.outgoing, "_outgoing"},
        {&state->tls.pending, "pending"},
        {&state->tls.read, "read"},
        {&state->tls.write, "write"},
        {&state->tls.transport, "_transport"},
        {&state->tls.state, "_state"},
        {&state->tls.ssl_buffer_view, "_ssl_buffer_view"},
        {&state->tls.ssl_protocol, "_ssl_protocol"},
        {&state->tls.app_protocol, "_app_protocol"},
        {&state->tls.app_protocol_is_buffer, "_app_protocol_is_buffer"},
        {&state->tls.app_reading_paused, "_app_reading_paused"},
        {&state->tls.app_writing_paused, "_app_writing_paused"},
        {&state->tls.ssl_reading_paused, "_ssl_reading_paused"},
        {&state->tls.ssl_writing_paused, "_ssl_writing_paused"},
        {&state->tls.write_backlog, "_write_backlog"},
        {&state->tls.write_buffer_size, "_write_buffer_size"},
        {&state->tls.incoming_high_water, "_incoming_high_water"},
        {&state->tls.outgoing_high_water, "_outgoing_high_water"},
        {&state->tls.control_app_writing, "_control_app_writing"},
        {&state->tls.control_ssl_reading, "_control_ssl_reading"},
        {&state->tls.call_eof_received, "_call_eof_received"},
        {&state->tls.start_shutdown, "_start_shutdown"},
        {&state->tls.do_read, "_do_read"},
        {&state->tls.do_read_buffered, "_do_read__buffered"},
        {&state->tls.do_write, "_do_write"},
        {&state->tls.do_handshake, "_do_handshake"},
        {&state->tls.do_flush, "_do_flush"},
        {&state->tls.do_shutdown, "_do_shutdown"},
        {&state->tls.fatal_message, "Fatal error on SSL protocol"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(*names[i].place = PyUnicode_InternFromString(names[i].text))) return NULL;
    PyObject *states = member(sslproto, "SSLProtocolState");
    PyObject *protocol = member(sslproto, "SSLProtocol");
    PyObject *transport = member(sslproto, "_SSLProtocolTransport");
    state->tls.wrapped = member(states, "WRAPPED");
    state->tls.unwrapped = member(states, "UNWRAPPED");
    state->tls.handshaking = member(states, "DO_HANDSHAKE");
    state->tls.flushing = member(states, "FLUSHING");
    state->tls.shutting_down = member(states, "SHUTDOWN");
    state->tls.again = member(sslproto, "SSLAgainErrors");
    state->tls.standard_read_copied = member(protocol, "_do_read__copied");
    state->tls.standard_write = member(protocol, "_write_appdata");
    state->tls.standard_transport_write = member(transport, "write");
    state->tls.ssl_object_class = member(ssl, "SSLObject");
    Py_XDECREF(states);
    Py_XDECREF(protocol);
    Py_XDECREF(transport);
    if (PyErr_Occurred()) return NULL;
    state->tls.type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &tls_spec, NULL);
    if (!state->tls.type) return NULL;
    PyObject *base = PyType_FromModuleAndSpec(module, &transport_spec, NULL);
    return base ? Py_BuildValue("(ON)", state->tls.type, base) : NULL;
}
