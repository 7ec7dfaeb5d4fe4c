"""Reads include/coloop.h, as cbindgen writes it, into plain declarations."""

import re
from dataclasses import dataclass, field


@dataclass
class Typed:
    """A name with a C type: a parameter, a field of a struct, an alias.

    `type` is the text of the type ("struct loop_t **"); a pointer to a function
    has `function` instead, and an array has `length` elements.
    """

    name: str
    type: str = ""
    length: int = 0
    function: "Function | None" = None


@dataclass
class Function:
    """A function, or what a pointer to one leads to."""

    name: str
    result: str
    parameters: list[Typed]


@dataclass
class Header:
    """All of a header, each kind in the header's order."""

    constants: dict[str, int] = field(default_factory=dict)
    opaque: list[str] = field(default_factory=list)
    structs: dict[str, list[Typed]] = field(default_factory=dict)
    aliases: list[Typed] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    # The declarations as text, on one line each, in the order that C needs.
    lines: list[str] = field(default_factory=list)


_POINTER_TO_FUNCTION = re.compile(r"(?P<result>[\w* ]+?) ?\(\*(?P<name>\w*)\)\((?P<parameters>.*)\)", re.S)
_FUNCTION = re.compile(r"(?P<result>[\w* ]+?[ *])(?P<name>\w+)\((?P<parameters>.*)\)", re.S)
_VARIABLE = re.compile(r"(?P<type>[\w* ]+?[ *])(?P<name>\w+)(\[(?P<length>\d+)\])?")


def _split(text, separator):
    """Splits at separators that are in no parentheses or braces."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in "({") - (character in ")}")
        if character == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _parameters(text):
    return [] if text.strip() == "void" else [_typed(part) for part in _split(text, ",")]


def _function(match):
    return Function(match["name"], match["result"].strip(), _parameters(match["parameters"]))


def _typed(text):
    if match := _POINTER_TO_FUNCTION.fullmatch(text):
        return Typed(match["name"], function=_function(match))
    match = _VARIABLE.fullmatch(text)
    if not match:
        raise ValueError(f"not understood: {text!r}")
    return Typed(match["name"], match["type"].strip(), int(match["length"] or 0))


def read(text):
    """The Header of a header's text. ValueError for what cbindgen would not write."""
    header = Header()
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    for name, value in re.findall(r"^#define (\w+) (-?\d+)$", text, re.M):
        header.constants[name] = int(value)
        header.lines.append(f"#define {name} {value}")
    text = re.sub(r'^#.*$|^extern "C" \{ *$|^\} *$', "", text, flags=re.M)
    for declaration in _split(text, ";"):
        declaration = " ".join(declaration.split())
        header.lines.append(declaration + ";")
        if not declaration.startswith("typedef "):
            match = _FUNCTION.fullmatch(declaration)
            if not match:
                raise ValueError(f"not understood: {declaration!r}")
            header.functions.append(_function(match))
        elif match := re.fullmatch(r"typedef struct (\w+) \{(.*)\} \1", declaration):
            header.structs[match[1]] = [_typed(member) for member in _split(match[2], ";")]
        elif match := re.fullmatch(r"typedef struct (\w+) \1", declaration):
            header.opaque.append(match[1])
        else:
            header.aliases.append(_typed(declaration.removeprefix("typedef ")))
    return header
