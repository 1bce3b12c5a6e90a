"""The suites of tests/kernels: each has guests, and each live test program a suite. No guest is booted."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

KERNELS = Path(__file__).resolve().parents[2] / "tests" / "kernels"

pytestmark = pytest.mark.skipif(not KERNELS.is_dir(), reason="the package alone has no guests")

# They read texts and sources; a kernel has no part in them.
WITHOUT_A_KERNEL = {"recordings", "reports", "rooms"}


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """tests/kernels/run.py as a module; what it imports is not kept."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(KERNELS))
    yield importlib.import_module("run")
    for name in set(sys.modules) - before:
        if str(KERNELS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def entries(runner: Any, *arguments: str) -> list[str]:
    return [entry.name for entry in runner.chosen_entries(runner.parse_arguments(list(arguments)))]


def test_a_suite_asked_for_by_name_runs_somewhere(runner: Any) -> None:
    for suite in runner.SUITES:
        chosen = runner.chosen_entries(runner.parse_arguments([suite.name]))
        assert chosen, suite.name
        assert all(suite.fits(entry) for entry in chosen), suite.name
    assert entries(runner, "storm") == ["6.1-v1", "6.1-v2", "newest-v2", "5.10-v1", "5.10-v2", "6.12-v2"]
    assert entries(runner, "systemd") == ["newest-systemd"]
    assert entries(runner, "--only", "5.10-v2", "storm") == ["5.10-v2"]
    assert entries(runner) == ["6.1-v1", "6.1-v2", "newest-v2"]


def test_a_campaigns_size_reaches_the_guest(runner: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    args = runner.parse_arguments(["--only", "6.1-v2", "storm"])
    (entry,) = runner.chosen_entries(args)
    monkeypatch.setenv("MEMOOM_STORM_SIGNALS", "7")
    runner.write_plan(tmp_path, args, entry, runner.chosen_suites(args))
    assert "export MEMOOM_STORM_SIGNALS=7\n" in (tmp_path / "environment").read_text()


def test_each_live_test_program_is_in_a_suite_or_is_said_not_to_be() -> None:
    suites = "\n".join(path.read_text() for path in sorted(KERNELS.glob("suite-*.sh")))
    programs = {path.stem for path in (KERNELS.parents[1] / "core" / "tests").glob("*.rs")}
    assert {name for name in programs if f"core-{name}" not in suites} == WITHOUT_A_KERNEL
