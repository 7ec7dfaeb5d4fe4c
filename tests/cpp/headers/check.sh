#!/bin/sh
# The C++ headers as their users meet them: check.sh LIBRARY-DIRECTORY
# Every standard with g++ and clang++, in two files of one program; without exceptions; and
# each header by itself.
set -eu
cd "$(dirname "$0")/../../.."
library=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cat > "$scratch/run" <<'END'
#!/bin/sh
# run COMPILER FLAGS... : compiles a program of these flags and runs it
set -eu
program=$(mktemp -p "$SCRATCH")
"$@" -Wall -Wextra -pedantic -Werror -Wconversion -Wshadow -O1 -Iinclude -o "$program" \
    -L"$LIBRARY" -lcoloop -Wl,-rpath,"$LIBRARY" -pthread
timeout 60 "$program"
END
cat > "$scratch/alone" <<'END'
#!/bin/sh
# alone HEADER: compiles a file that includes only this one
set -eu
case $1 in
coloop/task*) standard=c++20 ;;
*) standard=c++17 ;;
esac
echo "#include <$1>" | g++ -std=$standard -Wall -Wextra -pedantic -Werror -Iinclude -fsyntax-only -x c++ -
END
chmod +x "$scratch/run" "$scratch/alone"
export SCRATCH="$scratch" LIBRARY="$library"

here=tests/cpp/headers
for compiler in g++ clang++; do
    for standard in c++17 c++20 c++2b; do
        echo "$compiler -std=$standard $here/one.cpp $here/two.cpp"
    done
    for standard in c++20 c++2b; do
        echo "$compiler -std=$standard $here/coroutines_one.cpp $here/coroutines_two.cpp"
    done
    echo "$compiler -std=c++17 -fno-exceptions -fno-rtti -fvisibility=hidden $here/no_exceptions.cpp"
done > "$scratch/ways"
xargs -P "$(nproc)" -L 1 "$scratch/run" < "$scratch/ways"
echo "the C++ headers compile, link and work in $(wc -l < "$scratch/ways") ways"

# Adapters need the libraries that they adapt.
(cd include && ls coloop.hpp coloop/*.hpp coloop/task/*.hpp) > "$scratch/headers"
xargs -P "$(nproc)" -L 1 "$scratch/alone" < "$scratch/headers"
echo "$(wc -l < "$scratch/headers") headers may be included by themselves"
