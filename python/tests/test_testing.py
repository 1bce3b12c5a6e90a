"""`memoom.testing`: assertions that tell the whole account, and the mixin for unittest."""

from __future__ import annotations

import os
import re
import unittest
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import HIERARCHY, PATIENCE

import memoom
from memoom import testing

pytestmark = pytest.mark.usefixtures("needs_lab")

OTHER = {"v1": "v2", "v2": "v1"}.get(HIERARCHY or "", "v2")


@pytest.fixture
def memcg() -> Iterator[testing.Memcg]:
    memcg = testing.Memcg(limit="16M")
    yield memcg
    memcg.close()


def test_assertions(memcg: testing.Memcg) -> None:
    group = memcg.group("neighbours")
    watch = group.watch()
    small, large = group.hog("small", step="2M"), group.hog("large", step="8M")
    small.grow(timeout=PATIENCE)
    large.grow(timeout=PATIENCE)
    testing.assert_survived(large)
    assert large.grow(timeout=PATIENCE).status == "killed"
    oom = watch.wait_oom(PATIENCE)
    outcome = large.wait(PATIENCE)
    assert oom is not None and memcg.ooms == (oom,)

    assert testing.assert_oom_killed(outcome) == testing.assert_oom_killed(outcome, limit_bytes=16 << 20) == oom
    for who in (large, large.pid, "large"):
        testing.assert_victim(oom, who)
    testing.assert_predicted(oom)
    testing.assert_survived(small)

    failures = {
        "it was killed in an OOM: large": lambda: testing.assert_not_oom_killed(outcome),
        "the limit was 16777216 bytes, not 4096": lambda: testing.assert_oom_killed(outcome, limit_bytes=4096),
        "the victim is large .*, not small": lambda: testing.assert_victim(oom, "small"),
        f"the victim is large .*, not {small.pid}": lambda: testing.assert_victim(oom, small),
        "large has not survived: large": lambda: testing.assert_survived(large),
    }
    for message, call in failures.items():
        with pytest.raises(AssertionError, match=message) as caught:
            call()
        # Each tells the whole account.
        assert "OOM in " in str(caught.value) and "What would help" in str(caught.value)


def test_assertions_about_calls_and_other_ends(memcg: testing.Memcg) -> None:
    call = memcg.call(max, 1, 2, limit="64M")
    testing.assert_not_oom_killed(call)
    with pytest.raises(AssertionError, match="it was not killed in an OOM: it returned 2"):
        testing.assert_oom_killed(call)
    with pytest.raises(AssertionError, match="oom_kill stayed 0"):
        testing.assert_oom_killed(memcg.run(["true"]))
    killed = memcg.call(bytearray, 200 << 20, limit="64M")
    assert testing.assert_oom_killed(killed) == killed.oom
    assert killed.oom in memcg.ooms


def test_a_setting_that_there_is_not() -> None:
    with pytest.raises(TypeError, match=r"Memcg has no limt; did you mean limit\? it has at_limit"):
        testing.Memcg(limt="64M")


def test_one_lab_when_it_is_needed() -> None:
    memcg = testing.Memcg()
    memcg.close()
    path = memcg.lab.path
    assert memcg.lab.path == path and path.exists()
    memcg.close()
    memcg.close()
    assert not path.exists()


def test_why_not() -> None:
    assert testing.why_not() is None and testing.why_not([HIERARCHY or ""]) is None
    assert testing.why_not([OTHER]) == f"needs the memory controller on cgroup {OTHER}; here it is on {HIERARCHY}"
    for ability in memoom.Host.probe().abilities:
        reason = testing.why_not([ability.name])
        assert reason is None if ability.available else reason and ability.reason in reason and ability.remedy in reason
    with pytest.raises(ValueError, match="there is no ability 'moon'"):
        testing.why_not(["moon"])


def result_of(case: type[unittest.TestCase]) -> unittest.TestResult:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return result


def test_the_mixin(monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[Path] = []

    class Mine(testing.MemcgMixin, unittest.TestCase):
        memoom_settings = {"limit": "64M"}

        def test_good(self) -> None:
            oom = self.assertOomKilled(self.memcg.call(bytearray, 200 << 20), limit_bytes=64 << 20)
            self.assertVictim(oom, oom.victims[0].pid)
            self.assertPredicted(oom) if oom.predicted is not None else None
            self.assertNotOomKilled(self.memcg.run(["true"]))
            self.assertSurvived(self.memcg.group().hog())
            paths.append(self.memcg.lab.path)

        def test_bad(self) -> None:
            paths.append(self.memcg.lab.path)
            self.assertOomKilled(self.memcg.run(["true"]))

    result = result_of(Mine)
    assert result.testsRun == 2 and not result.errors and not result.skipped
    ((case, text),) = result.failures
    assert case.id().endswith("test_bad") and "exited with status 0" in text
    assert len(set(paths)) == 2 and not any(path.exists() for path in paths)

    class Elsewhere(testing.MemcgMixin, unittest.TestCase):
        memoom_needs = (OTHER,)

        def test_it(self) -> None:
            _ = self.memcg

    monkeypatch.delenv("MEMOOM_REQUIRE", raising=False)
    ((_, reason),) = result_of(Elsewhere).skipped
    assert reason == testing.why_not([OTHER])
    monkeypatch.setenv("MEMOOM_REQUIRE", "1")
    ((_, text),) = result_of(Elsewhere).failures
    assert "cannot run here, and MEMOOM_REQUIRE=1" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("süß", "süß"),
        ("数据库", "数据库"),
        ("back\\slash", "back\\x5cslash"),
        ("esc\x1b[2J", "esc\\x1b[2J"),
        (b"no\xfftext", "no\\xfftext"),
    ],
)
def test_names_as_they_were_given(lab: memoom.Lab, name: str | bytes, shown: str) -> None:
    """Text where it is printable UTF-8, in every value and message; the bytes beside it in any case."""
    given = os.fsencode(name)
    group = lab.group(name, limit="16M")
    watch = group.watch()
    hog = group.hog(os.fsdecode(given)) if isinstance(name, str) else None
    if hog is None:
        worker = group.command(["sh", "-c", "sleep 1000"])
        assert group.name == shown and worker.group.cgroup.endswith("/" + shown)
        return
    while hog.grow(timeout=PATIENCE).status == "grew":
        pass
    oom = watch.wait_oom(PATIENCE)
    assert oom is not None and oom.victim is not None
    assert (hog.name, group.name, oom.victim.comm, oom.victim.comm_bytes) == (shown, shown, shown, given)
    assert oom.limit_group == group.cgroup and oom.candidates[0].comm == shown
    for who in (name, given, hog, hog.pid):
        testing.assert_victim(oom, who)
    with pytest.raises(AssertionError, match=re.escape(shown)) as caught:
        testing.assert_victim(oom, "another")
    assert "\x1b" not in str(caught.value) and "\x1b" not in str(oom) and shown in str(oom)
    outcome = hog.wait(PATIENCE)
    assert outcome.name == shown and shown in str(outcome)
    events = [event for event in lab.timeline() if event.kind == "victim"]
    assert [event.comm for event in events] == [shown] and shown in str(lab.timeline())
    assert shown in {row["comm"] for row in lab.timeline().to_rows()} and shown in {
        row["comm"] for row in oom.to_rows()
    }
    # The documents stay ASCII, as they were.
    assert oom.to_json().isascii()
