"""What the acceptance tests share: a lab, hogs, and the numbers of expected.toml for this case on this kernel."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from mmap import PAGESIZE
from pathlib import Path

import pytest

import memoom

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

MIB = 1 << 20
# By how much a group's usage may be ahead: the kernel charges 64 pages for each CPU in advance.
AHEAD = 64 * PAGESIZE * (os.cpu_count() or 1)
# Nothing takes so long, also under emulation.
PATIENCE = 120.0


@pytest.fixture
def lab() -> Iterator[memoom.Lab]:
    with memoom.Lab() as lab:
        yield lab


@pytest.fixture
def expect(request: pytest.FixtureRequest) -> Callable[[str], int]:
    """A number of the table; without the runner the features are probed here."""
    case = request.module.__name__.removeprefix("test_")
    given = os.environ.get("ACCEPTANCE_EXPECTED")
    if given is not None:
        numbers = json.loads(Path(given).read_text())[case]
    else:
        import features
        import table

        found = next(one for one in table.cases(features.probe()) if one.name == case)
        if found.absent:
            pytest.skip(found.absent)
        numbers = found.expect
    return lambda name: int(numbers[name])


def grow(hog: memoom.Hog, size: str) -> str:
    """One step; how it ended."""
    return str(hog.grow(size, timeout=PATIENCE).status)


def near(seen: int, expected: int, percent: int) -> bool:
    """Whether a number is within so many percent of another (of their sum, as the kernel's own tests have it)."""
    return abs(seen - expected) <= (seen + expected) // 100 * percent


def near_usage(group: memoom.Group, expected: int, percent: int) -> bool:
    """The same for the usage of a group: what is charged ahead comes on top of what is used, page tables and all."""
    usage = group.usage_bytes
    return near(usage - min(max(usage - expected, 0), AHEAD), expected, percent)


def until(holds: Callable[[], bool]) -> bool:
    """Whether something comes true that no call tells of; it is asked again and again, and given up after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
