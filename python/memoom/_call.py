"""A Python function under a limit, in an interpreter of its own."""

from __future__ import annotations

import os
import pickle
import re
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, cast

from ._errors import CallFailedError, InvalidInputError
from ._run import run
from ._text import note

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._native import Worker
    from ._values import AtLimit, Oom, Outcome

__all__ = ["Call", "call"]

T = TypeVar("T")
P = ParamSpec("P")

_GUARD = re.compile(rb"""__name__\s*==\s*['"]__main__['"]|['"]__main__['"]\s*==\s*__name__""")
_UNGUARDED = (
    "call function: the worker has loaded the program that the function is defined in, and the program calls it again "
    "as it is loaded; remedy: put what the program does under if __name__ == '__main__':, or "
    "pip install memoom[cloudpickle]"
)
_WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_worker.py")


class Call(Generic[T]):
    """How a function under a limit went: what it returned or raised, or how its process ended before it could.

    An immutable value. ``result()`` is for who wants the function's value or an exception; everything else is here to
    be looked at. The value and the exception come from a pickle of the worker's.
    """

    __slots__ = ("_exception", "_outcome", "_status", "_value")

    _status: Literal["returned", "raised", "oom-killed", "killed", "exited", "timeout", "throttled", "undecided"]
    _value: T | None
    _exception: Exception | None
    _outcome: Outcome

    def __init__(
        self,
        status: Literal["returned", "raised", "oom-killed", "killed", "exited", "timeout", "throttled", "undecided"],
        outcome: Outcome,
        value: T | None = None,
        exception: Exception | None = None,
    ) -> None:
        for name, given in (("_status", status), ("_outcome", outcome), ("_value", value), ("_exception", exception)):
            object.__setattr__(self, name, given)

    @property
    def status(
        self,
    ) -> Literal["returned", "raised", "oom-killed", "killed", "exited", "timeout", "throttled", "undecided"]:
        """What came of the function: "returned", "raised", or the verdict on its process that ended before."""
        return self._status

    @property
    def value(self) -> T | None:
        """What it returned; None when it did not return."""
        return self._value

    @property
    def exception(self) -> Exception | None:
        """What it raised, with the worker's traceback as a note; None when it raised nothing."""
        return self._exception

    @property
    def outcome(self) -> Outcome:
        """How the process ended, with all evidence."""
        return self._outcome

    @property
    def oom_killed(self) -> bool:
        """Whether the process was killed in an OOM."""
        return self._outcome.oom_killed

    @property
    def oom(self) -> Oom | None:
        """The account of the OOM that killed it."""
        return self._outcome.oom

    @property
    def ooms(self) -> tuple[Oom, ...]:
        """The accounts of all OOMs of its group: it may have children."""
        return self._outcome.ooms

    def check(self) -> Self:
        """Gives itself when the function returned; raises what it raised, or as its outcome does."""
        if self._exception is not None:
            raise self._exception
        if self._status != "returned":
            self._outcome.check()
            # It ended with status 0 in the middle of the function: sys.exit() or os._exit().
            raise CallFailedError("call function: it ended its process, and returned nothing")
        return self

    def result(self) -> T:
        """What the function returned; raises as `check` does."""
        return cast("T", self.check()._value)

    def _repr_html_(self) -> str:
        from ._display.calls import call_html

        return call_html(self._status, self._value, self._exception, self._outcome)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Call cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("Call cannot be changed")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Call):
            return NotImplemented
        mine = (self._status, self._outcome, self._value)
        # Exceptions have no equality of their own but identity.
        return mine == (other._status, other._outcome, other._value) and repr(self._exception) == repr(other._exception)

    def __hash__(self) -> int:
        return hash((self._status, self._outcome))

    def __reduce__(self) -> tuple[Any, ...]:
        return Call, (self._status, self._outcome, self._value, self._exception)

    def __repr__(self) -> str:
        match self._status:
            case "returned":
                return f"Call(status='returned', value={self._value!r})"
            case "raised":
                return f"Call(status='raised', exception={self._exception!r})"
        return f"Call(status={self._status!r}, outcome={self._outcome!r})"

    def __str__(self) -> str:
        match self._status:
            case "returned":
                return f"it returned {self._value!r}"
            case "raised":
                return f"it raised {self._exception!r}"
        return str(self._outcome)


def call(
    function: Callable[..., T],
    /,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    limit: int | str | None = None,
    swap: int | str | None = 0,
    high: int | str | None = None,
    oom_group: bool | None = None,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    stdout: Any = None,
    stderr: Any = None,
    oom_score_adj: int = 0,
    kernel_log: bool = True,
    call_path: bool = True,
    record: str | os.PathLike[str] | None = None,
    at_limit: str | Sequence[str | bytes | os.PathLike[str]] | Callable[[AtLimit], int | str | None] | None = None,
    headroom: int | str = "4M",
    at_limit_timeout: float = 60.0,
    raise_to: int | str | None = None,
    pickler: Literal["pickle", "cloudpickle"] | None = None,
    executable: str | None = None,
) -> Call[T]:
    """Runs ``function(*args, **kwargs)`` in a Python interpreter of its own under a limit, and says how it went.

    That the function raised, was OOM-killed or ran into the timeout is a result, not an exception: the `Call` has
    its ``status``, and ``call.result()`` gives the value or raises. The other arguments are those of `run`.

    The function, its arguments and its value are pickled, so the function must stand at the top of a module that the
    worker can import (its ``sys.path`` is the caller's), or in the caller's own program, as with `multiprocessing`.
    A program that calls its own functions under a limit has ``if __name__ == "__main__":`` before what it does, or the
    worker, which loads it, would do that too. Where pickle cannot carry it (a lambda, a nested function, one of a
    notebook or of a program without that line) and cloudpickle is installed (``pip install memoom[cloudpickle]``), that
    does it; `pickler` chooses one of them. `executable` is the interpreter,
    the caller's by default. The interpreter counts against the limit: about 8M, and what the function's module imports.
    """
    __tracebackhide__ = True
    if getattr(sys, "memoom_loading", False):
        raise InvalidInputError(_UNGUARDED, operation="call function")
    argv, payload = _request(function, args, kwargs or {}, pickler, executable)
    outcome, frames = _converse(
        argv,
        payload,
        limit=limit,
        swap=swap,
        high=high,
        oom_group=oom_group,
        timeout=timeout,
        env=env,
        cwd=cwd,
        stdout=stdout,
        stderr=stderr,
        oom_score_adj=oom_score_adj,
        kernel_log=kernel_log,
        call_path=call_path,
        record=record,
        at_limit=at_limit,
        headroom=headroom,
        at_limit_timeout=at_limit_timeout,
        raise_to=raise_to,
    )
    return _answer(outcome, frames)


def _answer(outcome: Outcome, frames: list[bytes]) -> Call[Any]:
    if not frames:
        return Call(outcome.verdict, outcome)
    how, *said = pickle.loads(frames[-1])
    match how:
        case "returned":
            return Call("returned", outcome, value=said[0])
        case "raised":
            error, text = said
            if error is None:
                error = CallFailedError(f"call function: it raised what cannot be brought back: {_last_line(text)}")
            note(error, f"In the worker:\n{text.rstrip()}")
            return Call("raised", outcome, exception=error)
    if _UNGUARDED in said[0]:
        raise InvalidInputError(_UNGUARDED, operation="call function")
    raise InvalidInputError(
        f"call function: the worker cannot load it: {said[0]}; remedy: define it at the top of a module that the "
        "worker can import, or give pickler='cloudpickle'",
        operation="call function",
    )


def _request(
    function: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    pickler: str | None,
    executable: str | None,
) -> tuple[list[str], bytes]:
    """The worker's command line, and the two frames that it reads."""
    from subprocess import _args_from_interpreter_flags  # type: ignore[attr-defined] # as multiprocessing does

    body = _pickled((function, args, dict(kwargs)), pickler)
    setup: dict[str, Any] = {"path": sys.path, "argv": sys.argv, "main": None}
    # What cloudpickle carries names the program that it is of, and does not need it.
    needed = pickler == "pickle" or not _is_by_value(body)
    if needed and (b"__main__" in body or b"__mp_main__" in body):
        from multiprocessing import spawn

        main = spawn.get_preparation_data("memoom")
        setup["main"] = {key: value for key, value in main.items() if key.startswith("init_main_from_")}
    # The first frame is read before the caller's modules can be imported: plain data only.
    frames = (pickle.dumps(setup), body)
    argv = [executable or sys.executable, *_args_from_interpreter_flags(), _WORKER]
    return argv, b"".join(part for frame in frames for part in (len(frame).to_bytes(8, "big"), frame))


def _pickled(what: object, pickler: str | None) -> bytes:
    if pickler not in (None, "pickle", "cloudpickle"):
        raise InvalidInputError(
            f"call function: pickler={pickler!r}; remedy: give 'pickle', 'cloudpickle' or None",
            operation="call function",
        )
    unfit: Exception | None = None
    fallback: bytes | None = None
    if pickler != "cloudpickle":
        try:
            body = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
            if pickler == "pickle" or b"__main__" not in body or _can_be_loaded(sys.modules["__main__"]):
                return body
            fallback = body if getattr(sys.modules["__main__"], "__file__", None) else None
        except Exception as error:
            unfit = error
    try:
        import cloudpickle  # type: ignore[import-untyped]
    except ImportError:
        if fallback is not None:
            # A program that does nothing as it is loaded needs no guard; one that does is told so by its worker.
            return fallback
        raise InvalidInputError(
            f"call function: pickle cannot carry it: {unfit or 'it is defined in no file'}; "
            "remedy: define it at the top of a module, or pip install memoom[cloudpickle]",
            operation="call function",
        ) from unfit
    return cast("bytes", cloudpickle.dumps(what))


def _is_by_value(body: bytes) -> bool:
    return b"cloudpickle" in body and not _can_be_loaded(sys.modules["__main__"])


def _can_be_loaded(main: ModuleType) -> bool:
    """Whether a worker can load the caller's program without running it again: what is defined in a notebook or at a
    prompt is in no file, and a program without a guard does as it is loaded what it does."""
    file = getattr(main, "__file__", None)
    if file is None:
        return False
    try:
        source = Path(file).read_bytes()
    except OSError:
        return True
    return _GUARD.search(source) is not None


def _converse(argv: list[str], payload: bytes, **options: Any) -> tuple[Outcome, list[bytes]]:
    """Runs the worker, gives it the payload, and gives its outcome with the whole frames that it has sent."""
    __tracebackhide__ = True
    ours, theirs = socket.socketpair()
    received = bytearray()

    def talk() -> None:
        # A worker that ends in the middle is said by its outcome.
        try:
            ours.sendall(payload)
            while part := ours.recv(1 << 20):
                received.extend(part)
        except OSError:
            pass

    talker = threading.Thread(target=talk, name="memoom-call", daemon=True)

    def begin(_worker: Worker) -> None:
        talker.start()

    with ours:
        try:
            with theirs:
                outcome = run(argv, stdin=theirs, started=begin, **options)
        finally:
            # Every process that held the other end is gone, so the talk comes to its end.
            if talker.ident is not None:
                talker.join()
    return outcome, _frames(received)


def _frames(received: bytearray) -> list[bytes]:
    found, at = [], 0
    while len(received) - at >= 8:
        end = at + 8 + int.from_bytes(received[at : at + 8], "big")
        if end > len(received):
            break
        found.append(bytes(received[at + 8 : end]))
        at = end
    return found


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]
