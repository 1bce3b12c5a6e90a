"""A watch ends cleanly when its group is removed."""

import pytest
from conftest import PATIENCE, grow

import memoom


def test_delete_events(lab: memoom.Lab) -> None:
    group = lab.group(limit="30M")
    with group.watch() as watch:
        eats = group.hog("eats")
        assert grow(eats, "60M") == "killed"
        eats.wait(PATIENCE)
        group.remove()
        kinds = []
        while (event := watch.next(timeout=1)) is not None:
            kinds.append(event.kind)
        assert kinds.count("removed") <= 1
        assert watch.next(timeout=0) is None
    with pytest.raises(memoom.NotFoundError):
        group.usage_bytes  # noqa: B018 - reading it is the test
