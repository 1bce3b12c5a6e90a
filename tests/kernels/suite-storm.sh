#!/bin/sh
# The storm of signals (core/tests/storm.rs), built outside and run inside as it is. By name only: 500 signals take minutes.
set -u
cd "$(dirname "$0")/../.." || exit 2
programs=${MEMOOM_PROGRAMS:-target/guest}
export MEMOOM_SLOW=1 RUST_BACKTRACE=0
export MEMOOM_STORM_SIGNALS="${MEMOOM_STORM_SIGNALS:-500}"
python=${MEMOOM_PYTHON:-.venv/bin/python}
[ ! -x "$python" ] || export MEMOOM_STORM_PYTHON="$python"
export PYTHONDONTWRITEBYTECODE=1
exec "$programs/core-storm"
