#!/bin/sh
# Runs a Windows program: wine.sh PROGRAM.exe ARGUMENT...
#
# In a prefix of its own, target/portable/wine, which is made when there is none. The
# standard input, output and error of Python have to be pipes there.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
prefix=$root/target/portable/wine
missing=drive_c/windows/system32/bcryptprimitives.dll
export WINEDEBUG=-all DISPLAY=

# What wine lacks comes last: it says that all is there.
if [ ! -e "$prefix/$missing" ]; then
    mkdir -p "$root/target/portable"
    # Made elsewhere and then put there: two that begin at once do no harm.
    scratch=$(mktemp -d "$prefix.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    WINEPREFIX=$scratch wineboot --init >/dev/null 2>&1
    WINEPREFIX=$scratch wineserver --wait
    if [ ! -e "$scratch/$missing" ]; then
        x86_64-w64-mingw32-gcc-posix -shared -O1 -o "$scratch/$missing" "$root/scripts/portable/bcryptprimitives.c" -ladvapi32
    fi
    mv -T "$scratch" "$prefix" 2>/dev/null || [ -e "$prefix/$missing" ] || {
        echo "$0: $prefix is in the way: something else, or a prefix that is not whole" >&2
        exit 1
    }
    rm -rf "$scratch" # where another one was first: `exec` runs no trap
fi
export WINEPREFIX="$prefix"
exec wine "$@"
