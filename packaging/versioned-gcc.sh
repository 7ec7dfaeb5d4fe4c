#!/bin/sh
# A linker for rustc where that would be GNU ld, which takes no second version script
# beside an anonymous one such as rustc's: gives that the name of the library's node
# instead, and leaves out the library's own. LINKER, or gcc, is what links. rustc knows by
# the name of this file how to speak with it.
set -eu

for argument; do
    shift
    case $argument in
    -Wl,--version-script=*/coloop.map)
        continue
        ;;
    -Wl,--version-script=*)
        script=${argument#*=}
        sed '1s/^{/COLOOP_0 {/' "$script" >"$script.named"
        argument=-Wl,--version-script=$script.named
        ;;
    esac
    set -- "$@" "$argument"
done
exec "${LINKER:-gcc}" "$@"
