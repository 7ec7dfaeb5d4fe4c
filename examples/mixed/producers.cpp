// A Python extension in C++17: a pool of threads posts events to a loop that Python
// runs. It does not link to coloop; the functions come with the capsule.
//
// The threads never touch the GIL. Each event is one loop_call_soon_threadsafe, whose
// callback runs on the loop's thread and hands the event to Python.

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <coloop_capi.h>

#include <atomic>
#include <ctime>
#include <memory>

#include "thread_pool.hpp"

namespace {

const coloop_capi_t *coloop;
constexpr long SLICE = 1000; // events of one producer before another gets its thread

// Where the events of one producer go. It is used on one thread at a time, but on
// another one for each slice.
struct Producer {
    PyObject *deliver; // called with each event's number, on the loop's thread
    long next = 0;
};

struct Run {
    Run(loop_t *given, int threads, long count, long capacity)
        : loop(coloop->loop_ref(given)), count(count), bound(capacity), pool(threads) {}
    ~Run() { coloop->loop_unref(loop); }

    loop_t *loop;
    const long count; // for each producer
    Bound bound;
    std::vector<Producer> producers;
    std::atomic<long> posted{0}, delivered{0}, destroyed{0}, failed{0}, cpu_ns{0};
    ThreadPool pool; // last: its threads end before the rest does
};

struct Event {
    Run *run;
    Producer *producer;
    long number;
};

// On the loop's thread, and with the GIL when Python runs the loop; asking for it again
// costs little.
void deliver(void *data) {
    auto *event = static_cast<Event *>(data);
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *number = PyLong_FromLong(event->number);
    PyObject *result = number ? PyObject_CallOneArg(event->producer->deliver, number) : nullptr;
    if (!result) {
        ++event->run->failed;
        PyErr_WriteUnraisable(event->producer->deliver);
    }
    Py_XDECREF(result);
    Py_XDECREF(number);
    PyGILState_Release(gil);
    ++event->run->delivered;
}

void destroy(void *data) {
    auto *event = static_cast<Event *>(data);
    ++event->run->destroyed;
    delete event;
}

long thread_cpu_ns() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

// A job: the next events of one producer, then the job again.
void produce(Run *run, Producer *producer) {
    const long before = thread_cpu_ns();
    for (long i = 0; i < SLICE && producer->next < run->count; ++i) {
        if (!run->bound.acquire()) return;
        auto event = std::make_unique<Event>(Event{run, producer, producer->next});
        // From here on the loop destroys it, also if it refuses.
        if (coloop->loop_call_soon_threadsafe(run->loop, deliver, event.release(), destroy, nullptr) < 0)
            return;
        ++producer->next;
        ++run->posted;
    }
    run->cpu_ns += thread_cpu_ns() - before;
    if (producer->next < run->count) run->pool.submit([=] { produce(run, producer); });
}

std::unique_ptr<Run> current;

// start(loop, deliver, threads, count, capacity): `deliver` has a callable for each
// producer; each makes `count` events, in order. Keeps the GIL until `capacity` events,
// which must not be more than there are, are on their way.
PyObject *start(PyObject *, PyObject *args) {
    PyObject *python_loop, *callables;
    int threads;
    long count, capacity;
    if (!PyArg_ParseTuple(args, "OO!ill", &python_loop, &PyTuple_Type, &callables, &threads, &count, &capacity))
        return nullptr;
    loop_t *loop = coloop->get_loop(python_loop);
    if (!loop) return nullptr;
    if (current) {
        PyErr_SetString(PyExc_RuntimeError, "finish() comes first");
        return nullptr;
    }
    current = std::make_unique<Run>(loop, threads, count, capacity);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(callables); ++i)
        current->producers.push_back({Py_NewRef(PyTuple_GET_ITEM(callables, i))});
    for (auto &producer : current->producers)
        current->pool.submit([run = current.get(), &producer] { produce(run, &producer); });
    current->bound.wait_until_full();
    Py_RETURN_NONE;
}

// took(): an event was consumed, there is room for another.
PyObject *took(PyObject *, PyObject *) {
    if (current) current->bound.release();
    Py_RETURN_NONE;
}

// finish(): ends the threads; what was counted. Nothing may be on its way any more.
PyObject *finish(PyObject *, PyObject *) {
    if (!current) {
        PyErr_SetString(PyExc_RuntimeError, "start() comes first");
        return nullptr;
    }
    Py_BEGIN_ALLOW_THREADS
    current->bound.cancel();
    current->pool.join();
    Py_END_ALLOW_THREADS
    Run &run = *current;
    PyObject *counted = Py_BuildValue(
        "{s:l,s:l,s:l,s:l,s:l,s:l,s:l}", "posted", run.posted.load(), "delivered", run.delivered.load(),
        "destroyed", run.destroyed.load(), "failed", run.failed.load(), "highest", run.bound.highest(), "waits",
        run.bound.waits(), "cpu_ns", run.cpu_ns.load());
    for (auto &producer : run.producers) Py_DECREF(producer.deliver);
    current.reset();
    return counted;
}

PyMethodDef methods[] = {{"start", start, METH_VARARGS, nullptr},
                         {"took", took, METH_NOARGS, nullptr},
                         {"finish", finish, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyModuleDef module = {PyModuleDef_HEAD_INIT, "producers", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC PyInit_producers() {
    coloop = coloop_import();
    return coloop ? PyModule_Create(&module) : nullptr;
}
