"""The events of a timeline as what a chart draws: for each group its usage, limit, the shares in it, and the marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .._errors import NotFoundError
from .._native import covers
from .._text import signal_name
from .._values import Event, Timeline
from .units import size

__all__ = ["Mark", "Series", "Share", "chosen", "drawn", "levels", "series_of"]

Points = list[tuple[int, int]]


@dataclass
class Share:
    """What one process held: (time, bytes), each value until the next. Several together have no pid."""

    pid: int | None
    name: str
    points: Points = field(default_factory=list)

    @property
    def peak_bytes(self) -> int:
        """The most that it held."""
        return max((value for _, value in self.points), default=0)


@dataclass
class Mark:
    """One thing that happened, at its moment."""

    time_ns: int
    # "kill", "blocked", "end", "switch", "limit", "start" or "tick".
    kind: str
    text: str
    pid: int | None = None


@dataclass
class Series:
    """What happened in one group and below it."""

    group: str
    start_ns: int
    end_ns: int
    usage: Points = field(default_factory=list)
    limit: list[tuple[int, int | None]] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    @property
    def most_bytes(self) -> int:
        """The highest value of all."""
        values = [value for _, value in self.usage]
        values += [value for _, value in self.limit if value is not None]
        return max(values, default=0)


def series_of(timeline: Timeline) -> list[Series]:
    """One series for each group that has a usage, in the order in which they appear."""
    events = timeline.events
    if not events:
        return []
    groups: dict[str, Series] = {}
    for event in events:
        if event.kind == "usage" and event.group is not None and event.group not in groups:
            groups[event.group] = Series(event.group, event.time_ns, event.time_ns)
    for series in groups.values():
        inside = [event for event in events if event.group is not None and covers(series.group, event.group)]
        series.start_ns, series.end_ns = inside[0].time_ns, inside[-1].time_ns
        _fill(series, inside)
    return list(groups.values())


def _fill(series: Series, events: Iterable[Event]) -> None:
    shares: dict[int, Share] = {}
    killed: set[int | None] = set()
    names: dict[int | None, str] = {}
    dying: list[Share] = []
    for event in events:
        own = event.group == series.group
        name = names.get(event.pid, f"pid {event.pid}")
        match event.kind:
            case "started":
                names[event.pid] = event.name or name
                series.marks.append(Mark(event.time_ns, "start", f"{event.name} (pid {event.pid}) is ready", event.pid))
            case "usage" if own and event.usage_bytes is not None:
                _use(series, event.time_ns, event.usage_bytes, dying)
            case "notified" if own and event.counters is not None and event.counters.usage_bytes is not None:
                _use(series, event.time_ns, event.counters.usage_bytes, dying)
            case "limit" if own:
                if series.limit:
                    to = "max" if event.limit_bytes is None else size(event.limit_bytes)
                    series.marks.append(Mark(event.time_ns, "limit", f"limit → {to}"))
                series.limit.append((event.time_ns, event.limit_bytes))
            case "share" if event.pid is not None:
                share = shares.setdefault(event.pid, Share(event.pid, names.get(event.pid) or event.comm or name))
                share.points.append((event.time_ns, (event.rss_bytes or 0) + (event.swap_bytes or 0)))
            case "victim":
                killed.add(event.pid)
                dying += [shares[event.pid]] if event.pid in shares else []
                series.marks.append(Mark(event.time_ns, "kill", f"{event.comm or name} is killed", event.pid))
            case "exited":
                if event.pid in shares:
                    shares[event.pid].points.append((event.time_ns, 0))
                if event.pid not in killed:
                    series.marks.append(Mark(event.time_ns, "end", f"{name} {_end(event.returncode or 0)}", event.pid))
            case "blocked":
                series.marks.append(Mark(event.time_ns, "blocked", f"{name} waits", event.pid))
            case "switch" if own:
                series.marks.append(Mark(event.time_ns, "switch", f"{event.name} {'on' if event.on else 'off'}"))
            case "ticked":
                series.marks.append(Mark(event.time_ns, "tick", f"{name}: {event.count}", event.pid))
    # A process that took nothing worth a line is left to the table.
    series.shares = [share for share in shares.values() if any(value for _, value in share.points)]


def _use(series: Series, time_ns: int, count: int, dying: list[Share]) -> None:
    """Notes the usage. What it falls by after a kill the killed have given back, though their ends are seen later."""
    fallen = series.usage[-1][1] - count if series.usage else 0
    series.usage.append((time_ns, count))
    for share in list(dying):
        held = share.points[-1][1]
        if held and fallen > held // 2:
            share.points.append((time_ns, 0))
            dying.remove(share)
            fallen -= held


def drawn(series: Series, most: int) -> list[Share]:
    """The largest shares, in the order in which they came, and last what all others held together."""
    largest = sorted(series.shares, key=lambda share: -share.peak_bytes)[:most]
    rest = [share for share in series.shares if share not in largest]
    shown = [share for share in series.shares if share in largest]
    if rest:
        name = f"{len(rest)} others" if len(rest) > 1 else rest[0].name
        together = [(time_ns, sum(values)) for time_ns, values in levels(rest)]
        shown.append(Share(None if len(rest) > 1 else rest[0].pid, name, together))
    return shown


def levels(shares: Sequence[Share]) -> list[tuple[int, list[int]]]:
    """At each moment at which anything changed: what each of the shares was from then on."""
    changes = sorted((time_ns, index, value) for index, share in enumerate(shares) for time_ns, value in share.points)
    values = [0] * len(shares)
    found: list[tuple[int, list[int]]] = []
    for time_ns, index, value in changes:
        values[index] = value
        if found and found[-1][0] == time_ns:
            found[-1] = (time_ns, list(values))
        else:
            found.append((time_ns, list(values)))
    return found


def _end(returncode: int) -> str:
    return f"exits with {returncode}" if returncode >= 0 else f"is ended by {signal_name(-returncode)}"


def chosen(timeline: Timeline, group: str | None) -> Series:
    """The series of that group; without one, the first that has a usage above 0, or simply the first."""
    every = series_of(timeline)
    if group is not None:
        every = [series for series in every if series.group == group or series.group.endswith("/" + group)]
    used = [series for series in every if any(count for _, count in series.usage)]
    found = next(iter(used or every), None)
    if found is None:
        which = "any group" if group is None else f"the group {group!r}"
        raise NotFoundError(f"plot timeline: it has no usage of {which}", operation="plot timeline")
    return found
