"""A chart of points over sizes: the runs of a fit, by limit and time. SVG with nothing from outside, as all charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .markup import GOOD, WARN, Markup, tag
from .paper import BOTTOM, HEIGHT, INK, LEFT, RIGHT, TOP, WIDTH, Scale, line, mark, paper, text
from .units import byte_ticks, seconds, size, ticks, time_unit

if TYPE_CHECKING:
    from .._fitted import Fitted

__all__ = ["fit_svg"]


def fit_svg(fitted: Fitted) -> Markup:
    """How long the command took under each limit, and which is the least."""
    # The first limit is whatever the machine has: it would press all others into a corner.
    limits = sorted(run.limit_bytes for run in fitted.runs[1:]) or [fitted.runs[0].limit_bytes]
    peak = fitted.runs[0].peak_bytes or limits[-1]
    shown = [run for run in fitted.runs if run.limit_bytes <= 2 * max(limits[-1], peak)] or list(fitted.runs)
    across = Scale(max(max(run.limit_bytes for run in shown), peak) * 1.08, LEFT, WIDTH - LEFT - RIGHT)
    most_ns = max(run.elapsed_ns for run in fitted.runs) * 1.12
    up = Scale(most_ns, HEIGHT - BOTTOM, -(HEIGHT - TOP - BOTTOM))
    parts = [_axes(across, up)]
    allowed = fitted.runs[0].elapsed_ns * (1 + fitted.slower_permille / 1000)
    y = up.at(allowed)
    parts.append(line(LEFT, y, WIDTH - RIGHT, y, WARN, "4 4"))
    parts.append(text(WIDTH - RIGHT, y - 4, f"slowed above {seconds(int(allowed))}", "end", WARN))
    if fitted.limit_bytes is not None:
        x = across.at(fitted.limit_bytes)
        parts.append(line(x, TOP - 8, x, HEIGHT - BOTTOM, GOOD, "4 4"))
        right = x > WIDTH / 2
        words = f"least limit {size(fitted.limit_bytes)}"
        parts.append(text(x - 5 if right else x + 5, TOP - 10, words, "end" if right else "start", GOOD, bold=True))
    for run in shown:
        what = "passed" if run.passed else f"failed ({run.verdict})"
        title = tag("title", f"{size(run.limit_bytes)}: {seconds(run.elapsed_ns)}, {what}")
        parts.append(mark(title, across.at(run.limit_bytes), up.at(run.elapsed_ns), run.passed))
    left_out = len(fitted.runs) - len(shown)
    note = "● passed   ✕ failed"
    if left_out:
        note += f"   not shown: {left_out} under {size(fitted.runs[0].limit_bytes)} (the first)"
    parts.append(text(LEFT, HEIGHT - 8, note, "start"))
    return paper("time under each limit", parts)


def _axes(across: Scale, up: Scale) -> Markup:
    floor = HEIGHT - BOTTOM
    unit, length = time_unit(up.most)
    parts = [line(LEFT, floor, WIDTH - RIGHT, floor, INK), line(LEFT, TOP - 8, LEFT, floor, INK)]
    for count in byte_ticks(int(across.most)):
        x = across.at(count)
        parts += [line(x, floor, x, floor + 4, INK), text(x, floor + 16, size(count), "middle")]
    for value in ticks(up.most / length, 5):
        y = up.at(value * length)
        parts += [line(LEFT - 4, y, LEFT, y, INK), text(LEFT - 8, y + 4, f"{value:g} {unit}", "end")]
    parts.append(text(WIDTH - RIGHT, floor + 30, "limit", "end"))
    return tag("g", *parts)
