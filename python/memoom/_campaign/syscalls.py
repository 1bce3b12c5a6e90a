"""The system calls that change what a directory holds, by processor: their numbers, and where their files stand."""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["CHANGES", "WRITES", "Call", "supported"]


class Call(NamedTuple):
    """A system call of interest."""

    name: str
    # What it counts as: "write", "fsync" or "rename".
    counts_as: str
    # The argument that is the descriptor of the file, or of the directory that a path starts from.
    fd: int | None
    # The argument that points to a path; None where the descriptor is the file itself.
    path: int | None = None
    # The argument with the number of bytes.
    size: int | None = None


def _file(name: str, counts_as: str, fd: int = 0, size: int | None = None) -> Call:
    return Call(name, counts_as, fd, None, size)


def _path(name: str, fd: int | None, path: int, counts_as: str = "rename") -> Call:
    return Call(name, counts_as, fd, path)


_CALLS = (
    _file("write", "write", size=2),
    _file("pwrite64", "write", size=2),
    _file("writev", "write"),
    _file("pwritev", "write"),
    _file("pwritev2", "write"),
    _file("sendfile", "write", size=3),
    _file("copy_file_range", "write", fd=2, size=4),
    _file("fallocate", "write"),
    _file("ftruncate", "write"),
    _path("truncate", None, 0, "write"),
    _file("fsync", "fsync"),
    _file("fdatasync", "fsync"),
    _file("sync_file_range", "fsync"),
    _file("syncfs", "fsync"),
    _path("rename", None, 0),
    _path("renameat", 0, 1),
    _path("renameat2", 0, 1),
    _path("link", None, 1),
    _path("linkat", 2, 3),
    _path("unlink", None, 0),
    _path("unlinkat", 0, 1),
)
_X86_64 = {
    "write": 1, "pwrite64": 18, "writev": 20, "pwritev": 296, "pwritev2": 328, "sendfile": 40, "copy_file_range": 326,
    "fallocate": 285, "ftruncate": 77, "truncate": 76, "fsync": 74, "fdatasync": 75, "sync_file_range": 277,
    "syncfs": 306, "rename": 82, "renameat": 264, "renameat2": 316, "link": 86, "linkat": 265, "unlink": 87,
    "unlinkat": 263,
}  # fmt: skip
# It has no call without a directory's descriptor where there is one with it.
_AARCH64 = {
    "write": 64, "pwrite64": 68, "writev": 66, "pwritev": 70, "pwritev2": 287, "sendfile": 71, "copy_file_range": 285,
    "fallocate": 47, "ftruncate": 46, "truncate": 45, "fsync": 82, "fdatasync": 83, "sync_file_range": 84,
    "syncfs": 267, "renameat": 38, "renameat2": 276, "linkat": 37, "unlinkat": 35,
}  # fmt: skip
# By machine: the kernel's number of the architecture (AUDIT_ARCH_*) and of each call.
_MACHINES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}

_ARCH, _NUMBERS = _MACHINES.get(os.uname().machine, (0, {}))
# By architecture and number.
CHANGES = {(_ARCH, _NUMBERS[call.name]): call for call in _CALLS if call.name in _NUMBERS}
# Those that write to a stream.
WRITES = frozenset(key for key, call in CHANGES.items() if call.name in ("write", "writev"))


def supported() -> bool:
    """Whether the numbers of this machine are known."""
    return bool(CHANGES)
