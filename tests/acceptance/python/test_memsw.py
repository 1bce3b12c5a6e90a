"""v1 limits of memory+swap: kept to pages and above the limit of memory; each kind of memory is killed at 2M."""

import errno
from collections.abc import Callable
from mmap import PAGESIZE
from typing import Literal, get_args

import pytest
from conftest import MIB, PATIENCE, grow, near

import memoom

Kind = Literal["anon", "mlock", "populate", "shmem"]


def test_memsw(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    rules = lab.group("rules", limit="4M")
    memsw = rules.path / "memory.memsw.limit_in_bytes"
    rules.set_swap(3 * PAGESIZE + 100)
    assert int(memsw.read_text()) == 4 * MIB + 3 * PAGESIZE
    for refused in ("2M", "1xx", "1.0"):
        with pytest.raises(OSError, match="") as raised:
            memsw.write_text(refused)
        assert raised.value.errno == errno.EINVAL
    rules.set_limit("8M")
    assert rules.swap == 3 * PAGESIZE
    rules.set_swap("max")
    assert rules.swap is None
    kind: Kind
    for kind in get_args(Kind):
        eats = lab.group(kind, limit="2M", swap=0).hog("eats", kind=kind)
        assert grow(eats, "8M") == "killed", kind
        assert eats.wait(PATIENCE).oom_killed
    if not expect("swap"):
        return
    group = lab.group("swaps", limit="30M", swap="30M")
    eats = group.hog("eats")
    assert grow(eats, "50M") == "grew"
    both = int((group.path / "memory.memsw.usage_in_bytes").read_text())
    assert near(both, 50 * MIB, 5)
    assert group.usage_bytes <= 30 * MIB
    assert (group.swap_usage_bytes or 0) >= 18 * MIB
    assert grow(eats, "50M") == "killed"
    assert eats.wait(PATIENCE).oom_killed
    assert int((group.path / "memory.memsw.max_usage_in_bytes").read_text()) > 55 * MIB
