#!/bin/sh
# Builds one executable per library into target/bench/. A library that is not installed is
# reported and left out. Environment: CC, CXX, CFLAGS, CARGO, BENCH_OUT.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
out=${BENCH_OUT:-$root/target/bench}
cc=${CC:-cc}
cxx=${CXX:-c++}
cflags=${CFLAGS:--O2 -g -Wall -Wextra}
mkdir -p "$out"
built="" skipped=""

# build NAME EXTRA...: the extra words are compiler and linker flags of that library.
# A service that it offers is an adapter of that name beside adapters/NAME.h; what it does
# with coroutines, coroutines/NAME.cpp.
build() {
    name=$1
    shift
    files="main util client"
    grep -q B_NO_LOOP "$here/adapters/$name.h" ||
        files="$files soon crossthread timers firing pipes echo lifecycle"
    for service in stream jobs spawn; do
        [ -f "$here/adapters/${name}_$service.h" ] || continue
        files="$files $service"
        macro=BENCH_$(echo "$service" | tr '[:lower:]' '[:upper:]')
        set -- "-D$macro=\"../adapters/${name}_$service.h\"" "$@"
    done
    if [ -f "$here/coroutines/$name.cpp" ]; then
        # shellcheck disable=SC2086
        if ! $cxx -std=c++20 $cflags -I"$root/include" -c "$here/coroutines/$name.cpp" \
            -o "$out/coroutines_$name.o"
        then
            skip "$name" "its coroutines do not compile"
            return
        fi
        files="$files coroutines"
        set -- -DBENCH_COROUTINES "$out/coroutines_$name.o" "$@" -lstdc++
    fi
    for file in $files; do
        set -- "$here/src/$file.c" "$@"
    done
    # shellcheck disable=SC2086
    if $cc -std=gnu11 $cflags -pthread -I"$here/src" \
        "-DBENCH_ADAPTER=\"../adapters/$name.h\"" -o "$out/bench_$name.new" "$@"
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

has_cpp_header() {
    echo "#include <$1>" | $cxx -E -x c++ - >/dev/null 2>&1
}

build raw

if has_header uv.h; then build libuv -luv; else skip libuv "no uv.h (libuv1-dev)"; fi
if has_header ev.h; then build libev -lev -lm; else skip libev "no ev.h (libev-dev)"; fi
if has_header event2/event.h; then
    build libevent -levent_core
else
    skip libevent "no event2/event.h (libevent-dev)"
fi

if has_cpp_header boost/asio.hpp; then build asio; else skip asio "no boost/asio.hpp (libboost1.81-dev)"; fi

if "${CARGO:-cargo}" build --quiet --release --manifest-path "$here/mio/Cargo.toml" \
    --target-dir "$out/mio-target"; then
    build mio "$out/mio-target/release/libbench_mio.a" -ldl -lm
else
    skip mio "cargo could not build benches/mio"
fi

if "${CARGO:-cargo}" build --quiet --release --manifest-path "$here/tokio/Cargo.toml" \
    --target-dir "$out/tokio-target"; then
    build tokio "$out/tokio-target/release/libbench_tokio.a" -ldl -lm
else
    skip tokio "cargo could not build benches/tokio"
fi

if [ -f "$root/include/coloop.h" ] && [ -f "$root/target/lib/libcoloop.so" ]; then
    build coloop -I"$root/include" -L"$root/target/lib" -lcoloop \
        "-Wl,-rpath,$root/target/lib"
else
    skip coloop "no target/lib/libcoloop.so (make first)"
fi

echo "built:$built"
[ -z "$skipped" ] || echo "skipped:$skipped"
