"""Linux on other processors, glibc: all tests, under qemu's user mode, or by the
kernel itself if this processor knows the other one's programs, too."""

import subprocess

import c_tests
from rust import ROOT, Rust

# What qemu, Debian's compilers and Rust call each processor, and its loader.
PROCESSORS = {
    "aarch64": ("aarch64", "aarch64-linux-gnu", "aarch64-unknown-linux-gnu", "ld-linux-aarch64.so.1"),
    "s390x": ("s390x", "s390x-linux-gnu", "s390x-unknown-linux-gnu", "ld64.so.1"),
    "i686": ("i386", "i686-linux-gnu", "i686-unknown-linux-gnu", "ld-linux.so.2"),
    "riscv64": ("riscv64", "riscv64-linux-gnu", "riscv64gc-unknown-linux-gnu", "ld-linux-riscv64-lp64d.so.1"),
}
# A test that takes a second takes ten in an emulator.
SECONDS = 120


def runs_here(loader):
    try:
        return subprocess.run([loader, "--version"], stdout=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def step(name):
    qemu, tools, target, loader = PROCESSORS[name]
    libraries = f"/usr/{tools}/lib"
    if runs_here(f"{libraries}/{loader}"):
        # What is linked finds the other processor's libraries by itself.
        link = [f"-Wl,--dynamic-linker={libraries}/{loader}", f"-Wl,-rpath,{libraries}"]
        env = {"RUSTFLAGS": " ".join(f"-Clink-arg={argument}" for argument in link)}
        runner, platforms = [], [name]
    else:
        link, env = [], {}
        runner, platforms = [f"qemu-{qemu}", "-L", f"/usr/{tools}"], ["qemu", name]
    rust = Rust(target, ROOT / "packaging/versioned-gcc.sh", runner, env={"LINKER": f"{tools}-gcc", **env})
    libraries = rust.library()
    program = c_tests.build(target, [f"{tools}-gcc"], libraries, platforms, link)
    limit = ["--limit", str(SECONDS)] if runner else []
    c_tests.test(program, platforms, runner, *limit)
    rust.test()
