/* The native half of stream transports: receiving and sending.
 *
 * Opening, flow control, closing and everything rare is asyncio's own code
 * (_SelectorSocketTransport), which works on the same attributes. */
#include "transport_part.h"
#include <sys/socket.h>
#include <sys/uio.h>

/* The system takes no more pieces in one call. */
#define MOST_PIECES 1024
#define INLINE_PIECES 16
/* From so many bytes on a read goes to memory of its own, up to so many: glibc maps
 * what is 128 KiB or more, and cutting off the rest would be remapping. */
#define LARGE_READ (16 * 1024)
#define LARGEST_OWN (112 * 1024)

/* What a read yielded beside bytes: the end, nothing yet, or an error. */
static PyObject *received_nothing(PyObject *self, LoopObject *loop, ssize_t count) {
    if (count == 0) return PyObject_CallMethodNoArgs(self, loop->state->s_on_eof);
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) Py_RETURN_NONE;
    return part_fatal(self, loop, "Fatal read error on socket transport");
}

static PyObject *read_buffered(PyObject *self, LoopObject *loop, PyObject *protocol) {
    State *state = loop->state;
    static const char *get_failed = "Fatal error: protocol.get_buffer() call failed.";
    PyObject *hint = PyLong_FromLong(-1);
    if (!hint) return NULL;
    PyObject *given[2] = {protocol, hint};
    PyObject *buffer = PyObject_VectorcallMethod(state->s_get_buffer, given, 2, NULL);
    Py_DECREF(hint);
    if (!buffer) return part_failed(self, loop, get_failed);
    Py_buffer view;
    if (PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE) < 0) {
        PyErr_Clear();
        Py_ssize_t length = PyObject_Size(buffer); /* which asyncio asks first */
        if (length <= 0) {
            Py_DECREF(buffer);
            if (length == 0)
                PyErr_SetString(PyExc_RuntimeError, "get_buffer() returned an empty buffer");
            return part_failed(self, loop, get_failed);
        }
        PyErr_Format(PyExc_TypeError,
                     "recv_into() argument 1 must be read-write bytes-like object, not %s",
                     Py_TYPE(buffer)->tp_name);
        Py_DECREF(buffer);
        return part_failed(self, loop, "Fatal read error on socket transport");
    }
    if (view.len == 0) {
        PyBuffer_Release(&view);
        Py_DECREF(buffer);
        PyErr_SetString(PyExc_RuntimeError, "get_buffer() returned an empty buffer");
        return part_failed(self, loop, get_failed);
    }
    Part *part = part_of(self);
    ssize_t count = -1;
    errno = EAGAIN; /* get_buffer may have closed the transport */
    if (!part->conn_lost && part->fd >= 0)
        count = recv(part->fd, view.buf, (size_t)view.len, MSG_DONTWAIT);
    int code = errno;
    PyBuffer_Release(&view);
    Py_DECREF(buffer);
    errno = code;
    if (count <= 0) return received_nothing(self, loop, count);
    PyObject *length = PyLong_FromSsize_t(count);
    if (!length) return NULL;
    /* get_buffer may have set another protocol. */
    given[0] = Py_NewRef(part->protocol ? part->protocol : Py_None);
    given[1] = length;
    PyObject *done = PyObject_VectorcallMethod(state->s_buffer_updated, given, 2, NULL);
    Py_DECREF(given[0]);
    Py_DECREF(length);
    if (!done)
        return part_failed(self, loop, "Fatal error: protocol.buffer_updated() call failed.");
    return done;
}

/* Receives: what recv answers, and with more than 0 the bytes (NULL: an
 * exception). Small reads go through the loop's buffer, so that the bytes get
 * their exact size without waste; where the last one was large, copying would
 * cost more than cutting off what was too much. */
static ssize_t receive(Part *part, LoopObject *loop, PyObject **ret_data) {
    ssize_t count;
    if (part->last_read < LARGE_READ || part->last_read >= LARGEST_OWN) {
        char *place = read_buffer(loop);
        if (!place) return 1;
        count = recv(part->fd, place, READ_SIZE, MSG_DONTWAIT);
        if (count > 0) *ret_data = PyBytes_FromStringAndSize(place, count);
    } else {
        int room = 2 * part->last_read < LARGEST_OWN ? 2 * part->last_read : LARGEST_OWN;
        PyObject *data = PyBytes_FromStringAndSize(NULL, room);
        if (!data) return 1;
        count = recv(part->fd, PyBytes_AS_STRING(data), (size_t)room, MSG_DONTWAIT);
        if (count <= 0) {
            int code = errno;
            Py_DECREF(data);
            errno = code;
        } else if (count < room && _PyBytes_Resize(&data, count) < 0) {
            data = NULL;
        }
        if (count > 0) *ret_data = data;
    }
    part->last_read = count > 0 ? (int)count : 0;
    return count;
}

static PyObject *stream_read_ready(PyObject *self, PyObject *unused) {
    (void)unused;
    Part *part = part_of(self);
    LoopObject *loop = part_loop(self);
    if (part->conn_lost || !loop || !part->protocol) Py_RETURN_NONE;
    PyObject *protocol = Py_NewRef(part->protocol);
    PyObject *done;
    if (part->buffered) {
        done = read_buffered(self, loop, protocol);
        Py_DECREF(protocol);
        return done;
    }
    PyObject *data = NULL;
    ssize_t count = receive(part, loop, &data);
    if (count <= 0) {
        Py_DECREF(protocol);
        return received_nothing(self, loop, count);
    }
    if (!data) {
        Py_DECREF(protocol);
        return part_failed(self, loop, "Fatal read error on socket transport");
    }
    PyObject *given[2] = {protocol, data};
    done = PyObject_VectorcallMethod(loop->state->s_data_received, given, 2, NULL);
    Py_DECREF(data);
    Py_DECREF(protocol);
    if (!done) return part_failed(self, loop, "Fatal error: protocol.data_received() call failed.");
    return done;
}

/* Keeps what the kernel did not take, as this version of asyncio does: in a
 * bytearray, or as views in a deque. */
static int keep_rest(PyObject *self, LoopObject *loop, PyObject *data, Py_ssize_t sent) {
    Part *part = part_of(self);
    State *state = loop->state;
    /* The caller may change what is no bytes. */
    PyObject *whole = PyBytes_CheckExact(data) ? Py_NewRef(data) : PyBytes_FromObject(data);
    if (!whole) return -1;
    PyObject *view = PyMemoryView_FromObject(whole);
    Py_DECREF(whole);
    if (!view) return -1;
    PyObject *rest = PySequence_GetSlice(view, sent, PY_SSIZE_T_MAX);
    Py_DECREF(view);
    if (!rest) return -1;
    PyObject *done = PyByteArray_Check(part->buffer)
        ? PyObject_CallMethod(part->buffer, "extend", "O", rest)
        : PyObject_CallMethodOneArg(part->buffer, state->s_append, rest);
    Py_DECREF(rest);
    if (!done) return -1;
    Py_DECREF(done);
    return 0;
}

static int start_writing(PyObject *self, LoopObject *loop) {
    PyObject *ready = PyObject_GetAttr(self, loop->state->s_write_ready);
    if (!ready) return -1;
    PyObject *fd = PyLong_FromLong(part_of(self)->fd);
    PyObject *done = fd ? PyObject_CallMethodObjArgs((PyObject *)loop, loop->state->s_add_writer,
                                                     fd, ready, NULL)
                        : NULL;
    Py_XDECREF(fd);
    Py_DECREF(ready);
    if (!done) return -1;
    Py_DECREF(done);
    return 0;
}

/* May bytes be sent at once? If not, asyncio's own method knows what to do. */
static int may_send(Part *part) {
    return !part->eof && !part->conn_lost && part->buffer
        && (!part->empty_waiter || part->empty_waiter == Py_None)
        && PyObject_Size(part->buffer) == 0;
}

static PyObject *write_data(PyObject *self, PyObject *data) {
    Part *part = part_of(self);
    LoopObject *loop = part_loop(self);
    int is_bytes = PyBytes_Check(data) || PyByteArray_Check(data) || PyMemoryView_Check(data);
    if (!loop) { /* after connection_lost: asyncio's counts such writes, without a loop */
        if (!is_bytes)
            return PyErr_Format(PyExc_TypeError,
                                "data argument must be a bytes-like object, not '%s'",
                                Py_TYPE(data)->tp_name);
        Py_RETURN_NONE;
    }
    int sends = is_bytes && may_send(part);
    if (PyErr_Occurred()) return NULL;
    Py_buffer view;
    if (!sends || PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        PyErr_Clear(); /* asyncio says it in its way */
        PyObject *given[2] = {self, data};
        return PyObject_Vectorcall(loop->state->stream_write, given, 2, NULL);
    }
    if (view.len == 0) {
        PyBuffer_Release(&view);
        Py_RETURN_NONE;
    }
    ssize_t sent = send(part->fd, view.buf, (size_t)view.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    Py_ssize_t length = view.len;
    int code = errno;
    PyBuffer_Release(&view);
    if (sent == length) Py_RETURN_NONE;
    if (sent < 0) {
        if (code != EAGAIN && code != EWOULDBLOCK && code != EINTR) {
            errno = code;
            return part_fatal(self, loop, "Fatal write error on socket transport");
        }
        sent = 0;
    }
    if (start_writing(self, loop) < 0 || keep_rest(self, loop, data, sent) < 0) return NULL;
    return PyObject_CallMethodNoArgs(self, loop->state->s_maybe_pause);
}

/* asyncio's writelines: all pieces in one call of the system. */
static PyObject *write_list(PyObject *self, PyObject *list) {
    Part *part = part_of(self);
    LoopObject *loop = part_loop(self);
    /* A list might change while its items are asked for their memory. */
    PyObject *pieces = PySequence_Tuple(list);
    if (!pieces) return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(pieces);
    if (!loop || !may_send(part) || count > MOST_PIECES || count == 0) {
        PyObject *done = NULL;
        if (!PyErr_Occurred()) {
            if (!loop)
                done = Py_NewRef(Py_None);
            else if (part->eof)
                PyErr_SetString(PyExc_RuntimeError,
                                "Cannot call writelines() after write_eof()");
            else
                done = PyObject_CallFunctionObjArgs(loop->state->stream_writelines, self, pieces,
                                                    NULL);
        }
        Py_DECREF(pieces);
        return done;
    }
    struct iovec inline_parts[INLINE_PIECES], *parts = inline_parts;
    Py_buffer inline_views[INLINE_PIECES], *views = inline_views;
    if (count > INLINE_PIECES) {
        parts = PyMem_Malloc((size_t)count * sizeof *parts);
        views = PyMem_Malloc((size_t)count * sizeof *views);
    }
    Py_ssize_t held = 0;
    size_t total = 0, sent = 0;
    PyObject *done = NULL;
    if (!parts || !views) {
        PyErr_NoMemory();
        goto end;
    }
    for (; held < count; held++) {
        if (PyObject_GetBuffer(PyTuple_GET_ITEM(pieces, held), &views[held], PyBUF_SIMPLE) < 0) {
            PyErr_Clear();
            done = PyObject_CallFunctionObjArgs(loop->state->stream_writelines, self, pieces, NULL);
            goto end;
        }
        parts[held] = (struct iovec){views[held].buf, (size_t)views[held].len};
        total += parts[held].iov_len;
    }
    done = Py_NewRef(Py_None);
    if (total == 0) goto end;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    ssize_t result = sendmsg(part->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (result < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        Py_SETREF(done, part_fatal(self, loop, "Fatal write error on socket transport"));
        goto end;
    }
    sent = result > 0 ? (size_t)result : 0;
    if (sent == total) goto end;
    if (start_writing(self, loop) < 0) Py_CLEAR(done);
    for (Py_ssize_t i = 0; done && i < count; i++) {
        size_t length = parts[i].iov_len;
        if (sent >= length) {
            sent -= length;
            continue;
        }
        if (keep_rest(self, loop, PyTuple_GET_ITEM(pieces, i), (Py_ssize_t)sent) < 0)
            Py_CLEAR(done);
        sent = 0;
    }
    if (done) Py_SETREF(done, PyObject_CallMethodNoArgs(self, loop->state->s_maybe_pause));
end:
    while (held > 0) PyBuffer_Release(&views[--held]);
    if (parts != inline_parts) PyMem_Free(parts);
    if (views != inline_views) PyMem_Free(views);
    Py_DECREF(pieces);
    return done;
}

static PyObject *stream_is_closing(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyBool_FromLong(part_of(self)->closing);
}

NAMED_ARGUMENT(stream_write, write_data, "write", "data")
NAMED_ARGUMENT(stream_writelines, write_list, "writelines", "list_of_data")

static PyMethodDef stream_methods[] = {
    {"_read_ready", stream_read_ready, METH_NOARGS, NULL},
    {"is_closing", stream_is_closing, METH_NOARGS,
     "is_closing($self)\n--\n\nbool. asyncio: BaseTransport.is_closing."},
    {"write", NAMED(stream_write),
     "write($self, data)\n--\n\n"
     "Sends a bytes-like object, or keeps it until there is room.\n"
     "asyncio: WriteTransport.write."},
    {"writelines", NAMED(stream_writelines),
     "writelines($self, list_of_data)\n--\n\n"
     "Sends bytes-like objects in this order. asyncio: WriteTransport.writelines."},
    {NULL},
};

PyTypeObject *make_stream_type(PyObject *module, PyObject *base) {
    return part_make_type(module, base, "coloop.StreamBase",
                          "The native half of coloop's stream transports.", stream_methods);
}
