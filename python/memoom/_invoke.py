"""Calls a function by its name; what a worker runs for a trial that names one."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def invoke(name: str, args: list[object], kwargs: dict[str, object]) -> Any:
    """The value of ``module:qualified.name`` with these arguments."""
    module, _, path = name.partition(":")
    found: Any = import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found(*args, **kwargs)
