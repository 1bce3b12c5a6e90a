"""The file of results: one JSON line for each, appended whole, readable after the death of whoever wrote it."""

from __future__ import annotations

import contextlib
import json
import os
import reprlib
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from .._errors import BusyError, InvalidInputError, IoError, MemoomError
from .._files import open_own
from .._lock import fcntl

if TYPE_CHECKING:
    from typing_extensions import Self

SCHEMA = "memoom.result/1"
_OPENING = "open results"
# How every result begins: only what begins so can be one that a death has torn.
_HEAD = f'{{"schema":"{SCHEMA}","key":"'.encode()

# A result has its trial, its account and its output, mostly some KiB. What has a longer line is no file of results.
_LONGEST = 64 << 20

# These locks are the process's own, so a second sweep of this process is told apart here.
_open: set[str] = set()


class Store:
    """Appends results. One process at a time has it; the kernel's lock ends with that process.

    What is locked is a file beside it: a lock of the file of results itself would go as soon as this process, in
    whatever thread, closed that file after a look. And it is not flock, which the processes of a pool inherit, who may
    live longer than this one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._beside = os.path.realpath(self.path) + ".lock"
        self._fd = self._lock_fd = -1
        try:
            self._lock()
            # What it holds is looked at line by line, so that the answer can say where it is none of ours.
            self._fd = open_own(_OPENING, self.path, lambda fd: True, "", flags=os.O_APPEND, regular=True)
            self.records = self._load()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError) and not isinstance(error, MemoomError):
                raise IoError(
                    f"open results: {self.path}: {error.strerror}",
                    errno=error.errno,
                    operation="open results",
                    path=str(path),
                ) from error
            raise

    def _lock(self) -> None:
        busy = BusyError(
            f"open results: {self.path}: another sweep writes it; remedy: wait for it, or give another file",
            operation="open results",
            path=str(self.path),
        )
        if self._beside in _open:
            raise busy
        while self._lock_fd < 0:
            # It is removed at the end, so it must be ours: a lock has no content.
            fd = open_own(_OPENING, self._beside, lambda fd: False, "lock of a sweep", regular=True)
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever had it may have removed it in between.
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.stat(self._beside), os.fstat(fd)):
                        self._lock_fd = fd
            except (BlockingIOError, PermissionError):
                raise busy from None
            finally:
                if self._lock_fd < 0:
                    os.close(fd)
        _open.add(self._beside)

    def _load(self) -> dict[str, dict[str, Any]]:
        """What is there, by key. A last line that was torn by a death is taken out; nothing else is."""
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(0)
            known, tail = read_lines(file, self.path, torn=True)
        if tail and is_torn(tail):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - len(tail))
        elif tail:
            # Only its newline is missing.
            os.write(self._fd, b"\n")
        return known

    def append(self, line: str) -> None:
        """Adds one result, whole or not at all."""
        before = os.fstat(self._fd).st_size
        left = memoryview(f"{line}\n".encode())
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            os.ftruncate(self._fd, before)
            raise IoError(
                f"write results: {self.path}: {error.strerror}; remedy: make room and start again, nothing is lost",
                errno=error.errno,
                operation="write results",
                path=str(self.path),
            ) from error

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._lock_fd >= 0:
            _open.discard(self._beside)
            os.unlink(self._beside)
            os.close(self._lock_fd)
            self._lock_fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def parse(line: bytes | str) -> dict[str, Any]:
    """One result; a `ValueError` says what it lacks."""
    try:
        record = json.loads(line)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"it is no result (no JSON object with the schema {SCHEMA})")
    for name, kind, called in (("key", str, "text"), ("status", str, "text"), ("trial", dict, "object")):
        if not isinstance(record.get(name), kind):
            raise ValueError(f"its {name} is {reprlib.repr(record.get(name))}, and no {called}")
    host = record.get("host")
    if not isinstance(host, dict) or not {"node", "release"} <= host.keys():
        raise ValueError(f"its host is {reprlib.repr(host)}, and no object with node and release")
    return record


def is_torn(tail: bytes) -> bool:
    """Whether what stands behind the last newline is the beginning of a result, and no whole one."""
    if not tail.startswith(_HEAD[: len(tail)]):
        return False
    try:
        json.loads(tail)
    except (ValueError, RecursionError):
        return True
    return False


def read_lines(file: IO[bytes], path: Path, *, torn: bool = False) -> tuple[dict[str, dict[str, Any]], bytes]:
    """The results of a file by key, and what stands behind its last newline; of two results with one key (an error that
    was tried again) the later one counts.

    With `torn`, a last line that a death has torn is passed over, where whole results stand before it.
    """
    found: dict[str, dict[str, Any]] = {}
    number, tail = 0, b""
    # Only a newline ends a line: other ends of lines may stand in a text.
    while line := file.readline(_LONGEST + 1):
        number += 1
        tail = b"" if line.endswith(b"\n") else line
        try:
            if len(line) > _LONGEST:
                raise ValueError(f"it is longer than {_LONGEST >> 20} MiB")
            if tail and torn and number > 1 and is_torn(tail):
                break
            record = parse(line.removesuffix(b"\n"))
        except ValueError as error:
            raise InvalidInputError(
                f"read results: {path}, line {number}: {error}; remedy: it is no file of results, give another",
                operation="read results",
                path=str(path),
            ) from error
        found[record["key"]] = record
    return found, tail
