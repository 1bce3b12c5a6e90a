"""An ancestor's limit kills a process of a child."""

from conftest import PATIENCE, grow

import memoom


def test_use_hierarchy(lab: memoom.Lab) -> None:
    top = lab.group(limit="30M")
    child = top.child("child")
    with child.watch() as watch:
        eats = child.hog("eats")
        assert grow(eats, "60M") == "killed"
        assert eats.wait(PATIENCE).oom_killed
        oom = watch.wait_oom(PATIENCE)
    assert oom is not None
    assert oom.limit_group == top.cgroup
