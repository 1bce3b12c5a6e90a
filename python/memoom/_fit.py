"""The least limit of a command: here, or wherever an executor runs it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from . import _native
from ._errors import InvalidInputError, MemoomError
from ._stdio import DEVNULL
from ._sweep import sweep
from ._values import Fitted

__all__ = ["fit"]


def fit(
    argv: Sequence[str | bytes | os.PathLike[str]],
    *,
    check: Sequence[str | bytes | os.PathLike[str]] | None = None,
    most: int | str | None = None,
    swap: int | str | None = 0,
    timeout: float | None = None,
    runs: int = 12,
    within: float = 0.02,
    slower: float = 0.1,
    high: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    stdin: Any = None,
    stdout: Any = None,
    stderr: Any = None,
    oom_score_adj: int = 0,
    executor: Executor | None = None,
) -> Fitted:
    """Looks for the least limit under which a command passes, and the least from which it is not slowed.

    Passing is exit status 0, and with `check` that this command ends with 0 after the run, outside of the limit. The
    first run has the limit `most` (four fifths of the free memory); at most `runs` are made, until the answer lies
    `within` that share above a limit that fails. `slower` is the share of the first run's time that a run may take
    longer; with `high` each run has a `memory.high` at that share of its limit (v2). Without a `timeout` a run has ten
    times as long as the first, and 10 seconds.

    `executor`, any `concurrent.futures.Executor` as of `sweep`, makes the runs where it runs things; it needs `most`,
    and neither input nor output is passed there. Many commands at a time are a sweep (``fit`` in a trial).

    Raises `InvalidInputError` for no runs or no distance, what `run` raises where the command cannot be started, and
    with an executor `MemoomError` for what went wrong there. That it passes under no limit is a result.
    """
    if executor is None:
        return _native.fit(
            argv,
            check=check,
            most=most,
            swap=swap,
            timeout=timeout,
            runs=runs,
            within=within,
            slower=slower,
            high=high,
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            oom_score_adj=oom_score_adj,
        )
    if most is None or any(one is not None for one in (stdin, stdout, stderr)):
        raise InvalidInputError(
            "fit: with an executor there is no input and output, and nobody knows what is free there; remedy: give "
            "most, and leave stdin, stdout and stderr out",
            operation="fit",
        )
    trial = {
        "argv": _words(argv),
        # By this name the sweep reserves it of the memory that is free there.
        "limit": most,
        "check": None if check is None else _words(check),
        "swap": swap,
        "timeout": timeout,
        "runs": runs,
        "within": within,
        "slower": slower,
        "high": high,
        "env": None if env is None else dict(zip(_words(env), _words(env.values()), strict=True)),
        "cwd": None if cwd is None else os.fspath(cwd),
        "oom_score_adj": oom_score_adj,
    }
    (result,) = sweep([trial], run=_fit_there, executor=executor, budget=None, progress=False)
    if result.fitted is None:
        raise MemoomError(result.error.message if result.error else f"fit: {result.status}")
    return result.fitted


def _fit_there(trial: Mapping[str, Any]) -> Fitted:
    """What an executor runs: the same call, with the same words."""
    how = {name: value for name, value in trial.items() if name not in ("argv", "limit")}
    return _native.fit(trial["argv"], most=trial["limit"], **how, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)


def _words(given: Iterable[str | bytes | os.PathLike[str]]) -> list[str]:
    return [os.fsdecode(word) for word in given]
