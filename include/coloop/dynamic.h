/* SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * coloop without linking: the library is loaded at run time.
 *
 *     #include <coloop/dynamic.h>
 *
 *     if (coloop_load(NULL) < 0) {
 *         fprintf(stderr, "%s\n", coloop_load_error());
 *         return 1;
 *     }
 *     loop_t *loop = loop_new();
 *
 * This file defines every function of coloop.h: each calls the library's own
 * through a table that coloop_load fills. So nothing else changes: other files
 * of the program may include coloop.h or the C++ headers alone, in any order,
 * and need not know. It may be included in any number of files; one is enough.
 * (In C++ with Microsoft's compiler, each file that calls coloop includes it.)
 *
 * The table belongs to one module, which is a program or a shared library: each
 * module that includes this file loads for itself, and all get the same
 * library. A module that includes it does not link to coloop as well.
 *
 * Before coloop_load has succeeded a function that returns int answers -ENOSYS,
 * one that returns anything else 0 or NULL, and a destructor given with user
 * data runs. Link with -ldl where the C library is older than glibc 2.34.
 */

/* Made from coloop.h by scripts/dynamic_header.py; `make header` makes it anew. */

#ifndef COLOOP_DYNAMIC_H
#define COLOOP_DYNAMIC_H

#include "../coloop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <dlfcn.h>
#include <poll.h>
#include <unistd.h>
#endif

/* The version of these headers, as coloop_version and coloop_version_number. */
#define COLOOP_HEADER_VERSION "0.1.0"
#define COLOOP_HEADER_VERSION_NUMBER 256u

/* The file that coloop_load(NULL) looks for. */
#if defined(_WIN32)
#define COLOOP_LIBRARY_NAME "coloop.dll"
#elif defined(__APPLE__)
#define COLOOP_LIBRARY_NAME "libcoloop.dylib"
#else
#define COLOOP_LIBRARY_NAME "libcoloop.so.0"
#endif

/* One definition for all files of a module, and for that module alone: exported,
 * a function would stand in for the library's own in other modules. */
#if defined(_MSC_VER)
#define COLOOP_MODULE_FUNCTION __inline
#define COLOOP_MODULE_VARIABLE __declspec(selectany)
#define COLOOP_MODULE_TEXT __declspec(selectany)
#elif defined(_WIN32)
#define COLOOP_MODULE_FUNCTION __attribute__((weak))
#define COLOOP_MODULE_VARIABLE __attribute__((selectany))
#define COLOOP_MODULE_TEXT __attribute__((selectany))
#else
#define COLOOP_MODULE_FUNCTION __attribute__((weak, visibility("hidden")))
#define COLOOP_MODULE_VARIABLE __attribute__((weak, visibility("hidden")))
#define COLOOP_MODULE_TEXT __attribute__((weak, visibility("hidden"))) __thread
#endif

/* Every function of coloop.h, as F(result, name, parameters, arguments, answer)
 * or, if it returns nothing, V(name, parameters, arguments, answer); `answer` is
 * what it answers while the library is not loaded. */
#define COLOOP_FUNCTIONS(F, V) \
    F(const char *, coloop_version, (void), (), COLOOP_NOT_LOADED_TEXT) \
    F(uint32_t, coloop_version_number, (void), (), 0) \
    F(uint64_t, coloop_instance_id, (void), (), 0) \
    F(struct loop_t *, loop_new, (void), (), NULL) \
    F(int, loop_create, (const struct loop_options_t *options, struct loop_t **ret_loop), \
      (options, ret_loop), -ENOSYS) \
    F(struct loop_t *, loop_ref, (struct loop_t *loop), (loop), NULL) \
    V(loop_unref, (struct loop_t *loop), (loop), (void)0) \
    F(int, loop_close, (struct loop_t *loop), (loop), -ENOSYS) \
    F(int, loop_run_forever, (struct loop_t *loop), (loop), -ENOSYS) \
    F(int, loop_stop, (struct loop_t *loop), (loop), -ENOSYS) \
    F(int, loop_stop_threadsafe, (struct loop_t *loop), (loop), -ENOSYS) \
    F(int, loop_interrupt, (struct loop_t *loop, int code), (loop, code), -ENOSYS) \
    F(int, loop_is_running, (const struct loop_t *loop), (loop), -ENOSYS) \
    F(int, loop_is_closed, (const struct loop_t *loop), (loop), -ENOSYS) \
    F(uint64_t, loop_time, (const struct loop_t *loop), (loop), 0) \
    F(uint64_t, loop_time_cached, (struct loop_t *loop), (loop), 0) \
    F(int, loop_set_debug, (struct loop_t *loop, int enabled), (loop, enabled), -ENOSYS) \
    F(int, loop_get_debug, (const struct loop_t *loop), (loop), -ENOSYS) \
    F(const char *, loop_backend_name, (const struct loop_t *loop), (loop), \
      COLOOP_NOT_LOADED_TEXT) \
    F(int, loop_describe, (const struct loop_t *loop, char *buffer, size_t size), (loop, \
      buffer, size), -ENOSYS) \
    F(int, loop_reinit_after_fork, (struct loop_t *loop, uint32_t flags), (loop, flags), \
      -ENOSYS) \
    F(int, loop_get_running, (struct loop_t **ret_loop), (ret_loop), -ENOSYS) \
    F(int, loop_call_soon, (struct loop_t *loop, loop_callback_t callback, void *user_data, \
      loop_destroy_t destroy, loop_handle_t *ret_handle), (loop, callback, user_data, \
      destroy, ret_handle), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_call_soon_context, (struct loop_t *loop, loop_callback_t callback, \
      void *user_data, loop_destroy_t destroy, void *context, loop_handle_t *ret_handle), \
      (loop, callback, user_data, destroy, context, ret_handle), \
      coloop_not_loaded(user_data, destroy)) \
    F(int, loop_call_soon_threadsafe, (struct loop_t *loop, loop_callback_t callback, \
      void *user_data, loop_destroy_t destroy, loop_handle_t *ret_handle), (loop, callback, \
      user_data, destroy, ret_handle), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_call_soon_threadsafe_context, (struct loop_t *loop, \
      loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context, \
      loop_handle_t *ret_handle), (loop, callback, user_data, destroy, context, ret_handle), \
      coloop_not_loaded(user_data, destroy)) \
    F(int, loop_call_later, (struct loop_t *loop, int64_t delay_ns, \
      loop_callback_t callback, void *user_data, loop_destroy_t destroy, \
      loop_handle_t *ret_handle), (loop, delay_ns, callback, user_data, destroy, \
      ret_handle), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_call_later_context, (struct loop_t *loop, int64_t delay_ns, \
      loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context, \
      loop_handle_t *ret_handle), (loop, delay_ns, callback, user_data, destroy, context, \
      ret_handle), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_call_at, (struct loop_t *loop, uint64_t when_ns, loop_callback_t callback, \
      void *user_data, loop_destroy_t destroy, loop_handle_t *ret_handle), (loop, when_ns, \
      callback, user_data, destroy, ret_handle), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_call_at_context, (struct loop_t *loop, uint64_t when_ns, \
      loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context, \
      loop_handle_t *ret_handle), (loop, when_ns, callback, user_data, destroy, context, \
      ret_handle), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_wakeup, (struct loop_t *loop), (loop), -ENOSYS) \
    F(int, loop_handle_cancel, (struct loop_t *loop, loop_handle_t handle), (loop, handle), \
      -ENOSYS) \
    F(int, loop_handle_cancelled, (struct loop_t *loop, loop_handle_t handle), (loop, \
      handle), -ENOSYS) \
    F(int, loop_handle_when, (struct loop_t *loop, loop_handle_t handle, \
      uint64_t *ret_when), (loop, handle, ret_when), -ENOSYS) \
    F(int, loop_handle_reschedule, (struct loop_t *loop, loop_handle_t handle, \
      uint64_t when_ns), (loop, handle, when_ns), -ENOSYS) \
    F(int, loop_add_reader, (struct loop_t *loop, int fd, loop_callback_t callback, \
      void *user_data, loop_destroy_t destroy), (loop, fd, callback, user_data, destroy), \
      coloop_not_loaded(user_data, destroy)) \
    F(int, loop_add_reader_context, (struct loop_t *loop, int fd, loop_callback_t callback, \
      void *user_data, loop_destroy_t destroy, void *context), (loop, fd, callback, \
      user_data, destroy, context), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_remove_reader, (struct loop_t *loop, int fd), (loop, fd), -ENOSYS) \
    F(int, loop_add_writer, (struct loop_t *loop, int fd, loop_callback_t callback, \
      void *user_data, loop_destroy_t destroy), (loop, fd, callback, user_data, destroy), \
      coloop_not_loaded(user_data, destroy)) \
    F(int, loop_add_writer_context, (struct loop_t *loop, int fd, loop_callback_t callback, \
      void *user_data, loop_destroy_t destroy, void *context), (loop, fd, callback, \
      user_data, destroy, context), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_remove_writer, (struct loop_t *loop, int fd), (loop, fd), -ENOSYS) \
    F(int, loop_run_once, (struct loop_t *loop, int64_t timeout_ns), (loop, timeout_ns), \
      -ENOSYS) \
    F(int, loop_backend_fd, (struct loop_t *loop), (loop), -ENOSYS) \
    F(int, loop_next_deadline, (struct loop_t *loop, uint64_t *ret_when), (loop, ret_when), \
      -ENOSYS) \
    F(int, loop_prepare, (struct loop_t *loop, int64_t *ret_timeout_ns), (loop, \
      ret_timeout_ns), -ENOSYS) \
    F(int, loop_poll, (struct loop_t *loop, int64_t timeout_ns), (loop, timeout_ns), \
      -ENOSYS) \
    F(int, loop_dispatch, (struct loop_t *loop), (loop), -ENOSYS) \
    F(int, loop_set_wait_hooks, (struct loop_t *loop, loop_hook_t before_wait, \
      loop_hook_t after_wait, void *user_data, loop_destroy_t destroy), (loop, before_wait, \
      after_wait, user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_set_wake_hook, (struct loop_t *loop, loop_hook_t hook, void *user_data, \
      loop_destroy_t destroy), (loop, hook, user_data, destroy), \
      coloop_not_loaded(user_data, destroy)) \
    F(int, loop_set_context_hooks, (struct loop_t *loop, \
      const struct loop_context_hooks_t *hooks, void *user_data, loop_destroy_t destroy), \
      (loop, hooks, user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_set_exception_handler, (struct loop_t *loop, \
      loop_exception_handler_t handler, void *user_data, loop_destroy_t destroy), (loop, \
      handler, user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_call_exception_handler, (struct loop_t *loop, \
      const struct loop_exception_context_t *context), (loop, context), -ENOSYS) \
    F(int, loop_default_exception_handler, (struct loop_t *loop, \
      const struct loop_exception_context_t *context), (loop, context), -ENOSYS) \
    F(int, loop_callback_failed, (struct loop_t *loop, int code, const char *exception), \
      (loop, code, exception), -ENOSYS) \
    F(int, loop_set_slow_callback_hook, (struct loop_t *loop, \
      loop_slow_callback_hook_t hook, void *user_data, loop_destroy_t destroy), (loop, hook, \
      user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_set_slow_callback_duration, (struct loop_t *loop, uint64_t duration_ns), \
      (loop, duration_ns), -ENOSYS) \
    F(uint64_t, loop_get_slow_callback_duration, (const struct loop_t *loop), (loop), 0) \
    F(int, policy_get_event_loop, (struct loop_t **ret_loop), (ret_loop), -ENOSYS) \
    F(int, policy_set_event_loop, (struct loop_t *loop), (loop), -ENOSYS) \
    F(int, policy_new_event_loop, (struct loop_t **ret_loop), (ret_loop), -ENOSYS) \
    F(int, policy_set_mode, (int mode), (mode), -ENOSYS) \
    F(int, policy_get_mode, (void), (), -ENOSYS) \
    F(int, policy_new, (const struct policy_vtable_t *vtable, void *user_data, \
      loop_destroy_t destroy, struct policy_t **ret_policy), (vtable, user_data, destroy, \
      ret_policy), coloop_not_loaded(user_data, destroy)) \
    F(struct policy_t *, policy_ref, (struct policy_t *policy), (policy), NULL) \
    V(policy_unref, (struct policy_t *policy), (policy), (void)0) \
    F(int, policy_set, (struct policy_t *policy), (policy), -ENOSYS) \
    F(struct policy_t *, policy_get, (void), (), NULL) \
    F(int, policy_object_get_event_loop, (struct policy_t *policy, \
      struct loop_t **ret_loop), (policy, ret_loop), -ENOSYS) \
    F(int, policy_object_set_event_loop, (struct policy_t *policy, struct loop_t *loop), \
      (policy, loop), -ENOSYS) \
    F(int, policy_object_new_event_loop, (struct policy_t *policy, \
      struct loop_t **ret_loop), (policy, ret_loop), -ENOSYS) \
    F(int, loop_future_new, (struct loop_t *loop, struct loop_future_t **ret_future), (loop, \
      ret_future), -ENOSYS) \
    F(int, loop_future_new_cancellable, (struct loop_t *loop, loop_future_cancel_t cancel, \
      void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future), (loop, \
      cancel, user_data, destroy, ret_future), coloop_not_loaded(user_data, destroy)) \
    F(struct loop_future_t *, loop_future_ref, (struct loop_future_t *future), (future), \
      NULL) \
    V(loop_future_unref, (struct loop_future_t *future), (future), (void)0) \
    F(struct loop_t *, loop_future_get_loop, (struct loop_future_t *future), (future), NULL) \
    F(int, loop_future_done, (struct loop_future_t *future), (future), -ENOSYS) \
    F(int, loop_future_cancelled, (struct loop_future_t *future), (future), -ENOSYS) \
    F(int, loop_future_result, (struct loop_future_t *future, void **ret_result), (future, \
      ret_result), -ENOSYS) \
    F(int, loop_future_exception, (struct loop_future_t *future, int *ret_code, \
      const char **ret_message), (future, ret_code, ret_message), -ENOSYS) \
    F(void *, loop_future_exception_data, (struct loop_future_t *future), (future), NULL) \
    F(loop_destroy_t, loop_future_get_destroy, (struct loop_future_t *future), (future), 0) \
    F(size_t, loop_future_use_count, (struct loop_future_t *future), (future), 0) \
    F(int, loop_future_set_result, (struct loop_future_t *future, void *result, \
      loop_destroy_t destroy), (future, result, destroy), coloop_not_loaded(result, \
      destroy)) \
    F(int, loop_future_set_exception, (struct loop_future_t *future, int code, \
      const char *message), (future, code, message), -ENOSYS) \
    F(int, loop_future_set_exception_data, (struct loop_future_t *future, int code, \
      const char *message, void *data, loop_destroy_t destroy), (future, code, message, \
      data, destroy), coloop_not_loaded(data, destroy)) \
    F(int, loop_future_set_exception_of, (struct loop_future_t *future, \
      struct loop_future_t *failed), (future, failed), -ENOSYS) \
    F(int, loop_future_cancel, (struct loop_future_t *future, const char *message), (future, \
      message), -ENOSYS) \
    F(int, loop_future_add_done_callback, (struct loop_future_t *future, \
      loop_future_callback_t callback, void *user_data, loop_destroy_t destroy), (future, \
      callback, user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_future_add_done_callback_context, (struct loop_future_t *future, \
      loop_future_callback_t callback, void *user_data, loop_destroy_t destroy, \
      void *context), (future, callback, user_data, destroy, context), \
      coloop_not_loaded(user_data, destroy)) \
    F(int, loop_future_remove_done_callback, (struct loop_future_t *future, \
      loop_future_callback_t callback, void *user_data), (future, callback, user_data), \
      -ENOSYS) \
    F(int, loop_create_task, (struct loop_t *loop, loop_task_step_t step, void *user_data, \
      loop_destroy_t destroy, struct loop_task_t **ret_task), (loop, step, user_data, \
      destroy, ret_task), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_create_task_with, (struct loop_t *loop, \
      const struct loop_task_options_t *options, loop_task_step_t step, void *user_data, \
      loop_destroy_t destroy, struct loop_task_t **ret_task), (loop, options, step, \
      user_data, destroy, ret_task), coloop_not_loaded(user_data, destroy)) \
    F(struct loop_task_t *, loop_task_ref, (struct loop_task_t *task), (task), NULL) \
    V(loop_task_unref, (struct loop_task_t *task), (task), (void)0) \
    F(struct loop_future_t *, loop_task_future, (struct loop_task_t *task), (task), NULL) \
    F(int, loop_task_await, (struct loop_task_t *task, struct loop_future_t *future), (task, \
      future), -ENOSYS) \
    F(struct loop_future_t *, loop_task_awaited, (struct loop_task_t *task), (task), NULL) \
    F(int, loop_task_park, (struct loop_task_t *task, loop_callback_t cancelled, \
      void *user_data), (task, cancelled, user_data), -ENOSYS) \
    F(int, loop_task_wake, (struct loop_task_t *task), (task), -ENOSYS) \
    F(int, loop_task_wake_now, (struct loop_task_t *task), (task), -ENOSYS) \
    F(int, loop_task_return, (struct loop_task_t *task, void *result, \
      loop_destroy_t destroy), (task, result, destroy), coloop_not_loaded(result, destroy)) \
    F(int, loop_task_fail, (struct loop_task_t *task, int code, const char *message), (task, \
      code, message), -ENOSYS) \
    F(int, loop_task_fail_data, (struct loop_task_t *task, int code, const char *message, \
      void *data, loop_destroy_t destroy), (task, code, message, data, destroy), \
      coloop_not_loaded(data, destroy)) \
    F(int, loop_task_fail_of, (struct loop_task_t *task, struct loop_future_t *failed), \
      (task, failed), -ENOSYS) \
    F(int, loop_task_cancel, (struct loop_task_t *task, const char *message), (task, \
      message), -ENOSYS) \
    F(int, loop_task_uncancel, (struct loop_task_t *task), (task), -ENOSYS) \
    F(int, loop_task_cancelling, (struct loop_task_t *task), (task), -ENOSYS) \
    F(int, loop_task_get_name, (struct loop_task_t *task, char *buffer, size_t size), (task, \
      buffer, size), -ENOSYS) \
    F(int, loop_task_set_name, (struct loop_task_t *task, const char *name), (task, name), \
      -ENOSYS) \
    F(struct loop_task_t *, loop_current_task, (struct loop_t *loop), (loop), NULL) \
    F(int, loop_all_tasks, (struct loop_t *loop, struct loop_task_t **tasks, \
      size_t capacity), (loop, tasks, capacity), -ENOSYS) \
    F(int, loop_sleep, (struct loop_t *loop, int64_t delay_ns, void *result, \
      loop_destroy_t destroy, struct loop_future_t **ret_future), (loop, delay_ns, result, \
      destroy, ret_future), coloop_not_loaded(result, destroy)) \
    F(int, loop_timeout_enter, (struct loop_task_t *task, int64_t delay_ns, \
      struct loop_timeout_t **ret_timeout), (task, delay_ns, ret_timeout), -ENOSYS) \
    F(int, loop_timeout_reschedule, (struct loop_timeout_t *timeout, int64_t delay_ns), \
      (timeout, delay_ns), -ENOSYS) \
    F(int, loop_timeout_exit, (struct loop_timeout_t *timeout, int outcome), (timeout, \
      outcome), -ENOSYS) \
    F(int, loop_task_group_new, (struct loop_task_t *task, \
      struct loop_task_group_t **ret_group), (task, ret_group), -ENOSYS) \
    F(struct loop_task_group_t *, loop_task_group_ref, (struct loop_task_group_t *group), \
      (group), NULL) \
    V(loop_task_group_unref, (struct loop_task_group_t *group), (group), (void)0) \
    F(int, loop_task_group_create_task, (struct loop_task_group_t *group, \
      loop_task_step_t step, void *user_data, loop_destroy_t destroy, \
      struct loop_task_t **ret_task), (group, step, user_data, destroy, ret_task), \
      coloop_not_loaded(user_data, destroy)) \
    F(int, loop_task_group_cancel, (struct loop_task_group_t *group), (group), -ENOSYS) \
    F(int, loop_task_group_exit, (struct loop_task_group_t *group, int outcome, \
      struct loop_future_t **ret_future), (group, outcome, ret_future), -ENOSYS) \
    F(int, loop_task_group_errors, (struct loop_task_group_t *group, size_t index, \
      int *ret_code, char *buffer, size_t size), (group, index, ret_code, buffer, size), \
      -ENOSYS) \
    F(void *, loop_task_group_error_data, (struct loop_task_group_t *group, size_t index), \
      (group, index), NULL) \
    F(loop_destroy_t, loop_task_group_error_destroy, (struct loop_task_group_t *group, \
      size_t index), (group, index), 0) \
    F(int, loop_gather, (struct loop_t *loop, struct loop_future_t *const *futures, \
      size_t count, uint32_t flags, struct loop_future_t **ret_future), (loop, futures, \
      count, flags, ret_future), -ENOSYS) \
    F(int, loop_wait, (struct loop_t *loop, struct loop_future_t *const *futures, \
      size_t count, int64_t timeout_ns, int return_when, struct loop_future_t **ret_future), \
      (loop, futures, count, timeout_ns, return_when, ret_future), -ENOSYS) \
    F(int, loop_wait_for, (struct loop_future_t *future, int64_t timeout_ns, \
      struct loop_future_t **ret_future), (future, timeout_ns, ret_future), -ENOSYS) \
    F(int, loop_shield, (struct loop_future_t *future, struct loop_future_t **ret_future), \
      (future, ret_future), -ENOSYS) \
    F(int, loop_run_until_complete, (struct loop_t *loop, struct loop_future_t *future, \
      void **ret_result), (loop, future, ret_result), -ENOSYS) \
    F(int, loop_add_finalizer, (struct loop_t *loop, loop_finalizer_t finalizer, \
      void *user_data, loop_destroy_t destroy, uint64_t *ret_id), (loop, finalizer, \
      user_data, destroy, ret_id), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_remove_finalizer, (struct loop_t *loop, uint64_t id), (loop, id), -ENOSYS) \
    F(int, loop_shutdown_asyncgens, (struct loop_t *loop, \
      struct loop_future_t **ret_future), (loop, ret_future), -ENOSYS) \
    F(int, loop_run, (const struct loop_runner_options_t *options, loop_task_step_t step, \
      void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future), (options, \
      step, user_data, destroy, ret_future), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_runner_new, (const struct loop_runner_options_t *options, \
      struct loop_runner_t **ret_runner), (options, ret_runner), -ENOSYS) \
    F(struct loop_t *, loop_runner_get_loop, (struct loop_runner_t *runner), (runner), NULL) \
    F(int, loop_runner_run, (struct loop_runner_t *runner, loop_task_step_t step, \
      void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future), (runner, \
      step, user_data, destroy, ret_future), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_runner_close, (struct loop_runner_t *runner), (runner), -ENOSYS) \
    F(int, loop_submit_threadsafe, (struct loop_t *loop, loop_submit_callback_t start, \
      void *user_data, loop_destroy_t destroy, struct loop_cfuture_t **ret_cfuture), (loop, \
      start, user_data, destroy, ret_cfuture), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_create_task_threadsafe, (struct loop_t *loop, loop_task_step_t step, \
      void *user_data, loop_destroy_t destroy, struct loop_cfuture_t **ret_cfuture), (loop, \
      step, user_data, destroy, ret_cfuture), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_cfuture_new, (struct loop_cfuture_t **ret_cfuture), (ret_cfuture), -ENOSYS) \
    F(struct loop_cfuture_t *, loop_cfuture_ref, (struct loop_cfuture_t *cfuture), \
      (cfuture), NULL) \
    V(loop_cfuture_unref, (struct loop_cfuture_t *cfuture), (cfuture), (void)0) \
    F(int, loop_cfuture_done, (struct loop_cfuture_t *cfuture), (cfuture), -ENOSYS) \
    F(int, loop_cfuture_result, (struct loop_cfuture_t *cfuture, int64_t timeout_ns, \
      void **ret_result), (cfuture, timeout_ns, ret_result), -ENOSYS) \
    F(int, loop_cfuture_cancel, (struct loop_cfuture_t *cfuture, const char *message), \
      (cfuture, message), -ENOSYS) \
    F(int, loop_cfuture_set_result, (struct loop_cfuture_t *cfuture, void *result, \
      loop_destroy_t destroy), (cfuture, result, destroy), coloop_not_loaded(result, \
      destroy)) \
    F(int, loop_cfuture_set_exception, (struct loop_cfuture_t *cfuture, int code, \
      const char *message), (cfuture, code, message), -ENOSYS) \
    F(int, loop_cfuture_set_exception_data, (struct loop_cfuture_t *cfuture, int code, \
      const char *message, void *data, loop_destroy_t destroy), (cfuture, code, message, \
      data, destroy), coloop_not_loaded(data, destroy)) \
    F(void *, loop_cfuture_exception_data, (struct loop_cfuture_t *cfuture), (cfuture), \
      NULL) \
    F(loop_destroy_t, loop_cfuture_get_destroy, (struct loop_cfuture_t *cfuture), (cfuture), \
      0) \
    F(int, loop_cfuture_add_done_callback, (struct loop_cfuture_t *cfuture, \
      loop_cfuture_callback_t callback, void *user_data, loop_destroy_t destroy), (cfuture, \
      callback, user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_wrap_cfuture, (struct loop_t *loop, struct loop_cfuture_t *cfuture, \
      struct loop_future_t **ret_future), (loop, cfuture, ret_future), -ENOSYS) \
    F(int, loop_sock_recv, (struct loop_t *loop, int fd, size_t length, \
      struct loop_future_t **ret_future), (loop, fd, length, ret_future), -ENOSYS) \
    F(int, loop_sock_recv_into, (struct loop_t *loop, int fd, void *buffer, size_t length, \
      struct loop_future_t **ret_future), (loop, fd, buffer, length, ret_future), -ENOSYS) \
    F(int, loop_sock_recvfrom, (struct loop_t *loop, int fd, size_t length, \
      struct loop_future_t **ret_future), (loop, fd, length, ret_future), -ENOSYS) \
    F(int, loop_sock_recvfrom_into, (struct loop_t *loop, int fd, void *buffer, \
      size_t length, struct loop_future_t **ret_future), (loop, fd, buffer, length, \
      ret_future), -ENOSYS) \
    F(int, loop_sock_sendall, (struct loop_t *loop, int fd, const void *data, size_t length, \
      void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future), (loop, \
      fd, data, length, user_data, destroy, ret_future), coloop_not_loaded(user_data, \
      destroy)) \
    F(int, loop_sock_sendto, (struct loop_t *loop, int fd, const void *data, size_t length, \
      void *user_data, loop_destroy_t destroy, const void *address, size_t address_length, \
      struct loop_future_t **ret_future), (loop, fd, data, length, user_data, destroy, \
      address, address_length, ret_future), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_sock_accept, (struct loop_t *loop, int fd, \
      struct loop_future_t **ret_future), (loop, fd, ret_future), -ENOSYS) \
    F(int, loop_accepted_take, (struct loop_accepted_t *accepted), (accepted), -ENOSYS) \
    F(int, loop_sock_connect, (struct loop_t *loop, int fd, const void *address, \
      size_t address_length, struct loop_future_t **ret_future), (loop, fd, address, \
      address_length, ret_future), -ENOSYS) \
    F(int, loop_sock_sendfile, (struct loop_t *loop, int fd, int file_fd, int64_t offset, \
      int64_t count, struct loop_future_t **ret_future), (loop, fd, file_fd, offset, count, \
      ret_future), -ENOSYS) \
    F(struct loop_transport_t *, loop_transport_ref, (struct loop_transport_t *transport), \
      (transport), NULL) \
    V(loop_transport_unref, (struct loop_transport_t *transport), (transport), (void)0) \
    F(struct loop_t *, loop_transport_get_loop, (struct loop_transport_t *transport), \
      (transport), NULL) \
    F(int, loop_transport_write, (struct loop_transport_t *transport, const void *data, \
      size_t length), (transport, data, length), -ENOSYS) \
    F(int, loop_transport_writev, (struct loop_transport_t *transport, \
      const struct loop_iovec_t *pieces, size_t count), (transport, pieces, count), -ENOSYS) \
    F(int, loop_transport_write_owned, (struct loop_transport_t *transport, \
      const void *data, size_t length, void *user_data, loop_destroy_t destroy), (transport, \
      data, length, user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_transport_write_eof, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_transport_can_write_eof, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_transport_close, (struct loop_transport_t *transport), (transport), -ENOSYS) \
    F(int, loop_transport_abort, (struct loop_transport_t *transport), (transport), -ENOSYS) \
    F(int, loop_transport_fail, (struct loop_transport_t *transport, int code, \
      const char *message), (transport, code, message), -ENOSYS) \
    F(int, loop_transport_is_closing, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_transport_pause_reading, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_transport_resume_reading, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_transport_is_reading, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_transport_set_write_buffer_limits, (struct loop_transport_t *transport, \
      size_t high, size_t low), (transport, high, low), -ENOSYS) \
    F(int, loop_transport_get_write_buffer_size, (struct loop_transport_t *transport, \
      size_t *ret_size), (transport, ret_size), -ENOSYS) \
    F(int, loop_transport_get_write_buffer_limits, (struct loop_transport_t *transport, \
      size_t *ret_high, size_t *ret_low), (transport, ret_high, ret_low), -ENOSYS) \
    F(int, loop_transport_set_protocol, (struct loop_transport_t *transport, \
      const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy), \
      (transport, protocol, user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(void *, loop_transport_get_protocol, (struct loop_transport_t *transport), \
      (transport), NULL) \
    F(int, loop_transport_get_fd, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_transport_get_peername, (struct loop_transport_t *transport, void *address, \
      size_t *length), (transport, address, length), -ENOSYS) \
    F(int, loop_transport_get_sockname, (struct loop_transport_t *transport, void *address, \
      size_t *length), (transport, address, length), -ENOSYS) \
    F(int, loop_transport_get_extra_info, (struct loop_transport_t *transport, \
      const char *name, void **ret_value), (transport, name, ret_value), -ENOSYS) \
    F(int, loop_transport_sendfile, (struct loop_transport_t *transport, int file_fd, \
      int64_t offset, int64_t count, struct loop_future_t **ret_future), (transport, \
      file_fd, offset, count, ret_future), -ENOSYS) \
    F(int, loop_create_server, (struct loop_t *loop, \
      const struct loop_server_options_t *options, loop_protocol_factory_t factory, \
      void *factory_data, loop_destroy_t destroy, struct loop_future_t **ret_future), (loop, \
      options, factory, factory_data, destroy, ret_future), coloop_not_loaded(factory_data, \
      destroy)) \
    F(int, loop_create_unix_server, (struct loop_t *loop, const char *path, int backlog, \
      uint32_t flags, loop_protocol_factory_t factory, void *factory_data, \
      loop_destroy_t destroy, struct loop_future_t **ret_future), (loop, path, backlog, \
      flags, factory, factory_data, destroy, ret_future), coloop_not_loaded(factory_data, \
      destroy)) \
    F(struct loop_server_t *, loop_server_ref, (struct loop_server_t *server), (server), \
      NULL) \
    V(loop_server_unref, (struct loop_server_t *server), (server), (void)0) \
    F(struct loop_t *, loop_server_get_loop, (struct loop_server_t *server), (server), NULL) \
    F(int, loop_server_start_serving, (struct loop_server_t *server), (server), -ENOSYS) \
    F(int, loop_server_is_serving, (struct loop_server_t *server), (server), -ENOSYS) \
    F(int, loop_server_close, (struct loop_server_t *server), (server), -ENOSYS) \
    F(int, loop_server_close_clients, (struct loop_server_t *server), (server), -ENOSYS) \
    F(int, loop_server_abort_clients, (struct loop_server_t *server), (server), -ENOSYS) \
    F(int, loop_server_wait_closed, (struct loop_server_t *server, \
      struct loop_future_t **ret_future), (server, ret_future), -ENOSYS) \
    F(int, loop_server_serve_forever, (struct loop_server_t *server, \
      struct loop_future_t **ret_future), (server, ret_future), -ENOSYS) \
    F(int, loop_server_get_sockets, (struct loop_server_t *server, int *fds, \
      size_t capacity), (server, fds, capacity), -ENOSYS) \
    F(int, loop_server_get_address, (struct loop_server_t *server, size_t index, \
      void *address, size_t size), (server, index, address, size), -ENOSYS) \
    F(int, loop_create_connection, (struct loop_t *loop, \
      const struct loop_connection_options_t *options, \
      const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy, \
      struct loop_future_t **ret_future), (loop, options, protocol, user_data, destroy, \
      ret_future), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_create_unix_connection, (struct loop_t *loop, const char *path, \
      const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy, \
      struct loop_future_t **ret_future), (loop, path, protocol, user_data, destroy, \
      ret_future), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_create_datagram_endpoint, (struct loop_t *loop, \
      const struct loop_datagram_options_t *options, \
      const struct loop_datagram_protocol_t *protocol, void *user_data, \
      loop_destroy_t destroy, struct loop_future_t **ret_future), (loop, options, protocol, \
      user_data, destroy, ret_future), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_transport_sendto, (struct loop_transport_t *transport, const void *data, \
      size_t data_length, const void *address, size_t address_length), (transport, data, \
      data_length, address, address_length), -ENOSYS) \
    F(int, loop_connect_accepted_socket, (struct loop_t *loop, int fd, \
      const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy, \
      struct loop_transport_t **ret_transport), (loop, fd, protocol, user_data, destroy, \
      ret_transport), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_connect_read_pipe, (struct loop_t *loop, int fd, \
      const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy, \
      struct loop_transport_t **ret_transport), (loop, fd, protocol, user_data, destroy, \
      ret_transport), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_connect_write_pipe, (struct loop_t *loop, int fd, \
      const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy, \
      struct loop_transport_t **ret_transport), (loop, fd, protocol, user_data, destroy, \
      ret_transport), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_transport_new_layer, (struct loop_t *loop, const struct loop_layer_t *layer, \
      void *layer_data, loop_destroy_t layer_destroy, \
      const struct loop_protocol_t *protocol, void *protocol_data, \
      loop_destroy_t protocol_destroy, struct loop_transport_t **ret_transport), (loop, \
      layer, layer_data, layer_destroy, protocol, protocol_data, protocol_destroy, \
      ret_transport), (coloop_not_loaded(layer_data, layer_destroy), \
      coloop_not_loaded(protocol_data, protocol_destroy))) \
    F(int, loop_layer_connection_made, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_layer_data_received, (struct loop_transport_t *transport, const void *data, \
      size_t length), (transport, data, length), -ENOSYS) \
    F(int, loop_layer_eof_received, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_layer_pause_writing, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_layer_resume_writing, (struct loop_transport_t *transport), (transport), \
      -ENOSYS) \
    F(int, loop_layer_connection_lost, (struct loop_transport_t *transport, int code, \
      const char *message), (transport, code, message), -ENOSYS) \
    F(int, loop_add_signal_handler, (struct loop_t *loop, int signum, \
      loop_callback_t callback, void *user_data, loop_destroy_t destroy), (loop, signum, \
      callback, user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_add_signal_handler_context, (struct loop_t *loop, int signum, \
      loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context), \
      (loop, signum, callback, user_data, destroy, context), coloop_not_loaded(user_data, \
      destroy)) \
    F(int, loop_remove_signal_handler, (struct loop_t *loop, int signum), (loop, signum), \
      -ENOSYS) \
    F(int, loop_executor_new, (uint32_t workers, struct loop_executor_t **ret_executor), \
      (workers, ret_executor), -ENOSYS) \
    F(int, loop_executor_create, (const struct loop_executor_vtable_t *vtable, \
      void *user_data, loop_destroy_t destroy, struct loop_executor_t **ret_executor), \
      (vtable, user_data, destroy, ret_executor), coloop_not_loaded(user_data, destroy)) \
    F(struct loop_executor_t *, loop_executor_ref, (struct loop_executor_t *executor), \
      (executor), NULL) \
    V(loop_executor_unref, (struct loop_executor_t *executor), (executor), (void)0) \
    F(int, loop_executor_set_workers, (struct loop_executor_t *executor, uint32_t workers), \
      (executor, workers), -ENOSYS) \
    F(int, loop_executor_threads, (struct loop_executor_t *executor), (executor), -ENOSYS) \
    F(int, loop_executor_queued, (struct loop_executor_t *executor), (executor), -ENOSYS) \
    F(int, loop_executor_submit, (struct loop_executor_t *executor, \
      loop_callback_t callback, void *user_data, loop_destroy_t destroy), (executor, \
      callback, user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_executor_shutdown, (struct loop_executor_t *executor, uint32_t flags, \
      int64_t timeout_ns), (executor, flags, timeout_ns), -ENOSYS) \
    F(int, loop_executor_reinit_after_fork, (struct loop_executor_t *executor), (executor), \
      -ENOSYS) \
    V(loop_executor_job_run, (struct loop_executor_job_t *job), (job), (void)0) \
    V(loop_executor_job_discard, (struct loop_executor_job_t *job), (job), (void)0) \
    F(int, loop_run_in_executor, (struct loop_t *loop, struct loop_executor_t *executor, \
      loop_job_t job, void *user_data, loop_destroy_t destroy, \
      loop_destroy_t result_destroy, struct loop_future_t **ret_future), (loop, executor, \
      job, user_data, destroy, result_destroy, ret_future), coloop_not_loaded(user_data, \
      destroy)) \
    F(int, loop_job_fail, (int code, const char *message), (code, message), -ENOSYS) \
    F(int, loop_job_fail_data, (int code, const char *message, void *data, \
      loop_destroy_t destroy), (code, message, data, destroy), coloop_not_loaded(data, \
      destroy)) \
    F(int, loop_call_in_executor, (struct loop_t *loop, struct loop_executor_t *executor, \
      loop_callback_t work, loop_callback_t done, void *user_data, loop_destroy_t destroy), \
      (loop, executor, work, done, user_data, destroy), coloop_not_loaded(user_data, \
      destroy)) \
    F(int, loop_set_default_executor, (struct loop_t *loop, \
      struct loop_executor_t *executor), (loop, executor), -ENOSYS) \
    F(int, loop_shutdown_default_executor, (struct loop_t *loop, int64_t timeout_ns, \
      struct loop_future_t **ret_future), (loop, timeout_ns, ret_future), -ENOSYS) \
    F(int, loop_getaddrinfo, (struct loop_t *loop, const char *host, const char *service, \
      const struct loop_addrinfo_hints_t *hints, int64_t timeout_ns, \
      struct loop_future_t **ret_future), (loop, host, service, hints, timeout_ns, \
      ret_future), -ENOSYS) \
    F(int, loop_getaddrinfo_result, (struct loop_future_t *future, \
      const struct loop_addrinfo_t **ret_entries, size_t *ret_count), (future, ret_entries, \
      ret_count), -ENOSYS) \
    F(int, loop_getnameinfo, (struct loop_t *loop, const void *address, \
      size_t address_length, int flags, int64_t timeout_ns, \
      struct loop_future_t **ret_future), (loop, address, address_length, flags, timeout_ns, \
      ret_future), -ENOSYS) \
    F(int, loop_getnameinfo_result, (struct loop_future_t *future, const char **ret_host, \
      const char **ret_service), (future, ret_host, ret_service), -ENOSYS) \
    F(int, loop_watch_child, (struct loop_t *loop, int pid, loop_child_callback_t callback, \
      void *user_data, loop_destroy_t destroy), (loop, pid, callback, user_data, destroy), \
      coloop_not_loaded(user_data, destroy)) \
    F(int, loop_unwatch_child, (struct loop_t *loop, int pid), (loop, pid), -ENOSYS) \
    F(const struct loop_child_watcher_t *, loop_child_watcher_get, (int kind), (kind), NULL) \
    F(const char *, loop_child_watcher_name, (const struct loop_child_watcher_t *watcher), \
      (watcher), COLOOP_NOT_LOADED_TEXT) \
    F(int, loop_child_watcher_attach_loop, (const struct loop_child_watcher_t *watcher, \
      struct loop_t *loop), (watcher, loop), -ENOSYS) \
    F(int, loop_child_watcher_is_active, (const struct loop_child_watcher_t *watcher), \
      (watcher), -ENOSYS) \
    F(int, loop_child_watcher_add_child_handler, \
      (const struct loop_child_watcher_t *watcher, int pid, loop_child_callback_t callback, \
      void *user_data, loop_destroy_t destroy), (watcher, pid, callback, user_data, \
      destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_child_watcher_remove_child_handler, \
      (const struct loop_child_watcher_t *watcher, int pid), (watcher, pid), -ENOSYS) \
    F(int, policy_get_child_watcher, (const struct loop_child_watcher_t **ret_watcher), \
      (ret_watcher), -ENOSYS) \
    F(int, policy_set_child_watcher, (const struct loop_child_watcher_t *watcher), \
      (watcher), -ENOSYS) \
    F(int, loop_get_stats, (const struct loop_t *loop, struct loop_stats_t *ret_stats), \
      (loop, ret_stats), -ENOSYS) \
    F(int, loop_set_stats_level, (struct loop_t *loop, uint32_t level), (loop, level), \
      -ENOSYS) \
    F(int, loop_subprocess_exec, (struct loop_t *loop, \
      const struct loop_subprocess_options_t *options, struct loop_process_t **ret_process), \
      (loop, options, ret_process), -ENOSYS) \
    F(int, loop_subprocess_shell, (struct loop_t *loop, const char *command, \
      const struct loop_subprocess_options_t *options, struct loop_process_t **ret_process), \
      (loop, command, options, ret_process), -ENOSYS) \
    F(int, loop_subprocess_exec_protocol, (struct loop_t *loop, \
      const struct loop_subprocess_options_t *options, \
      const struct loop_process_protocol_t *protocol, void *user_data, \
      loop_destroy_t destroy, struct loop_process_t **ret_process), (loop, options, \
      protocol, user_data, destroy, ret_process), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_subprocess_shell_protocol, (struct loop_t *loop, const char *command, \
      const struct loop_subprocess_options_t *options, \
      const struct loop_process_protocol_t *protocol, void *user_data, \
      loop_destroy_t destroy, struct loop_process_t **ret_process), (loop, command, options, \
      protocol, user_data, destroy, ret_process), coloop_not_loaded(user_data, destroy)) \
    F(struct loop_process_t *, loop_process_ref, (struct loop_process_t *process), \
      (process), NULL) \
    V(loop_process_unref, (struct loop_process_t *process), (process), (void)0) \
    F(struct loop_t *, loop_process_get_loop, (struct loop_process_t *process), (process), \
      NULL) \
    F(int, loop_process_pid, (struct loop_process_t *process), (process), -ENOSYS) \
    F(int, loop_process_returncode, (struct loop_process_t *process, int *ret_returncode), \
      (process, ret_returncode), -ENOSYS) \
    F(int, loop_process_wait, (struct loop_process_t *process, \
      struct loop_future_t **ret_future), (process, ret_future), -ENOSYS) \
    F(int, loop_process_send_signal, (struct loop_process_t *process, int signum), (process, \
      signum), -ENOSYS) \
    F(int, loop_process_terminate, (struct loop_process_t *process), (process), -ENOSYS) \
    F(int, loop_process_kill, (struct loop_process_t *process), (process), -ENOSYS) \
    F(int, loop_process_close, (struct loop_process_t *process), (process), -ENOSYS) \
    F(int, loop_process_get_pipe_fd, (struct loop_process_t *process, int stream), (process, \
      stream), -ENOSYS) \
    F(int, loop_process_take_pipe_fd, (struct loop_process_t *process, int stream), \
      (process, stream), -ENOSYS) \
    F(struct loop_transport_t *, loop_process_get_pipe_transport, \
      (struct loop_process_t *process, int stream), (process, stream), NULL) \
    F(int, loop_watchdog_start, (struct loop_t *loop, uint64_t threshold_ns, \
      loop_watchdog_callback_t callback, void *user_data, loop_destroy_t destroy), (loop, \
      threshold_ns, callback, user_data, destroy), coloop_not_loaded(user_data, destroy)) \
    F(int, loop_watchdog_stop, (struct loop_t *loop), (loop), -ENOSYS) \
    F(const char *, loop_strerror, (int code), (code), COLOOP_NOT_LOADED_TEXT) \
    F(const char *, loop_last_error, (void), (), COLOOP_NOT_LOADED_TEXT)

#ifdef __cplusplus
extern "C" {
#endif

/* The library's functions; NULL before it is loaded. */
struct coloop_functions_t {
#define COLOOP_FIELD(result, name, parameters, arguments, answer) result(*name) parameters;
#define COLOOP_VOID_FIELD(name, parameters, arguments, answer) void(*name) parameters;
    COLOOP_FUNCTIONS(COLOOP_FIELD, COLOOP_VOID_FIELD)
#undef COLOOP_FIELD
#undef COLOOP_VOID_FIELD
};

#ifdef __cplusplus
#define COLOOP_ZERO {}
#else
#define COLOOP_ZERO {0}
#endif
COLOOP_MODULE_VARIABLE struct coloop_functions_t coloop_functions = COLOOP_ZERO;
/* COLOOP_LOADED, or who is loading: the process, since a forked child finds
 * nobody who would end what another thread of its parent began. 0: nobody. */
COLOOP_MODULE_VARIABLE long coloop_loading = 0;
#define COLOOP_LOADED -1L
COLOOP_MODULE_TEXT char coloop_load_text[512] = COLOOP_ZERO;

/* What is given to a function that cannot be called is destroyed. */
static inline int coloop_not_loaded(void *user_data, loop_destroy_t destroy) {
    if (destroy) {
        destroy(user_data);
    }
    return -ENOSYS;
}

#define COLOOP_NOT_LOADED_TEXT "the coloop library is not loaded: coloop_load comes first"

#define COLOOP_FORWARD(result, name, parameters, arguments, answer)                       \
    COLOOP_MODULE_FUNCTION result name parameters {                                       \
        return coloop_functions.name ? coloop_functions.name arguments : answer;          \
    }
#define COLOOP_VOID_FORWARD(name, parameters, arguments, answer)                          \
    COLOOP_MODULE_FUNCTION void name parameters {                                         \
        if (coloop_functions.name) {                                                      \
            coloop_functions.name arguments;                                              \
        } else {                                                                          \
            answer;                                                                       \
        }                                                                                 \
    }
COLOOP_FUNCTIONS(COLOOP_FORWARD, COLOOP_VOID_FORWARD)
#undef COLOOP_FORWARD
#undef COLOOP_VOID_FORWARD

/* The operating system's part: a library that is loaded already, one that is
 * loaded now, its functions, giving it back, and why it failed. */
#ifdef _WIN32
static inline void *coloop_library_loaded(void) {
    HMODULE library = NULL;
    GetModuleHandleExA(0, COLOOP_LIBRARY_NAME, &library);
    return library;
}
static inline void *coloop_library_open(const char *path) { return LoadLibraryA(path); }
static inline void coloop_library_close(void *library) { FreeLibrary((HMODULE)library); }
static inline void *coloop_library_symbol(void *library, const char *name) {
    FARPROC function = GetProcAddress((HMODULE)library, name);
    void *symbol = NULL;
    memcpy(&symbol, &function, sizeof symbol);
    return symbol;
}
static inline void coloop_library_error(const char *path, char *text, size_t size) {
    snprintf(text, size, "%s: error %lu", path, (unsigned long)GetLastError());
}
static inline long coloop_process(void) { return 1; }
static inline void coloop_pause(void) { Sleep(1); }
static inline long coloop_get_loading(void) {
    return InterlockedCompareExchange(&coloop_loading, 0, 0);
}
static inline int coloop_swap_loading(long before, long after) {
    return InterlockedCompareExchange(&coloop_loading, after, before) == before;
}
#else
static inline void *coloop_library_loaded(void) {
    void *library = dlopen(COLOOP_LIBRARY_NAME, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    if (!library) {
        /* Or it has another name, or none: linked into the program, which exports it. */
        library = dlopen(NULL, RTLD_NOW);
        if (library && !dlsym(library, "coloop_instance_id")) {
            dlclose(library);
            library = NULL;
        }
    }
    return library;
}
static inline void *coloop_library_open(const char *path) {
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}
static inline void coloop_library_close(void *library) { dlclose(library); }
static inline void *coloop_library_symbol(void *library, const char *name) {
    return dlsym(library, name);
}
static inline void coloop_library_error(const char *path, char *text, size_t size) {
    const char *reason = dlerror();
    snprintf(text, size, "%s", reason ? reason : path);
}
static inline long coloop_process(void) { return (long)getpid(); }
static inline void coloop_pause(void) { poll(NULL, 0, 1); }
static inline long coloop_get_loading(void) {
    return __atomic_load_n(&coloop_loading, __ATOMIC_ACQUIRE);
}
static inline int coloop_swap_loading(long before, long after) {
    return __atomic_compare_exchange_n(&coloop_loading, &before, after, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}
#endif

/* Fills the table from a library: 0, or -ENOSYS with a text. */
static inline int coloop_load_functions(void *library, const char *path) {
    static const char *const names[] = {
#define COLOOP_NAME(result, name, parameters, arguments, answer) #name,
#define COLOOP_VOID_NAME(name, parameters, arguments, answer) #name,
        COLOOP_FUNCTIONS(COLOOP_NAME, COLOOP_VOID_NAME)
#undef COLOOP_NAME
#undef COLOOP_VOID_NAME
    };
    void *symbols[sizeof names / sizeof *names];
    struct coloop_functions_t functions;
    const char *missing = NULL;
    const char *version;
    uint32_t number;
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        symbols[i] = coloop_library_symbol(library, names[i]);
        if (!symbols[i] && !missing) {
            missing = names[i];
        }
    }
    /* A pointer to a function has no conversion from void * in C. */
    memcpy(&functions, symbols, sizeof functions);
    if (!functions.coloop_version || !functions.coloop_version_number) {
        snprintf(coloop_load_text, sizeof coloop_load_text, "%s is no library of coloop: it has no %s",
                 path, functions.coloop_version ? "coloop_version_number" : "coloop_version");
        return -ENOSYS;
    }
    version = functions.coloop_version();
    number = functions.coloop_version_number();
    /* Before 1.0 a minor version is a major one. */
    if (number >> 16 != COLOOP_HEADER_VERSION_NUMBER >> 16 ||
        (number >> 16 == 0 && number >> 8 != COLOOP_HEADER_VERSION_NUMBER >> 8)) {
        snprintf(coloop_load_text, sizeof coloop_load_text,
                 "%s is version %s, %s than the headers of this program, version %s", path, version,
                 number < COLOOP_HEADER_VERSION_NUMBER ? "older" : "newer", COLOOP_HEADER_VERSION);
        return -ENOSYS;
    }
    if (missing) {
        snprintf(coloop_load_text, sizeof coloop_load_text,
                 "%s is version %s and has no %s, which the headers of this program, version %s, have",
                 path, version, missing, COLOOP_HEADER_VERSION);
        return -ENOSYS;
    }
    coloop_functions = functions;
    return 0;
}

/**
 * Loads the library, once: 0, also when it is loaded already. It stays loaded.
 *
 * A library that this process has already, whoever loaded it, is always the one
 * that is used: a second copy would have its own loops and its own policy. Else
 * `path` says which file; NULL: libcoloop.so.0 (coloop.dll) where the system
 * looks for libraries. No environment variable is read but the system's own.
 *
 * -ENOENT when there is no such library or it cannot be loaded; -ENOSYS when it
 * is of another version (before 1.0: another minor version) or lacks a function.
 * coloop_load_error() has the text, and a later call tries again; but a coloop of
 * another version cannot be unloaded, and is what the process has from then on.
 * [any thread], also several at once, and in forked children.
 */
COLOOP_MODULE_FUNCTION int coloop_load(const char *path) {
    void *library;
    long loading;
    int result;
    while ((loading = coloop_get_loading()) != COLOOP_LOADED) {
        if (loading == coloop_process()) {
            coloop_pause();
        } else if (coloop_swap_loading(loading, coloop_process())) {
            break;
        }
    }
    if (loading == COLOOP_LOADED) {
        return 0;
    }
    library = coloop_library_loaded();
    if (library) {
        path = COLOOP_LIBRARY_NAME ", which this process has already,";
    } else {
        path = path ? path : COLOOP_LIBRARY_NAME;
        library = coloop_library_open(path);
    }
    if (!library) {
        coloop_library_error(path, coloop_load_text, sizeof coloop_load_text);
        result = -ENOENT;
    } else {
        result = coloop_load_functions(library, path);
        if (result < 0) {
            coloop_library_close(library);
        }
    }
    coloop_swap_loading(coloop_process(), result < 0 ? 0 : COLOOP_LOADED);
    return result;
}

/**
 * Why this thread's last coloop_load failed; "" if none did. Never NULL; valid
 * until the thread's next coloop_load. [any thread]
 */
COLOOP_MODULE_FUNCTION const char *coloop_load_error(void) { return coloop_load_text; }

#undef COLOOP_MODULE_FUNCTION
#undef COLOOP_MODULE_VARIABLE
#undef COLOOP_MODULE_TEXT
#undef COLOOP_ZERO
#undef COLOOP_FUNCTIONS

#ifdef __cplusplus
}
#endif

#endif
