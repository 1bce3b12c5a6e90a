"""The answers of a hog: to one step, and to a pace of many; and who waits because of it."""

from __future__ import annotations

from typing import Literal

from . import _wires
from ._document import Document
from ._report import Frame

__all__ = ["Blocked", "Grow", "Paced"]


class Blocked(Document):
    """A process that waits in an OOM."""

    pid: int
    comm: str
    comm_bytes: bytes
    state: str
    wchan: str | None
    stack: tuple[Frame, ...]

    _nested = {"stack": Frame._part}
    _shown = ("pid", "comm", "state", "wchan")


class Grow(Document):
    """The answer to a step of a hog."""

    status: Literal["grew", "short", "killed", "blocked"]
    step_bytes: int
    taken_bytes: int
    total_bytes: int
    errno: int | None
    blocked: Blocked | None

    _nested = {"blocked": Blocked._part}

    def _repr_html_(self) -> str:
        return _wires.display().html(self)


class Paced(Document):
    """How a pace of a hog ended, and why it stopped."""

    stop: Literal["total", "below", "event", "step"]
    steps: int
    total_bytes: int
    last: Grow | None

    _nested = {"last": Grow._part}
