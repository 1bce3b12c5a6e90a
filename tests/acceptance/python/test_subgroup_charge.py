"""What is charged to a group is charged to those above it, and to nobody else: a new child begins at 0."""

from collections.abc import Callable

from conftest import MIB, PATIENCE, grow, near_usage, until

import memoom


def test_subgroup_charge(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    parent = lab.group("parent", limit="64M")
    own = 0
    # Only on v1 may a group with children have processes of its own.
    if expect("inner_processes"):
        own = 8 * MIB
        assert grow(parent.hog("own"), "8M") == "grew"
    one = parent.child("one", limit="32M")
    assert one.usage_bytes == 0
    first = one.hog("first")
    assert grow(first, "16M") == "grew"
    assert near_usage(one, 16 * MIB, 3)
    assert near_usage(parent, own + 16 * MIB, 5)
    assert grow(parent.child("two", limit="32M").hog("second"), "16M") == "grew"
    assert near_usage(one, 16 * MIB, 3)
    assert near_usage(parent, own + 32 * MIB, 5)
    first.kill()
    assert first.wait(PATIENCE).verdict == "killed"
    assert until(lambda: near_usage(parent, own + 16 * MIB, 10)), parent.usage_bytes
