"""max 50M with oom.group: a hog and a ticker die, a process at -1000 survives."""

from pathlib import Path

from conftest import PATIENCE, grow, until

import memoom


def test_oom_group_score(lab: memoom.Lab) -> None:
    group = lab.group(limit="50M", oom_group=True)
    ticks, eats = group.ticker("ticks"), group.hog("eats")
    spared = group.command(["/bin/sleep", "600"], oom_score_adj=-1000)
    # While it starts it takes memory too, and may be the one that meets the limit.
    assert until(lambda: " (sleep) S " in Path(f"/proc/{spared.pid}/stat").read_text())
    assert grow(eats, "100M") == "killed"
    assert eats.wait(PATIENCE).oom_killed
    assert ticks.wait(PATIENCE).oom_killed
    assert not spared.ended
    assert group.processes == [spared.pid]
    # The counter counts events: twice who met the limit and is there until all are killed.
    assert group.counters.oom_kill == 3
