"""Results are values: immutable, comparable, hashable, picklable, with the core's own document."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest
from conftest import CHECKOUT, PATIENCE, Cli

import memoom

LOGS = sorted((CHECKOUT / "tests" / "logs").glob("*.kmsg"))


def reports() -> list[memoom.Report]:
    return [report for log in LOGS for report in memoom.parse_reports(log.read_bytes())]


def check_value(value: object) -> None:
    again = pickle.loads(pickle.dumps(value))
    assert again == value and hash(again) == hash(value) and repr(again) == repr(value) and str(again) == str(value)
    assert copy.deepcopy(value) is value
    assert value != object()
    with pytest.raises(AttributeError, match="cannot be changed"):
        value.pid = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="cannot be changed"):
        del value.pid  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no attribute 'bogus'"):
        value.bogus  # type: ignore[attr-defined] # noqa: B018
    document = value.to_json()  # type: ignore[attr-defined]
    assert json.loads(document) == value.to_dict()  # type: ignore[attr-defined]
    for key in value.to_dict():  # type: ignore[attr-defined]
        getattr(value, key)
        assert key in dir(value)


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_reports_of_real_logs(log: Path) -> None:
    found = memoom.parse_reports(log.read_bytes())
    assert found
    for report in found:
        check_value(report)
        assert report.schema == "memoom.report/1" and report.scope in ("memcg", "global", None)
        assert report.kills or report.no_killable or report.missing
        assert str(report).startswith(("memory cgroup out of memory", "out of memory"))
    assert memoom.parse_reports(log.read_text(errors="surrogateescape")) == found


def test_a_log_without_a_report() -> None:
    assert memoom.parse_reports("") == [] and memoom.parse_reports(b"\xff\x00 nothing") == []
    with pytest.raises(TypeError):
        memoom.parse_reports(7)  # type: ignore[arg-type]


def test_there_are_logs() -> None:
    assert LOGS and len(set(reports())) > 5


def test_the_report_command(cli: Cli) -> None:
    log = LOGS[0]
    document = json.loads(cli("report", "--json", str(log)).stdout)
    assert document["schema"] == "memoom.reports/1"
    assert document["reports"] == [report.to_dict() for report in memoom.parse_reports(log.read_bytes())]
    with open(log, "rb") as file:
        assert "killed:" in cli("report", "-", stdin=file).stdout
    missing = cli("report", "/no/such/log")
    assert missing.returncode == 1 and "/no/such/log: No such file" in missing.stderr


def test_a_hogs_life_as_values(lab: memoom.Lab) -> None:
    group = lab.group("values", limit="32M")
    watch = group.watch()
    hog = group.hog("alloc", step="4M")
    grow = hog.grow(timeout=PATIENCE)
    assert (grow.status, grow.step_bytes, grow.total_bytes, grow.blocked) == ("grew", 4 << 20, 4 << 20, None)
    check_value(grow)
    assert grow != hog.grow("8M", PATIENCE) and hog.total_bytes == 12 << 20
    assert hog.shrink("8M", PATIENCE) == 8 << 20 and hog.total_bytes == 4 << 20
    check_value(group.counters)
    check_value(group.predict())
    check_value(lab.host)
    victim = group.predict().victim
    assert victim is not None and victim.pid == hog.pid
    assert hog.grow("64M", PATIENCE).status == "killed"
    oom = watch.wait_oom(PATIENCE)
    assert oom is not None
    for value in (
        oom,
        oom.victim,
        oom.predicted,
        oom.candidates[0],
        oom.usage_bytes,
        oom.counters,
        oom.call_path[0],
        oom.report,
    ):
        check_value(value)
    assert str(oom).startswith(oom.summary[:40]) and "\nOOM in " in str(oom) and "Oom(" in repr(oom)
    outcome = hog.wait(PATIENCE)
    check_value(outcome)
    assert str(pickle.loads(pickle.dumps(outcome)).oom) == str(oom)
    timeline = lab.timeline()
    check_value(timeline)
    assert timeline.ooms == (oom,) and len(timeline) == len(list(timeline))
    times = [event.time_ns for event in timeline]
    assert times == sorted(times)
    check_value(timeline.events[0])
    first, started = timeline.events[0], next(event for event in timeline if event.kind == "started")
    assert first.kind == "usage" and first.usage_bytes == 0 and started.usage_bytes is None


def test_values_are_not_made_by_hand() -> None:
    with pytest.raises(TypeError, match="comes from memoom"):
        memoom.Oom()


def test_the_host() -> None:
    host = memoom.Host.probe()
    check_value(host)
    assert host.can("memory-controller") == (host.version is not None)
    assert not any(ability.available for ability in host.missing)
