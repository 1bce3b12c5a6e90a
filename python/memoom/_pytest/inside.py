"""The process of its own that a marked test runs in: pytest once more, for that one test and without a terminal.

Everything is as in the caller's pytest: its command line, its root, its conftest files, its fixtures (made anew here).
"""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Generator
from typing import Any

import pytest

# In the stash of a configuration that is inside.
INSIDE = pytest.StashKey[bool]()
# What would make this process report, choose, distribute or stop by itself.
_PLAIN: dict[str, Any] = {
    "numprocesses": None,
    "dist": "no",
    "tx": [],
    "maxprocesses": None,
    "usepdb": False,
    "trace": False,
    "keyword": "",
    "markexpr": "",
    "deselect": None,
    "lf": False,
    "failedfirst": False,
    "newfirst": False,
    "stepwise": False,
    "maxfail": 0,
    "collectonly": False,
    "xmlpath": None,
    "pastebin": None,
    "timeout": 0,
    "reruns": 0,
    "no_cov": True,
}


def run(arguments: list[str], nodeid: str, target: str, workerinput: dict[str, Any] | None) -> dict[str, Any]:
    """Runs one test and gives its reports as plain data."""
    inside = Inside(nodeid, target, workerinput)
    status = pytest.main([*arguments, "--capture=no"], plugins=[inside])
    return {"reports": inside.reports, "error": inside.error, "status": int(status)}


class Inside:
    """The plugin that makes a pytest an inside one."""

    def __init__(self, nodeid: str, target: str, workerinput: dict[str, Any] | None) -> None:
        self.nodeid = nodeid
        self.target = target
        self.workerinput = workerinput
        self.reports: list[dict[str, Any]] = []
        self.error: bytes | None = None
        self.config: pytest.Config

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        self.config = config
        config.stash[INSIDE] = True
        config.args[:] = [self.target]
        for name, value in _PLAIN.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        if self.workerinput is not None:
            # What asks whether it is in a worker of xdist is told what the caller was told.
            config.workerinput = self.workerinput  # type: ignore[attr-defined]
            config.workeroutput = {}  # type: ignore[attr-defined]

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        manager = config.pluginmanager
        if manager.has_plugin("terminalreporter"):
            manager.unregister(name="terminalreporter")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid == self.nodeid][:1]
        for item in items:
            # Whether a failure is expected is judged by the caller, who has the same marks.
            for node in item.listchain():
                node.own_markers[:] = [mark for mark in node.own_markers if mark.name != "xfail"]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        if call.excinfo is not None and self.error is None:
            with contextlib.suppress(Exception):
                error = pickle.dumps(call.excinfo.value)
                pickle.loads(error)
                self.error = error
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._keep(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._keep(report)

    def _keep(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        if data is not None:
            self.reports.append(data)


def arguments_of(config: pytest.Config) -> list[str]:
    """The caller's command line, with what it had found out by itself made explicit."""
    arguments = [os.fspath(argument) for argument in config.invocation_params.args]
    if config.inipath is not None:
        arguments += ["-c", str(config.inipath)]
    return [*arguments, f"--rootdir={config.rootpath}"]
