#!/bin/sh
# The adapters' headers as their users meet them: every C and C++ standard with gcc
# and clang, without a warning, each alone and all from two files of one program.
set -eu
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
flags="-Wall -Wextra -pedantic -Werror -Iinclude -I$(pg_config --includedir)"

for header in include/coloop/adapters/*.h; do
    case $header in */glib.h | */uv.h) continue ;; esac # other bridges have tests of their own
    name=$(basename "$header")
    printf '#include <coloop/adapters/%s>\n#include <coloop/adapters/%s>\n' "$name" "$name" \
        | tee "$scratch/alone-$name.c" >> "$scratch/all.c"
done
cat "$scratch/all.c" > "$scratch/one.c"
cat >> "$scratch/one.c" <<'END'
int other(loop_t *loop);
int main(void) {
    loop_t *loop = loop_new();
    coloop_curl_t *curl;
    coloop_pq_t *pq;
    coloop_cares_t *cares;
    int wrong = coloop_hiredis_attach(loop, NULL) != LOOP_EINVAL || coloop_curl_new(loop, &curl) != 0 ||
                coloop_pq_connect(loop, NULL, &pq, NULL) != LOOP_EINVAL || coloop_cares_new(loop, NULL, 0, &cares) != 0 ||
                other(loop) != 0;
    if (!wrong) {
        coloop_curl_free(curl);
        coloop_cares_free(cares);
    }
    loop_unref(loop);
    return wrong;
}
END
cat "$scratch/all.c" > "$scratch/two.c"
cat >> "$scratch/two.c" <<'END'
int other(loop_t *loop);
int other(loop_t *loop) {
    coloop_curl_t *curl;
    return coloop_curl_new(loop, &curl) != 0 || coloop_curl_free(curl) != 0;
}
END
checked=0
for standard in c99 c11 c17 c2x c++17 c++20 c++2b; do
    case $standard in c++*) language=c++ compilers="g++ clang++" ;; *) language=c compilers="gcc clang" ;; esac
    for compiler in $compilers; do
        # shellcheck disable=SC2086
        $compiler -x $language -std=$standard $flags -fsyntax-only "$scratch/one.c"
        checked=$((checked + 1))
    done
done
for source in "$scratch"/alone-*.c; do
    # shellcheck disable=SC2086
    cc -std=c99 $flags -fsyntax-only "$source"
done
for build in "cc -std=c99" "c++ -x c++ -std=c++17"; do
    # shellcheck disable=SC2086
    $build $flags "$scratch/one.c" "$scratch/two.c" -o "$scratch/program" \
        -Ltarget/lib -lcoloop -Wl,-rpath,"$PWD/target/lib" -lhiredis -lcurl -lpq -lcares
    "$scratch/program"
done
echo "the adapters' headers compile in $checked ways"
