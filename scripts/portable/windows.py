"""Windows, as far as wine shows it: all tests, by mingw's compiler (windows-gnu)."""

import contextlib
import os
import shutil
import subprocess
import sys

import c_tests
from rust import OUTPUT, ROOT, Rust, run

sys.path.insert(0, str(ROOT / "tests"))
from examples import expected_output

TARGET = "x86_64-pc-windows-gnu"
COMPILER = "x86_64-w64-mingw32-gcc-posix"
PREFIX = OUTPUT / "wine"
WINE = {"WINEPREFIX": str(PREFIX), "WINEDEBUG": "-all", "DISPLAY": ""}
PLATFORMS = ["windows", "wine"]
# POSIX's headers, on Winsock; and printf as C has it.
LAYER = ["-isystem", "tests/c/windows/include", "-D__USE_MINGW_ANSI_STDIO=1"]
# A test that takes a second takes ten where wine's server works for two at a time.
SECONDS = 120


@contextlib.contextmanager
def wine():
    """Wine's server and services stay for as long as one program runs: starting them
    takes seconds. What is killed in the end belongs to this prefix alone."""
    # Makes the prefix where there is none.
    run([ROOT / "scripts/portable/wine.sh", "--version"])
    keeper = subprocess.Popen(["wine", "cmd"], env={**os.environ, **WINE}, stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        keeper.stdin.close()
        subprocess.run(["wineserver", "-k"], env={**os.environ, **WINE})
        keeper.wait()


def test_examples(link, place):
    """The examples that need nothing but coloop and threads."""
    for name in ["run_then_get", "shared_pool", "three_loops"]:
        source = ROOT / f"examples/c/{name}.c"
        program = place / f"{name}.exe"
        run([COMPILER, *c_tests.FLAGS, source, "-o", program, *link])
        printed = subprocess.run(["wine", program], check=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 text=True, timeout=60).stdout
        expected = expected_output(source.read_text())
        if expected is not None and printed != expected:
            sys.exit(f"{name} printed {printed!r}, not {expected!r}")
        print(f"{name} works", flush=True)


def step(_):
    os.environ.update(WINE)
    rust = Rust(TARGET, COMPILER, ["wine"], env=WINE)
    rust.cargo("rustc", "--lib", "--crate-type", "cdylib")
    libraries = OUTPUT / TARGET / "debug"
    link = ["-static", libraries / "libcoloop.dll.a", "-lws2_32"]
    layer = sorted((ROOT / "tests/c/windows").glob("*.c"))
    program = c_tests.build(TARGET, [COMPILER, *LAYER], None, PLATFORMS, link, layer)
    shutil.copy(libraries / "coloop.dll", program.parent)
    with wine():
        rust.test("--test", "polling_on_windows")
        test_examples(link, program.parent)
        c_tests.test(program.with_suffix(".exe"), PLATFORMS, ["wine"], "--limit", str(SECONDS))
