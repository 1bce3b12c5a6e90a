"""max and swap 30M each: 50M of anon split between memory and swap, 100M are killed."""

from conftest import MIB, PATIENCE, grow, near

import memoom


def test_swap_max_peak(lab: memoom.Lab) -> None:
    splits = lab.group("splits", limit="30M", swap="30M")
    assert grow(splits.hog("splits"), "50M") == "grew"
    memory, swap = splits.usage_bytes, splits.swap_usage_bytes
    assert swap is not None
    assert max(memory, swap) <= 30 * MIB
    assert near(memory + swap, 50 * MIB, 5)
    assert splits.counters.oom_kill == 0
    dies = lab.group("dies", limit="30M", swap="30M")
    eats = dies.hog("eats")
    assert grow(eats, "100M") == "killed"
    assert eats.wait(PATIENCE).oom_killed
    assert (dies.counters.oom, dies.counters.oom_kill) == (1, 1)
