"""The five experiments through the API, as `tests/experiments.json` has them, and `memoom demo`."""

from __future__ import annotations

import json
import platform
import time
from typing import Any

import pytest
from conftest import CHECKOUT, HIERARCHY, PATIENCE, Cli

import memoom

DATA = json.loads((CHECKOUT / "tests/experiments.json").read_text())
LIMIT = DATA["stage"]["limit_bytes"]


class Stage:
    """Two hogs, a ticker, and a watch that was there before them."""

    def __init__(self, lab: memoom.Lab, settings: dict[str, bool]) -> None:
        self.group = lab.group("stage", limit=LIMIT, **settings)
        assert all(getattr(self.group, name) is on for name, on in settings.items())
        self.watch = self.group.watch()
        self.hogs = [self.group.hog(name) for name in DATA["stage"]["hogs"]]
        self.ticker = self.group.ticker(DATA["stage"]["ticker"], 0.05)

    def step_until_oom(self) -> tuple[memoom.Hog, memoom.Grow]:
        for _ in range(6):
            for hog in self.hogs:
                grow = hog.grow(timeout=PATIENCE)
                assert grow.step_bytes == DATA["stage"]["step_bytes"]
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
    assert oom.counters.before.oom_kill == 0 < oom.counters.after.oom_kill


def check_dead(oom: memoom.Oom, stage: Stage, causes: list[str]) -> None:
    assert sorted(victim.cause for victim in oom.victims) == causes
    for worker in (*stage.hogs, stage.ticker):
        if oom.killed(worker.pid):
            outcome = worker.wait(PATIENCE)
            assert outcome.oom_killed and outcome.verdict == "oom-killed" and outcome.returncode == -9
            assert outcome.oom == oom and [one for one in outcome.ooms if one.killed(worker.pid)] == [oom]
            assert worker.state == "X"
    victim = next(hog for hog in stage.hogs if oom.victim is not None and hog.pid == oom.victim.pid)
    with pytest.raises(memoom.WorkerGoneError, match="has ended"):
        victim.grow()


def check_living(stage: Stage, live: list[str]) -> None:
    assert len([hog for hog in stage.hogs if not hog.ended]) == live.count("hog")
    assert (stage.group.processes == []) is (not live)
    if "ticker" in live:
        stage.wait_tick()


def check_block(stage: Stage, hog: memoom.Hog, grow: memoom.Grow) -> None:
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
    with pytest.raises(memoom.BusyError, match="still going on"):
        hog.grow()
    with pytest.raises(memoom.BusyError):
        hog.shrink("4K")


def end_by(hog: memoom.Hog, signal: int) -> None:
    hog.signal(signal)
    outcome = hog.wait(PATIENCE)
    assert (outcome.verdict, outcome.returncode, outcome.oom_killed) == ("killed", -signal, False)
    assert hog.finish(PATIENCE).status == "killed"


def resume(stage: Stage, hog: memoom.Hog) -> None:
    stage.group.set_oom_killer(True)
    assert stage.group.oom_killer
    assert hog.finish(PATIENCE).status == "grew"
    deadline = time.monotonic() + PATIENCE
    while hog.state != "S":
        assert time.monotonic() < deadline
        stage.watch.next(0.01)


def plays() -> list[Any]:
    """Each experiment of the file, once for each signal that it ends with."""
    return [
        pytest.param(one, signal, id="-".join(map(str, filter(None, (one["name"], signal)))), marks=mark)
        for one in DATA["experiments"]
        for mark in [getattr(pytest.mark, one["hierarchy"])]
        for signal in one["then"].get("signals", [None])
    ]


@pytest.mark.parametrize(("experiment", "signal"), plays())
def test_experiment(lab: memoom.Lab, report_is_due: None, experiment: dict[str, Any], signal: int | None) -> None:
    stage = Stage(lab, experiment["settings"])
    hog, grow = stage.step_until_oom()
    blocked = experiment["at_the_limit"] == "block"
    if blocked:
        check_block(stage, hog, grow)
    if signal is not None:
        end_by(hog, signal)
    if experiment["then"].get("oom_killer"):
        resume(stage, hog)
    if experiment["causes"]:
        oom = stage.oom()
        check_account(oom, stage)
        check_dead(oom, stage, experiment["causes"])
        assert not blocked or oom.killed(stage.other(hog).pid)
    check_living(stage, experiment["live"])
    for name, wanted in experiment["counters"].items():
        # Kernels before about 5.17 do not count group kills.
        assert getattr(stage.group.counters, name) in (wanted, None), name


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
