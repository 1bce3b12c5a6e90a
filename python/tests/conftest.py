"""What the tests share: a lab where one can be made, and skips that become failures with MEMOOM_REQUIRE=1."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import memoom

pytest_plugins = ["pytester"]

# In the background or by nohup the tests would ignore these, and the programs that they start would inherit that.
for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

_wait_at_exit = subprocess.Popen.__exit__


def _end_at_exit(process: subprocess.Popen[Any], failure: type[BaseException] | None, *rest: Any) -> None:
    """A test that has failed beside a process ends it; to wait for one that stays would hide the failure for ever."""
    if failure is not None:
        process.kill()
    _wait_at_exit(process, failure, *rest)


subprocess.Popen.__exit__ = _end_at_exit  # type: ignore[method-assign]

REQUIRED = os.environ.get("MEMOOM_REQUIRE") == "1"
# An emulated machine takes its time.
SLOW = os.environ.get("MEMOOM_SLOW") == "1"
CHECKOUT = Path(__file__).resolve().parents[2]
# Longer than anything takes; a test that waits so long has failed.
PATIENCE = 300.0 if SLOW else 30.0


def why_no_lab() -> str | None:
    try:
        memoom.Host.probe().require_lab()
    except memoom.MemoomError as error:
        return str(error)
    return None


NO_LAB = why_no_lab()
HIERARCHY = memoom.Host.probe().version


def skip(reason: str) -> None:
    """Skips, or fails where everything must run."""
    if REQUIRED:
        pytest.fail(f"cannot run here, and MEMOOM_REQUIRE=1: {reason}")
    pytest.skip(reason)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test of the other hierarchy is no test of this machine: it is left out, not skipped."""
    other = {"v1": "v2", "v2": "v1"}.get(HIERARCHY or "")
    left_out = [item for item in items if other and item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def needs_lab() -> None:
    if NO_LAB is not None:
        skip(NO_LAB)


@pytest.fixture
def lab(needs_lab: None) -> Iterator[memoom.Lab]:
    with memoom.Lab() as lab:
        yield lab


# mm/oom_kill.c: the kernel prints up to 10 reports in 5 seconds, of the whole machine; a bit more, as it counts ticks.
REPORTS_WINDOW = 5.1


def kernels_last_report(log: int) -> float | None:
    """When the kernel last printed a report, in its own seconds since boot, of what is still to be read of its log."""
    last = None
    while True:
        try:
            record = os.read(log, 8192)
        except BlockingIOError:
            return last
        except BrokenPipeError:
            continue  # Some were overwritten meanwhile; the next read goes on behind them.
        found = re.match(rb"[^,]*,[^,]*,(\d+),[^;]*;[^\n]* invoked oom-killer: ", record)
        if found:
            last = int(found[1]) / 1e6


@pytest.fixture
def report_is_due(needs_lab: None) -> None:
    """The kernel will print a report of the next OOM: its last one is so old that a new window begins.

    For a test that shows the kernel's own report: with the tests before it the reports of a window may be used up."""
    if not memoom.Host.probe().can("kernel-log"):
        return
    log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        poll = select.poll()
        poll.register(log, select.POLLIN)
        last = kernels_last_report(log)
        deadline = time.monotonic() + PATIENCE
        while last is not None and (left := last + REPORTS_WINDOW - time.monotonic()) > 0:
            if time.monotonic() > deadline:
                skip(f"others use up the kernel's reports: for {PATIENCE:.0f} s one was printed at least every 5 s")
            poll.poll(left * 1000)
            last = kernels_last_report(log) or last
    finally:
        os.close(log)


# On an emulated machine each start of Python takes seconds; what has nothing to do with the kernel is left to others.
needs_time = pytest.mark.skipif(SLOW, reason="MEMOOM_SLOW=1: too slow here, and no matter of the kernel")


Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs the command memoom to its end, in a directory that may be written."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        keywords: dict[str, object] = {
            "capture_output": True,
            "text": True,
            "timeout": PATIENCE,
            "cwd": tmp_path,
            **options,
        }
        return subprocess.run([sys.executable, "-m", "memoom", *arguments], **keywords)  # type: ignore[call-overload,no-any-return]

    return run
