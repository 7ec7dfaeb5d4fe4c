"""The package where it has no native loop: asyncio's own loop, a warning, clear errors.

__init__.py decides where that is. Programs that need no more than a loop run as
they are; what shares a loop with C code raises. The library itself, with its
headers and the raw ABI, is not concerned.
"""

import asyncio
import functools
import sys
import warnings
from importlib import metadata

_Loop = asyncio.ProactorEventLoop if sys.platform == "win32" else asyncio.SelectorEventLoop

try:
    __version__ = metadata.version("coloop")
except metadata.PackageNotFoundError:  # in a program that was packed into one file
    __version__ = "unknown"


@functools.cache
def _warn():
    warnings.warn(
        f"coloop has no native event loop for {sys.platform}: coloop.EventLoop is asyncio's "
        f"{_Loop.__name__} here, which C and C++ code cannot share",
        RuntimeWarning, stacklevel=3,
    )


def _missing(name):
    """What stands for a function that is nothing without the native loop."""

    def missing(*args, **kwargs):
        raise NotImplementedError(
            f"coloop.{name} needs coloop's native event loop, which there is none of "
            f"for {sys.platform}"
        )

    missing.__name__ = name.rpartition(".")[2]
    missing.__qualname__ = name
    missing.__doc__ = "Not on this system, which has no native loop: raises NotImplementedError."
    return missing


class EventLoop(_Loop):
    """asyncio's own event loop of this system, for which there is no native one.

    fork: has no effect.
    """

    def __new__(cls, *args, **kwargs):
        # Before there is a loop: the warning may be an exception.
        _warn()
        return super().__new__(cls)

    def __init__(self, *, fork="error"):
        super().__init__()

    pointer = property(_missing("EventLoop.pointer"))
    capsule = property(_missing("EventLoop.capsule"))
    stats = _missing("EventLoop.stats")
    set_stats_level = _missing("EventLoop.set_stats_level")


def new_event_loop(*, fork="error"):
    """A new coloop.EventLoop, which is asyncio's own here. asyncio: new_event_loop()."""
    return EventLoop(fork=fork)


from_pointer = _missing("from_pointer")
future_capsule = _missing("future_capsule")
future_from_pointer = _missing("future_from_pointer")
future_pointer = _missing("future_pointer")


def _set_current(loop):
    """Nothing: C code has no loop that could be this thread's."""


def __getattr__(name):
    # Extensions ask for it when they are imported.
    if name == "_C_API":
        raise ImportError(
            "this extension needs coloop's native event loop, which there is none of for "
            f"{sys.platform}"
        )
    raise AttributeError(f"module 'coloop' has no attribute {name!r}")
