"""A limit of 10M without swap still runs true; of two groups only the one that grows dies."""

from conftest import PATIENCE, grow

import memoom


def test_small_true(lab: memoom.Lab) -> None:
    small = lab.group("small", limit="10M")
    assert small.command(["/bin/true"]).wait(PATIENCE).returncode == 0
    assert small.counters.oom_kill == 0
    grows, stands = lab.group("grows", limit="10M"), lab.group("stands", limit="10M")
    lives, eats = stands.hog("lives"), grows.hog("eats")
    assert grow(lives, "4M") == "grew"
    assert grow(eats, "40M") == "killed"
    assert eats.wait(PATIENCE).oom_killed
    assert not lives.ended
    assert (grows.counters.oom_kill, stands.counters.oom_kill) == (1, 0)
