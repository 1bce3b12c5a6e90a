"""failcnt and max_usage rise at the limit and are reset; force_empty takes the page cache back."""

from collections.abc import Callable

from conftest import MIB, grow

import memoom


def test_failcnt(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    group = lab.group(limit="30M")
    # With an equal limit for memory+swap that one fails first, and newer kernels count that nowhere.
    if expect("swap_accounting"):
        group.set_swap("max")
    reads = group.hog("reads", kind="file", pattern="read")
    assert grow(reads, "60M") == "grew"
    assert (group.counters.failcnt or 0) > 0
    peak = group.open_peak()
    # Page cache comes in pieces of up to 2M, and one that does not fit is not counted.
    assert 27 * MIB < peak.bytes <= 30 * MIB
    group.force_empty()
    assert group.usage_bytes < 4 * MIB
    group.reset_failcnt()
    assert group.counters.failcnt == 0
    peak.reset()
    assert peak.bytes < 4 * MIB
