#!/bin/sh
# The Python face: its tests, its example and the command's own demo, with the environment that was made outside.
set -u
cd "$(dirname "$0")/../.." || exit 2
export PYTHONDONTWRITEBYTECODE=1 MEMOOM_SLOW=1
status=0
echo "== pytest"
# Notebooks say nothing of a kernel that the tests do not, and an emulated machine takes minutes for each.
.venv/bin/python -m pytest -q -p no:cacheprovider --ignore python/tests/test_notebooks.py python/tests || status=1
echo "== demo"
.venv/bin/memoom demo || status=1
exit $status
