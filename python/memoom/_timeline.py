"""What happened, in order: the event and the timeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

from . import _wires
from ._account import Oom
from ._document import Document
from ._memcg import Counters
from ._outcome import KilledBy
from ._report import Frame
from ._result import Readable
from ._text import readable

if TYPE_CHECKING:
    import altair
    import pandas
    import polars
    from matplotlib.axes import Axes

__all__ = ["Event", "Timeline"]


# What an event has beyond these is of its kind, and nested values are none for a table.
_FIRST = ("time_ns", "time_s", "source", "group", "pid", "kind")
_PLAIN = (
    *("name", "comm", "usage_bytes", "rss_bytes", "swap_bytes", "limit_bytes", "step_bytes", "total_bytes", "count"),
    *("returncode", "errno", "score", "invoker_pid", "invoker_comm", "state", "wchan", "on", "sequence", "text"),
)


class Event(Document):
    """One thing that happened. Which of the keys after `kind` are there depends on the kind.

    ``print(event)`` says what happened in a few words, where it came from a watch.
    """

    schema: str
    time_ns: int
    source: str
    group: str | None
    pid: int | None
    kind: str
    name: str | None
    step_bytes: int | None
    total_bytes: int | None
    usage_bytes: int | None
    rss_bytes: int | None
    swap_bytes: int | None
    limit_bytes: int | None
    count: int | None
    errno: int | None
    returncode: int | None
    counters: Counters | None
    comm: str | None
    comm_bytes: bytes | None
    score: int | None
    invoker_pid: int | None
    invoker_comm: str | None
    call_path: tuple[Frame, ...] | None
    sequence: int | None
    text: str | None
    state: str | None
    wchan: str | None
    stack: tuple[Frame, ...] | None
    on: bool | None
    file: str | None
    value: str | None
    alarm: str | None
    placed_by: Literal["procfs", "seen", "tracefs", "sender", "parent"] | None
    killed_by: KilledBy | None

    _nested = {
        "counters": Counters._part,
        "call_path": Frame._part,
        "stack": Frame._part,
        "killed_by": KilledBy._part,
    }


class Timeline(Readable):
    """Every event of a lab, ordered by time; iterating gives the events.

    ``print(timeline)`` shows it the way a person reads it, and `full_text` with everything that only repeats itself.
    """

    schema: str
    events: tuple[Event, ...]
    forgotten_events: int
    forgotten_ooms: int
    # Not in the document, which is that of the events.
    ooms: tuple[Oom, ...]
    full_text: str

    _nested = {"events": Event._part}

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self._data["events"])

    def __repr__(self) -> str:
        return f"Timeline({len(self)} events)"

    def to_rows(self, table: Literal["events", "usage"] = "events") -> list[dict[str, Any]]:
        """The events, or the usage and the shares over time in one long table, as plain dicts."""
        events = self.to_dict()["events"]
        start = events[0]["time_ns"] if events else 0
        if table == "events":
            rows = []
            for event in events:
                event["time_s"] = (event["time_ns"] - start) / 1e9
                rows.append({key: _readable(event.get(key)) for key in (*_FIRST, *_PLAIN)})
            return rows
        if table != "usage":
            raise ValueError(f"there is no table {table!r}; there are 'events' and 'usage'")
        held = []
        for event in events:
            what = event["kind"]
            if what in ("usage", "limit"):
                count = event[f"{what}_bytes"]
            elif what == "share":
                count = event["rss_bytes"] + event["swap_bytes"]
            else:
                continue
            place = {
                "time_s": (event["time_ns"] - start) / 1e9,
                "group": _readable(event["group"]),
                "pid": event["pid"],
            }
            held.append({**place, "comm": _readable(event.get("comm")), "what": what, "bytes": count})
        return held

    def to_pandas(self, table: Literal["events", "usage"] = "events") -> pandas.DataFrame:
        """`to_rows` as a pandas frame (``pip install memoom[pandas]``)."""
        from ._frames import to_pandas

        return to_pandas(self.to_rows(table))

    def to_polars(self, table: Literal["events", "usage"] = "events") -> polars.DataFrame:
        """`to_rows` as a polars frame (``pip install memoom[polars]``)."""
        from ._frames import to_polars

        return to_polars(self.to_rows(table))

    def to_svg(self, group: str | None = None) -> str:
        """The chart of a group (the first one without `group`, the path of a group as the kernel writes it)."""
        return _wires.display().svg(self, group)

    def plot(self, ax: Axes | None = None, *, group: str | None = None) -> Axes:
        """The same chart with matplotlib (``pip install memoom[matplotlib]``), on `ax` or on axes of its own."""
        return cast("Axes", _wires.display().axes(self, ax, group))

    def to_altair(self, group: str | None = None) -> altair.LayerChart:
        """The same chart with Altair (``pip install memoom[altair]``)."""
        return cast("altair.LayerChart", _wires.display().altair(self, group))

    def _repr_html_(self) -> str:
        return _wires.display().html(self)


def _readable(value: Any) -> Any:
    return readable(value) if isinstance(value, str) else value
