"""memoom makes a memory-cgroup OOM happen on purpose, safely, and hands back a checked account of what the kernel did.

import memoom

with memoom.Lab() as lab:
    group = lab.group(limit="80M")
    watch = group.watch()
    hog = group.hog("alloc_memory_1")
    while hog.grow().status == "grew":
        pass
    print(watch.wait_oom(timeout=5))
"""

from __future__ import annotations

import sys

from . import _wires

# What is public stands once: in `__all__` of these rooms. At run time a room is imported when a name of it is first
# asked for, the cheap rooms first, so that `import memoom` costs next to nothing where nothing of it is needed (a test
# suite that has the plugin).
_ROOMS = (
    *("_errors", "_core", "_lab", "_values", "_log", "_run", "_call", "_aio"),
    *("_sweep", "_fit", "_aware", "_campaign", "_policy"),
)
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._aio import *
    from ._aware import *
    from ._call import *
    from ._campaign import *
    from ._core import *
    from ._errors import *
    from ._fit import *
    from ._lab import *
    from ._log import *
    from ._policy import *
    from ._run import *
    from ._sweep import *
    from ._values import *


def _to_core() -> _wires.Core:
    from . import _native

    return _native


def _to_display() -> _wires.Display:
    from . import _display

    return _display


_wires.connect(_to_core, _to_display)
if sys.platform != "linux":
    # Whatever imports the native part gets what stands in for it.
    from . import _absent

    sys.modules[f"{__name__}._native"] = _absent
    globals()["_native"] = _absent


if not TYPE_CHECKING:  # for a checker a name that is not there is an error

    def __getattr__(name: str) -> Any:
        if name == "__all__":
            globals()[name] = _public()
            return globals()[name]
        # Python and its tools ask for many a name that begins so.
        if not name.startswith("_") or name == "__version__":
            for room in _ROOMS:
                if name in (found := _room(room)).__all__:
                    globals()[name] = getattr(found, name)
                    return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _room(name: str) -> Any:
    from importlib import import_module

    return import_module(f".{name}", __name__)


def _public() -> list[str]:
    return sorted(name for room in _ROOMS for name in _room(room).__all__)


def __dir__() -> list[str]:
    return sorted({name for name in globals() if name.startswith("__")}.union(_public()))
