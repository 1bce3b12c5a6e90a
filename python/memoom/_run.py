"""The one call for the impatient."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _native
from ._errors import InvalidInputError
from ._hook import bounded
from ._stdio import PIPE, Pipes

if TYPE_CHECKING:
    from ._native import Worker
    from ._values import AtLimit, Outcome

__all__ = ["run"]


def run(
    argv: Sequence[str | bytes | os.PathLike[str]],
    *,
    limit: int | str | None = None,
    swap: int | str | None = 0,
    high: int | str | None = None,
    oom_group: bool | None = None,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    stdin: Any = None,
    stdout: Any = None,
    stderr: Any = None,
    oom_score_adj: int = 0,
    kernel_log: bool = True,
    call_path: bool = True,
    record: str | os.PathLike[str] | None = None,
    started: Callable[[Worker], object] | None = None,
    at_limit: str | Sequence[str | bytes | os.PathLike[str]] | Callable[[AtLimit], int | str | None] | None = None,
    headroom: int | str = "4M",
    at_limit_timeout: float = 60.0,
    raise_to: int | str | None = None,
    capture_output: bool = False,
    input: bytes | str | None = None,
) -> Outcome:
    """Runs a command under a limit, in a lab of its own, and gives its outcome. What it leaves running is killed then.

    That the command was OOM-killed or failed is an outcome, not an exception; ``outcome.check()`` raises. At `timeout`
    seconds the command and its children are killed (verdict "timeout"). `started` is called with the worker when it
    runs; whatever it raises ends the command. With `capture_output` the outcome has what it wrote as bytes, `stdout`
    and `stderr`; `input` is what it reads (text as UTF-8).
    `record` is a file into which everything is recorded that the accounts are made of, for :func:`memoom.replay`; a
    recording that stands there is written over, all else is refused.

    `at_limit` is done when the limit is met, while everybody in the group stands still and before anybody dies; then
    the kernel's choice takes its course, or the limit is raised to `raise_to` and the run goes on. It is a text for the
    shell or a list of arguments, run outside of the group, in which ``{pid}`` (the predicted victim), ``{invoker}``,
    ``{group}`` and ``{pids}`` are filled in; ``"builtin"``, the memory by mapping, which needs no program; or a
    function, which gets an :class:`AtLimit` in a thread of its own and may give the limit to raise to. It has
    `at_limit_timeout` seconds, and meanwhile there is `headroom` above the limit. ``outcome.at_limit`` has what was
    seen each time.
    """
    __tracebackhide__ = True  # of a failure in a test its author wants to see the own line
    if capture_output and (stdout is not None or stderr is not None):
        raise _exclude("capture_output", "stdout and stderr")
    if input is not None and stdin is not None:
        raise _exclude("input", "stdin")
    if not (at_limit is None or callable(at_limit) or hasattr(at_limit, "__iter__")):
        raise InvalidInputError(
            f'run: at_limit={at_limit!r} is nothing to run; remedy: give a command (a text or a list), "builtin" or a '
            "function",
            operation="run",
        )
    for name, wanted in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
        if wanted is not None and not hasattr(wanted, "fileno") and wanted == PIPE:
            raise InvalidInputError(
                f"run: nobody would read or write the pipe of {name} while the command runs; "
                "remedy: give a file, or start the worker with group.command()",
                operation="run",
            )
    with Pipes(capture_output, input) as pipes:
        outcome = _native.run(
            argv,
            limit=limit,
            swap=swap,
            high=high,
            oom_group=oom_group,
            timeout=timeout,
            env=env,
            cwd=cwd,
            stdin=pipes.stdin if input is not None else stdin,
            stdout=pipes.stdout if capture_output else stdout,
            stderr=pipes.stderr if capture_output else stderr,
            oom_score_adj=oom_score_adj,
            kernel_log=kernel_log,
            call_path=call_path,
            record=record,
            started=started,
            at_limit=bounded(at_limit, at_limit_timeout) if callable(at_limit) else at_limit,
            headroom=headroom,
            at_limit_timeout=at_limit_timeout,
            raise_to=raise_to,
        )
    return outcome._with(pipes.captured) if capture_output else outcome


def _exclude(one: str, other: str) -> InvalidInputError:
    return InvalidInputError(f"run: {one} and {other} exclude each other; remedy: give one of them", operation="run")
