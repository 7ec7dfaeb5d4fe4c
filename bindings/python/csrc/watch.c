/* Readers and writers. The library holds the handles; the table here only says
 * which ones they are. */
#include "coloop_python.h"
#include <fcntl.h>
#include <limits.h>

enum { READER, WRITER };

static HandleObject **slot(LoopObject *self, int fd, int direction) {
    if (fd < 0 || fd >= self->watches_count) return NULL;
    Watch *watch = &self->watches[fd];
    return direction == READER ? &watch->reader : &watch->writer;
}

int watches_reserve(LoopObject *self, int fd) {
    if (fd < self->watches_count) return 0;
    /* Any number may be given, but only that of an open descriptor is worth memory. */
    if (fcntl(fd, F_GETFD) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    size_t count = self->watches_count ? (size_t)self->watches_count : 16;
    while (count <= (size_t)fd) count *= 2;
    if (count > INT_MAX) count = INT_MAX;
    Watch *grown = PyMem_RawRealloc(self->watches, count * sizeof *grown);
    if (!grown) {
        PyErr_NoMemory();
        return -1;
    }
    memset(grown + self->watches_count, 0,
           (count - (size_t)self->watches_count) * sizeof *grown);
    self->watches = grown;
    self->watches_count = (int)count;
    return 0;
}

void watches_clear(LoopObject *self) {
    PyMem_RawFree(self->watches);
    self->watches = NULL;
    self->watches_count = 0;
}

/* The library lets go of a handle: it was replaced or removed, or the loop
 * closes. asyncio cancels it then. Any thread may close a loop. */
static void dropped(void *data) {
    HandleObject *handle = data;
    if (!Py_IsInitialized()) return; /* the interpreter ended before the loop */
    CALLED_BY_LIBRARY;
    int gil = gil_take();
    handle->cancelled = 1;
    LoopObject *self = handle->loop;
    int fd = handle->fd;
    for (int direction = READER; direction <= WRITER; direction++) {
        HandleObject **place = slot(self, fd, direction);
        if (place && *place == handle) *place = NULL;
    }
    handle_forget_callback(handle);
    Py_DECREF(handle);
    gil_give(gil);
    BACK_TO_LIBRARY;
}

SockWatch *watch_of_sock(LoopObject *self, int fd) {
    return fd >= 0 && fd < self->watches_count ? self->watches[fd].sock : NULL;
}

int watch_of_sock_set(LoopObject *self, int fd, SockWatch *watch) {
    if (watches_reserve(self, fd) < 0) {
        loop_remove_reader(self->loop, fd);
        return -1;
    }
    self->watches[fd].sock = watch;
    return 0;
}

void watch_of_sock_dropped(LoopObject *self, int fd, SockWatch *watch) {
    if (watch_of_sock(self, fd) == watch) self->watches[fd].sock = NULL;
}

void watch_of_sender(LoopObject *self, int fd, Operation *sender, int waits) {
    if (fd < 0 || fd >= self->watches_count) return;
    Watch *watch = &self->watches[fd];
    if (waits)
        watch->sender = sender;
    else if (watch->sender == sender)
        watch->sender = NULL;
}

int check_no_transport(LoopObject *self, int fd) {
    if (!self->transports) {
        PyObject *weak = PyObject_GetAttr((PyObject *)self, self->state->s_transports);
        self->transports = weak ? PyObject_GetAttrString(weak, "data") : NULL;
        Py_XDECREF(weak);
        if (!self->transports) return -1;
    }
    if (PyDict_CheckExact(self->transports) && PyDict_GET_SIZE(self->transports) == 0) return 0;
    PyObject *number = PyLong_FromLong(fd);
    if (!number) return -1;
    PyObject *done = PyDict_CheckExact(self->transports)
            && !PyDict_Contains(self->transports, number)
        ? Py_NewRef(Py_None)
        : PyObject_CallMethodOneArg((PyObject *)self, self->state->s_ensure_free, number);
    Py_DECREF(number);
    if (!done) return -1;
    Py_DECREF(done);
    return 0;
}

static int invalid_object(PyObject *given) {
    if (PyErr_ExceptionMatches(PyExc_AttributeError) || PyErr_ExceptionMatches(PyExc_TypeError)
        || PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "Invalid file object: %R", given);
    }
    return -1;
}

/* asyncio's _fileobj_to_fd. */
static int descriptor(PyObject *given) {
    PyObject *number;
    if (PyLong_Check(given)) {
        number = Py_NewRef(given);
    } else {
        PyObject *answer = PyObject_CallMethod(given, "fileno", NULL);
        number = answer ? PyNumber_Long(answer) : NULL;
        Py_XDECREF(answer);
        if (!number) return invalid_object(given);
    }
    int overflow;
    long value = PyLong_AsLongAndOverflow(number, &overflow);
    if (value < 0 && overflow <= 0)
        PyErr_Format(PyExc_ValueError, "Invalid file descriptor: %S", number);
    else if (overflow > 0 || value > INT_MAX)
        PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C int");
    Py_DECREF(number);
    return PyErr_Occurred() ? -1 : (int)value;
}

static PyObject *add(LoopObject *self, int direction, PyObject *const *args, Py_ssize_t nargs) {
    if (nargs < 2) {
        PyErr_SetString(PyExc_TypeError, "a descriptor and a callback are needed");
        return NULL;
    }
    if (loop_check_open(self) < 0) return NULL;
    int fd = descriptor(args[0]);
    if (fd < 0 || watches_reserve(self, fd) < 0) return NULL;
    if (self->fork_mode != FORK_ERROR) { /* at once: what fails is dropped */
        uint64_t when;
        recover_from_fork(self, loop_next_deadline(self->loop, &when));
    }
    HandleObject *handle =
        handle_new(self, 0, args[1], args + 2, nargs - 2, NULL);
    if (!handle) return NULL;
    /* One context for all events: what a callback sets, the next one finds. */
    if (context_make(handle) < 0) {
        Py_DECREF(handle);
        return NULL;
    }
    handle->fd = fd;
    int (*function)(loop_t *, int, loop_callback_t, void *, loop_destroy_t) =
        direction == READER ? loop_add_reader : loop_add_writer;
    Py_INCREF(handle);
    int code = function(self->loop, fd, run_watch, handle, dropped);
    if (code < 0) {
        Py_DECREF(handle);
        return raise_code(code);
    }
    /* Destroying a predecessor may have run anything. */
    HandleObject **place = slot(self, fd, direction);
    if (place && !handle->cancelled) *place = handle;
    return (PyObject *)handle;
}

static PyObject *take(LoopObject *self, int direction, PyObject *given) {
    if (self->closed || !self->loop) Py_RETURN_FALSE;
    int fd = descriptor(given);
    if (fd < 0) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return NULL;
        PyErr_Clear(); /* it cannot be one that is watched */
        Py_RETURN_FALSE;
    }
    int (*function)(loop_t *, int) =
        direction == READER ? loop_remove_reader : loop_remove_writer;
    SockWatch *sock = direction == READER ? watch_of_sock(self, fd) : NULL;
    int is_idle = sock && sock_watch_is_idle(sock); /* to the host there is none */
    int code = function(self->loop, fd);
    if (code < 0 && (code = recover_from_fork(self, code)) == 0) code = function(self->loop, fd);
    if (failed(code)) return NULL;
    return PyBool_FromLong(code && !is_idle);
}

static PyObject *add_reader(LoopObject *self, PyObject *const *args, Py_ssize_t nargs) {
    return add(self, READER, args, nargs);
}

static PyObject *add_writer(LoopObject *self, PyObject *const *args, Py_ssize_t nargs) {
    return add(self, WRITER, args, nargs);
}

static PyObject *remove_reader(LoopObject *self, PyObject *fd) { return take(self, READER, fd); }

static PyObject *remove_writer(LoopObject *self, PyObject *fd) { return take(self, WRITER, fd); }

/* (reader, writer) of a descriptor, None for each that is not. */
static PyObject *watched(LoopObject *self, PyObject *given) {
    int fd = descriptor(given);
    if (fd < 0) return NULL;
    HandleObject **reader = slot(self, fd, READER), **writer = slot(self, fd, WRITER);
    return PyTuple_Pack(2, reader && *reader ? (PyObject *)*reader : Py_None,
                        writer && *writer ? (PyObject *)*writer : Py_None);
}

/* The descriptors that are watched. */
static PyObject *watched_fds(LoopObject *self, PyObject *unused) {
    (void)unused;
    PyObject *list = PyList_New(0);
    for (int fd = 0; list && fd < self->watches_count; fd++) {
        if (!self->watches[fd].reader && !self->watches[fd].writer) continue;
        PyObject *number = PyLong_FromLong(fd);
        if (!number || PyList_Append(list, number) < 0) Py_CLEAR(list);
        Py_XDECREF(number);
    }
    return list;
}

#define FAST(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL
PyMethodDef watch_methods[] = {
    {"_add_reader", FAST(add_reader), NULL},
    {"_add_writer", FAST(add_writer), NULL},
    {"_remove_reader", (PyCFunction)remove_reader, METH_O, NULL},
    {"_remove_writer", (PyCFunction)remove_writer, METH_O, NULL},
    {"_watched", (PyCFunction)watched, METH_O, NULL},
    {"_watched_fds", (PyCFunction)watched_fds, METH_NOARGS, NULL},
    {NULL},
};
