"""The five experiments, each with every check: two hogs that step in turn, a ticker, and a limit of 80M."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .. import Group, Grow, Hog, Lab, Oom, Timeline, Watch, Worker

_LIMIT = "80M"
_STEP = "10M"
_MOMENT = 15.0  # seconds that any one thing may take
# More steps than fit into the limit: if nothing has happened by then, nothing will.
_ROUNDS = 6
_WAY_OF_A_KILL = ("fault", "charge", "oom", "kill")
_WAIT_FUNCTION = "mem_cgroup_oom_synchronize"


@dataclass
class Check:
    """One thing that must hold, and what was seen."""

    name: str
    passed: bool
    seen: str


@dataclass
class Experiment:
    """What an experiment found."""

    name: str
    hierarchy: str
    checks: list[Check] = field(default_factory=list)
    ooms: list[Oom] = field(default_factory=list)
    timeline: Timeline | None = None

    @property
    def passed(self) -> bool:
        """Whether every check held; an experiment without checks has shown nothing."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def check(self, name: str, passed: bool, seen: object) -> None:
        """Notes one check."""
        self.checks.append(Check(name, bool(passed), str(seen)))

    def to_dict(self) -> dict[str, Any]:
        """The document `memoom.experiment/1`."""
        return {
            "schema": "memoom.experiment/1",
            "name": self.name,
            "hierarchy": self.hierarchy,
            "passed": self.passed,
            "checks": [{"name": one.name, "passed": one.passed, "seen": one.seen} for one in self.checks],
            "timeline": None if self.timeline is None else self.timeline.to_dict(),
            "ooms": [oom.to_dict() for oom in self.ooms],
        }


class _Stage:
    """What all five have in common: the group, its watch and its three workers."""

    def __init__(self, lab: Lab, *, oom_group: bool | None = None, oom_killer: bool | None = None) -> None:
        self.group: Group = lab.group("experiment", limit=_LIMIT, oom_group=oom_group, oom_killer=oom_killer)
        # Before the workers, so that it sees everything.
        self.watch: Watch = self.group.watch()
        self.one: Hog = self.group.hog("alloc_memory_1", step=_STEP)
        self.two: Hog = self.group.hog("alloc_memory_2", step=_STEP)
        self.ticker: Worker = self.group.ticker("print_counter", 0.05)
        self.before = self.group.counters

    def other(self, hog: Hog) -> Hog:
        return self.two if hog is self.one else self.one

    def victim(self, oom: Oom) -> str:
        return "nobody" if oom.victim is None else self.named(oom.victim.pid)

    def named(self, pid: int | None) -> str:
        names = {worker.pid: worker.name for worker in (self.one, self.two, self.ticker)}
        return f"{names.get(pid or 0, 'another process')} (pid {pid})"

    def step_until_oom(self) -> tuple[Hog, Grow]:
        """Steps in turn until a step does not simply succeed, or somebody was killed; the last stepper and answer."""
        for _ in range(_ROUNDS):
            for hog in (self.one, self.two):
                grow = hog.grow(timeout=_MOMENT)
                if grow.status != "grew" or (self.group.counters.oom_kill or 0) > (self.before.oom_kill or 0):
                    return hog, grow
                if self.one.ended or self.two.ended:
                    return hog, grow
        return hog, grow

    def ticks_on(self, within: float = _MOMENT) -> bool:
        """Whether the ticker says two things more from now on."""
        wanted = self.ticker.ticks + 2
        deadline = time.monotonic() + within
        while self.ticker.ticks < wanted:
            left = deadline - time.monotonic()
            if self.ticker.ended or left <= 0:
                return False
            self.watch.next(left)
        return True

    def state_becomes(self, worker: Worker, wanted: str) -> str:
        """The state of a worker, at the latest when it is the wanted one: a hog runs on a little after its answer."""
        deadline = time.monotonic() + 1.0
        while (state := worker.state) != wanted and time.monotonic() < deadline:
            self.watch.next(0.005)
        return state


def run(name: str, record: str | None = None) -> Experiment:
    """Runs an experiment in a lab of its own, which is recorded in that file."""
    from .. import Lab

    hierarchy, body = EXPERIMENTS[name]
    found = Experiment(name, hierarchy)
    with Lab(record=record) as lab:
        try:
            body(found, lab)
        finally:
            found.timeline = lab.timeline()
            found.ooms = list(found.timeline.ooms)
    return found


def _kill(found: Experiment, lab: Lab) -> None:
    stage = _Stage(lab)
    stage.step_until_oom()
    oom = stage.watch.wait_oom(_MOMENT)
    if not _account_is_there(found, oom):
        return
    assert oom is not None
    victim = _one_hog_is_killed(found, stage, oom)
    found.check("usage-drops", *_usage_drops(oom))
    survivor = stage.two if victim == stage.one.pid else stage.one
    found.check(
        "other-hog-lives",
        not survivor.ended,
        f"{survivor.name} is in state {survivor.state}, holds {survivor.total_bytes} bytes",
    )
    found.check(
        "ticker-lives",
        stage.ticks_on(),
        f"{stage.ticker.name} is in state {stage.ticker.state}, ticks {stage.ticker.ticks}",
    )
    _counted_once(found, stage, oom)
    _explained(found, stage, oom)


def _group(found: Experiment, lab: Lab) -> None:
    stage = _Stage(lab, oom_group=True)
    stage.step_until_oom()
    oom = stage.watch.wait_oom(_MOMENT)
    if not _account_is_there(found, oom):
        return
    assert oom is not None
    workers = (stage.one, stage.two, stage.ticker)
    ends = [worker.wait(_MOMENT) for worker in workers]
    dead = [end.oom_killed for end in ends]
    found.check("every-process-dies", all(dead), ", ".join(f"{end.name}: {end.verdict}" for end in ends))
    left = stage.group.processes
    found.check("group-is-empty", not left, f"cgroup.procs: {left or 'empty'}")
    group_kill = oom.counters.after.oom_group_kill
    if group_kill is None:
        # Kernels before about 5.17 do not count group kills by themselves; all victims are in oom_kill.
        killed = (oom.counters.after.oom_kill or 0) - (oom.counters.before.oom_kill or 0)
        found.check(
            "events-show-the-group-kill",
            killed >= len(workers),
            f"oom_kill rose by {killed}; this kernel has no oom_group_kill",
        )
    else:
        before = oom.counters.before.oom_group_kill or 0
        found.check("events-show-the-group-kill", group_kill == before + 1, f"oom_group_kill {before} -> {group_kill}")
    found.check("usage-drops", *_usage_drops(oom))
    causes = sorted(victim.cause for victim in oom.victims)
    found.check(
        "causes-are-told",
        causes == ["group", "group", "selected"],
        ", ".join(f"{one.comm}: {one.cause}" for one in oom.victims),
    )
    _explained(found, stage, oom)


def _block(found: Experiment, lab: Lab) -> None:
    stage = _Stage(lab, oom_killer=False)
    stepping, grow = stage.step_until_oom()
    _is_blocked(found, stage, stepping, grow)
    usage = stage.group.usage_bytes
    limit = stage.group.limit or 0
    ticking = stage.ticks_on(within=0.3)
    later = stage.group.usage_bytes
    # The kernel charges a batch of pages ahead for each CPU, so a reading can be below the limit by those.
    found.check("usage-at-the-limit", limit - usage < (1 << 20) and usage <= limit, f"{usage} of {limit} bytes")
    found.check(
        "usage-stays", later <= limit and abs(later - usage) < (1 << 20), f"{usage} bytes, two ticks later {later}"
    )
    # In a full group the kernel may have no memory for the ticker's word, so its state is what counts.
    alive = not stage.ticker.ended
    found.check(
        "ticker-lives",
        alive,
        f"{stage.ticker.name} is in state {stage.ticker.state}, {'is' if ticking else 'is not'} heard",
    )
    oom = stage.watch.wait_oom(_MOMENT)
    way = [frame.function for frame in oom.call_path] if oom else []
    found.check(
        "call-path-of-the-wait",
        any(function.startswith(_WAIT_FUNCTION) for function in way),
        " < ".join(way) or "no account",
    )
    killed = stage.group.counters.oom_kill
    found.check(
        "nobody-is-killed",
        killed in (stage.before.oom_kill, None) and not stage.other(stepping).ended,
        f"oom_kill {killed}",
    )
    import signal

    stepping.signal(signal.SIGINT)
    end = stepping.wait(_MOMENT)
    found.check(
        "sigint-ends-it",
        end.returncode in (-signal.SIGINT, -signal.SIGKILL) and not end.oom_killed,
        f"returncode {end.returncode}, {end.verdict}",
    )


def _resume(found: Experiment, lab: Lab) -> None:
    stage = _Stage(lab, oom_killer=False)
    stepping, grow = stage.step_until_oom()
    if not _is_blocked(found, stage, stepping, grow):
        return
    # The account of the wait comes first; the one of the kill is the next.
    stage.watch.wait_oom(_MOMENT)
    before = stage.group.counters
    other = stage.other(stepping)
    stage.group.set_oom_killer(True)
    done = stepping.finish(timeout=_MOMENT)
    found.check(
        "blocked-step-completes",
        done.status == "grew",
        f"{stepping.name}: {done.status}, holds {done.total_bytes} bytes",
    )
    oom = stage.watch.wait_oom(_MOMENT)
    if not _account_is_there(found, oom):
        return
    assert oom is not None
    end = other.wait(_MOMENT)
    found.check(
        "the-other-hog-is-killed",
        end.oom_killed and oom.killed(other.pid),
        f"{other.name}: {end.verdict}; the victim is {stage.victim(oom)}",
    )
    state = stage.state_becomes(stepping, "S")
    found.check("blocked-one-sleeps-again", state == "S", f"{stepping.name} is in state {state}")
    after = stage.group.counters
    found.check("under-oom-is-over", after.under_oom is False, f"under_oom {after.under_oom}")
    _counted(found, before.oom_kill, after.oom_kill)
    found.check("ticker-lives", stage.ticks_on(), f"{stage.ticker.name} ticks {stage.ticker.ticks}")
    _explained(found, stage, oom)


def _account_is_there(found: Experiment, oom: Oom | None) -> bool:
    if oom is None:
        found.check("oom-is-accounted", False, "no account came")
    return oom is not None


def _one_hog_is_killed(found: Experiment, stage: _Stage, oom: Oom) -> int | None:
    hogs = (stage.one.pid, stage.two.pid)
    victims = [victim.pid for victim in oom.victims]
    one = len(victims) == 1 and victims[0] in hogs
    end = (stage.one if victims and victims[0] == stage.one.pid else stage.two).wait(_MOMENT) if one else None
    passed = end is not None and end.oom_killed and end.returncode == -9
    found.check(
        "one-hog-is-killed",
        passed,
        f"killed: {', '.join(map(stage.named, victims)) or 'nobody'}" + (f"; {end.verdict}" if end else ""),
    )
    return victims[0] if victims else None


def _usage_drops(oom: Oom) -> tuple[bool, str]:
    before, after = oom.usage_bytes.before, oom.usage_bytes.after
    # A victim holds three or four steps of 10M when it is taken.
    passed = before is not None and after is not None and before - after >= 25 << 20
    return passed, f"{before} -> {after} bytes"


def _counted_once(found: Experiment, stage: _Stage, oom: Oom) -> None:
    _counted(found, oom.counters.before.oom_kill, oom.counters.after.oom_kill)


def _counted(found: Experiment, before: int | None, after: int | None) -> None:
    if before is None or after is None:
        found.check("oom-kill-is-one-higher", True, "this kernel does not count oom_kill")
    else:
        found.check("oom-kill-is-one-higher", after == before + 1, f"oom_kill {before} -> {after}")


def _explained(found: Experiment, stage: _Stage, oom: Oom) -> None:
    """The report, the prediction and the call path of a kill."""
    victim = oom.victim
    kills = [kill.pid for kill in oom.report.kills] if oom.report else []
    found.check(
        "report-names-the-victim",
        victim is not None and victim.pid in kills,
        ", ".join(f"Killed process {stage.named(pid)}" for pid in kills) or "no report",
    )
    predicted = oom.predicted
    right = oom.predicted_right is True
    seen = (
        "nobody was predicted"
        if predicted is None
        else f"predicted {stage.named(predicted.pid)} from {predicted.source}; chosen {stage.victim(oom)}"
    )
    if predicted is not None and not right and not predicted.determined:
        # Scores within the kernel's own reading error decide nothing; that is said instead of guessed.
        found.check("prediction-holds", True, seen + "; the scores were too close to tell, and the prediction said so")
    else:
        found.check("prediction-holds", right, seen)
    steps = {frame.step for frame in oom.call_path}
    way = " < ".join(frame.function for frame in oom.call_path)
    found.check("call-path-of-the-kill", steps.issuperset(_WAY_OF_A_KILL), way or "no call path")


def _is_blocked(found: Experiment, stage: _Stage, stepping: Hog, grow: Grow) -> bool:
    blocked = grow.blocked
    found.check(
        "step-blocks", grow.status == "blocked", f"{stepping.name}: {grow.status}, holds {grow.total_bytes} bytes"
    )
    if blocked is None:
        return False
    state = stepping.state
    found.check("state-is-d", state == "D", f"{stepping.name} is in state {state}")
    found.check("under-oom", stage.group.counters.under_oom is True, f"under_oom {stage.group.counters.under_oom}")
    stack = [frame.function for frame in blocked.stack]
    waits = [name for name in (blocked.wchan, *stack) if name and name.startswith(_WAIT_FUNCTION)]
    found.check(
        "waits-in-the-memcg-oom", bool(waits), f"wchan {blocked.wchan}; stack {' < '.join(stack) or 'not readable'}"
    )
    return True


EXPERIMENTS: dict[str, tuple[str, Callable[[Experiment, Lab], None]]] = {
    "v1-kill": ("v1", _kill),
    "v1-block": ("v1", _block),
    "v1-resume": ("v1", _resume),
    "v2-kill": ("v2", _kill),
    "v2-group": ("v2", _group),
}
