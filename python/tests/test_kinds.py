"""The kinds of memory that a hog takes, and how it touches them."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import PATIENCE

import memoom

MIB = 1 << 20
KINDS: tuple[Any, ...] = (
    "anon",
    "anon-thp",
    "file",
    "shmem",
    "tmpfs",
    "memfd",
    "mlock",
    "populate",
    "hugetlb",
    "any-fastest",
)
PATTERNS: tuple[Any, ...] = ("write", "read", "random", "hot", "zeroes", "incompressible")


@pytest.mark.parametrize("kind", KINDS)
def test_steps_of_every_kind(lab: memoom.Lab, kind: Any) -> None:
    group = lab.group(limit="64M")
    try:
        hog = group.hog(kind=kind, step="6M")
    except memoom.UnsupportedError as error:
        # What this machine lacks is said, and what helps; nothing was started.
        assert "remedy" in str(error)
        assert group.processes == []
        return
    assert (hog.kind, hog.pattern) == (kind, "write")
    grow = hog.grow(timeout=PATIENCE)
    assert (grow.status, grow.step_bytes, grow.taken_bytes, grow.errno) == ("grew", 6 * MIB, 6 * MIB, None)
    assert hog.shrink("2M", timeout=PATIENCE) == 2 * MIB
    assert hog.grow("4M", timeout=PATIENCE).total_bytes == hog.total_bytes == 8 * MIB


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(lab: memoom.Lab, pattern: Any) -> None:
    hog = lab.group(limit="64M").hog(kind="shmem", pattern=pattern)
    assert hog.pattern == pattern
    assert hog.grow("6M", timeout=PATIENCE).taken_bytes == 6 * MIB


def test_the_names_are_those_of_the_core(lab: memoom.Lab) -> None:
    group = lab.group(limit="64M")
    with pytest.raises(memoom.InvalidInputError) as caught:
        group.hog(kind="gold")  # type: ignore[arg-type]
    assert str(caught.value).endswith("use one of " + ", ".join(KINDS))
    with pytest.raises(memoom.InvalidInputError) as caught:
        group.hog(pattern="slow")  # type: ignore[arg-type]
    assert str(caught.value).endswith("use one of " + ", ".join(PATTERNS))
    with pytest.raises(memoom.InvalidInputError, match="never written takes none"):
        group.hog(pattern="read")
    with pytest.raises(memoom.InvalidInputError, match="only a hog of the kind file"):
        group.hog(directory="/tmp")
    with pytest.raises(memoom.UnsupportedError, match="page cache"):
        group.hog(kind="file", directory="/dev/shm")
