"""The host is killed in the middle of each experiment: nothing is left of the lab."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import memoom

pytestmark = pytest.mark.usefixtures("needs_lab")

START = """
import memoom, sys, time
lab = memoom.Lab()
group = lab.group("g", limit="32M", **SWITCHES)
watch = group.watch()
a, b = (group.hog(name, step="4M") for name in ("alloc_memory_1", "alloc_memory_2"))
t = group.ticker("print_counter", 0.05)
def ready():
    print(lab.path, lab.name, lab.supervisor_pid, a.pid, b.pid, t.pid, flush=True)
    time.sleep(1000)
def step(until):
    while True:
        for hog in (a, b):
            if hog.grow(timeout=20).status == until or group.counters.oom_kill:
                return
"""
MIDDLE = {
    "growing": ("{}", "a.grow(timeout=20); ready()"),
    "killed": ("{}", "step('killed'); ready()"),
    "blocked": ("{'oom_killer': False}", "step('blocked'); ready()"),
    "resumed": ("{'oom_killer': False}", "step('blocked'); group.set_oom_killer(True); ready()"),
    "group-killed": ("{'oom_group': True}", "step('killed'); ready()"),
    "running-a-command": ("{}", "group.command(['sh', '-c', 'sleep 1000 & sleep 1000']); ready()"),
}
MARKS = {"blocked": [pytest.mark.v1], "resumed": [pytest.mark.v1], "group-killed": [pytest.mark.v2]}


def is_alive(pid: int) -> bool:
    """Whether it runs. The supervisor of a dead host is reaped by init, at whatever time init takes."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def left_of(path: Path, name: str, pids: list[int]) -> list[str]:
    left = [str(path)] if path.exists() else []
    left += [f"process {pid}" for pid in pids if is_alive(pid)]
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        left += [place for _ in [0] if os.path.exists(f"{place}/instances/{name}")]
    return left


@pytest.mark.parametrize("middle", [pytest.param(name, marks=MARKS.get(name, [])) for name in MIDDLE])
def test_nothing_is_left_of_a_killed_host(middle: str) -> None:
    switches, then = MIDDLE[middle]
    script = START.replace("SWITCHES", switches) + then
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        path, name, *pids = host.stdout.readline().split()
        assert Path(path).exists()
        host.kill()
        host.wait()
    deadline = time.monotonic() + 2.0
    while left := left_of(Path(path), name, [int(pid) for pid in pids]):
        # Nobody tells when a group goes that is somebody else's: it is looked at again until the deadline.
        assert time.monotonic() < deadline, left
        time.sleep(0.01)
    assert not any(name in one.path and not one.removed for one in memoom.gc())
