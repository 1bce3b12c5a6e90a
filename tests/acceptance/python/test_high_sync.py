"""high 30M, max 140M: 200M in one system call are held near high within that call, and max is not met."""

from collections.abc import Callable

from conftest import MIB, PATIENCE, until

import memoom


def test_high_sync(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    group = lab.group(limit="140M", high="30M")
    takes = group.hog("takes", kind="mlock")
    step: memoom.Grow | None = None

    def goes_on() -> bool:
        nonlocal step
        try:
            step = takes.finish(timeout=0.2)
        except memoom.TimedOutError:
            return True
        return False

    # The step is slowed down without end, so it is looked at while it goes on.
    try:
        step = takes.grow("200M", timeout=0.2)
    except memoom.TimedOutError:
        until(lambda: not goes_on() or (group.counters.high or 0) >= 5)
    if expect("synchronous"):
        assert step is None
        counters = group.counters
        assert (counters.high or 0) >= 5
        assert (counters.max, counters.oom_kill) == (0, 0)
        assert group.usage_bytes < 140 * MIB
        takes.kill()
        assert takes.wait(PATIENCE).verdict == "killed"
    else:
        assert step is not None
        assert step.status == "killed"
        assert (group.counters.max or 0) > 0
        assert group.counters.oom_kill == 1
