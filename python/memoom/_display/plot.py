"""The chart of a timeline with matplotlib and with Altair, for those who work on with it; both are extras."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._frames import extra
from .markup import BAD, OTHERS, PALETTE, WARN
from .series import Series, Share, chosen, drawn
from .units import byte_ticks, short_group, size, time_unit

if TYPE_CHECKING:
    import altair
    from matplotlib.axes import Axes

    from .._values import Timeline

__all__ = ["timeline_altair", "timeline_axes"]

_LOUD = {"kill": BAD, "blocked": WARN, "switch": "#8a7fd4", "limit": BAD}
_SHARE_OPACITY = 0.85
# Of the width of the axes, what the upright words of a mark take.
_ROOM = 0.025


def timeline_axes(timeline: Timeline, axes: Axes | None, group: str | None) -> Axes:
    """Shares stacked as areas, usage as a line, the limit dashed, kills and blocks as vertical lines."""
    series = chosen(timeline, group)
    if axes is None:
        axes = extra("matplotlib.pyplot", "matplotlib").subplots(figsize=(9, 4.2), layout="constrained")[1]
    assert axes is not None
    unit, at = _axis(series)
    shares = drawn(series, len(PALETTE))
    times, names, columns = _stacked(series, shares)
    if names:
        moments = [at(time_ns) for time_ns in times]
        # The edge in the colour of the ground tells neighbours apart.
        axes.stackplot(
            moments,
            columns,
            labels=names,
            colors=_colours(shares),
            alpha=_SHARE_OPACITY,
            step="post",
            edgecolor=axes.get_facecolor(),
            linewidth=0.5,
        )
    ink = axes.xaxis.label.get_color()
    usage = [*series.usage, (series.end_ns, series.usage[-1][1])] if series.usage else []
    axes.step([at(time) for time, _ in usage], [count for _, count in usage], where="post", color=ink, label="usage")
    for index, (start, limit) in enumerate(series.limit):
        if limit is not None:
            end = series.limit[index + 1][0] if index + 1 < len(series.limit) else series.end_ns
            label = f"limit {size(limit)}" if index + 1 == len(series.limit) else "_nolegend_"
            axes.hlines(limit, at(start), at(end), colors=BAD, linestyles="dashed", label=label)
    _marks(axes, series, at, ink)
    most = max(series.most_bytes, max((sum(held) for held in zip(*columns, strict=True)), default=0))
    axes.set_ylim(0, most * 1.08 or 1)
    axes.set_xlim(0, at(series.end_ns) or 1)
    axes.set_yticks(byte_ticks(int(most * 1.08)), [size(count) for count in byte_ticks(int(most * 1.08))])
    axes.set_xlabel(f"{unit} since the group was made")
    axes.set_title(short_group(series.group), loc="left", fontsize=10)
    # Below, where nothing is: at most ten entries.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False, fontsize=8, ncols=4)
    return axes


def _marks(axes: Axes, series: Series, at: Callable[[int], float], ink: Any) -> None:
    """Kills, blocks and changes as lines; words stand where the last ones have left room."""
    span = at(series.end_ns) or 1
    last = -span
    for mark in series.marks:
        if mark.kind not in _LOUD:
            continue
        moment = at(mark.time_ns)
        axes.axvline(moment, color=_LOUD[mark.kind], linewidth=1, alpha=0.8)
        if mark.kind in ("kill", "blocked") and moment - last > span * _ROOM:
            last = moment
            axes.annotate(
                mark.text if len(mark.text) <= 28 else mark.text[:27] + "…",
                (moment, 1),
                xycoords=("data", "axes fraction"),
                rotation=90,
                fontsize=8,
                xytext=(-3, -3),
                textcoords="offset points",
                ha="right",
                va="top",
                color=ink,
                bbox={"facecolor": axes.get_facecolor(), "edgecolor": "none", "alpha": 0.75, "pad": 1},
            )


def _colours(shares: list[Share]) -> list[str]:
    return [PALETTE[index] if index < len(PALETTE) else OTHERS for index in range(len(shares))]


def _axis(series: Series) -> tuple[str, Callable[[int], float]]:
    """The unit of the axis of time, and where a moment stands on it."""
    unit, length = time_unit(series.end_ns - series.start_ns)
    return unit, lambda time_ns: (time_ns - series.start_ns) / length


def _stacked(series: Series, shares: list[Share]) -> tuple[list[int], list[str], list[list[int]]]:
    """All moments, the names, and for each name its bytes at each moment."""
    times = sorted({time for share in shares for time, _ in share.points} | {series.end_ns})
    columns = []
    for share in shares:
        points, held, column = iter(share.points), 0, []
        upcoming = next(points, None)
        for time in times:
            while upcoming is not None and upcoming[0] <= time:
                held, upcoming = upcoming[1], next(points, None)
            column.append(held)
        columns.append(column)
    return times, [share.name for share in shares], columns


def timeline_altair(timeline: Timeline, group: str | None) -> altair.LayerChart:
    """The same in layers; the data is in the chart, so that it can be saved as it is."""
    alt: Any = extra("altair", "altair")
    series = chosen(timeline, group)
    unit, at = _axis(series)
    kept = drawn(series, len(PALETTE))
    times, names, columns = _stacked(series, kept)
    called = [name if share.pid is None else f"{name} ({share.pid})" for share, name in zip(kept, names, strict=True)]
    shares = [
        {"time": at(time), "process": name, "bytes": held, "order": index}
        for index, (name, column) in enumerate(zip(called, columns, strict=True))
        for time, held in zip(times, column, strict=True)
    ]
    usage = [{"time": at(time), "bytes": count} for time, count in series.usage]
    if usage:
        usage.append({"time": at(series.end_ns), "bytes": usage[-1]["bytes"]})
    limit = [
        {"time": at(time), "bytes": count, "text": f"limit {size(count)}"}
        for time, count in series.limit
        if count is not None
    ]
    if limit:
        limit.append({**limit[-1], "time": at(series.end_ns), "text": ""})
    marks = [
        {"time": at(mark.time_ns), "what": mark.text, "kind": mark.kind} for mark in series.marks if mark.kind in _LOUD
    ]
    ticks = byte_ticks(int(series.most_bytes * 1.08))
    # Vega knows no binary units: the sizes are written out.
    sizes = " : ".join(f"datum.value == {count} ? '{size(count)}'" for count in ticks) + " : ''"
    x = alt.X("time:Q", title=f"{unit} since the group was made", scale=alt.Scale(nice=False))
    y = alt.Y("bytes:Q", title=None, axis=alt.Axis(values=ticks, labelExpr=sizes))

    def chart(rows: list[dict[str, Any]]) -> Any:
        return alt.Chart(alt.Data(values=rows))

    colour = alt.Color("process:N", title=None, scale=alt.Scale(domain=called, range=_colours(kept)), sort=None)
    layers = [
        chart(shares)
        .mark_area(interpolate="step-after", opacity=_SHARE_OPACITY)
        .encode(x, y.stack("zero"), colour, order="order:Q", tooltip=["process:N", "bytes:Q"]),
        chart(usage).mark_line(interpolate="step-after", color="gray", strokeWidth=1.6).encode(x, y),
        chart(limit).mark_line(interpolate="step-after", color=BAD, strokeDash=[6, 4]).encode(x, y),
        chart(limit).mark_text(align="left", dx=4, dy=-7, color=BAD).encode(x, y, text="text:N"),
        chart(marks).mark_rule(color=BAD).encode(x, tooltip=["what:N"]),
    ]
    layered: altair.LayerChart = alt.layer(*layers).properties(width=620, height=240, title=short_group(series.group))
    return layered
