#!/bin/sh
# The kernel's own tests of cgroups, alone and observed, with the environment that was made outside.
set -u
cd "$(dirname "$0")/../.." || exit 2
export PYTHONDONTWRITEBYTECODE=1
exec "${MEMOOM_PYTHON:-.venv/bin/python}" tests/kernels/peers.py "$@"
