"""Results as tables: plain rows, and from them the frames of pandas and polars, which are extras."""

from __future__ import annotations

import importlib
import mmap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from ._errors import MissingExtraError

if TYPE_CHECKING:
    import pandas
    import polars

    from ._report import Report
    from ._values import Oom, Timeline

__all__ = ["extra", "oom_rows", "report_rows", "timeline_rows", "to_pandas", "to_polars"]

# What an event has beyond these is of its kind, and nested values are none for a table.
_FIRST = ("time_ns", "time_s", "source", "group", "pid", "kind")
_PLAIN = (
    *("name", "comm", "usage_bytes", "rss_bytes", "swap_bytes", "limit_bytes", "step_bytes", "total_bytes", "count"),
    *("returncode", "errno", "score", "invoker_pid", "invoker_comm", "state", "wchan", "on", "sequence", "text"),
)


def extra(module: str, name: str) -> Any:
    """A library that is not required; the error says how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            f"import {name}: it is not installed; remedy: pip install 'memoom[{name}]'", operation=f"import {name}"
        ) from None


def timeline_rows(timeline: Timeline, table: Literal["events", "usage"]) -> list[dict[str, Any]]:
    """The events with the same columns in every row; or (time, group, pid, comm, what, bytes) for what was held."""
    events = timeline.to_dict()["events"]
    start = events[0]["time_ns"] if events else 0
    if table == "events":
        rows = []
        for event in events:
            event["time_s"] = (event["time_ns"] - start) / 1e9
            rows.append({key: event.get(key) for key in (*_FIRST, *_PLAIN)})
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
        place = {"time_s": (event["time_ns"] - start) / 1e9, "group": event["group"], "pid": event["pid"]}
        held.append({**place, "comm": event.get("comm"), "what": what, "bytes": count})
    return held


def oom_rows(oom: Oom) -> list[dict[str, Any]]:
    """The candidates with their fate, and the victims that were not among them."""
    victims = {victim.pid: victim for victim in oom.victims}
    waiting = {one.pid for one in oom.blocked}
    predicted = None if oom.predicted is None else oom.predicted.pid
    rows = []
    for one in oom.candidates:
        victim = victims.pop(one.pid, None)
        rows.append(
            {
                "pid": one.pid,
                "comm": one.comm,
                "group": one.group,
                "held_bytes": (one.rss_pages + one.swap_pages) * mmap.PAGESIZE,
                "score": one.score,
                "oom_score_adj": one.oom_score_adj,
                "eligible": one.eligible,
                "predicted": one.pid == predicted,
                "fate": victim.cause if victim else "waits" if one.pid in waiting else "lives",
            }
        )
    for victim in victims.values():
        rows.append(
            {
                "pid": victim.pid,
                "comm": victim.comm,
                "group": victim.group,
                "held_bytes": victim.anon_rss_bytes,
                "score": None,
                "oom_score_adj": victim.oom_score_adj,
                "eligible": None,
                "predicted": victim.pid == predicted,
                "fate": victim.cause,
            }
        )
    return rows


def report_rows(report: Report) -> list[dict[str, Any]]:
    """The tasks with all columns of this kernel's table."""
    killed = {kill.pid for kill in report.kills}
    tasks = [task.to_dict() for task in report.tasks]
    columns = list(dict.fromkeys(key for task in tasks for key in task))
    return [
        {**{key: task.get(key) for key in columns}, "killed": bool(killed & {task.get("pid"), task.get("tgid")})}
        for task in tasks
    ]


def to_pandas(rows: Sequence[dict[str, Any]]) -> pandas.DataFrame:
    """Unknown integers are ``<NA>``, not floats."""
    frame: pandas.DataFrame = extra("pandas", "pandas").DataFrame(list(rows))
    return frame.convert_dtypes() if len(frame) else frame


def to_polars(rows: Sequence[dict[str, Any]]) -> polars.DataFrame:
    """All rows are looked at for the type of a column: most columns begin with nulls."""
    frame: polars.DataFrame = extra("polars", "polars").DataFrame(list(rows), infer_schema_length=None)
    return frame
