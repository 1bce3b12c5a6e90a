"""What was seen each time that the limit of a run was met, while everybody stood still."""

from __future__ import annotations

from typing import Literal

from ._account import Predicted, Process
from ._document import Document
from ._report import Missing
from ._result import Readable

__all__ = [
    "AtLimit",
    "HookRun",
    "Mapped",
    "MappedPart",
    "UserFrame",
]


class MappedPart(Document):
    """All mappings of one name in a process."""

    name: str
    kind: Literal["heap", "stack", "anonymous", "file", "shared"]
    count: int
    resident_bytes: int

    _shown = ("name", "kind", "resident_bytes")


class UserFrame(Document):
    """An address in a program, and what it is called, where debug information or symbols tell."""

    address: int
    file: str | None
    offset: int | None
    found_by: Literal["register", "unwind-table", "frame-pointer"]
    function: str | None
    source: str | None
    line: int | None


class Mapped(Document):
    """The memory of one process by mapping, and where the thread stands that met the limit."""

    pid: int
    comm: str
    comm_bytes: bytes
    heap_bytes: int
    stack_bytes: int
    anonymous_bytes: int
    file_bytes: int
    shared_bytes: int
    swap_bytes: int
    grown_bytes: int | None
    largest: tuple[MappedPart, ...]
    frames: tuple[UserFrame, ...]

    _nested = {"largest": MappedPart._part, "frames": UserFrame._part}
    _shown = ("pid", "comm", "heap_bytes", "anonymous_bytes", "file_bytes", "shared_bytes")


class HookRun(Document):
    """How a hook at the limit went."""

    kind: Literal["command", "function", "builtin"]
    argv: tuple[str, ...]
    returncode: int | None
    timed_out: bool
    error: str | None
    elapsed_ns: int
    output_bytes: bytes
    dropped_bytes: int
    mapped: tuple[Mapped, ...]

    _nested = {"mapped": Mapped._part}
    _shown = ("kind", "returncode", "timed_out", "error")

    @property
    def output(self) -> str:
        """What it wrote, line by line, read as UTF-8; `output_bytes` is what it was in any case."""
        return self.output_bytes.decode(errors="replace")


class AtLimit(Readable):
    """One time that the limit of a run was met and everybody was held before anybody died."""

    time_ns: int
    group: str
    limit_bytes: int
    usage_bytes: int
    headroom_bytes: int
    predicted: Predicted | None
    invoker: Process | None
    processes: tuple[Process, ...]
    held: Literal["stopped"]
    held_ns: int
    hook: HookRun
    died: tuple[Process, ...]
    then: Literal["kernel", "raised", "ended"]
    limit_after_bytes: int
    missing: tuple[Missing, ...]

    _nested = {
        "predicted": Predicted._part,
        "invoker": Process._part,
        "processes": Process._part,
        "hook": HookRun._part,
        "died": Process._part,
        "missing": Missing._part,
    }
    _shown = ("limit_bytes", "usage_bytes", "predicted", "invoker", "hook", "then")
