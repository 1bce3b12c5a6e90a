"""Pods as the kubelet lays them out: the cases of the Kubernetes node suite, and the example of docs/where.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import memoom

PATIENCE = 120.0
EATS = ["/bin/sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"]
PARENT = ["/bin/sh", "-c", f"sh -c '{EATS[2]}'; test $? -eq 137"]
WORKS = ["/bin/sh", "-c", "exit 0"]


def test_single(lab: memoom.Lab) -> None:
    pod = lab.pod()
    app, other = pod.container("app", limit="16M"), pod.container("other", limit="16M")
    beside = other.ticker()
    assert (pod.qos, app.kind, app.request_bytes) == ("guaranteed", "app", 16 << 20)
    outcome = app.command(EATS).wait(PATIENCE)
    assert outcome.oom_killed
    assert outcome.oom is not None
    assert outcome.oom.limit_group == app.group.cgroup
    assert not beside.ended
    assert not pod.pause.ended


def test_init(lab: memoom.Lab) -> None:
    pod = lab.pod("pod")
    init, app = pod.container("init", kind="init", limit="16M"), pod.container("app", limit="32M")
    with pytest.raises(memoom.BusyError, match="init container init has not been started"):
        app.command(WORKS)
    assert init.command(EATS).wait(PATIENCE).oom_killed
    with pytest.raises(memoom.BusyError, match="has failed"):
        app.command(WORKS)
    assert init.command(WORKS).wait(PATIENCE).returncode == 0
    assert init.restarts == 1
    assert app.command(WORKS).wait(PATIENCE).returncode == 0


def test_sidecar(lab: memoom.Lab) -> None:
    pod = lab.pod("pod")
    logs, app = pod.container("logs", kind="sidecar", limit="16M"), pod.container("app", limit="16M")
    logs.command(EATS)
    beside = app.ticker()
    for restarts in (1, 2):
        outcome, worker = logs.restart(PATIENCE)
        assert outcome.oom_killed
        assert worker.pid != outcome.pid
        assert logs.restarts == restarts
    assert not beside.ended


@pytest.mark.parametrize("single", [False, True])
def test_multi_process(lab: memoom.Lab, single: bool) -> None:
    app = lab.pod(single_process_oom_kill=single).container("app", limit="16M")
    outcome = app.command(PARENT).wait(PATIENCE)
    whole = not single and lab.hierarchy == "v2"
    assert outcome.oom_killed == whole
    assert app.group.oom_group == whole
    if not whole:
        assert (outcome.returncode, outcome.ooms_inside) == (0, 1)


def test_resize(lab: memoom.Lab) -> None:
    pod = lab.pod("pod")
    app = pod.container("app", limit="32M")
    hog = app.hog()
    assert hog.grow("24M", PATIENCE).status == "grew"
    app.resize("64M")
    assert pod.group.limit == 64 << 20
    assert hog.grow("24M", PATIENCE).status == "grew"
    with pytest.raises(memoom.BusyError, match="the usage has reached the new limit"):
        app.resize("32M")
    hog.shrink("24M", PATIENCE)
    app.resize("40M")
    assert hog.grow("24M", PATIENCE).status == "killed"


def test_a_forced_resize_below_the_usage(lab: memoom.Lab) -> None:
    app = lab.pod("pod").container("app", limit="64M")
    hog = app.hog()
    hog.grow("48M", PATIENCE)
    if lab.hierarchy == "v1":
        with pytest.raises(memoom.BusyError):
            app.resize("32M", forced=True)
        assert app.group.limit == 64 << 20
    else:
        app.resize("32M", forced=True)
        assert hog.wait(PATIENCE).oom_killed


def test_requests_decide_who_is_spared(lab: memoom.Lab) -> None:
    pod = lab.pod("pod", limit="64M", node="256M")
    cheap = pod.container("cheap", limit="48M", request="1M")
    dear = pod.container("dear", limit="48M", request="40M")
    assert (pod.qos, cheap.oom_score_adj, dear.oom_score_adj) == ("burstable", 997, 844)
    small, large = cheap.hog("small"), dear.hog("large")
    with pod.group.watch(recursive=True) as watch:
        small.grow("30M", PATIENCE)
        assert large.grow("44M", PATIENCE).status == "grew"
        oom = watch.wait_oom(PATIENCE)
    assert oom is not None
    assert oom.limit_group == pod.group.cgroup
    assert oom.killed(small.pid)


def test_what_is_refused(lab: memoom.Lab) -> None:
    pod = lab.pod("pod")
    with pytest.raises(memoom.InvalidInputError, match="app, init or sidecar"):
        pod.container("x", kind="ambassador")  # type: ignore[arg-type]
    with pytest.raises(memoom.InvalidInputError, match="request is above the limit"):
        pod.container("x", limit="1M", request="2M")
    app = pod.container("app", limit="16M")
    app.ticker()
    with pytest.raises(memoom.BusyError, match="before the first of them is started"):
        pod.container("late")
    with pytest.raises(memoom.InvalidInputError, match="no command has been started"):
        app.restart(0)
    with pytest.raises(memoom.InvalidInputError, match="another class"):
        app.resize("16M", request="8M")
    assert repr(app).endswith("/pod/app app>")
    pod.remove()
    assert lab.groups == []


def test_the_example_of_the_page(lab: memoom.Lab) -> None:
    page = Path(__file__).parents[2] / "docs/where.md"
    if not page.exists():
        pytest.skip("the documents are not here")
    code = re.search(r"### A pod without a cluster\n.*?```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert code is not None
    exec(compile(code[1], str(page), "exec"), {})
