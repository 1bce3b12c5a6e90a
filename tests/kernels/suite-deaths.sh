#!/bin/sh
# Deaths with an author that is known beforehand, and the table of what memoom said of each: MEMOOM_DEATHS of them (300).
set -u
cd "$(dirname "$0")/../.." || exit 2
export MEMOOM_SLOW=1 MEMOOM_DEATHS="${MEMOOM_DEATHS:-300}" RUST_BACKTRACE=0
"${MEMOOM_PROGRAMS:-target/guest}/core-deaths" --test-threads=1 --nocapture
