#!/bin/sh
# A linker for rustc where that would be GNU ld, which takes no version script beside
# rustc's own, as the feature `symbol-versions` needs it: gives rustc's the name of the
# library's node instead. LINKER, or gcc, is what links. rustc knows by the name of this
# file how to speak with it.
set -eu

for argument; do
    shift
    case $argument in
    -Wl,--version-script=*)
        script=${argument#*=}
        sed '1s/^{/COLOOP_0 {/' "$script" >"$script.named"
        argument=-Wl,--version-script=$script.named
        ;;
    esac
    set -- "$@" "$argument"
done
exec "${LINKER:-gcc}" "$@"
