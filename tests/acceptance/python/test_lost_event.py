"""The OOM is seen and accounted for even when the group is emptied and removed at once after the kill."""

from conftest import PATIENCE

import memoom

DD = ["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1", "status=none"]


def test_lost_event(lab: memoom.Lab) -> None:
    group = lab.group(limit="15M")
    with group.watch() as watch:
        worker = group.command(DD)
        outcome = worker.wait(PATIENCE)
        group.remove()
        assert outcome.oom_killed
        oom = watch.wait_oom(PATIENCE)
        assert oom is not None
        assert oom.killed(worker.pid)
        assert watch.wait_oom(0) is None
