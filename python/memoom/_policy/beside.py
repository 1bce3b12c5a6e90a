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
    machine = _meminfo()
    least = machine["MemAvailable"] - (round(_ACTS_AT * plan.limit) >> 10)
    if least <= 0:
        raise MemoomError("policy: the machine has less memory available than the limit; remedy: lower the limit")
    earlyoom = str(shutil.which("earlyoom"))
    acts = _told_as(least, machine, _shares_of_user_memory(earlyoom))
    # SIGKILL at once, whatever the swap.
    argv = [earlyoom, "-M", f"{acts},{acts}", "-s", "100,100", "-r", "0"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as killer:
        try:
            yield
            if killer.poll() is not None:
                assert killer.stderr is not None
                said = killer.stderr.read().decode(errors="replace").strip().splitlines()[-1:] or [""]
                raise MemoomError(f"policy: earlyoom ended with {killer.returncode}: {said[0]}")
        finally:
            killer.terminate()


def _meminfo() -> dict[str, int]:
    """What the machine has, in KiB, as earlyoom reads it."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in file)}


def _told_as(least: int, machine: dict[str, int], of_user_memory: bool) -> int:
    """How it is told to act at so many KiB available.

    From 1.8 it makes of them a share of all memory, and then looks at which share of what processes can have is
    available. That is less memory, so it would act late, or never.
    """
    if not of_user_memory:
        return least
    return least * machine["MemTotal"] // (machine["MemAvailable"] + machine["AnonPages"])


def _shares_of_user_memory(earlyoom: str) -> bool:
    """Whether it is one of those; it says so when it starts. It is told to kill nobody."""
    null = subprocess.DEVNULL
    argv = [earlyoom, "--dryrun", "-r", "0"]
    with subprocess.Popen(argv, stdin=null, stdout=null, stderr=subprocess.PIPE, text=True, errors="replace") as dry:
        try:
            assert dry.stderr is not None
            totals = next((line for line in dry.stderr if "mem total:" in line), "")
        finally:
            dry.terminate()
    return "user mem total:" in totals
