"""Where C and C++ code that shares the loop finds the library and its headers."""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def get_include():
    """The directory of coloop.h and coloop_capi.h, for a compiler's -I."""
    return os.path.join(_HERE, "include")


def get_library_dirs():
    """The directories of the library, for a linker's -L and -rpath: list[str].

    An extension that links needs no rpath if coloop is imported before it: the
    process has a library of that SONAME then.
    """
    return [os.path.join(_HERE, "lib")]


def get_libraries():
    """The names to link with, for a linker's -l: list[str]."""
    return ["coloop"]


def get_cmake_dir():
    """The directory of coloopConfig.cmake, for find_package(coloop) with coloop_DIR."""
    return os.path.join(_HERE, "cmake")


def get_library_path():
    """The file of the library that this process uses, for ctypes, cffi or dlopen.

    It is the package's own, unless another one of its SONAME (on Windows, of its
    name) was there first. OSError if it cannot be loaded.
    """
    import ctypes

    from . import ctypes_abi

    library = ctypes_abi._open(None)
    if sys.platform == "win32":
        file = ctypes.create_unicode_buffer(2**15)  # the longest path that Windows has
        ctypes.windll.kernel32.GetModuleFileNameW(
            ctypes.c_void_p(library._handle), file, len(file)
        )
        return os.path.abspath(file.value)

    class Found(ctypes.Structure):
        """Dl_info."""

        _fields_ = [
            ("file", ctypes.c_char_p), ("base", ctypes.c_void_p),
            ("symbol", ctypes.c_char_p), ("address", ctypes.c_void_p),
        ]

    found = Found()
    if not ctypes.CDLL(None).dladdr(library.coloop_instance_id, ctypes.byref(found)):
        raise OSError("the library cannot be found in this process")
    return os.path.abspath(os.fsdecode(found.file))
