"""The C ABI as ctypes sees it: just what the tests call."""

import ctypes
import faulthandler
import os
import pathlib
import signal

LIBRARY = os.environ.get("COLOOP_LIBRARY") or str(
    pathlib.Path(__file__).resolve().parents[2] / "target/lib/libcoloop.so.0"
)
CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
NO_DESTROY = ctypes.cast(None, CALLBACK)
ECLOSED, ERUNNING, EOTHER_RUNNING, ENO_RUNNING, ENO_CURRENT = -1001, -1002, -1003, -1004, -1005
EFORKED, ESTALE, EINVAL = -1008, -1009, -1010
RUN_LIMIT = 60  # seconds: no test runs a loop for nearly as long


def load():
    lib = ctypes.CDLL(LIBRARY)
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    handle = ctypes.POINTER(ctypes.c_uint64)
    user_data = [CALLBACK, pointer, CALLBACK]
    signatures = {
        "coloop_instance_id": (ctypes.c_uint64, []),
        "loop_new": (pointer, []),
        "loop_unref": (None, [pointer]),
        "loop_close": (integer, [pointer]),
        "loop_is_closed": (integer, [pointer]),
        "loop_run_forever": (integer, [pointer]),
        "loop_stop": (integer, [pointer]),
        "loop_stop_threadsafe": (integer, [pointer]),
        "loop_time": (ctypes.c_uint64, [pointer]),
        "loop_describe": (integer, [pointer, ctypes.c_char_p, ctypes.c_size_t]),
        "loop_get_running": (integer, [ctypes.POINTER(pointer)]),
        "loop_call_soon": (integer, [pointer, *user_data, handle]),
        "loop_call_soon_threadsafe": (integer, [pointer, *user_data, handle]),
        "loop_call_later": (integer, [pointer, ctypes.c_int64, *user_data, handle]),
        "loop_call_at": (integer, [pointer, ctypes.c_uint64, *user_data, handle]),
        "loop_handle_cancel": (integer, [pointer, ctypes.c_uint64]),
        "loop_add_reader": (integer, [pointer, integer, *user_data]),
        "loop_add_writer": (integer, [pointer, integer, *user_data]),
        "loop_remove_reader": (integer, [pointer, integer]),
        "loop_remove_writer": (integer, [pointer, integer]),
        "loop_last_error": (ctypes.c_char_p, []),
        "policy_get_event_loop": (integer, [ctypes.POINTER(pointer)]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


# A signal and not a thread: children are forked inside runs, and have no threads.
faulthandler.register(signal.SIGALRM, chain=True)


def run_limited(run):
    """A loop that is never stopped shall end the tests, and show where, not hang them."""
    signal.alarm(RUN_LIMIT)
    try:
        return run()
    finally:
        signal.alarm(0)


class Loop:
    """A loop whose callbacks are Python functions; what they raise ends the run and comes out of
    it. A negative result raises OSError(code, message)."""

    def __init__(self, lib, pointer=None):
        self.lib = lib
        self.pointer = pointer or lib.loop_new()
        self.kept = []  # ctypes frees a callback that nobody refers to
        self.error = None

    def wrap(self, function):
        def call(_):
            try:
                function()
            except BaseException as error:  # ctypes would only print it
                self.error = self.error or error
                self.lib.loop_stop_threadsafe(self.pointer)

        callback = CALLBACK(call)
        self.kept.append(callback)
        return callback

    def check(self, result):
        if result < 0:
            raise OSError(result, self.lib.loop_last_error().decode())
        return result

    def schedule(self, name, *arguments, function):
        handle = ctypes.c_uint64()
        self.check(getattr(self.lib, name)(
            self.pointer, *arguments, self.wrap(function), None, NO_DESTROY, ctypes.byref(handle)))
        return handle.value

    def watch(self, name, fd, function):
        self.check(getattr(self.lib, name)(self.pointer, fd, self.wrap(function), None, NO_DESTROY))

    def run(self):
        result = run_limited(lambda: self.lib.loop_run_forever(self.pointer))
        if self.error is not None:
            raise self.error
        return self.check(result)

    def close(self):
        self.lib.loop_close(self.pointer)
        self.lib.loop_unref(self.pointer)
