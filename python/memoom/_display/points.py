"""A chart of points over sizes: the runs of a fit, by limit and time. SVG with nothing from outside, as all charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .markup import BAD, GOOD, WARN, Markup, join, tag
from .units import byte_ticks, seconds, size, ticks, time_unit

if TYPE_CHECKING:
    from .._fitted import Fitted

__all__ = ["fit_svg"]

_WIDTH, _HEIGHT = 760, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 20, 30, 44
_INK, _GROUND = "#1f2328", "#ffffff"


class _Scale(NamedTuple):
    """Where a value is on the paper; both axes begin at 0."""

    most: float
    start: float
    length: float

    def at(self, value: float) -> float:
        return self.start + value / self.most * self.length


def fit_svg(fitted: Fitted) -> Markup:
    """How long the command took under each limit, and which is the least."""
    # The first limit is whatever the machine has: it would press all others into a corner.
    limits = sorted(run.limit_bytes for run in fitted.runs[1:]) or [fitted.runs[0].limit_bytes]
    peak = fitted.runs[0].peak_bytes or limits[-1]
    shown = [run for run in fitted.runs if run.limit_bytes <= 2 * max(limits[-1], peak)] or list(fitted.runs)
    across = _Scale(max(max(run.limit_bytes for run in shown), peak) * 1.08, _LEFT, _WIDTH - _LEFT - _RIGHT)
    most_ns = max(run.elapsed_ns for run in fitted.runs) * 1.12
    up = _Scale(most_ns, _HEIGHT - _BOTTOM, -(_HEIGHT - _TOP - _BOTTOM))
    parts = [_axes(across, up)]
    allowed = fitted.runs[0].elapsed_ns * (1 + fitted.slower_permille / 1000)
    y = up.at(allowed)
    parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y, WARN, "4 4"))
    parts.append(_text(_WIDTH - _RIGHT, y - 4, f"slowed above {seconds(int(allowed))}", "end", WARN))
    if fitted.limit_bytes is not None:
        x = across.at(fitted.limit_bytes)
        parts.append(_line(x, _TOP - 8, x, _HEIGHT - _BOTTOM, GOOD, "4 4"))
        right = x > _WIDTH / 2
        words = f"least limit {size(fitted.limit_bytes)}"
        parts.append(_text(x - 5 if right else x + 5, _TOP - 10, words, "end" if right else "start", GOOD, bold=True))
    for run in shown:
        what = "passed" if run.passed else f"failed ({run.verdict})"
        title = tag("title", f"{size(run.limit_bytes)}: {seconds(run.elapsed_ns)}, {what}")
        parts.append(_mark(title, across.at(run.limit_bytes), up.at(run.elapsed_ns), run.passed))
    left_out = len(fitted.runs) - len(shown)
    note = "● passed   ✕ failed"
    if left_out:
        note += f"   not shown: {left_out} under {size(fitted.runs[0].limit_bytes)} (the first)"
    parts.append(_text(_LEFT, _HEIGHT - 8, note, "start"))
    return _paper("time under each limit", parts)


def _paper(title: str, parts: Sequence[Markup]) -> Markup:
    return tag(
        "svg",
        tag("title", title),
        tag("rect", width=_WIDTH, height=_HEIGHT, rx=4, fill=_GROUND),
        join(parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        width=_WIDTH,
        height=_HEIGHT,
        role="img",
        style=f"width:100%;max-width:{_WIDTH}px;height:auto;display:block",
        fill="none",
        font_family="system-ui,sans-serif",
        font_size=11,
    )


def _axes(across: _Scale, up: _Scale) -> Markup:
    floor = _HEIGHT - _BOTTOM
    unit, length = time_unit(up.most)
    parts = [_line(_LEFT, floor, _WIDTH - _RIGHT, floor, _INK), _line(_LEFT, _TOP - 8, _LEFT, floor, _INK)]
    for count in byte_ticks(int(across.most)):
        x = across.at(count)
        parts += [_line(x, floor, x, floor + 4, _INK), _text(x, floor + 16, size(count), "middle")]
    for value in ticks(up.most / length, 5):
        y = up.at(value * length)
        parts += [_line(_LEFT - 4, y, _LEFT, y, _INK), _text(_LEFT - 8, y + 4, f"{value:g} {unit}", "end")]
    parts.append(_text(_WIDTH - _RIGHT, floor + 30, "limit", "end"))
    return tag("g", *parts)


def _mark(title: Markup, x: float, y: float, good: bool) -> Markup:
    if good:
        return tag("circle", title, cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, fill=GOOD)
    return tag("path", title, d=f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8", stroke=BAD, stroke_width=2)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str | None = None) -> Markup:
    path = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    return tag("path", d=path, stroke=colour, stroke_dasharray=dashes, opacity=0.8)


def _text(x: float, y: float, words: str, anchor: str, colour: str = _INK, bold: bool = False) -> Markup:
    weight = 600 if bold else None
    return tag("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill=colour, font_weight=weight)
