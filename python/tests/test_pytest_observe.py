"""``pytest --memoom-observe``: a worker of xdist, or a child of its test, that dies by a signal is explained."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

import pytest
from conftest import PATIENCE, needs_time

import memoom

pytestmark = [pytest.mark.usefixtures("needs_lab"), needs_time]
traced = pytest.mark.skipif(not memoom.Host.probe().can("tracefs"), reason="signals cannot be traced here")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pytests inside take no orders from the one outside."""
    for name in ("MEMOOM_REQUIRE", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


def observe(pytester: pytest.Pytester, code: str, *arguments: str) -> str:
    """What a suite of one worker prints."""
    pytester.makepyfile("import os, signal, subprocess, sys, time\nimport pytest\n" + textwrap.dedent(code))
    plain = ("-p", "no:cacheprovider", "-p", "no:randomly", "-n1", "--memoom-observe")
    return pytester.runpytest_subprocess(*plain, *arguments, timeout=300).stdout.str()


@traced
def test_a_worker_that_is_killed(pytester: pytest.Pytester) -> None:
    text = observe(
        pytester,
        """
        def test_killed():
            # It lives on, so that there is time to read who it is; the end of the lab ends it.
            subprocess.run(["sh", "-c", f"kill -9 {os.getpid()}; sleep 1000; :"])

        def test_after(): pass
        """,
    )
    assert "crashed while running" in text and "1 failed, 1 passed" in text
    assert "is ended by SIGKILL, sent by sh (pid " in text


def test_a_worker_in_an_oom_has_the_account(pytester: pytest.Pytester) -> None:
    """The limit is set from inside, as a suite under a limit that somebody else has set would meet it."""
    text = observe(
        pytester,
        """
        import memoom

        def test_oom():
            host = memoom.Host.probe()
            (line,) = [one for one in open("/proc/self/cgroup").read().split() if "/workers/gw" in one]
            file = {"v1": "memory.limit_in_bytes", "v2": "memory.max"}[host.version]
            with open(host.mount + line.split(":", 2)[2] + "/" + file, "w") as limit:
                limit.write("96M")
            bytearray(300 << 20)
        """,
    )
    assert "crashed while running" in text and "limit 96M" in text and "  victim " in text


def test_a_worker_that_ends_by_itself_is_no_death_by_a_signal(pytester: pytest.Pytester) -> None:
    text = observe(pytester, "def test_leaves(): os._exit(3)")
    assert "ended by itself, with status 3" in text and "SIGKILL" not in text


@traced
def test_a_child_is_explained_in_the_failure_of_its_test_alone(pytester: pytest.Pytester) -> None:
    text = observe(
        pytester,
        """
        def child():
            with subprocess.Popen(["sleep", "1000"]) as child:
                child.kill()
                return child.wait()

        def test_before(): assert child() == -9
        def test_child(): assert child() == 0
        def test_other(): assert False
        """,
    )
    assert "1 passed" in text and "2 failed" in text
    assert text.count("memoom: what died by a signal") == 1 and text.count("is ended by SIGKILL, sent by") == 1
    assert text.index("def test_child") < text.index("is ended by SIGKILL") < text.index("def test_other")


def test_nothing_is_left_and_without_it_nothing_moves(pytester: pytest.Pytester) -> None:
    where = "def test_where(): print(open('/proc/self/cgroup').read(), file=open('where', 'w'))"
    assert "1 passed" in observe(pytester, where)
    (line,) = {one for one in (pytester.path / "where").read_text().split() if "/workers/gw0" in one}
    mount = memoom.Host.probe().mount
    assert mount is not None
    lab = Path(mount + line.split(":", 2)[2]).parents[1]
    # The supervisor removes it when the pytest has ended.
    end = time.monotonic() + PATIENCE
    while lab.exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert not lab.exists()
    plain = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n1", timeout=300)
    plain.assert_outcomes(passed=1)
    assert "/workers/gw" not in (pytester.path / "where").read_text()


def test_the_limit_of_the_ini_file(pytester: pytest.Pytester) -> None:
    """It is the marker's where the marker names none, and moves nothing else."""
    pytester.makeini("[pytest]\nmemoom_limit = 192M")
    pytester.makepyfile(
        """
        import os, pytest
        OUTSIDE = os.environ.setdefault("OUTSIDE", str(os.getpid()))
        moved = lambda: str(os.getpid()) != OUTSIDE

        @pytest.mark.memoom(expect="oom-killed")
        def test_bare(): bytearray(600 << 20)

        @pytest.mark.memoom
        def test_moves(): assert moved()

        @pytest.mark.memoom(limit="1G")
        def test_own(): bytearray(300 << 20)

        @pytest.mark.memoom(needs="lab")
        def test_needs(): assert not moved()

        def test_plain(): assert not moved()
        """.replace('(needs="lab")', f'(needs="{memoom.Host.probe().version}")')
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=300)
    result.assert_outcomes(passed=5)
