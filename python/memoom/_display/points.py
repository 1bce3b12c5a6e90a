"""A chart of points over sizes: the runs of a fit, by limit and time. SVG with nothing from outside, as all charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .markup import GOOD, WARN, Markup, tag
from .paper import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale, axes, line, mark, paper, sizes, text, times
from .units import seconds, size

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
    parts = [axes(sizes(across), times(up, 5), text(WIDTH - RIGHT, HEIGHT - BOTTOM + 30, "limit", "end"))]
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
