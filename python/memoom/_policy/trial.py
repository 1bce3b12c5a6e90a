"""One policy against the curve: hogs follow it, the policy looks and kills, and what happened is measured."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from .._errors import MemoomError, WorkerGoneError
from .._lab import Lab
from .._native import Group, Hog
from .beside import SCORE, running
from .plan import Plan, Policy

__all__ = ["PolicyNow", "run"]

# What counts as standing at the limit.
_AT_THE_LIMIT = 0.98
# How long one step may take before it counts as held up.
_STEP_WITHIN = 10.0
_NO_MACHINE = (
    "it looks at the memory of the whole machine, and may kill anybody on it; remedy: machine = true, where this is a "
    "machine for tests"
)
_NO_UNITS = (
    "it kills units of systemd's alone, and the groups of a lab are none; remedy: give what it does as a command or a "
    "function, which sees usage and stall times"
)


class PolicyNow(NamedTuple):
    """What a policy sees when it is asked, after each step."""

    seconds: float
    usage_bytes: int
    limit_bytes: int
    # What each living process holds, by name, and its pid.
    held_bytes: Mapping[str, int]
    pids: Mapping[str, int]
    # What each has held after its first step.
    first_bytes: Mapping[str, int]
    # How long tasks of the group have stalled for memory altogether (v2).
    stalled_usec: int | None


def run(plan: Plan, policy: Policy) -> dict[str, Any]:
    """Holds one policy against the curves."""
    refused = _refused(plan, policy)
    if refused is not None:
        return _told(policy, refused=refused)
    with Lab() as lab:
        group = lab.group("policy", limit=plan.limit, oom_group=True if policy.built_in == "oom-group" else None)
        with running(plan, policy):
            score = SCORE if policy.built_in == "earlyoom" else None
            hogs = {c.name: group.hog(c.name, step=4096, oom_score_adj=score or c.oom_score_adj) for c in plan.curves}
            driven = _Driven(plan, policy, group, hogs)
            driven.follow()
        stalled = _stalled(group)
        ooms = len(lab.timeline().ooms)
    deaths = driven.deaths
    return _told(
        policy,
        deaths=list(deaths.values()),
        finished=[name for name in hogs if name not in deaths],
        lost_byte_seconds=sum(death["lost_byte_seconds"] for death in deaths.values()),
        kept_byte_seconds=sum(c.byte_seconds(plan.seconds) for c in plan.curves if c.name not in deaths),
        at_limit_ns=driven.at_limit_ns,
        elapsed_ns=driven.elapsed_ns,
        ooms=ooms,
        stalled_usec=stalled,
        samples=driven.samples,
    )


def _refused(plan: Plan, policy: Policy) -> str | None:
    """Why a policy cannot be tried here; None where it can."""
    if policy.built_in in (None, "kernel"):
        return None
    if policy.built_in == "oom-group":
        with Lab(kernel_log=False, call_path=False) as lab:
            return None if lab.hierarchy == "v2" else "memory.oom.group is a file of cgroup v2"
    if not (shutil.which(policy.name) or shutil.which(policy.name, path="/usr/lib/systemd:/lib/systemd")):
        return f"{policy.name} is not installed"
    if policy.built_in == "systemd-oomd":
        return _NO_UNITS
    if any(curve.oom_score_adj for curve in plan.curves):
        return "the hogs need an oom_score_adj of their own for it; remedy: give the processes none"
    return None if plan.machine else _NO_MACHINE


def _told(policy: Policy, **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"refused": None, "deaths": [], "finished": [], "samples": []}
    numbers = ("lost_byte_seconds", "kept_byte_seconds", "at_limit_ns", "elapsed_ns", "ooms", "stalled_usec")
    return {"policy": policy.name, **empty, **dict.fromkeys(numbers), **more}


class _Driven:
    """The hogs of one trial on their way along the curves."""

    def __init__(self, plan: Plan, policy: Policy, group: Group, hogs: dict[str, Hog]) -> None:
        self._plan, self._group, self._hogs = plan, group, hogs
        self._ask = _asker(plan, policy)
        self._seconds = 0.0
        self._began_ns = self._last_ns = 0
        self._was_at_the_limit = False
        # Whoever has sent a signal was the killer that runs beside.
        self._beside = "policy" if policy.built_in == "earlyoom" else "unknown"
        self._first: dict[str, int] = {}
        self.deaths: dict[str, dict[str, Any]] = {}
        self.samples: list[list[int]] = []
        self.at_limit_ns = self.elapsed_ns = 0

    def follow(self) -> None:
        """To the end of the curves. Time does not wait for a policy: while that thinks, memory is wanted."""
        # Where the curves begin is no growth: the clock runs from there.
        for curve in self._plan.curves:
            self._bring(self._hogs[curve.name], curve.at(0.0))
        self._began_ns = self._last_ns = time.monotonic_ns()
        while True:
            self._seconds = min((time.monotonic_ns() - self._began_ns) / 1e9, self._plan.seconds)
            for curve in self._plan.curves:
                if curve.name not in self.deaths:
                    self._bring(self._hogs[curve.name], curve.at(self._seconds))
            self._look()
            self._let_choose()
            if self._seconds >= self._plan.seconds:
                break
            passed = (time.monotonic_ns() - self._began_ns) / 1e9
            time.sleep(min(self._plan.every, max(self._seconds + self._plan.every - passed, 0.0)))
        self._look()
        self.elapsed_ns = time.monotonic_ns() - self._began_ns

    def _look(self) -> None:
        """Writes down the usage, and who has died since."""
        now = time.monotonic_ns()
        usage = self._group.usage_bytes
        if self._was_at_the_limit:
            self.at_limit_ns += now - self._last_ns
        self._was_at_the_limit, self._last_ns = usage >= _AT_THE_LIMIT * self._plan.limit, now
        self.samples.append([now - self._began_ns, usage])
        for name, hog in self._hogs.items():
            if hog.ended and name not in self.deaths:
                self._died(name, "kernel" if hog.wait().oom_killed else self._beside)

    def _bring(self, hog: Hog, wanted: int) -> None:
        wanted -= wanted % 4096
        # Its neighbour's step may kill it at any time.
        with contextlib.suppress(WorkerGoneError):
            if wanted > hog.total_bytes:
                hog.grow(wanted - hog.total_bytes, timeout=_STEP_WITHIN)
            elif wanted < hog.total_bytes:
                hog.shrink(hog.total_bytes - wanted, timeout=_STEP_WITHIN)

    def _let_choose(self) -> None:
        if self._ask is None:
            return
        for name, hog in self._hogs.items():
            # Who has not begun yet holds nothing.
            self._first[name] = self._first.get(name) or hog.total_bytes
        living = {name: hog for name, hog in self._hogs.items() if name not in self.deaths}
        now = PolicyNow(
            self._seconds,
            self._group.usage_bytes,
            self._plan.limit,
            {name: hog.total_bytes for name, hog in living.items()},
            {name: hog.pid for name, hog in living.items()},
            {name: self._first[name] for name in living},
            _stalled(self._group),
        )
        for name in self._ask(now):
            if name in living:
                living[name].kill()
                living[name].wait()
                self._died(name, "policy")

    def _died(self, name: str, by: str) -> None:
        curve = next(curve for curve in self._plan.curves if curve.name == name)
        self.deaths[name] = {
            "name": name,
            "by": by,
            "time_ns": time.monotonic_ns() - self._began_ns,
            "held_bytes": curve.at(self._seconds),
            "lost_byte_seconds": curve.byte_seconds(self._seconds),
        }


def _stalled(group: Group) -> int | None:
    """The time in which no task of the group could go on for want of memory."""
    try:
        return group.pressure.full.total_usec
    except MemoomError:
        return None


def _asker(plan: Plan, policy: Policy) -> Callable[[PolicyNow], list[str]] | None:
    if policy.function is not None:
        function = policy.function

        def ask(now: PolicyNow) -> list[str]:
            answer: str | Iterable[str] | None = function(now)
            return [answer] if isinstance(answer, str) else list(answer or ())

        return ask
    if policy.command is None:
        return None
    command = [word.replace("{here}", plan.here) for word in policy.command]

    def ask_command(now: PolicyNow) -> list[str]:
        name = os.path.basename(command[0])
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise MemoomError(f"policy: {name}: {error.strerror}", errno=error.errno) from error
        with process:
            try:
                answer, said = process.communicate(json.dumps(now._asdict()), _STEP_WITHIN)
            except BaseException as error:
                # It is not reaped yet, so the group is its own; what it has started would keep the pipes open.
                os.killpg(process.pid, signal.SIGKILL)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                raise MemoomError(f"policy: {name} gave no answer in {_STEP_WITHIN:g} s") from None
        if process.returncode != 0:
            raise MemoomError(f"policy: {name} ended with {process.returncode}: {''.join(said.splitlines()[-1:])}")
        return answer.split()

    return ask_command
