"""The moments at which a command may be killed: their names, and how they are counted while it is traced."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatch
from typing import IO, NamedTuple

from .._errors import InvalidInputError
from .._native import parse_size
from .syscalls import CHANGES, WRITES, Call
from .trace import Entered, Left

__all__ = ["TRACED", "TRIGGERS", "Counter", "Moment", "moment_of"]

# Those that are counted call by call, and all of them.
TRACED = ("write", "fsync", "rename", "line")
TRIGGERS = (*TRACED, "charged", "time")
_AT_FDCWD = -100
_LONGEST_PATH = 4096


class Moment(NamedTuple):
    """A moment: the n-th call or line, a number of charged bytes, or milliseconds since the start."""

    trigger: str
    number: int

    def __str__(self) -> str:
        match self.trigger:
            case "charged" if self.number % (1 << 20) == 0:
                return f"charged={self.number >> 20}M"
            case "charged" if self.number % 1024 == 0:
                return f"charged={self.number >> 10}K"
            case "time":
                return f"time={self.number / 1000:g}"
        return f"{self.trigger}={self.number}"


def moment_of(text: str) -> Moment:
    """The moment of a name such as `write=17`, `charged=24M` or `time=0.5`."""
    trigger, _, number = text.partition("=")
    try:
        if trigger == "charged":
            found = parse_size(number)
        elif trigger == "time":
            found = round(float(number) * 1000)
        elif trigger in TRACED and re.fullmatch(r"\d+", number):
            found = int(number)
        else:
            found = 0
        if found >= 1:
            return Moment(trigger, found)
    except (ValueError, OverflowError):
        pass
    raise InvalidInputError(
        f"campaign: {text!r} is no moment; remedy: give one such as write=17, fsync=3, rename=1, line=2, charged=24M "
        "or time=0.5",
        operation="campaign",
    )


class Counter:
    """Counts what a traced command does to the files of a directory, and the lines that it prints; says when it stands
    at the moment that is wanted."""

    def __init__(
        self, directory: str, files: tuple[str, ...], output: IO[bytes], line: str | None, wanted: Moment | None
    ) -> None:
        self._directory, self._files, self._wanted = directory.rstrip("/") + "/", files, wanted
        self._output, self._output_stat, self._seen = output, os.fstat(output.fileno()), 0
        self._line = None if line is None else re.compile(line.encode())
        self._rest = b""
        self.counts: dict[str, int] = dict.fromkeys(TRACED, 0)
        # What stood at the moment.
        self.doing: str | None = None

    def __call__(self, told: Entered | Left) -> bool:
        return self._entered(told) if isinstance(told, Entered) else self._left(told)

    def _entered(self, told: Entered) -> bool:
        call = CHANGES.get((told.arch, told.number))
        if call is None:
            return False
        path = _file_of(told, call)
        if path is None or not path.startswith(self._directory):
            return False
        name = path.removeprefix(self._directory)
        if not any(fnmatch(name, pattern) for pattern in self._files):
            return False
        size = "of" if call.size is None else f"of {told.arguments[call.size]} bytes to"
        return self._counted(call.counts_as, f"{call.name} {size} {name}")

    def _left(self, told: Left) -> bool:
        """After a write to its output: the lines that it has completed."""
        call = told.call
        if self._line is None or call is None or (call.arch, call.number) not in WRITES:
            return False
        try:
            there = os.stat(f"/proc/{told.tid}/fd/{_signed(call.arguments[0])}")
        except OSError:
            return False
        if not os.path.samestat(there, self._output_stat):
            return False
        new = os.pread(self._output.fileno(), 1 << 20, self._seen)
        self._seen += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            if self._line.search(line) and self._counted("line", f"line {line[:200].decode(errors='replace')!r}"):
                return True
        return False

    def _counted(self, trigger: str, doing: str) -> bool:
        self.counts[trigger] += 1
        if self._wanted != (trigger, self.counts[trigger]):
            return False
        self.doing = doing
        return True


def _file_of(told: Entered, call: Call) -> str | None:
    """The file that a call is about; None where it cannot be known, or has no name any more."""
    try:
        if call.path is None:
            assert call.fd is not None
            path = os.readlink(f"/proc/{told.tid}/fd/{_signed(told.arguments[call.fd])}")
            return None if path.endswith(" (deleted)") else path
        path = os.fsdecode(_text_at(told.tid, told.arguments[call.path]))
        start = _AT_FDCWD if call.fd is None else _signed(told.arguments[call.fd])
        link = "cwd" if start == _AT_FDCWD else f"fd/{start}"
        return os.path.normpath(os.path.join(os.readlink(f"/proc/{told.tid}/{link}"), path))
    except OSError:
        return None


def _text_at(tid: int, address: int) -> bytes:
    with open(f"/proc/{tid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        found = b""
        while b"\0" not in found and len(found) < _LONGEST_PATH:
            # Not over the end of a page: the next one may not be there.
            part = memory.read(256 - (address + len(found)) % 256)
            if not part:
                break
            found += part
    return found.partition(b"\0")[0]


def _signed(argument: int) -> int:
    """A descriptor: the kernel looks at the lower half of the register only."""
    low = argument & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low
