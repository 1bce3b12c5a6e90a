"""Usage and peak begin at 0, follow 50M of anon and 50M of file; a reset of the peak counts for one mark only."""

from collections.abc import Callable

from conftest import MIB, PATIENCE, grow, near

import memoom


def test_current_peak(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    group = lab.group(limit="200M")
    assert group.usage_bytes == 0
    anon = group.hog("anon")
    assert grow(anon, "50M") == "grew"
    assert near(group.usage_bytes, 50 * MIB, expect("anon_percent"))
    marks = [group.open_peak(), group.open_peak()] if expect("peak") else []
    assert all(mark.bytes >= 50 * MIB for mark in marks)
    anon.kill()
    anon.wait(PATIENCE)
    if expect("resets"):
        marks[0].reset()
        assert marks[0].bytes < 25 * MIB
        # v2 has a mark for each open file, v1 one for all.
        assert (marks[1].bytes >= 50 * MIB) == (group.hierarchy == "v2")
    file = group.hog("file", kind="file", pattern="read")
    assert grow(file, "50M") == "grew"
    assert near(group.usage_bytes, 50 * MIB, expect("file_percent"))
