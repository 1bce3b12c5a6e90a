"""The directory of a campaign, which goes with it, also where the campaign was killed: the next one removes it then.

Whoever lives holds a lock on its directory. The kernel gives that up at its death, whatever that was, and in whichever
pid namespace it lived. A directory that somebody has named alike, or has copied from one of ours, is none of ours.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator

from .._lock import fcntl

__all__ = ["place"]

_PREFIX = "memoom-campaign-"
_NAME = re.compile(re.escape(_PREFIX) + "[a-z0-9_]{8}")
# The sticky bit, as nobody gives it to a directory of his own: there is nobody else whom it would keep off.
_MODE = stat.S_ISVTX | 0o700


@contextlib.contextmanager
def place() -> Iterator[str]:
    """A new directory, with no link on the way to it. What dead campaigns of this user have left there is removed."""
    parent = os.path.realpath(tempfile.gettempdir())
    _remove_left(parent)
    made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True)
    lock = _opened(made.name)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Not before it is locked: without the mode nobody takes it for one that was left.
        os.fchmod(lock, _MODE)
        with made as path:
            yield path
    finally:
        os.close(lock)


def _remove_left(parent: str) -> None:
    with os.scandir(parent) as entries:
        left = [entry.path for entry in entries if _NAME.fullmatch(entry.name)]
    for path in left:
        # Who has gone meanwhile, is locked, or is another user's.
        with contextlib.suppress(OSError):
            _remove(path)


def _opened(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _remove(path: str) -> None:
    lock = _opened(path)
    try:
        about = os.fstat(lock)
        # Of this user, and of nobody else's reach: only he himself can have put anything there.
        if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) != _MODE:
            return
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
