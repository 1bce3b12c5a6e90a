"""How each step grows with what it works on: times at several sizes, and the exponent of the curve through them."""

from __future__ import annotations

import math
import resource
import statistics
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "target/release/examples/growth"


#: descriptors of as many groups as are measured, and some more
WANTED = 20_000


@dataclass
class Series:
    """One step at sizes that grow."""

    what: str
    title: str
    unit: str
    sizes: list[int]
    medians: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """As far as this machine lets it: a group takes two descriptors, and a process may have so many."""
        for size in self.sizes:
            argv = [str(PROGRAM), self.what, str(size)]
            done = subprocess.run(argv, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                print(f"{size} {self.unit}: {done.stderr.strip()}", file=sys.stderr)
                break
            self.medians.append(statistics.median(float(line) for line in done.stdout.split()) / 1000)
        del self.sizes[len(self.medians) :]
        assert len(self.medians) > 2, f"three sizes of {self.unit} are needed"

    @property
    def exponent(self) -> float:
        """Of the last two steps of size: what is the same at any size has grown small beside what grows."""
        (a, _, b), (x, _, y) = self.sizes[-3:], self.medians[-3:]
        return math.log(y / x) / math.log(b / a)


def allow_descriptors() -> None:
    """Two for each group, if this user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in (max(hard, WANTED), hard):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(most, WANTED)), most))
            return


def series(quick: bool) -> list[Series]:
    """What is measured; in the quick form without the largest."""
    allow_descriptors()
    every = [
        Series("groups", "an OOM with its account, beside so many groups", "groups", [1, 10, 100, 1000, 9000]),
        Series(
            "observed",
            "an OOM of somebody else's group, seen by an observer of so many",
            "groups",
            [1, 10, 100, 1000, 9000],
        ),
        Series("workers", "a worker started and ended, beside so many", "workers", [1, 10, 100, 1000]),
        Series("tasks", "a report with so many tasks in its table, read", "tasks", [10, 100, 1000, 10000]),
        Series("log", "a log of so many MiB of reports, read", "MiB", [1, 4, 16, 64]),
    ]
    for one in every:
        one.sizes = one.sizes[:3] if quick else one.sizes
    return every


def table(measured: list[Series]) -> str:
    lines = ["| what | size: ms | exponent |", "| --- | --- | ---: |"]
    for one in measured:
        times = ", ".join(f"{size:,}: {time:.2f}" for size, time in zip(one.sizes, one.medians, strict=True))
        lines.append(f"| {one.title} | {times} | {one.exponent:.2f} |")
    return "\n".join(lines)


def plot(measured: list[Series]) -> str:
    """Lines in a square of logarithms."""
    width, height, left, bottom = 760, 420, 60, 40
    colours = ["#2a6f97", "#7fb2cf", "#e07a5f", "#3d8b5f", "#9a6fb0"]
    sizes = [size for one in measured for size in one.sizes]
    times = [time for one in measured for time in one.medians]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    most = math.ceil(math.log10(max(sizes)))

    def at(size: float, time: float) -> tuple[float, float]:
        x = left + math.log10(size) / most * (width - left - 20)
        y = height - bottom - (math.log10(time) - low) / (high - low) * (height - bottom - 20)
        return x, y

    parts = []
    for power in range(most + 1):
        x, _ = at(10**power, 10**low)
        parts.append(f'<line x1="{x:.0f}" y1="20" x2="{x:.0f}" y2="{height - bottom}"/>')
        parts.append(f'<text x="{x:.0f}" y="{height - bottom + 18}" text-anchor="middle">{10**power:,}</text>')
    for power in range(low, high + 1):
        _, y = at(1, 10**power)
        parts.append(f'<line x1="{left}" y1="{y:.0f}" x2="{width - 20}" y2="{y:.0f}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{10.0**power:g} ms</text>')
    for row, (one, colour) in enumerate(zip(measured, colours, strict=False)):
        points = [at(size, time) for size, time in zip(one.sizes, one.medians, strict=True)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        name = escape(f"{one.title}: exponent {one.exponent:.2f}")
        parts.append(f'<text x="{left + 12}" y="{36 + 16 * row}" style="fill:{colour}">{name}</text>')
    style = "text{font:12px sans-serif;fill:#222}line{stroke:#8884}@media(prefers-color-scheme:dark){text{fill:#ddd}}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    return f"{head}<title>Time against size</title><style>{style}</style>{''.join(parts)}</svg>\n"
