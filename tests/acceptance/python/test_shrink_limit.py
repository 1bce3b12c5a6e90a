"""Shrinking a v1 limit below what cannot be reclaimed returns (EBUSY), and 40 processes start under a small limit."""

import pytest
from conftest import MIB, PATIENCE, grow

import memoom

FORKS = "i=0; while [ $i -lt 40 ]; do sleep 0 & i=$((i + 1)); done; wait"


def test_shrink_limit(lab: memoom.Lab) -> None:
    group = lab.group("shrink", limit="32M")
    holds = group.hog("holds")
    assert grow(holds, "16M") == "grew"
    with pytest.raises(memoom.BusyError):
        group.set_limit("8M")
    assert group.limit == 32 * MIB
    assert not holds.ended
    assert group.counters.oom_kill == 0
    many = lab.group("many", limit="24M")
    assert many.command(["/bin/sh", "-c", FORKS]).wait(PATIENCE).verdict == "exited"
    many.remove()
