"""What handles do rarely, by asyncio's own code."""

import sys
from asyncio import events, format_helpers

from . import _coloop

_OF_HANDLES = ["__repr__", "_repr_info", "get_context"]
_OF_TIMERS = _OF_HANDLES + ["__lt__", "__le__", "__gt__", "__ge__", "__eq__"]


def _borrow(native, names, standard):
    for name in names:
        function = getattr(standard, name, None)
        if function is not None:
            setattr(native, name, function)


_borrow(_coloop.Handle, _OF_HANDLES, events.Handle)
_borrow(_coloop.TimerHandle, _OF_TIMERS, events.TimerHandle)


def _extract_stack():
    """Where a handle was made, in debug mode; the caller is native code."""
    return format_helpers.extract_stack(sys._getframe(1))


_coloop._set_extract_stack(_extract_stack)
