/* What the native halves of transports add to asyncio's _FlowControlMixin, whose
 * size differs between versions: the part lies behind it.
 *
 * The attributes have the names that asyncio's own transports use, so that their
 * code, which does everything rare, and this code, which receives and sends,
 * work on the same state. */
#ifndef TRANSPORT_PART_H
#define TRANSPORT_PART_H

#include "coloop_python.h"

typedef struct {
    PyObject *protocol;
    PyObject *buffer;
    PyObject *empty_waiter;
    PyObject *address;
    int fd;
    int conn_lost;
    int last_read; /* how many bytes came last */
    char closing;
    char paused;
    char eof;
    char buffered; /* the protocol is a BufferedProtocol */
} Part;

/* The same in every interpreter of a process: they run the same Python. */
extern size_t part_offset, loop_offset;

static inline Part *part_of(PyObject *self) { return (Part *)((char *)self + part_offset); }

/* The transport's loop, borrowed; NULL (no exception) once it is closed. */
LoopObject *part_loop(PyObject *self);
/* The exception that is raised ends the transport, unless it must leave the run;
 * the same for an error of the system (errno). */
PyObject *part_failed(PyObject *self, LoopObject *loop, const char *message);
PyObject *part_fatal(PyObject *self, LoopObject *loop, const char *message);
PyTypeObject *part_make_type(PyObject *module, PyObject *base, const char *name, const char *doc,
                             PyMethodDef *methods);

#endif
