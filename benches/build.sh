#!/bin/sh
# Builds one executable per library into target/bench/. A library that is not installed is
# reported and left out. Environment: CC, CFLAGS, CARGO, BENCH_OUT.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
out=${BENCH_OUT:-$root/target/bench}
cc=${CC:-cc}
cflags=${CFLAGS:--O2 -g -Wall -Wextra}
mkdir -p "$out"
built="" skipped=""

# build NAME EXTRA...: the extra words are compiler and linker flags of that library.
build() {
    name=$1
    shift
    # shellcheck disable=SC2086
    if $cc -std=gnu11 $cflags -pthread -I"$here/src" \
        "-DBENCH_ADAPTER=\"../adapters/$name.h\"" "$here"/src/*.c -o "$out/bench_$name.new" "$@"
    then
        mv "$out/bench_$name.new" "$out/bench_$name"
        built="$built $name"
    else
        skip "$name" "does not compile"
    fi
}

skip() {
    rm -f "$out/bench_$1"
    echo "skipped $1: $2" >&2
    skipped="$skipped $1"
}

has_header() {
    echo "#include <$1>" | $cc -E -x c - >/dev/null 2>&1
}

build raw

if has_header uv.h; then build libuv -luv; else skip libuv "no uv.h (libuv1-dev)"; fi
if has_header ev.h; then build libev -lev -lm; else skip libev "no ev.h (libev-dev)"; fi
if has_header event2/event.h; then
    build libevent -levent_core
else
    skip libevent "no event2/event.h (libevent-dev)"
fi

if "${CARGO:-cargo}" build --quiet --release --manifest-path "$here/mio/Cargo.toml" \
    --target-dir "$out/mio-target"; then
    build mio "$out/mio-target/release/libbench_mio.a" -ldl -lm
else
    skip mio "cargo could not build benches/mio"
fi

if [ -f "$root/include/coloop.h" ] && [ -f "$root/target/lib/libcoloop.so" ]; then
    build coloop -I"$root/include" -L"$root/target/lib" -lcoloop \
        "-Wl,-rpath,$root/target/lib"
else
    skip coloop "no target/lib/libcoloop.so (make first)"
fi

echo "built:$built"
[ -z "$skipped" ] || echo "skipped:$skipped"
