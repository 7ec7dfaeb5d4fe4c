# Generated from include/coloop.h by scripts/raw_abi.py: do not edit.
"""The C ABI for cffi, without a compiler; for scripting and tests, not for speed.

    import cffi
    import coloop
    from coloop.cdef import CDEF

    ffi = cffi.FFI()
    ffi.cdef(CDEF)
    lib = ffi.dlopen(coloop.get_library_path())
    loop = lib.loop_new()

    @ffi.callback("void(void *)")
    def hello(user_data):
        print("hello")
        lib.loop_stop(loop)

    lib.loop_call_soon(loop, hello, ffi.NULL, ffi.NULL, ffi.NULL)
    lib.loop_run_forever(loop)
    lib.loop_close(loop)
    lib.loop_unref(loop)

`lib` has the functions and the constants, which include/coloop.h describes. What
ffi.callback() makes must be kept as long as the loop may call it, and has to
catch every exception if it returns a number.

This file needs nothing of the rest of the package.
"""

CDEF = """
#define LOOP_BACKEND_AUTO 0
#define LOOP_BACKEND_EPOLL 1
#define LOOP_BACKEND_KQUEUE 2
#define LOOP_BACKEND_IOCP 3
#define LOOP_BACKEND_SELECT 4
#define LOOP_BACKEND_POLL 5
#define LOOP_BACKEND_IO_URING 6
#define LOOP_REINIT_KEEP_IO 1
#define LOOP_REINIT_KEEP_READY 2
#define POLICY_LEGACY 0
#define POLICY_STRICT 1
#define LOOP_TASK_DONE 0
#define LOOP_TASK_AWAIT 1
#define LOOP_TASK_YIELD 2
#define LOOP_TASK_PARK 3
#define LOOP_TASK_EAGER 1
#define LOOP_RETURN_EXCEPTIONS 1
#define LOOP_ALL_COMPLETED 0
#define LOOP_FIRST_COMPLETED 1
#define LOOP_FIRST_EXCEPTION 2
#define LOOP_RUN_SIGINT 1
#define LOOP_SERVER_REUSE_PORT 1
#define LOOP_SERVER_NO_REUSE_ADDRESS 2
#define LOOP_SERVER_KEEP_ALIVE 4
#define LOOP_SERVER_DEFERRED 8
#define LOOP_SERVER_KEEP_FILE 16
#define LOOP_CONNECTION_ALL_ERRORS 1
#define LOOP_DATAGRAM_REUSE_PORT 1
#define LOOP_DATAGRAM_ALLOW_BROADCAST 2
#define LOOP_EXECUTOR_WAIT 1
#define LOOP_EXECUTOR_CANCEL_QUEUED 2
#define LOOP_EAI_NONAME -2002
#define LOOP_EAI_BADFLAGS -2001
#define LOOP_EAI_AGAIN -2003
#define LOOP_EAI_FAIL -2004
#define LOOP_EAI_NODATA -2005
#define LOOP_EAI_FAMILY -2006
#define LOOP_EAI_SOCKTYPE -2007
#define LOOP_EAI_SERVICE -2008
#define LOOP_EAI_ADDRFAMILY -2009
#define LOOP_EAI_MEMORY -2010
#define LOOP_EAI_OVERFLOW -2012
#define LOOP_CHILD_WATCHER_PIDFD 0
#define LOOP_CHILD_WATCHER_THREADED 1
#define LOOP_STATS_COUNTS 0
#define LOOP_STATS_TIMES 1
#define LOOP_STATS_CALLBACKS 2
#define LOOP_STDIO_INHERIT 0
#define LOOP_STDIO_PIPE 1
#define LOOP_STDIO_DEVNULL 2
#define LOOP_STDIO_STDOUT 3
#define LOOP_STDIO_FD 4
#define LOOP_SUBPROCESS_KEEP_FDS 1
#define LOOP_SUBPROCESS_NEW_SESSION 2
#define LOOP_SUBPROCESS_SET_PROCESS_GROUP 4
#define LOOP_SUBPROCESS_SET_UID 8
#define LOOP_SUBPROCESS_SET_GID 16
#define LOOP_SUBPROCESS_SET_GROUPS 32
#define LOOP_SUBPROCESS_SET_UMASK 64
#define LOOP_ECLOSED -1001
#define LOOP_ERUNNING -1002
#define LOOP_EOTHER_RUNNING -1003
#define LOOP_ENO_RUNNING -1004
#define LOOP_ENO_CURRENT -1005
#define LOOP_EWRONG_THREAD -1006
#define LOOP_EWRONG_LOOP -1007
#define LOOP_EFORKED -1008
#define LOOP_ESTALE -1009
#define LOOP_EINVAL -1010
#define LOOP_ENOTSUP -1011
#define LOOP_EINTERNAL -1012
#define LOOP_EINVALID_STATE -1013
#define LOOP_ECANCELLED -1014
#define LOOP_ESTOPPED -1015
#define LOOP_ESHUTDOWN -1016
#define LOOP_EEXCEPTION -1017
typedef struct loop_cfuture_t loop_cfuture_t;
typedef struct loop_child_watcher_t loop_child_watcher_t;
typedef struct loop_executor_job_t loop_executor_job_t;
typedef struct loop_executor_t loop_executor_t;
typedef struct loop_future_t loop_future_t;
typedef struct loop_process_t loop_process_t;
typedef struct loop_runner_t loop_runner_t;
typedef struct loop_server_t loop_server_t;
typedef struct loop_t loop_t;
typedef struct loop_task_group_t loop_task_group_t;
typedef struct loop_task_t loop_task_t;
typedef struct loop_timeout_t loop_timeout_t;
typedef struct loop_transport_t loop_transport_t;
typedef struct policy_t policy_t;
typedef uint64_t (*loop_clock_t)(void *clock_data);
typedef struct loop_options_t { size_t size; uint32_t backend; uint32_t flags; uint64_t timer_slack_ns; loop_clock_t clock; void *clock_data; } loop_options_t;
typedef void (*loop_callback_t)(void *user_data);
typedef void (*loop_destroy_t)(void *user_data);
typedef uint64_t loop_handle_t;
typedef void (*loop_hook_t)(struct loop_t *loop, void *user_data);
typedef struct loop_context_hooks_t { size_t size; void *(*capture)(void *user_data); void (*enter)(void *context, void *user_data); void (*exit)(void *context, void *user_data); void (*release)(void *context, void *user_data); } loop_context_hooks_t;
typedef struct loop_exception_context_t { size_t size; const char *message; int code; const char *exception; loop_callback_t callback; void *user_data; loop_handle_t handle; int fd; const struct loop_future_t *future; const struct loop_transport_t *transport; } loop_exception_context_t;
typedef void (*loop_exception_handler_t)(struct loop_t *loop, const struct loop_exception_context_t *context, void *user_data);
typedef struct loop_slow_callback_t { size_t size; loop_callback_t callback; void *user_data; loop_handle_t handle; int fd; uint64_t duration_ns; } loop_slow_callback_t;
typedef void (*loop_slow_callback_hook_t)(struct loop_t *loop, const struct loop_slow_callback_t *report, void *user_data);
typedef struct policy_vtable_t { size_t size; int (*get_event_loop)(void *user_data, struct loop_t **ret_loop); int (*set_event_loop)(void *user_data, struct loop_t *loop); int (*new_event_loop)(void *user_data, struct loop_t **ret_loop); } policy_vtable_t;
typedef int (*loop_future_cancel_t)(struct loop_future_t *future, const char *message, void *user_data);
typedef void (*loop_future_callback_t)(struct loop_future_t *future, void *user_data);
typedef int (*loop_task_step_t)(struct loop_task_t *task, int outcome, void *user_data);
typedef struct loop_task_options_t { size_t size; uint32_t flags; uint32_t has_context; void *context; const char *name; } loop_task_options_t;
typedef int (*loop_finalizer_t)(struct loop_t *loop, struct loop_future_t **ret_future, void *user_data);
typedef struct loop_runner_options_t { size_t size; uint32_t flags; int32_t debug; } loop_runner_options_t;
typedef int (*loop_submit_callback_t)(struct loop_t *loop, struct loop_future_t **ret_future, void *user_data);
typedef void (*loop_cfuture_callback_t)(struct loop_cfuture_t *cfuture, void *user_data);
typedef struct loop_accepted_t { int fd; size_t address_length; const void *address; } loop_accepted_t;
typedef struct loop_iovec_t { const void *base; size_t length; } loop_iovec_t;
typedef struct loop_protocol_t { size_t size; void (*connection_made)(struct loop_transport_t *transport, void *user_data); void (*data_received)(struct loop_transport_t *transport, const void *data, size_t length, void *user_data); int (*get_buffer)(struct loop_transport_t *transport, size_t size_hint, void **ret_buffer, size_t *ret_size, void *user_data); void (*buffer_updated)(struct loop_transport_t *transport, size_t length, void *user_data); int (*eof_received)(struct loop_transport_t *transport, void *user_data); void (*pause_writing)(struct loop_transport_t *transport, void *user_data); void (*resume_writing)(struct loop_transport_t *transport, void *user_data); void (*connection_lost)(struct loop_transport_t *transport, int code, const char *message, void *user_data); } loop_protocol_t;
typedef struct loop_server_options_t { size_t size; const char *host; const char *const *hosts; size_t host_count; uint16_t port; int family; int resolve_flags; int backlog; uint32_t flags; const int *fds; size_t fd_count; } loop_server_options_t;
typedef int (*loop_protocol_factory_t)(struct loop_t *loop, void *factory_data, const struct loop_protocol_t **ret_protocol, void **ret_user_data, loop_destroy_t *ret_destroy);
typedef struct loop_connection_options_t { size_t size; const char *host; uint16_t port; uint16_t local_port; const char *local_host; int family; int resolve_flags; uint32_t flags; uint32_t interleave; uint64_t happy_eyeballs_delay_ns; uint64_t timeout_ns; const int *fd; } loop_connection_options_t;
typedef struct loop_datagram_options_t { size_t size; const char *local_host; const char *remote_host; uint16_t local_port; uint16_t remote_port; int family; int resolve_flags; uint32_t flags; const char *local_path; const char *remote_path; const int *fd; } loop_datagram_options_t;
typedef struct loop_datagram_protocol_t { size_t size; void (*connection_made)(struct loop_transport_t *transport, void *user_data); void (*datagram_received)(struct loop_transport_t *transport, const void *data, size_t data_length, const void *address, size_t address_length, void *user_data); void (*error_received)(struct loop_transport_t *transport, int code, void *user_data); void (*pause_writing)(struct loop_transport_t *transport, void *user_data); void (*resume_writing)(struct loop_transport_t *transport, void *user_data); void (*connection_lost)(struct loop_transport_t *transport, int code, const char *message, void *user_data); } loop_datagram_protocol_t;
typedef struct loop_layer_t { size_t size; int (*write)(struct loop_transport_t *transport, const struct loop_iovec_t *pieces, size_t count, void *user_data); int (*write_eof)(struct loop_transport_t *transport, void *user_data); int (*close)(struct loop_transport_t *transport, void *user_data); int (*abort)(struct loop_transport_t *transport, int code, const char *message, void *user_data); int (*pause_reading)(struct loop_transport_t *transport, void *user_data); int (*resume_reading)(struct loop_transport_t *transport, void *user_data); int (*is_reading)(struct loop_transport_t *transport, void *user_data); int (*set_write_buffer_limits)(struct loop_transport_t *transport, size_t high, size_t low, void *user_data); int (*get_write_buffer)(struct loop_transport_t *transport, size_t *ret_size, size_t *ret_high, size_t *ret_low, void *user_data); int (*get_extra_info)(struct loop_transport_t *transport, const char *name, void **ret_value, void *user_data); } loop_layer_t;
typedef struct loop_executor_vtable_t { size_t size; int (*submit)(struct loop_executor_job_t *job, void *user_data); int (*cancel)(struct loop_executor_job_t *job, void *user_data); int (*shutdown)(uint32_t flags, int64_t timeout_ns, void *user_data); } loop_executor_vtable_t;
typedef int (*loop_job_t)(void *user_data, void **ret_result);
typedef struct loop_addrinfo_hints_t { size_t size; int family; int socktype; int protocol; int flags; } loop_addrinfo_hints_t;
typedef struct loop_addrinfo_t { int family; int socktype; int protocol; size_t address_length; const void *address; const char *canonical_name; } loop_addrinfo_t;
typedef void (*loop_child_callback_t)(int pid, int returncode, void *user_data);
typedef struct loop_stats_t { size_t size; uint64_t turns; uint64_t waits; uint64_t callbacks; uint64_t io_events; uint64_t timers; uint64_t posts; uint64_t busy_ns; uint64_t wait_ns; uint64_t ready_now; uint64_t timers_now; uint64_t posts_now; uint64_t fds_now; uint64_t longest_ns; loop_callback_t longest_callback; void *longest_user_data; loop_handle_t longest_handle; int longest_fd; } loop_stats_t;
typedef struct loop_stdio_t { uint32_t kind; int fd; } loop_stdio_t;
typedef struct loop_subprocess_options_t { size_t size; const char *const *argv; const char *file; const char *const *env; const char *cwd; struct loop_stdio_t stdio[3]; const int *pass_fds; size_t pass_fds_count; uint32_t flags; int process_group; uint32_t uid; uint32_t gid; const uint32_t *groups; size_t groups_count; uint32_t umask; uint32_t reserved; } loop_subprocess_options_t;
typedef struct loop_process_protocol_t { size_t size; void (*connection_made)(struct loop_process_t *process, void *user_data); void (*pipe_data_received)(struct loop_process_t *process, int fd, const void *data, size_t count, void *user_data); void (*pipe_connection_lost)(struct loop_process_t *process, int fd, int code, const char *message, void *user_data); void (*process_exited)(struct loop_process_t *process, void *user_data); void (*connection_lost)(struct loop_process_t *process, int code, const char *message, void *user_data); void (*pause_writing)(struct loop_process_t *process, void *user_data); void (*resume_writing)(struct loop_process_t *process, void *user_data); } loop_process_protocol_t;
typedef struct loop_watchdog_report_t { size_t size; loop_callback_t callback; void *user_data; loop_handle_t handle; int fd; uint32_t earlier; uint64_t duration_ns; } loop_watchdog_report_t;
typedef void (*loop_watchdog_callback_t)(struct loop_t *loop, const struct loop_watchdog_report_t *report, void *user_data);
typedef struct loop_received_t { size_t length; const void *data; size_t address_length; const void *address; } loop_received_t;
typedef struct loop_gathered_t { size_t count; void *const *results; const int *codes; struct loop_future_t *const *futures; } loop_gathered_t;
typedef struct loop_waited_t { size_t done_count; struct loop_future_t *const *done; size_t pending_count; struct loop_future_t *const *pending; } loop_waited_t;
const char *coloop_version(void);
uint32_t coloop_version_number(void);
uint64_t coloop_instance_id(void);
struct loop_t *loop_new(void);
int loop_create(const struct loop_options_t *options, struct loop_t **ret_loop);
struct loop_t *loop_ref(struct loop_t *loop);
void loop_unref(struct loop_t *loop);
int loop_close(struct loop_t *loop);
int loop_run_forever(struct loop_t *loop);
int loop_stop(struct loop_t *loop);
int loop_stop_threadsafe(struct loop_t *loop);
int loop_interrupt(struct loop_t *loop, int code);
int loop_is_running(const struct loop_t *loop);
int loop_is_closed(const struct loop_t *loop);
uint64_t loop_time(const struct loop_t *loop);
uint64_t loop_time_cached(struct loop_t *loop);
int loop_set_debug(struct loop_t *loop, int enabled);
int loop_get_debug(const struct loop_t *loop);
const char *loop_backend_name(const struct loop_t *loop);
int loop_describe(const struct loop_t *loop, char *buffer, size_t size);
int loop_reinit_after_fork(struct loop_t *loop, uint32_t flags);
int loop_get_running(struct loop_t **ret_loop);
int loop_call_soon(struct loop_t *loop, loop_callback_t callback, void *user_data, loop_destroy_t destroy, loop_handle_t *ret_handle);
int loop_call_soon_context(struct loop_t *loop, loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context, loop_handle_t *ret_handle);
int loop_call_soon_threadsafe(struct loop_t *loop, loop_callback_t callback, void *user_data, loop_destroy_t destroy, loop_handle_t *ret_handle);
int loop_call_soon_threadsafe_context(struct loop_t *loop, loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context, loop_handle_t *ret_handle);
int loop_call_later(struct loop_t *loop, int64_t delay_ns, loop_callback_t callback, void *user_data, loop_destroy_t destroy, loop_handle_t *ret_handle);
int loop_call_later_context(struct loop_t *loop, int64_t delay_ns, loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context, loop_handle_t *ret_handle);
int loop_call_at(struct loop_t *loop, uint64_t when_ns, loop_callback_t callback, void *user_data, loop_destroy_t destroy, loop_handle_t *ret_handle);
int loop_call_at_context(struct loop_t *loop, uint64_t when_ns, loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context, loop_handle_t *ret_handle);
int loop_wakeup(struct loop_t *loop);
int loop_handle_cancel(struct loop_t *loop, loop_handle_t handle);
int loop_handle_cancelled(struct loop_t *loop, loop_handle_t handle);
int loop_handle_when(struct loop_t *loop, loop_handle_t handle, uint64_t *ret_when);
int loop_handle_reschedule(struct loop_t *loop, loop_handle_t handle, uint64_t when_ns);
int loop_add_reader(struct loop_t *loop, int fd, loop_callback_t callback, void *user_data, loop_destroy_t destroy);
int loop_add_reader_context(struct loop_t *loop, int fd, loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context);
int loop_remove_reader(struct loop_t *loop, int fd);
int loop_add_writer(struct loop_t *loop, int fd, loop_callback_t callback, void *user_data, loop_destroy_t destroy);
int loop_add_writer_context(struct loop_t *loop, int fd, loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context);
int loop_remove_writer(struct loop_t *loop, int fd);
int loop_run_once(struct loop_t *loop, int64_t timeout_ns);
int loop_backend_fd(struct loop_t *loop);
int loop_next_deadline(struct loop_t *loop, uint64_t *ret_when);
int loop_prepare(struct loop_t *loop, int64_t *ret_timeout_ns);
int loop_poll(struct loop_t *loop, int64_t timeout_ns);
int loop_dispatch(struct loop_t *loop);
int loop_set_wait_hooks(struct loop_t *loop, loop_hook_t before_wait, loop_hook_t after_wait, void *user_data, loop_destroy_t destroy);
int loop_set_wake_hook(struct loop_t *loop, loop_hook_t hook, void *user_data, loop_destroy_t destroy);
int loop_set_context_hooks(struct loop_t *loop, const struct loop_context_hooks_t *hooks, void *user_data, loop_destroy_t destroy);
int loop_set_exception_handler(struct loop_t *loop, loop_exception_handler_t handler, void *user_data, loop_destroy_t destroy);
int loop_call_exception_handler(struct loop_t *loop, const struct loop_exception_context_t *context);
int loop_default_exception_handler(struct loop_t *loop, const struct loop_exception_context_t *context);
int loop_callback_failed(struct loop_t *loop, int code, const char *exception);
int loop_set_slow_callback_hook(struct loop_t *loop, loop_slow_callback_hook_t hook, void *user_data, loop_destroy_t destroy);
int loop_set_slow_callback_duration(struct loop_t *loop, uint64_t duration_ns);
uint64_t loop_get_slow_callback_duration(const struct loop_t *loop);
int policy_get_event_loop(struct loop_t **ret_loop);
int policy_set_event_loop(struct loop_t *loop);
int policy_new_event_loop(struct loop_t **ret_loop);
int policy_set_mode(int mode);
int policy_get_mode(void);
int policy_new(const struct policy_vtable_t *vtable, void *user_data, loop_destroy_t destroy, struct policy_t **ret_policy);
struct policy_t *policy_ref(struct policy_t *policy);
void policy_unref(struct policy_t *policy);
int policy_set(struct policy_t *policy);
struct policy_t *policy_get(void);
int policy_object_get_event_loop(struct policy_t *policy, struct loop_t **ret_loop);
int policy_object_set_event_loop(struct policy_t *policy, struct loop_t *loop);
int policy_object_new_event_loop(struct policy_t *policy, struct loop_t **ret_loop);
int loop_future_new(struct loop_t *loop, struct loop_future_t **ret_future);
int loop_future_new_cancellable(struct loop_t *loop, loop_future_cancel_t cancel, void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future);
struct loop_future_t *loop_future_ref(struct loop_future_t *future);
void loop_future_unref(struct loop_future_t *future);
struct loop_t *loop_future_get_loop(struct loop_future_t *future);
int loop_future_done(struct loop_future_t *future);
int loop_future_cancelled(struct loop_future_t *future);
int loop_future_result(struct loop_future_t *future, void **ret_result);
int loop_future_exception(struct loop_future_t *future, int *ret_code, const char **ret_message);
void *loop_future_exception_data(struct loop_future_t *future);
loop_destroy_t loop_future_get_destroy(struct loop_future_t *future);
size_t loop_future_use_count(struct loop_future_t *future);
int loop_future_set_result(struct loop_future_t *future, void *result, loop_destroy_t destroy);
int loop_future_set_exception(struct loop_future_t *future, int code, const char *message);
int loop_future_set_exception_data(struct loop_future_t *future, int code, const char *message, void *data, loop_destroy_t destroy);
int loop_future_set_exception_of(struct loop_future_t *future, struct loop_future_t *failed);
int loop_future_cancel(struct loop_future_t *future, const char *message);
int loop_future_add_done_callback(struct loop_future_t *future, loop_future_callback_t callback, void *user_data, loop_destroy_t destroy);
int loop_future_add_done_callback_context(struct loop_future_t *future, loop_future_callback_t callback, void *user_data, loop_destroy_t destroy, void *context);
int loop_future_remove_done_callback(struct loop_future_t *future, loop_future_callback_t callback, void *user_data);
int loop_create_task(struct loop_t *loop, loop_task_step_t step, void *user_data, loop_destroy_t destroy, struct loop_task_t **ret_task);
int loop_create_task_with(struct loop_t *loop, const struct loop_task_options_t *options, loop_task_step_t step, void *user_data, loop_destroy_t destroy, struct loop_task_t **ret_task);
struct loop_task_t *loop_task_ref(struct loop_task_t *task);
void loop_task_unref(struct loop_task_t *task);
struct loop_future_t *loop_task_future(struct loop_task_t *task);
int loop_task_await(struct loop_task_t *task, struct loop_future_t *future);
struct loop_future_t *loop_task_awaited(struct loop_task_t *task);
int loop_task_park(struct loop_task_t *task, loop_callback_t cancelled, void *user_data);
int loop_task_wake(struct loop_task_t *task);
int loop_task_wake_now(struct loop_task_t *task);
int loop_task_return(struct loop_task_t *task, void *result, loop_destroy_t destroy);
int loop_task_fail(struct loop_task_t *task, int code, const char *message);
int loop_task_fail_data(struct loop_task_t *task, int code, const char *message, void *data, loop_destroy_t destroy);
int loop_task_fail_of(struct loop_task_t *task, struct loop_future_t *failed);
int loop_task_cancel(struct loop_task_t *task, const char *message);
int loop_task_uncancel(struct loop_task_t *task);
int loop_task_cancelling(struct loop_task_t *task);
int loop_task_get_name(struct loop_task_t *task, char *buffer, size_t size);
int loop_task_set_name(struct loop_task_t *task, const char *name);
struct loop_task_t *loop_current_task(struct loop_t *loop);
int loop_all_tasks(struct loop_t *loop, struct loop_task_t **tasks, size_t capacity);
int loop_sleep(struct loop_t *loop, int64_t delay_ns, void *result, loop_destroy_t destroy, struct loop_future_t **ret_future);
int loop_timeout_enter(struct loop_task_t *task, int64_t delay_ns, struct loop_timeout_t **ret_timeout);
int loop_timeout_reschedule(struct loop_timeout_t *timeout, int64_t delay_ns);
int loop_timeout_exit(struct loop_timeout_t *timeout, int outcome);
int loop_task_group_new(struct loop_task_t *task, struct loop_task_group_t **ret_group);
struct loop_task_group_t *loop_task_group_ref(struct loop_task_group_t *group);
void loop_task_group_unref(struct loop_task_group_t *group);
int loop_task_group_create_task(struct loop_task_group_t *group, loop_task_step_t step, void *user_data, loop_destroy_t destroy, struct loop_task_t **ret_task);
int loop_task_group_cancel(struct loop_task_group_t *group);
int loop_task_group_exit(struct loop_task_group_t *group, int outcome, struct loop_future_t **ret_future);
int loop_task_group_errors(struct loop_task_group_t *group, size_t index, int *ret_code, char *buffer, size_t size);
void *loop_task_group_error_data(struct loop_task_group_t *group, size_t index);
loop_destroy_t loop_task_group_error_destroy(struct loop_task_group_t *group, size_t index);
int loop_gather(struct loop_t *loop, struct loop_future_t *const *futures, size_t count, uint32_t flags, struct loop_future_t **ret_future);
int loop_wait(struct loop_t *loop, struct loop_future_t *const *futures, size_t count, int64_t timeout_ns, int return_when, struct loop_future_t **ret_future);
int loop_wait_for(struct loop_future_t *future, int64_t timeout_ns, struct loop_future_t **ret_future);
int loop_shield(struct loop_future_t *future, struct loop_future_t **ret_future);
int loop_run_until_complete(struct loop_t *loop, struct loop_future_t *future, void **ret_result);
int loop_add_finalizer(struct loop_t *loop, loop_finalizer_t finalizer, void *user_data, loop_destroy_t destroy, uint64_t *ret_id);
int loop_remove_finalizer(struct loop_t *loop, uint64_t id);
int loop_shutdown_asyncgens(struct loop_t *loop, struct loop_future_t **ret_future);
int loop_run(const struct loop_runner_options_t *options, loop_task_step_t step, void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future);
int loop_runner_new(const struct loop_runner_options_t *options, struct loop_runner_t **ret_runner);
struct loop_t *loop_runner_get_loop(struct loop_runner_t *runner);
int loop_runner_run(struct loop_runner_t *runner, loop_task_step_t step, void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future);
int loop_runner_close(struct loop_runner_t *runner);
int loop_submit_threadsafe(struct loop_t *loop, loop_submit_callback_t start, void *user_data, loop_destroy_t destroy, struct loop_cfuture_t **ret_cfuture);
int loop_create_task_threadsafe(struct loop_t *loop, loop_task_step_t step, void *user_data, loop_destroy_t destroy, struct loop_cfuture_t **ret_cfuture);
int loop_cfuture_new(struct loop_cfuture_t **ret_cfuture);
struct loop_cfuture_t *loop_cfuture_ref(struct loop_cfuture_t *cfuture);
void loop_cfuture_unref(struct loop_cfuture_t *cfuture);
int loop_cfuture_done(struct loop_cfuture_t *cfuture);
int loop_cfuture_result(struct loop_cfuture_t *cfuture, int64_t timeout_ns, void **ret_result);
int loop_cfuture_cancel(struct loop_cfuture_t *cfuture, const char *message);
int loop_cfuture_set_result(struct loop_cfuture_t *cfuture, void *result, loop_destroy_t destroy);
int loop_cfuture_set_exception(struct loop_cfuture_t *cfuture, int code, const char *message);
int loop_cfuture_set_exception_data(struct loop_cfuture_t *cfuture, int code, const char *message, void *data, loop_destroy_t destroy);
void *loop_cfuture_exception_data(struct loop_cfuture_t *cfuture);
loop_destroy_t loop_cfuture_get_destroy(struct loop_cfuture_t *cfuture);
int loop_cfuture_add_done_callback(struct loop_cfuture_t *cfuture, loop_cfuture_callback_t callback, void *user_data, loop_destroy_t destroy);
int loop_wrap_cfuture(struct loop_t *loop, struct loop_cfuture_t *cfuture, struct loop_future_t **ret_future);
int loop_sock_recv(struct loop_t *loop, int fd, size_t length, struct loop_future_t **ret_future);
int loop_sock_recv_into(struct loop_t *loop, int fd, void *buffer, size_t length, struct loop_future_t **ret_future);
int loop_sock_recvfrom(struct loop_t *loop, int fd, size_t length, struct loop_future_t **ret_future);
int loop_sock_recvfrom_into(struct loop_t *loop, int fd, void *buffer, size_t length, struct loop_future_t **ret_future);
int loop_sock_sendall(struct loop_t *loop, int fd, const void *data, size_t length, void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future);
int loop_sock_sendto(struct loop_t *loop, int fd, const void *data, size_t length, void *user_data, loop_destroy_t destroy, const void *address, size_t address_length, struct loop_future_t **ret_future);
int loop_sock_accept(struct loop_t *loop, int fd, struct loop_future_t **ret_future);
int loop_accepted_take(struct loop_accepted_t *accepted);
int loop_sock_connect(struct loop_t *loop, int fd, const void *address, size_t address_length, struct loop_future_t **ret_future);
int loop_sock_sendfile(struct loop_t *loop, int fd, int file_fd, int64_t offset, int64_t count, struct loop_future_t **ret_future);
struct loop_transport_t *loop_transport_ref(struct loop_transport_t *transport);
void loop_transport_unref(struct loop_transport_t *transport);
struct loop_t *loop_transport_get_loop(struct loop_transport_t *transport);
int loop_transport_write(struct loop_transport_t *transport, const void *data, size_t length);
int loop_transport_writev(struct loop_transport_t *transport, const struct loop_iovec_t *pieces, size_t count);
int loop_transport_write_owned(struct loop_transport_t *transport, const void *data, size_t length, void *user_data, loop_destroy_t destroy);
int loop_transport_write_eof(struct loop_transport_t *transport);
int loop_transport_can_write_eof(struct loop_transport_t *transport);
int loop_transport_close(struct loop_transport_t *transport);
int loop_transport_abort(struct loop_transport_t *transport);
int loop_transport_fail(struct loop_transport_t *transport, int code, const char *message);
int loop_transport_is_closing(struct loop_transport_t *transport);
int loop_transport_pause_reading(struct loop_transport_t *transport);
int loop_transport_resume_reading(struct loop_transport_t *transport);
int loop_transport_is_reading(struct loop_transport_t *transport);
int loop_transport_set_write_buffer_limits(struct loop_transport_t *transport, size_t high, size_t low);
int loop_transport_get_write_buffer_size(struct loop_transport_t *transport, size_t *ret_size);
int loop_transport_get_write_buffer_limits(struct loop_transport_t *transport, size_t *ret_high, size_t *ret_low);
int loop_transport_set_protocol(struct loop_transport_t *transport, const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy);
void *loop_transport_get_protocol(struct loop_transport_t *transport);
int loop_transport_get_fd(struct loop_transport_t *transport);
int loop_transport_get_peername(struct loop_transport_t *transport, void *address, size_t *length);
int loop_transport_get_sockname(struct loop_transport_t *transport, void *address, size_t *length);
int loop_transport_get_extra_info(struct loop_transport_t *transport, const char *name, void **ret_value);
int loop_transport_sendfile(struct loop_transport_t *transport, int file_fd, int64_t offset, int64_t count, struct loop_future_t **ret_future);
int loop_create_server(struct loop_t *loop, const struct loop_server_options_t *options, loop_protocol_factory_t factory, void *factory_data, loop_destroy_t destroy, struct loop_future_t **ret_future);
int loop_create_unix_server(struct loop_t *loop, const char *path, int backlog, uint32_t flags, loop_protocol_factory_t factory, void *factory_data, loop_destroy_t destroy, struct loop_future_t **ret_future);
struct loop_server_t *loop_server_ref(struct loop_server_t *server);
void loop_server_unref(struct loop_server_t *server);
struct loop_t *loop_server_get_loop(struct loop_server_t *server);
int loop_server_start_serving(struct loop_server_t *server);
int loop_server_is_serving(struct loop_server_t *server);
int loop_server_close(struct loop_server_t *server);
int loop_server_close_clients(struct loop_server_t *server);
int loop_server_abort_clients(struct loop_server_t *server);
int loop_server_wait_closed(struct loop_server_t *server, struct loop_future_t **ret_future);
int loop_server_serve_forever(struct loop_server_t *server, struct loop_future_t **ret_future);
int loop_server_get_sockets(struct loop_server_t *server, int *fds, size_t capacity);
int loop_server_get_address(struct loop_server_t *server, size_t index, void *address, size_t size);
int loop_create_connection(struct loop_t *loop, const struct loop_connection_options_t *options, const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future);
int loop_create_unix_connection(struct loop_t *loop, const char *path, const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future);
int loop_create_datagram_endpoint(struct loop_t *loop, const struct loop_datagram_options_t *options, const struct loop_datagram_protocol_t *protocol, void *user_data, loop_destroy_t destroy, struct loop_future_t **ret_future);
int loop_transport_sendto(struct loop_transport_t *transport, const void *data, size_t data_length, const void *address, size_t address_length);
int loop_connect_accepted_socket(struct loop_t *loop, int fd, const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy, struct loop_transport_t **ret_transport);
int loop_connect_read_pipe(struct loop_t *loop, int fd, const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy, struct loop_transport_t **ret_transport);
int loop_connect_write_pipe(struct loop_t *loop, int fd, const struct loop_protocol_t *protocol, void *user_data, loop_destroy_t destroy, struct loop_transport_t **ret_transport);
int loop_transport_new_layer(struct loop_t *loop, const struct loop_layer_t *layer, void *layer_data, loop_destroy_t layer_destroy, const struct loop_protocol_t *protocol, void *protocol_data, loop_destroy_t protocol_destroy, struct loop_transport_t **ret_transport);
int loop_layer_connection_made(struct loop_transport_t *transport);
int loop_layer_data_received(struct loop_transport_t *transport, const void *data, size_t length);
int loop_layer_eof_received(struct loop_transport_t *transport);
int loop_layer_pause_writing(struct loop_transport_t *transport);
int loop_layer_resume_writing(struct loop_transport_t *transport);
int loop_layer_connection_lost(struct loop_transport_t *transport, int code, const char *message);
int loop_add_signal_handler(struct loop_t *loop, int signum, loop_callback_t callback, void *user_data, loop_destroy_t destroy);
int loop_add_signal_handler_context(struct loop_t *loop, int signum, loop_callback_t callback, void *user_data, loop_destroy_t destroy, void *context);
int loop_remove_signal_handler(struct loop_t *loop, int signum);
int loop_executor_new(uint32_t workers, struct loop_executor_t **ret_executor);
int loop_executor_create(const struct loop_executor_vtable_t *vtable, void *user_data, loop_destroy_t destroy, struct loop_executor_t **ret_executor);
struct loop_executor_t *loop_executor_ref(struct loop_executor_t *executor);
void loop_executor_unref(struct loop_executor_t *executor);
int loop_executor_set_workers(struct loop_executor_t *executor, uint32_t workers);
int loop_executor_threads(struct loop_executor_t *executor);
int loop_executor_queued(struct loop_executor_t *executor);
int loop_executor_submit(struct loop_executor_t *executor, loop_callback_t callback, void *user_data, loop_destroy_t destroy);
int loop_executor_shutdown(struct loop_executor_t *executor, uint32_t flags, int64_t timeout_ns);
int loop_executor_reinit_after_fork(struct loop_executor_t *executor);
void loop_executor_job_run(struct loop_executor_job_t *job);
void loop_executor_job_discard(struct loop_executor_job_t *job);
int loop_run_in_executor(struct loop_t *loop, struct loop_executor_t *executor, loop_job_t job, void *user_data, loop_destroy_t destroy, loop_destroy_t result_destroy, struct loop_future_t **ret_future);
int loop_job_fail(int code, const char *message);
int loop_job_fail_data(int code, const char *message, void *data, loop_destroy_t destroy);
int loop_call_in_executor(struct loop_t *loop, struct loop_executor_t *executor, loop_callback_t work, loop_callback_t done, void *user_data, loop_destroy_t destroy);
int loop_set_default_executor(struct loop_t *loop, struct loop_executor_t *executor);
int loop_shutdown_default_executor(struct loop_t *loop, int64_t timeout_ns, struct loop_future_t **ret_future);
int loop_getaddrinfo(struct loop_t *loop, const char *host, const char *service, const struct loop_addrinfo_hints_t *hints, int64_t timeout_ns, struct loop_future_t **ret_future);
int loop_getaddrinfo_result(struct loop_future_t *future, const struct loop_addrinfo_t **ret_entries, size_t *ret_count);
int loop_getnameinfo(struct loop_t *loop, const void *address, size_t address_length, int flags, int64_t timeout_ns, struct loop_future_t **ret_future);
int loop_getnameinfo_result(struct loop_future_t *future, const char **ret_host, const char **ret_service);
int loop_watch_child(struct loop_t *loop, int pid, loop_child_callback_t callback, void *user_data, loop_destroy_t destroy);
int loop_unwatch_child(struct loop_t *loop, int pid);
const struct loop_child_watcher_t *loop_child_watcher_get(int kind);
const char *loop_child_watcher_name(const struct loop_child_watcher_t *watcher);
int loop_child_watcher_attach_loop(const struct loop_child_watcher_t *watcher, struct loop_t *loop);
int loop_child_watcher_is_active(const struct loop_child_watcher_t *watcher);
int loop_child_watcher_add_child_handler(const struct loop_child_watcher_t *watcher, int pid, loop_child_callback_t callback, void *user_data, loop_destroy_t destroy);
int loop_child_watcher_remove_child_handler(const struct loop_child_watcher_t *watcher, int pid);
int policy_get_child_watcher(const struct loop_child_watcher_t **ret_watcher);
int policy_set_child_watcher(const struct loop_child_watcher_t *watcher);
int loop_get_stats(const struct loop_t *loop, struct loop_stats_t *ret_stats);
int loop_set_stats_level(struct loop_t *loop, uint32_t level);
int loop_subprocess_exec(struct loop_t *loop, const struct loop_subprocess_options_t *options, struct loop_process_t **ret_process);
int loop_subprocess_shell(struct loop_t *loop, const char *command, const struct loop_subprocess_options_t *options, struct loop_process_t **ret_process);
int loop_subprocess_exec_protocol(struct loop_t *loop, const struct loop_subprocess_options_t *options, const struct loop_process_protocol_t *protocol, void *user_data, loop_destroy_t destroy, struct loop_process_t **ret_process);
int loop_subprocess_shell_protocol(struct loop_t *loop, const char *command, const struct loop_subprocess_options_t *options, const struct loop_process_protocol_t *protocol, void *user_data, loop_destroy_t destroy, struct loop_process_t **ret_process);
struct loop_process_t *loop_process_ref(struct loop_process_t *process);
void loop_process_unref(struct loop_process_t *process);
struct loop_t *loop_process_get_loop(struct loop_process_t *process);
int loop_process_pid(struct loop_process_t *process);
int loop_process_returncode(struct loop_process_t *process, int *ret_returncode);
int loop_process_wait(struct loop_process_t *process, struct loop_future_t **ret_future);
int loop_process_send_signal(struct loop_process_t *process, int signum);
int loop_process_terminate(struct loop_process_t *process);
int loop_process_kill(struct loop_process_t *process);
int loop_process_close(struct loop_process_t *process);
int loop_process_get_pipe_fd(struct loop_process_t *process, int stream);
int loop_process_take_pipe_fd(struct loop_process_t *process, int stream);
struct loop_transport_t *loop_process_get_pipe_transport(struct loop_process_t *process, int stream);
int loop_watchdog_start(struct loop_t *loop, uint64_t threshold_ns, loop_watchdog_callback_t callback, void *user_data, loop_destroy_t destroy);
int loop_watchdog_stop(struct loop_t *loop);
const char *loop_strerror(int code);
const char *loop_last_error(void);
"""
