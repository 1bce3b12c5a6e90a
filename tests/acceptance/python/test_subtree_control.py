"""A child has the memory controller's files only if its parent hands the controller on."""

from pathlib import Path

import memoom


def test_subtree_control(lab: memoom.Lab) -> None:
    top = lab.group(limit="64M")
    # Made by hand before memoom has handed the controller on, and then again.
    bare = Path(top.path) / "bare"
    bare.mkdir()
    assert not (bare / "memory.current").exists()
    child = top.child("child")
    assert (Path(child.path) / "memory.current").exists()
    assert (bare / "memory.current").exists()
    bare.rmdir()
