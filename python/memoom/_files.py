"""The files that memoom writes for its user: never through a link, never over what is not its own.

What is there already and is nothing that memoom has written is refused, and left byte for byte as it was. A link is not
followed, because somebody else may have planted it; what is no regular file (a terminal, a pipe, /dev/null) is written
to as it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ._errors import InvalidInputError, IoError

__all__ = ["open_own", "refuse", "replacing", "require_own"]

# Whether what a file begins and ends with is of memoom; asked only of files that are not empty.
Own = Callable[[int], bool]


def refuse(operation: str, path: str | os.PathLike[str], why: str, remedy: str) -> InvalidInputError:
    """The error that says why a file is not written to."""
    text = os.fspath(path)
    return InvalidInputError(f"{operation}: {text}: {why}; remedy: {remedy}", operation=operation, path=text)


def open_own(
    operation: str, path: str | os.PathLike[str], own: Own, what: str, *, flags: int = 0, regular: bool = False
) -> int:
    """Opens a file for reading and writing, made where it is not there, and not cut: that is for who has looked.

    `own` says of the descriptor of a file with content whether memoom has written it; `what` names what it would have
    to be. With `regular`, a terminal or a pipe is refused too.
    """
    path = os.fspath(path)
    if _is_device(path):
        if regular:
            raise refuse(operation, path, "it is no regular file", "give another")
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags)
    try:
        # O_NONBLOCK, or a pipe would be waited for.
        wanted = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags
        fd = os.open(path, wanted, 0o666)
    except OSError as error:
        raise _refused(operation, path, error) from error
    try:
        _look(operation, path, fd, own, what)
    except BaseException:
        os.close(fd)
        raise
    return fd


def require_own(operation: str, path: str | os.PathLike[str], own: Own, what: str) -> None:
    """Raises what `replacing` would raise for what is there now: said before the work, not after it."""
    path = os.fspath(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise _refused(operation, path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))) from None
        return
    except OSError as error:
        raise _refused(operation, path, error) from error
    try:
        _look(operation, path, fd, own, what)
    finally:
        os.close(fd)


def _look(operation: str, path: str, fd: int, own: Own, what: str) -> None:
    """Refuses what is open there, unless it is a file that is empty or memoom's own."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise refuse(operation, path, "it is no regular file", "give another")
    if found.st_size and not own(fd):
        raise refuse(operation, path, f"it is no {what}, and left as it is", "give another file, or move this one away")


@contextmanager
def replacing(operation: str, path: str | os.PathLike[str], own: Own, what: str) -> Iterator[Path]:
    """A new file to be written, which takes the place of `path` when it is whole; until then nothing is touched."""
    require_own(operation, path, own, what)
    target = Path(path)
    try:
        fd, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise _refused(operation, os.fspath(path), error) from error
    try:
        # As any new file of this user's.
        os.fchmod(fd, 0o666 & ~_umask())
        os.close(fd)
        yield Path(name)
        os.rename(name, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _umask() -> int:
    # The one way to ask that changes nothing for other threads.
    with contextlib.suppress(OSError), open("/proc/thread-self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o077


def _is_device(path: str) -> bool:
    """Whether it is a terminal, a pipe or a device. /dev/stdout is too: its link is the system's, and what it leads to
    is open for us already."""
    if os.path.islink(path):
        folder = os.path.realpath(os.path.dirname(path) or ".")
        return folder == "/dev" or folder.startswith("/proc/")
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _refused(operation: str, path: str, error: OSError) -> InvalidInputError | IoError:
    if error.errno == errno.ELOOP:
        to = os.path.realpath(path)
        return refuse(operation, path, "it is a symbolic link, which is not followed", f"give the file itself: {to}")
    return IoError(f"{operation}: {path}: {error.strerror}", errno=error.errno, operation=operation, path=path)
