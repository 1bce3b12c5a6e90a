"""A limit, and one with a little swap, against anonymous, locked and mergeable memory: SIGKILL or ENOMEM is the end."""

import sys
from collections.abc import Callable

from conftest import MIB, PATIENCE

import memoom

# Memory that the kernel may merge (KSM): all pages are alike.
MERGEABLE = """
import mmap
memory = mmap.mmap(-1, 128 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_MERGEABLE)
for at in range(0, len(memory), 1 << 20):
    memory[at : at + (1 << 20)] = b"K" * (1 << 20)
raise SystemExit(3)
"""


def test_oom03(lab: memoom.Lab, expect: Callable[[str], int]) -> None:
    for swap in ("0", "1M") if expect("swap_accounting") else ("0",):
        for kind in ("anon", "mlock", "mergeable") if expect("ksm") else ("anon", "mlock"):
            group = lab.group(f"{kind}-{swap}", limit="32M", swap=swap)
            worker: memoom.Worker
            if kind == "mergeable":
                worker = group.command([sys.executable, "-I", "-S", "-c", MERGEABLE])
            else:
                hog = group.hog("eats", kind="mlock" if kind == "mlock" else "anon")
                assert hog.grow("128M", timeout=PATIENCE).status == "killed"
                worker = hog
            outcome = worker.wait(PATIENCE)
            assert outcome.oom_killed or outcome.returncode == 0, (kind, swap, outcome)
            assert group.usage_bytes <= 32 * MIB
