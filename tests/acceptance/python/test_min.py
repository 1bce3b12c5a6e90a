"""What is below memory.min is not reclaimed, and under more pressure the one that wants it is killed."""

from conftest import MIB, PATIENCE, grow, near
from protection import Expect, Tree

import memoom


def test_min(lab: memoom.Lab, expect: Expect) -> None:
    tree = Tree(lab, "min")
    hog = tree.press(expect)
    assert grow(hog, "22M") == "killed"
    assert hog.wait(PATIENCE).oom_killed
    assert near(tree.b.usage_bytes, 50 * MIB, expect("b_percent"))
