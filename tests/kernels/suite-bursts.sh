#!/bin/sh
# Kills by the hundred (core/tests/bursts.rs), built outside. Only here are they tried under a log that is flooded, wrapped
# and cleared: the log of the machine outside is everybody's.
set -u
cd "$(dirname "$0")/../.." || exit 2
export MEMOOM_SLOW=1 RUST_BACKTRACE=0
export MEMOOM_BURST_GROUPS="${MEMOOM_BURST_GROUPS:-20}"
exec "${MEMOOM_PROGRAMS:-target/guest}/core-bursts" --test-threads=1 --nocapture
