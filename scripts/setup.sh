#!/bin/sh
# Installs the Debian packages that the tests or the benchmarks need and that
# are not there yet: setup.sh GROUP..., some of the cases below.
set -eu

packages=""
need() { # need PACKAGE COMMAND-THAT-SHOWS-IT...
    package=$1
    shift
    "$@" >/dev/null 2>&1 || packages="$packages $package"
}
header() { echo "#include <$1>" | cc -E -x c -; }

list() { # list GROUP
    case $1 in
    test)
        need gcc gcc --version
        need g++ g++ --version
        need clang clang --version
        need valgrind valgrind --version
        need libc6-dbg test -e /usr/lib/debug/.build-id
        need binutils nm --version
        need curl curl --version
        need socat socat -V
        need openssl openssl version
        need netcat-openbsd nc -h
        need cmake cmake --version
        need libhiredis-dev header hiredis/async.h
        need redis-server command -v redis-server
        need python3-venv "${PYTHON:-python3}" -c "import ensurepip, venv"
        ;;
    install)
        need gcc gcc --version
        need g++ g++ --version
        need clang clang --version
        need cmake cmake --version
        need binutils readelf --version
        need pkg-config pkg-config --version
        need util-linux setarch --version
        ;;
    deb)
        need gcc gcc --version
        need dpkg-dev dpkg-buildpackage --version
        need debhelper command -v dh
        need dh-python command -v dh_python3
        need python3-dev command -v /usr/bin/python3-config
        need python3-setuptools /usr/bin/python3 -c "import setuptools"
        ;;
    abi)
        need gcc gcc --version
        need binutils nm --version
        need abigail-tools abidiff --version
        ;;
    wheels)
        need gcc gcc --version
        need g++ g++ --version
        need binutils nm --version
        need python3-venv "${PYTHON:-python3}" -c "import ensurepip, venv"
        ;;
    embedding)
        need gcc gcc --version
        need g++ g++ --version
        need clang clang --version
        need pkg-config pkg-config --version
        need libglib2.0-dev pkg-config --exists glib-2.0
        need libuv1-dev pkg-config --exists libuv
        need valgrind valgrind --version
        ;;
    languages)
        need luajit luajit -v
        need ruby ruby -rfiddle -e ""
        need nodejs node --version
        need npm npm --version
        ;;
    cpp)
        need g++ g++ --version
        need clang clang++ --version
        need doctest-dev test -e /usr/include/doctest/doctest.h
        ;;
    software)
        need wrk command -v wrk
        need redis-server command -v redis-server
        need postgresql ls /usr/lib/postgresql/*/bin/initdb
        need openssl openssl version
        ;;
    adapters)
        need libhiredis-dev header hiredis/async.h
        need redis-server command -v redis-server
        need libcurl4-openssl-dev header curl/curl.h
        need libpq-dev pg_config --includedir
        need postgresql ls /usr/lib/postgresql/*/bin/initdb
        need libc-ares-dev header ares.h
        need dnsmasq-base test -x /usr/sbin/dnsmasq
        need openssl openssl version
        need valgrind valgrind --version
        ;;
    bench)
        need libuv1-dev header uv.h
        need libev-dev header ev.h
        need libevent-dev header event2/event.h
        need libboost1.81-dev test -e /usr/include/boost/asio.hpp
        ;;
    bench-python)
        need gcc gcc --version
        need libssl-dev header openssl/ssl.h
        need openssl openssl version
        need wrk test -x /usr/bin/wrk
        need python3-venv "${PYTHON:-python3}" -c "import ensurepip, venv"
        ;;
    portable | portable-*) # a step of scripts/portable, or all of them
        need rustc-web dpkg -s rustc-web
        need rust-web-src test -e /usr/lib/rustlib/src/rust/library/Cargo.lock
        need python3-venv "${PYTHON:-python3}" -c "import ensurepip, venv"
        case $1 in
        portable | portable-musl)
            need gcc gcc --version
            need musl-tools musl-gcc --version
            ;;
        esac
        for processor in aarch64:arm64 s390x:s390x i686:i386 riscv64:riscv64; do
            name=${processor%:*}
            case $1 in
            portable | "portable-$name")
                need "gcc-$name-linux-gnu" "$name-linux-gnu-gcc" --version
                need "libc6-dev-${processor#*:}-cross" test -e "/usr/$name-linux-gnu/include/errno.h"
                need qemu-user qemu-s390x --version
                ;;
            esac
        done
        case $1 in
        portable | portable-windows | portable-windows-python)
            need gcc-mingw-w64-x86-64-posix x86_64-w64-mingw32-gcc-posix --version
            need wine wine --version
            need wine64 dpkg -s wine64
            ;;
        esac
        case $1 in
        portable | portable-windows-python) need cmake cmake --version ;;
        esac
        ;;
    *)
        echo "$0: there is no group $1" >&2
        exit 2
        ;;
    esac
}

if [ $# = 0 ]; then
    echo "usage: $0 GROUP...; see $0" >&2
    exit 2
fi
for group in "$@"; do
    list "$group"
done
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ]; then sudo=""; else sudo=sudo; fi
echo "installing:$packages"
# Nothing that is installed may start by itself: tests start their own servers.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
    trap '$sudo rm -f $policy' EXIT
    $sudo chmod 755 $policy
fi
# shellcheck disable=SC2086
{
    $sudo apt-get update -qq -o DPkg::Lock::Timeout=600
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=600 $packages
}
