"""Where the three standard descriptors of a command go: what `subprocess` takes, in the numbers that Rust wants."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from ._errors import InvalidInputError

if TYPE_CHECKING:
    from typing_extensions import Self

# As subprocess has them; importing that module costs more than starting a command.
PIPE, STDOUT, DEVNULL = -1, -2, -3
_NULL = -1
_NAMES = ("stdin", "stdout", "stderr")
# A descriptor is a C int.
_MOST_FD = 2**31 - 1


class Plan:
    """Opens what must be opened before the start, and closes it after."""

    def __init__(self, stdin: Any, stdout: Any, stderr: Any) -> None:
        self.child: list[int | None] = []
        self._theirs: list[int] = []
        self._ours: list[tuple[int, str] | None] = [None, None, None]
        try:
            for at, wanted in enumerate((stdin, stdout, stderr)):
                self.child.append(self._open(at, wanted))
        except BaseException:
            self.failed()
            raise

    def _open(self, at: int, wanted: Any) -> int | None:
        """The descriptor for the child; `None` inherits, -1 is /dev/null."""
        name = _NAMES[at]
        if wanted is None:
            return None
        if isinstance(wanted, int):
            if wanted == PIPE:
                reader, writer = os.pipe()
                ours, theirs = (writer, reader) if at == 0 else (reader, writer)
                self._ours[at] = (ours, "wb" if at == 0 else "rb")
                self._theirs.append(theirs)
                return theirs
            if wanted == DEVNULL:
                return _NULL
            if wanted == STDOUT and at == 2:
                # Inherited output is our own descriptor 1, wherever that leads.
                return 1 if self.child[1] is None else self.child[1]
            if 0 <= wanted <= _MOST_FD:
                return wanted
        elif hasattr(wanted, "fileno"):
            return int(wanted.fileno())
        shown = f"={repr(wanted)[:80]}" if not isinstance(wanted, int) or abs(wanted) <= _MOST_FD else ""
        raise InvalidInputError(
            f"start command: {name}{shown} is no descriptor; "
            "remedy: give a file, a descriptor, subprocess.DEVNULL or subprocess.PIPE",
            operation="start command",
        )

    def started(self) -> list[IO[bytes] | None]:
        """Closes the child's ends and hands out ours."""
        self._close_theirs()
        return [None if end is None else open(end[0], end[1]) for end in self._ours]

    def failed(self) -> None:
        """Closes everything that was opened."""
        self._close_theirs()
        for end in self._ours:
            if end is not None:
                os.close(end[0])
        self._ours = [None, None, None]

    def _close_theirs(self) -> None:
        for fd in self._theirs:
            os.close(fd)
        self._theirs = []


def tail(file: IO[bytes], most: int) -> str:
    """The end of what was written to a file, `most` bytes of it."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - most))
    return file.read(most).decode(errors="replace")


class Pipes:
    """What is read from a command and written to it while somebody waits for its end, each by a thread. With `most` the
    last so many bytes are kept."""

    def __init__(self, capture: bool, given: bytes | str | None, most: int | None = None) -> None:
        what = given.encode() if isinstance(given, str) else given
        # Of a number bytes() would make so many zeros.
        what = None if what is None else memoryview(what).tobytes()
        self._most = most
        self.stdin = self.stdout = self.stderr = -1
        self._threads: list[threading.Thread] = []
        self._read: list[bytearray] = []
        if capture:
            self.stdout, self.stderr = self._reader(), self._reader()
        if what is not None:
            self.stdin, writer = os.pipe()
            self._start(self._give, writer, what)

    @property
    def captured(self) -> dict[str, bytes]:
        """What it has written, when it is over."""
        last = slice(None) if self._most is None else slice(-self._most, None)
        return dict(zip(("stdout", "stderr"), (bytes(read[last]) for read in self._read), strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Every process that held the other ends is gone, so the threads come to their end with ours.
        for fd in (self.stdin, self.stdout, self.stderr):
            if fd >= 0:
                os.close(fd)
        for thread in self._threads:
            thread.join()

    def _reader(self) -> int:
        reader, writer = os.pipe()
        self._read.append(bytearray())
        self._start(self._take, reader, self._read[-1])
        return writer

    def _start(self, target: Callable[[int, Any], None], fd: int, what: bytes | bytearray) -> None:
        thread = threading.Thread(target=target, args=(fd, what), name="memoom-pipe", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _take(self, fd: int, into: bytearray) -> None:
        with open(fd, "rb", buffering=0) as file:
            while part := file.read(1 << 16):
                into.extend(part)
                if self._most is not None and len(into) > 2 * self._most:
                    del into[: -self._most]

    @staticmethod
    def _give(fd: int, what: bytes) -> None:
        # A command that does not read to the end is none the worse for it.
        with contextlib.suppress(BrokenPipeError), open(fd, "wb") as file:
            file.write(what)
