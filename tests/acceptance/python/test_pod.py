"""What a pod shows: one process is killed; a child of a process is killed and the process goes on."""

from conftest import PATIENCE

import memoom

EATS = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"


def test_pod(lab: memoom.Lab) -> None:
    single = lab.group("single", limit="16M").command(["/bin/sh", "-c", EATS])
    assert single.wait(PATIENCE).oom_killed
    group = lab.group("parent", limit="16M")
    with group.watch() as watch:
        parent = group.command(["/bin/sh", "-c", f"sh -c '{EATS}'; test $? -eq 137"])
        outcome = parent.wait(PATIENCE)
        assert (outcome.verdict, outcome.returncode) == ("exited", 0)
        oom = watch.wait_oom(PATIENCE)
    assert oom is not None
    assert not oom.killed(parent.pid)
