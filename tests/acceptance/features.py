"""What this kernel and machine have, tried in a lab; versions are never compared."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import memoom


def can(call: object) -> bool:
    """Whether a call works here; any other error than "unsupported" is one."""
    try:
        call()  # type: ignore[operator]
    except memoom.UnsupportedError:
        return False
    return True


def probe() -> dict[str, bool]:
    """Each feature by name, and whether it is there."""
    host = memoom.Host.probe()
    with memoom.Lab(kernel_log=False, call_path=False) as lab:
        group = lab.group("features", limit="64M")
        try:
            peak = group.open_peak()
        except memoom.UnsupportedError:
            peak = None
        has = {
            "v1": host.version == "v1",
            "v2": host.version == "v2",
            "peak": peak is not None,
            "peak-reset": peak is not None and can(peak.reset),
            "swap": host.swap_total_bytes > 0,
            "swap-accounting": can(lambda: group.swap),
            "psi": can(lambda: group.pressure),
            "memory_localevents": "memory_localevents" in Path("/proc/self/mounts").read_text(),
            "hugetlb": int(Path("/proc/sys/vm/nr_hugepages").read_text()) > 0,
            "numa": len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))) > 1,
            "memsw": (group.path / "memory.memsw.limit_in_bytes").exists(),
            "mempolicy": (group.path / "memory.numa_stat").exists(),
            "ksm": Path("/sys/kernel/mm/ksm").exists(),
            "cpuset": (lab.path / "cpuset.mems").exists(),
            "tcp": _hogs_work(group, "socket"),
            "negative-score": _can_lower_score(),
            "file": _hogs_work(group, "file"),
            "high-sync": host.version == "v2" and _high_is_synchronous(lab),
        }
        for name in ("memory.reclaim", "cgroup.kill", "cgroup.freeze", "memory.zswap.max", "memory.oom.group"):
            has[name] = (Path(group.path) / name).exists()
        events = Path(group.path) / "memory.events"
        has["oom_group_kill"] = events.exists() and "oom_group_kill" in events.read_text()
    return has


def _can_lower_score() -> bool:
    """Whether oom_score_adj may go below its start value (CAP_SYS_RESOURCE); put back at once."""
    path = Path("/proc/self/oom_score_adj")
    before = path.read_text()
    try:
        path.write_text("-1000")
    except PermissionError:
        return False
    path.write_text(before)
    return True


def _hogs_work(group: memoom.Group, kind: Literal["file", "socket"]) -> bool:
    try:
        hog = group.hog("probe", kind=kind)
    except memoom.MemoomError:
        return False
    try:
        return hog.grow("1M", timeout=60).status == "grew"
    finally:
        hog.kill()
        hog.wait(60)


def _high_is_synchronous(lab: memoom.Lab) -> bool:
    """Whether a long system call is held above memory.high while it lasts: high is counted within it."""
    group = lab.group("high", limit="48M", high="16M")
    hog = group.hog("probe", kind="mlock")
    try:
        hog.grow("60M", timeout=0.1)
        return False
    except memoom.TimedOutError:
        pass
    # Either the call goes on and is held, or it meets the limit; nothing else can come of it.
    while (group.counters.high or 0) < 3:
        try:
            hog.finish(timeout=0.1)
            return False
        except memoom.TimedOutError:
            pass
    hog.kill()
    hog.wait(60)
    return True
