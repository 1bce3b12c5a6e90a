"""The chart of policies: the usage under each one over time, the limit, and where somebody died."""

from __future__ import annotations

from typing import Any

from .markup import BAD, PALETTE, Markup, tag
from .paper import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale, axes, line, mark, paper, sizes, text, times
from .units import size

__all__ = ["policy_svg"]


def policy_svg(results: Any) -> Markup:
    """The usage under each policy."""
    trials = [trial for trial in results.to_dict()["trials"] if trial["samples"]]
    samples = [sample for trial in trials for sample in trial["samples"]] or [[1, 0]]
    across = Scale(max(time_ns for time_ns, _ in samples), LEFT, WIDTH - LEFT - RIGHT)
    most = max(results.limit_bytes, *(count for _, count in samples)) * 1.08
    up = Scale(most, HEIGHT - BOTTOM, -(HEIGHT - TOP - BOTTOM))
    y = up.at(results.limit_bytes)
    parts = [
        axes(times(across, 6), sizes(up)),
        line(LEFT, y, WIDTH - RIGHT, y, BAD, "6 4"),
        text(LEFT + 4, y - 4, f"limit {size(results.limit_bytes)}", "start", BAD, bold=True),
    ]
    x = float(LEFT)
    for trial, colour in zip(trials, PALETTE * len(trials), strict=False):
        parts.append(_usage(trial, across, up, colour))
        parts += [_death(trial, death, across, up) for death in trial["deaths"]]
        parts.append(tag("rect", x=f"{x:.0f}", y=HEIGHT - 17, width=12, height=10, fill=colour))
        parts.append(text(x + 17, HEIGHT - 8, trial["policy"], "start"))
        x += 30 + 7 * len(trial["policy"])
    return paper("usage under each policy", parts)


def _usage(trial: dict[str, Any], across: Scale, up: Scale, colour: str) -> Markup:
    corners = "L".join(f"{across.at(time_ns):.1f} {up.at(count):.1f}" for time_ns, count in trial["samples"])
    return tag("path", tag("title", trial["policy"]), d=f"M{corners}", stroke=colour, stroke_width=1.8)


def _death(trial: dict[str, Any], death: dict[str, Any], across: Scale, up: Scale) -> Markup:
    """Stands where the usage was before it: the last sample may be behind it already."""
    before = [count for time_ns, count in trial["samples"] if time_ns <= death["time_ns"]]
    words = f"{death['name']} died under {trial['policy']}, by the {death['by']}"
    return mark(tag("title", words), across.at(death["time_ns"]), up.at(max(before[-2:], default=0)), False)
