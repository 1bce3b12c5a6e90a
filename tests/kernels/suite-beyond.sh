#!/bin/sh
# What goes beyond one run: stop at the limit and look, with real tracers, and the least limit of programs whose need is known.
set -u
cd "$(dirname "$0")/../.." || exit 2
python=${MEMOOM_PYTHON:-.venv/bin/python}
programs=${MEMOOM_PROGRAMS:-target/guest}
export PYTHONDONTWRITEBYTECODE=1
status=0
echo "== core-fit"
MEMOOM_SLOW=1 "$programs/core-fit" --test-threads=1 --nocapture || status=1
echo "== pytest"
MEMOOM_SLOW=1 "$python" -m pytest -q -p no:cacheprovider python/tests/test_at_limit.py python/tests/test_fit.py || status=1
# Small programs without an interpreter: they are quick there too. A compiler makes them in the guest.
echo "== known needs"
"$python" -m pytest -q -s -p no:cacheprovider python/tests/test_fit_known.py || status=1
exit $status
