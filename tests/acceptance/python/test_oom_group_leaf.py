"""A child of 50M with oom.group: its tickers and its hog die, a hog of 60M beside it lives."""

from collections.abc import Callable

from conftest import PATIENCE, grow

import memoom


def test_oom_group_leaf(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    top = lab.group(limit="200M")
    child = top.child("child", limit="50M", oom_group=True)
    lives = top.child("beside").hog("lives")
    assert grow(lives, "60M") == "grew"
    die = [child.ticker("one"), child.ticker("two"), child.hog("eats")]
    assert grow(die[-1], "100M") == "killed"  # type: ignore[arg-type]
    assert all(worker.wait(PATIENCE).oom_killed for worker in die)
    assert child.processes == []
    assert not lives.ended
    assert (child.counters.oom_kill or 0) > 0
    assert ((top.counters.oom_kill or 0) > 0) == bool(expect("parent_counts"))
