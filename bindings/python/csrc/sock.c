/* sock_recv, sock_recv_into and sock_sendall: what asyncio has as coroutines.
 *
 * An operation is a coroutine to whoever awaits it or makes a task of it. It
 * begins when it is first resumed: where the system has bytes, or room, at once,
 * that is all; otherwise it waits for a future of its own, which a reader or
 * writer ends. Whatever ends the waiting removes the writer; a reader stays for
 * the next operation on the same socket object, until an event comes that nobody
 * waits for.
 *
 * For sockets that are not exactly socket.socket, in debug mode, and for all
 * other sock_... methods asyncio's own code is used. */
#include "coloop_python.h"
#include <sys/socket.h>

typedef enum { RECV, RECV_INTO, SENDALL } Kind;
typedef enum { NOT_BEGUN, WAITING, OVER } Stage;

/* A reader on a socket. The library owns it; on_dropped is its end. */
struct SockWatch {
    LoopObject *loop; /* outlives what is registered with it */
    PyObject *sock;   /* a weak reference: the number alone may mean another one */
    Operation *operation; /* which waits, if any: it removes itself from here */
    int fd;
};

struct Operation {
    PyObject_HEAD
    LoopObject *loop;
    SockWatch *reader; /* while it waits for one */
    PyObject *sock;
    PyObject *future;   /* while it waits */
    PyObject *iterator; /* of the future */
    Py_ssize_t size;    /* to receive; or that is sent */
    Py_buffer view;     /* view.obj: there is one */
    int fd;
    unsigned char kind, stage;
    unsigned char writes; /* there is a writer, which has a reference */
};

static void stop_watching(Operation *self) {
    if (self->reader) {
        self->reader->operation = NULL;
        self->reader = NULL;
    }
    if (self->writes) {
        self->writes = 0;
        loop_remove_writer(self->loop->loop, self->fd);
    }
}

static void end(Operation *self) {
    self->stage = OVER;
    stop_watching(self);
    if (self->view.obj) PyBuffer_Release(&self->view);
    Py_CLEAR(self->iterator);
    Py_CLEAR(self->future);
    Py_CLEAR(self->sock);
}

/* One attempt: 1 done (*ret_value), 0 it must wait, -1 with an exception. */
static int attempt(Operation *self, PyObject **ret_value) {
    if (self->kind == SENDALL) {
        while (self->size < self->view.len) {
            ssize_t sent = send(self->fd, (char *)self->view.buf + self->size,
                                (size_t)(self->view.len - self->size),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0) goto failed;
            self->size += sent;
        }
        *ret_value = Py_NewRef(Py_None);
        return 1;
    }
    if (self->kind == RECV_INTO) {
        ssize_t count = recv(self->fd, self->view.buf, (size_t)self->view.len, MSG_DONTWAIT);
        if (count < 0) goto failed;
        *ret_value = PyLong_FromSsize_t(count);
        return *ret_value ? 1 : -1;
    }
    /* Into the loop's buffer if that suffices: the bytes get their exact size. */
    if (self->size <= READ_SIZE) {
        char *place = read_buffer(self->loop);
        if (!place) return -1;
        ssize_t count = recv(self->fd, place, (size_t)self->size, MSG_DONTWAIT);
        if (count < 0) goto failed;
        *ret_value = PyBytes_FromStringAndSize(place, count);
        return *ret_value ? 1 : -1;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, self->size);
    if (!bytes) return -1;
    ssize_t count =
        recv(self->fd, PyBytes_AS_STRING(bytes), (size_t)self->size, MSG_DONTWAIT);
    if (count < 0) {
        int code = errno;
        Py_DECREF(bytes);
        errno = code;
        goto failed;
    }
    if (_PyBytes_Resize(&bytes, count) < 0) return -1;
    *ret_value = bytes;
    return 1;
failed:
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

static int future_is_done(Operation *self) {
    PyObject *done = PyObject_CallMethodNoArgs(self->future, self->loop->state->s_done);
    int truth = done ? PyObject_IsTrue(done) : -1;
    Py_XDECREF(done);
    return truth;
}

/* The descriptor is ready. */
static void on_ready(Operation *self) {
    Py_INCREF(self);
    PyObject *value = NULL, *done = NULL;
    int result = self->stage == WAITING ? future_is_done(self) : 1;
    if (result == 0 && (result = attempt(self, &value)) != 0) {
        stop_watching(self);
        State *state = self->loop->state;
        if (result > 0) {
            done = PyObject_CallMethodOneArg(self->future, state->s_set_result, value);
        } else {
            done = exception_report(self->future, state->s_set_exception, NULL, NULL);
        }
        if (!done) PyErr_WriteUnraisable((PyObject *)self);
    } else if (result < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    Py_XDECREF(done);
    Py_XDECREF(value);
    Py_DECREF(self);
}

static void on_readable(void *data) {
    SockWatch *watch = data;
    int runs = watch->loop->runs;
    int gil = GIL_HELD;
    if (!runs && !Py_IsInitialized()) return; /* the interpreter ended before the loop */
    CALLED_BY_LIBRARY;
    if (!runs) gil = gil_take();
    if (watch->operation)
        on_ready(watch->operation);
    else
        loop_remove_reader(watch->loop->loop, watch->fd);
    if (!runs) gil_give(gil);
    BACK_TO_LIBRARY;
}

static void on_writable(void *data) {
    Operation *self = data;
    int runs = self->loop->runs;
    int gil = GIL_HELD;
    if (!runs && !Py_IsInitialized()) return;
    CALLED_BY_LIBRARY;
    if (!runs) gil = gil_take();
    on_ready(self);
    if (!runs) gil_give(gil);
    BACK_TO_LIBRARY;
}

/* The library lets go of the reader, or of the writer. */
static void reader_dropped(void *data) {
    SockWatch *watch = data;
    if (!Py_IsInitialized()) return;
    CALLED_BY_LIBRARY;
    int gil = gil_take();
    if (watch->operation) watch->operation->reader = NULL;
    watch_of_sock_dropped(watch->loop, watch->fd, watch);
    Py_XDECREF(watch->sock);
    PyMem_RawFree(watch);
    gil_give(gil);
    BACK_TO_LIBRARY;
}

static void writer_dropped(void *data) {
    Operation *self = data;
    if (!Py_IsInitialized()) return;
    CALLED_BY_LIBRARY;
    int gil = gil_take();
    self->writes = 0;
    watch_of_sender(self->loop, self->fd, self, 0);
    Py_DECREF(self);
    gil_give(gil);
    BACK_TO_LIBRARY;
}

int sock_watch_is_idle(SockWatch *watch) { return !watch->operation; }

/* Is the reader on this very socket object, not only on its number? */
static int is_on(SockWatch *watch, PyObject *sock) {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *referent = NULL;
    if (PyWeakref_GetRef(watch->sock, &referent) < 0) PyErr_Clear();
    Py_XDECREF(referent); /* `sock` is alive, and only compared */
    return referent == sock;
#else
    return PyWeakref_GetObject(watch->sock) == sock;
#endif
}

static int wait_readable(Operation *self) {
    LoopObject *loop = self->loop;
    SockWatch *watch = watch_of_sock(loop, self->fd);
    if (watch && !watch->operation && is_on(watch, self->sock)) {
        watch->operation = self;
        self->reader = watch;
        return 0;
    }
    watch = PyMem_RawMalloc(sizeof *watch);
    if (!watch) {
        PyErr_NoMemory();
        return -1;
    }
    *watch = (SockWatch){loop, PyWeakref_NewRef(self->sock, NULL), self, self->fd};
    self->reader = watch;
    if (!watch->sock) {
        self->reader = NULL;
        PyMem_RawFree(watch);
        return -1;
    }
    int code = loop_add_reader(loop->loop, self->fd, on_readable, watch, reader_dropped);
    if (failed(code)) return -1;
    return watch_of_sock_set(loop, self->fd, watch);
}

static int watch(Operation *self) {
    LoopObject *loop = self->loop;
    if (check_no_transport(loop, self->fd) < 0) return -1;
    if (self->kind != SENDALL) return wait_readable(self);
    if (watches_reserve(loop, self->fd) < 0) return -1;
    Py_INCREF(self);
    int code = loop_add_writer(loop->loop, self->fd, on_writable, self, writer_dropped);
    if (failed(code)) return -1;
    self->writes = 1;
    watch_of_sender(loop, self->fd, self, 1);
    return 0;
}

/* The first attempt: on the descriptor that the socket has now, not on the one it
 * had when the operation was made. */
static int begin_attempt(Operation *self, PyObject **ret_value) {
    if (loop_check_open(self->loop) < 0) return -1;
    PyObject *number = PyObject_CallMethodNoArgs(self->sock, self->loop->state->s_fileno);
    long fd = number ? PyLong_AsLong(number) : -1;
    Py_XDECREF(number);
    if (PyErr_Occurred()) return -1;
    self->fd = (int)fd;
    return attempt(self, ret_value);
}

/* What resuming yields. */
static PySendResult resume(Operation *self, PyObject **ret_value) {
    *ret_value = NULL;
    if (self->stage == NOT_BEGUN) {
        int result = begin_attempt(self, ret_value);
        if (result != 0) {
            end(self);
            return result > 0 ? PYGEN_RETURN : PYGEN_ERROR;
        }
        PyObject *arguments[2] = {NULL, (PyObject *)self->loop};
        self->future =
            PyObject_Vectorcall(self->loop->state->future_class, arguments + 1,
                                0 | PY_VECTORCALL_ARGUMENTS_OFFSET, self->loop->state->kw_loop);
        self->iterator = self->future ? PyObject_GetIter(self->future) : NULL;
        if (!self->iterator || watch(self) < 0) {
            end(self);
            return PYGEN_ERROR;
        }
        self->stage = WAITING;
    } else if (self->stage == OVER) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    PySendResult result = PyIter_Send(self->iterator, Py_None, ret_value);
    if (result != PYGEN_NEXT) end(self);
    return result;
}

static PySendResult operation_send(Operation *self, PyObject *value, PyObject **ret_value) {
    (void)value;
    return resume(self, ret_value);
}

static PyObject *as_iterator(PySendResult result, PyObject *value) {
    if (result != PYGEN_RETURN) return value;
    if (value == Py_None) {
        PyErr_SetNone(PyExc_StopIteration);
    } else {
        PyErr_SetObject(PyExc_StopIteration, value);
    }
    Py_DECREF(value);
    return NULL;
}

static PyObject *operation_next(Operation *self) {
    PyObject *value;
    PySendResult result = resume(self, &value);
    return as_iterator(result, value);
}

static PyObject *operation_send_method(Operation *self, PyObject *given) {
    (void)given;
    return operation_next(self);
}

/* throw(type, value=None, traceback=None): the waiting ends with it. */
static PyObject *operation_throw(Operation *self, PyObject *args) {
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_ParseTuple(args, "O|OO:throw", &type, &value, &traceback)) return NULL;
    PyObject *iterator = Py_XNewRef(self->iterator);
    PyObject *result = NULL;
    if (iterator && self->stage == WAITING) {
        PyObject *method = PyObject_GetAttrString(iterator, "throw");
        result = method ? PyObject_CallObject(method, args) : NULL;
        Py_XDECREF(method);
    } else if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (PyExceptionClass_Check(type)) {
        PyErr_SetObject(type, value && value != Py_None ? value : NULL);
    } else {
        PyErr_Format(PyExc_TypeError,
                     "exceptions must be classes or instances deriving from BaseException, not %s",
                     Py_TYPE(type)->tp_name);
    }
    Py_XDECREF(iterator);
    if (!result) {
        PyObject *kind, *error, *trace;
        PyErr_Fetch(&kind, &error, &trace);
        end(self);
        PyErr_Restore(kind, error, trace);
    }
    return result;
}

static PyObject *operation_close(Operation *self, PyObject *unused) {
    (void)unused;
    end(self);
    Py_RETURN_NONE;
}

static int operation_traverse(Operation *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->loop);
    Py_VISIT(self->sock);
    Py_VISIT(self->future);
    Py_VISIT(self->iterator);
    Py_VISIT(self->view.obj);
    return 0;
}

static int operation_clear(Operation *self) {
    end(self);
    return 0;
}

static void operation_dealloc(Operation *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    /* The object may end because of an exception, which goes on its way. */
    PyObject *kind, *error, *traceback;
    PyErr_Fetch(&kind, &error, &traceback);
    if (self->stage == NOT_BEGUN
        && PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine 'sock_%s' was never awaited",
                            self->kind == RECV            ? "recv"
                                : self->kind == RECV_INTO ? "recv_into"
                                                          : "sendall")
            < 0)
        PyErr_WriteUnraisable((PyObject *)type);
    end(self);
    Py_CLEAR(self->loop);
    PyErr_Restore(kind, error, traceback);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef operation_methods[] = {
    {"send", (PyCFunction)operation_send_method, METH_O, NULL},
    {"throw", (PyCFunction)operation_throw, METH_VARARGS, NULL},
    {"close", (PyCFunction)operation_close, METH_NOARGS, NULL},
    {NULL},
};

static PyType_Slot operation_slots[] = {
    {Py_tp_doc, "What loop.sock_recv and its kin return: a coroutine."},
    {Py_tp_dealloc, operation_dealloc},
    {Py_tp_traverse, operation_traverse},
    {Py_tp_clear, operation_clear},
    {Py_tp_methods, operation_methods},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, operation_next},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, operation_send},
    {0, NULL},
};
PyType_Spec operation_spec = {
    "coloop.SockOperation", sizeof(Operation), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, operation_slots};

/* asyncio's own method, for what is unusual. */
static PyObject *standard(LoopObject *self, const char *name, PyObject *const *args) {
    PyObject *method = PyObject_GetAttrString(self->state->selector_loop, name);
    if (!method) return NULL;
    PyObject *result = PyObject_CallFunctionObjArgs(method, self, args[0], args[1], NULL);
    Py_DECREF(method);
    return result;
}

static PyObject *begin(LoopObject *self, PyObject *const *args, Kind kind, const char *name) {
    if ((PyObject *)Py_TYPE(args[0]) != self->state->socket_class || self->debug)
        return standard(self, name, args);
    Py_buffer view = {.obj = NULL};
    Py_ssize_t size = 0;
    if (kind == RECV) {
        size = PyNumber_AsSsize_t(args[1], PyExc_OverflowError);
        if (size < 0) { /* refused when it is awaited, as asyncio does */
            PyErr_Clear();
            return standard(self, name, args);
        }
    } else if (PyObject_GetBuffer(args[1], &view, kind == SENDALL ? PyBUF_SIMPLE : PyBUF_WRITABLE)
               < 0) {
        PyErr_Clear();
        return standard(self, name, args);
    }
    PyTypeObject *type = self->state->operation_type;
    Operation *operation = (Operation *)type->tp_alloc(type, 0);
    if (!operation) {
        if (view.obj) PyBuffer_Release(&view);
        return NULL;
    }
    operation->loop = (LoopObject *)Py_NewRef(self);
    operation->sock = Py_NewRef(args[0]);
    operation->view = view;
    operation->size = size;
    operation->fd = -1;
    operation->kind = (unsigned char)kind;
    return (PyObject *)operation;
}

/* The methods: begin, with arguments by position or by name. */
#define METHOD(function, kind, ...)                                                             \
    static PyObject *function(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,         \
                              PyObject *names) {                                                 \
        static const char *const parameters[] = {__VA_ARGS__};                                   \
        PyObject *values[2];                                                                     \
        if (nargs == 2 && !names) return begin(self, args, kind, #function);                     \
        if (arguments_by_name(#function, parameters, 2, args, nargs, names, values) < 0)         \
            return NULL;                                                                         \
        return begin(self, values, kind, #function);                                             \
    }
METHOD(sock_recv, RECV, "sock", "n")
METHOD(sock_recv_into, RECV_INTO, "sock", "buf")
METHOD(sock_sendall, SENDALL, "sock", "data")

#define FAST(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS
PyMethodDef sock_methods[] = {
    {"sock_recv", FAST(sock_recv),
     "sock_recv($self, sock, n)\n--\n\n"
     "Receives at most n bytes; b'' at the end. To be awaited: bytes.\n"
     "asyncio: loop.sock_recv."},
    {"sock_recv_into", FAST(sock_recv_into),
     "sock_recv_into($self, sock, buf)\n--\n\n"
     "Receives into a writable buffer. To be awaited: how many bytes came.\n"
     "asyncio: loop.sock_recv_into."},
    {"sock_sendall", FAST(sock_sendall),
     "sock_sendall($self, sock, data)\n--\n\n"
     "Sends all of data, a bytes-like object. To be awaited: None.\n"
     "asyncio: loop.sock_sendall."},
    {NULL},
};
