/* create_future and create_task, as the standard library has them, without the
 * detour through Python where nothing unusual is asked for. */
#include "coloop_python.h"

static PyObject *create_future(LoopObject *self, PyObject *unused) {
    (void)unused;
    PyObject *arguments[2] = {NULL, (PyObject *)self};
    return PyObject_Vectorcall(self->state->future_class, arguments + 1,
                               0 | PY_VECTORCALL_ARGUMENTS_OFFSET, self->state->kw_loop);
}

/* Everything but create_task(coro) and its name= and context= outside of debug
 * mode is left to asyncio's own method. */
static PyObject *create_task(LoopObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *names) {
    State *state = self->state;
    int usual = nargs == 1 && !self->debug
        && (!self->task_factory || self->task_factory == Py_None);
    PyObject *name = Py_None, *context = Py_None;
    for (Py_ssize_t i = 0; usual && names && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *keyword = PyTuple_GET_ITEM(names, i);
        if (PyUnicode_CompareWithASCIIString(keyword, "name") == 0)
            name = args[nargs + i];
        else if (PyUnicode_CompareWithASCIIString(keyword, "context") == 0)
            context = args[nargs + i];
        else
            usual = 0;
    }
    if (!usual) return call_forward(state->base_create_task, (PyObject *)self, args, nargs, names);
    if (loop_check_open(self) < 0) return NULL;
    PyObject *class = PyObject_GetAttr(state->tasks_module, state->s_task);
    if (!class) return NULL;
    PyObject *given[5] = {NULL, args[0], (PyObject *)self, name, context};
    PyObject *task = PyObject_Vectorcall(class, given + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                         names ? state->kw_task : state->kw_loop);
    Py_DECREF(class);
    return task;
}

PyMethodDef create_methods[] = {
    {"create_future", (PyCFunction)create_future, METH_NOARGS,
     "create_future($self)\n--\n\n"
     "A new asyncio.Future of this loop. asyncio: loop.create_future."},
    {"create_task", (PyCFunction)(void (*)(void))create_task, METH_FASTCALL | METH_KEYWORDS,
     "create_task($self, coro, *, name=None, context=None)\n--\n\n"
     "Schedules a coroutine; returns its asyncio.Task. asyncio: loop.create_task."},
    {NULL},
};
