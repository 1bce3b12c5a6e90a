#!/bin/sh
# What real clients do with limits, and what memoom says of it: units, containers, users and killers of a whole Debian.
set -u
cd "$(dirname "$0")/../.." || exit 2
export PYTHONDONTWRITEBYTECODE=1
exec "${MEMOOM_PYTHON:-python3}" -m pytest -q -p no:cacheprovider --durations=0 -rA tests/systemd "$@"
