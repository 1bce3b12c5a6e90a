"""``memoom.fit`` and ``memoom fit``: the least limit of programs whose need is known."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import memoom

MIB = 1 << 20
HOLDS = "held = bytearray({0} << 20)\nfor at in range(0, len(held), 4096): held[at] = 1"


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "memoom", "fit", *arguments], capture_output=True, text=True)


@pytest.mark.usefixtures("needs_lab")
def test_the_least_limit_is_found() -> None:
    fitted = memoom.fit([sys.executable, "-S", "-c", HOLDS.format(40)], most="512M")
    assert fitted.limit_bytes is not None and fitted.failed_bytes is not None
    assert 40 * MIB < fitted.limit_bytes < 64 * MIB
    assert fitted.limit_bytes - fitted.failed_bytes <= fitted.limit_bytes // 50 + 4096
    assert len(fitted.runs) <= 12 and fitted.runs[0].limit_bytes == 512 * MIB and fitted.runs[0].passed
    assert "It passes under" in str(fitted)


@pytest.mark.usefixtures("needs_lab")
def test_the_command_gives_the_answer_as_text_and_json() -> None:
    done = cli("--most", "256M", "--json", "--", sys.executable, "-S", "-c", HOLDS.format(20))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "memoom.fit/1" and 20 * MIB < document["limit_bytes"] < 40 * MIB
    done = cli("--most", "64M", "--runs", "2", "sh", "-c", "exit 4")
    assert done.returncode == 1 and "exit status 4" in done.stdout
    done = cli("--most", "64M", "--check", "false", "true")
    assert done.returncode == 1 and "the check ended with 1" in done.stdout


@pytest.mark.usefixtures("needs_lab")
def test_the_runs_are_drawn(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    for _ in range(2):  # the second one takes the place of the first
        done = cli("--most", "64M", "--runs", "3", "--plot", str(plot), "--", sys.executable, "-S", "-c", "pass")
        assert done.returncode == 0, done.stderr
    drawn = ElementTree.parse(plot)
    titles = [title.text or "" for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == "time under each limit" and sum(": " in title for title in titles) >= 2
    mine = tmp_path / "mine.svg"
    mine.write_text("<svg>mine</svg>")
    done = cli("--plot", str(mine), "true")
    assert (
        done.returncode == 125 and "is no plot of memoom fit" in done.stderr and mine.read_text().endswith("mine</svg>")
    )


def test_what_cannot_be_is_refused() -> None:
    for arguments in ([], ["--runs", "0", "true"], ["--within", "nan", "true"], ["--timeout", "-1", "true"]):
        done = cli(*arguments)
        assert done.returncode == 125 and "memoom fit:" in done.stderr, arguments
