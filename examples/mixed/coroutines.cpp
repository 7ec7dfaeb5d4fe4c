// A Python extension of C++20 coroutines, which await Python's and are awaited by them.

#include "python_object.hpp"

#include <vector>

namespace {

long cleaned_up = 0;

struct Cleanup {
    ~Cleanup() { ++cleaned_up; }
};

// Calls function(number) and awaits what it returns.
coloop::task<PythonObject> apply(PythonObject function, long number) {
    const Cleanup here;
    auto argument = PythonObject::owned(PyLong_FromLong(number));
    co_return co_await await_python(PythonObject::owned(PyObject_CallOneArg(function.get(), argument.get())));
}

// The sum of function(0) to function(count - 1), all at the same time.
coloop::task<PythonObject> add_up(PythonObject function, long count) {
    std::vector<coloop::task<PythonObject>> calls;
    for (long number = 0; number < count; ++number) calls.push_back(apply(function, number));
    auto sum = PythonObject::owned(PyLong_FromLong(0));
    for (const auto &result : co_await coloop::gather(std::move(calls)))
        sum = PythonObject::owned(PyNumber_Add(sum.get(), result.get()));
    co_return sum;
}

PyObject *running_loop() {
    PyObject *const asyncio = PyImport_ImportModule("asyncio");
    PyObject *const loop = asyncio ? PyObject_CallMethod(asyncio, "get_running_loop", nullptr) : nullptr;
    Py_XDECREF(asyncio);
    return loop;
}

// sum_of(function, count): a future of the sum.
PyObject *sum_of(PyObject *, PyObject *args) {
    PyObject *function;
    long count;
    if (!PyArg_ParseTuple(args, "Ol", &function, &count)) return nullptr;
    PyObject *const loop = running_loop();
    if (!loop) return nullptr;
    PyObject *const sum = start_for_python(loop, add_up(PythonObject::borrowed(function), count));
    Py_DECREF(loop);
    return sum;
}

// cleaned_up(): how many C++ coroutines have ended, in whatever way.
PyObject *get_cleaned_up(PyObject *, PyObject *) { return PyLong_FromLong(cleaned_up); }

PyMethodDef methods[] = {{"sum_of", sum_of, METH_VARARGS, nullptr},
                         {"cleaned_up", get_cleaned_up, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyModuleDef module = {PyModuleDef_HEAD_INIT, "coroutines", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC PyInit_coroutines() { return import_coloop() ? PyModule_Create(&module) : nullptr; }
