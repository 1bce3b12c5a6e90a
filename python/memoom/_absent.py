"""What stands in for the native part where there is no Linux: it says why nothing can be done here, and does nothing.

So a suite that uses memoom can be collected on any system: what needs a lab is skipped with the reason.
"""

from __future__ import annotations

import json
import platform
from typing import Any, NoReturn

from ._errors import UnsupportedError
from ._values import Host

__all__: list[str] = []

_REASON = f"memory cgroups are a part of Linux, and this is {platform.system() or 'another system'}"
_REMEDY = "run it on Linux: a virtual machine, WSL 2, or a container with a delegated group"


def probe() -> Host:
    """This machine, which cannot have labs."""
    document = {
        "schema": "memoom.host/1",
        "lab": False,
        "refusal": f"{_REASON}; remedy: {_REMEDY}",
        "hierarchy": "none",
        "release": platform.release(),
        "abilities": [{"name": "memory-controller", "available": False, "reason": _REASON, "remedy": _REMEDY}],
    }
    return Host._of(json.dumps(document), f"no lab can be made here: {_REASON}\n  remedy: {_REMEDY}")


def require_lab() -> NoReturn:
    """Raises why no lab can be made here."""
    raise UnsupportedError(f"make lab: {_REASON}; remedy: {_REMEDY}", operation="make lab")


def explain(_function: str) -> None:
    """Its words are in the native part."""


def step(_function: str) -> None:
    """Its words are in the native part."""


class _Absent:
    """A class that can be named, and not made."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> NoReturn:
        require_lab()

    @staticmethod
    def open(*_args: Any, **_kwargs: Any) -> NoReturn:
        require_lab()


class Lab(_Absent): ...


class Group(_Absent): ...


class Worker(_Absent): ...


class Hog(Worker): ...


class Watch(_Absent): ...


class Peak(_Absent): ...


class Pod(_Absent): ...


class Container(_Absent): ...


class ReportReader(_Absent): ...


def __getattr__(name: str) -> Any:
    """Whatever else the native part has is a function."""
    if name == "__version__":
        from importlib.metadata import version

        return version("memoom")
    if name.startswith("_"):
        raise AttributeError(name)
    return _refuse


def _refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
    require_lab()
