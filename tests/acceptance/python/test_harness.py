"""One dd bs=1000M under 100M, by the one call that does it all: killed, and the harness itself survives."""

import memoom

DD = ["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=1000M", "count=1", "status=none"]


def test_harness() -> None:
    outcome = memoom.run(DD, limit="100M")
    assert outcome.oom_killed
    assert outcome.returncode == -9
