#!/bin/sh
# The Python face: its tests, its example and the command's own demo, with the environment that was made outside.
set -u
cd "$(dirname "$0")/../.." || exit 2
python=${MEMOOM_PYTHON:-.venv/bin/python}
export PYTHONDONTWRITEBYTECODE=1 MEMOOM_SLOW=1
status=0
echo "== pytest"
# Those in which the kernel has a part and that start few programs: each start of Python takes many seconds there.
tests=
for name in aware campaign control errors experiments pods policy run survival values waiting; do
    tests="$tests python/tests/test_$name.py"
done
# Words are meant to be split.
# shellcheck disable=SC2086
"$python" -m pytest -q -p no:cacheprovider $tests || status=1
echo "== forced"
# The one place with the right to it: root of this machine need not have CAP_SYS_RESOURCE.
forced=python/tests/test_kinds.py::test_what_is_forced_spins_until_its_deadline
env -u MEMOOM_SLOW "$python" -m pytest -q -p no:cacheprovider "$forced" || status=1
echo "== demo"
"$python" -m memoom demo || status=1
exit $status
