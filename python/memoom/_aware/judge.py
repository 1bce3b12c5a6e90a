"""What follows from runs under several limits: a function of plain numbers.

The measure of a program is what it says (a heap size) or what it takes. How far that follows the limit is an
elasticity: the logarithm of how much the measure grew by that of how much the limit grew. 1 is in proportion, 0 not at
all. A runtime with a floor and steps (a quarter of the memory, but half of a small one) lies between; what takes the
same under each limit lies at 0, but for noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .._units import size

# From here on it follows; below that it does not; between is nothing that noise could not be.
_FOLLOWS, _IGNORES = 0.25, 0.1
# What uses so much of its limit was kept there by the kernel.
_AT_THE_LIMIT = 0.95
# What takes less than this part of the least limit has given no sign of what it would take.
_SMALL = 0.25


class Told(NamedTuple):
    """A verdict with its reason."""

    verdict: str
    reason: str
    follows_permille: int | None = None


def judge(runs: Sequence[dict[str, Any]], says: bool, blur_bytes: int = 0) -> tuple[str, Told, list[Told]]:
    """The measure, the verdict on a place, and one on each of its runs.

    What a group uses is known to ``blur_bytes``: so much the kernel may have charged ahead.
    """
    measure = "said" if says else _footprint(runs)
    found = [_value(run, measure) for run in runs]
    values = {run["limit_bytes"]: value for run, (value, _) in zip(runs, found, strict=True) if value is not None}
    follows = {limit: _follows(limit, values, 0 if says else blur_bytes) for limit in values}
    some_follow = any(part is not None and part >= _FOLLOWS for part in follows.values())
    told = []
    for run, (value, why) in zip(runs, found, strict=True):
        limit = run["limit_bytes"]
        if value is not None:
            one = _of_value(follows[limit], value, values, measure)
            # Whatever unit it has: so large a number can only be one of bytes.
            above = ", and is more than the limit" if measure == "said" and value > limit else ""
            told.append(one._replace(reason=one.reason + above))
        elif run["outcome"] == "oom-killed" and not says and not some_follow:
            told.append(Told("unaware", "OOM-killed: it took more than the limit"))
        else:
            told.append(Told("unknown", why))
    return measure, _place(runs[0], told, values, measure), told


def _footprint(runs: Sequence[dict[str, Any]]) -> str:
    """The peak of the group; where page cache may have filled that to the limit, the largest resident size."""
    alive = [run for run in runs if run["outcome"] != "oom-killed"]
    cut = any(run["peak_bytes"] is None or run["peak_bytes"] >= _AT_THE_LIMIT * run["limit_bytes"] for run in alive)
    return "max_rss" if cut else "peak"


def _value(run: dict[str, Any], measure: str) -> tuple[float | None, str]:
    """The measure of a run, or why it has none."""
    killed = run["outcome"] == "oom-killed"
    if measure == "said":
        why = "OOM-killed before it said anything that matches" if killed else "it said nothing that matches"
        return (run["said"], "") if run["said"] is not None and run["said"] > 0 else (None, why)
    if killed:
        return None, "OOM-killed: what it needs at least may be above this limit"
    if run["outcome"] not in ("exited", "timeout"):
        return None, f"it ended by a signal ({-run['returncode']})"
    if _failed(run):
        return None, f"it failed with exit status {run['returncode']}"
    value = run[f"{measure}_bytes"]
    if value >= _AT_THE_LIMIT * run["limit_bytes"]:
        return None, "the kernel kept it at the limit by reclaim"
    return value, ""


def _failed(run: dict[str, Any]) -> bool:
    return bool(run["outcome"] == "exited" and run["returncode"] != 0)


def _follows(limit: int, values: dict[int, float], blur: float) -> float | None:
    """How far the measure follows, between this limit and the least and the largest one that have a measure."""

    def grew(value: float, other: float) -> float:
        if abs(value - other) <= blur:
            return 0
        return math.log(value / (other + blur)) if value > other else math.log((value + blur) / other)

    ends = {min(values), max(values)} - {limit}
    found = [grew(values[limit], values[end]) / math.log(limit / end) for end in ends]
    # One step of a staircase is flat; it climbs all the same.
    return max(found, default=None)


def _of_value(follows: float | None, value: float, values: dict[int, float], measure: str) -> Told:
    if follows is None:
        return Told("unknown", "no other limit to compare with")
    permille = round(follows * 1000)
    what = "what it says" if measure == "said" else "what it takes"
    if follows >= _FOLLOWS:
        return Told("aware", f"{what} follows the limit by {permille / 10:.0f} %", permille)
    if measure != "said" and max(values.values()) < _SMALL * min(values):
        return Told("unknown", f"it takes {size(int(value))}, too little to tell", permille)
    if abs(follows) < _IGNORES:
        return Told("unaware", f"{what} is the same under other limits", permille)
    return Told("unknown", f"{what} follows the limit by {permille / 10:.0f} % only", permille)


def _place(first: dict[str, Any], told: Sequence[Told], values: dict[int, float], measure: str) -> Told:
    what = "what it says" if measure == "said" else "what it takes"
    verdicts = [one.verdict for one in told]
    if "unaware" in verdicts:
        return Told("unaware", next(one.reason for one in told if one.verdict == "unaware"))
    if "aware" in verdicts:
        least, most = min(values), max(values)
        grew = f"{what} grew {values[most] / values[least]:.2g}-fold where the limit grew {most / least:.2g}-fold"
        return Told("aware", grew)
    remedy = "says (--says REGEX): a number that it prints"
    wanted = "have it end with 0" if _failed(first) else "give a load"
    return Told("unknown", told[0].reason + ("" if measure == "said" else f"; {wanted}, or {remedy}"))
