"""Whether a program has sized itself by its limits, and the runs that say so, as values."""

from __future__ import annotations

from typing import Any, Literal

from .._result import Table
from .._text import table
from .._units import size

_PLACES = {"own": "limit on its own group:", "ancestor": "limit on the group above:"}


class AwareRun(Table):
    """One run of :func:`memoom.aware` under one limit."""

    place: Literal["own", "ancestor"]
    limit_bytes: int
    verdict: Literal["aware", "unaware", "unknown"]
    reason: str
    follows_permille: int | None
    outcome: str
    returncode: int
    peak_bytes: int | None
    max_rss_bytes: int
    said: int | float | None
    elapsed_ns: int

    _shown = ("place", "limit_bytes", "verdict", "peak_bytes", "said")


class AwarePlace(Table):
    """What the runs of one place say: the limit stands on the program's own group, or on a group above it."""

    place: Literal["own", "ancestor"]
    verdict: Literal["aware", "unaware", "unknown"]
    reason: str
    measure: Literal["said", "peak", "max_rss"]

    _shown = ("place", "verdict", "reason")


class Awareness(Table):
    """Whether a program sizes itself by its memory limit; ``print(awareness)`` shows it with every run."""

    schema: str
    argv: tuple[str, ...]
    says: str | None
    verdict: Literal["aware", "unaware", "unknown"]
    places: tuple[AwarePlace, ...]
    runs: tuple[AwareRun, ...]

    _nested = {"places": AwarePlace._part, "runs": AwareRun._part}
    _shown = ("verdict", "places")

    def to_rows(self) -> list[dict[str, Any]]:
        """The runs, as plain dicts."""
        return [run.to_dict() for run in self.runs]


def text_of(document: dict[str, Any]) -> str:
    """The answer for people: a line for each place, and every run."""
    lines = [document["verdict"]]
    for place in document["places"]:
        lines.append(f"  {_PLACES[place['place']]:<26}{place['verdict']:<8} {place['reason']}")
    head = ("limit on", "limit", "says", "peak", "result", "verdict", "")
    lines += table([head, *map(_cells, document["runs"])], left=(0, 4, 5, 6))
    return "\n".join(lines)


def _cells(run: dict[str, Any]) -> tuple[str, ...]:
    peak = run["peak_bytes"] if run["peak_bytes"] is not None else run["max_rss_bytes"]
    match run["outcome"], run["returncode"]:
        case "exited", status:
            ended = f"exit status {status}"
        case "timeout", _:
            ended = "ended in time"
        case "oom-killed", _:
            ended = "OOM-killed"
        case other, status:
            ended = f"{other} ({status})"
    said = "-" if run["said"] is None else f"{run['said']:.12g}"
    return (run["place"], size(run["limit_bytes"]), said, size(peak), ended, run["verdict"], run["reason"])
