"""The file of results: one JSON line for each, appended whole, readable after the death of whoever wrote it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .._errors import BusyError, InvalidInputError, IoError, MemoomError

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
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
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
            fd = os.open(self._beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
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
        """What is there, by key. A last line that was torn by a death is taken out."""
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if content[whole:]:
            try:
                parse(content[whole:])
            except ValueError:
                os.ftruncate(self._fd, whole)
                content = content[:whole]
            else:
                # Only its newline is missing.
                os.write(self._fd, b"\n")
        return read_lines(content, self.path)

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


def parse(line: bytes) -> dict[str, Any]:
    """One result."""
    record = json.loads(line)
    if not isinstance(record, dict) or "key" not in record:
        raise ValueError("it is no result")
    return record


def read_lines(content: bytes, path: Path) -> dict[str, dict[str, Any]]:
    """The results of a file by key; of two with one key (an error that was tried again) the later one counts."""
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(content.splitlines(), 1):
        try:
            record = parse(line)
        except ValueError as error:
            raise InvalidInputError(
                f"read results: {path}, line {number}: {error}; remedy: it is no file of results, give another",
                operation="read results",
                path=str(path),
            ) from error
        found[record["key"]] = record
    return found
