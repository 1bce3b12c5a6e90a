"""max and swap 30M each: 50M of anon split between memory and swap, 100M are killed."""

from conftest import MIB, PATIENCE, grow, near, until

import memoom


def is_taken(group: memoom.Group, size: int) -> bool:
    """Whether a group takes so much in all. A page on its way to swap stands in both counters; of these the statistics
    tell, late, and before 5.12 not at all: then it may be any of what is in memory."""
    both, swap = group.stat.get("swapcached"), group.swap_usage_bytes or 0
    memory = group.usage_bytes
    if both is None:
        return near(memory + swap, size, 5) or swap <= size < memory + swap
    return near(memory + swap - both, size, 5)


def test_swap_max_peak(lab: memoom.Lab) -> None:
    splits = lab.group("splits", limit="30M", swap="30M")
    assert grow(splits.hog("splits"), "50M") == "grew"
    memory, swap = splits.usage_bytes, splits.swap_usage_bytes
    assert swap is not None
    assert max(memory, swap) <= 30 * MIB
    assert until(lambda: is_taken(splits, 50 * MIB))
    assert splits.counters.oom_kill == 0
    dies = lab.group("dies", limit="30M", swap="30M")
    eats = dies.hog("eats")
    assert grow(eats, "100M") == "killed"
    assert eats.wait(PATIENCE).oom_killed
    # A page that reaches the swap while the kernel decides makes room: it goes back, and declares another OOM later.
    assert dies.counters.oom_kill == 1
    assert (dies.counters.oom or 0) >= 1
