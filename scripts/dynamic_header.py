#!/usr/bin/env python3
"""Writes include/coloop/dynamic.h from include/coloop.h: dynamic_header.py [--check]

--check writes nothing, and its status is 1 if the file is out of date.
"""

import pathlib
import sys
import textwrap

import c_header
import generated

# A space where no line ends.
GLUE = "\u00a0"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def answer(function):
    """What the function answers while there is no library, as an expression of C."""
    if function.result.endswith("char *"):
        value = "COLOOP_NOT_LOADED_TEXT"
    elif function.result.endswith("*"):
        value = "NULL"
    else:
        value = "-ENOSYS" if function.result == "int" else "0"
    losses, data = [], None
    for parameter in function.parameters:
        if parameter.type == "void *":
            data = parameter.name
        elif parameter.type == "loop_destroy_t" and data:
            # A second destructor for the same data is for what the call makes of it.
            losses.append(f"coloop_not_loaded({data}, {parameter.name})")
            data = None
    if function.result == "void":
        parts = losses or ["(void)0"]
    else:
        parts = losses if function.result == "int" and losses else [*losses, value]
    return f"({', '.join(parts)})" if len(parts) > 1 else parts[0]


def declaration(parameter):
    """The parameter as in a prototype."""
    text = parameter.type + ("" if parameter.type.endswith("*") else " ") + parameter.name
    return text.replace(" ", GLUE)


def entry(function):
    """The function's lines in the list."""
    parameters = ", ".join(map(declaration, function.parameters)) or "void"
    arguments = ", ".join(parameter.name for parameter in function.parameters)
    void = function.result == "void"
    start = f"V({function.name}" if void else f"F({function.result.replace(' ', GLUE)}, {function.name}"
    text = f"{start}, ({parameters}), ({arguments}), {answer(function)})"
    lines = textwrap.wrap(text, 92, initial_indent="    ", subsequent_indent="      ", break_long_words=False)
    return " \\\n".join(lines).replace(GLUE, " ")


def dynamic(header, version):
    """The text of the header."""
    major, minor, patch = map(int, version.split("."))
    text = (ROOT / "scripts/dynamic.h.in").read_text()
    text = text.replace("@VERSION@", version)
    text = text.replace("@VERSION_NUMBER@", str(major << 16 | minor << 8 | patch))
    return text.replace("@FUNCTIONS@", " \\\n".join(map(entry, header.functions)))


def main(arguments):
    header = c_header.read((ROOT / "include/coloop.h").read_text())
    return generated.write({ROOT / "include/coloop/dynamic.h": dynamic(header, generated.version(ROOT))}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
