#!/usr/bin/env python3
"""The ABI as a C program sees it, recorded and compared: abi.py record | check

The types are those of the headers, compiled by the C compiler; the symbols and
their versions are the library's. abi/ has what was recorded: the output of abidw
for coloop.h and for the table in coloop_capi.h, and the constants. `check` says by
its status whether programs that were built against the record still work.
docs/abi.md says what may change.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import c_header

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = ROOT / "include/coloop.h"
TABLE = ROOT / "bindings/python/csrc/coloop_capi.h"
LIBRARY = ROOT / "target/lib/libcoloop.so.0"
RECORD = ROOT / "abi"
NAME = "coloop-0"  # the SONAME's number
# All that coloop_capi.h needs of Python, so that the record has none of it.
PYTHON_H = "typedef struct _object PyObject;\nvoid *PyCapsule_Import(const char *name, int no_block);\n"


def exported(library):
    """The symbols that a library exports: name to version, "" for none."""
    command = ["nm", "--dynamic", "--defined-only", "--with-symbol-versions", str(library)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # The nodes are symbols themselves (A).
    found = [line.split()[2] for line in text.splitlines() if line.split()[1] != "A"]
    return {name: version for name, _, version in (symbol.partition("@@") for symbol in found)}


def version_script(symbols):
    """The linker's version script that gives the symbols their versions."""
    nodes = {}
    for name, version in sorted(symbols.items()):
        nodes.setdefault(version, []).append(name)
    hidden = " local: *;"
    lines = []
    for version, names in nodes.items():
        lines.append(f"{version} {{ global: {'; '.join(names)};{hidden} }};\n")
        hidden = ""
    return "".join(lines)


def definitions(header):
    """C code that has the header's functions: types for abidw, no behaviour."""
    functions = [line for line in header.lines if not line.startswith(("typedef ", "#"))]
    return "".join(line.replace(";", " { __builtin_trap(); }\n") for line in functions)


def describe(directory, name, source, output, link=()):
    """Compiles C code to a shared library, and has abidw write its ABI."""
    (directory / f"{name}.c").write_text(source)
    subprocess.run(
        # Names without directories, so that the record is the same everywhere.
        ["gcc", "-std=c11", "-g", "-gno-record-gcc-switches", "-shared", "-fPIC", "-nostdlib", "-I.",
         f"{name}.c", "-o", f"{name}.so", *link],
        check=True, cwd=directory,
    )
    subprocess.run(
        ["abidw", "--no-architecture", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs",
         "--no-elf-needed", "--type-id-style", "hash", "--out-file", output, f"{name}.so"],
        check=True, cwd=directory,
    )


def write(output, header_text, table_text, symbols):
    """Writes the ABI of two headers and a library's symbols into a directory."""
    header = c_header.read(header_text)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "coloop.h").write_text(header_text)
        (scratch / "coloop_capi.h").write_text(table_text)
        (scratch / "Python.h").write_text(PYTHON_H)
        (scratch / "map").write_text(version_script(symbols))
        describe(
            scratch, "library", '#include "coloop.h"\n' + definitions(header), output / f"{NAME}.abi",
            ["-Wl,--version-script=map", "-Wl,-soname,libcoloop.so.0"],
        )
        # Compared by what a pointer to it leads to.
        describe(
            scratch, "table", '#include "coloop_capi.h"\nconst coloop_capi_t *table;\n',
            output / f"{NAME}-capi.abi",
        )
    lines = "".join(f"{name} {value}\n" for name, value in sorted(header.constants.items()))
    (output / f"{NAME}.constants").write_text(lines)


def fields(path):
    """The recorded fields of each struct: name to names."""
    structs = xml.etree.ElementTree.parse(path).iter("class-decl")
    return {struct.get("name"): [field.get("name") for field in struct.iter("var-decl")] for struct in structs}


def without_growth(text, recorded):
    """A header without the fields that came after the recorded ones, at the ends of
    structs that begin with their size; and the names of these structs."""
    grown = []

    def cut(match):
        members = [member.strip() for member in match["members"].split(";") if member.strip()]
        known = len(recorded.get(match["name"], members))
        if members[0] != "size_t size" or known >= len(members):
            return match[0]
        grown.append(match["name"])
        return f"typedef struct {match['name']} {{ {'; '.join(members[:known])}; }} {match['name']};"

    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"typedef struct (?P<name>\w+) \{(?P<members>[^}]*)\} (?P=name);", cut, text)
    return text, grown


def compare(old, new):
    """What abidiff says of two of abidw's files: (what breaks, what was added)."""
    def abidiff(*options):
        result = subprocess.run(["abidiff", *options, old, new], capture_output=True, text=True)
        if result.returncode & 3:
            sys.exit(f"abidiff failed: {result.stdout}{result.stderr}")
        return result.stdout if result.returncode else ""

    # Harmless to abidiff is, for instance, int that becomes unsigned.
    return abidiff("--harmless", "--no-added-syms"), abidiff()


def constants(path):
    return dict(line.split() for line in path.read_text().splitlines())


def check(recorded, header, table, symbols):
    """Compares headers and a library with a record: (what breaks, what was added), as text."""
    breaks = added = ""
    header, grown = without_growth(header, fields(recorded / f"{NAME}.abi"))
    table, table_grown = without_growth(table, fields(recorded / f"{NAME}-capi.abi"))
    for name in grown + table_grown:
        added += f"{name} has more fields\n"
    with tempfile.TemporaryDirectory() as current:
        current = pathlib.Path(current)
        write(current, header, table, symbols)
        for name in f"{NAME}.abi", f"{NAME}-capi.abi":
            found = compare(recorded / name, current / name)
            breaks, added = breaks + found[0], added + found[1]
        old, new = (constants(place / f"{NAME}.constants") for place in (recorded, current))
    for name in sorted(old | new):
        if name not in old:
            added += f"constant {name} was added\n"
        elif old[name] != new.get(name):
            breaks += f"constant {name} was {old[name]} and is {new.get(name, 'gone')}\n"
    return breaks, "" if breaks else added


def main():
    parser = argparse.ArgumentParser(description="The recorded ABI.")
    parser.add_argument("command", choices=["record", "check"])
    parser.add_argument("--header", type=pathlib.Path, default=HEADER)
    parser.add_argument("--table", type=pathlib.Path, default=TABLE)
    parser.add_argument("--library", type=pathlib.Path, default=LIBRARY)
    parser.add_argument("--recorded", type=pathlib.Path, default=RECORD)
    options = parser.parse_args()
    header, table = options.header.read_text(), options.table.read_text()
    symbols = exported(options.library)
    if options.command == "record":
        options.recorded.mkdir(exist_ok=True)
        write(options.recorded, header, table, symbols)
        print(f"recorded {len(symbols)} symbols in {options.recorded}")
        return 0
    breaks, added = check(options.recorded, header, table, symbols)
    if breaks:
        print(f"the ABI breaks what was built before (docs/abi.md):\n{breaks}", file=sys.stderr)
        return 1
    if added:
        print(f"the ABI grew; `make abi` records it:\n{added}")
    else:
        print(f"the ABI is the recorded one: {len(symbols)} symbols")
    return 0


if __name__ == "__main__":
    sys.exit(main())
