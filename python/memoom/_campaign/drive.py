"""The campaign: one run that nobody disturbs, the moments, and the way from a failing one to the smallest."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from .._errors import InvalidInputError, MemoomError, UnsupportedError
from .._sweep import TrialResult, sweep
from .moments import TRACED, Moment, moment_of
from .plan import Plan, read_plan
from .results import Campaign, text_of
from .strike import execute, prepared
from .syscalls import supported

__all__ = ["campaign"]

_SCHEMA = "memoom.campaign/1"
# So close the smallest number of charged bytes that fails is narrowed down; the kernel charges ahead in batches.
_CHARGED = 256 << 10
_Run = Callable[[Sequence[Moment | None]], dict[Moment | None, dict[str, Any]]]


def campaign(
    plan: str | os.PathLike[str] | Mapping[str, Any],
    *,
    only: str | Iterable[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    keep: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    retry_errors: bool = False,
    progress: bool | None = None,
) -> Campaign:
    """Has a command OOM-killed at many moments, each in a fresh copy of its directory, and looks at what is left.

    `plan` is a `.toml` file or a mapping (see docs/campaign.md): the command, the check, which ends with 0 where all is
    well, and the moments. The first run is disturbed by nobody: it must pass, and counts the moments. Between a moment
    that passes and the next one that fails others are tried, until the smallest is known. `only` repeats moments by
    their names (`"write=17"`), and no others. With `output` each result is a line of that file, and a campaign that was
    interrupted goes on; `executor`, `retry_errors` and `progress` are those of `sweep`. What a failing moment has left
    is copied to a directory of its name below `keep`.

    A moment counts as tried only where the account of the OOM names the command as the victim. Raises
    `InvalidInputError` for what is no campaign, `MemoomError` where the command or the check fails though nobody kills
    it, `UnsupportedError` for moments that need a tracer on a processor whose system calls are not known.
    """
    known = read_plan(plan)
    chosen = None if only is None else _chosen(known, [only] if isinstance(only, str) else only)
    wanted = {one.trigger for one in known.wanted if chosen is None} | {one.trigger for one in chosen or ()}
    if not supported() and wanted & {*TRACED}:
        raise UnsupportedError(
            f"campaign: the system calls of {os.uname().machine} are not known; remedy: use charged and time",
            operation="campaign",
        )
    digest = known.digest()
    results: dict[Moment, dict[str, Any]] = {}
    with prepared(known) as template:
        strike = functools.partial(execute, known, template, None if keep is None else os.fspath(keep))

        def run(moments: Sequence[Moment | None]) -> dict[Moment | None, dict[str, Any]]:
            trials = [_trial(known, digest, moment) for moment in moments]
            options: dict[str, Any] = {"executor": executor, "output": output, "retry_errors": retry_errors}
            found = sweep(trials, run=strike, progress=progress, **options)
            return {moment: _value(moment, one) for moment, one in zip(moments, found, strict=True)}

        counts = None
        if chosen is None:
            counts = _undisturbed(run)
            chosen = known.moments(counts)
            _strike(run, chosen, results)
            smallest = _narrowed(run, results)
        else:
            _strike(run, chosen, results)
            smallest = [moment for moment in chosen if results[moment]["status"] == "failed"]
    document = {
        "schema": _SCHEMA,
        "command": list(known.command),
        "check": list(known.check),
        "counts": counts,
        "moments": [results[moment] for moment in sorted(results)],
        "smallest": [str(moment) for moment in smallest],
    }
    return Campaign._make(document, None, text_of(document))


def _chosen(plan: Plan, names: Iterable[str]) -> list[Moment]:
    chosen = [moment_of(name) for name in names]
    if plan.line is None and any(moment.trigger == "line" for moment in chosen):
        raise InvalidInputError(
            "campaign: no line is looked for; remedy: give the campaign an expression (line under moments)",
            operation="campaign",
        )
    return chosen


def _trial(plan: Plan, digest: str, moment: Moment | None) -> dict[str, Any]:
    # One that counted no calls is none for a campaign that asks for them.
    name = str(moment) if moment is not None else "undisturbed-counted" if plan.is_traced else "undisturbed"
    trial: dict[str, Any] = {"key": f"{name}-{digest}", "moment": None if moment is None else name}
    return trial if plan.limit is None else {**trial, "limit": plan.limit}


def _value(moment: Moment | None, result: TrialResult) -> dict[str, Any]:
    """What came of a trial; one that could not be run was not tried."""
    if result.error is None:
        value = result.to_dict()["value"]
        if not isinstance(value, dict) or "status" not in value or (moment is None and not _is_counted(value)):
            raise InvalidInputError(
                f"campaign: the result {result.key} is none of a campaign; remedy: give another file of results",
                operation="campaign",
            )
        return dict(value)
    if moment is None:
        raise MemoomError(result.error.message)
    empty = ("doing", "victim", "oom", "check_returncode", "check_output", "output", "kept")
    told = {"moment": str(moment), "status": "not tried", "reason": result.error.message}
    return {**told, **dict.fromkeys(empty), "elapsed_ns": round((result.seconds or 0) * 1e9)}


def _is_counted(value: dict[str, Any]) -> bool:
    """Whether a run that nobody disturbed says what it came to; one that failed need not."""
    counts = value.get("counts")
    return value["status"] != "passed" or (
        isinstance(counts, dict) and all(one is None or isinstance(one, int) for one in counts.values())
    )


def _undisturbed(run: _Run) -> dict[str, int | None]:
    """The last number of each trigger in a run that nobody kills."""
    found = run([None])[None]
    if found["status"] != "passed":
        said = f": {found['output']}" if found["check_returncode"] is None and found["output"] else ""
        raise MemoomError(
            f"campaign: though nobody killed the command, {found['reason']}{said}; remedy: mend that first"
        )
    return dict(found["counts"])


def _strike(run: _Run, moments: Sequence[Moment], results: dict[Moment, dict[str, Any]]) -> None:
    new = [moment for moment in dict.fromkeys(moments) if moment not in results]
    for moment, value in run(new).items():
        assert moment is not None
        results[moment] = value


def _narrowed(run: _Run, results: dict[Moment, dict[str, Any]]) -> list[Moment]:
    """The smallest failing moment behind each passing one: what lies between is halved until nothing does."""
    smallest = []
    for trigger in dict.fromkeys(moment.trigger for moment in sorted(results)):
        numbers = [moment.number for moment in sorted(results) if moment.trigger == trigger]
        passed = 0
        before = "passed"
        for number in numbers:
            status = results[Moment(trigger, number)]["status"]
            if status == "failed" and before == "passed":
                smallest.append(_smallest(run, trigger, passed, number, results))
            passed, before = number, status
    return smallest


def _smallest(run: _Run, trigger: str, passed: int, failed: int, results: dict[Moment, dict[str, Any]]) -> Moment:
    # A time is not the same moment twice, and is left as it is.
    near = {"charged": _CHARGED, "time": failed}.get(trigger, 1)
    while failed - passed > near:
        middle = Moment(trigger, (passed + failed) // 2 // near * near)
        if not passed < middle.number < failed:
            break
        _strike(run, [middle], results)
        match results[middle]["status"]:
            case "failed":
                failed = middle.number
            case "passed":
                passed = middle.number
            case _:
                break
    return Moment(trigger, failed)
