"""The sum of the limits of all trials that run on this host now, over all processes, kept below what the host has.

A reservation is a file that holds its size and is locked while it counts: whoever dies gives it back, because the
kernel drops the lock. Who waits stands in line at the gate, first come, first served.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._errors import MemoomError, OutOfMemoryError, PermissionDeniedError
from .._lock import fcntl
from .._values import Host

# The part of the host's memory that trials may take together.
_PART = 0.8
# Nobody tells when a file loses its lock; only the first in line looks, so that this costs next to nothing.
_LOOK_AGAIN = 0.02


@contextmanager
def reserve(size: int, total: int | None = None) -> Iterator[None]:
    """Holds `size` bytes of the host's budget, and waits until they are there.

    `total` is the budget in bytes; by default four fifths of what the host had available when the first of the
    running trials began. A size that never fits is an `OutOfMemoryError`.
    """
    place = _place()
    with open(place / "gate", "ab") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        while not _fits(place, size, total):
            time.sleep(_LOOK_AGAIN)
        mine = place / f"{os.getpid()}-{uuid.uuid4().hex}.held"
        held = open(mine, "wb")  # noqa: SIM115 # it is closed when the trial is over
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            held.write(str(size).encode())
            held.flush()
        except BaseException:
            mine.unlink()
            held.close()
            raise
    try:
        yield
    finally:
        mine.unlink(missing_ok=True)
        held.close()


def _fits(place: Path, size: int, total: int | None) -> bool:
    """Whether there is room now; asked by whoever holds the gate."""
    held = _held(place)
    agreed = place / "total"
    if total is None:
        if not held:
            # Measured while no trial takes of it.
            total = int(Host.probe().available_bytes * _PART)
            agreed.write_text(str(total))
        else:
            try:
                total = int(agreed.read_text())
            except (OSError, ValueError):
                # The others were given their budget by their callers.
                total = int(Host.probe().available_bytes * _PART) + sum(held)
    if size > total:
        raise OutOfMemoryError(
            f"run trial: its limit of {size} bytes is above the budget of {total} bytes that trials may take together "
            "on this host; remedy: lower the limit, or give a larger budget",
            operation="run trial",
        )
    return sum(held) + size <= total


def _held(place: Path) -> list[int]:
    """What the living hold. A file without a lock is of the dead, and goes."""
    sizes = []
    for path in place.glob("*.held"):
        try:
            with open(path, "rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    sizes.append(int(file.read() or b"0"))
                else:
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            pass
    return sizes


def _place() -> Path:
    """A directory of this user's that all processes of this host see."""
    name = f"memoom-budget-{os.getuid()}"
    shared = Path("/dev/shm")
    place = (shared if os.access(shared, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())) / name
    try:
        place.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise MemoomError(f"run trial: cannot make {place}: {error.strerror}", path=str(place)) from error
    found = place.lstat()
    # Whoever else may write there could plant links in it.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionDeniedError(
            f"run trial: {place} is not a directory of this user alone; remedy: remove it",
            operation="run trial",
            path=str(place),
        )
    return place
