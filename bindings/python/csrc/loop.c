/* The Loop type: what an event loop is made of, its life and its end. The
 * Python class EventLoop derives from it and from asyncio's own loop. */
#include "coloop_python.h"

static PyObject *loop_new_object(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    LoopObject *self = (LoopObject *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    PyObject *module = PyType_GetModuleByDef(type, &coloop_module);
    if (!module) {
        Py_DECREF(self);
        return NULL;
    }
    self->module = Py_NewRef(module);
    self->state = state_of(module);
    return (PyObject *)self;
}

/* _open(pointer, fork): makes the library's loop, or takes a reference to one
 * that C code made. */
static PyObject *loop_open(LoopObject *self, PyObject *args) {
    PyObject *pointer;
    int fork_mode;
    if (!PyArg_ParseTuple(args, "Oi", &pointer, &fork_mode)) return NULL;
    if (self->loop) {
        PyErr_SetString(PyExc_RuntimeError, "the loop is open already");
        return NULL;
    }
    self->fork_mode = (char)fork_mode;
    if (pointer == Py_None) {
        if (failed(loop_create(NULL, &self->loop))) return NULL;
    } else {
        loop_t *loop = given_pointer(pointer, LOOP_CAPSULE);
        if (!loop) return NULL;
        self->loop = loop_ref(loop);
        self->closed = loop_is_closed(loop) == 1;
        self->foreign = 1;
    }
    if (!self->closed && (set_wait_hooks(self) < 0 || set_report_hooks(self) < 0)) return NULL;
    self->next_loop = self->state->loops;
    self->state->loops = self;
    Py_RETURN_NONE;
}

static void leave_list(LoopObject *self) {
    LoopObject **place = &self->state->loops;
    while (*place && *place != self) place = &(*place)->next_loop;
    if (*place) *place = self->next_loop;
}

/* _find_loop(pointer): (the int, the Python loop that has it or None). */
PyObject *find_loop(PyObject *module, PyObject *given) {
    loop_t *loop = given_pointer(given, LOOP_CAPSULE);
    if (!loop) return NULL;
    LoopObject *known = state_of(module)->loops;
    while (known && known->loop != loop) known = known->next_loop;
    return Py_BuildValue("(NO)", PyLong_FromVoidPtr(loop), known ? (PyObject *)known : Py_None);
}

char *read_buffer(LoopObject *self) {
    if (!self->read_buffer) {
        self->read_buffer = PyMem_RawMalloc(READ_SIZE);
        if (!self->read_buffer) PyErr_NoMemory();
    }
    return self->read_buffer;
}

int loop_check_open(LoopObject *self) {
    if (!self->closed && self->loop) return 0;
    raise_code(LOOP_ECLOSED);
    return -1;
}

/* Drops what is scheduled. Destroying a callback may run any code. */
void drop_scheduled(LoopObject *self) {
    if (!self->first) return;
    Py_INCREF(self); /* which the handles have held */
    while (self->first) {
        HandleObject *handle = self->first;
        handle_unlink(handle);
        /* Nobody shows the garbage collector any more what it holds. */
        handle_forget_callback(handle);
        handle_forget_loop(handle);
        Py_DECREF(handle);
    }
    Py_DECREF(self);
}

static PyObject *loop_close_native(LoopObject *self, PyObject *unused) {
    (void)unused;
    self->closed = 1;
    if (self->loop) {
        int code = loop_close(self->loop);
        if (code < 0) {
            self->closed = 0;
            return raise_code(code);
        }
    }
    drop_scheduled(self);
    watches_clear(self);
    PyMem_RawFree(self->read_buffer);
    self->read_buffer = NULL;
    addresses_clear(self);
    Py_RETURN_NONE;
}

static int loop_traverse(LoopObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->module);
    Py_VISIT(self->raised);
    Py_VISIT(self->task_factory);
    Py_VISIT(self->context);
    Py_VISIT(self->transports);
    /* What C code runs, or may run, is in use, whoever else knows of it. */
    if (self->loop && !self->closed && (self->foreign || loop_is_running(self->loop) == 1))
        return 0;
    int stop = 0;
    for (HandleObject *handle = self->first; handle && !stop; handle = handle->next)
        stop = handle_visit(handle, visit, arg);
    for (int fd = 0; fd < self->watches_count && !stop; fd++) {
        HandleObject *reader = self->watches[fd].reader, *writer = self->watches[fd].writer;
        if (reader) stop = handle_visit(reader, visit, arg);
        if (writer && !stop) stop = handle_visit(writer, visit, arg);
        if (!stop) Py_VISIT(self->watches[fd].sender);
    }
    return stop;
}

static int loop_clear(LoopObject *self) {
    Py_CLEAR(self->raised);
    Py_CLEAR(self->task_factory);
    Py_CLEAR(self->thread_id);
    Py_CLEAR(self->context);
    Py_CLEAR(self->transports);
    return 0;
}

static void loop_dealloc(LoopObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->state) leave_list(self);
    loop_clear(self);
    int forgotten = 1;
    if (self->loop) {
        /* C code may have a reference, and may run the loop. */
        int open = !self->closed;
        self->closed = 1;
        if (open) forgotten = remove_hooks(self);
        if (open && !self->foreign && loop_close(self->loop) == 0) forgotten = 1;
        loop_unref(self->loop);
    }
    drop_scheduled(self);
    watches_clear(self);
    addresses_clear(self);
    PyMem_RawFree(self->read_buffer);
    PyObject *module = self->module;
    /* What the loop may still look at is not freed. */
    if (forgotten) type->tp_free(self);
    Py_DECREF(type);
    Py_XDECREF(module);
}

static PyObject *loop_time_seconds(LoopObject *self, PyObject *unused) {
    (void)unused;
    return PyFloat_FromDouble((double)loop_time(self->loop) * 1e-9);
}

static PyObject *loop_get_pointer(LoopObject *self, void *unused) {
    (void)unused;
    return PyLong_FromVoidPtr(self->loop);
}

static void release_capsule(PyObject *capsule) {
    loop_unref(PyCapsule_GetPointer(capsule, LOOP_CAPSULE));
}

static PyObject *loop_get_capsule(LoopObject *self, void *unused) {
    (void)unused;
    PyObject *capsule = PyCapsule_New(self->loop, LOOP_CAPSULE, release_capsule);
    if (capsule) loop_ref(self->loop);
    return capsule;
}

static PyObject *get_flag(LoopObject *self, void *place) {
    return PyBool_FromLong(*((char *)self + (size_t)place));
}

static int set_flag(LoopObject *self, PyObject *value, void *place) {
    int truth = value ? PyObject_IsTrue(value) : 0;
    if (truth < 0) return -1;
    *((char *)self + (size_t)place) = (char)truth;
    return 0;
}

static int set_stopping(LoopObject *self, PyObject *value, void *unused) {
    (void)unused;
    if (set_flag(self, value, (void *)offsetof(LoopObject, stopping)) < 0) return -1;
    if (self->stopping && self->loop) {
        int code = loop_stop(self->loop);
        if (code < 0 && (code = recover_from_fork(self, code)) < 0) {
            raise_code(code);
            return -1;
        }
    }
    return 0;
}

static PyObject *loop_stop_method(LoopObject *self, PyObject *unused) {
    (void)unused;
    return set_stopping(self, Py_True, NULL) < 0 ? NULL : Py_NewRef(Py_None);
}

/* The handles that are scheduled: of timers, or of the others. */
static PyObject *scheduled(LoopObject *self, void *timers) {
    PyObject *list = PyList_New(0);
    if (!list) return NULL;
    for (HandleObject *handle = self->first; handle; handle = handle->next) {
        if (handle->is_timer == (timers != NULL) && PyList_Append(list, (PyObject *)handle) < 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

/* asyncio's base class makes queues of its own, which are not used. */
static int ignore(LoopObject *self, PyObject *value, void *unused) {
    (void)self;
    (void)value;
    (void)unused;
    return 0;
}

static PyObject *loop_stats(LoopObject *self, PyObject *unused) {
    (void)unused;
    loop_stats_t stats = {.size = sizeof stats};
    if (failed(loop_get_stats(self->loop, &stats))) return NULL;
    return Py_BuildValue(
        "{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K}", "turns", stats.turns, "waits",
        stats.waits, "callbacks", stats.callbacks, "io_events", stats.io_events, "timers",
        stats.timers, "posts", stats.posts, "busy_ns", stats.busy_ns, "wait_ns", stats.wait_ns,
        "ready_now", stats.ready_now, "timers_now", stats.timers_now, "posts_now",
        stats.posts_now, "fds_now", stats.fds_now, "longest_ns", stats.longest_ns);
}

static PyObject *loop_stats_level(LoopObject *self, PyObject *level) {
    unsigned long value = PyLong_AsUnsignedLong(level);
    if (value == (unsigned long)-1 && PyErr_Occurred()) return NULL;
    /* What does not fit is no level either. */
    uint32_t known = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    if (failed(loop_set_stats_level(self->loop, known))) return NULL;
    Py_RETURN_NONE;
}

static PyObject *loop_get_foreign(LoopObject *self, PyObject *unused) {
    (void)unused;
    return PyBool_FromLong(self->foreign);
}

static int is_inherited(LoopObject *self) {
    uint64_t when;
    return !self->closed && self->loop && loop_next_deadline(self->loop, &when) == LOOP_EFORKED;
}

static PyObject *loop_is_inherited(LoopObject *self, PyObject *unused) {
    (void)unused;
    return PyBool_FromLong(is_inherited(self));
}

static PyObject *loop_is_running_method(LoopObject *self, PyObject *unused) {
    (void)unused;
    int by_python = self->thread_id && self->thread_id != Py_None;
    int by_c = !self->runs && self->loop && loop_is_running(self->loop) == 1;
    return PyBool_FromLong((by_python || by_c) && !is_inherited(self));
}

static PyObject *loop_is_closed_method(LoopObject *self, PyObject *unused) {
    (void)unused;
    return PyBool_FromLong(self->closed);
}

static PyObject *loop_get_debug_method(LoopObject *self, PyObject *unused) {
    (void)unused;
    return PyBool_FromLong(self->debug);
}

static PyMethodDef own_methods[] = {
    {"_open", (PyCFunction)loop_open, METH_VARARGS, NULL},
    {"_close_native", (PyCFunction)loop_close_native, METH_NOARGS, NULL},
    {"_is_inherited", (PyCFunction)loop_is_inherited, METH_NOARGS, NULL},
    {"is_running", (PyCFunction)loop_is_running_method, METH_NOARGS,
     "is_running($self)\n--\n\nbool. Does it run, in whatever thread, by Python or by C code? An\n"
     "inherited loop does not. asyncio: loop.is_running."},
    {"is_closed", (PyCFunction)loop_is_closed_method, METH_NOARGS,
     "is_closed($self)\n--\n\nbool. asyncio: loop.is_closed."},
    {"get_debug", (PyCFunction)loop_get_debug_method, METH_NOARGS,
     "get_debug($self)\n--\n\nbool. asyncio: loop.get_debug."},
    {"_is_foreign", (PyCFunction)loop_get_foreign, METH_NOARGS, NULL},
    {"stop", (PyCFunction)loop_stop_method, METH_NOARGS,
     "stop($self)\n--\n\n"
     "Ends the run after the present turn. asyncio: loop.stop."},
    {"time", (PyCFunction)loop_time_seconds, METH_NOARGS,
     "time($self)\n--\n\n"
     "Seconds of the loop's monotonic clock: float. asyncio: loop.time."},
    {"stats", (PyCFunction)loop_stats, METH_NOARGS,
     "stats($self)\n--\n\n"
     "What the loop has counted, a dict[str, int]: turns, waits, callbacks, io_events,\n"
     "timers, posts; what waits in it now: ready_now, timers_now, posts_now, fds_now;\n"
     "nanoseconds, 0 unless set_stats_level asked for them: busy_ns and wait_ns (1), and\n"
     "longest_ns, of the longest callback (2). From any thread. C: loop_get_stats."},
    {"set_stats_level", (PyCFunction)loop_stats_level, METH_O,
     "set_stats_level($self, level, /)\n--\n\n"
     "0 counts, 1 measures times as well, 2 also the longest callback, which it forgets\n"
     "first. In the middle of a run times begin with the next wait. ValueError for\n"
     "others. C: loop_set_stats_level."},
    {NULL},
};

#define FLAG(field) (void *)offsetof(LoopObject, field)
static PyGetSetDef loop_getset[] = {
    {"_closed", (getter)get_flag, (setter)set_flag, NULL, FLAG(closed)},
    {"_debug", (getter)get_flag, (setter)set_flag, NULL, FLAG(debug)},
    {"_stopping", (getter)get_flag, (setter)set_stopping, NULL, FLAG(stopping)},
    {"_ready", (getter)scheduled, (setter)ignore, NULL, NULL},
    {"_scheduled", (getter)scheduled, (setter)ignore, NULL, (void *)1},
    {"pointer", (getter)loop_get_pointer, NULL,
     "The loop_t of C as an int: valid as long as the loop. See capsule.", NULL},
    {"capsule", (getter)loop_get_capsule, NULL,
     "The loop_t of C in a capsule named \"coloop.loop_t\", which holds a reference to it.",
     NULL},
    {NULL},
};
static PyMemberDef loop_members[] = {
    {"_task_factory", T_OBJECT, offsetof(LoopObject, task_factory), 0, NULL},
    {"_thread_id", T_OBJECT, offsetof(LoopObject, thread_id), 0, NULL},
    {NULL},
};

/* One table from the files' own. */
#define MOST_METHODS 48
static PyMethodDef all_methods[MOST_METHODS];

static PyType_Slot loop_slots[] = {
    {Py_tp_doc, "The native half of coloop.EventLoop."},
    {Py_tp_new, loop_new_object},
    {Py_tp_dealloc, loop_dealloc},
    {Py_tp_traverse, loop_traverse},
    {Py_tp_clear, loop_clear},
    {Py_tp_methods, all_methods},
    {Py_tp_members, loop_members},
    {Py_tp_getset, loop_getset},
    {0, NULL},
};
PyType_Spec loop_spec = {
    "coloop.Loop", sizeof(LoopObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, loop_slots};

void collect_loop_methods(void) {
    PyMethodDef *tables[] = {own_methods, run_methods, schedule_methods, watch_methods,
                             create_methods, sock_methods, report_methods};
    int count = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (PyMethodDef *method = tables[i]; method->ml_name && count < MOST_METHODS - 1; method++)
            all_methods[count++] = *method;
    all_methods[count] = (PyMethodDef){NULL};
}
