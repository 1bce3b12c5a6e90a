"""TOML, and plans: each is the table of such a file, or a mapping with the same keys."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ._errors import InvalidInputError
from ._frames import extra

__all__ = ["plan_of", "toml_of"]

# A plan is written by hand.
_MOST_BYTES = 16 << 20


def toml_of(text: str) -> dict[str, Any]:
    """The table that a text in TOML is."""
    try:
        library = importlib.import_module("tomllib")
    except ModuleNotFoundError:
        # Until Python 3.11 it is a library of its own.
        library = extra("tomli", "toml")
    table: dict[str, Any] = library.loads(text)
    return table


def plan_of(
    given: str | os.PathLike[str] | Mapping[str, Any], wrong: Callable[[str, str], InvalidInputError]
) -> tuple[Mapping[str, Any], str]:
    """The table of a plan, and the directory where its paths begin; `wrong` makes an error of what and a remedy."""
    if isinstance(given, Mapping):
        return given, os.getcwd()
    path = Path(given)
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES >> 20} MiB")
        return toml_of(content.decode()), str(path.resolve().parent)
    except RecursionError:
        raise wrong(f"{path}: it is nested too deeply", "mend it") from None
    except ValueError as error:
        raise wrong(f"{path}: {error}", "mend it") from error
