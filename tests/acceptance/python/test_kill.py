"""A group, a tree of groups and a fork storm are ended at once."""

from conftest import PATIENCE

import memoom

# Each process starts two, six times over: it is killed in the midst of it.
STORM = "f() { [ $1 -eq 0 ] && exec sleep 600; f $(($1 - 1)) & f $(($1 - 1)) & wait; }; f 6"


def ended(group: memoom.Group, worker: memoom.Worker) -> None:
    group.kill()
    assert worker.wait(PATIENCE).verdict == "killed"
    # It waits until the kernel has let go of the last.
    group.remove()


def test_kill(lab: memoom.Lab) -> None:
    simple = lab.group("simple", limit="64M")
    ended(simple, simple.ticker())

    top = lab.group("tree", limit="64M")
    two = top.child("a").child("b").ticker()
    top.kill()
    assert two.wait(PATIENCE).verdict == "killed"

    stormy = lab.group("storm", limit="256M")
    storm = stormy.command(["/bin/sh", "-c", STORM])
    while len(stormy.processes) < 20 and not storm.ended:
        pass
    ended(stormy, storm)
