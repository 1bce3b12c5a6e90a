"""A parent of 80M with oom.group, a hog in its child: both levels are emptied."""

from conftest import PATIENCE, grow

import memoom


def test_oom_group_parent(lab: memoom.Lab) -> None:
    parent = lab.group(limit="80M", oom_group=True)
    child, beside = parent.child("child"), parent.child("beside")
    others = [beside.ticker("waits"), child.ticker("sleeps")]
    eats = child.hog("eats")
    assert grow(eats, "100M") == "killed"
    assert all(worker.wait(PATIENCE).oom_killed for worker in [eats, *others])
    assert child.processes == beside.processes == []
