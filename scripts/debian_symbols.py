#!/usr/bin/env python3
"""Writes debian/libcoloop0.symbols from include/coloop.h: debian_symbols.py [--check]

dpkg-gensymbols reads there which version of the library a program needs. A
function keeps the version that it has; a new one gets the present version. --check
writes nothing, and its status is 1 if the file is out of date.
"""

import pathlib
import re
import sys

import c_header
import generated

ROOT = pathlib.Path(__file__).resolve().parent.parent
SYMBOLS = ROOT / "debian/libcoloop0.symbols"
NODE = "COLOOP_0"


def symbols(names, before, version):
    """The text of the file."""
    since = dict(re.findall(rf"^ (\w+)@{NODE} (\S+)$", before, re.M))
    lines = [f" {name}@{NODE} {since.get(name, version)}\n" for name in sorted([*names, NODE])]
    return "libcoloop.so.0 libcoloop0 #MINVER#\n" + "".join(lines)


def main(arguments):
    header = c_header.read((ROOT / "include/coloop.h").read_text())
    version = generated.version(ROOT)
    before = SYMBOLS.read_text() if SYMBOLS.exists() else ""
    names = [function.name for function in header.functions]
    return generated.write({SYMBOLS: symbols(names, before, version)}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
