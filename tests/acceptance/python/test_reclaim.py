"""memory.reclaim takes a group of 50M of file and anon down to 30M, and says so where it finds less."""

from conftest import MIB, grow

import memoom


def test_reclaim(lab: memoom.Lab) -> None:
    group = lab.group(limit="200M")
    holds, reads = group.hog("holds"), group.hog("reads", kind="file", pattern="read")
    assert (grow(holds, "10M"), grow(reads, "50M")) == ("grew", "grew")
    # The kernel may be some pages off, and dirty pages have to be written first: it is asked for what is left.
    for _ in range(50):
        if group.usage_bytes <= 30 * MIB:
            break
        group.reclaim(group.usage_bytes - 30 * MIB)
    assert 10 * MIB <= group.usage_bytes <= 30 * MIB
    assert not group.reclaim("512M")
    assert not holds.ended
    assert group.counters.oom_kill == 0
