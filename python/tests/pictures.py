"""Charts of timelines that are made up, how a browser paints them, and whether two paintings show the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import memoom

COMMITTED = Path(__file__).resolve().parents[2] / "tests/jupyter/pictures"
COUNTS = (2, 20)
SCHEMES = ("light", "dark")


def timeline(events: Iterable[dict[str, Any]]) -> memoom.Timeline:
    """A timeline of these events, without accounts."""
    document = json.dumps({"schema": "memoom.timeline/1", "events": list(events)})
    return memoom.Timeline._of(document)._with({"ooms": (), "full_text": ""})


def timeline_of(count: int) -> memoom.Timeline:
    """A timeline as one of so many processes is: they fill their limit, and the last half of them are killed."""
    events: list[dict[str, Any]] = [
        {"time_ns": 0, "source": "memoom", "group": "/many", "kind": "limit", "limit_bytes": 80 << 20}
    ]
    held = dict.fromkeys(range(count), 0)
    step = (78 << 20) // (6 * sum(1 + pid % 3 for pid in held))
    time_ns = 0

    def add(kind: str, pid: int | None = None, **more: Any) -> None:
        events.append({"time_ns": time_ns, "source": "memoom", "group": "/many", "pid": pid, "kind": kind, **more})

    for pid in held:
        add("started", pid, name=f"wörker-{pid}")
    for turn in range(6):
        for pid in held:
            time_ns += 1_000_000
            held[pid] += (1 + pid % 3) * step
            add("share", pid, rss_bytes=held[pid], swap_bytes=0, comm=f"wörker-{pid}")
            add("usage", usage_bytes=sum(held.values()))
            if turn == 5 and pid >= count // 2:
                add("victim", pid, comm=f"wörker-{pid}", score=1)
    for later, living in ((1, count // 2), (10, count // 2)):
        time_ns += later * count * 200_000
        add("usage", usage_bytes=sum(held[pid] for pid in range(living)))
    return timeline(events)


def painted(svg: Path, scheme: str, picture: Path) -> None:
    """Has Chromium paint a chart for a reader with light or dark pages."""
    chromium = shutil.which("chromium")
    assert chromium is not None
    light = str(SCHEMES.index("dark") - SCHEMES.index(scheme))
    with tempfile.TemporaryDirectory(prefix="memoom-pictures-") as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"]
        options += [f"--blink-settings=preferredColorScheme={light}", "--window-size=760,400"]
        options += [f"--user-data-dir={profile}", f"--screenshot={picture}", svg.as_uri()]
        subprocess.run([chromium, *options], check=True, capture_output=True, timeout=120)


Box = tuple[float, float, float, float]


def boxes(svg: ET.Element) -> dict[str, Box]:
    """Where the words of a picture are: left, top, right, bottom; measured as widely as the letters of any font are."""
    found = {}
    for text in svg.iter("{http://www.w3.org/2000/svg}text"):
        words = text.text or ""
        x, y, wide = float(text.attrib["x"]), float(text.attrib["y"]), 6.2 * len(words)
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[text.attrib["text-anchor"]]
        found[f"{words} at {x}"] = (left, y - 8, left + wide, y + 2)
    return found


_CELL = 4  # pixels: a line is a good part of one, and the softness of an edge is not
_ROOM = 12  # pixels around words: what a wider letter may take


def difference(one: Path, other: Path, svg: str) -> float:
    """What part of two pictures of a chart shows something else, 0 to 1. Words are left out, with some room around:
    every machine has other fonts, and what the words are stands in the chart itself."""
    from PIL import Image, ImageChops, ImageDraw

    drawn = ET.fromstring(svg)
    wide, high = (int(float(drawn.attrib[name])) for name in ("width", "height"))
    small = []
    for path in (one, other):
        with Image.open(path) as image:
            whole = image.convert("RGB").crop((0, 0, wide, high))
        cover = ImageDraw.Draw(whole)
        for left, top, right, bottom in boxes(drawn).values():
            cover.rectangle((left - _ROOM, top - 4, right + _ROOM, bottom + 4), fill="black")
        small.append(whole.resize((wide // _CELL, high // _CELL), Image.Resampling.BOX))
    cells = [max(cell) for cell in ImageChops.difference(*small).get_flattened_data()]
    return sum(cell > 24 for cell in cells) / len(cells)


def are_alike(one: Path, other: Path, svg: str) -> bool:
    """Whether both show that chart."""
    return difference(one, other, svg) < 0.001
