// Python objects in C++ coroutines: what is awaited of Python, and what Python awaits.
//
// All of it with the GIL, which C++ code has in a loop that Python runs.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <coloop_capi.h>

#include <coloop/task.hpp>

#include <utility>

inline const coloop_capi_t *python_coloop; // coloop_import() sets it

// A reference.
class PythonObject {
public:
    // Takes over a reference; NULL becomes an exception, as Python's stays set.
    static PythonObject owned(PyObject *given) {
        if (!given) throw coloop::error(LOOP_EEXCEPTION, "a call of Python failed");
        return PythonObject(given);
    }
    static PythonObject borrowed(PyObject *given) { return PythonObject(Py_NewRef(given)); }
    PythonObject(const PythonObject &other) : object_(Py_NewRef(other.object_)) {}
    PythonObject(PythonObject &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    PythonObject &operator=(PythonObject other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~PythonObject() { Py_XDECREF(object_); }

    PyObject *get() const noexcept { return object_; }
    PyObject *release() noexcept { return std::exchange(object_, nullptr); }

private:
    explicit PythonObject(PyObject *given) noexcept : object_(given) {}
    PyObject *object_;
};

// As the result of a future it is the object itself, which Python knows by its destructor.
template <> struct coloop::result_traits<PythonObject> {
    using reference = PythonObject;
    using pointer = PythonObject;
    static void *store(PythonObject value) noexcept { return value.release(); }
    static void *quiet_store(PythonObject value) noexcept { return value.release(); }
    static inline loop_destroy_t destroy = nullptr; // coloop_import() sets it
    static constexpr bool destroys = true;
    static PythonObject load(loop_future_t *, void *result) { return PythonObject::borrowed(static_cast<PyObject *>(result)); }
    static PythonObject quiet_load(loop_future_t *future, void *result) { return load(future, result); }
};

// To be called first, in PyInit_...; false with an exception.
inline bool import_coloop() {
    python_coloop = coloop_import();
    if (python_coloop) coloop::result_traits<PythonObject>::destroy = python_coloop->object_release;
    return python_coloop != nullptr;
}

// Awaits a Python coroutine or future. What it raises arrives as a coloop::foreign_error, and
// is what it was when it gets back to Python.
inline coloop::task<PythonObject> await_python(PythonObject awaitable) {
    const coloop::loop_view loop = co_await coloop::this_loop();
    loop_future_t *const shared = python_coloop->future_pointer(awaitable.get(), loop.capi());
    if (!shared) throw coloop::error(LOOP_EEXCEPTION, "Python cannot await this");
    co_return co_await coloop::future<PythonObject>::from_capi(shared);
}

// Starts a C++ coroutine as a task of a Python loop: what Python is to await.
inline PyObject *start_for_python(PyObject *python_loop, coloop::task<PythonObject> coroutine) noexcept {
    loop_t *const loop = python_coloop->get_loop(python_loop);
    if (!loop) return nullptr;
    try {
        const auto started = coloop::create_task(loop, std::move(coroutine));
        return python_coloop->future_from_pointer(started.capi(), nullptr);
    } catch (const std::exception &error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
        return nullptr;
    }
}
