"""v1 usage and its highest mark, of memory and of memory+swap: both rise with what is taken, and the mark stays."""

from collections.abc import Callable

from conftest import MIB, PATIENCE, grow, near

import memoom


def test_usage(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    group = lab.group(limit="64M")
    kinds = ["", "memsw."] if expect("swap_accounting") else [""]

    def read(kind: str, what: str) -> int:
        return int((group.path / f"memory.{kind}{what}").read_text())

    takes = group.hog("takes")
    assert grow(takes, "16M") == "grew"
    assert all(near(read(kind, "usage_in_bytes"), 16 * MIB, 3) for kind in kinds)
    assert takes.shrink("12M", timeout=PATIENCE) == 12 * MIB
    for kind in kinds:
        assert read(kind, "usage_in_bytes") < 8 * MIB
        assert near(read(kind, "max_usage_in_bytes"), 16 * MIB, 3)
        (group.path / f"memory.{kind}max_usage_in_bytes").write_text("0")
        assert read(kind, "max_usage_in_bytes") < 8 * MIB
