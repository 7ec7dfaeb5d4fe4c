#!/bin/sh
# The adapters' headers compile without a warning, included twice.
set -eu
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

flags="-Wall -Wextra -pedantic -Werror -Iinclude $(pkg-config --cflags glib-2.0 libuv)"
for header in host glib uv; do
    printf '#include "coloop/adapters/%s.h"\n' $header $header > "$scratch/$header.c"
    cp "$scratch/$header.c" "$scratch/$header.cpp"
done
checked=0
compile() { # compile COMPILER STANDARD FILE FLAG...
    compiler=$1 standard=$2 file=$3
    shift 3
    # shellcheck disable=SC2086
    "$compiler" "-std=$standard" $flags "$@" -fsyntax-only "$file"
    checked=$((checked + 1))
}
for standard in c99 c11 c2x; do
    for compiler in gcc clang; do
        compile $compiler $standard "$scratch/host.c"
        compile $compiler $standard "$scratch/glib.c"
        # uv.h asks for more of POSIX than strict C shows.
        compile $compiler $standard "$scratch/uv.c" -D_XOPEN_SOURCE=700
    done
done
for standard in c++11 c++17 c++20 c++2b; do
    for compiler in g++ clang++; do
        for header in host glib uv; do compile $compiler $standard "$scratch/$header.cpp"; done
    done
done
echo "the adapters' headers compile in $checked ways"
