"""One trial: it is run where the executor puts it, and its result is plain data."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from .._call import call
from .._errors import MemoomError
from .._explain import oom_text, outcome_text
from .._invoke import invoke
from .._lab import Lab
from .._native import fit, parse_size
from .._run import run
from .._stdio import DEVNULL, tail
from .._values import Fitted, Host, Outcome
from .budget import reserve
from .store import SCHEMA

# What is kept of what a command has written.
_TAIL = 2000
_MOST_STEPS = 100_000
_GROUP = ("limit", "swap", "high", "oom_group")


def execute(
    key: str, trial: Mapping[str, Any], function: Callable[..., Any] | None, budget: int | None, attempt: int
) -> str:
    """Runs one trial and gives the line of its result. That it fails is a result too."""
    host = Host.probe()
    record = _record(key, trial, attempt, {"release": host.release, "version": host.version})
    started = time.monotonic()
    try:
        limit = trial.get("limit")
        with reserve(parse_size(limit), budget) if limit not in (None, "max") else nullcontext():
            # The time in which it waited for others is not its own.
            started = time.monotonic()
            record.update(_returned(function(dict(trial))) if function is not None else _run(trial))
    except Exception as error:
        record["error"] = _error(error)
    record["seconds"] = round(time.monotonic() - started, 6)
    return _line(record)


def lost(key: str, trial: Mapping[str, Any], error: Exception, attempts: int) -> str:
    """The result of a trial that no worker has brought back."""
    record = _record(key, trial, attempts, {"release": None, "version": None})
    message = f"its worker was lost {attempts} times: {error}"
    return _line({**record, "error": {**_error(error), "message": message}})


def _record(key: str, trial: Mapping[str, Any], attempt: int, host: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "key": key,
        "trial": dict(trial),
        "attempt": attempt,
        "status": "error",
        "outcome": None,
        "ooms": [],
        "value": None,
        "output": None,
        "error": None,
        "text": None,
        "host": {"node": os.uname().nodename, **host},
        "started_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
        "seconds": None,
    }


def _error(error: Exception) -> dict[str, Any]:
    kind = error.kind if isinstance(error, MemoomError) else None
    return {"type": type(error).__name__, "kind": kind, "message": str(error)}


def _line(record: dict[str, Any]) -> str:
    line = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        # A path or an argument that is not UTF-8 stands in it, as Python carries such.
        line = json.dumps(record, separators=(",", ":"))
    return line


def _run(trial: Mapping[str, Any]) -> dict[str, Any]:
    if "argv" in trial:
        return _fit(trial) if "fit" in trial else _command(trial)
    return _function(trial) if "function" in trial else _hogs(trial)


def _settings(trial: Mapping[str, Any], *more: str) -> dict[str, Any]:
    return {name: trial[name] for name in (*_GROUP, *more) if name in trial}


def _command(trial: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as output:
        outcome = run(
            trial["argv"],
            **_settings(trial, "timeout", "oom_score_adj", "cwd"),
            env=_environment(trial),
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
        )
        return {**_ended(outcome), "output": tail(output, _TAIL)}


def _fit(trial: Mapping[str, Any]) -> dict[str, Any]:
    """The least limit of a command; its own limit is that of the first run."""
    how = {} if trial["fit"] is True else {name: value for name, value in trial["fit"].items() if value is not None}
    settings = {name: trial[name] for name in ("swap", "timeout", "oom_score_adj", "cwd") if name in trial}
    silent: dict[str, Any] = {"stdin": DEVNULL, "stdout": DEVNULL, "stderr": DEVNULL}
    return _fitted(fit(trial["argv"], most=trial["limit"], **how, **settings, env=_environment(trial), **silent))


def _fitted(fitted: Fitted) -> dict[str, Any]:
    status = "fitted" if fitted.limit_bytes is not None else "unfitted"
    return {"status": status, "value": fitted.to_dict(), "text": str(fitted)}


def _function(trial: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as output:
        done = call(
            invoke,
            trial["function"],
            trial.get("args", []),
            trial.get("kwargs", {}),
            **_settings(trial, "timeout", "oom_score_adj", "cwd"),
            env=_environment(trial),
            stdout=output,
            stderr=output,
        )
        found = {**_ended(done.outcome), "status": done.status, "output": tail(output, _TAIL)}
    if done.exception is not None:
        found["error"] = _error(done.exception)
    return {**_returned(done.value), **found}


def _hogs(trial: Mapping[str, Any]) -> dict[str, Any]:
    """Hogs that take a step each in turn until one of them is killed or blocked, or all have taken their steps."""
    timeout = trial.get("timeout")
    deadline = None if timeout is None else time.monotonic() + timeout
    with Lab() as lab:
        group = lab.group("trial", **_settings(trial, "oom_killer"))
        watch = group.watch()
        hogs = [group.hog(**hog) for hog in trial["hogs"]]
        status = _grow(hogs, trial.get("steps", _MOST_STEPS), deadline)
        if status in ("oom-killed", "blocked"):
            watch.wait_oom(10.0)
        value = [{"name": hog.name, "pid": hog.pid, "total_bytes": hog.total_bytes, "ended": hog.ended} for hog in hogs]
        ooms = lab.timeline().ooms
        text = "\n".join(oom_text(oom) for oom in ooms) or None
        return {"status": status, "value": value, "ooms": [oom.to_dict() for oom in ooms], "text": text}


def _grow(hogs: list[Any], steps: int, deadline: float | None) -> str:
    for _ in range(steps):
        for hog in hogs:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return "timeout"
            # Its neighbour's step may have killed it.
            status = "killed" if hog.ended else hog.grow(timeout=left).status
            if status != "grew":
                return "oom-killed" if status == "killed" else "blocked"
    return "grew"


def _ended(outcome: Outcome) -> dict[str, Any]:
    return {"status": outcome.verdict, "outcome": outcome.to_dict(), "text": outcome_text(outcome)}


def _environment(trial: Mapping[str, Any]) -> dict[str, str] | None:
    """What the trial says is added to the environment."""
    own = trial.get("env")
    return None if own is None else {**os.environ, **{name: str(value) for name, value in own.items()}}


def _returned(value: object) -> dict[str, Any]:
    """What a function returned, as JSON has it; what JSON has not, by its repr."""
    if isinstance(value, Outcome):
        return _ended(value)
    if isinstance(value, Fitted):
        return _fitted(value)
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        value = repr(value)
    return {"status": "returned", "value": value}
