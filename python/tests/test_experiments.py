"""The five experiments through the API: what the mission promises, seen with the eyes of a user."""

from __future__ import annotations

import json
import platform
import signal
import time

import pytest
from conftest import HIERARCHY, PATIENCE, Cli

import memoom

LIMIT = 80 << 20


class Stage:
    """Two hogs, a ticker, and a watch that was there before them."""

    def __init__(self, lab: memoom.Lab, **switches: bool) -> None:
        self.group = lab.group("stage", limit="80M", **switches)
        self.watch = self.group.watch()
        self.hogs = [self.group.hog(name) for name in ("alloc_memory_1", "alloc_memory_2")]
        self.ticker = self.group.ticker("print_counter", 0.05)

    def step_until_oom(self) -> tuple[memoom.Hog, memoom.Grow]:
        for _ in range(6):
            for hog in self.hogs:
                grow = hog.grow(timeout=PATIENCE)
                if grow.status != "grew" or self.group.counters.oom_kill or any(one.ended for one in self.hogs):
                    return hog, grow
        pytest.fail("nothing happened at the limit")

    def other(self, hog: memoom.Hog) -> memoom.Hog:
        return next(one for one in self.hogs if one.pid != hog.pid)

    def wait_tick(self) -> None:
        wanted, deadline = self.ticker.ticks + 1, time.monotonic() + PATIENCE
        while self.ticker.ticks < wanted:
            assert time.monotonic() < deadline and not self.ticker.ended
            self.watch.next(1.0)

    def oom(self) -> memoom.Oom:
        oom = self.watch.wait_oom(PATIENCE)
        assert oom is not None
        return oom


def check_account(oom: memoom.Oom, stage: Stage) -> None:
    """What every account of a kill must hold."""
    victim = oom.victim
    assert victim is not None and victim.pid in [hog.pid for hog in stage.hogs]
    assert oom.schema == "memoom.oom/1"
    assert oom.limit_bytes == LIMIT
    assert oom.limit_group == stage.group.cgroup
    assert oom.invoker is not None
    assert {one.pid for one in oom.candidates} == {worker.pid for worker in (*stage.hogs, stage.ticker)}
    assert oom.usage_bytes.before - oom.usage_bytes.after >= 25 << 20
    assert oom.predicted is not None
    if oom.predicted.determined:
        assert oom.predicted_right
    assert oom.report is not None, oom.missing
    assert victim.pid in [kill.pid for kill in oom.report.kills]
    assert {"fault", "charge", "oom", "kill"} <= {frame.step for frame in oom.call_path}


@pytest.mark.parametrize("hierarchy", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("v1", "v2")])
def test_kill(lab: memoom.Lab, hierarchy: str) -> None:
    stage = Stage(lab)
    stage.step_until_oom()
    oom = stage.oom()
    check_account(oom, stage)
    assert [victim.cause for victim in oom.victims] == ["selected"]
    assert oom.victim is not None
    victim = next(hog for hog in stage.hogs if hog.pid == oom.victim.pid)
    outcome = victim.wait(PATIENCE)
    assert outcome.oom_killed and outcome.verdict == "oom-killed" and outcome.returncode == -9
    assert outcome.oom == oom
    assert outcome.ooms == (oom,)
    assert victim.state == "X"
    assert not stage.other(victim).ended
    stage.wait_tick()
    assert (oom.counters.before.oom_kill, oom.counters.after.oom_kill) == (0, 1)
    assert stage.group.counters.oom_kill == 1
    with pytest.raises(memoom.WorkerGoneError, match="has ended"):
        victim.grow()


def block(stage: Stage) -> memoom.Hog:
    hog, grow = stage.step_until_oom()
    assert grow.status == "blocked" and grow.blocked is not None
    assert hog.state == "D"
    assert stage.group.counters.under_oom is True
    places = [grow.blocked.wchan, *(frame.function for frame in grow.blocked.stack)]
    assert any(place and place.startswith("mem_cgroup_oom_synchronize") for place in places)
    usage = stage.group.usage_bytes
    assert LIMIT - (1 << 20) < usage <= LIMIT
    oom = stage.oom()
    assert oom.victims == () and oom.victim is None and oom.predicted_right is None
    assert [one.pid for one in oom.blocked] == [hog.pid]
    assert oom.call_path[0].function.startswith("mem_cgroup_oom_synchronize")
    return hog


@pytest.mark.v1
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_block(lab: memoom.Lab, number: signal.Signals) -> None:
    stage = Stage(lab, oom_killer=False)
    assert not stage.group.oom_killer
    hog = block(stage)
    with pytest.raises(memoom.BusyError, match="still going on"):
        hog.grow()
    with pytest.raises(memoom.BusyError):
        hog.shrink("4K")
    hog.signal(number)
    outcome = hog.wait(PATIENCE)
    assert (outcome.verdict, outcome.returncode, outcome.oom_killed) == ("killed", -number, False)
    assert stage.group.counters.oom_kill in (0, None)
    assert hog.finish(PATIENCE).status == "killed"


@pytest.mark.v1
def test_resume(lab: memoom.Lab) -> None:
    stage = Stage(lab, oom_killer=False)
    hog = block(stage)
    stage.group.set_oom_killer(True)
    assert stage.group.oom_killer
    assert hog.finish(PATIENCE).status == "grew"
    oom = stage.oom()
    check_account(oom, stage)
    other = stage.other(hog)
    assert oom.killed(other.pid) and other.wait(PATIENCE).oom_killed
    deadline = time.monotonic() + PATIENCE
    while hog.state != "S":
        assert time.monotonic() < deadline
        stage.watch.next(0.01)
    assert stage.group.counters.under_oom is False
    assert stage.group.counters.oom_kill in (1, None)


@pytest.mark.v2
def test_group(lab: memoom.Lab) -> None:
    stage = Stage(lab, oom_group=True)
    assert stage.group.oom_group
    stage.step_until_oom()
    oom = stage.oom()
    check_account(oom, stage)
    outcomes = [worker.wait(PATIENCE) for worker in (*stage.hogs, stage.ticker)]
    assert all(outcome.oom_killed for outcome in outcomes)
    assert sorted(victim.cause for victim in oom.victims) == ["group", "group", "selected"]
    assert stage.group.processes == []
    assert stage.group.counters.oom_group_kill in (1, None)


def test_demo_holds_every_check_and_writes_its_documents(needs_lab: None, cli: Cli) -> None:
    done = cli("demo", "--json", timeout=120)
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [(one["name"], check) for one in documents for check in one["checks"] if not check["passed"]]
    assert done.returncode == 0 and not failed, (failed, done.stderr)
    expected = {"v1": ["v1-kill", "v1-block", "v1-resume"], "v2": ["v2-kill", "v2-group"]}
    assert [one["name"] for one in documents] == expected[HIERARCHY or ""]
    for one in documents:
        assert set(one) >= {"schema", "name", "hierarchy", "passed", "checks", "timeline", "ooms"}
        assert one["schema"] == "memoom.experiment/1" and one["passed"] is True
        assert all(set(check) >= {"name", "passed", "seen"} for check in one["checks"])
        assert one["timeline"]["events"] and one["ooms"]


def test_demo_for_people(report_is_due: None, cli: Cli) -> None:
    name = {"v1": "v1-kill", "v2": "v2-kill"}[HIERARCHY or ""]
    done = cli("demo", name)
    assert done.returncode == 0, done.stdout + done.stderr
    for part in (
        "Timeline",
        "call path",
        "Killed process",
        "predicted",
        "victim",
        "8 of 8 checks held",
        "✓ prediction-holds",
    ):
        assert part in done.stdout
    registers = "RIP:" if platform.machine() == "x86_64" else "Hardware name:"
    assert registers not in done.stdout and registers in cli("demo", "--full", name).stdout


def test_demo_of_the_other_hierarchy_says_why_not(needs_lab: None, cli: Cli) -> None:
    name = {"v1": "v2-group", "v2": "v1-block"}[HIERARCHY or ""]
    done = cli("demo", name)
    assert done.returncode == 1 and done.stdout == ""
    assert f"{name} cannot run here" in done.stderr and "remedy" in done.stderr
    assert cli("demo", "v3-kill").returncode == 2
