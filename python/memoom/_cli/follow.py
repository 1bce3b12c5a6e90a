"""Logs that go on: a pipe whose writer is still there, a file at whose end more is written.

An empty piece is a pause: for a while nothing has come, or lines have come for so long that what is whole is to be
told.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections.abc import Iterator

__all__ = ["GIVEN_UP", "can_grow", "followed", "piped"]

_PIECE = 256 << 10
# The kernel prints a report in one go; whoever hands its lines on does not stop in its midst for so long.
_QUIET = 0.5
# Where lines never cease, what is whole is told so often. So much in that time is no log that is just being written,
# but one that is handed on as a whole.
_BUSY = 1.0
_BULK = 1 << 20
# After so many pauses in a row a report that is not whole is told as it is.
GIVEN_UP = 10
# How often a file that does not grow is looked at: as often as tail -F would, and more.
_LOOK = 0.25


class _Pauses:
    """When the next pause is due."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._last = 0.0
        self._told = 0
        self._bytes = 0

    def came(self, piece: bytes) -> None:
        self._last = time.monotonic()
        self._bytes += len(piece)
        self._since = self._last if self._since is None else self._since
        self._told = 0

    def due(self) -> bool:
        """Whether there is one now."""
        left = self.left()
        now = time.monotonic()
        busy = self._since is not None and now - self._since >= _BUSY
        if busy and self._bytes >= _BULK:
            self._since, self._bytes, busy = now, 0, False
        if left is None or not (left <= 0 or busy):
            return False
        self._since, self._last, self._bytes = None, now, 0
        self._told += 1
        return True

    def left(self) -> float | None:
        """Seconds to the next one; None where nothing has come that could be waited for."""
        if self._since is None and (self._told == 0 or self._told >= GIVEN_UP):
            return None
        return self._last + _QUIET - time.monotonic()


class _Waiting:
    """Waits for more to read, and ends where the reader of standard output has gone."""

    def __init__(self, fd: int | None) -> None:
        self._poller = select.poll()
        self._out: int | None = None
        if fd is not None:
            self._poller.register(fd, select.POLLIN)
        try:
            self._out = sys.stdout.fileno()
            self._poller.register(self._out, 0)
        except (AttributeError, OSError, ValueError):
            pass  # it is no file, so that nobody can go

    def wait(self, seconds: float | None) -> bool:
        """Whether there may be something to read."""
        ready = self._poller.poll(None if seconds is None else max(0, int(seconds * 1000) + 1))
        if any(fd == self._out and bits & (select.POLLERR | select.POLLHUP) for fd, bits in ready):
            raise BrokenPipeError
        return bool(ready)


def piped(fd: int, live: bool) -> Iterator[bytes]:
    """What comes out of a descriptor, to its end; with the pauses between where it is `live`."""
    if not live or stat.S_ISREG(os.fstat(fd).st_mode):
        while piece := os.read(fd, _PIECE):
            yield piece
        return
    waiting, pauses = _Waiting(fd), _Pauses()
    while True:
        if waiting.wait(pauses.left()):
            if not (piece := os.read(fd, _PIECE)):
                return
            pauses.came(piece)
            yield piece
        if pauses.due():
            yield b""


def can_grow(fd: int, path: str) -> bool:
    """Whether it is a file at whose end more may be written. Raises for one that is packed: that does not grow."""
    from .._errors import InvalidInputError
    from .._log import packing_of

    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return False
    if packing := packing_of(os.pread(fd, 8, 0)):
        raise InvalidInputError(f"follow log: {path}: it is packed by {packing} and does not grow; remedy: no --follow")
    return True


def followed(fd: int, path: str) -> Iterator[bytes]:
    """What stands in a file and what is written to it later, for ever, also when it is cut or replaced."""
    waiting, pauses = _Waiting(None), _Pauses()
    fd = os.dup(fd)
    at, last = 0, b"\n"
    try:
        while True:
            if piece := os.read(fd, _PIECE):
                at += len(piece)
                last = piece[-1:]
                pauses.came(piece)
                yield piece
            if pauses.due():
                yield b""
            if piece:
                continue
            left = pauses.left()
            waiting.wait(_LOOK if left is None else min(_LOOK, max(left, 0)))
            new = _another(fd, path)
            if new is None and os.fstat(fd).st_size >= at:
                continue
            if new is None:
                os.lseek(fd, 0, os.SEEK_SET)
            else:
                # What was written between the last look and the change of names.
                try:
                    while piece := os.read(fd, _PIECE):
                        last = piece[-1:]
                        pauses.came(piece)
                        yield piece
                except BaseException:
                    os.close(new)
                    raise
                os.close(fd)
                fd = new
            at = 0
            if last != b"\n":
                # No line goes on in another file.
                last = b"\n"
                yield last
    finally:
        os.close(fd)


def _another(fd: int, path: str) -> int | None:
    """The file that has that name now, opened, where it is another one."""
    now = os.fstat(fd)
    try:
        there = os.stat(path)
        if (there.st_dev, there.st_ino) == (now.st_dev, now.st_ino):
            return None
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        # It was moved away, and the next one is not there yet.
        return None
