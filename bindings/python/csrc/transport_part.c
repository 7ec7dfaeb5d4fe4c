/* What stream.c and datagram.c share: see transport_part.h. */
#include "transport_part.h"

size_t part_offset, loop_offset;

LoopObject *part_loop(PyObject *self) {
    PyObject *loop = *(PyObject **)((char *)self + loop_offset);
    return loop && loop != Py_None ? (LoopObject *)loop : NULL;
}

PyObject *part_failed(PyObject *self, LoopObject *loop, const char *message) {
    if (exception_must_leave()) return NULL;
    PyObject *text = PyUnicode_FromString(message);
    PyObject *done = text ? exception_report(self, loop->state->s_fatal_error, NULL, text) : NULL;
    Py_XDECREF(text);
    return done;
}

PyObject *part_fatal(PyObject *self, LoopObject *loop, const char *message) {
    PyErr_SetFromErrno(PyExc_OSError);
    return part_failed(self, loop, message);
}

static void *field(PyObject *self, void *place) {
    return (char *)part_of(self) + (size_t)place;
}

static PyObject *get_object(PyObject *self, void *place) {
    PyObject *value = *(PyObject **)field(self, place);
    return Py_NewRef(value ? value : Py_None);
}

static int set_object(PyObject *self, PyObject *value, void *place) {
    PyObject **target = field(self, place);
    Py_XINCREF(value);
    Py_XSETREF(*target, value);
    return 0;
}

static int set_protocol(PyObject *self, PyObject *value, void *place) {
    LoopObject *loop = part_loop(self);
    int buffered = 0;
    if (loop && value && value != Py_None) {
        buffered = PyObject_IsInstance(value, loop->state->buffered_protocol);
        if (buffered < 0) return -1;
    }
    part_of(self)->buffered = (char)buffered;
    return set_object(self, value, place);
}

static PyObject *get_int(PyObject *self, void *place) {
    return PyLong_FromLong(*(int *)field(self, place));
}

static int set_int(PyObject *self, PyObject *value, void *place) {
    long number = value ? PyLong_AsLong(value) : 0;
    if (number == -1 && PyErr_Occurred()) return -1;
    *(int *)field(self, place) = (int)number;
    return 0;
}

static PyObject *get_bool(PyObject *self, void *place) {
    return PyBool_FromLong(*(char *)field(self, place));
}

static int set_bool(PyObject *self, PyObject *value, void *place) {
    int truth = value ? PyObject_IsTrue(value) : 0;
    if (truth < 0) return -1;
    *(char *)field(self, place) = (char)truth;
    return 0;
}

#define AT(field) NULL, (void *)offsetof(Part, field)
static PyGetSetDef part_getset[] = {
    {"_protocol", get_object, set_protocol, AT(protocol)},
    {"_buffer", get_object, set_object, AT(buffer)},
    {"_empty_waiter", get_object, set_object, AT(empty_waiter)},
    {"_address", get_object, set_object, AT(address)},
    {"_sock_fd", get_int, set_int, AT(fd)},
    {"_conn_lost", get_int, set_int, AT(conn_lost)},
    {"_closing", get_bool, set_bool, AT(closing)},
    {"_paused", get_bool, set_bool, AT(paused)},
    {"_eof", get_bool, set_bool, AT(eof)},
    {NULL},
};

/* The slots of the base classes: nothing but objects between the head and the
 * part (part_make_type checks). */
#define FOR_EACH_SLOT(self, slot)                                      \
    for (PyObject **slot = (PyObject **)((char *)self + sizeof(PyObject)); \
         (char *)slot < (char *)self + part_offset; slot++)

static int part_traverse(PyObject *self, visitproc visit, void *arg) {
    FOR_EACH_SLOT(self, slot) Py_VISIT(*slot);
    Part *part = part_of(self);
    Py_VISIT(part->protocol);
    Py_VISIT(part->buffer);
    Py_VISIT(part->empty_waiter);
    Py_VISIT(part->address);
    return 0;
}

static int part_clear(PyObject *self) {
    FOR_EACH_SLOT(self, slot) Py_CLEAR(*slot);
    Part *part = part_of(self);
    Py_CLEAR(part->protocol);
    Py_CLEAR(part->buffer);
    Py_CLEAR(part->empty_waiter);
    Py_CLEAR(part->address);
    return 0;
}

/* Only Python classes derive from these types, and theirs are all objects. */
static void part_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (PyType_IS_GC(type)) PyObject_GC_UnTrack(self);
    part_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyTypeObject *part_make_type(PyObject *module, PyObject *base, const char *name, const char *doc,
                             PyMethodDef *methods) {
    PyTypeObject *base_type = (PyTypeObject *)base;
    PyObject *slot = PyObject_GetAttrString(base, "_loop");
    if (!slot) return NULL;
    int known = Py_TYPE(slot) == &PyMemberDescr_Type && !base_type->tp_dictoffset
        && !base_type->tp_weaklistoffset && !base_type->tp_itemsize
        && base_type->tp_basicsize % (Py_ssize_t)sizeof(PyObject *) == 0;
    size_t offset = known ? (size_t)((PyMemberDescrObject *)slot)->d_member->offset : 0;
    Py_DECREF(slot);
    if (!known) {
        PyErr_SetString(PyExc_ImportError,
                        "coloop does not know the transports of this version of asyncio");
        return NULL;
    }
    part_offset = (size_t)base_type->tp_basicsize;
    loop_offset = offset;
    PyType_Slot slots[] = {
        {Py_tp_doc, (void *)doc},         {Py_tp_methods, methods},
        {Py_tp_getset, part_getset},      {Py_tp_traverse, part_traverse},
        {Py_tp_clear, part_clear},        {Py_tp_dealloc, part_dealloc},
        {0, NULL},
    };
    PyType_Spec spec = {name, (int)(part_offset + sizeof(Part)), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
    PyObject *bases = PyTuple_Pack(1, base);
    if (!bases) return NULL;
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, bases);
    Py_DECREF(bases);
    return (PyTypeObject *)type;
}
