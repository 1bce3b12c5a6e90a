"""The exceptions: one base, one class for each kind of the core, each also the builtin that fits.

The classes are made here and not in Rust, so that they can derive from two classes each and can be pickled.
"""

from __future__ import annotations

from ._text import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

__all__ = [
    "AlreadyExistsError",
    "BusyError",
    "CallFailedError",
    "ClosedError",
    "InterruptedWaitError",
    "InvalidInputError",
    "IoError",
    "MemoomError",
    "MissingExtraError",
    "NotFoundError",
    "OutOfMemoryError",
    "PermissionDeniedError",
    "TimedOutError",
    "UnsupportedError",
    "WorkerGoneError",
]


class MemoomError(Exception):
    """The base of every exception that memoom raises.

    The message is complete: what was tried, on which path, with which value, why it failed and what helps.
    """

    kind: ClassVar[str] = "other"
    message: str
    errno: int | None
    operation: str | None
    path: str | None

    def __init__(
        self,
        message: str,
        *,
        errno: int | None = None,
        operation: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.errno = errno
        self.operation = operation
        self.path = path

    def __str__(self) -> str:
        # OSError would show "[Errno 13] ..." in its own words.
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"

    def _arguments(self) -> dict[str, Any]:
        return {"errno": self.errno, "operation": self.operation, "path": self.path}

    def __reduce__(self) -> tuple[Any, ...]:
        state = {key: value for key, value in self.__dict__.items() if key == "__notes__"}
        return _remake, (type(self), self.message, self._arguments()), state or None


def _remake(cls: type[MemoomError], message: str, arguments: dict[str, Any]) -> MemoomError:
    return cls(message, **arguments)


class InvalidInputError(MemoomError, ValueError):
    """An argument is wrong: a size, a name, a limit, a combination."""

    kind = "invalid-input"


class UnsupportedError(MemoomError, OSError):
    """This kernel, hierarchy or machine lacks what the call needs."""

    kind = "unsupported"


class MissingExtraError(MemoomError, ImportError):
    """A library that is no requirement of memoom is not installed; the message says how to get it."""

    kind = "missing-extra"


class PermissionDeniedError(MemoomError, PermissionError):
    """The process lacks a right."""

    kind = "permission-denied"


class NotFoundError(MemoomError, FileNotFoundError):
    """The group, process or file is not there (any more)."""

    kind = "not-found"


class AlreadyExistsError(MemoomError, FileExistsError):
    """A group of that name is there already."""

    kind = "already-exists"


class BusyError(MemoomError, OSError):
    """Something else holds it: processes in the group, controllers enabled, a step that is going on."""

    kind = "busy"


class ClosedError(MemoomError, ValueError):
    """The lab or watch was closed by its owner; as with files, using it further is a ValueError."""

    kind = "closed"


class WorkerGoneError(MemoomError, ProcessLookupError):
    """The worker has ended, so it cannot do what was asked."""

    kind = "worker-gone"


class TimedOutError(MemoomError, TimeoutError):
    """The deadline passed."""

    kind = "timed-out"


class OutOfMemoryError(MemoomError, MemoryError):
    """The host has too little memory for what was asked. (An OOM kill in a group is an outcome, not this.)"""

    kind = "out-of-memory"


class InterruptedWaitError(MemoomError, InterruptedError):
    """The wait was interrupted. What the signal handler raised (KeyboardInterrupt) is raised in its place."""

    kind = "interrupted"


class IoError(MemoomError, OSError):
    """Any other failure of a system call."""

    kind = "io"


class CallFailedError(MemoomError, RuntimeError):
    """A function under a limit has no result: it ended its process, or raised what cannot be brought back."""

    kind = "call-failed"


# A traceback names them as the user does.
for _name in __all__:
    globals()[_name].__module__ = "memoom"

_BY_KIND: dict[str, type[MemoomError]] = {
    cls.kind: cls
    for cls in (
        InvalidInputError,
        UnsupportedError,
        PermissionDeniedError,
        NotFoundError,
        AlreadyExistsError,
        BusyError,
        ClosedError,
        WorkerGoneError,
        TimedOutError,
        OutOfMemoryError,
        InterruptedWaitError,
        IoError,
    )
}


def from_core(kind: str, message: str, errno: int | None, operation: str | None, path: str | None) -> MemoomError:
    """The exception of a core error; a kind that this package does not know is the base class."""
    return _BY_KIND.get(kind, MemoomError)(readable(message), errno=errno, operation=operation, path=path)
