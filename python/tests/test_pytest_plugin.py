"""The pytest plugin, run inside pytests of its own: fixture, marker, failures that explain, skips, summary, JUnit."""

from __future__ import annotations

import os
import re
import textwrap
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from conftest import HIERARCHY, NO_LAB, PATIENCE, SLOW, needs_time

import memoom
from memoom._pytest.marker import Marker

RUNS = int(os.environ.get("MEMOOM_PLUGIN_RUNS", "1"))
TIMEOUT = 10
# On an emulated machine a fifth of the suite.
HOGS, COMMANDS, MOVES = (5, 4, 1) if SLOW else (25, 20, 5)
OTHER = {"v1": "v2", "v2": "v1"}.get(HIERARCHY or "", "v2")
# pytest itself and what a test's module imports stand under the limit too.
BODY = "192M"

needs_lab = pytest.mark.usefixtures("needs_lab")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pytests inside take no orders from the one outside."""
    for name in ("MEMOOM_REQUIRE", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


def run(pytester: pytest.Pytester, code: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(f"import os, sys, time\nimport pytest\nimport memoom\nBODY = {BODY!r}\n{textwrap.dedent(code)}")
    order = [] if "randomly" in str(arguments) else ["-p", "no:randomly"]
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *order, *arguments, timeout=3000 if SLOW else 300)


def summary(result: pytest.RunResult) -> list[str]:
    """The lines of the summary of OOMs."""
    lines = result.stdout.lines
    starts = [at for at, line in enumerate(lines) if re.match(r"=+ memoom: \d+ OOM", line)]
    if not starts:
        return []
    rest = lines[starts[0] + 1 :]
    return rest[: next(at for at, line in enumerate([*rest, "="]) if line.startswith("=") or not line)]


# Without a machine that can have labs.


def test_the_header_and_the_marker_are_there(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_nothing(): pass")
    result.assert_outcomes(passed=1)
    (line,) = [line for line in result.stdout.lines if line.startswith("memoom: ")]
    assert memoom.__version__ in line and ("no lab can be made" in line) == (NO_LAB is not None)
    assert "@pytest.mark.memoom(limit=None" in pytester.runpytest_subprocess("--markers").stdout.str()
    assert "memcg" in pytester.runpytest_subprocess("--fixtures").stdout.str()
    assert not any(line.startswith("memoom: ") for line in run(pytester, "", "-p", "no:memoom").stdout.lines)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("limit='64M', colour='red'", "has no colour; it has*limit*needs, expect"),
        ("limt='64M'", "has no limt; did you mean limit? it has*limit*needs, expect"),
        ("'64X'", "limit='64X': *the size suffix is unknown*"),
        ("'64M', swap=-1", "swap=-1: *"),
        ("'64M', '65M'", "takes one limit"),
        ("'64M', limit='65M'", "takes one limit"),
        ("limit='64M', expect='rain'", "expect='rain'; it is one of passed, oom-killed"),
    ],
)
def test_a_wrong_marker_is_bad_usage(pytester: pytest.Pytester, marker: str, message: str) -> None:
    result = run(pytester, f"@pytest.mark.memoom({marker})\ndef test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(f"*test_it: *{message}*")


def test_a_failing_call_shows_the_line_of_the_test_alone(pytester: pytest.Pytester, needs_lab: None) -> None:
    result = run(
        pytester,
        "def test_run(memcg): memcg.run(['true'], limit='64X')\n"
        "def test_call(memcg): memcg.call(max, 1, 2, limit='64X')\n",
    )
    result.assert_outcomes(failed=2)
    said = result.stdout.str()
    assert "test_a_failing_call_shows_the_line_of_the_test_alone.py:5: InvalidInputError" in said
    assert "test_a_failing_call_shows_the_line_of_the_test_alone.py:6: InvalidInputError" in said
    assert "the size suffix is unknown" in said and "_native" not in said


def test_an_unknown_need_is_an_error(pytester: pytest.Pytester, needs_lab: None) -> None:
    result = run(pytester, "@pytest.mark.memoom(needs='moon')\ndef test_it(): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*the marker memoom: there is no ability 'moon'; there are v1, v2, memory-controller*")
    assert "def why_not" not in result.stdout.str(), "no page of memoom's own code"


def test_markers_add_up(pytester: pytest.Pytester) -> None:
    items, _ = pytester.inline_genitems(
        pytester.makepyfile(
            """
            import pytest
            pytestmark = pytest.mark.memoom(limit="64M", needs="kernel-log")
            @pytest.mark.memoom("32M", timeout=5, needs=["v1", "tracefs"])
            class TestIt:
                @pytest.mark.memoom(swap="max")
                def test_it(self, memcg): pass
                def test_plain(self): pass
            """
        )
    )
    found = [Marker.of(item) for item in items]
    assert found[0] is not None and found[1] is not None
    assert found[0].settings == {"limit": "32M", "timeout": 5, "swap": "max"}
    assert found[0].needs == ("kernel-log", "v1", "tracefs")
    assert not found[0].moves(items[0]) and found[1].moves(items[1])


# The fixture.


@needs_lab
def test_the_fixture(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        paths = []

        @pytest.mark.memoom(limit="64M")
        def test_defaults(memcg):
            assert memcg.run([sys.executable, "-c", "bytearray(200 << 20)"]).oom_killed
            assert memcg.run([sys.executable, "-c", "bytearray(200 << 20)"], limit="400M").returncode == 0
            assert memcg.call(bytearray, 200 << 20).status == "oom-killed"
            assert memcg.group().limit == 64 << 20 and memcg.group(limit="16M").limit == 16 << 20
            assert len(memcg.ooms) == 2 and memcg.host.version is not None
            paths.append(memcg.lab.path)

        def test_a_lab_of_its_own(memcg):
            assert not paths[0].exists()
            group = memcg.group(limit="16M")
            watch = group.watch()
            hog = group.hog("alloc", step="32M")
            assert hog.grow().status == "killed"
            assert memcg.lab.path != paths[0]

        def test_no_lab_without_a_use(memcg):
            assert memcg._lab is None
        """,
    )
    result.assert_outcomes(passed=3)
    lines = summary(result)
    assert [line.partition(": ")[0].rpartition("::")[2] for line in lines] == [
        "test_defaults",
        "test_defaults",
        "test_a_lab_of_its_own",
    ]
    assert "victim alloc (pid " in lines[2] and "limit 16M of /memoom-" in lines[2]
    assert "memoom: 3 OOMs in 2 tests" in result.stdout.str()


@needs_time
@needs_lab
def test_skips_have_the_hosts_reason_and_required_ones_fail(pytester: pytest.Pytester) -> None:
    code = f"""
    @pytest.mark.memoom(needs={OTHER!r})
    def test_by_marker(): pass

    @pytest.mark.memoom(needs={OTHER!r})
    def test_by_marker_with_fixture(memcg): pass

    def test_runs(memcg): assert memcg.call(max, 1, 2, limit="64M").result() == 2
    """
    reason = f"*needs the memory controller on cgroup {OTHER}; here it is on {HIERARCHY}*"
    result = run(pytester, code, "-rs")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(f"SKIPPED*test_skips*.py:*{reason}")
    result = run(pytester, code, "--memoom-require")
    # One fails in its setup, which pytest calls an error.
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(reason)
    assert summary(result) == []


def test_a_host_without_labs_skips(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import memoom
        from memoom import _values
        def cannot(self): raise memoom.PermissionDeniedError("make lab: not here; remedy: move")
        _values.Host.require_lab = cannot
        """
    )
    code = """
def test_fixture(memcg): pass

@pytest.mark.memoom(limit="64M")
def test_moved(): pass

def test_plain(): pass
"""
    result = run(pytester, code, "-rs")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["memoom: *; no lab can be made here: make lab: not here; remedy: move"])
    result.stdout.fnmatch_lines(["SKIPPED*: make lab: not here; remedy: move"])
    run(pytester, code, "--memoom-require").assert_outcomes(passed=1, errors=2)


# What a failure tells.


@needs_lab
def test_a_failed_assertion_has_the_account(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        PROGRAM = [sys.executable, "-c", "bytearray(200 << 20)"]

        def test_not_killed():
            outcome = memoom.run(["true"], limit="64M")
            assert outcome.oom_killed

        def test_killed_and_in_no_variable():
            assert not memoom.run(PROGRAM, limit="64M").oom_killed

        def test_of_a_call():
            call = memoom.call(sys.exit, 7, limit="64M")
            assert call.oom_killed

        def test_of_an_oom(memcg):
            watch = memcg.group(limit="16M").watch()
            watch.group.hog("alloc", step="32M").grow()
            oom = watch.wait_oom(30)
            assert oom.victim.comm == "other"

        def test_checked():
            memoom.run(PROGRAM, limit="64M").check()

        def test_another_error():
            memoom.run(["true"], limit="64M")
            raise ValueError("plain")
        """,
        "--junitxml=junit.xml",
    )
    result.assert_outcomes(failed=6)
    failures = {
        case.get("name"): case.findtext("failure") or ""
        for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
    }
    assert re.search(
        r"assert outcome.oom_killed\n(?s:.*)exited with status 0\n(?s:.*)oom_kill stayed 0", failures["test_not_killed"]
    )
    for name in ("test_killed_and_in_no_variable", "test_checked"):
        killed = failures[name]
        assert "was killed in an OOM of" in killed and "holds" in killed and "What would help" in killed
    assert "exited with status 7" in failures["test_of_a_call"]
    assert re.search(r"OOM in .*limit 16M.*the kernel killed alloc", failures["test_of_an_oom"])
    assert "stayed 0" not in failures["test_another_error"]


@needs_time
@needs_lab
def test_two_values_that_differ(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        def test_it():
            one, two = (memoom.run(["sh", "-c", f"exit {n}"], limit="64M") for n in (3, 4))
            assert one == two
        """,
    )
    result.stdout.fnmatch_lines(["*two of Outcome that differ in *returncode*", "*returncode: 3 != 4"])


@needs_time
@needs_lab
def test_the_junit_file_has_the_ooms(pytester: pytest.Pytester) -> None:
    for arguments in ((), ("-n", "2")):
        result = run(
            pytester,
            """
            def test_one(memcg):
                assert memcg.call(bytearray, 200 << 20, limit="64M").oom_killed
            def test_none(memcg):
                assert not memcg.call(max, 1, 2, limit="64M").oom_killed
            """,
            "--junitxml=junit.xml",
            *arguments,
        )
        result.assert_outcomes(passed=2)
        found = {
            case.get("name"): [(one.get("name"), one.get("value")) for one in case.iter("property")]
            for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
        }
        assert found["test_none"] == []
        ((name, value),) = found["test_one"]
        assert name == "memoom_oom" and value is not None
        assert re.fullmatch(
            r"victim python\S* \(pid \d+, selected\); limit 64M of /memoom-\S+(; .*kernel's table.*)?",
            value,
        )
        assert len(summary(result)) == 1


# Tests that are moved.

MOVED = """
@pytest.fixture(scope="session")
def where():
    yield os.getpid()
    print("the session's end", flush=True)

@pytest.fixture(autouse=True)
def around():
    yield
    if os.environ.get("BREAK_TEARDOWN"):
        raise RuntimeError("broken teardown")

def test_before(where):
    assert where == os.getpid() == int(os.environ["PYTEST_PID"])

@pytest.mark.memoom(limit=BODY)
def test_elsewhere(where, tmp_path, record_property):
    print("said inside", flush=True)
    record_property("where", os.getpid())
    assert where == os.getpid() != int(os.environ["PYTEST_PID"])

@pytest.mark.memoom(limit=BODY)
class TestMany:
    @pytest.mark.parametrize("text", ["a", "b::c", "[d]"])
    def test_parameters(self, text):
        assert text in ("a", "b::c", "[d]")

@pytest.mark.memoom(limit=BODY)
def test_fails():
    print("said inside")
    import logging; logging.getLogger().warning("logged inside")
    number = 6
    assert number * 7 == 43

@pytest.mark.memoom(limit=BODY)
def test_is_killed():
    print("said before the end", flush=True)
    bytearray(600 << 20)

@pytest.mark.memoom(limit=BODY, expect="oom-killed")
def test_is_to_be_killed():
    bytearray(600 << 20)

@pytest.mark.memoom(limit=BODY, expect="oom-killed")
def test_is_to_be_killed_and_is_not(): pass

@pytest.mark.memoom(limit=BODY)
def test_leaves(): os._exit(5)

@pytest.mark.memoom(limit=BODY)
def test_skips(): pytest.skip("for a reason")

@pytest.mark.memoom(limit=BODY)
@pytest.mark.skipif(True, reason="by a mark")
def test_is_skipped(): pass

@pytest.mark.memoom(limit=BODY)
@pytest.mark.xfail(raises=ZeroDivisionError, strict=True)
def test_expected(): 1 / 0

@pytest.mark.memoom(limit=BODY)
@pytest.mark.xfail(raises=ValueError)
def test_of_another_kind(): 1 / 0

@pytest.mark.memoom(limit=BODY)
@pytest.mark.xfail(strict=True)
def test_strict(): pass

@pytest.mark.memoom(limit=BODY)
def test_imperative(): pytest.xfail("says so")

@pytest.mark.memoom(limit=BODY)
@pytest.mark.xfail(raises=memoom.OomKilledError)
def test_known_to_be_killed(): bytearray(600 << 20)

import unittest
@pytest.mark.memoom(limit=BODY)
class TestOld(unittest.TestCase):
    def setUp(self): self.pid = os.getpid()
    def test_old(self): self.assertNotEqual(self.pid, int(os.environ["PYTEST_PID"]))

def test_after(where):
    assert where == os.getpid()
"""


@pytest.fixture
def conftest_with_pid(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import os\nos.environ.setdefault('PYTEST_PID', str(os.getpid()))")


@needs_time
@needs_lab
@pytest.mark.usefixtures("conftest_with_pid")
def test_moved_tests(pytester: pytest.Pytester) -> None:
    result = run(pytester, MOVED, "-ra", "--junitxml=junit.xml")
    result.assert_outcomes(passed=8, failed=6, skipped=2, xfailed=3)
    text = result.stdout.str()
    failed = set(re.findall(r"^FAILED \S+::(\w+)", text, re.MULTILINE))
    assert failed == {
        "test_fails",
        "test_is_killed",
        "test_is_to_be_killed_and_is_not",
        "test_leaves",
        "test_of_another_kind",
        "test_strict",
    }
    # As if it had been here: source, values, output, log.
    result.stdout.fnmatch_lines(
        [
            "> *assert number * 7 == 43",
            "E *assert (6 * 7) == 43",
            "*Captured log call*",
            "*logged inside*",
            "*Captured stdout call*",
            "said inside*",
        ]
    )
    result.stdout.fnmatch_lines(
        ["the test was OOM-killed at 192M: python* was killed in an OOM of *", "*said before the end*"]
    )
    result.stdout.fnmatch_lines(["*was expected to be OOM-killed under its limit, and passed*"])
    result.stdout.fnmatch_lines(["the test ended its own process: python* exited with status 5*"])
    result.stdout.fnmatch_lines(["SKIPPED*test_moved_tests.py:*: for a reason", "SKIPPED*by a mark"])
    assert text.count("test session starts") == 1 and "Captured log teardown" not in text
    assert [line.partition(": ")[0].rpartition("::")[2] for line in summary(result)] == [
        "test_is_killed",
        "test_is_to_be_killed",
        "test_known_to_be_killed",
    ]
    (case,) = [
        case
        for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
        if case.get("name") == "test_elsewhere"
    ]
    assert [one.get("name") for one in case.iter("property")] == ["where"]


@needs_time
@needs_lab
@pytest.mark.usefixtures("conftest_with_pid")
def test_a_moved_test_with_other_ways_of_running(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    run(pytester, MOVED, "-n", "2", "-k", "elsewhere or parameters").assert_outcomes(passed=4)
    result = run(pytester, MOVED, "-s", "-k", "elsewhere")
    result.stdout.fnmatch_lines(["*said inside"])
    result = run(pytester, MOVED, "--capture=sys", "-k", "test_fails")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Captured stdout call*", "said inside"])
    run(
        pytester, MOVED, "-x", "-v", "--tb=short", "test_a_moved_test_with_other_ways_of_running.py::TestOld"
    ).assert_outcomes(passed=1)
    monkeypatch.setenv("BREAK_TEARDOWN", "1")
    result = run(pytester, MOVED, "-k", "elsewhere")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *RuntimeError: broken teardown"])


# Together with others.


@needs_time
@needs_lab
@pytest.mark.parametrize("method", ["signal", "thread"])
def test_pytest_timeout_ends_a_wait(pytester: pytest.Pytester, method: str) -> None:
    result = run(
        pytester,
        """
        def test_waits(memcg):
            group = memcg.group(limit="16M")
            print("LAB", memcg.lab.path, memcg.lab.supervisor_pid, file=open("lab", "w"), flush=True)
            group.watch().wait_oom()

        def test_after(memcg):
            assert memcg.call(max, 1, 2, limit="64M").result() == 2
        """,
        f"--timeout={TIMEOUT}",
        f"--timeout-method={method}",
    )
    if method == "signal":
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(f"*Timeout (>{TIMEOUT}.0s) from pytest-timeout*")
    else:
        # This method ends the whole process, and the lab ends with it.
        result.stdout.fnmatch_lines("*+ Timeout +*")
        assert "passed" not in result.stdout.str()
    _, path, supervisor = (pytester.path / "lab").read_text().split()
    wait_until_gone(Path(path), int(supervisor))


@needs_time
@needs_lab
def test_pytest_timeout_ends_a_moved_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        @pytest.mark.memoom(limit=BODY)
        def test_waits():
            time.sleep(1000)

        @pytest.mark.memoom(limit=BODY, timeout=3)
        def test_waits_by_itself():
            time.sleep(1000)
        """,
        f"--timeout={TIMEOUT}",
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([f"*Timeout (>{TIMEOUT}.0s) from pytest-timeout*"])
    result.stdout.fnmatch_lines(["*was still running at its timeout, and memoom killed it*"])


# Each run of a test writes a line: whether it was moved, and what `random` says.
COUNTED = """
import random

def note(where):
    with open(os.environ["RUNS"], "a") as file:
        file.write(f"{where} {random.getrandbits(64)}\\n")
    return len(open(os.environ["RUNS"]).readlines())
"""


def runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, code: str, *arguments: str) -> Any:
    """The result, and the lines of all runs."""
    file = pytester.path / "runs"
    file.write_text("")
    monkeypatch.setenv("RUNS", str(file))
    result = run(pytester, COUNTED + textwrap.dedent(code), *arguments)
    return result, file.read_text().splitlines()


@needs_time
@needs_lab
@pytest.mark.parametrize("how", ["marker", "option", "ini"])
def test_reruns_are_counted_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    flaky = "@pytest.mark.flaky(reruns=2)" if how == "marker" else ""
    arguments = {"marker": [], "option": ["--reruns=2"], "ini": []}[how]
    if how == "ini":
        pytester.makeini("[pytest]\naddopts = --reruns=2")
    code = f"""
        {flaky}
        @pytest.mark.memoom(limit=BODY)
        def test_fails(): assert note("fails") < 0

        {flaky}
        @pytest.mark.memoom(limit=BODY)
        def test_passes_at_last(): assert note("at last") == 5
        """
    result, lines = runs(pytester, monkeypatch, code, *arguments)
    assert [line.rpartition(" ")[0] for line in lines] == ["fails"] * 3 + ["at last"] * 2
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*1 failed, 1 passed, 3 rerun*"])


@needs_time
@needs_lab
def test_others_act_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat, timeout and randomly: what they do to a test they do to it once, in the caller's pytest."""
    code = """
        @pytest.mark.memoom(limit=BODY)
        @pytest.mark.timeout(300)
        def test_moved(): note("moved")

        @pytest.mark.memoom(limit=BODY, timeout=1)
        @pytest.mark.timeout(300)
        def test_too_long(): note("long"); time.sleep(100)
        """
    result, lines = runs(pytester, monkeypatch, code, "--count=2", "-k", "moved")
    result.assert_outcomes(passed=2)
    assert len(lines) == 2
    result, lines = runs(pytester, monkeypatch, code)
    result.assert_outcomes(passed=1, failed=1)
    assert [line.split()[0] for line in lines].count("moved") == 1
    result.stdout.fnmatch_lines(["*was still running at its timeout, and memoom killed it*"])
    # The same numbers come of the same seed, moved or not.
    plain = "def test_moved(): note('moved')"
    seeded = [
        runs(pytester, monkeypatch, what, "-p", "randomly", "-p", "no:rerunfailures", *seed, "-k", "moved")[1]
        for what in (code, plain)
        for seed in (["--randomly-seed=7"],)
    ]
    assert seeded[0] == seeded[1] and len(seeded[0]) == 1
    # A seed that randomly makes up itself is the one that it has named.
    result, lines = runs(pytester, monkeypatch, code, "-p", "randomly", "-k", "moved")
    (seed,) = re.findall(r"--randomly-seed=(\d+)", result.stdout.str())
    assert runs(pytester, monkeypatch, plain, "-p", "randomly", f"--randomly-seed={seed}")[1] == lines


@needs_time
@needs_lab
@pytest.mark.parametrize("how", [[], ["-n", "1"]], ids=["here", "xdist"])
def test_coverage_of_a_moved_test(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: list[str]) -> None:
    pytester.makepyfile(
        covered="def moved():\n    return 1\n\ndef here():\n    return 2\n\ndef never():\n    return 3\n"
    )
    code = """
        import covered

        @pytest.mark.memoom(limit=BODY)
        def test_moved(): assert covered.moved() == 1

        def test_here(): assert covered.here() == 2
        """
    result, _ = runs(pytester, monkeypatch, code, "--cov=covered", "--cov-report=term-missing", *how)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["covered.py* 6 * 1 * 83% * 8"])
    assert result.stdout.str().count("covered.py ") == 1
    assert [path.name for path in pytester.path.glob(".coverage*")] == [".coverage"]


@pytest.mark.parametrize("timeout", ["-1", "float('nan')", "'1s'"])
def test_a_timeout_that_is_none(pytester: pytest.Pytester, timeout: str) -> None:
    result = run(pytester, f"@pytest.mark.memoom(limit=BODY, timeout={timeout})\ndef test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*it is a number of seconds, 0 or more*"])


@needs_time
@needs_lab
def test_what_a_killed_test_says(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        @pytest.mark.memoom(limit="128M")
        def test_takes_too_much(): bytearray(600 << 20)
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the test was OOM-killed at 128M: *"])
    assert "--full" not in result.stdout.str() and "What would help: " in result.stdout.str()


def wait_until_gone(path: Path, supervisor: int) -> None:
    import time

    deadline = time.monotonic() + PATIENCE
    while path.exists() or os.path.exists(f"/proc/{supervisor}/exe"):
        # Nobody tells when a group goes that is somebody else's: it is looked at again until the deadline.
        assert time.monotonic() < deadline, (path, supervisor)
        time.sleep(0.01)


SUITE = f"""
PROGRAM = [sys.executable, "-c", "bytearray(200 << 20)"]

def note(lab):
    with open(os.environ["LABS"], "a") as file:
        file.write(f"{{lab.path}} {{lab.supervisor_pid}}\\n")

@pytest.mark.parametrize("number", range({HOGS}))
def test_hogs(memcg, number):
    group = memcg.group(limit="16M")
    note(memcg.lab)
    watch = group.watch()
    hogs = [group.hog(f"hog_{{number}}_{{one}}", step="2M") for one in "ab"]
    while all(hog.grow().status == "grew" for hog in hogs):
        if any(hog.ended for hog in hogs):
            break
    oom = watch.wait_oom(60)
    assert oom is not None and oom.victim.pid in [hog.pid for hog in hogs]

@pytest.mark.parametrize("number", range({COMMANDS}))
@pytest.mark.memoom(limit="48M")
def test_commands(memcg, number):
    assert memcg.run(PROGRAM).oom_killed

@pytest.mark.parametrize("number", range({MOVES}))
@pytest.mark.memoom(limit=BODY, expect="oom-killed")
def test_moved(number):
    bytearray(600 << 20)
"""


@needs_lab
@pytest.mark.parametrize("again", range(RUNS))
def test_fifty_ooms_under_xdist(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, again: int) -> None:
    """Fifty tests with an OOM each on two workers: all pass, nothing is left, and the report names each victim."""
    count = HOGS + COMMANDS + MOVES
    labs = pytester.path / "labs"
    monkeypatch.setenv("LABS", str(labs))
    result = run(pytester, SUITE, "-n", "2")
    result.assert_outcomes(passed=count)
    lines = summary(result)
    assert len({line.partition(": ")[0] for line in lines}) == count
    assert f"OOMs in {count} tests" in result.stdout.str()
    for line in lines:
        test, _, told = line.partition(": ")
        name = f"hog_{match[1]}_[ab]" if (match := re.search(r"test_hogs\[(\d+)\]", test)) else r"python[\d.]*"
        assert re.match(rf"victim {name} \(pid \d+, selected\); limit \d+M of /memoom-", told), line
    for one in labs.read_text().splitlines():
        path, supervisor = one.split()
        wait_until_gone(Path(path), int(supervisor))
    owner = result_owner(result)
    assert not [one for one in memoom.gc() if owner & set(re.findall(r"memoom-([0-9a-f]+)-", one.path))]


def result_owner(result: pytest.RunResult) -> set[str]:
    """The pids, in hexadecimal, of the processes that made labs: they stand in the names of the groups."""
    return set(re.findall(r"/memoom-([0-9a-f]+)-", result.stdout.str()))


def test_a_test_of_many_ooms_keeps_the_newest_accounts_and_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from memoom._pytest import record

    class Account(str):
        """Stands for one."""

    monkeypatch.setattr(record, "_KEPT", 3)
    monkeypatch.setattr(record, "Oom", Account)
    monkeypatch.setattr(record, "oom_line", str)
    names = [str(number) for number in range(10)]
    with record.Record() as kept:
        for name in names:
            # The account, and its outcome that has it too.
            for _ in range(2):
                kept._heard(Account(name))  # type: ignore[arg-type]
    assert list(kept.ooms) == names[-3:]  # type: ignore[comparison-overlap]
    assert kept.new() == names and kept.new() == []
