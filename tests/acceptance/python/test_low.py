"""What is below memory.low is reclaimed last: under more pressure nobody is killed, and the breach is counted."""

from conftest import grow
from protection import Expect, Tree

import memoom


def test_low(lab: memoom.Lab, expect: Expect) -> None:
    tree = Tree(lab, "low")
    assert grow(tree.press(expect), "18M") == "grew"
    assert (tree.c.counters.low or 0) > 0
    assert (tree.d.counters.low or 0) > 0
    assert tree.f.counters.low == 0
