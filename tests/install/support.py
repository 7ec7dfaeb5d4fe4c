"""Installs the package into a scratch directory, and builds programs against it."""

import atexit
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAMS = ROOT / "tests/install/programs"
VERSION = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
HELLO = f"soon\nlater\nposted\nversion {VERSION}\n"
WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
COMPILERS = {"gcc": "c99", "clang": "c11", "g++": "c++17", "clang++": "c++20"}


def environment(**changes):
    """Ours, without what a make around us or a developer has set; None takes a name away."""
    names = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "LD_LIBRARY_PATH", "PKG_CONFIG_PATH", "CPATH", "LIBRARY_PATH",
             "PREFIX", "DESTDIR", "LIBDIR", "INCLUDEDIR", "DATADIR", "DOCDIR", "STRIP"}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return {**kept, **{name: str(value) for name, value in changes.items()}}


def run(*command, cwd=ROOT, status=0, **changes):
    """Runs a command; what it printed on stdout, and on stderr where it is meant to fail."""
    result = subprocess.run([str(part) for part in command], cwd=cwd, env=environment(**changes),
                            capture_output=True, text=True, timeout=300)
    if result.returncode != status:
        raise AssertionError(f"{command} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout if status == 0 else result.stdout + result.stderr


def each(check, *lists):
    """check(item, ...) for the items of the lists side by side, on two processors."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(check, *lists))


def make(target, **variables):
    return run("make", "--no-print-directory", target, *(f"{name}={value}" for name, value in variables.items()))


def needed(program):
    """The names of the shared libraries that a program asks for."""
    return re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", program))


class Case(unittest.TestCase):
    """Every class has its own scratch directory."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.scratch)

    def files(self, directory):
        return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())


@functools.cache
def installed():
    """A prefix with the package, for all tests of this process that do not change it."""
    prefix = pathlib.Path(tempfile.mkdtemp()) / "usr"
    atexit.register(shutil.rmtree, prefix.parent)
    make("install", PREFIX=prefix)
    return prefix


class Installed(Case):
    """With an installed package in `prefix`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prefix = installed()
        cls.library = cls.prefix / "lib"

    def compile(self, compiler, name, *arguments, standard=None):
        """A program of tests/install/programs: sources by name, other arguments as they are. Its path."""
        program = self.scratch / name
        language = ["-x", "c++"] if "++" in compiler else []
        sources = [PROGRAMS / item if (PROGRAMS / item).exists() else item for item in arguments]
        split = next((at for at, item in enumerate(arguments) if item.startswith("-")), len(arguments))
        run(compiler, f"-std={standard or COMPILERS[compiler]}", *WARNINGS, *language, *sources[:split], "-x", "none",
            *sources[split:], "-pthread", "-o", program)
        return program
