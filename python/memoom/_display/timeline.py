"""A timeline as HTML: one chart for each group, and the events as a list."""

from __future__ import annotations

import re

from .._values import Timeline
from .chart import WIDTH, timeline_svg
from .markup import BAD, FADED, Markup, badge, box, folded, image, tag
from .series import series_of
from .table import pid_and_name, rows
from .units import short_group, size

__all__ = ["timeline_html"]

_GROUPS = 8
# A list that nobody reads to its end is not written to its end; the data has them all.
_EVENTS = 400
# What only repeats itself, or stands in the chart.
_REPEATS = ("usage", "share", "stepping", "ticked", "log")
# A line of the timeline's own text.
_LINE = re.compile(r" *(?P<ms>[\d.]+) ms +(?P<usage>\S+)  (?P<source>\S+) +(?P<what>.*)")


def timeline_html(timeline: Timeline, inline: bool = False) -> Markup:
    """Charts, the OOMs in a line each, and the list of events.

    A chart is a picture; with `inline` it is part of the page, which is drawn anew without a flicker.
    """
    if not timeline.events:
        return box(tag("div", "nothing has happened yet", style=FADED))
    parts = []
    charts = series_of(timeline)
    for series in charts[:_GROUPS]:
        title = tag(
            "div",
            tag("b", short_group(series.group)),
            tag("span", f" · {series.group}", style=FADED),
            style="margin:4px 0 2px",
        )
        chart = timeline_svg(series)
        alt = f"memory of {short_group(series.group)} over time; what happened is listed below"
        parts.append(tag("div", title, chart if inline else image(chart, alt, WIDTH)))
    if len(charts) > _GROUPS:
        parts.append(tag("div", f"and {len(charts) - _GROUPS} more groups", style=FADED))
    for oom in timeline.ooms:
        victims = [pid_and_name(one.pid, one.comm) for one in oom.victims]
        who = [part for victim in victims for part in (" ", victim)]
        if oom.blocked and not victims:
            who = [" nobody is killed; ", *(pid_and_name(one.pid, one.comm) for one in oom.blocked), " waits"]
        limit = "" if oom.limit_bytes is None else f" at {size(oom.limit_bytes)}"
        parts.append(
            tag(
                "div", badge("OOM", BAD), *who, tag("span", f" · in {short_group(oom.limit_group)}{limit}", style=FADED)
            )
        )
    return box(*parts, folded(f"{len(timeline)} events", _events(timeline)))


def _events(timeline: Timeline) -> Markup:
    lines: list[tuple[object, ...]] = []
    left_out = 0
    for event, line in zip(timeline.events, timeline.full_text.split("\n"), strict=False):
        told = _LINE.match(line)
        if event.kind in _REPEATS or told is None:
            continue
        if len(lines) == _EVENTS:
            left_out += 1
            continue
        words = tag("b", told["what"]) if event.kind in ("victim", "blocked") else told["what"]
        lines.append((told["ms"], told["usage"], event.source, words))
    table = rows(("ms", "usage", "source", "what"), lines, ("ms", "usage"))
    more = f"and {left_out} more; to_pandas() and to_json() have all"
    return tag("div", table, tag("div", more, style=FADED)) if left_out else table
