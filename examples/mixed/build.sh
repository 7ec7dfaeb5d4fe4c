#!/bin/sh
# Builds the native parts: build.sh PYTHON DIRECTORY
# PYTHON has the coloop package, which says where its headers and library are.
set -eu
python=$1
out=$2
here=$(dirname "$0")

ask() { "$python" -c "import coloop, sysconfig; print($1)"; }
include=$(ask 'coloop.get_include()')
libraries=$(ask 'coloop.get_library_dirs()[0]')
flags="${CFLAGS:--O2} -Wall -Wextra -Werror -shared -fPIC -pthread -I$include"

python_include=$(ask 'sysconfig.get_path("include")')
suffix=$(ask 'sysconfig.get_config_var("EXT_SUFFIX")')

# shellcheck disable=SC2086
${CXX:-c++} -std=c++17 $flags "-I$python_include" "$here/producers.cpp" -o "$out/producers$suffix"
# shellcheck disable=SC2086
${CXX:-c++} -std=c++20 $flags "-I$python_include" "$here/coroutines.cpp" -o "$out/coroutines$suffix" \
    "-L$libraries" -lcoloop "-Wl,-rpath,$libraries"
# shellcheck disable=SC2086
${CC:-cc} -std=c11 -D_GNU_SOURCE $flags "$here/redis_link.c" -o "$out/libredis_link.so" \
    "-L$libraries" -lcoloop "-Wl,-rpath,$libraries" -lhiredis
