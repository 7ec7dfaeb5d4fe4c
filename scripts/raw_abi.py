#!/usr/bin/env python3
"""Writes what other languages need to call the C ABI as it is: raw_abi.py [--check]

From include/coloop.h it makes bindings/python/coloop/cdef.py, for cffi,
bindings/python/coloop/ctypes_abi.py, for ctypes, and bindings/coloop.cdef, for
foreign function interfaces that read C. --check writes nothing, and its status is
1 if one of them is out of date.
"""

import pathlib
import sys

import c_header
import generated

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINDINGS = ROOT / "bindings"
PACKAGE = BINDINGS / "python/coloop"
GENERATED = "# Generated from include/coloop.h by scripts/raw_abi.py: do not edit.\n"
NUMBERS = {
    "int": "c_int", "size_t": "c_size_t", "int32_t": "c_int32", "int64_t": "c_int64",
    "uint16_t": "c_uint16", "uint32_t": "c_uint32", "uint64_t": "c_uint64",
}


class Names:
    """The ctypes expression of each C type."""

    def __init__(self, header):
        self.known = {**NUMBERS, **{name: name for name in header.structs}}
        self.known |= {alias.name: alias.name for alias in header.aliases}
        self.opaque = set(header.opaque)

    def of(self, text):
        """Of a type's text. KeyError for one that is not known."""
        base, *pointers = text.replace("const", "").replace("struct", "").replace("*", " * ").split()
        name = self.known.get(base)
        if pointers and base == "void":
            name, pointers = "c_void_p", pointers[1:]
        elif pointers and base == "char":
            name, pointers = "c_char_p", pointers[1:]
        elif pointers and base in self.opaque:
            name, pointers = base, pointers[1:]
        elif base == "void":
            return "None"
        if name is None:
            raise KeyError(text)
        for _ in pointers:
            name = f"POINTER({name})"
        return name

    def typed(self, typed):
        """Of a parameter or a field."""
        if typed.function:
            arguments = [typed.function.result, *(parameter.type for parameter in typed.function.parameters)]
            return f"_function({', '.join(map(self.of, arguments))})"
        name = self.of(typed.type)
        return f"{name} * {typed.length}" if typed.length else name


def cdef(header):
    """The module for cffi."""
    template = (ROOT / "scripts/cdef.py.in").read_text()
    return GENERATED + template.replace("@DECLARATIONS@\n", "\n".join(header.lines) + "\n")


def plain(header):
    """C without a preprocessor, each declaration on a line of its own."""
    constants = "".join(f"    {name} = {value},\n" for name, value in header.constants.items())
    declarations = "".join(f"{line}\n" for line in header.lines if not line.startswith("#"))
    comment = GENERATED.replace("# ", "/* ").replace(".\n", ". */\n")
    return f"{comment}enum {{\n{constants}}};\n{declarations}"


def layouts(header, names):
    """The aliases and the fields of the structs; all classes exist before."""
    for alias in header.aliases:
        yield f"{alias.name} = {names.typed(alias)}\n"
    waiting = dict(header.structs)
    while waiting:
        # A struct inside a struct must be laid out first.
        name, fields = next(
            item for item in waiting.items()
            if not any(field.type.removeprefix("struct ") in waiting for field in item[1])
        )
        del waiting[name]
        items = [f'("{field.name}", {names.typed(field)}),' for field in fields]
        yield f"{name}._fields_ = [\n{wrap(items)}]\n"


def wrap(items):
    """Indented lines of as many items as have room."""
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) > 110:
            lines.append("")
        lines[-1] += f" {item}" if lines[-1] else f"    {item}"
    return "\n".join(lines).removesuffix(",")


def ctypes_abi(header):
    """The module for ctypes."""
    names = Names(header)
    constants = "".join(f"{name} = {value}\n" for name, value in header.constants.items())
    functions = wrap(
        f'"{function.name}": ({names.of(function.result)}, '
        f"[{', '.join(map(names.typed, function.parameters))}]),"
        for function in header.functions
    )
    template = (ROOT / "scripts/ctypes_abi.py.in").read_text()
    parts = {
        "@CONSTANTS@\n": constants,
        "@OPAQUE@\n": "".join(f"class {name}(c_void_p): ...\n" for name in header.opaque),
        "@STRUCTS@\n": "".join(f"class {name}(_Struct): ...\n" for name in header.structs),
        "@TYPES@\n": "".join(layouts(header, names)),
        "@FUNCTIONS@\n": functions + ",\n",
    }
    for mark, text in parts.items():
        template = template.replace(mark, text)
    return GENERATED + template


def main(arguments):
    header = c_header.read((ROOT / "include/coloop.h").read_text())
    return generated.write({
        PACKAGE / "cdef.py": cdef(header),
        PACKAGE / "ctypes_abi.py": ctypes_abi(header),
        BINDINGS / "coloop.cdef": plain(header),
    }, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
