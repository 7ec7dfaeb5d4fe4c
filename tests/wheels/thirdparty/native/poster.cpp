// In C++: as `linked_cpp` it links to the library, as `loaded_cpp` it loads it at run time.
#include "module.h"

#ifdef IS_LOADED_CPP
#include <coloop/dynamic.h>
#endif
#include <coloop.hpp>

#include <memory>
#include <system_error>
#include <thread>

static int prepare() {
#ifdef IS_LOADED_CPP
    if (coloop_load(nullptr) < 0) {
        PyErr_SetString(PyExc_ImportError, coloop_load_error());
        return -1;
    }
#endif
    return 0;
}

namespace {

// Shared by the callbacks; the thread that drops it last may be any.
struct job {
    explicit job(PyObject *given) : done(Py_NewRef(given)) {}
    ~job() { let_go(done); }
    job(const job &) = delete;
    job &operator=(const job &) = delete;

    PyObject *done;
    long ran = 0;
};

void run(coloop::loop_view loop, long count, std::shared_ptr<job> shared) {
    std::error_code closed;
    for (long i = count; i > 1; i--) loop.post_threadsafe([shared] { shared->ran++; }, closed);
    loop.post_threadsafe([shared] { call_done(shared->done, ++shared->ran); }, closed);
    shared.reset();
    loop_unref(loop.capi());
}

} // namespace

static PyObject *post(PyObject *, PyObject *args) {
    PyObject *capsule, *done;
    long count;
    if (!PyArg_ParseTuple(args, "OlO", &capsule, &count, &done)) return nullptr;
    auto *loop = static_cast<loop_t *>(PyCapsule_GetPointer(capsule, "coloop.loop_t"));
    if (!loop) return nullptr;
    loop_ref(loop);
    try {
        std::thread(run, coloop::loop_view(loop), count, std::make_shared<job>(done)).detach();
    } catch (const std::exception &error) {
        loop_unref(loop);
        return PyErr_Format(PyExc_RuntimeError, "%s", error.what());
    }
    Py_RETURN_NONE;
}

static PyObject *instance_id(PyObject *, PyObject *) {
    return PyLong_FromUnsignedLongLong(coloop_instance_id());
}
