"""A killer that runs beside the trial as a program of its own: earlyoom, which looks at the whole machine.

It is told to act where the machine has nine tenths of the limit less available than at the start, so that the limit is
to it what it is to the kernel. It kills by the machine's `oom_score`; the hogs have an `oom_score_adj` of 1000, so that
they stand before anybody else, in the order of their size.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator

from .._errors import MemoomError
from .plan import Plan, Policy

__all__ = ["SCORE", "running"]

# So a hog is chosen before any process that is not such a hog.
SCORE = 1000
_ACTS_AT = 0.9


@contextlib.contextmanager
def running(plan: Plan, policy: Policy) -> Iterator[None]:
    """Runs the killer of a policy while it is entered; for most there is none."""
    if policy.built_in != "earlyoom":
        yield
        return
    least = (_available() - round(_ACTS_AT * plan.limit)) >> 10
    if least <= 0:
        raise MemoomError("policy: the machine has less memory available than the limit; remedy: lower the limit")
    # SIGKILL at once, whatever the swap.
    argv = [str(shutil.which("earlyoom")), "-M", f"{least},{least}", "-s", "100,100", "-r", "0"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as killer:
        try:
            yield
            if killer.poll() is not None:
                assert killer.stderr is not None
                said = killer.stderr.read().decode(errors="replace").strip().splitlines()[-1:] or [""]
                raise MemoomError(f"policy: earlyoom ended with {killer.returncode}: {said[0]}")
        finally:
            killer.terminate()


def _available() -> int:
    """What the machine has available, as earlyoom reads it."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable:"))
