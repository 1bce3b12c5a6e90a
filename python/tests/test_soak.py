"""Cycles of kills and other ends from Python: right verdicts, one account a kill, and nothing that grows.

MEMOOM_SOAK_CYCLES says how many (24); `make soak` prints the figures.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import PATIENCE

import memoom

pytestmark = pytest.mark.usefixtures("needs_lab")

CYCLES = int(os.environ.get("MEMOOM_SOAK_CYCLES", "24"))
KIB_A_PAGE = os.sysconf("SC_PAGESIZE") // 1024


def size(pid: int) -> tuple[int, int]:
    """Resident KiB and open descriptors of a process."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * KIB_A_PAGE
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


def killed_hog(group: memoom.Group, watch: memoom.Watch) -> tuple[int, int]:
    """A hog that is killed at the limit; how many predictions were certain, and how many of them right."""
    hog = group.hog()
    while hog.grow("4M", PATIENCE).status == "grew":
        pass
    outcome = hog.wait(PATIENCE)
    assert outcome.verdict == "oom-killed", outcome
    oom = watch.wait_oom(PATIENCE)
    assert oom is not None and [victim.pid for victim in oom.victims] == [hog.pid], oom
    if oom.predicted is None or not oom.predicted.determined:
        return 0, 0
    return 1, int(oom.predicted_right is True)


def killed_child(group: memoom.Group, watch: memoom.Watch) -> None:
    """A command whose child is killed: it ends by itself."""
    eats = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"
    # The outer shell would say of each child that it was killed.
    outcome = group.command(["sh", "-c", f"sh -c '{eats}'; exit 3"], stderr=subprocess.DEVNULL).wait(PATIENCE)
    assert (outcome.verdict, outcome.returncode, len(outcome.ooms)) == ("exited", 3, 1), outcome
    oom = watch.wait_oom(PATIENCE)
    # Nobody who ended before is taken for the child.
    assert oom is not None and all(victim.comm == "sh" for victim in oom.victims), oom


def leaks(samples: list[tuple[int, int]]) -> tuple[list[str], str]:
    """What grows over the last half of the samples, and the most of its two parts."""
    middle, last = len(samples) // 2, len(samples) * 3 // 4
    (rss, files), (rss_late, files_late) = (
        tuple(map(max, zip(*part, strict=True))) for part in (samples[middle:last], samples[last:])
    )
    found = ["memory"] if rss_late > rss + 2048 + rss // 20 else []
    found += ["descriptors"] if files_late > files + 8 else []
    return found, f"{rss} then {rss_late} KiB resident, {files} then {files_late} descriptors"


def test_a_leak_is_found() -> None:
    assert leaks([(5000, 20)] * 1000)[0] == []
    assert leaks([(5000 + 20 * at, 20) for at in range(1000)])[0] == ["memory"]
    assert leaks([(5000, 20 + at // 10) for at in range(1000)])[0] == ["descriptors"]


@pytest.mark.parametrize("evidence", [True, False], ids=["with evidence", "without evidence"])
def test_soak(evidence: bool) -> None:
    certain = right = kills = 0
    hosts: list[tuple[int, int]] = []
    helpers: list[tuple[int, int]] = []
    # Of a short run what the lab keeps must be full before its middle, as of a long one.
    keep = {"keep_events": min(16_384, CYCLES * 8), "keep_ooms": min(512, CYCLES // 6 + 1)}
    with memoom.Lab(kernel_log=evidence, call_path=evidence, **keep) as lab:
        for cycle in range(CYCLES):
            group = lab.group("cycle", limit="16M")
            with group.watch() as watch:
                match cycle % 4:
                    case 0:
                        made, held = killed_hog(group, watch)
                        certain, right, kills = certain + made, right + held, kills + 1
                    case 1:
                        assert group.command(["true"]).wait(PATIENCE).verdict == "exited"
                    case 2:
                        worker = group.command(["sleep", "1000"])
                        worker.signal(signal.SIGKILL)
                        assert worker.wait(PATIENCE).verdict == "killed"
                    case _:
                        killed_child(group, watch)
                        kills += 1
                assert watch.wait_oom(0) is None
            group.remove()
            hosts.append(size(os.getpid()))
            helpers.append(size(lab.supervisor_pid))
        assert right == certain
    for who, samples in (("host", hosts), ("supervisor", helpers)):
        found, figures = leaks(samples)
        print(f"{who}: {figures}")
        assert found == [], f"{who}: {samples}"
    print(f"{CYCLES} cycles: {kills} kills, {right} of {certain} certain predictions right")
