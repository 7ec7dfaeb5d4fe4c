"""tests/c for another system: the program, and run.py with what runs it."""

import concurrent.futures
import os
import shlex
import subprocess
import sys

from rust import OUTPUT, ROOT, run

FLAGS = "-O1 -g -std=c11 -Wall -Wextra -pedantic -Werror -D_GNU_SOURCE -Iinclude -pthread".split()
TESTS = ROOT / "tests/c"
RUN = [sys.executable, "tests/c/run.py"]


def platforms(names):
    """run.py's options for them."""
    return [word for name in names for word in ("--platform", name)]


def build(name, compiler, libraries, names, link=(), more=()):
    """The program of a step, made by a C compiler of the platforms' sources and of more, and
    linked to the libcoloop in a directory, unless that is None."""
    command = [*RUN, *platforms(names), "--sources"]
    sources = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout.split()
    sources += map(str, more)
    program = OUTPUT / name / "c"
    names_of_objects = [os.path.relpath(source, TESTS).replace(os.sep, "-") + ".o" for source in sources]
    objects = [program.parent / "objects" / object for object in names_of_objects]
    objects[0].parent.mkdir(parents=True, exist_ok=True)
    print("+", shlex.join([*compiler, *FLAGS]), f"-c tests/c/*.c ({len(sources)})", flush=True)

    common = [*TESTS.glob("**/*.h"), ROOT / "include/coloop.h", *ROOT.glob("scripts/portable/*.py")]
    changed = max(path.stat().st_mtime for path in common)

    def compile_one(source, result):
        if result.exists() and result.stat().st_mtime > max(changed, os.stat(source).st_mtime):
            return 0
        return subprocess.run([*compiler, *FLAGS, "-c", source, "-o", result], cwd=ROOT).returncode

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        if any(pool.map(compile_one, sources, objects)):
            sys.exit(f"tests/c cannot be compiled for {name}")
    if libraries is not None:
        link = [f"-L{libraries}", "-lcoloop", f"-Wl,-rpath,{libraries}", *link]
    subprocess.run([*compiler, *objects, "-o", program, "-pthread", *link], check=True)
    return program


def test(program, names, runner=(), *options):
    """All tests but those that the platforms leave out."""
    runner = ["--runner", shlex.join(runner)] if runner else []
    run([*RUN, *platforms(names), *runner, *options, program])
