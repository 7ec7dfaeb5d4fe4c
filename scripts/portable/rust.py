"""The library for other systems, by Debian's rustc 1.96.

Debian packages the source of the standard library that belongs to its compiler, so
cargo can build that library for any target: no other toolchain has to come from
anywhere. What the standard library itself depends on comes from crates.io.
"""

import os
import pathlib
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OUTPUT = ROOT / "target/portable"
CARGO = shlex.split(os.environ.get("CARGO", "cargo"))
STD = "-Zbuild-std=std,panic_abort,panic_unwind"
SETTINGS = {
    "RUSTC": "/usr/bin/rustc",
    # -Zbuild-std is not stable.
    "RUSTC_BOOTSTRAP": "1",
    # One profile for the library and its tests, so that the standard library is
    # built once; with overflow checks, and quick enough for emulators.
    "CARGO_PROFILE_DEV_OPT_LEVEL": "1",
    "CARGO_PROFILE_DEV_DEBUG": "line-tables-only",
    "CARGO_INCREMENTAL": "0",
    # Symbol versions are for one unit.
    "CARGO_PROFILE_DEV_CODEGEN_UNITS": "1",
    # The standard library's would end a test that closes the loop's descriptors.
    "CARGO_PROFILE_DEV_DEBUG_ASSERTIONS": "false",
}


def run(command, env=None, **options):
    """Runs a command, which is shown."""
    env = env or {}
    settings = [f"{name}={shlex.quote(value)}" for name, value in env.items() if name not in SETTINGS]
    print("+", *settings, shlex.join(map(str, command)), flush=True)
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, **env}, **options)


class Rust:
    """A target's cargo."""

    def __init__(self, target, linker=None, runner=None, cargo=CARGO, env=None):
        """`cargo` may be another one, such as cargo-zigbuild."""
        self.target = target
        self.program = cargo
        self.env = {**SETTINGS, **(env or {})}
        name = target.upper().replace("-", "_")
        if linker:
            self.env[f"CARGO_TARGET_{name}_LINKER"] = str(linker)
        if runner:
            self.env[f"CARGO_TARGET_{name}_RUNNER"] = shlex.join(runner)

    def cargo(self, subcommand, *arguments, std=STD):
        place = ["--locked", "--target-dir", OUTPUT, "--target", self.target]
        run([*self.program, subcommand, std, *place, *arguments], self.env)

    def library(self, *arguments):
        """Builds the shared library; its directory, where it also stands by its SONAME."""
        self.cargo("rustc", "--lib", "--crate-type", "cdylib", *arguments)
        directory = OUTPUT / self.target / "debug"
        soname = directory / "libcoloop.so.0"
        soname.unlink(missing_ok=True)
        os.link(directory / "libcoloop.so", soname)
        return directory

    def test(self, *arguments):
        """Runs the Rust unit tests."""
        self.cargo("test", "--lib", *arguments, std=STD + ",test")

    def check(self, *arguments):
        """Only the compiler's opinion: no linker, no system."""
        self.env["RUSTFLAGS"] = "-Dwarnings"
        self.cargo("check", "--lib", *arguments)
