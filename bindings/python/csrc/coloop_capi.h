/* SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * For C extensions of Python that use coloop without linking to it.
 *
 *     #include <Python.h>
 *     #include <coloop_capi.h>
 *
 *     const coloop_capi_t *coloop = coloop_import();   // NULL: exception set
 *     loop_t *loop = coloop->get_loop(python_loop);    // borrowed
 *     coloop->loop_call_soon_threadsafe(loop, callback, data, NULL, NULL);
 *
 * The functions named loop_... are those of coloop.h, where they are described.
 * While Python runs a loop, C callbacks run with the GIL held; while C code runs
 * it, they do not: PyGILState_Ensure is right in both. C code that runs a loop
 * should let go of the GIL (Py_BEGIN_ALLOW_THREADS); if it does not, waits let go
 * of it. When a Python callback raises KeyboardInterrupt or SystemExit, such a run
 * returns 1; the exception is set if the caller had the GIL, else it goes to
 * sys.unraisablehook.
 *
 * Fields are only ever added at the end: compare `size` before you use one that
 * came later than the version you were compiled with. */
#ifndef COLOOP_CAPI_H
#define COLOOP_CAPI_H

#include <Python.h>
#include <coloop.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The capsule's name. */
#define COLOOP_CAPI_NAME "coloop._C_API"

/* What the capsule leads to. */
typedef struct coloop_capi_t {
    /* sizeof(coloop_capi_t), as the library knows it. */
    size_t size;
    /* coloop_version_number and coloop_instance_id. */
    uint32_t (*version_number)(void);
    uint64_t (*instance_id)(void);
    /* The loop of a coloop.EventLoop, borrowed; NULL with TypeError. Needs the GIL. */
    loop_t *(*get_loop)(PyObject *python_loop);
    /* coloop.from_pointer: a new reference, or NULL with an exception. Needs the GIL. */
    PyObject *(*from_loop)(loop_t *loop);
    loop_t *(*loop_ref)(loop_t *);
    void (*loop_unref)(loop_t *);
    int (*loop_call_soon)(loop_t *, loop_callback_t, void *, loop_destroy_t, loop_handle_t *);
    int (*loop_call_soon_threadsafe)(loop_t *, loop_callback_t, void *, loop_destroy_t,
                                     loop_handle_t *);
    int (*loop_call_later)(loop_t *, int64_t, loop_callback_t, void *, loop_destroy_t,
                           loop_handle_t *);
    int (*loop_call_at)(loop_t *, uint64_t, loop_callback_t, void *, loop_destroy_t,
                        loop_handle_t *);
    int (*loop_handle_cancel)(loop_t *, loop_handle_t);
    uint64_t (*loop_time)(const loop_t *);
    int (*loop_wakeup)(loop_t *);
    int (*loop_add_reader)(loop_t *, int, loop_callback_t, void *, loop_destroy_t);
    int (*loop_remove_reader)(loop_t *, int);
    int (*loop_add_writer)(loop_t *, int, loop_callback_t, void *, loop_destroy_t);
    int (*loop_remove_writer)(loop_t *, int);
    int (*loop_get_running)(loop_t **);
    const char *(*loop_strerror)(int);
    const char *(*loop_last_error)(void);
    loop_t *(*loop_new)(void);
    int (*loop_run_forever)(loop_t *);
    int (*loop_stop)(loop_t *);
    int (*loop_stop_threadsafe)(loop_t *);
    int (*loop_close)(loop_t *);

    /* Since 0.1.0, COLOOP_CAPI_HAS(coloop, object_release). Futures that both sides
     * await: from the loop's thread as long as the loop runs, and with the GIL. */

    /* coloop.future_pointer: a new reference, or NULL with an exception. `loop` is for
     * coroutines; NULL: the running one. */
    loop_future_t *(*future_pointer)(PyObject *awaitable, loop_t *loop);
    /* coloop.future_from_pointer: a new reference, or NULL with an exception. `convert`
     * may be NULL. */
    PyObject *(*future_from_pointer)(loop_future_t *future, PyObject *convert);
    /* How a done future ended, as Python has it: its result (a new reference), or NULL
     * with the exception that it failed with, asyncio.CancelledError or
     * asyncio.InvalidStateError. */
    PyObject *(*future_result)(loop_future_t *future);
    /* The destructor of results and exception data that are Python objects, which
     * Python code that awaits the future gets as they are. On any thread, without the
     * GIL. For example
     * coloop->loop_future_set_result(future, Py_NewRef(object), coloop->object_release); */
    loop_destroy_t object_release;
    int (*loop_future_new)(loop_t *, loop_future_t **);
    int (*loop_future_new_cancellable)(loop_t *, loop_future_cancel_t, void *, loop_destroy_t,
                                       loop_future_t **);
    loop_future_t *(*loop_future_ref)(loop_future_t *);
    void (*loop_future_unref)(loop_future_t *);
    loop_t *(*loop_future_get_loop)(loop_future_t *);
    int (*loop_future_done)(loop_future_t *);
    int (*loop_future_cancelled)(loop_future_t *);
    int (*loop_future_result)(loop_future_t *, void **);
    int (*loop_future_exception)(loop_future_t *, int *, const char **);
    void *(*loop_future_exception_data)(loop_future_t *);
    loop_destroy_t (*loop_future_get_destroy)(loop_future_t *);
    int (*loop_future_set_result)(loop_future_t *, void *, loop_destroy_t);
    int (*loop_future_set_exception)(loop_future_t *, int, const char *);
    int (*loop_future_set_exception_data)(loop_future_t *, int, const char *, void *,
                                          loop_destroy_t);
    int (*loop_future_cancel)(loop_future_t *, const char *);
    int (*loop_future_add_done_callback)(loop_future_t *, loop_future_callback_t, void *,
                                         loop_destroy_t);
    int (*loop_future_remove_done_callback)(loop_future_t *, loop_future_callback_t, void *);
} coloop_capi_t;

/* Has the library that runs this field? For fields that came later. */
#define COLOOP_CAPI_HAS(table, field) \
    ((table)->size >= offsetof(coloop_capi_t, field) + sizeof((table)->field))

/* Imports coloop; the table is valid for ever. NULL with an exception. */
static inline const coloop_capi_t *coloop_import(void) {
    return (const coloop_capi_t *)PyCapsule_Import(COLOOP_CAPI_NAME, 0);
}

#ifdef __cplusplus
}
#endif

#endif
