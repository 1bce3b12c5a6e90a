"""The runs: one program under several limits, each in a lab of its own."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._errors import InvalidInputError, TimedOutError
from .._lab import Lab
from .._native import parse_size
from .._stdio import DEVNULL, Pipes
from .._values import Host
from .judge import judge
from .results import Awareness, text_of

_SCHEMA = "memoom.aware/1"
PLACES = ("own", "ancestor")
# Limits take nothing; a program that sizes itself by them does.
_MOST = 2 << 30
# So much of the end of what it writes is searched.
_READ = 16 << 20
_NUMBER = re.compile(r"(\d+(?:[_,']\d{3})*(?:\.\d+)?)\s*([kKMGT]?)(?:i?[bB])?")
_UNITS = {"": 0, "k": 10, "K": 10, "M": 20, "G": 30, "T": 40}


def aware(
    argv: Sequence[str | bytes | os.PathLike[str]],
    *,
    limits: Sequence[int | str] | None = None,
    says: str | None = None,
    places: Sequence[str] = PLACES,
    timeout: float = 30.0,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Awareness:
    """Whether a program sizes itself by its memory limit: runs it under several limits, and compares.

    Each limit is set in two places: on the program's own group ("own"), and on the group above, its own without one
    ("ancestor"), as in a pod, a slice or a job. Without `limits` there are three: 2G, or four fifths of the free memory
    where that is less, a quarter, and a sixteenth of it. What is compared is what the program takes; with `says`, a
    regular expression for what it writes, the number that its first group (or the whole) matches last, such as a
    heap size. A run that takes longer than `timeout` seconds is ended; what it took and said until then counts.

    Raises `InvalidInputError` for fewer than two limits, limits that differ by less than the factor 2, an unknown
    place, or a bad expression; what `run` raises when the program cannot be started.
    """
    wanted = _limits(limits)
    pattern = _pattern(says)
    unknown = [place for place in places if place not in PLACES]
    if unknown or not places:
        raise _wrong(f"place {unknown[0] if unknown else places!r} is unknown", "give own, ancestor, or both")
    if not 0 < timeout < float("inf"):
        raise _wrong(f"the timeout {timeout!r} is no time span", "give seconds, more than 0")
    runs: list[dict[str, Any]] = []
    told_places = []
    for place in dict.fromkeys(places):
        here = [_run(argv, place, limit, pattern, timeout, env, cwd) for limit in wanted]
        measure, of_place, told = judge(here, pattern is not None, _charged_ahead_bytes())
        for run, one in zip(here, told, strict=True):
            told_run = {"verdict": one.verdict, "reason": one.reason, "follows_permille": one.follows_permille}
            runs.append({"place": place, "limit_bytes": run["limit_bytes"], **told_run, **run})
        told_places.append({"place": place, "verdict": of_place.verdict, "reason": of_place.reason, "measure": measure})
    document = {
        "schema": _SCHEMA,
        "argv": [os.fsdecode(argument) for argument in argv],
        "says": says,
        "verdict": _whole([place["verdict"] for place in told_places]),
        "places": told_places,
        "runs": runs,
    }
    return Awareness._make(document, None, text_of(document))


def _whole(verdicts: Sequence[str]) -> str:
    if "unaware" in verdicts:
        return "unaware"
    return "aware" if set(verdicts) == {"aware"} else "unknown"


def _charged_ahead_bytes() -> int:
    """So much of a usage nobody holds yet: each CPU may have charged 64 pages ahead (MEMCG_CHARGE_BATCH)."""
    return 64 * os.sysconf("SC_PAGE_SIZE") * (os.cpu_count() or 1)


def _limits(given: Sequence[int | str] | None) -> list[int]:
    """Bytes, from the least to the largest."""
    if given is None:
        most = min(_MOST, Host.probe().available_bytes // 5 * 4)
        return [most // 16, most // 4, most]
    found = sorted({parse_size(limit) for limit in given})
    if len(found) < 2 or found[-1] < 2 * found[0]:
        raise _wrong("the limits tell too little", "give two or more, the largest at least twice the least")
    return found


def _pattern(says: str | None) -> re.Pattern[str] | None:
    try:
        return None if says is None else re.compile(says, re.MULTILINE)
    except re.error as error:
        raise _wrong(f"{says!r} is no regular expression: {error}", "mend it") from None


def _wrong(what: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(f"aware: {what}; remedy: {remedy}", operation="aware")


def _run(
    argv: Sequence[str | bytes | os.PathLike[str]],
    place: str,
    limit: int,
    pattern: re.Pattern[str] | None,
    timeout: float,
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
) -> dict[str, Any]:
    # Nobody reads the accounts: the counters tell whether it was an OOM.
    with Pipes(pattern is not None, None, _READ) as pipes, Lab(kernel_log=False, call_path=False) as lab:
        output = pipes.stdout if pattern is not None else DEVNULL
        limited = lab.group("limited", limit=limit)
        group = limited if place == "own" else limited.child("inside", swap=None)
        began = time.monotonic_ns()
        worker = group.command(argv, env=env, cwd=cwd, stdin=DEVNULL, stdout=output, stderr=output)
        verdict = None
        try:
            worker.wait(timeout)
        except TimedOutError:
            verdict = "timeout"
            worker.kill()
        outcome = worker.wait()
        told = {
            "limit_bytes": limit,
            "outcome": verdict or outcome.verdict,
            "returncode": outcome.returncode,
            "peak_bytes": limited.peak_bytes,
            "max_rss_bytes": outcome.max_rss_bytes,
        }
        took = time.monotonic_ns() - began
    # Whoever held the other end of the pipe has gone with the lab.
    said = None if pattern is None else _said(pipes.captured["stdout"].decode(errors="replace"), pattern)
    return {**told, "said": said, "elapsed_ns": took}


def _said(text: str, pattern: re.Pattern[str]) -> int | float | None:
    """The number that it has said last, in bytes where a unit stands behind it."""
    said = None
    for match in pattern.finditer(text):
        found = _NUMBER.search(match[1] if match.re.groups and match[1] is not None else match[0])
        if found is not None:
            number = float(re.sub("[_,']", "", found[1])) * (1 << _UNITS[found[2]])
            said = int(number) if number.is_integer() else number
    return said
