"""What is to be judged, as plain data: the limit, the processes with their curves, and the policies."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .._errors import InvalidInputError
from .._native import parse_size
from .._text import readable
from .._toml import plan_of

__all__ = ["BUILT_IN", "Curve", "Plan", "Policy", "read_plan"]

_KEYS = ("limit", "process", "recorded", "policies", "every", "machine")
BUILT_IN = ("kernel", "oom-group", "earlyoom", "systemd-oomd")


class Curve(NamedTuple):
    """What a process holds over time: points of seconds and bytes, a straight line between two."""

    name: str
    points: tuple[tuple[float, int], ...]
    oom_score_adj: int = 0

    def at(self, seconds: float) -> int:
        """Bytes at a time; before the first point nothing, behind the last one what that says."""
        if seconds < self.points[0][0]:
            return 0
        for (start, low), (end, high) in itertools.pairwise(self.points):
            if seconds < end:
                return low + round((high - low) * (seconds - start) / (end - start))
        return self.points[-1][1]

    def byte_seconds(self, until: float) -> int:
        """What it holds, by how long, from the start until then."""
        found = 0.0
        times = sorted({0.0, until, *(time for time, _ in self.points if time < until)})
        for start, end in itertools.pairwise(times):
            # A point may be a jump: what is just before its end counts.
            found += (self.at(start) + self.at(max(start, end - 1e-9))) / 2 * (end - start)
        return round(found)


class Policy(NamedTuple):
    """Who kills: one of the built-in ones by its name, a command, or a function."""

    name: str
    command: tuple[str, ...] | None = None
    function: Callable[..., Any] | None = None

    @property
    def built_in(self) -> str | None:
        """Which of the built-in ones it is: a command or a function may have the name of one, and is none."""
        return self.name if self.command is None and self.function is None else None


class Plan(NamedTuple):
    """A curve of pressure and the policies that are held against it."""

    limit: int
    curves: tuple[Curve, ...]
    policies: tuple[Policy, ...]
    every: float
    here: str
    # Whether this is a machine for tests, anybody on which may be killed.
    machine: bool

    @property
    def seconds(self) -> float:
        """How long the curves are."""
        return max(curve.points[-1][0] for curve in self.curves)


def _wrong(what: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(f"read policy: {what}; remedy: {remedy}", operation="read policy")


def read_plan(
    given: str | os.PathLike[str] | Mapping[str, Any], policies: Mapping[str, Any] | Sequence[str] | None
) -> Plan:
    """The plan of a `.toml` file, or of a mapping with the same keys; `policies` take the place of those in it."""
    given, here = plan_of(given, _wrong)
    unknown = [name for name in given if name not in _KEYS]
    if unknown:
        raise _wrong(f"there is no {unknown[0]!r}", f"give {', '.join(_KEYS)}")
    every = given.get("every", 0.05)
    if isinstance(every, bool) or not isinstance(every, int | float) or not 0.001 <= every <= 10:
        raise _wrong(f"every is {every!r}", "give seconds between two steps, 0.001 to 10")
    if "limit" not in given:
        raise _wrong("it has no limit", "give limit")
    return Plan(
        parse_size(given["limit"]),
        _curves(given, here),
        _policies(given.get("policies", ["kernel"]) if policies is None else policies),
        float(every),
        here,
        given.get("machine") is True,
    )


def _curves(given: Mapping[str, Any], here: str) -> tuple[Curve, ...]:
    found: list[Curve] = []
    if "recorded" in given:
        if not isinstance(given["recorded"], str | os.PathLike):
            raise _wrong(f"recorded is {given['recorded']!r}", "give the path of a timeline")
        found += recorded(Path(here, given["recorded"]))
    processes = given.get("process", [])
    if not isinstance(processes, Sequence) or isinstance(processes, str):
        raise _wrong(f"process is {processes!r}", "give a table for each, [[process]]")
    for process in processes:
        _is_process(process)
        found.append(_curve(str(process["name"]), process["curve"], process.get("oom_score_adj", 0)))
    names = [curve.name for curve in found]
    if not found or len(set(names)) != len(names):
        raise _wrong(f"the processes are {names!r}", "give one or more, each with a name of its own")
    return tuple(found)


def _is_process(process: Any) -> None:
    what, remedy = f"{process!r} is no process", "give name, curve and, if wanted, oom_score_adj"
    if not isinstance(process, Mapping):
        raise _wrong(what, remedy)
    unknown = [key for key in process if key not in ("name", "curve", "oom_score_adj")]
    if unknown:
        raise _wrong(f"{what}: there is no {unknown[0]!r}", remedy)
    missing = [key for key in ("name", "curve") if key not in process]
    if missing:
        raise _wrong(f"{what}: it has no {missing[0]}", remedy)


def _curve(name: str, given: Any, oom_score_adj: Any) -> Curve:
    if not isinstance(oom_score_adj, int):
        raise _wrong(f"the oom_score_adj of {name} is {oom_score_adj!r}", "give a number, -1000 to 1000")
    try:
        points = tuple((float(seconds), parse_size(size)) for seconds, size in given)
    except (TypeError, ValueError) as error:
        raise _wrong(f"the curve of {name} is {given!r} ({error})", "give a list of [seconds, size]") from None
    times = [seconds for seconds, _ in points]
    if not points or times != sorted(times) or not 0 <= times[0] <= times[-1] < 86400:
        raise _wrong(f"the times of {name} are {times!r}", "give seconds from 0 on, each later than the one before")
    return Curve(name, points, oom_score_adj)


def recorded(path: Path) -> Iterable[Curve]:
    """The curves of a timeline that was saved as JSON: what each process held."""
    try:
        points, names = _shares(json.loads(path.read_text(encoding="utf-8"))["events"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _wrong(
            f"{path} is no timeline ({error!r})", "save timeline.to_json() of a lab with sample_every"
        ) from None
    if not points:
        raise _wrong(f"{path} has no samples", "give the lab sample_every")
    return [Curve(f"{names[pid]}-{number}", tuple(held)) for number, (pid, held) in enumerate(points.items(), 1)]


def _shares(events: Any) -> tuple[dict[int, list[tuple[float, int]]], dict[int, str]]:
    """What each process held, and its name, by pid."""
    shares = [event for event in events if event["kind"] == "share"]
    start = min((event["time_ns"] for event in shares), default=0)
    points: dict[int, list[tuple[float, int]]] = {}
    names: dict[int, str] = {}
    for event in shares:
        held = event["rss_bytes"] + event["swap_bytes"]
        points.setdefault(event["pid"], []).append(((event["time_ns"] - start) / 1e9, held))
        names[event["pid"]] = readable(event.get("comm") or "process")
    return points, names


def _policies(given: Any) -> tuple[Policy, ...]:
    if isinstance(given, Mapping):
        return tuple(_policy(str(name), what) for name, what in given.items())
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise _wrong(f"policies is {given!r}", f"give a list of {', '.join(BUILT_IN)}, or a table with commands")
    return tuple(_policy(name, True) for name in given)


def _policy(name: str, what: Any) -> Policy:
    if callable(what):
        return Policy(name, function=what)
    command = what.get("command") if isinstance(what, Mapping) else None
    if isinstance(command, Sequence) and not isinstance(command, str) and command:
        return Policy(name, command=tuple(map(str, command)))
    if name in BUILT_IN and what in (True, {}):
        return Policy(name)
    said = repr(name) if what is True else f"{name} = {what!r}"
    raise _wrong(f"{said} is no policy", f"give one of {', '.join(BUILT_IN)}, a command, or a function")
