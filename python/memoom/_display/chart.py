"""The chart of a group: usage over time with the limit line, the shares of the processes stacked below, and the marks.

It is SVG with nothing from outside: no script, no style sheet, no font. Text and axes take the colour of the page, so
it can be read on light and dark ground. Each element that a reader may point at has a title.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .markup import BAD, GOOD, PALETTE, WARN, Markup, join, tag
from .series import Mark, Series, Share
from .units import byte_ticks, size, ticks, time_unit

__all__ = ["timeline_svg"]

_WIDTH, _HEIGHT = 760, 240
_LEFT, _RIGHT, _BOTTOM = 52, 18, 38
_ROW = 15  # height of a row of labels or of the legend
_ROWS = 5  # at most so many rows of labels
_LETTER = 6.3  # mean width of a letter of 11 px in common fonts
_COLOURS = {"kill": BAD, "blocked": WARN, "switch": "#8a7fd4", "limit": BAD, "end": GOOD}
_SIGNS = {"kill": "✕ ", "blocked": "‖ ", "switch": "⚑ ", "limit": "", "end": "■ "}


@dataclass
class _Frame:
    """Where a moment and a number of bytes are on the paper."""

    start_ns: int
    span_ns: int
    most_bytes: int
    top: float

    def x(self, time_ns: int) -> float:
        return _LEFT + (time_ns - self.start_ns) / self.span_ns * (_WIDTH - _LEFT - _RIGHT)

    def y(self, count: float) -> float:
        return self.top + _HEIGHT - count / self.most_bytes * _HEIGHT

    @property
    def floor(self) -> float:
        return self.top + _HEIGHT


def timeline_svg(series: Series) -> Markup:
    """The chart of one group."""
    labelled = [mark for mark in series.marks if mark.kind in _COLOURS]
    span = max(series.end_ns - series.start_ns, 1)
    most = max(int(max(series.most_bytes, _highest(series.shares)) * 1.06), 4096)
    frame = _Frame(series.start_ns, span, most, 0.0)
    rows = _rows(labelled, frame)
    frame.top = 8 + _ROW * (1 + max(rows.values(), default=-1)) + 4
    keys = [(PALETTE[index % len(PALETTE)], share.name) for index, share in enumerate(_drawn(series.shares))]
    legend, legend_height = _legend(series, keys, frame.floor + _BOTTOM)
    height = frame.floor + _BOTTOM + legend_height
    return tag(
        "svg",
        tag("title", f"memory of {series.group} over time"),
        _axes(frame),
        _stack(_drawn(series.shares), frame, series.end_ns),
        _usage(series, frame),
        _limit(series, frame),
        _rug(series.marks, frame),
        join(_mark(mark, rows.get(index), frame) for index, mark in enumerate(labelled)),
        legend,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height:.0f}",
        role="img",
        style=f"width:100%;max-width:{_WIDTH}px;height:auto;display:block",
        fill="none",
        font_family="system-ui,sans-serif",
        font_size=11,
    )


def _drawn(shares: Sequence[Share]) -> list[Share]:
    """The shares that get a colour: the largest ones, in the order in which they came."""
    largest = sorted(shares, key=lambda share: -max(value for _, value in share.points))[: len(PALETTE)]
    return [share for share in shares if share in largest]


def _highest(shares: Sequence[Share]) -> int:
    return max((sum(values) for _, values in _levels(_drawn(shares))), default=0)


def _levels(shares: Sequence[Share]) -> list[tuple[int, list[int]]]:
    """At each moment at which anything changed: what each of the shares was from then on."""
    changes = sorted((time_ns, index, value) for index, share in enumerate(shares) for time_ns, value in share.points)
    values = [0] * len(shares)
    levels: list[tuple[int, list[int]]] = []
    for time_ns, index, value in changes:
        values[index] = value
        if levels and levels[-1][0] == time_ns:
            levels[-1] = (time_ns, list(values))
        else:
            levels.append((time_ns, list(values)))
    return levels


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most four points for each column of half a pixel: its first, highest, lowest and last."""
    if len(points) < 4 * _WIDTH:
        return list(points)
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        columns.setdefault(int(point[0] * 2), []).append(point)
    kept: list[tuple[float, float]] = []
    for column in columns.values():
        chosen = {0, len(column) - 1}
        chosen |= {
            max(range(len(column)), key=lambda at: column[at][1]),
            min(range(len(column)), key=lambda at: column[at][1]),
        }
        kept += [column[at] for at in sorted(chosen)]
    return kept


def _steps(points: Sequence[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Corners of a line in which each value holds until the next."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    if corners and corners[-1][0] < end:
        corners.append((end, corners[-1][1]))
    return corners


def _path(corners: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners)


def _axes(frame: _Frame) -> Markup:
    unit, length = time_unit(frame.span_ns)
    parts = []
    for count in byte_ticks(frame.most_bytes):
        y = frame.y(count)
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y, opacity=0.35 if count == 0 else 0.12))
        parts.append(_text(_LEFT - 6, y + 4, size(count), "end", opacity=0.75))
    for time in ticks(frame.span_ns / length):
        x = frame.x(frame.start_ns + int(time * length))
        parts.append(_line(x, frame.floor, x, frame.floor + 4, opacity=0.5))
        parts.append(_text(x, frame.floor + 16, f"{time:g}", "middle", opacity=0.75))
    parts.append(_text(_WIDTH - _RIGHT, frame.floor + 30, f"{unit} since the group was made", "end", opacity=0.75))
    return tag("g", *parts)


def _stack(shares: Sequence[Share], frame: _Frame, end_ns: int) -> Markup:
    levels = _levels(shares)
    end, parts = frame.x(end_ns), []
    for index, share in enumerate(shares):
        below = _thinned([(frame.x(time_ns), frame.y(sum(values[:index]))) for time_ns, values in levels])
        above = _thinned([(frame.x(time_ns), frame.y(sum(values[: index + 1]))) for time_ns, values in levels])
        outline = _steps(above, end) + list(reversed(_steps(below, end)))
        title = tag("title", f"{share.name} (pid {share.pid}), at most {size(max(value for _, value in share.points))}")
        colour = PALETTE[index % len(PALETTE)]
        parts.append(tag("path", title, d=_path(outline) + "Z", fill=colour, fill_opacity=0.55))
    return tag("g", *parts)


def _usage(series: Series, frame: _Frame) -> Markup:
    points = _thinned([(frame.x(time_ns), frame.y(count)) for time_ns, count in series.usage])
    if not points:
        return Markup()
    peak = max(count for _, count in series.usage)
    title = tag("title", f"usage of {series.group}, at most {size(peak)} in a sample")
    corners = _steps(points, frame.x(series.end_ns))
    return tag("path", title, d=_path(corners), stroke="currentColor", stroke_width=1.6, stroke_linejoin="round")


def _limit(series: Series, frame: _Frame) -> Markup:
    parts: list[Markup] = []
    for index, (time_ns, limit) in enumerate(series.limit):
        if limit is None:
            continue
        last = index + 1 == len(series.limit)
        end_ns = series.end_ns if last else series.limit[index + 1][0]
        y = frame.y(limit)
        parts.append(_line(frame.x(time_ns), y, frame.x(end_ns), y, BAD, 1.6, dashes="6 4"))
    if series.limit and series.limit[-1][1] is not None:
        time_ns, limit = series.limit[-1]
        words, x, y = f"limit {size(limit)}", frame.x(time_ns), frame.y(limit or 0) - 4
        inward = x + _LETTER * len(words) > _WIDTH - _RIGHT
        parts.append(_text(x - 4 if inward else x + 4, y, words, "end" if inward else "start", BAD, 600))
    return tag("g", *parts)


def _rug(marks: Sequence[Mark], frame: _Frame) -> Markup:
    """Ticks and starts below the axis: they are many and need no words."""
    small = [mark for mark in marks if mark.kind in ("tick", "start")]
    seen: dict[int, Mark] = {}
    for mark in small:
        # One for each pixel is all that can be told apart.
        seen.setdefault(int(frame.x(mark.time_ns)), mark)
    parts = []
    for mark in seen.values():
        x, tall = frame.x(mark.time_ns), 7 if mark.kind == "start" else 4
        colour = GOOD if mark.kind == "start" else "currentColor"
        line = tag("title", mark.text)
        parts.append(
            tag("path", line, d=f"M{x:.1f} {frame.floor:.1f}v-{tall}", stroke=colour, stroke_width=1.4, opacity=0.8)
        )
    return tag("g", *parts)


def _rows(marks: Sequence[Mark], frame: _Frame) -> dict[int, int]:
    """In which row the label of each mark has room; those for which there is none are left out, kills last of all."""
    taken: list[list[tuple[float, float]]] = []
    rows: dict[int, int] = {}
    order = sorted(range(len(marks)), key=lambda at: (marks[at].kind not in ("kill", "blocked"), marks[at].time_ns))
    for index in order:
        left, right = _extent(marks[index], frame)
        for row in range(_ROWS):
            if row == len(taken):
                taken.append([])
            if all(right < other_left or other_right < left for other_left, other_right in taken[row]):
                taken[row].append((left - 6, right + 6))
                rows[index] = row
                break
    return rows


def _extent(mark: Mark, frame: _Frame) -> tuple[float, float]:
    """From where to where the label of a mark reaches: to the right of its line, or to the left near the edge."""
    x, wide = frame.x(mark.time_ns), _LETTER * len(_SIGNS[mark.kind] + mark.text)
    return (x - 2 - wide, x) if x + wide > _WIDTH - 4 else (x, x + 2 + wide)


def _mark(mark: Mark, row: int | None, frame: _Frame) -> Markup:
    x, colour = frame.x(mark.time_ns), _COLOURS[mark.kind]
    if row is None:
        return tag("g", tag("title", mark.text), _line(x, frame.top, x, frame.floor, colour, 1.0, opacity=0.5))
    y = 8 + _ROW * row + 9
    left, _ = _extent(mark, frame)
    inward = left < x - 1
    label = _text(
        x - 3 if inward else x + 3, y, _SIGNS[mark.kind] + mark.text, "end" if inward else "start", colour, 600
    )
    return tag("g", tag("title", mark.text), _line(x, y - 9, x, frame.floor, colour, 1.2, opacity=0.8), label)


def _legend(series: Series, keys: Sequence[tuple[str, str]], top: float) -> tuple[Markup, float]:
    entries: list[tuple[str | None, str]] = [(None, "usage of the group"), *keys]
    left_out = len(series.shares) - len(keys)
    if left_out:
        entries.append(("transparent", f"and {left_out} smaller"))
    parts, x, y = [], float(_LEFT), top + 8
    for colour, name in entries:
        shown = name if len(name) <= 24 else name[:23] + "…"
        wide = 18 + _LETTER * len(shown) + 14
        if x + wide > _WIDTH and x > _LEFT:
            x, y = float(_LEFT), y + _ROW
        if colour is None:
            parts.append(_line(x, y - 4, x + 12, y - 4, width=1.6))
        else:
            parts.append(
                tag("rect", x=f"{x:.0f}", y=f"{y - 9:.0f}", width=12, height=10, fill=colour, fill_opacity=0.55)
            )
        parts.append(_text(x + 17, y, shown, "start"))
        x += wide
    return tag("g", *parts), y - top + 8


def _line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    colour: str = "currentColor",
    width: float = 1.0,
    opacity: float = 1.0,
    dashes: str | None = None,
) -> Markup:
    return tag(
        "path",
        d=f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}",
        stroke=colour,
        stroke_width=width,
        opacity=None if opacity == 1.0 else opacity,
        stroke_dasharray=dashes,
    )


def _text(
    x: float,
    y: float,
    words: str,
    anchor: str,
    colour: str = "currentColor",
    weight: int | None = None,
    opacity: float | None = None,
) -> Markup:
    return tag(
        "text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill=colour, font_weight=weight, opacity=opacity
    )
