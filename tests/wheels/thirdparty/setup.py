"""Another project's extensions, built with what the coloop package says."""

import coloop
from setuptools import Extension, setup

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-pthread"]
LINK = {"libraries": coloop.get_libraries(), "library_dirs": coloop.get_library_dirs()}


def extension(name, source, standard, **link):
    return Extension(
        f"thirdparty.{name}", [f"native/{source}"],
        include_dirs=[coloop.get_include()],
        define_macros=[("MODULE", name), (f"IS_{name.upper()}", "1")],
        extra_compile_args=[f"-std={standard}", *WARNINGS],
        **link,
    )


setup(ext_modules=[
    extension("table", "poster.c", "c11"),
    extension("linked", "poster.c", "c11", **LINK),
    extension("linked_cpp", "poster.cpp", "c++17", **LINK),
    extension("loaded_cpp", "poster.cpp", "c++17"),
])
