/* The native half of datagram transports: receiving and sending.
 *
 * Everything rare is asyncio's own code (_SelectorDatagramTransport), which works
 * on the same attributes. */
#include "transport_part.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* So many datagrams of one endpoint, then others get a turn. */
#define MOST_AT_ONCE 16

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage room;
} Address;

/* The addresses that were seen last, by port: most datagrams come from an address
 * that was there before, and the answer goes to the very tuple that it came with. */
#define KNOWN_ADDRESSES 128

struct KnownAddress {
    PyObject *tuple;
    struct sockaddr_in address;
};

static KnownAddress *known_address(LoopObject *loop, unsigned port) {
    if (!loop->addresses)
        loop->addresses = PyMem_RawCalloc(KNOWN_ADDRESSES, sizeof *loop->addresses);
    return loop->addresses ? &loop->addresses[port % KNOWN_ADDRESSES] : NULL;
}

void addresses_clear(LoopObject *loop) {
    for (int i = 0; loop->addresses && i < KNOWN_ADDRESSES; i++)
        Py_XDECREF(loop->addresses[i].tuple);
    PyMem_RawFree(loop->addresses);
    loop->addresses = NULL;
}

static PyObject *address_object_v4(LoopObject *loop, const struct sockaddr_in *address) {
    unsigned port = ntohs(address->sin_port);
    KnownAddress *known = known_address(loop, port);
    if (known && known->tuple && known->address.sin_port == address->sin_port
        && known->address.sin_addr.s_addr == address->sin_addr.s_addr)
        return Py_NewRef(known->tuple);
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    PyObject *tuple = Py_BuildValue("(si)", text, (int)port);
    if (tuple && known) {
        Py_XSETREF(known->tuple, Py_NewRef(tuple));
        known->address = *address;
    }
    return tuple;
}

/* As the socket module has it. Other families are left to that (*ret_known). */
static PyObject *address_object(LoopObject *loop, const Address *address, socklen_t length) {
    char text[INET6_ADDRSTRLEN];
    if (length == 0) Py_RETURN_NONE;
    switch (address->any.sa_family) {
    case AF_INET:
        return address_object_v4(loop, &address->v4);
    case AF_INET6:
        if (address->v6.sin6_scope_id != 0) return NULL;
        inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof text);
        return Py_BuildValue("(siII)", text, ntohs(address->v6.sin6_port),
                             ntohl(address->v6.sin6_flowinfo), 0u);
    case AF_UNIX: {
        size_t size = length - offsetof(struct sockaddr_un, sun_path);
        const char *path = address->local.sun_path;
        if (size > 0 && path[0] == 0) return PyBytes_FromStringAndSize(path, (Py_ssize_t)size);
        return PyUnicode_DecodeFSDefaultAndSize(path, (Py_ssize_t)strnlen(path, size));
    }
    }
    return NULL;
}

/* asyncio's order of except clauses: an OSError is the protocol's to know, all
 * else ends the transport. */
static PyObject *receiving_failed(PyObject *self, LoopObject *loop) {
    if (!PyErr_ExceptionMatches(PyExc_OSError)) return NULL;
    PyObject *protocol = Py_NewRef(part_of(self)->protocol);
    PyObject *done = exception_report(protocol, loop->state->s_error_received, NULL, NULL);
    Py_DECREF(protocol);
    return done;
}

static PyObject *datagram_read_ready(PyObject *self, PyObject *unused) {
    (void)unused;
    Part *part = part_of(self);
    for (int count = 0; count < MOST_AT_ONCE; count++) {
        LoopObject *loop = part_loop(self);
        if (part->conn_lost || part->closing || part->paused || !loop) break;
        char *place = read_buffer(loop);
        if (!place) return NULL;
        Address address;
        socklen_t length = sizeof address;
        ssize_t received =
            recvfrom(part->fd, place, READ_SIZE, MSG_DONTWAIT, &address.any, &length);
        if (received < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) break;
            PyErr_SetFromErrno(PyExc_OSError);
            return receiving_failed(self, loop);
        }
        PyObject *from = address_object(loop, &address, length);
        PyObject *data = from ? PyBytes_FromStringAndSize(place, received) : NULL;
        PyObject *done = NULL;
        if (data) {
            PyObject *protocol = Py_NewRef(part->protocol);
            PyObject *given[3] = {protocol, data, from};
            done = PyObject_VectorcallMethod(loop->state->s_datagram_received, given, 3, NULL);
            Py_DECREF(protocol);
        } else if (!from && !PyErr_Occurred()) {
            /* An address that only the socket module can show. */
            PyObject *raw = PyBytes_FromStringAndSize(place, received);
            if (raw) {
                PyObject *packed =
                    PyBytes_FromStringAndSize((const char *)&address, (Py_ssize_t)length);
                if (packed)
                    done = PyObject_CallMethod(self, "_received_from", "OO", raw, packed);
                Py_XDECREF(packed);
                Py_DECREF(raw);
            }
        }
        Py_XDECREF(data);
        Py_XDECREF(from);
        if (!done) return NULL;
        Py_DECREF(done);
    }
    Py_RETURN_NONE;
}

/* ("127.0.0.1", 80) as the socket understands it, if it is that simple. */
static socklen_t numeric_address(LoopObject *loop, PyObject *given, Address *address) {
    if (!PyTuple_CheckExact(given) || PyTuple_GET_SIZE(given) != 2) return 0;
    PyObject *host = PyTuple_GET_ITEM(given, 0), *port = PyTuple_GET_ITEM(given, 1);
    if (!PyUnicode_CheckExact(host) || !PyLong_CheckExact(port)) return 0;
    long number = PyLong_AsLong(port);
    if (number >= 0 && number <= 65535) {
        KnownAddress *known = known_address(loop, (unsigned)number);
        if (known && known->tuple == given) {
            address->v4 = known->address;
            return sizeof address->v4;
        }
    }
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(host, &length);
    if (!text || (size_t)length != strlen(text) || number < 0 || number > 65535) {
        PyErr_Clear();
        return 0;
    }
    memset(&address->v4, 0, sizeof address->v4);
    if (inet_pton(AF_INET, text, &address->v4.sin_addr) != 1) return 0;
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons((uint16_t)number);
    return sizeof address->v4;
}

/* Sends at once what is simple; otherwise, and whenever that does not succeed,
 * asyncio's own method decides. */
static PyObject *datagram_sendto(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *names) {
    Part *part = part_of(self);
    LoopObject *loop = part_loop(self);
    PyObject *target = nargs > 1 ? args[1] : Py_None;
    int connected = part->address && part->address != Py_None;
    if (loop && !names && (nargs == 1 || nargs == 2) && !part->conn_lost && !part->closing
        && part->buffer && PyObject_Size(part->buffer) == 0
        && (PyBytes_Check(args[0]) || PyByteArray_Check(args[0]) || PyMemoryView_Check(args[0]))) {
        Address address;
        socklen_t length = 0;
        int simple = connected ? target == Py_None
                               : (length = numeric_address(loop, target, &address)) != 0;
        Py_buffer view;
        if (simple && PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) == 0) {
            ssize_t sent = -1;
            if (view.len > 0)
                sent = sendto(part->fd, view.buf, (size_t)view.len, MSG_DONTWAIT | MSG_NOSIGNAL,
                              length ? &address.any : NULL, length);
            PyBuffer_Release(&view);
            if (sent >= 0) Py_RETURN_NONE;
        }
        PyErr_Clear();
    }
    if (!loop) {
        /* After connection_lost nothing is sent. */
        Py_RETURN_NONE;
    }
    return call_forward(loop->state->datagram_sendto, self, args, nargs, names);
}

static PyMethodDef datagram_methods[] = {
    {"_read_ready", datagram_read_ready, METH_NOARGS, NULL},
    {"sendto", (PyCFunction)(void (*)(void))datagram_sendto, METH_FASTCALL | METH_KEYWORDS,
     "sendto($self, data, addr=None)\n--\n\n"
     "Sends one datagram, or keeps it until there is room.\n"
     "asyncio: DatagramTransport.sendto."},
    {NULL},
};

PyTypeObject *make_datagram_type(PyObject *module, PyObject *base) {
    return part_make_type(module, base, "coloop.DatagramBase",
                          "The native half of coloop's datagram transports.", datagram_methods);
}
