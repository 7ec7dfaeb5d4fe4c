#!/bin/sh
# Builds the Debian packages in target/deb, from a copy of the tree with the
# libraries that are built already. Arguments go to dpkg-buildpackage.
set -eu
cd "$(dirname "$0")/.."
build=target/deb/coloop
rm -rf target/deb
mkdir -p "$build/target"
tar -c --exclude=./target --exclude=./.git --exclude='./.venv*' --exclude=__pycache__ . | tar -x -C "$build"
cp -a target/lib "$build/target/"
cd "$build"
# Cargo need not have come as a package.
dpkg-buildpackage --unsigned-source --unsigned-changes --build=binary --no-check-builddeps "$@"
