"""One set of functions: whatever lists them lists the header's."""

import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
sys.path.insert(0, str(ROOT / "bindings/python/coloop"))
import abi  # noqa: E402
import c_header  # noqa: E402
import cdef  # noqa: E402
import ctypes_abi  # noqa: E402

HEADER = c_header.read(abi.HEADER.read_text())
DECLARED = {function.name for function in HEADER.functions}
PUBLIC = re.compile(r"(loop|policy|coloop)_\w+")


def versioned():
    """What the Rust sources give a version to."""
    for path in (ROOT / "src/ffi").glob("*.rs"):
        for names in re.findall(r"^versioned!\((.*?)\);", path.read_text(), re.M | re.S):
            yield from re.findall(r'"(\w+)"', names)


def nodes():
    """The version nodes that build.rs defines."""
    (text,) = re.findall(r'VERSION_NODES: &str = "(.*)";', (ROOT / "build.rs").read_text())
    return set(re.findall(r"(\w+) \{", text))


def loaded_at_run_time():
    """The functions in the table of coloop/dynamic.h."""
    text = (ROOT / "include/coloop/dynamic.h").read_text()
    return re.findall(r"^ *(?:F\([^(,]+, |V\()(\w+),[ \\]", text, re.M)


def archived():
    """The public names that the static library defines."""
    command = ["nm", "--extern-only", "--defined-only", "--format=just-symbols", ROOT / "target/lib/libcoloop.a"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name for name in text.split() if PUBLIC.fullmatch(name)}


class Symbols(unittest.TestCase):
    def same(self, names, what):
        """Says which names differ."""
        names = list(names)
        self.assertEqual(sorted(set(names)), sorted(names), f"{what} names one twice")
        self.assertEqual(sorted(DECLARED - set(names)), [], f"coloop.h has what is not in {what}")
        self.assertEqual(sorted(set(names) - DECLARED), [], f"{what} has what is not in coloop.h")

    def test_the_header_has_public_names_only(self):
        names = [*DECLARED, *HEADER.structs, *HEADER.opaque, *(alias.name for alias in HEADER.aliases),
                 *(name.lower() for name in HEADER.constants)]
        self.assertEqual([name for name in names if not PUBLIC.fullmatch(name)], [])

    def test_the_shared_library(self):
        self.same(abi.exported(abi.LIBRARY), "the shared library")

    def test_every_symbol_has_a_version_and_every_version_symbols(self):
        versions = abi.exported(abi.LIBRARY)
        self.assertEqual([name for name in versions if versions[name] not in nodes()], [])
        self.assertEqual(set(versions.values()), nodes())

    def test_the_names_that_get_versions(self):
        self.same(versioned(), "src/ffi")

    def test_the_static_library(self):
        self.same(archived(), "the static library")

    def test_the_library_loaded_at_run_time(self):
        self.same(loaded_at_run_time(), "coloop/dynamic.h")

    def test_debians_list(self):
        text = (ROOT / "debian/libcoloop0.symbols").read_text()
        self.same(re.findall(r"^ ((?:loop|policy|coloop)_\w+)@COLOOP_", text, re.M), "debian/libcoloop0.symbols")

    def test_ctypes(self):
        self.same(ctypes_abi.FUNCTIONS, "coloop.ctypes_abi")

    def test_cffi(self):
        self.same((function.name for function in c_header.read(cdef.CDEF).functions), "coloop.cdef")

    def test_the_soname(self):
        text = subprocess.run(["readelf", "-d", abi.LIBRARY], check=True, capture_output=True, text=True).stdout
        self.assertEqual(re.findall(r"SONAME\).*\[(.*)\]", text), ["libcoloop.so.0"])


if __name__ == "__main__":
    unittest.main()
