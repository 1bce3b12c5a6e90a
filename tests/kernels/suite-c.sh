#!/bin/sh
# The C face: the scenarios through the C functions, and the C examples and tests, built outside, run inside.
set -u
cd "$(dirname "$0")/../.." || exit 2
export RUST_BACKTRACE=0
status=0
echo "== scenarios"
target/guest/capi-live --test-threads=1 || status=1
for program in null layout contract promises control quickstart experiments; do
    echo "== $program"
    "target/guest/c/$program" || status=1
done
exit $status
