"""v1 limits: rounded to pages, none by -1, nonsense refused; each kind of memory is killed at 2M, page cache is not."""

from mmap import PAGESIZE

import pytest
from conftest import PATIENCE, grow

import memoom


def test_limit_in_bytes(lab: memoom.Lab) -> None:
    empty = lab.group("empty", limit="max")
    for given, shown in ((3 * PAGESIZE + 100, 3 * PAGESIZE), ("max", None), (0, 0)):
        empty.set_limit(given)
        assert empty.limit == shown
    with pytest.raises(memoom.InvalidInputError):
        empty.hog("none")
    for nonsense in ("1.0", "1xx", "xx", ""):
        with pytest.raises(memoom.InvalidInputError):
            empty.set_limit(nonsense)
    for kind in ("anon", "mlock", "populate", "shmem"):
        eats = lab.group(kind, limit="2M").hog("eats", kind=kind)
        assert grow(eats, "8M") == "killed", kind
        assert eats.wait(PATIENCE).oom_killed
    assert grow(lab.group("file", limit="4M").hog("reads", kind="file", pattern="read"), "8M") == "grew"
