# Generated from include/coloop.h by scripts/raw_abi.py: do not edit.
"""The C ABI for ctypes, without a compiler; for scripting and tests, not for speed.

    from coloop import ctypes_abi as c

    lib = c.load()
    loop = lib.loop_new()

    @c.loop_callback_t
    def hello(user_data):
        print("hello")
        lib.loop_stop(loop)

    lib.loop_call_soon(loop, hello, None, None, None)
    lib.loop_run_forever(loop)
    lib.loop_close(loop)
    lib.loop_unref(loop)

include/coloop.h describes the functions. They return their codes: nothing raises.
Pointers to the library's objects are of classes of their own; all pointers may be
None. Structs are made with the values of their fields by name, functions among
them, and have their `size` set. Callback objects, and the structs that have them,
must be kept as long as the loop may call them, and have to catch every exception
if they return a number, or ctypes returns an arbitrary one. The GIL is let go of
in every call.

This file needs nothing of the rest of the package but the library.
"""

import ctypes
import os
import sys
from ctypes import (
    CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint16, c_uint32,
    c_uint64, c_void_p,
)


_LIBRARY = {"win32": "coloop.dll", "darwin": "libcoloop.dylib"}.get(sys.platform, "libcoloop.so.0")


def _function(result, *arguments):
    """A pointer to a function, which may be None."""

    class Pointer(CFUNCTYPE(result, *arguments)):
        _flags_ = ctypes._FUNCFLAG_CDECL
        _restype_ = result
        _argtypes_ = arguments

        @classmethod
        def from_param(cls, value):
            return cls() if value is None else type(cls).from_param(cls, value)

    return Pointer


class _Struct(Structure):
    def __init__(self, **fields):
        types = dict(self._fields_)
        for name, value in fields.items():
            of_field = types[name]
            plain = callable(value) and not isinstance(value, of_field)
            setattr(self, name, of_field(value) if plain else value)
        if "size" in types and not self.size:
            self.size = ctypes.sizeof(self)


LOOP_BACKEND_AUTO = 0
LOOP_BACKEND_EPOLL = 1
LOOP_BACKEND_KQUEUE = 2
LOOP_BACKEND_IOCP = 3
LOOP_BACKEND_SELECT = 4
LOOP_BACKEND_POLL = 5
LOOP_BACKEND_IO_URING = 6
LOOP_REINIT_KEEP_IO = 1
LOOP_REINIT_KEEP_READY = 2
POLICY_LEGACY = 0
POLICY_STRICT = 1
LOOP_TASK_DONE = 0
LOOP_TASK_AWAIT = 1
LOOP_TASK_YIELD = 2
LOOP_TASK_PARK = 3
LOOP_TASK_EAGER = 1
LOOP_RETURN_EXCEPTIONS = 1
LOOP_ALL_COMPLETED = 0
LOOP_FIRST_COMPLETED = 1
LOOP_FIRST_EXCEPTION = 2
LOOP_RUN_SIGINT = 1
LOOP_SERVER_REUSE_PORT = 1
LOOP_SERVER_NO_REUSE_ADDRESS = 2
LOOP_SERVER_KEEP_ALIVE = 4
LOOP_SERVER_DEFERRED = 8
LOOP_SERVER_KEEP_FILE = 16
LOOP_CONNECTION_ALL_ERRORS = 1
LOOP_DATAGRAM_REUSE_PORT = 1
LOOP_DATAGRAM_ALLOW_BROADCAST = 2
LOOP_EXECUTOR_WAIT = 1
LOOP_EXECUTOR_CANCEL_QUEUED = 2
LOOP_EAI_NONAME = -2002
LOOP_EAI_BADFLAGS = -2001
LOOP_EAI_AGAIN = -2003
LOOP_EAI_FAIL = -2004
LOOP_EAI_NODATA = -2005
LOOP_EAI_FAMILY = -2006
LOOP_EAI_SOCKTYPE = -2007
LOOP_EAI_SERVICE = -2008
LOOP_EAI_ADDRFAMILY = -2009
LOOP_EAI_MEMORY = -2010
LOOP_EAI_OVERFLOW = -2012
LOOP_CHILD_WATCHER_PIDFD = 0
LOOP_CHILD_WATCHER_THREADED = 1
LOOP_STATS_COUNTS = 0
LOOP_STATS_TIMES = 1
LOOP_STATS_CALLBACKS = 2
LOOP_STDIO_INHERIT = 0
LOOP_STDIO_PIPE = 1
LOOP_STDIO_DEVNULL = 2
LOOP_STDIO_STDOUT = 3
LOOP_STDIO_FD = 4
LOOP_SUBPROCESS_KEEP_FDS = 1
LOOP_SUBPROCESS_NEW_SESSION = 2
LOOP_SUBPROCESS_SET_PROCESS_GROUP = 4
LOOP_SUBPROCESS_SET_UID = 8
LOOP_SUBPROCESS_SET_GID = 16
LOOP_SUBPROCESS_SET_GROUPS = 32
LOOP_SUBPROCESS_SET_UMASK = 64
LOOP_ECLOSED = -1001
LOOP_ERUNNING = -1002
LOOP_EOTHER_RUNNING = -1003
LOOP_ENO_RUNNING = -1004
LOOP_ENO_CURRENT = -1005
LOOP_EWRONG_THREAD = -1006
LOOP_EWRONG_LOOP = -1007
LOOP_EFORKED = -1008
LOOP_ESTALE = -1009
LOOP_EINVAL = -1010
LOOP_ENOTSUP = -1011
LOOP_EINTERNAL = -1012
LOOP_EINVALID_STATE = -1013
LOOP_ECANCELLED = -1014
LOOP_ESTOPPED = -1015
LOOP_ESHUTDOWN = -1016
LOOP_EEXCEPTION = -1017

class loop_cfuture_t(c_void_p): ...
class loop_child_watcher_t(c_void_p): ...
class loop_executor_job_t(c_void_p): ...
class loop_executor_t(c_void_p): ...
class loop_future_t(c_void_p): ...
class loop_process_t(c_void_p): ...
class loop_runner_t(c_void_p): ...
class loop_server_t(c_void_p): ...
class loop_t(c_void_p): ...
class loop_task_group_t(c_void_p): ...
class loop_task_t(c_void_p): ...
class loop_timeout_t(c_void_p): ...
class loop_transport_t(c_void_p): ...
class policy_t(c_void_p): ...

class loop_options_t(_Struct): ...
class loop_context_hooks_t(_Struct): ...
class loop_exception_context_t(_Struct): ...
class loop_slow_callback_t(_Struct): ...
class policy_vtable_t(_Struct): ...
class loop_task_options_t(_Struct): ...
class loop_runner_options_t(_Struct): ...
class loop_accepted_t(_Struct): ...
class loop_iovec_t(_Struct): ...
class loop_protocol_t(_Struct): ...
class loop_server_options_t(_Struct): ...
class loop_connection_options_t(_Struct): ...
class loop_datagram_options_t(_Struct): ...
class loop_datagram_protocol_t(_Struct): ...
class loop_layer_t(_Struct): ...
class loop_executor_vtable_t(_Struct): ...
class loop_addrinfo_hints_t(_Struct): ...
class loop_addrinfo_t(_Struct): ...
class loop_stats_t(_Struct): ...
class loop_stdio_t(_Struct): ...
class loop_subprocess_options_t(_Struct): ...
class loop_process_protocol_t(_Struct): ...
class loop_watchdog_report_t(_Struct): ...
class loop_received_t(_Struct): ...
class loop_gathered_t(_Struct): ...
class loop_waited_t(_Struct): ...

loop_clock_t = _function(c_uint64, c_void_p)
loop_callback_t = _function(None, c_void_p)
loop_destroy_t = _function(None, c_void_p)
loop_handle_t = c_uint64
loop_hook_t = _function(None, loop_t, c_void_p)
loop_exception_handler_t = _function(None, loop_t, POINTER(loop_exception_context_t), c_void_p)
loop_slow_callback_hook_t = _function(None, loop_t, POINTER(loop_slow_callback_t), c_void_p)
loop_future_cancel_t = _function(c_int, loop_future_t, c_char_p, c_void_p)
loop_future_callback_t = _function(None, loop_future_t, c_void_p)
loop_task_step_t = _function(c_int, loop_task_t, c_int, c_void_p)
loop_finalizer_t = _function(c_int, loop_t, POINTER(loop_future_t), c_void_p)
loop_submit_callback_t = _function(c_int, loop_t, POINTER(loop_future_t), c_void_p)
loop_cfuture_callback_t = _function(None, loop_cfuture_t, c_void_p)
loop_protocol_factory_t = _function(c_int, loop_t, c_void_p, POINTER(POINTER(loop_protocol_t)), POINTER(c_void_p), POINTER(loop_destroy_t))
loop_job_t = _function(c_int, c_void_p, POINTER(c_void_p))
loop_child_callback_t = _function(None, c_int, c_int, c_void_p)
loop_watchdog_callback_t = _function(None, loop_t, POINTER(loop_watchdog_report_t), c_void_p)
loop_options_t._fields_ = [
    ("size", c_size_t), ("backend", c_uint32), ("flags", c_uint32), ("timer_slack_ns", c_uint64),
    ("clock", loop_clock_t), ("clock_data", c_void_p)]
loop_context_hooks_t._fields_ = [
    ("size", c_size_t), ("capture", _function(c_void_p, c_void_p)),
    ("enter", _function(None, c_void_p, c_void_p)), ("exit", _function(None, c_void_p, c_void_p)),
    ("release", _function(None, c_void_p, c_void_p))]
loop_exception_context_t._fields_ = [
    ("size", c_size_t), ("message", c_char_p), ("code", c_int), ("exception", c_char_p),
    ("callback", loop_callback_t), ("user_data", c_void_p), ("handle", loop_handle_t), ("fd", c_int),
    ("future", loop_future_t), ("transport", loop_transport_t)]
loop_slow_callback_t._fields_ = [
    ("size", c_size_t), ("callback", loop_callback_t), ("user_data", c_void_p), ("handle", loop_handle_t),
    ("fd", c_int), ("duration_ns", c_uint64)]
policy_vtable_t._fields_ = [
    ("size", c_size_t), ("get_event_loop", _function(c_int, c_void_p, POINTER(loop_t))),
    ("set_event_loop", _function(c_int, c_void_p, loop_t)),
    ("new_event_loop", _function(c_int, c_void_p, POINTER(loop_t)))]
loop_task_options_t._fields_ = [
    ("size", c_size_t), ("flags", c_uint32), ("has_context", c_uint32), ("context", c_void_p),
    ("name", c_char_p)]
loop_runner_options_t._fields_ = [
    ("size", c_size_t), ("flags", c_uint32), ("debug", c_int32)]
loop_accepted_t._fields_ = [
    ("fd", c_int), ("address_length", c_size_t), ("address", c_void_p)]
loop_iovec_t._fields_ = [
    ("base", c_void_p), ("length", c_size_t)]
loop_protocol_t._fields_ = [
    ("size", c_size_t), ("connection_made", _function(None, loop_transport_t, c_void_p)),
    ("data_received", _function(None, loop_transport_t, c_void_p, c_size_t, c_void_p)),
    ("get_buffer", _function(c_int, loop_transport_t, c_size_t, POINTER(c_void_p), POINTER(c_size_t), c_void_p)),
    ("buffer_updated", _function(None, loop_transport_t, c_size_t, c_void_p)),
    ("eof_received", _function(c_int, loop_transport_t, c_void_p)),
    ("pause_writing", _function(None, loop_transport_t, c_void_p)),
    ("resume_writing", _function(None, loop_transport_t, c_void_p)),
    ("connection_lost", _function(None, loop_transport_t, c_int, c_char_p, c_void_p))]
loop_server_options_t._fields_ = [
    ("size", c_size_t), ("host", c_char_p), ("hosts", POINTER(c_char_p)), ("host_count", c_size_t),
    ("port", c_uint16), ("family", c_int), ("resolve_flags", c_int), ("backlog", c_int), ("flags", c_uint32),
    ("fds", POINTER(c_int)), ("fd_count", c_size_t)]
loop_connection_options_t._fields_ = [
    ("size", c_size_t), ("host", c_char_p), ("port", c_uint16), ("local_port", c_uint16),
    ("local_host", c_char_p), ("family", c_int), ("resolve_flags", c_int), ("flags", c_uint32),
    ("interleave", c_uint32), ("happy_eyeballs_delay_ns", c_uint64), ("timeout_ns", c_uint64),
    ("fd", POINTER(c_int))]
loop_datagram_options_t._fields_ = [
    ("size", c_size_t), ("local_host", c_char_p), ("remote_host", c_char_p), ("local_port", c_uint16),
    ("remote_port", c_uint16), ("family", c_int), ("resolve_flags", c_int), ("flags", c_uint32),
    ("local_path", c_char_p), ("remote_path", c_char_p), ("fd", POINTER(c_int))]
loop_datagram_protocol_t._fields_ = [
    ("size", c_size_t), ("connection_made", _function(None, loop_transport_t, c_void_p)),
    ("datagram_received", _function(None, loop_transport_t, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p)),
    ("error_received", _function(None, loop_transport_t, c_int, c_void_p)),
    ("pause_writing", _function(None, loop_transport_t, c_void_p)),
    ("resume_writing", _function(None, loop_transport_t, c_void_p)),
    ("connection_lost", _function(None, loop_transport_t, c_int, c_char_p, c_void_p))]
loop_layer_t._fields_ = [
    ("size", c_size_t),
    ("write", _function(c_int, loop_transport_t, POINTER(loop_iovec_t), c_size_t, c_void_p)),
    ("write_eof", _function(c_int, loop_transport_t, c_void_p)),
    ("close", _function(c_int, loop_transport_t, c_void_p)),
    ("abort", _function(c_int, loop_transport_t, c_int, c_char_p, c_void_p)),
    ("pause_reading", _function(c_int, loop_transport_t, c_void_p)),
    ("resume_reading", _function(c_int, loop_transport_t, c_void_p)),
    ("is_reading", _function(c_int, loop_transport_t, c_void_p)),
    ("set_write_buffer_limits", _function(c_int, loop_transport_t, c_size_t, c_size_t, c_void_p)),
    ("get_write_buffer", _function(c_int, loop_transport_t, POINTER(c_size_t), POINTER(c_size_t), POINTER(c_size_t), c_void_p)),
    ("get_extra_info", _function(c_int, loop_transport_t, c_char_p, POINTER(c_void_p), c_void_p))]
loop_executor_vtable_t._fields_ = [
    ("size", c_size_t), ("submit", _function(c_int, loop_executor_job_t, c_void_p)),
    ("cancel", _function(c_int, loop_executor_job_t, c_void_p)),
    ("shutdown", _function(c_int, c_uint32, c_int64, c_void_p))]
loop_addrinfo_hints_t._fields_ = [
    ("size", c_size_t), ("family", c_int), ("socktype", c_int), ("protocol", c_int), ("flags", c_int)]
loop_addrinfo_t._fields_ = [
    ("family", c_int), ("socktype", c_int), ("protocol", c_int), ("address_length", c_size_t),
    ("address", c_void_p), ("canonical_name", c_char_p)]
loop_stats_t._fields_ = [
    ("size", c_size_t), ("turns", c_uint64), ("waits", c_uint64), ("callbacks", c_uint64),
    ("io_events", c_uint64), ("timers", c_uint64), ("posts", c_uint64), ("busy_ns", c_uint64),
    ("wait_ns", c_uint64), ("ready_now", c_uint64), ("timers_now", c_uint64), ("posts_now", c_uint64),
    ("fds_now", c_uint64), ("longest_ns", c_uint64), ("longest_callback", loop_callback_t),
    ("longest_user_data", c_void_p), ("longest_handle", loop_handle_t), ("longest_fd", c_int)]
loop_stdio_t._fields_ = [
    ("kind", c_uint32), ("fd", c_int)]
loop_subprocess_options_t._fields_ = [
    ("size", c_size_t), ("argv", POINTER(c_char_p)), ("file", c_char_p), ("env", POINTER(c_char_p)),
    ("cwd", c_char_p), ("stdio", loop_stdio_t * 3), ("pass_fds", POINTER(c_int)), ("pass_fds_count", c_size_t),
    ("flags", c_uint32), ("process_group", c_int), ("uid", c_uint32), ("gid", c_uint32),
    ("groups", POINTER(c_uint32)), ("groups_count", c_size_t), ("umask", c_uint32), ("reserved", c_uint32)]
loop_process_protocol_t._fields_ = [
    ("size", c_size_t), ("connection_made", _function(None, loop_process_t, c_void_p)),
    ("pipe_data_received", _function(None, loop_process_t, c_int, c_void_p, c_size_t, c_void_p)),
    ("pipe_connection_lost", _function(None, loop_process_t, c_int, c_int, c_char_p, c_void_p)),
    ("process_exited", _function(None, loop_process_t, c_void_p)),
    ("connection_lost", _function(None, loop_process_t, c_int, c_char_p, c_void_p)),
    ("pause_writing", _function(None, loop_process_t, c_void_p)),
    ("resume_writing", _function(None, loop_process_t, c_void_p))]
loop_watchdog_report_t._fields_ = [
    ("size", c_size_t), ("callback", loop_callback_t), ("user_data", c_void_p), ("handle", loop_handle_t),
    ("fd", c_int), ("earlier", c_uint32), ("duration_ns", c_uint64)]
loop_received_t._fields_ = [
    ("length", c_size_t), ("data", c_void_p), ("address_length", c_size_t), ("address", c_void_p)]
loop_gathered_t._fields_ = [
    ("count", c_size_t), ("results", POINTER(c_void_p)), ("codes", POINTER(c_int)),
    ("futures", POINTER(loop_future_t))]
loop_waited_t._fields_ = [
    ("done_count", c_size_t), ("done", POINTER(loop_future_t)), ("pending_count", c_size_t),
    ("pending", POINTER(loop_future_t))]

# name: (result, parameters)
FUNCTIONS = {
    "coloop_version": (c_char_p, []), "coloop_version_number": (c_uint32, []),
    "coloop_instance_id": (c_uint64, []), "loop_new": (loop_t, []),
    "loop_create": (c_int, [POINTER(loop_options_t), POINTER(loop_t)]), "loop_ref": (loop_t, [loop_t]),
    "loop_unref": (None, [loop_t]), "loop_close": (c_int, [loop_t]), "loop_run_forever": (c_int, [loop_t]),
    "loop_stop": (c_int, [loop_t]), "loop_stop_threadsafe": (c_int, [loop_t]),
    "loop_interrupt": (c_int, [loop_t, c_int]), "loop_is_running": (c_int, [loop_t]),
    "loop_is_closed": (c_int, [loop_t]), "loop_time": (c_uint64, [loop_t]),
    "loop_time_cached": (c_uint64, [loop_t]), "loop_set_debug": (c_int, [loop_t, c_int]),
    "loop_get_debug": (c_int, [loop_t]), "loop_backend_name": (c_char_p, [loop_t]),
    "loop_describe": (c_int, [loop_t, c_char_p, c_size_t]),
    "loop_reinit_after_fork": (c_int, [loop_t, c_uint32]), "loop_get_running": (c_int, [POINTER(loop_t)]),
    "loop_call_soon": (c_int, [loop_t, loop_callback_t, c_void_p, loop_destroy_t, POINTER(loop_handle_t)]),
    "loop_call_soon_context": (c_int, [loop_t, loop_callback_t, c_void_p, loop_destroy_t, c_void_p, POINTER(loop_handle_t)]),
    "loop_call_soon_threadsafe": (c_int, [loop_t, loop_callback_t, c_void_p, loop_destroy_t, POINTER(loop_handle_t)]),
    "loop_call_soon_threadsafe_context": (c_int, [loop_t, loop_callback_t, c_void_p, loop_destroy_t, c_void_p, POINTER(loop_handle_t)]),
    "loop_call_later": (c_int, [loop_t, c_int64, loop_callback_t, c_void_p, loop_destroy_t, POINTER(loop_handle_t)]),
    "loop_call_later_context": (c_int, [loop_t, c_int64, loop_callback_t, c_void_p, loop_destroy_t, c_void_p, POINTER(loop_handle_t)]),
    "loop_call_at": (c_int, [loop_t, c_uint64, loop_callback_t, c_void_p, loop_destroy_t, POINTER(loop_handle_t)]),
    "loop_call_at_context": (c_int, [loop_t, c_uint64, loop_callback_t, c_void_p, loop_destroy_t, c_void_p, POINTER(loop_handle_t)]),
    "loop_wakeup": (c_int, [loop_t]), "loop_handle_cancel": (c_int, [loop_t, loop_handle_t]),
    "loop_handle_cancelled": (c_int, [loop_t, loop_handle_t]),
    "loop_handle_when": (c_int, [loop_t, loop_handle_t, POINTER(c_uint64)]),
    "loop_handle_reschedule": (c_int, [loop_t, loop_handle_t, c_uint64]),
    "loop_add_reader": (c_int, [loop_t, c_int, loop_callback_t, c_void_p, loop_destroy_t]),
    "loop_add_reader_context": (c_int, [loop_t, c_int, loop_callback_t, c_void_p, loop_destroy_t, c_void_p]),
    "loop_remove_reader": (c_int, [loop_t, c_int]),
    "loop_add_writer": (c_int, [loop_t, c_int, loop_callback_t, c_void_p, loop_destroy_t]),
    "loop_add_writer_context": (c_int, [loop_t, c_int, loop_callback_t, c_void_p, loop_destroy_t, c_void_p]),
    "loop_remove_writer": (c_int, [loop_t, c_int]), "loop_run_once": (c_int, [loop_t, c_int64]),
    "loop_backend_fd": (c_int, [loop_t]), "loop_next_deadline": (c_int, [loop_t, POINTER(c_uint64)]),
    "loop_prepare": (c_int, [loop_t, POINTER(c_int64)]), "loop_poll": (c_int, [loop_t, c_int64]),
    "loop_dispatch": (c_int, [loop_t]),
    "loop_set_wait_hooks": (c_int, [loop_t, loop_hook_t, loop_hook_t, c_void_p, loop_destroy_t]),
    "loop_set_wake_hook": (c_int, [loop_t, loop_hook_t, c_void_p, loop_destroy_t]),
    "loop_set_context_hooks": (c_int, [loop_t, POINTER(loop_context_hooks_t), c_void_p, loop_destroy_t]),
    "loop_set_exception_handler": (c_int, [loop_t, loop_exception_handler_t, c_void_p, loop_destroy_t]),
    "loop_call_exception_handler": (c_int, [loop_t, POINTER(loop_exception_context_t)]),
    "loop_default_exception_handler": (c_int, [loop_t, POINTER(loop_exception_context_t)]),
    "loop_callback_failed": (c_int, [loop_t, c_int, c_char_p]),
    "loop_set_slow_callback_hook": (c_int, [loop_t, loop_slow_callback_hook_t, c_void_p, loop_destroy_t]),
    "loop_set_slow_callback_duration": (c_int, [loop_t, c_uint64]),
    "loop_get_slow_callback_duration": (c_uint64, [loop_t]),
    "policy_get_event_loop": (c_int, [POINTER(loop_t)]), "policy_set_event_loop": (c_int, [loop_t]),
    "policy_new_event_loop": (c_int, [POINTER(loop_t)]), "policy_set_mode": (c_int, [c_int]),
    "policy_get_mode": (c_int, []),
    "policy_new": (c_int, [POINTER(policy_vtable_t), c_void_p, loop_destroy_t, POINTER(policy_t)]),
    "policy_ref": (policy_t, [policy_t]), "policy_unref": (None, [policy_t]),
    "policy_set": (c_int, [policy_t]), "policy_get": (policy_t, []),
    "policy_object_get_event_loop": (c_int, [policy_t, POINTER(loop_t)]),
    "policy_object_set_event_loop": (c_int, [policy_t, loop_t]),
    "policy_object_new_event_loop": (c_int, [policy_t, POINTER(loop_t)]),
    "loop_future_new": (c_int, [loop_t, POINTER(loop_future_t)]),
    "loop_future_new_cancellable": (c_int, [loop_t, loop_future_cancel_t, c_void_p, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_future_ref": (loop_future_t, [loop_future_t]), "loop_future_unref": (None, [loop_future_t]),
    "loop_future_get_loop": (loop_t, [loop_future_t]), "loop_future_done": (c_int, [loop_future_t]),
    "loop_future_cancelled": (c_int, [loop_future_t]),
    "loop_future_result": (c_int, [loop_future_t, POINTER(c_void_p)]),
    "loop_future_exception": (c_int, [loop_future_t, POINTER(c_int), POINTER(c_char_p)]),
    "loop_future_exception_data": (c_void_p, [loop_future_t]),
    "loop_future_get_destroy": (loop_destroy_t, [loop_future_t]),
    "loop_future_use_count": (c_size_t, [loop_future_t]),
    "loop_future_set_result": (c_int, [loop_future_t, c_void_p, loop_destroy_t]),
    "loop_future_set_exception": (c_int, [loop_future_t, c_int, c_char_p]),
    "loop_future_set_exception_data": (c_int, [loop_future_t, c_int, c_char_p, c_void_p, loop_destroy_t]),
    "loop_future_set_exception_of": (c_int, [loop_future_t, loop_future_t]),
    "loop_future_cancel": (c_int, [loop_future_t, c_char_p]),
    "loop_future_add_done_callback": (c_int, [loop_future_t, loop_future_callback_t, c_void_p, loop_destroy_t]),
    "loop_future_add_done_callback_context": (c_int, [loop_future_t, loop_future_callback_t, c_void_p, loop_destroy_t, c_void_p]),
    "loop_future_remove_done_callback": (c_int, [loop_future_t, loop_future_callback_t, c_void_p]),
    "loop_create_task": (c_int, [loop_t, loop_task_step_t, c_void_p, loop_destroy_t, POINTER(loop_task_t)]),
    "loop_create_task_with": (c_int, [loop_t, POINTER(loop_task_options_t), loop_task_step_t, c_void_p, loop_destroy_t, POINTER(loop_task_t)]),
    "loop_task_ref": (loop_task_t, [loop_task_t]), "loop_task_unref": (None, [loop_task_t]),
    "loop_task_future": (loop_future_t, [loop_task_t]),
    "loop_task_await": (c_int, [loop_task_t, loop_future_t]),
    "loop_task_awaited": (loop_future_t, [loop_task_t]),
    "loop_task_park": (c_int, [loop_task_t, loop_callback_t, c_void_p]),
    "loop_task_wake": (c_int, [loop_task_t]), "loop_task_wake_now": (c_int, [loop_task_t]),
    "loop_task_return": (c_int, [loop_task_t, c_void_p, loop_destroy_t]),
    "loop_task_fail": (c_int, [loop_task_t, c_int, c_char_p]),
    "loop_task_fail_data": (c_int, [loop_task_t, c_int, c_char_p, c_void_p, loop_destroy_t]),
    "loop_task_fail_of": (c_int, [loop_task_t, loop_future_t]),
    "loop_task_cancel": (c_int, [loop_task_t, c_char_p]), "loop_task_uncancel": (c_int, [loop_task_t]),
    "loop_task_cancelling": (c_int, [loop_task_t]),
    "loop_task_get_name": (c_int, [loop_task_t, c_char_p, c_size_t]),
    "loop_task_set_name": (c_int, [loop_task_t, c_char_p]), "loop_current_task": (loop_task_t, [loop_t]),
    "loop_all_tasks": (c_int, [loop_t, POINTER(loop_task_t), c_size_t]),
    "loop_sleep": (c_int, [loop_t, c_int64, c_void_p, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_timeout_enter": (c_int, [loop_task_t, c_int64, POINTER(loop_timeout_t)]),
    "loop_timeout_reschedule": (c_int, [loop_timeout_t, c_int64]),
    "loop_timeout_exit": (c_int, [loop_timeout_t, c_int]),
    "loop_task_group_new": (c_int, [loop_task_t, POINTER(loop_task_group_t)]),
    "loop_task_group_ref": (loop_task_group_t, [loop_task_group_t]),
    "loop_task_group_unref": (None, [loop_task_group_t]),
    "loop_task_group_create_task": (c_int, [loop_task_group_t, loop_task_step_t, c_void_p, loop_destroy_t, POINTER(loop_task_t)]),
    "loop_task_group_cancel": (c_int, [loop_task_group_t]),
    "loop_task_group_exit": (c_int, [loop_task_group_t, c_int, POINTER(loop_future_t)]),
    "loop_task_group_errors": (c_int, [loop_task_group_t, c_size_t, POINTER(c_int), c_char_p, c_size_t]),
    "loop_task_group_error_data": (c_void_p, [loop_task_group_t, c_size_t]),
    "loop_task_group_error_destroy": (loop_destroy_t, [loop_task_group_t, c_size_t]),
    "loop_gather": (c_int, [loop_t, POINTER(loop_future_t), c_size_t, c_uint32, POINTER(loop_future_t)]),
    "loop_wait": (c_int, [loop_t, POINTER(loop_future_t), c_size_t, c_int64, c_int, POINTER(loop_future_t)]),
    "loop_wait_for": (c_int, [loop_future_t, c_int64, POINTER(loop_future_t)]),
    "loop_shield": (c_int, [loop_future_t, POINTER(loop_future_t)]),
    "loop_run_until_complete": (c_int, [loop_t, loop_future_t, POINTER(c_void_p)]),
    "loop_add_finalizer": (c_int, [loop_t, loop_finalizer_t, c_void_p, loop_destroy_t, POINTER(c_uint64)]),
    "loop_remove_finalizer": (c_int, [loop_t, c_uint64]),
    "loop_shutdown_asyncgens": (c_int, [loop_t, POINTER(loop_future_t)]),
    "loop_run": (c_int, [POINTER(loop_runner_options_t), loop_task_step_t, c_void_p, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_runner_new": (c_int, [POINTER(loop_runner_options_t), POINTER(loop_runner_t)]),
    "loop_runner_get_loop": (loop_t, [loop_runner_t]),
    "loop_runner_run": (c_int, [loop_runner_t, loop_task_step_t, c_void_p, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_runner_close": (c_int, [loop_runner_t]),
    "loop_submit_threadsafe": (c_int, [loop_t, loop_submit_callback_t, c_void_p, loop_destroy_t, POINTER(loop_cfuture_t)]),
    "loop_create_task_threadsafe": (c_int, [loop_t, loop_task_step_t, c_void_p, loop_destroy_t, POINTER(loop_cfuture_t)]),
    "loop_cfuture_new": (c_int, [POINTER(loop_cfuture_t)]),
    "loop_cfuture_ref": (loop_cfuture_t, [loop_cfuture_t]), "loop_cfuture_unref": (None, [loop_cfuture_t]),
    "loop_cfuture_done": (c_int, [loop_cfuture_t]),
    "loop_cfuture_result": (c_int, [loop_cfuture_t, c_int64, POINTER(c_void_p)]),
    "loop_cfuture_cancel": (c_int, [loop_cfuture_t, c_char_p]),
    "loop_cfuture_set_result": (c_int, [loop_cfuture_t, c_void_p, loop_destroy_t]),
    "loop_cfuture_set_exception": (c_int, [loop_cfuture_t, c_int, c_char_p]),
    "loop_cfuture_set_exception_data": (c_int, [loop_cfuture_t, c_int, c_char_p, c_void_p, loop_destroy_t]),
    "loop_cfuture_exception_data": (c_void_p, [loop_cfuture_t]),
    "loop_cfuture_get_destroy": (loop_destroy_t, [loop_cfuture_t]),
    "loop_cfuture_add_done_callback": (c_int, [loop_cfuture_t, loop_cfuture_callback_t, c_void_p, loop_destroy_t]),
    "loop_wrap_cfuture": (c_int, [loop_t, loop_cfuture_t, POINTER(loop_future_t)]),
    "loop_sock_recv": (c_int, [loop_t, c_int, c_size_t, POINTER(loop_future_t)]),
    "loop_sock_recv_into": (c_int, [loop_t, c_int, c_void_p, c_size_t, POINTER(loop_future_t)]),
    "loop_sock_recvfrom": (c_int, [loop_t, c_int, c_size_t, POINTER(loop_future_t)]),
    "loop_sock_recvfrom_into": (c_int, [loop_t, c_int, c_void_p, c_size_t, POINTER(loop_future_t)]),
    "loop_sock_sendall": (c_int, [loop_t, c_int, c_void_p, c_size_t, c_void_p, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_sock_sendto": (c_int, [loop_t, c_int, c_void_p, c_size_t, c_void_p, loop_destroy_t, c_void_p, c_size_t, POINTER(loop_future_t)]),
    "loop_sock_accept": (c_int, [loop_t, c_int, POINTER(loop_future_t)]),
    "loop_accepted_take": (c_int, [POINTER(loop_accepted_t)]),
    "loop_sock_connect": (c_int, [loop_t, c_int, c_void_p, c_size_t, POINTER(loop_future_t)]),
    "loop_sock_sendfile": (c_int, [loop_t, c_int, c_int, c_int64, c_int64, POINTER(loop_future_t)]),
    "loop_transport_ref": (loop_transport_t, [loop_transport_t]),
    "loop_transport_unref": (None, [loop_transport_t]),
    "loop_transport_get_loop": (loop_t, [loop_transport_t]),
    "loop_transport_write": (c_int, [loop_transport_t, c_void_p, c_size_t]),
    "loop_transport_writev": (c_int, [loop_transport_t, POINTER(loop_iovec_t), c_size_t]),
    "loop_transport_write_owned": (c_int, [loop_transport_t, c_void_p, c_size_t, c_void_p, loop_destroy_t]),
    "loop_transport_write_eof": (c_int, [loop_transport_t]),
    "loop_transport_can_write_eof": (c_int, [loop_transport_t]),
    "loop_transport_close": (c_int, [loop_transport_t]), "loop_transport_abort": (c_int, [loop_transport_t]),
    "loop_transport_fail": (c_int, [loop_transport_t, c_int, c_char_p]),
    "loop_transport_is_closing": (c_int, [loop_transport_t]),
    "loop_transport_pause_reading": (c_int, [loop_transport_t]),
    "loop_transport_resume_reading": (c_int, [loop_transport_t]),
    "loop_transport_is_reading": (c_int, [loop_transport_t]),
    "loop_transport_set_write_buffer_limits": (c_int, [loop_transport_t, c_size_t, c_size_t]),
    "loop_transport_get_write_buffer_size": (c_int, [loop_transport_t, POINTER(c_size_t)]),
    "loop_transport_get_write_buffer_limits": (c_int, [loop_transport_t, POINTER(c_size_t), POINTER(c_size_t)]),
    "loop_transport_set_protocol": (c_int, [loop_transport_t, POINTER(loop_protocol_t), c_void_p, loop_destroy_t]),
    "loop_transport_get_protocol": (c_void_p, [loop_transport_t]),
    "loop_transport_get_fd": (c_int, [loop_transport_t]),
    "loop_transport_get_peername": (c_int, [loop_transport_t, c_void_p, POINTER(c_size_t)]),
    "loop_transport_get_sockname": (c_int, [loop_transport_t, c_void_p, POINTER(c_size_t)]),
    "loop_transport_get_extra_info": (c_int, [loop_transport_t, c_char_p, POINTER(c_void_p)]),
    "loop_transport_sendfile": (c_int, [loop_transport_t, c_int, c_int64, c_int64, POINTER(loop_future_t)]),
    "loop_create_server": (c_int, [loop_t, POINTER(loop_server_options_t), loop_protocol_factory_t, c_void_p, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_create_unix_server": (c_int, [loop_t, c_char_p, c_int, c_uint32, loop_protocol_factory_t, c_void_p, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_server_ref": (loop_server_t, [loop_server_t]), "loop_server_unref": (None, [loop_server_t]),
    "loop_server_get_loop": (loop_t, [loop_server_t]), "loop_server_start_serving": (c_int, [loop_server_t]),
    "loop_server_is_serving": (c_int, [loop_server_t]), "loop_server_close": (c_int, [loop_server_t]),
    "loop_server_close_clients": (c_int, [loop_server_t]),
    "loop_server_abort_clients": (c_int, [loop_server_t]),
    "loop_server_wait_closed": (c_int, [loop_server_t, POINTER(loop_future_t)]),
    "loop_server_serve_forever": (c_int, [loop_server_t, POINTER(loop_future_t)]),
    "loop_server_get_sockets": (c_int, [loop_server_t, POINTER(c_int), c_size_t]),
    "loop_server_get_address": (c_int, [loop_server_t, c_size_t, c_void_p, c_size_t]),
    "loop_create_connection": (c_int, [loop_t, POINTER(loop_connection_options_t), POINTER(loop_protocol_t), c_void_p, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_create_unix_connection": (c_int, [loop_t, c_char_p, POINTER(loop_protocol_t), c_void_p, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_create_datagram_endpoint": (c_int, [loop_t, POINTER(loop_datagram_options_t), POINTER(loop_datagram_protocol_t), c_void_p, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_transport_sendto": (c_int, [loop_transport_t, c_void_p, c_size_t, c_void_p, c_size_t]),
    "loop_connect_accepted_socket": (c_int, [loop_t, c_int, POINTER(loop_protocol_t), c_void_p, loop_destroy_t, POINTER(loop_transport_t)]),
    "loop_connect_read_pipe": (c_int, [loop_t, c_int, POINTER(loop_protocol_t), c_void_p, loop_destroy_t, POINTER(loop_transport_t)]),
    "loop_connect_write_pipe": (c_int, [loop_t, c_int, POINTER(loop_protocol_t), c_void_p, loop_destroy_t, POINTER(loop_transport_t)]),
    "loop_transport_new_layer": (c_int, [loop_t, POINTER(loop_layer_t), c_void_p, loop_destroy_t, POINTER(loop_protocol_t), c_void_p, loop_destroy_t, POINTER(loop_transport_t)]),
    "loop_layer_connection_made": (c_int, [loop_transport_t]),
    "loop_layer_data_received": (c_int, [loop_transport_t, c_void_p, c_size_t]),
    "loop_layer_eof_received": (c_int, [loop_transport_t]),
    "loop_layer_pause_writing": (c_int, [loop_transport_t]),
    "loop_layer_resume_writing": (c_int, [loop_transport_t]),
    "loop_layer_connection_lost": (c_int, [loop_transport_t, c_int, c_char_p]),
    "loop_add_signal_handler": (c_int, [loop_t, c_int, loop_callback_t, c_void_p, loop_destroy_t]),
    "loop_add_signal_handler_context": (c_int, [loop_t, c_int, loop_callback_t, c_void_p, loop_destroy_t, c_void_p]),
    "loop_remove_signal_handler": (c_int, [loop_t, c_int]),
    "loop_executor_new": (c_int, [c_uint32, POINTER(loop_executor_t)]),
    "loop_executor_create": (c_int, [POINTER(loop_executor_vtable_t), c_void_p, loop_destroy_t, POINTER(loop_executor_t)]),
    "loop_executor_ref": (loop_executor_t, [loop_executor_t]),
    "loop_executor_unref": (None, [loop_executor_t]),
    "loop_executor_set_workers": (c_int, [loop_executor_t, c_uint32]),
    "loop_executor_threads": (c_int, [loop_executor_t]), "loop_executor_queued": (c_int, [loop_executor_t]),
    "loop_executor_submit": (c_int, [loop_executor_t, loop_callback_t, c_void_p, loop_destroy_t]),
    "loop_executor_shutdown": (c_int, [loop_executor_t, c_uint32, c_int64]),
    "loop_executor_reinit_after_fork": (c_int, [loop_executor_t]),
    "loop_executor_job_run": (None, [loop_executor_job_t]),
    "loop_executor_job_discard": (None, [loop_executor_job_t]),
    "loop_run_in_executor": (c_int, [loop_t, loop_executor_t, loop_job_t, c_void_p, loop_destroy_t, loop_destroy_t, POINTER(loop_future_t)]),
    "loop_job_fail": (c_int, [c_int, c_char_p]),
    "loop_job_fail_data": (c_int, [c_int, c_char_p, c_void_p, loop_destroy_t]),
    "loop_call_in_executor": (c_int, [loop_t, loop_executor_t, loop_callback_t, loop_callback_t, c_void_p, loop_destroy_t]),
    "loop_set_default_executor": (c_int, [loop_t, loop_executor_t]),
    "loop_shutdown_default_executor": (c_int, [loop_t, c_int64, POINTER(loop_future_t)]),
    "loop_getaddrinfo": (c_int, [loop_t, c_char_p, c_char_p, POINTER(loop_addrinfo_hints_t), c_int64, POINTER(loop_future_t)]),
    "loop_getaddrinfo_result": (c_int, [loop_future_t, POINTER(POINTER(loop_addrinfo_t)), POINTER(c_size_t)]),
    "loop_getnameinfo": (c_int, [loop_t, c_void_p, c_size_t, c_int, c_int64, POINTER(loop_future_t)]),
    "loop_getnameinfo_result": (c_int, [loop_future_t, POINTER(c_char_p), POINTER(c_char_p)]),
    "loop_watch_child": (c_int, [loop_t, c_int, loop_child_callback_t, c_void_p, loop_destroy_t]),
    "loop_unwatch_child": (c_int, [loop_t, c_int]), "loop_child_watcher_get": (loop_child_watcher_t, [c_int]),
    "loop_child_watcher_name": (c_char_p, [loop_child_watcher_t]),
    "loop_child_watcher_attach_loop": (c_int, [loop_child_watcher_t, loop_t]),
    "loop_child_watcher_is_active": (c_int, [loop_child_watcher_t]),
    "loop_child_watcher_add_child_handler": (c_int, [loop_child_watcher_t, c_int, loop_child_callback_t, c_void_p, loop_destroy_t]),
    "loop_child_watcher_remove_child_handler": (c_int, [loop_child_watcher_t, c_int]),
    "policy_get_child_watcher": (c_int, [POINTER(loop_child_watcher_t)]),
    "policy_set_child_watcher": (c_int, [loop_child_watcher_t]),
    "loop_get_stats": (c_int, [loop_t, POINTER(loop_stats_t)]),
    "loop_set_stats_level": (c_int, [loop_t, c_uint32]),
    "loop_subprocess_exec": (c_int, [loop_t, POINTER(loop_subprocess_options_t), POINTER(loop_process_t)]),
    "loop_subprocess_shell": (c_int, [loop_t, c_char_p, POINTER(loop_subprocess_options_t), POINTER(loop_process_t)]),
    "loop_subprocess_exec_protocol": (c_int, [loop_t, POINTER(loop_subprocess_options_t), POINTER(loop_process_protocol_t), c_void_p, loop_destroy_t, POINTER(loop_process_t)]),
    "loop_subprocess_shell_protocol": (c_int, [loop_t, c_char_p, POINTER(loop_subprocess_options_t), POINTER(loop_process_protocol_t), c_void_p, loop_destroy_t, POINTER(loop_process_t)]),
    "loop_process_ref": (loop_process_t, [loop_process_t]), "loop_process_unref": (None, [loop_process_t]),
    "loop_process_get_loop": (loop_t, [loop_process_t]), "loop_process_pid": (c_int, [loop_process_t]),
    "loop_process_returncode": (c_int, [loop_process_t, POINTER(c_int)]),
    "loop_process_wait": (c_int, [loop_process_t, POINTER(loop_future_t)]),
    "loop_process_send_signal": (c_int, [loop_process_t, c_int]),
    "loop_process_terminate": (c_int, [loop_process_t]), "loop_process_kill": (c_int, [loop_process_t]),
    "loop_process_close": (c_int, [loop_process_t]),
    "loop_process_get_pipe_fd": (c_int, [loop_process_t, c_int]),
    "loop_process_take_pipe_fd": (c_int, [loop_process_t, c_int]),
    "loop_process_get_pipe_transport": (loop_transport_t, [loop_process_t, c_int]),
    "loop_watchdog_start": (c_int, [loop_t, c_uint64, loop_watchdog_callback_t, c_void_p, loop_destroy_t]),
    "loop_watchdog_stop": (c_int, [loop_t]), "loop_strerror": (c_char_p, [c_int]),
    "loop_last_error": (c_char_p, []),
}


def load(path=None):
    """The library as a ctypes.CDLL, with results and parameters declared.

    path: the file. None: $COLOOP_LIBRARY; or the library that the process has
    loaded already; or the one in this package. OSError if it cannot be loaded,
    AttributeError if it is too old to have all functions.
    """
    lib = _open(path or os.environ.get("COLOOP_LIBRARY"))
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def _open(path):
    if path:
        return ctypes.CDLL(path)
    # By its name alone: a second copy would have loops and policies of its own.
    if sys.platform == "win32":
        find = ctypes.WinDLL("kernel32").GetModuleHandleW
        find.restype, find.argtypes = c_void_p, [ctypes.c_wchar_p]
        loaded = find(_LIBRARY)
        if loaded:
            return ctypes.CDLL(_LIBRARY, handle=loaded)
    else:
        try:
            return ctypes.CDLL(_LIBRARY, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        except OSError:
            pass
    here = os.path.dirname(os.path.abspath(__file__))
    return ctypes.CDLL(os.path.join(here, "lib", _LIBRARY))
