"""Every figure beside its floor and its peers, in turn in the same run: `make bench` (10 minutes; BENCH=quick for 3).

    .venv/bin/python benches/bench.py [--quick] [--write]

Prints a table of medians, 99th percentiles and ratios; writes all samples to target/bench/results.json. With `--write`
the table goes into docs/performance.md and the plot of the ratios into docs/pictures/performance.svg. Durations are
only worth something beside what was measured in the same run: read the ratios.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import growth
import logs

TOP = Path(__file__).resolve().parent.parent
BUILT = TOP / "target" / "bench"
MEMORY = Path("/sys/fs/cgroup/memory")
#: rounds begin within so long; growth takes two minutes more
LONGEST_SECONDS = 300
LOG_BYTES = 64 << 20
GROWTH = """What grows with what, as the median at each size; the exponent is that of the largest two steps of size
(0 is flat, 1 is in step).

![Time against size](pictures/growth.svg)"""
BEGIN, END = "<!-- written by benches/bench.py -->", "<!-- end of what benches/bench.py writes -->"


@dataclass
class One:
    """One program of a figure, and what it printed."""

    name: str
    argv: list[str]
    count: int
    samples: list[float] = field(default_factory=list)
    #: it prints nothing: how long it runs is measured from outside
    timed: bool = False

    def run(self, share: float) -> None:
        count = max(1, round(self.count * share))
        if self.timed:
            for _ in range(count):
                before = time.perf_counter()
                # Into a pipe: where nobody reads it, grep stops at the first match.
                subprocess.run(self.argv, check=False, stdout=subprocess.PIPE, cwd=TOP)
                self.samples.append((time.perf_counter() - before) * 1e6)
            return
        argv = [word.replace("COUNT", str(count)) for word in self.argv]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=TOP)
        self.samples += [float(line) for line in done.stdout.split()]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def late(self) -> float:
        return sorted(self.samples)[min(len(self.samples) - 1, len(self.samples) * 99 // 100)]


@dataclass
class Figure:
    """Something that memoom does, beside what it is held against: the first of the others."""

    title: str
    ours: list[One]
    others: list[One]
    goal: float
    #: and so many microseconds more
    more: float = 0
    #: bytes that are read, to be shown as MB/s too, and how many of them a second are the goal
    bytes: int = 0
    fast: float = 0

    @property
    def floor(self) -> float:
        return self.others[0].median


def rust(what: str, name: str, count: int = 60) -> One:
    """Something that benches/figures.rs measures."""
    return One(name, [str(TOP / "target/release/examples/figures"), what, "COUNT"], count)


def py(what: str, name: str, count: int = 60) -> One:
    """Something that benches/figures.py measures, in the Python that runs this."""
    return One(name, [sys.executable, str(TOP / "benches/figures.py"), what, "COUNT"], count)


def figures(group: Path) -> Iterator[Figure]:
    """Labs, runs and whole cycles."""

    def floor(kind: str) -> One:
        return One(f"C loop, {kind}", [str(BUILT / "cycle"), str(group), kind, "COUNT"], 60)

    for step, title in (("open", "lab opened"), ("close", "lab closed")):
        bare = rust(f"{step}-bare", "without the tracepoints")
        yield Figure(f"{title}, all evidence", [rust(f"{step}-full", "memoom")], [bare, spawn()], 3)
    if has_memoom():
        yield Figure(
            '`memoom.run(["true"])`',
            [py("run-full", "all evidence"), py("run-none", "neither log nor tracepoints")],
            [py("subprocess", "subprocess.run")],
            4,
        )
    yield Figure(
        "verdict without log and tracepoints", [rust("run-none", "none")], [rust("run-full", "all evidence")], 1.2
    )
    for kind, ours in (("huge", "anon-thp"), ("populate", "populate"), ("touch", "anon")):
        yield Figure(
            f"OOM, whole cycle with the account, `{ours}`", [rust(f"cycle-{ours}", "memoom")], [floor(kind)], 1 / 0.95
        )
    peers = [floor("huge"), py("cycle-plain", "plain Python, fork and bytearray")]
    peers += [
        One(name, ["sh", str(TOP / "benches/peers.sh"), str(group), word, "COUNT"], 12) for name, word in stressors()
    ]
    if has_memoom():
        yield Figure("OOM, whole cycle through Python", [py("cycle-memoom", "memoom, anon-thp")], peers, 1 / 0.9)
    else:
        yield Figure("OOM, whole cycle, beside others", [rust("cycle-anon-thp", "memoom, anon-thp")], peers, 1 / 0.95)


def waking(group: Path) -> Iterator[Figure]:
    """What wakes whom: deaths, steps, several labs at a time, a sweep."""
    pidfd = One("pidfd_send_signal and poll, in C", [str(BUILT / "death"), "COUNT"], 120)
    yield Figure("a worker killed, until the host knows", [rust("death-event", "memoom", 120)], [pidfd], 1.15)
    outcome = rust("death-outcome", "memoom, with the outcome", 120)
    yield Figure("a worker killed, until its outcome is there", [outcome], [pidfd], 1.15, more=150)
    trip = One("eventfd there and back, in C", [str(BUILT / "round"), "COUNT"], 600)
    yield Figure("a step of a hog, one page", [rust("step-anon", "memoom", 600)], [trip], 1.5)
    alone = rust("labs-1", "one lab", 60)
    beside = [rust(f"labs-{labs}", f"memoom, {labs} labs", 60 // labs) for labs in (2, 4, 8)]
    loops = [
        One(
            f"C loop, huge, {n} at a time",
            [str(BUILT / "cycle"), str(group), "huge", "COUNT", str(n)],
            60 // n,
        )
        for n in (1, 2)
    ]
    yield Figure("an OOM, where several labs have theirs at a time", beside, [alone, *loops], 1 / 1.9)
    if has_memoom():
        by_hand = py("cycle-memoom", "the same cycle by hand")
        yield Figure("a trial of a sweep", [py("sweep", "memoom.sweep")], [by_hand], 1, more=1000)


def reading() -> Iterator[Figure]:
    """The report parser, beside grep of the same file."""
    for name, title, goal, fast in (
        ("dull", "a log without an OOM, read", 2.0, 0.0),
        ("dense", "a log of nothing but reports, read", 0.0, 200.0),
    ):
        path = BUILT / f"{name}.log"
        getattr(logs, name)(path, LOG_BYTES)
        ours = [rust(f"read-{path}", "memoom", 6)]
        if has_memoom():
            ours.append(py(f"read-{path}", "through Python", 6))
        grep = One("grep -c oom-kill", ["grep", "-c", "oom-kill", str(path)], 6, timed=True)
        yield Figure(title, ours, [grep], goal, bytes=path.stat().st_size, fast=fast)


def has_memoom() -> bool:
    """Whether this Python has the package; the figures of the core need none."""
    return importlib.util.find_spec("memoom") is not None


def spawn() -> One:
    return One("fork, exec, wait of a static program", [str(BUILT / "spawn"), "COUNT"], 200)


def stressors() -> Iterator[tuple[str, str]]:
    yield "shell and tail /dev/zero", "tail"
    if shutil.which("stress-ng"):
        yield "shell and stress-ng", "stress-ng"
    if shutil.which("cgexec"):
        yield "cgexec and tail", "cgexec"


def build() -> None:
    BUILT.mkdir(parents=True, exist_ok=True)
    compiler = os.environ.get("CC", "cc")
    for name, flags in (("cycle", []), ("spawn", ["-static"]), ("death", []), ("round", [])):
        source = TOP / "benches" / "floor" / f"{name}.c"
        subprocess.run([compiler, "-O2", *flags, "-o", str(BUILT / name), str(source)], check=True)


@contextmanager
def group() -> Iterator[Path]:
    """A group of v1 for the floors and peers, which make theirs in it."""
    path = MEMORY / f"memoom-dev-bench-{os.getpid()}"
    path.mkdir()
    with suppress(OSError):  # it is so already
        (path / "memory.use_hierarchy").write_text("1")
    try:
        yield path
    finally:
        for left in filter(Path.is_dir, path.iterdir()):
            left.rmdir()
        path.rmdir()


def pytest_overhead(tests: int) -> dict[str, float]:
    """Milliseconds of a test that uses the fixture and does nothing, above one that does not."""
    times: dict[str, list[float]] = {"plain": [], "fixture": []}
    with tempfile.TemporaryDirectory() as directory:
        for name, argument in (("plain", ""), ("fixture", "memcg")):
            body = "".join(f"def test_{at}({argument}): pass\n" for at in range(tests))
            Path(directory, f"test_{name}.py").write_text(body)
        for _ in range(3):
            for name, found in times.items():
                argv = [
                    sys.executable,
                    "-m",
                    "pytest",
                    "-q",
                    "-p",
                    "no:cacheprovider",
                    f"test_{name}.py",
                    "--durations=0",
                ]
                before = time.perf_counter()
                subprocess.run(argv, check=True, capture_output=True, cwd=directory)
                found.append((time.perf_counter() - before) * 1000 / tests)
    return {name: statistics.median(found) for name, found in times.items()}


def row(figure: Figure, one: One) -> list[str]:
    ratio = one.median / figure.floor
    ours = one in figure.ours
    goal, met = f"≤ {figure.goal:.2f}", one.median <= figure.goal * figure.floor + figure.more
    if figure.more:
        goal += f" and {figure.more:.0f} us"
    name = one.name
    if figure.bytes:
        rate = figure.bytes / one.median
        name += f", {rate:.0f} MB/s"
        if figure.fast:
            goal, met = f"≥ {figure.fast:.0f} MB/s", rate >= figure.fast
    verdict = goal + ("" if met else " **missed**") if ours else ""
    return [
        figure.title if ours and one is figure.ours[0] else "",
        f"**{name}**" if ours else name,
        f"{one.median / 1000:.2f}",
        f"{one.late / 1000:.2f}",
        f"{ratio:.2f}",
        verdict,
    ]


def table(measured: list[Figure], overhead: dict[str, float] | None) -> str:
    head = ["what", "who", "median, ms", "p99, ms", "ratio", "goal"]
    rows = [row(figure, one) for figure in measured for one in (*figure.ours, *figure.others)]
    if overhead is not None:
        above = overhead["fixture"] - overhead["plain"]
        met = "" if above <= 5 else " **missed**"
        rows.append(["a pytest test that does nothing", "without the fixture", f"{overhead['plain']:.2f}", "", "", ""])
        rows.append(["", "**with the fixture**", f"{overhead['fixture']:.2f}", "", f"{above:+.2f} ms", f"≤ +5 ms{met}"])
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---", "---", "---:", "---:", "---:", "---"], *rows)]
    return "\n".join(lines)


def plot(measured: list[Figure]) -> str:
    """Bars of the medians, by figure, the floor as one."""
    width, bar, gap, left = 760, 16, 26, 330
    parts, y = [], 10
    longest = max(one.median / figure.floor for figure in measured for one in (*figure.ours, *figure.others))
    scale = (width - left - 60) / min(longest, 6)
    for figure in measured:
        parts.append(f'<text x="8" y="{y + 12}" class="title">{escape(figure.title.replace("`", ""))}</text>')
        y += bar + 4
        for one in (*figure.ours, *figure.others):
            ratio = one.median / figure.floor
            kind = "ours" if one in figure.ours else "other"
            length = min(ratio, 6) * scale
            parts.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{escape(one.name)}</text>')
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar}" class="{kind}"/>')
            parts.append(f'<text x="{left + length + 5:.1f}" y="{y + 12}">{ratio:.2f}</text>')
            y += bar + 3
        y += gap - bar
    style = (
        "text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.ours{fill:#2a6f97}.other{fill:#b8c4cc}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.other{fill:#6b7780}}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}">'
    label = "<title>How long each step takes, as a multiple of what it is held against</title>"
    return f"{head}{label}<style>{style}</style>{''.join(parts)}</svg>\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a third of the rounds")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its picture")
    options = parser.parse_args()
    if not os.access(MEMORY / "tasks", os.W_OK):
        print(f"skipped: the floors are those of cgroup v1, and {MEMORY}/tasks cannot be written here")
        return
    build()
    rounds = 2 if options.quick else 6
    began = time.monotonic()
    with group() as place:
        measured = [*figures(place), *waking(place), *reading()]
        for at in range(rounds):
            if time.monotonic() - began > LONGEST_SECONDS:
                break  # a slow hour: medians of fewer rounds
            for figure in measured:
                for one in (*figure.ours, *figure.others):
                    one.run(1 / 6)
            print(f"round {at + 1} of {rounds}", file=sys.stderr, flush=True)
    overhead = pytest_overhead(40) if has_memoom() else None
    grown = growth.series(options.quick)
    for series in grown:
        series.measure()
        print(f"growth of {series.what}: exponent {series.exponent:.2f}", file=sys.stderr, flush=True)
    machine = f"Linux {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs, cgroup v1"
    text = table(measured, overhead)
    text += f"\n\n{GROWTH}\n\n{growth.table(grown)}"
    print(f"{machine}; load {os.getloadavg()[0]:.1f}\n\n{text}")
    results = {
        "machine": machine,
        "load": os.getloadavg()[0],
        "pytest_ms": overhead,
        "growth": [
            {"what": one.title, "sizes": one.sizes, "ms": one.medians, "exponent": one.exponent} for one in grown
        ],
        "figures": [
            {
                "title": figure.title,
                "goal": figure.goal,
                "ours": {one.name: one.samples for one in figure.ours},
                "beside": {one.name: one.samples for one in figure.others},
            }
            for figure in measured
        ],
    }
    (BUILT / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    if options.write:
        page = TOP / "docs" / "performance.md"
        before, rest = page.read_text().split(BEGIN)
        measured_on = (
            f"Measured on {machine}, {time.strftime('%Y-%m-%d', time.gmtime())}; load {os.getloadavg()[0]:.1f}."
        )
        page.write_text(f"{before}{BEGIN}\n{measured_on}\n\n{text}\n{END}{rest.split(END)[1]}")
        (TOP / "docs" / "pictures" / "performance.svg").write_text(plot(measured))
        (TOP / "docs" / "pictures" / "growth.svg").write_text(growth.plot(grown))


if __name__ == "__main__":
    main()
