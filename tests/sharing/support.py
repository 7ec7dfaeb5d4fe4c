"""Builds the C code of these tests, as its users would."""

import atexit
import faulthandler
import importlib.util
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest

import coloop
from setuptools import Distribution, Extension

HERE = pathlib.Path(__file__).resolve().parent
CC = shlex.split(os.environ.get("CC", "cc"))
WARNINGS = ["-O1", "-g", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"]
TIME_LIMIT = 240  # seconds

_scratch = pathlib.Path(tempfile.mkdtemp(prefix="coloop-sharing-"))
atexit.register(shutil.rmtree, _scratch)


def extension(name, link=False):
    """The extension module built from name.c; with `link` it links to the library."""
    directory = _scratch / name
    if not directory.exists():
        built = Extension(
            name, [str(HERE / f"{name}.c")],
            include_dirs=[coloop.get_include()],
            libraries=coloop.get_libraries() if link else [],
            library_dirs=coloop.get_library_dirs() if link else [],
            extra_compile_args=[*WARNINGS, "-pthread", "-Wno-missing-field-initializers"],
        )
        distribution = Distribution({"name": name, "ext_modules": [built]})
        command = distribution.get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(directory), str(_scratch / "temp")
        distribution.run_command("build_ext")
    (path,) = directory.glob(f"{name}*.so")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(name, embeds_python=False):
    """The path of the program built from name.c."""
    built = _scratch / f"{name}-program"
    flags = [f"-I{coloop.get_include()}"]
    for directory in coloop.get_library_dirs():
        flags += [f"-L{directory}", f"-Wl,-rpath,{directory}"]
    flags += [f"-l{library}" for library in coloop.get_libraries()]
    if embeds_python:
        get = sysconfig.get_config_var
        directory = get("LIBDIR")
        flags += [
            f"-I{sysconfig.get_path('include')}", f"-L{directory}", f"-Wl,-rpath,{directory}",
            f"-lpython{get('LDVERSION')}", *shlex.split(f"{get('LIBS')} {get('SYSLIBS')}"),
        ]
    subprocess.run([*CC, *WARNINGS, str(HERE / f"{name}.c"), "-o", str(built), *flags, "-pthread"], check=True)
    return str(built)


def run(*command, status=0):
    """What a program prints; its end is checked."""
    package = str(pathlib.Path(coloop.__file__).parent.parent)
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=TIME_LIMIT, env={**os.environ, "PYTHONPATH": package},
    )
    if result.returncode != status:
        raise AssertionError(f"{command}: status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


class TestCase(unittest.TestCase):
    """A test that hangs ends the tests and shows where."""

    def setUp(self):
        faulthandler.dump_traceback_later(TIME_LIMIT, exit=True, file=sys.__stderr__)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)
