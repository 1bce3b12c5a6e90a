"""The chart of a group: usage over time with the limit line, the shares of the processes stacked below, and the marks.

It is SVG with nothing from outside: no script, no font. It has a ground of its own, light or dark as the reader's
system asks for, so that it can be read on any page. Each element that a reader may point at has a title.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .markup import GOOD, OTHERS, PALETTE, Markup, join, tag
from .series import Mark, Series, Share, drawn, levels
from .units import byte_ticks, size, ticks, time_unit

__all__ = ["WIDTH", "timeline_svg"]

WIDTH, _HEIGHT = 760, 240
_LEFT, _RIGHT, _BOTTOM = 52, 18, 38
_ROW = 15  # height of a row of labels or of the legend
_ROWS = 5  # at most so many rows of labels
_LETTER = 6.7  # width of a letter of 11 px in common fonts, bold
# Ground, ink, and the ink of each kind of mark: on light ground, on dark ground.
_GROUND, _INK = ("#ffffff", "#0d1117"), ("#1f2328", "#e6edf3")
_INKS = {
    "kill": ("#c0262d", "#ff7b72"),
    "blocked": ("#8f5400", "#f0a04b"),
    "switch": ("#5b4bb5", "#b3a7ff"),
    "limit": ("#c0262d", "#ff7b72"),
    "end": ("#1a7048", "#56d39a"),
}
_OPACITY = 0.85
_SIGNS = {"kill": "✕ ", "blocked": "‖ ", "switch": "⚑ ", "limit": "", "end": "■ "}


@dataclass
class _Frame:
    """Where a moment and a number of bytes are on the paper."""

    start_ns: int
    span_ns: int
    most_bytes: int
    top: float

    def x(self, time_ns: int) -> float:
        return _LEFT + (time_ns - self.start_ns) / self.span_ns * (WIDTH - _LEFT - _RIGHT)

    def y(self, count: float) -> float:
        return self.top + _HEIGHT - count / self.most_bytes * _HEIGHT

    @property
    def floor(self) -> float:
        return self.top + _HEIGHT


def timeline_svg(series: Series) -> Markup:
    """The chart of one group."""
    labelled = [mark for mark in series.marks if mark.kind in _INKS]
    shares = drawn(series, len(PALETTE))
    span = max(series.end_ns - series.start_ns, 1)
    highest = max((sum(values) for _, values in levels(shares)), default=0)
    frame = _Frame(series.start_ns, span, max(int(max(series.most_bytes, highest) * 1.06), 4096), 0.0)
    rows = _rows(labelled, frame)
    frame.top = 8 + _ROW * (1 + max(rows.values(), default=-1)) + 4
    legend, legend_height = _legend(shares, len(labelled) - len(rows), frame.floor + _BOTTOM)
    height = frame.floor + _BOTTOM + legend_height
    return tag(
        "svg",
        tag("title", f"memory of {series.group} over time"),
        tag("style", Markup(_dark())),
        tag("rect", class_="ground", width=WIDTH, height=f"{height:.0f}", rx=4, fill=_GROUND[0]),
        _axes(frame),
        _stack(shares, frame, series.end_ns),
        _usage(series, frame),
        _limit(series, frame),
        _rug(series.marks, frame),
        # All lines, then all words: no line goes through a word.
        join(_mark_line(mark, rows.get(index), frame) for index, mark in enumerate(labelled)),
        _limit_words(series, frame),
        join(_mark_words(labelled[index], row, frame) for index, row in rows.items()),
        legend,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height:.0f}",
        width=WIDTH,
        height=f"{height:.0f}",
        role="img",
        class_="memoom-chart",
        style=f"width:100%;max-width:{WIDTH}px;height:auto;display:block",
        fill="none",
        font_family="system-ui,sans-serif",
        font_size=11,
    )


def _dark() -> str:
    """What is other on dark ground. The colours of light ground stand in the elements, for what reads no styles."""
    rules = [f".ground{{fill:{_GROUND[1]}}}", f".edge{{stroke:{_GROUND[1]}}}"]
    for name, (_, dark) in {"ink": _INK, **_INKS}.items():
        rules += [f"text.{name}{{fill:{dark}}}", f"path.{name}{{stroke:{dark}}}"]
    return "@media (prefers-color-scheme:dark){" + "".join(f".memoom-chart {rule}" for rule in rules) + "}"


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most four points for each column of half a pixel: its first, highest, lowest and last."""
    if len(points) < 4 * WIDTH:
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
        parts.append(_line(_LEFT, y, WIDTH - _RIGHT, y, opacity=0.35 if count == 0 else 0.12))
        parts.append(_text(_LEFT - 6, y + 4, size(count), "end", opacity=0.75))
    for time in ticks(frame.span_ns / length):
        x = frame.x(frame.start_ns + int(time * length))
        parts.append(_line(x, frame.floor, x, frame.floor + 4, opacity=0.5))
        parts.append(_text(x, frame.floor + 16, f"{time:g}", "middle", opacity=0.75))
    parts.append(_text(WIDTH - _RIGHT, frame.floor + 30, f"{unit} since the group was made", "end", opacity=0.75))
    return tag("g", *parts)


def _stack(shares: Sequence[Share], frame: _Frame, end_ns: int) -> Markup:
    changes = levels(shares)
    end, parts = frame.x(end_ns), []
    for index, share in enumerate(shares):
        below = _thinned([(frame.x(time_ns), frame.y(sum(values[:index]))) for time_ns, values in changes])
        above = _thinned([(frame.x(time_ns), frame.y(sum(values[: index + 1]))) for time_ns, values in changes])
        outline = _steps(above, end) + list(reversed(_steps(below, end)))
        who = share.name if share.pid is None else f"{share.name} (pid {share.pid})"
        title = tag("title", f"{who}, at most {size(share.peak_bytes)}")
        # A thin edge in the colour of the ground tells neighbours apart.
        parts.append(
            tag(
                "path",
                title,
                d=_path(outline) + "Z",
                class_="edge",
                fill=_colour(index),
                fill_opacity=_OPACITY,
                stroke=_GROUND[0],
                stroke_width=0.6,
            )
        )
    return tag("g", *parts)


def _colour(index: int) -> str:
    return PALETTE[index] if index < len(PALETTE) else OTHERS


def _usage(series: Series, frame: _Frame) -> Markup:
    points = _thinned([(frame.x(time_ns), frame.y(count)) for time_ns, count in series.usage])
    if not points:
        return Markup()
    peak = max(count for _, count in series.usage)
    title = tag("title", f"usage of {series.group}, at most {size(peak)} in a sample")
    corners = _steps(points, frame.x(series.end_ns))
    return tag("path", title, d=_path(corners), class_="ink", stroke=_INK[0], stroke_width=1.6, stroke_linejoin="round")


def _limit(series: Series, frame: _Frame) -> Markup:
    parts: list[Markup] = []
    for index, (time_ns, limit) in enumerate(series.limit):
        if limit is None:
            continue
        last = index + 1 == len(series.limit)
        end_ns = series.end_ns if last else series.limit[index + 1][0]
        y = frame.y(limit)
        parts.append(_line(frame.x(time_ns), y, frame.x(end_ns), y, "limit", 1.6, dashes="6 4"))
    return tag("g", *parts)


def _limit_words(series: Series, frame: _Frame) -> Markup:
    if not series.limit or series.limit[-1][1] is None:
        return Markup()
    time_ns, limit = series.limit[-1]
    words, x, y = f"limit {size(limit)}", frame.x(time_ns), frame.y(limit or 0) - 4
    inward = x + _wide(words) > WIDTH - _RIGHT
    return _words(x - 4 if inward else x + 4, y, words, "end" if inward else "start", "limit")


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
        ink = None if mark.kind == "start" else "ink"
        parts.append(
            tag(
                "path",
                tag("title", mark.text),
                d=f"M{x:.1f} {frame.floor:.1f}v-{tall}",
                class_=ink,
                stroke=_INK[0] if ink else GOOD,
                stroke_width=1.4,
                opacity=0.8,
            )
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
    x, wide = frame.x(mark.time_ns), _wide(_SIGNS[mark.kind] + mark.text)
    return (x - 2 - wide, x) if x + wide > WIDTH - 4 else (x, x + 2 + wide)


def _mark_line(mark: Mark, row: int | None, frame: _Frame) -> Markup:
    x = frame.x(mark.time_ns)
    top, width, opacity = (frame.top, 1.0, 0.5) if row is None else (8.0 + _ROW * row, 1.2, 0.8)
    return tag("g", tag("title", mark.text), _line(x, top, x, frame.floor, mark.kind, width, opacity=opacity))


def _mark_words(mark: Mark, row: int, frame: _Frame) -> Markup:
    x, (left, _) = frame.x(mark.time_ns), _extent(mark, frame)
    inward = left < x - 1
    words = _SIGNS[mark.kind] + mark.text
    return _words(x - 3 if inward else x + 3, 17 + _ROW * row, words, "end" if inward else "start", mark.kind)


def _words(x: float, y: float, words: str, anchor: str, ink: str) -> Markup:
    """Bold words on ground of their own, so that whatever is below does not strike them through."""
    wide = _wide(words)
    left = x - wide if anchor == "end" else x
    ground = tag(
        "rect",
        class_="ground",
        x=f"{left - 1:.1f}",
        y=f"{y - 9:.1f}",
        width=f"{wide + 2:.1f}",
        height=12,
        fill=_GROUND[0],
        fill_opacity=0.85,
    )
    return tag("g", tag("title", words), ground, _text(x, y, words, anchor, ink, 600))


def _wide(words: str) -> float:
    """How wide words are, at most: letters of East Asia take two places."""
    return _LETTER * sum(1.7 if unicodedata.east_asian_width(letter) in "WF" else 1.0 for letter in words)


def _legend(shares: Sequence[Share], unnamed: int, top: float) -> tuple[Markup, float]:
    """A line for the usage, and each share with the most that it held; `unnamed` marks had no room for their words."""
    entries: list[tuple[str | None, str]] = [(None, "usage of the group")]
    entries += [(_colour(index), _short(share.name, size(share.peak_bytes))) for index, share in enumerate(shares)]
    if unnamed:
        entries.append(("transparent", f"and {unnamed} mark{'s' if unnamed > 1 else ''} without words"))
    parts, x, y = [], float(_LEFT), top + 8
    for colour, words in entries:
        wide = 18 + _wide(words) + 10
        if x + wide > WIDTH and x > _LEFT:
            x, y = float(_LEFT), y + _ROW
        if colour is None:
            parts.append(_line(x, y - 4, x + 12, y - 4, width=1.6))
        else:
            swatch = {"x": f"{x:.0f}", "y": f"{y - 9:.0f}", "width": 12, "height": 10}
            parts.append(tag("rect", **swatch, fill=colour, fill_opacity=_OPACITY))
        parts.append(_text(x + 17, y, words, "start"))
        x += wide
    return tag("g", *parts), y - top + 8


def _short(name: str, peak: str) -> str:
    return f"{name if len(name) <= 24 else name[:23] + '…'} {peak}"


def _line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    ink: str = "ink",
    width: float = 1.0,
    opacity: float = 1.0,
    dashes: str | None = None,
) -> Markup:
    return tag(
        "path",
        d=f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}",
        class_=ink,
        stroke=_INKS.get(ink, _INK)[0],
        stroke_width=width,
        opacity=None if opacity == 1.0 else opacity,
        stroke_dasharray=dashes,
    )


def _text(
    x: float,
    y: float,
    words: str,
    anchor: str,
    ink: str = "ink",
    weight: int | None = None,
    opacity: float | None = None,
) -> Markup:
    return tag(
        "text",
        words,
        x=f"{x:.1f}",
        y=f"{y:.1f}",
        text_anchor=anchor,
        class_=ink,
        fill=_INKS.get(ink, _INK)[0],
        font_weight=weight,
        opacity=opacity,
    )
