"""memory.stat follows each kind of memory up and down, and what is no anonymous memory is not counted as such."""

from collections.abc import Callable
from typing import Literal, get_args

from conftest import AHEAD, MIB, PATIENCE, grow, near, near_usage, until

import memoom

Kind = Literal["anon", "mlock", "shmem", "file"]
KEYS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "anon": {"v1": ("rss",), "v2": ("anon",)},
    "mlock": {"v1": ("unevictable",), "v2": ("unevictable",)},
    "shmem": {"v1": ("cache", "mapped_file"), "v2": ("shmem", "file_mapped")},
    "file": {"v1": ("cache",), "v2": ("file",)},
}


def test_stat(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    anonymous = "rss" if lab.hierarchy == "v1" else "anon"
    kind: Kind
    for kind in get_args(Kind):
        group = lab.group(kind, limit="64M")
        hog = group.hog("takes", kind=kind, pattern="read" if kind == "file" else "write")
        assert grow(hog, "16M") == "grew"
        for key in KEYS[kind][lab.hierarchy]:
            assert until(lambda: near(group.stat[key], 16 * MIB, 5)), (kind, key, group.stat[key])  # noqa: B023
        assert near_usage(group, 16 * MIB, 5)
        assert (group.stat[anonymous] > 8 * MIB) == (kind in ("anon", "mlock"))
        if kind == "file":
            continue
        assert hog.shrink("16M", timeout=PATIENCE) == 16 * MIB
        for key in KEYS[kind][lab.hierarchy]:
            assert until(lambda: group.stat[key] < MIB), (kind, key, group.stat[key])  # noqa: B023
        assert group.usage_bytes < 2 * MIB + AHEAD
    child = lab.group("parent", limit="24M").child("child", limit="48M")
    if lab.hierarchy == "v1":
        assert child.stat["hierarchical_memory_limit"] == 24 * MIB
    if expect("hierarchical_memsw"):
        assert child.stat["hierarchical_memsw_limit"] == 24 * MIB
