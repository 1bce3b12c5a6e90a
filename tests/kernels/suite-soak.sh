#!/bin/sh
# Cycles without end (core/tests/soak.rs, tests/c/soak.c, python/tests/test_soak.py): MEMOOM_SOAK_CYCLES of them (500), with
# and without evidence, then from C and from Python. By name only: a cycle takes a large part of a second.
set -u
cd "$(dirname "$0")/../.." || exit 2
programs=${MEMOOM_PROGRAMS:-target/guest}
export MEMOOM_SLOW=1 MEMOOM_SOAK_CYCLES="${MEMOOM_SOAK_CYCLES:-500}" RUST_BACKTRACE=0 PYTHONDONTWRITEBYTECODE=1
status=0
for face in ${MEMOOM_SOAK_FACES:-rust c python}; do
    echo "== $face"
    case $face in
    rust) "$programs/core-soak" --test-threads=1 --nocapture ;;
    c) "$programs/c/soak" ;;
    python) "${MEMOOM_PYTHON:-.venv/bin/python}" -m pytest -q -s -p no:cacheprovider python/tests/test_soak.py ;;
    esac || status=1
done
exit $status
