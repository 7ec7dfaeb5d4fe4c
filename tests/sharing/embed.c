/* A C program that embeds CPython and shares its loop: embed PYTHON SCENARIO
 * Prints what happened; its test compares. */
#include <Python.h>
#include <coloop.h>
#include <pthread.h>

static void start_python(const char *executable) {
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    /* The environment that has coloop. */
    PyStatus status = PyConfig_SetBytesString(&config, &config.program_name, executable);
    if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) Py_ExitStatusException(status);
    /* What Python prints and what C prints shall come in order. */
    setvbuf(stdout, NULL, _IONBF, 0);
    PyRun_SimpleString("import sys; sys.stdout.reconfigure(write_through=True)");
}

static void check(int ok, const char *what) {
    if (ok) return;
    if (PyErr_Occurred()) PyErr_Print();
    fprintf(stderr, "failed: %s: %s\n", what, loop_last_error());
    _exit(1);
}

/* Runs Python code with `loop` in its globals. */
static void python(PyObject *loop, const char *code) {
    PyObject *globals = PyModule_GetDict(PyImport_AddModule("__main__"));
    PyDict_SetItemString(globals, "loop", loop);
    PyObject *result = PyRun_String(code, Py_file_input, globals, globals);
    check(result != NULL, code);
    Py_DECREF(result);
}

static PyObject *wrap(loop_t *loop) {
    PyObject *coloop = PyImport_ImportModule("coloop");
    check(coloop != NULL, "import coloop");
    PyObject *made = PyObject_CallMethod(coloop, "from_pointer", "N", PyLong_FromVoidPtr(loop));
    check(made != NULL, "from_pointer");
    Py_DECREF(coloop);
    return made;
}

static void stop_loop(void *loop) { loop_stop(loop); }

static void say(void *text) { printf("C: %s\n", (char *)text); }

static const char MAIN[] =
    "import asyncio\n"
    "async def main(who):\n"
    "    await asyncio.sleep(0.001)\n"
    "    print('Python:', who, asyncio.get_running_loop() is loop)\n"
    "    loop.stop()\n";

/* Python runs the loop, then C code does, with a task of Python's each time. */
static void run_both_ways(loop_t *loop, PyObject *object) {
    python(object, MAIN);
    loop_call_soon(loop, say, "before", NULL, NULL);
    python(object, "task = loop.create_task(main('Python runs'))\nloop.run_forever()\n");
    loop_call_soon(loop, say, "between", NULL, NULL);
    python(object, "task = loop.create_task(main('C runs'))\n");
    PyThreadState *state = PyEval_SaveThread();
    check(loop_run_forever(loop) == 0, "run");
    PyEval_RestoreThread(state);
}

/* The loop first, then the interpreter; the loop outlives it. */
static void loop_first(const char *executable) {
    loop_t *loop = loop_new();
    loop_call_soon(loop, say, "scheduled before there was Python", NULL, NULL);
    start_python(executable);
    PyObject *object = wrap(loop);
    run_both_ways(loop, object);
    python(object,
           "import socket\n"
           "loop.call_later(60, print, 'never')\n"
           "sockets = socket.socketpair() + socket.socketpair()\n"
           "for each in sockets: each.setblocking(False)\n"
           "loop.add_reader(sockets[0], print, 'never')\n"
           "receiving = loop.create_task(loop.sock_recv(sockets[2], 1))\n"
           "receiving._log_destroy_pending = False\n"
           "loop.call_soon(loop.stop)\n"
           "loop.run_forever()\n"
           "loop.call_soon(print, 'never')\n");
    Py_DECREF(object);
    check(Py_FinalizeEx() == 0, "finalize");
    loop_call_soon(loop, say, "Python has ended", NULL, NULL);
    loop_call_soon(loop, stop_loop, loop, NULL, NULL);
    check(loop_run_forever(loop) == 0, "run");
    check(loop_close(loop) == 0, "close");
    loop_unref(loop);
}

/* The interpreter first; the loop is closed before its end. */
static void python_first(const char *executable) {
    start_python(executable);
    loop_t *loop = loop_new();
    PyObject *object = wrap(loop);
    run_both_ways(loop, object);
    check(loop_close(loop) == 0, "close");
    loop_unref(loop);
    python(object, "print('Python: closed', loop.is_closed())\n");
    Py_DECREF(object);
    check(Py_FinalizeEx() == 0, "finalize");
}

/* A loop that Python made; C code runs it with the GIL, which its waits let go of,
 * and keeps it after the interpreter's end. */
static void pythons_loop(const char *executable) {
    start_python(executable);
    PyObject *coloop = PyImport_ImportModule("coloop");
    check(coloop != NULL, "import coloop");
    PyObject *object = PyObject_CallMethod(coloop, "new_event_loop", NULL);
    PyObject *pointer = PyObject_GetAttrString(object, "pointer");
    loop_t *loop = loop_ref(PyLong_AsVoidPtr(pointer));
    Py_DECREF(pointer);
    python(object,
           "import threading\n"
           "def work():\n"
           "    print('Python: a thread works', sum(range(10000)))\n"
           "    loop.call_soon_threadsafe(loop.stop)\n"
           "loop.call_soon(threading.Thread(target=work).start)\n");
    check(loop_run_forever(loop) == 0, "run");
    python(object, "def fail(): raise KeyboardInterrupt\nloop.call_soon(fail)\n");
    check(loop_run_forever(loop) == 1, "interrupted");
    check(PyErr_ExceptionMatches(PyExc_KeyboardInterrupt), "the exception");
    PyErr_Clear();
    python(object, "loop.close()\ndel loop\n");
    Py_DECREF(object);
    Py_DECREF(coloop);
    check(Py_FinalizeEx() == 0, "finalize");
    check(loop_call_soon(loop, say, "never", NULL, NULL) == LOOP_ECLOSED, "closed");
    loop_unref(loop);
}

static void *run(void *loop) {
    check(loop_run_forever(loop) == 0, "run");
    return NULL;
}

/* A thread of C code runs the loop; Python's main thread gives it coroutines. */
static void thread_runs(const char *executable) {
    start_python(executable);
    loop_t *loop = loop_new();
    PyObject *object = wrap(loop);
    pthread_t thread;
    pthread_create(&thread, NULL, run, loop);
    python(object,
           "import asyncio\n"
           "async def work(number):\n"
           "    await asyncio.sleep(0)\n"
           "    return number\n"
           "futures = [asyncio.run_coroutine_threadsafe(work(n), loop) for n in range(100)]\n"
           "print('Python:', sum(future.result() for future in futures))\n"
           "del futures\n");
    loop_call_soon_threadsafe(loop, stop_loop, loop, NULL, NULL);
    Py_BEGIN_ALLOW_THREADS
    pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS
    check(loop_close(loop) == 0, "close");
    loop_unref(loop);
    Py_DECREF(object);
    check(Py_FinalizeEx() == 0, "finalize");
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(const char *executable);
    } scenarios[] = {{"loop_first", loop_first},
                     {"python_first", python_first},
                     {"pythons_loop", pythons_loop},
                     {"thread_runs", thread_runs}};
    for (size_t i = 0; argc == 3 && i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(scenarios[i].name, argv[2])) continue;
        scenarios[i].run(argv[1]);
        return 0;
    }
    return 2;
}
