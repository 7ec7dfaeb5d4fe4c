"""EventLoop: asyncio's loop on the library's."""

import asyncio
import inspect
import os
import selectors
import signal
import sys
import threading
import weakref
from asyncio import base_events, constants, events, format_helpers
from asyncio.log import logger

from . import _coloop, _handles, _tls, _transports  # noqa: F401

_FORK_MODES = {"error": 0, "asyncio": 1, "reinit": 2}
# Since 3.13.
_SHOWS_ARGUMENTS_IN_DEBUG_MODE_ONLY = (
    "debug" in inspect.signature(format_helpers._format_callback_source).parameters
)
# Loops that may have handed their pipe to Python's signal handler.
_signalled = weakref.WeakSet()


def _leave_the_parents_pipe():
    """In a forked child: its signals must not wake the parent's loop."""
    try:
        fd = signal.set_wakeup_fd(-1)
    except ValueError:  # not in the main thread
        return
    if all(loop._csock is None or loop._csock.fileno() != fd for loop in list(_signalled)):
        signal.set_wakeup_fd(fd)


if sys.version_info < (3, 12):  # asyncio does it itself from then on
    os.register_at_fork(after_in_child=_leave_the_parents_pipe)


class _Selector:
    """What asyncio's code asks a selector: which descriptors are watched.

    The library waits for them; nothing is registered here.
    """

    def __init__(self, loop):
        self._loop = weakref.ref(loop)

    def get_key(self, fileobj):
        """A selectors.SelectorKey, as BaseSelector.get_key. KeyError."""
        loop = self._loop()
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        reader, writer = loop._watched(fd) if loop is not None else (None, None)
        mask = (reader and selectors.EVENT_READ or 0) | (writer and selectors.EVENT_WRITE or 0)
        if not mask:
            raise KeyError(f"{fileobj!r} is not registered")
        return selectors.SelectorKey(fileobj, fd, mask, (reader, writer))

    def get_map(self):
        """The keys by descriptor, as BaseSelector.get_map."""
        loop = self._loop()
        fds = loop._watched_fds() if loop is not None else []
        return {fd: self.get_key(fd) for fd in fds}

    def close(self):
        """Nothing: the library closes what it opened."""


class EventLoop(_coloop.Loop, asyncio.SelectorEventLoop):
    """asyncio's event loop, on a loop that C and C++ code can share.

    fork: what an inherited loop does in a forked child. "error": every call
    raises RuntimeError. "asyncio": it works on, as asyncio's. "reinit": it works
    on, with its timers only.
    """

    def __init__(self, *, fork="error", _pointer=None):
        try:
            mode = _FORK_MODES[fork]
        except KeyError:
            raise ValueError(f"fork must be one of {', '.join(_FORK_MODES)}") from None
        self._open(_pointer, mode)
        self._ssock = self._csock = None
        super().__init__(_Selector(self))

    # The wake-up is the library's. Only signals need asyncio's pipe, because
    # Python's own handler writes to it; it is made for the first of them.

    def _make_self_pipe(self):
        self._internal_fds += 1

    def _close_self_pipe(self):
        if self._csock is not None:
            super()._close_self_pipe()
        self._internal_fds = 0

    def add_signal_handler(self, sig, callback, *args):
        if self._csock is None:
            self._check_signal(sig)
            self._check_closed()
            if threading.current_thread() is not threading.main_thread():
                try:
                    signal.set_wakeup_fd(-1)
                except ValueError as exc:  # always: only the main thread may
                    raise RuntimeError(str(exc)) from None
            super()._make_self_pipe()
            _signalled.add(self)
        return super().add_signal_handler(sig, callback, *args)

    add_signal_handler.__doc__ = asyncio.SelectorEventLoop.add_signal_handler.__doc__

    # Transports.

    def _make_socket_transport(self, sock, protocol, waiter=None, *, extra=None, server=None):
        self._ensure_fd_no_transport(sock)
        return _transports.SocketTransport(self, sock, protocol, waiter, extra, server)

    def _make_ssl_transport(
        self, rawsock, protocol, sslcontext, waiter=None,
        *, server_side=False, server_hostname=None, extra=None, server=None,
        ssl_handshake_timeout=constants.SSL_HANDSHAKE_TIMEOUT,
        ssl_shutdown_timeout=constants.SSL_SHUTDOWN_TIMEOUT,
    ):
        self._ensure_fd_no_transport(rawsock)
        ssl_protocol = _tls.Protocol(
            self, protocol, sslcontext, waiter, server_side, server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        _transports.SocketTransport(self, rawsock, ssl_protocol, extra=extra, server=server)
        return ssl_protocol._app_transport

    _tls_buffer = None

    def _get_tls_buffer(self, size):
        """The buffer that TLS connections receive into: (bytearray, its memoryview)."""
        if self._tls_buffer is None:
            buffer = bytearray(size)
            self._tls_buffer = buffer, memoryview(buffer)
        return self._tls_buffer

    def _make_datagram_transport(self, sock, protocol, address=None, waiter=None, extra=None):
        self._ensure_fd_no_transport(sock)
        return _transports.DatagramTransport(self, sock, protocol, address, waiter, extra)

    # What the native half asks for.

    def _in_order(self, name, *args, **kwargs):
        """call_soon and its like, given their arguments by name."""
        signature = inspect.signature(getattr(asyncio.BaseEventLoop, name))
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError as exc:
            raise TypeError(f"{name}() {exc}") from None
        return getattr(self, name)(*bound.args[1:], **bound.kwargs)

    def _report_error(self, handle, exc):
        """A callback raised: asyncio's Handle._run."""
        options = {"debug": self._debug} if _SHOWS_ARGUMENTS_IN_DEBUG_MODE_ONLY else {}
        callback = format_helpers._format_callback_source(
            handle._callback, handle._args, **options
        )
        context = {
            "message": f"Exception in callback {callback}",
            "exception": exc,
            "handle": handle,
        }
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        self.call_exception_handler(context)

    def _report_slow(self, handle, duration):
        """A callback took long, in debug mode: asyncio's _run_once."""
        logger.warning(
            "Executing %s took %.3f seconds", base_events._format_handle(handle), duration
        )

    def _report_c_failure(self, message, code, text, fd):
        """C code reports a failure that nobody waits for."""
        context = {"message": message or "Unhandled exception in event loop"}
        if -1000 < code < 0:
            context["exception"] = OSError(-code, text or os.strerror(-code))
        elif text or code:
            context["exception"] = RuntimeError(text or f"code {code}")
        if fd >= 0:
            context["fd"] = fd
        self.call_exception_handler(context)

    def _report_slow_c(self, address, fd, duration):
        """A callback of C code's took long, in debug mode."""
        of = f" fd={fd}" if fd >= 0 else ""
        logger.warning("Executing <C callback %#x%s> took %.3f seconds", address, of, duration)

    def set_debug(self, enabled):
        super().set_debug(enabled)
        # asyncio's __init__ calls this before there is a limit.
        self._set_debug_native(enabled, getattr(self, "slow_callback_duration", 0.1))

    set_debug.__doc__ = asyncio.SelectorEventLoop.set_debug.__doc__

    # C code runs the loop: around each callback.

    def _enter_from_c(self):
        """Does what run_forever does first; returns what _leave_to_c needs."""
        outer = events._get_running_loop(), *sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)
        return outer

    def _leave_to_c(self, outer):
        loop, firstiter, finalizer = outer
        events._set_running_loop(loop)
        sys.set_asyncgen_hooks(firstiter, finalizer)

    def _closed_by_c(self):
        """C code has closed the library's loop."""
        super().close()

    # Running, and the end.

    if sys.version_info >= (3, 13):

        def run_forever(self):
            # Asked before asyncio's method: where that is refused, in 3.13.0, it
            # forgets the loop that runs.
            self._check_closed()
            self._check_running()
            super().run_forever()

        run_forever.__doc__ = asyncio.SelectorEventLoop.run_forever.__doc__

    def close(self):
        """Close the loop: what waits is dropped, descriptors are closed."""
        if self._is_inherited():
            self._forget_parent()
        super().close()
        self._close_native()

    def _forget_parent(self):
        """In a forked child: what asyncio's close would do to the parent's."""
        self._thread_id = None
        self._signal_handlers.clear()
        self._default_executor = None
        for sock in (self._ssock, self._csock):
            if sock is not None:
                sock.close()
        self._ssock = self._csock = None

    def __del__(self, *args):
        if not hasattr(self, "_selector"):  # __init__ failed: there is nothing to close
            return
        if self._is_foreign() or self._is_inherited():
            return
        super().__del__(*args)


def new_event_loop(*, fork="error"):
    """A new coloop.EventLoop. asyncio: new_event_loop()."""
    return EventLoop(fork=fork)


def from_pointer(pointer, *, fork="error"):
    """The EventLoop of a loop_t that C code made: an int or a capsule.

    It takes a reference to the loop. The same loop gives the same object, which
    lives until the loop is closed; closing it is up to whoever made it.
    """
    # The capsule, whose reference may be the only one, is kept until there is another.
    address, known = _coloop._find_loop(pointer)
    return known if known is not None else EventLoop(fork=fork, _pointer=address)
