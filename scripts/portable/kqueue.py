"""FreeBSD and macOS: does it compile, without a warning? Nothing here can run it."""

from rust import Rust

TARGETS = ["x86_64-unknown-freebsd", "aarch64-apple-darwin"]


def step(_):
    for target in TARGETS:
        Rust(target).check()
