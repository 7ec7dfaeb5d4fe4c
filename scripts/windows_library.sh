#!/bin/sh
# Builds the library for Windows, with mingw: windows_library.sh DIRECTORY
#
# DIRECTORY gets coloop.dll and libcoloop.dll.a, its import library. Rust's standard
# library is built with it, from the sources that Debian has for its own rustc; what
# mingw has of its own is linked in, so that the DLL needs those of Windows only.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
directory=$(cd "$1" && pwd)
target=x86_64-pc-windows-gnu
crates=${CARGO_HOME:-$HOME/.cargo}/registry/src
export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc-posix
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS="-Ctarget-feature=+crt-static --remap-path-prefix=$crates=crates"

"${CARGO:-cargo}" rustc --locked --release --lib --crate-type cdylib --target $target \
    --manifest-path "$root/Cargo.toml" --target-dir "$root/target/windows" -Zbuild-std=std,panic_abort,panic_unwind
for name in coloop.dll libcoloop.dll.a; do
    install -m 644 "$root/target/windows/$target/release/$name" "$directory/$name"
done
x86_64-w64-mingw32-strip --strip-unneeded "$directory/coloop.dll"
