#!/bin/sh
# What filled the limit, who grew and who killed (core/tests/why.rs, why_codes.rs, composition.rs), built outside and run
# inside as they are.
set -u
cd "$(dirname "$0")/../.." || exit 2
programs=${MEMOOM_PROGRAMS:-target/guest}
export MEMOOM_SLOW=1 RUST_BACKTRACE=0
status=0
# core-authors and core-why_docs (the words of docs/why.md, tried on 6.18 with v1) have not been run in
# every guest: by hand, --command 'target/guest/core-authors --test-threads=1'.
for program in core-why core-why_codes core-composition; do
    echo "== $program"
    "$programs/$program" --test-threads=1 --nocapture || status=1
done
exit $status
