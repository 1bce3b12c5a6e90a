#!/bin/sh
# The C face: the scenarios through the C functions, and the C examples and tests, built outside, run inside.
set -u
cd "$(dirname "$0")/../.." || exit 2
programs=${MEMOOM_PROGRAMS:-target/guest}
export RUST_BACKTRACE=0
status=0
echo "== scenarios"
"$programs/capi-live" --test-threads=1 || status=1
for program in null layout contract promises control pods quickstart experiments; do
    echo "== $program"
    "$programs/c/$program" || status=1
done
exit $status
