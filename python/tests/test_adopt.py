"""A group that somebody else keeps, borrowed: from Python, in a `with`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import memoom

LIMIT = {"v1": "memory.limit_in_bytes", "v2": "memory.max"}


@pytest.fixture
def given(needs_lab: None) -> Iterator[Path]:
    """A group that no lab has made, where the machine lets it be made."""
    host = memoom.Host.probe()
    assert host.mount is not None and host.version is not None
    path = Path(host.mount) / f"given-python-{os.getpid()}"
    path.mkdir()
    if not (path / LIMIT[host.version]).exists():
        path.rmdir()
        pytest.skip("the top does not give its groups the memory controller")
    (path / LIMIT[host.version]).write_text(str(256 << 20))
    yield path
    path.rmdir()


def test_a_given_group_is_borrowed_and_put_back(given: Path) -> None:
    host = memoom.Host.probe()
    file = given / LIMIT[host.version]
    with pytest.raises(PermissionError, match="not delegated"):
        memoom.Group.adopt(given)
    with memoom.Group.adopt(given, forced=True) as group:
        assert group.adopted
        group.set_limit("32M")
        assert file.read_text().strip() == str(32 << 20)
        hog = group.hog("pressing")
        while (grow := hog.grow(timeout=30)).status == "grew":
            pass
        assert grow.status == "killed"
        with pytest.raises(ValueError, match="only be lowered"):
            group.set_limit("1G")
        with pytest.raises(ValueError, match="only borrowed"):
            group.kill()
    assert file.read_text().strip() == str(256 << 20)
    assert (given / "cgroup.procs").read_text() == ""
    with pytest.raises(ValueError, match="not adopted"):
        memoom.Group.open(given).give_back()
