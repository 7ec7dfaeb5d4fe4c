"""Linux with musl as its C library: all tests, on this machine.

zig links the library, because what Debian has for musl lacks an unwinder. The
programs of the tests are musl-gcc's.
"""

import os
import venv

import c_tests
from rust import OUTPUT, ROOT, Rust, run

TARGET = "x86_64-unknown-linux-musl"
# musl-gcc does not look there, and the kernel's headers are the same for both.
KERNEL = "-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu".split()
TOOLS = OUTPUT / "tools"


def install_tools():
    requirements = ROOT / "scripts/requirements-portable.txt"
    installed = TOOLS / "installed.txt"
    if installed.exists() and installed.read_text() == requirements.read_text():
        return
    venv.create(TOOLS, clear=True, with_pip=True)
    run([TOOLS / "bin/pip", "install", "--quiet", "--requirement", requirements])
    installed.write_text(requirements.read_text())


def step(name):
    install_tools()
    env = {
        "PATH": f"{TOOLS / 'bin'}{os.pathsep}{os.environ['PATH']}",
        # Shared libraries need musl's own to be shared; zig brings the rest.
        "RUSTFLAGS": "-Ctarget-feature=-crt-static -Clink-self-contained=no",
    }
    rust = Rust(TARGET, cargo=[TOOLS / "bin/cargo-zigbuild"], env=env)
    libraries = rust.library("--features", "symbol-versions")
    program = c_tests.build(TARGET, ["musl-gcc", *KERNEL], libraries, [name])
    c_tests.test(program, [name])
    rust.test()
