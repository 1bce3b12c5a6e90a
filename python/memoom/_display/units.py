"""Sizes, times and names the way a person reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .._units import size

__all__ = ["byte_ticks", "seconds", "short_group", "size", "ticks", "time_unit"]


def seconds(nanoseconds: int | None) -> str:
    """A span of time in the unit that fits it."""
    if nanoseconds is None:
        return "unknown"
    for unit, length in (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000)):
        if abs(nanoseconds) >= length:
            return (
                f"{nanoseconds / length:.3g} {unit}"
                if nanoseconds < 1000 * length
                else f"{nanoseconds / length:.0f} {unit}"
            )
    return f"{nanoseconds} ns"


def time_unit(span_ns: float) -> tuple[str, float]:
    """The unit for an axis of that length, and how many nanoseconds it has."""
    if span_ns < 2e6:
        return "µs", 1e3
    return ("ms", 1e6) if span_ns < 2e9 else ("s", 1e9)


def ticks(most: float, wanted: int = 6) -> list[float]:
    """Round numbers from 0 to `most`, about as many as wanted."""
    if most <= 0:
        return [0.0]
    rough = most / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [index * step for index in range(int(most / step + 1e-9) + 1)]


def byte_ticks(most: int, wanted: int = 5) -> list[int]:
    """Sizes from 0 to `most` that are round in the kernel's units."""
    unit = 1
    while most / unit >= 1024 * wanted / 2 and unit < 1 << 40:
        unit <<= 10
    return [int(one * unit) for one in ticks(most / unit, wanted)] if most > 0 else [0]


def short_group(cgroup: str | None, lab: str = "memoom-") -> str:
    """The path of a group from its lab on, which has a name that says nothing to a reader."""
    if cgroup is None:
        return "?"
    parts: Sequence[str] = cgroup.split("/")
    for index, part in enumerate(parts):
        if part.startswith(lab) and parts[index + 1 :]:
            return "/".join(parts[index + 1 :])
    return cgroup
