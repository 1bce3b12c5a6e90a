"""max 30M: 50M of file is capped, 100M of anon is killed, max is counted."""

from conftest import MIB, PATIENCE, grow, near

import memoom


def test_max(lab: memoom.Lab) -> None:
    group = lab.group(limit="30M")
    reads = group.hog("reads", kind="file", pattern="read")
    assert grow(reads, "50M") == "grew"
    assert group.usage_bytes <= 30 * MIB
    assert near(group.usage_bytes, 30 * MIB, 5)
    assert group.counters.oom_kill == 0
    eats = group.hog("eats")
    assert grow(eats, "100M") == "killed"
    assert eats.wait(PATIENCE).oom_killed
    assert (group.counters.max or 0) > 0
