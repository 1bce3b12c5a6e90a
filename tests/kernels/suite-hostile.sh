#!/bin/sh
# Surroundings that hide, refuse or lie (core/tests/hostile.rs), all of them, built outside and run inside as they are.
set -u
cd "$(dirname "$0")/../.." || exit 2
export MEMOOM_SLOW=1 RUST_BACKTRACE=0
# Each group and lab takes many times longer here.
export MEMOOM_CROWD="${MEMOOM_CROWD:-100}" MEMOOM_LABS="${MEMOOM_LABS:-10}"
exec "${MEMOOM_PROGRAMS:-target/guest}/core-hostile" --test-threads=1 --nocapture
