"""Every file and switch of a group, an OOM at once, a block and its ends: the same words as on the other floors."""

from __future__ import annotations

import pytest
from conftest import PATIENCE

import memoom

MIB = 1 << 20


def grown(group: memoom.Group, name: str, size: str) -> memoom.Hog:
    hog = group.hog(name)
    assert hog.grow(size, timeout=PATIENCE).status == "grew"
    return hog


@pytest.mark.parametrize("name", ["min", "low", "swap", "zswap"])
def test_a_limit_is_set_and_read_back_or_says_which_file_is_missing(lab: memoom.Lab, name: str) -> None:
    group = lab.group(limit="32M")
    try:
        getattr(group, f"set_{name}")("4M")
    except memoom.UnsupportedError as error:
        files = {"swap": "memsw"}
        assert files.get(name, f"memory.{name}") in str(error)
        with pytest.raises(memoom.UnsupportedError):
            getattr(group, name)
        return
    assert getattr(group, name) == 4 * MIB
    getattr(group, f"set_{name}")("max")
    assert getattr(group, name) is None


def test_statistics_and_the_mark_of_the_peak(lab: memoom.Lab) -> None:
    group = lab.group(limit="32M")
    hog = grown(group, "peak", "12M")
    assert group.stat["pgfault"] > 0
    hog.shrink("8M", timeout=PATIENCE)
    try:
        peak = group.open_peak()
    except memoom.UnsupportedError as error:
        assert "memory.peak" in str(error)
        return
    assert peak.group == group
    assert 12 * MIB <= peak.bytes < 16 * MIB
    try:
        peak.reset()
    except memoom.UnsupportedError as error:
        assert "cannot be reset" in str(error)
    else:
        assert peak.bytes < 8 * MIB


@pytest.mark.v2
def test_files_of_v2(lab: memoom.Lab) -> None:
    group = lab.group(limit="32M")
    grown(group, "v2", "4M")
    try:
        assert not group.reclaim("1G")
    except memoom.UnsupportedError as error:
        assert "memory.reclaim" in str(error)
    group.freeze(timeout=PATIENCE)
    assert group.frozen
    group.thaw()
    for call in (group.force_empty, group.reset_failcnt):
        with pytest.raises(memoom.UnsupportedError, match="file of cgroup v1"):
            call()
    try:
        pressure = group.pressure
    except memoom.UnsupportedError as error:
        assert "psi=1" in str(error)
    else:
        assert pressure.some.total_usec >= pressure.full.total_usec >= 0


@pytest.mark.v1
def test_files_of_v1(lab: memoom.Lab) -> None:
    group = lab.group(limit="32M")
    group.force_empty()
    group.reset_failcnt()
    for call in (lambda: group.reclaim(1), group.freeze, group.thaw, lambda: group.pressure, lambda: group.frozen):
        with pytest.raises(memoom.UnsupportedError, match="file of cgroup v2"):
            call()


@pytest.mark.v1
def test_an_alarm_is_an_event(lab: memoom.Lab) -> None:
    group = lab.group(limit="32M")
    group.add_alarm("threshold 8M")
    with pytest.raises(memoom.UnsupportedError, match=r"memory\.pressure"):
        group.add_alarm("some 1000 1000000")
    with pytest.raises(memoom.InvalidInputError):
        group.add_alarm("nonsense")
    with group.watch() as watch:
        grown(group, "alarming", "16M")
        while (event := watch.next(timeout=PATIENCE)) is not None and event.kind != "alarm":
            pass
    assert event is not None
    assert event.alarm == f"threshold {8 * MIB}"


def test_an_oom_at_once_takes_the_target(lab: memoom.Lab) -> None:
    group = lab.group(limit="48M")
    large, small = grown(group, "large", "16M"), grown(group, "small", "6M")
    triggered = group.oom_now(small, timeout=PATIENCE)
    assert triggered.way == "squeeze"
    assert triggered.oom.killed(small.pid)
    assert group.limit == 48 * MIB
    assert group.processes == [large.pid]
    with pytest.raises(memoom.WorkerGoneError):
        group.oom_now(small)
    way, oom = group.oom_now(way="inside", timeout=PATIENCE)
    assert way == "inside"
    assert oom.victim is not None
    with pytest.raises(memoom.InvalidInputError, match="way is unknown"):
        group.oom_now(way="sideways")


def test_a_block_and_its_three_ends(lab: memoom.Lab) -> None:
    group = lab.group(limit="48M")
    large, waits = grown(group, "large", "26M"), grown(group, "waits", "4M")
    group.block()
    assert group.blocking
    assert group.wait_blocked(timeout=0) is None
    grow = waits.grow("30M", timeout=PATIENCE)
    assert grow.status == "blocked"
    assert grow.blocked is not None
    assert grow.blocked.pid == waits.pid
    blocked = group.wait_blocked(timeout=PATIENCE)
    assert blocked is not None
    assert waits.pid in [one.pid for one in blocked]
    with pytest.raises(memoom.InvalidInputError, match="not above"):
        group.resume(limit="48M")
    with pytest.raises(memoom.InvalidInputError, match="exclude each other"):
        group.resume(limit="64M", kill=waits)
    group.resume(limit="64M")
    assert waits.finish(timeout=PATIENCE).status == "grew"
    assert group.blocked == []
    assert waits.grow("30M", timeout=PATIENCE).status == "blocked"
    group.resume(kill=waits, timeout=PATIENCE)
    assert waits.wait(timeout=PATIENCE).verdict == "killed"
    assert large.grow("60M", timeout=PATIENCE).status == "blocked"
    group.resume(timeout=PATIENCE)
    assert large.finish(timeout=PATIENCE).status == "killed"
    assert not group.blocking
    assert group.limit == 64 * MIB
