"""high 30M: 31M of anon succeeds, 50M of file stays near 30M, high is counted, nobody is killed."""

from collections.abc import Callable

from conftest import MIB, grow, near

import memoom


def test_high(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    anon = lab.group("anon", limit="200M", high="30M")
    assert grow(anon.hog("anon"), "31M") == "grew"
    counters = anon.counters
    assert (counters.high or 0) > 0
    assert (counters.max, counters.oom_kill) == (0, 0)

    file = lab.group("file", limit="200M", high="30M")
    reads = file.hog("file", kind="file", pattern="read")
    assert grow(reads, "50M") == "grew"
    assert near(file.usage_bytes, 30 * MIB, expect("file_percent"))
    assert (file.counters.high or 0) > 0
    assert file.counters.oom_kill == 0
