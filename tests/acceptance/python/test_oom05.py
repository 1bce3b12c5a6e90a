"""A limit against memory that is bound to one node, by a memory policy or a cpuset: the end is SIGKILL."""

import os
import re
import sys
from collections.abc import Callable

from conftest import MIB, PATIENCE, until

import memoom

# Takes so many MiB, under a memory policy where a mask of nodes is given, and stays. 2: MPOL_BIND.
TAKES = """
import ctypes, mmap, os, signal, sys
set_mempolicy = 238 if os.uname().machine == "x86_64" else 237
nodes, size = ctypes.c_ulong(int(sys.argv[1])), int(sys.argv[2]) << 20
if nodes.value and ctypes.CDLL(None).syscall(set_mempolicy, 2, ctypes.byref(nodes), 64) != 0:
    raise SystemExit(1)
memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, size, 1 << 20):
    memory[at : at + (1 << 20)] = b"M" * (1 << 20)
signal.pause()
"""


def on_node(group: memoom.Group, node: int) -> int:
    """Bytes of anonymous memory on a node: `anon N0=4096 N1=0` (v2), `anon=1 N0=1` in pages (v1)."""
    found = re.search(rf"^anon\b.* N{node}=(\d+)", (group.path / "memory.numa_stat").read_text(), re.MULTILINE)
    return int(found[1]) * (os.sysconf("SC_PAGE_SIZE") if group.hierarchy == "v1" else 1) if found else 0


def bound(group: memoom.Group, policy: int, node: int) -> None:
    def takes(size: int) -> memoom.Worker:
        return group.command([sys.executable, "-I", "-S", "-c", TAKES, str(policy), str(size)])

    holds = takes(16)
    # The count of 5.10 stays some pages below.
    assert until(lambda: on_node(group, node) >= 15 * MIB or holds.ended)
    assert on_node(group, node) >= 15 * MIB
    holds.kill()
    assert holds.wait(PATIENCE).verdict == "killed"
    assert takes(128).wait(PATIENCE).oom_killed
    assert group.counters.oom_kill == 1


def test_oom05(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    node = expect("nodes") - 1
    bound(lab.group("policy", limit="40M"), 1 << node, node)
    if expect("cpuset"):
        group = lab.group("set", limit="64M")
        (lab.path / "cgroup.subtree_control").write_text("+cpuset")
        (group.path / "cpuset.mems").write_text(str(node))
        bound(group.child("cpuset", limit="40M"), 0, node)
