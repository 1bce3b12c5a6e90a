"""The paper of the plain charts: scales, lines, words and marks. SVG with nothing from outside, as all charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .markup import BAD, GOOD, Markup, join, tag
from .units import byte_ticks, size, ticks, time_unit

__all__ = [
    "BOTTOM",
    "HEIGHT",
    "INK",
    "LEFT",
    "RIGHT",
    "TOP",
    "WIDTH",
    "Scale",
    "axes",
    "line",
    "mark",
    "paper",
    "sizes",
    "text",
    "times",
]

WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 62, 20, 30, 44
INK, _GROUND = "#1f2328", "#ffffff"


class Scale(NamedTuple):
    """Where a value is on the paper; an axis begins at 0."""

    most: float
    start: float
    length: float

    def at(self, value: float) -> float:
        """The place of a value."""
        return self.start + value / self.most * self.length


def paper(title: str, parts: Sequence[Markup]) -> Markup:
    """The whole chart."""
    return tag(
        "svg",
        tag("title", title),
        tag("rect", width=WIDTH, height=HEIGHT, rx=4, fill=_GROUND),
        join(parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
        style=f"width:100%;max-width:{WIDTH}px;height:auto;display:block",
        fill="none",
        font_family="system-ui,sans-serif",
        font_size=11,
    )


def sizes(scale: Scale) -> list[tuple[float, str]]:
    """The ticks of an axis of bytes: where each is, and its words."""
    return [(scale.at(count), size(count)) for count in byte_ticks(int(scale.most))]


def times(scale: Scale, wanted: int) -> list[tuple[float, str]]:
    """The ticks of an axis of time."""
    unit, length = time_unit(scale.most)
    return [(scale.at(value * length), f"{value:g} {unit}") for value in ticks(scale.most / length, wanted)]


def axes(across: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]], *more: Markup) -> Markup:
    """Both axes with their ticks."""
    floor = HEIGHT - BOTTOM
    parts = [line(LEFT, floor, WIDTH - RIGHT, floor, INK), line(LEFT, TOP - 8, LEFT, floor, INK)]
    for x, words in across:
        parts += [line(x, floor, x, floor + 4, INK), text(x, floor + 16, words, "middle")]
    for y, words in up:
        parts += [line(LEFT - 4, y, LEFT, y, INK), text(LEFT - 8, y + 4, words, "end")]
    return tag("g", *parts, *more)


def mark(title: Markup, x: float, y: float, good: bool) -> Markup:
    """A dot, or a cross for what is bad."""
    if good:
        return tag("circle", title, cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, fill=GOOD)
    return tag("path", title, d=f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8", stroke=BAD, stroke_width=2)


def line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str | None = None) -> Markup:
    """A straight line."""
    path = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    return tag("path", d=path, stroke=colour, stroke_dasharray=dashes, opacity=0.8)


def text(x: float, y: float, words: str, anchor: str, colour: str = INK, bold: bool = False) -> Markup:
    """Words."""
    weight = 600 if bold else None
    return tag("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill=colour, font_weight=weight)
