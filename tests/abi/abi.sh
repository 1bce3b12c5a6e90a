#!/bin/sh
# abi.sh check: compares the C interface with the baseline beside this file. abi.sh accept: writes the baseline anew.
#
# New functions and constants need nothing. Whatever else changes (a function that goes or takes something else, a struct
# that grows, a constant with another value) fails until it is accepted: `make abi`, then read the diff as a user would.
#
# Looked at is the interface that a C compiler makes of memoom.h: a stub with every function, compiled with debug
# information. That the library has the same functions and the same structs is proved by capi/tests. The library's own
# debug information would show what opaque objects are made of too, which no user sees and which changes every day.
set -eu
cd "$(dirname "$0")"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
python3 stub.py stub >"$made/stub.c"
gcc -std=c11 -g -O0 -shared -fPIC -Wall -Wextra -Werror -I../../include -Wl,-soname,libmemoom.so.0 \
    -o "$made/libmemoom.so" "$made/stub.c"
python3 stub.py constants >"$made/constants"
if [ "${1:-}" = accept ]; then
    abidw --no-comp-dir-path --no-corpus-path --no-show-locs --short-locs "$made/libmemoom.so" >libmemoom.abi
    cp "$made/constants" constants
    echo "tests/abi has the interface of now; git diff shows what was accepted"
    exit 0
fi
status=0
if ! command -v abidiff >/dev/null; then
    echo "ok the interface is compatible # SKIP abidiff is not installed"
    [ "${MEMOOM_REQUIRE:-0}" != 1 ] || exit 1
else
    abidiff --no-added-syms libmemoom.abi "$made/libmemoom.so" >"$made/diff" 2>&1 || status=$?
    if [ $status -eq 0 ]; then
        echo "ok the interface is compatible"
    else
        echo "not ok the interface has changed; if that is meant: make abi"
        sed 's/^/# /' "$made/diff"
    fi
fi
# A constant may join; none may go or change.
if gone=$(grep -Fxv -f "$made/constants" constants); then
    echo "not ok constants have changed; if that is meant: make abi"
    echo "$gone" | sed 's/^/# was /'
    status=1
else
    echo "ok the constants are what they were"
fi
exit $status
