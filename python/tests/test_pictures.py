"""Charts are what they were when somebody looked at them: as text, byte by byte, and as a browser paints them.

MEMOOM_UPDATE=1 draws those of tests/jupyter/pictures anew: look at each of them then.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from pathlib import Path

import pytest
from pictures import COMMITTED, COUNTS, SCHEMES, are_alike, difference, painted, timeline, timeline_of

from memoom._display.series import series_of

UPDATE = os.environ.get("MEMOOM_UPDATE") == "1"


@pytest.mark.parametrize("count", COUNTS)
def test_a_chart_is_the_committed_one(count: int) -> None:
    committed = COMMITTED / f"{count}.svg"
    drawn = timeline_of(count).to_svg() + "\n"
    if UPDATE:
        committed.write_text(drawn)
    assert drawn == committed.read_text(), f"MEMOOM_UPDATE=1 draws {committed} anew; look at it then"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("count", COUNTS)
def test_a_browser_paints_the_committed_picture(count: int, scheme: str, tmp_path: Path) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("no browser here (apt install chromium)")
    svg, picture, drawn = tmp_path / "chart.svg", tmp_path / "chart.png", timeline_of(count).to_svg()
    svg.write_text(drawn)
    painted(svg, scheme, picture)
    committed = COMMITTED / f"{count}-{scheme}.png"
    if UPDATE:
        shutil.copy(picture, committed)
    assert are_alike(picture, committed, drawn), difference(picture, committed, drawn)
    # Other letters are the same picture; without the line of the limit it is another.
    svg.write_text(drawn.replace("system-ui,sans-serif", "serif"))
    painted(svg, scheme, picture)
    assert are_alike(picture, committed, drawn), difference(picture, committed, drawn)
    svg.write_text(re.sub(r'<path[^>]*class="limit".*?</path>', "", drawn, count=1))
    painted(svg, scheme, picture)
    assert not are_alike(picture, committed, drawn)


def test_the_measure_tells_pictures_apart() -> None:
    for count in COUNTS:
        drawn = timeline_of(count).to_svg()
        every = [COMMITTED / f"{count}-{scheme}.png" for scheme in SCHEMES]
        for one, other in itertools.product(every, repeat=2):
            assert are_alike(one, other, drawn) == (one == other), (one.name, other.name)


def test_what_a_killed_process_held_ends_where_the_usage_falls() -> None:
    """A machine that is busy reaps it late; it has given its memory back by then."""
    base = {"source": "memoom", "group": "/one"}
    usage = [(10, 80 << 20), (30, 80 << 20), (40, 41 << 20), (90, 41 << 20)]
    events = [
        *({**base, "time_ns": at, "kind": "usage", "usage_bytes": count} for at, count in usage),
        *({**base, "time_ns": 11, "kind": "share", "pid": pid, "rss_bytes": 40 << 20, "comm": "a"} for pid in (1, 2)),
        {**base, "time_ns": 20, "kind": "victim", "pid": 1, "comm": "a"},
        {**base, "time_ns": 80, "kind": "exited", "pid": 1, "returncode": -9},
    ]
    (series,) = series_of(timeline(sorted(events, key=lambda event: int(str(event["time_ns"])))))
    dead, living = series.shares
    assert dead.points == [(11, 40 << 20), (40, 0), (80, 0)] and living.points == [(11, 40 << 20)]
