"""max 30M, 100M of anon: killed, nobody left, oom_kill 1, oom at least 1."""

from conftest import PATIENCE, grow

import memoom


def test_oom_events(lab: memoom.Lab) -> None:
    group = lab.group(limit="30M")
    eats = group.hog("eats")
    assert grow(eats, "100M") == "killed"
    assert eats.wait(PATIENCE).oom_killed
    assert group.processes == []
    assert group.counters.oom_kill == 1
    assert (group.counters.oom or 0) >= 1
