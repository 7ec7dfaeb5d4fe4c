"""Which tests look into private parts: found in their source, not by running them.

A test that reads loop._ready, assigns to one of the loop's methods or patches
asyncio.selector_events says something about asyncio's own implementation, which
no other loop promises.
"""

import ast
import functools
import inspect
import re
import textwrap

# Names that tests give to loops and what belongs to them.
_OBJECTS = re.compile(
    r"(self\.|outer_|event_|one_|other_)*"
    r"(loop\d?|l|srv|server|tr|transport|client|watcher|policy)$"
)
_MODULES = {
    "base_events", "selector_events", "unix_events", "proactor_events", "base_subprocess",
}
_PATCHED = re.compile(
    r"asyncio\.(base_events|selector_events|unix_events|proactor_events|events|subprocess"
    r"|base_subprocess|sslproto|transports|streams|runners|log)\."
)
# Private by name only, or meant to be set.
_PUBLIC = {"_get_running_loop", "_set_running_loop", "slow_callback_duration"}


def _private(name):
    return name.startswith("_") and not name.startswith("__") and name not in _PUBLIC


def _reason_of_node(node):
    match node:
        case ast.Attribute(value=value, attr=attr) if _private(attr):
            owner = ast.unparse(value)
            if _OBJECTS.match(owner) or owner.endswith("loop") or owner in (
                "asyncio.events", "asyncio.base_events",
            ):
                return f"{owner}.{attr}"
        case ast.Constant(value=str() as text) if _PATCHED.match(text):
            return text
        case ast.Name(id=name) if name in _MODULES:
            return name
        case ast.Call(func=function, args=[first, *_]):
            if ast.unparse(function).endswith(("patch.object", "patch_object")):
                owner = ast.unparse(first)
                if _OBJECTS.match(owner):
                    return f"patches {owner}"
        case ast.Assign(targets=targets):
            for target in targets:
                if isinstance(target, ast.Attribute) and target.attr not in _PUBLIC:
                    if _OBJECTS.match(ast.unparse(target.value)):
                        return f"assigns {ast.unparse(target)}"
    return ""


@functools.cache
def _reason_of_function(function):
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        for node in ast.walk(tree):
            found = _reason_of_node(node)
            if found:
                return found
    except (OSError, TypeError, SyntaxError, SystemError, RecursionError):
        pass  # SystemError: ast of 3.11 loses count of its depth
    return ""


def reason(method):
    """What private part the test uses, or ""."""
    return _reason_of_function(inspect.unwrap(getattr(method, "__func__", method)))
