#!/bin/sh
# What memoom finds on this kernel: the document of `memoom doctor`, for the table of docs/kernels.md.
set -u
cd "$(dirname "$0")/../.." || exit 2
export PYTHONDONTWRITEBYTECODE=1
exec "${MEMOOM_PYTHON:-.venv/bin/python}" -m memoom doctor --json
