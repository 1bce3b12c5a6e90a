#!/bin/sh
# The acceptance cases through C and Python, built outside; the results go where the host reads them.
set -u
cd "$(dirname "$0")/../.." || exit 2
python=${MEMOOM_PYTHON:-.venv/bin/python}
export PYTHONDONTWRITEBYTECODE=1 MEMOOM_SLOW=1
exec "$python" tests/acceptance/run.py --no-build --results "$MEMOOM_RESULTS" "$@"
