"""Futures that Python and C code share: each side awaits what the other one makes."""

import asyncio
import errno
import socket
import sys

from . import _coloop
from ._error import Error

_EINVAL, _EINVALID_STATE, _ECANCELLED, _EEXCEPTION = -1010, -1013, -1014, -1017
# The resolver's codes: the system's EAI_..., 2000 lower.
_EAI = range(-2999, -2000)


def _exception_of(code, text):
    """The exception that the failure of a C future is."""
    if code == -errno.ENOMEM:
        return MemoryError(text)
    if -1000 < code < 0:
        return OSError(-code, text)
    if code in _EAI:
        return socket.gaierror(code + 2000, text)
    if code == _EINVAL:
        return ValueError(text)
    if code == _EINVALID_STATE:
        return asyncio.InvalidStateError(text)
    return Error(code, text)


def _text(value):
    """What C is told of an object, or None: UTF-8 that ends with its first zero."""
    try:
        text = str(value)
    except Exception:
        text = f"<{type(value).__name__} without text>"
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()


def _failure_of(exc):
    """The code and the text that an exception is in C."""
    text = _text(exc)
    match exc:
        case Error(code=int(code)) if -(2**31) <= code < 0 and code != _ECANCELLED:
            pass
        case socket.gaierror(errno=int(number)) if number - 2000 in _EAI:
            code, text = number - 2000, exc.strerror
        case OSError(errno=int(number)) if 0 < number < 1000:
            code, text = -number, exc.strerror
        case TimeoutError():
            code = -errno.ETIMEDOUT
        case MemoryError():
            code = -errno.ENOMEM
        case ValueError():
            code = _EINVAL
        case asyncio.InvalidStateError():
            code = _EINVALID_STATE
        case _:
            code, text = _EEXCEPTION, f"{type(exc).__name__}: {text}" if text else type(exc).__name__
    return code, _text(text or "") or None


_coloop._set_failures(_failure_of, _exception_of)


class Future(asyncio.Future):
    """The asyncio future of a loop_future_t, made by future_from_pointer.

    Cancelling it cancels C's; it is done when that is.
    """

    def __init__(self, shared, convert):
        super().__init__(loop=shared.loop)
        self._shared = shared
        self._convert = convert
        shared.add(self)

    def cancel(self, msg=None):
        """Ask C code to cancel. False if it is done, or C code refuses. asyncio: Future.cancel."""
        if self.done():
            return False
        taken = self._shared.cancel(msg, None if msg is None else _text(msg))
        return super().cancel(msg) if taken is None else taken


def future_from_pointer(pointer, *, convert=None):
    """What to await for a loop_future_t: an asyncio.Future on its loop.

    pointer: an int, a capsule "coloop.loop_future_t", or a pointer of ctypes or cffi;
    the future takes a reference of its own. The result is the Python object that
    C's future carries, or None for NULL, or the pointer as an int, which stays valid
    as long as the future. `convert` is called with the int and makes the result. A
    failure is the exception that Python code raised, OSError, or coloop.Error.

    From the loop's thread, as long as the loop runs. asyncio: wrap_future().
    """
    if convert is not None and not callable(convert):
        raise TypeError(f"a callable is needed, not {convert!r}")
    shared = _coloop._import_future(_address(pointer))
    for future in shared.waiters():
        if future._convert is convert and not future.done():
            return future
    return Future(shared, convert)


def future_pointer(awaitable, *, loop=None):
    """A loop_future_t that ends as the awaitable does: its address, an int.

    It comes with one reference, for C code to give back by loop_future_unref. A
    coroutine becomes a task of `loop`, by default the running one. Cancelling C's
    future cancels it; who awaits C's future waits until it has ended. A result is a
    PyObject, a failure has the exception as its data: both belong to the future. An
    awaitable that stands for a future of C's own is that future, with its own result;
    coloop->future_result of the function table tells them apart.

    From the loop's thread, as long as the loop runs. asyncio: ensure_future().
    """
    return _shared(awaitable, loop).pointer()


def future_capsule(awaitable, *, loop=None):
    """The same in a capsule "coloop.loop_future_t", which holds the reference."""
    return _shared(awaitable, loop).capsule()


def _shared(awaitable, loop):
    if not asyncio.isfuture(awaitable):
        loop = asyncio.get_running_loop() if loop is None else loop
    elif loop is None:
        loop = awaitable.get_loop()
    elif loop is not awaitable.get_loop():
        raise ValueError(
            "The future belongs to a different loop than the one specified as the loop argument"
        )
    if type(awaitable) is Future and awaitable._convert is None and awaitable._shared.is_kept:
        return awaitable._shared
    export = _coloop.FutureExport(loop)
    export.follow(asyncio.ensure_future(awaitable, loop=loop))
    return export


def _address(pointer):
    """An int or a capsule, of what C's pointers are in Python."""
    ctypes = sys.modules.get("ctypes")
    if ctypes and isinstance(pointer, (ctypes.c_void_p, ctypes._Pointer)):
        return ctypes.cast(pointer, ctypes.c_void_p).value or 0
    cffi = sys.modules.get("_cffi_backend")
    if cffi and isinstance(pointer, cffi._CDataBase):
        return int(cffi.FFI().cast("uintptr_t", pointer))
    return pointer
