#!/bin/sh
# Runs a Windows program: wine.sh PROGRAM.exe ARGUMENT...
#
# In a prefix of its own, target/portable/wine, which is made when there is none. The
# standard input, output and error of Python have to be pipes there.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
prefix=$root/target/portable/wine
export WINEDEBUG=-all DISPLAY=

if [ ! -e "$prefix/.made" ]; then
    mkdir -p "$root/target/portable"
    # Made elsewhere and then put there: two that begin at once do no harm.
    scratch=$(mktemp -d "$prefix.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    WINEPREFIX=$scratch wineboot --init >/dev/null 2>&1
    WINEPREFIX=$scratch wineserver --wait
    library=$scratch/drive_c/windows/system32/bcryptprimitives.dll
    if [ ! -e "$library" ]; then
        x86_64-w64-mingw32-gcc-posix -shared -O1 -o "$library" "$root/scripts/portable/bcryptprimitives.c" -ladvapi32
    fi
    touch "$scratch/.made"
    mv -T "$scratch" "$prefix" 2>/dev/null || [ -e "$prefix/.made" ]
fi
export WINEPREFIX="$prefix"
exec wine "$@"
