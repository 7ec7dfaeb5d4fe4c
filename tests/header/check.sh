#!/bin/sh
# The header as its users meet it: check.sh LIBRARY-DIRECTORY PYTHON
# Every C and C++ standard with gcc and clang, included twice; and cffi.
set -eu
cd "$(dirname "$0")/../.."
library=$1/libcoloop.so.0
python=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

printf '#include "coloop.h"\n#include "coloop.h"\nint main(void) { return coloop_version_number() == 0; }\n' \
    > "$scratch/twice.c"
sed 's,coloop\.h,coloop/dynamic.h,' "$scratch/twice.c" > "$scratch/dynamic.c"
cp "$scratch/twice.c" "$scratch/twice.cpp"
cp "$scratch/dynamic.c" "$scratch/dynamic.cpp"
checked=0
compile() { # compile COMPILER STANDARD FILE
    "$1" "-std=$2" -Wall -Wextra -pedantic -Werror -Iinclude -fsyntax-only "$3"
    checked=$((checked + 1))
}
for standard in c99 c11 c17 c2x; do
    for compiler in gcc clang; do
        compile $compiler $standard "$scratch/twice.c"
        compile $compiler $standard "$scratch/dynamic.c"
    done
done
for standard in c++11 c++14 c++17 c++20 c++2b; do
    for compiler in g++ clang++; do
        compile $compiler $standard "$scratch/twice.cpp"
        compile $compiler $standard "$scratch/dynamic.cpp"
    done
done
echo "the headers compile in $checked ways"

"$python" tests/header/parse.py include/coloop.h "$library"
