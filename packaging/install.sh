#!/bin/sh
# Installs what `make` has built, or removes it: install.sh install|uninstall
#
# From the environment: PREFIX, LIBDIR, INCLUDEDIR, DATADIR, DOCDIR (absolute);
# DESTDIR, a directory that stands for / and is in no file that is installed; LIB,
# where the libraries were built; STRIP, the program that removes debug
# information (empty: it stays).
#
# DATADIR/coloop/installed-files lists the files and, ending in /, the directories
# that did not exist before. It is what uninstall goes by.
set -eu
cd "$(dirname "$0")/.."
# Others read what is installed, whatever the umask is.
umask 022
root=${DESTDIR:-}
root=${root%/}
for directory in "$PREFIX" "$LIBDIR" "$INCLUDEDIR" "$DATADIR" "$DOCDIR"; do
    case $directory in
    /*) ;;
    *) echo "install: not an absolute path: '$directory'" >&2; exit 2 ;;
    esac
done
# One name for one directory: the list compares them.
plain() { printf '%s' "$1" | sed 's,//*,/,g; s,/$,,'; }
PREFIX=$(plain "$PREFIX")
LIBDIR=$(plain "$LIBDIR")
INCLUDEDIR=$(plain "$INCLUDEDIR")
DATADIR=$(plain "$DATADIR")
DOCDIR=$(plain "$DOCDIR")
list=$DATADIR/coloop/installed-files
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

field() { sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" Cargo.toml | head -n 1; }
version=$(field version)

remove() { # remove LIST: its files, then those of its directories that are empty
    while IFS= read -r path; do
        case $path in */) ;; *) rm -f "$root$path" ;; esac
    done < "$1"
    # Children before their parents.
    LC_ALL=C sort -r "$1" | while IFS= read -r path; do
        case $path in
        */) [ ! -d "$root$path" ] || rmdir "$root$path" 2>/dev/null || true ;;
        esac
    done
}

# The files, as SOURCE<tab>TARGET<tab>MODE; a source that begins with -> is a link.
files() {
    row() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }
    row "$scratch/libcoloop.so" "$LIBDIR/libcoloop.so.$version" 755
    row "->libcoloop.so.$version" "$LIBDIR/libcoloop.so.0" -
    row "->libcoloop.so.0" "$LIBDIR/libcoloop.so" -
    row "$scratch/libcoloop.a" "$LIBDIR/libcoloop.a" 644
    row "$scratch/coloop.pc" "$LIBDIR/pkgconfig/coloop.pc" 644
    for name in coloopConfig.cmake coloopConfigVersion.cmake; do
        row "$scratch/$name" "$LIBDIR/cmake/coloop/$name" 644
    done
    find include -type f \( -name '*.h' -o -name '*.hpp' \) | LC_ALL=C sort | while IFS= read -r header; do
        row "$header" "$INCLUDEDIR/${header#include/}" 644
    done
    for name in README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT LICENSE-THIRD-PARTY; do
        row "$name" "$DOCDIR/$name" 644
    done
}

# What the directory $1 below the directory $2 is called: ${prefix}/lib
below() {
    case $1 in
    "$2"/*) printf '%s' "\${prefix}${1#"$2"}" ;;
    *) printf '%s' "$1" ;;
    esac
}

# As pkg-config wants spaces in a directory.
escaped() { printf '%s' "$1" | sed 's/ /\\ /g'; }

fill() { # fill FILE NAME VALUE...: @NAME@ becomes VALUE
    name=$1
    shift
    text=$(cat "packaging/$name.in")
    while [ $# -gt 0 ]; do
        text=$(printf '%s' "$text" | NAME="@$1@" VALUE=$2 awk '{
            while (at = index($0, ENVIRON["NAME"]))
                $0 = substr($0, 1, at - 1) ENVIRON["VALUE"] substr($0, at + length(ENVIRON["NAME"]))
            print
        }')
        shift 2
    done
    printf '%s\n' "$text" > "$scratch/$name"
}

make_files() {
    # Compilers add the C library and the unwinder by themselves, each in the
    # form that fits the link: -static knows no libgcc_s.
    private=$(sed 's/-lgcc_s//; s/-lc$//; s/  */ /g; s/^ //; s/ $//' "$LIB/native-static-libs")
    fill coloop.pc PREFIX "$(escaped "$PREFIX")" LIBDIR "$(escaped "$(below "$LIBDIR" "$PREFIX")")" \
        INCLUDEDIR "$(escaped "$(below "$INCLUDEDIR" "$PREFIX")")" DESCRIPTION "$(field description)" \
        VERSION "$version" PRIVATE "$private"
    fill coloopConfig.cmake \
        INCLUDES "$(realpath -m --relative-to="$LIBDIR/cmake/coloop" "$INCLUDEDIR")" \
        LIBRARIES ../.. PRIVATE "$(printf '%s' "$private" | sed 's/-l//g; s/ /;/g')"
    fill coloopConfigVersion.cmake VERSION "$version"
    cp "$LIB/libcoloop.so.0" "$scratch/libcoloop.so"
    cp "$LIB/libcoloop.a" "$scratch/"
    if [ -n "$STRIP" ]; then
        $STRIP --strip-unneeded "$scratch/libcoloop.so"
        $STRIP --strip-debug "$scratch/libcoloop.a"
    fi
}

new_directories() { # those that are needed and not there
    while IFS= read -r path; do
        directory=${path%/*}
        while [ -n "$directory" ] && [ ! -d "$root$directory" ]; do
            printf '%s/\n' "$directory"
            directory=${directory%/*}
        done
    done < "$scratch/names"
}

keep_list() { # keep_list FILE
    install -d "$root${list%/*}"
    install -m 644 "$1" "$root$list"
}

install_files() {
    make_files
    files > "$scratch/files"
    { cut -f 2 "$scratch/files"; echo "$list"; } | LC_ALL=C sort > "$scratch/names"
    : > "$scratch/before"
    [ ! -e "$root$list" ] || LC_ALL=C sort -u "$root$list" > "$scratch/before"
    # The list comes first, of all there may be: what goes wrong later can be uninstalled.
    { cat "$scratch/names" "$scratch/before"; new_directories; } | LC_ALL=C sort -u > "$scratch/all"
    keep_list "$scratch/all"
    # What an older version had and this one has not; directories go if they are empty.
    # Before the rest: through a link it may be the same file under another name.
    LC_ALL=C comm -23 "$scratch/before" "$scratch/names" > "$scratch/old"
    remove "$scratch/old"
    while IFS="$(printf '\t')" read -r source target mode; do
        install -d "$root${target%/*}"
        case $source in
        '->'*) ln -sfn "${source#'->'}" "$root$target" ;;
        *) install -m "$mode" "$source" "$root$target" ;;
        esac
    done < "$scratch/files"
    while IFS= read -r path; do
        [ ! -e "$root$path" ] || printf '%s\n' "$path"
    done < "$scratch/all" > "$scratch/installed"
    keep_list "$scratch/installed"
    echo "coloop $version is installed in $root$PREFIX: $(wc -l < "$scratch/names") files"
}

case ${1:-} in
install)
    install_files
    ;;
uninstall)
    if [ ! -e "$root$list" ]; then
        echo "uninstall: nothing is installed here: no $root$list" >&2
        exit 1
    fi
    cp "$root$list" "$scratch/installed"
    remove "$scratch/installed"
    ;;
*)
    echo "usage: $0 install|uninstall" >&2
    exit 2
    ;;
esac
