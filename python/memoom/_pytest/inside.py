"""The process of its own that a marked test runs in: pytest once more, for that one test and without a terminal.

Everything is as in the caller's pytest: its command line, its root, its conftest files, its fixtures (made anew here).
"""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Generator, Iterator
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
    "forked": False,
}
# Marks that are the caller's to act on: whether a failure is expected, and how long the test may take.
_OUTSIDE = ("xfail", "timeout")


def run(arguments: list[str], nodeid: str, target: str, shared: dict[str, Any]) -> dict[str, Any]:
    """Runs one test and gives its reports as plain data; `shared` is what the caller's plugins go by (`shared_of`)."""
    inside = Inside(nodeid, target, shared)
    with _measured(shared["coverage"]):
        status = pytest.main([*arguments, "--capture=no"], plugins=[inside])
    return {"reports": inside.reports, "error": inside.error, "status": int(status)}


@contextlib.contextmanager
def _measured(coverage: dict[str, Any] | None) -> Iterator[None]:
    """Measures what the caller's pytest-cov measures, into a file beside its own, which it combines at its end."""
    if coverage is None:
        yield
        return
    import coverage as library

    measured = library.Coverage(data_suffix=True, **coverage)
    measured.start()
    try:
        yield
    finally:
        measured.stop()
        measured.save()


class Inside:
    """The plugin that makes a pytest an inside one."""

    def __init__(self, nodeid: str, target: str, shared: dict[str, Any]) -> None:
        self.nodeid = nodeid
        self.target = target
        self.shared = shared
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
        for name, value in self.shared["options"].items():
            setattr(config.option, name, value)
        if (workerinput := self.shared["workerinput"]) is not None:
            # What asks whether it is in a worker of xdist is told what the caller was told.
            config.workerinput = workerinput  # type: ignore[attr-defined]
            config.workeroutput = {}  # type: ignore[attr-defined]
        # As late as this, so that it is asked before those of all plugins.
        config.pluginmanager.register(Once(), "memoom-once")

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        manager = config.pluginmanager
        if manager.has_plugin("terminalreporter"):
            manager.unregister(name="terminalreporter")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid == self.nodeid][:1]
        for item in items:
            # The caller has the same marks.
            for node in item.listchain():
                node.own_markers[:] = [mark for mark in node.own_markers if mark.name not in _OUTSIDE]

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


class Once:
    """Runs the test once and as it is. Whether it is run again, or in a child, is what the caller's plugins decide."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        from _pytest.runner import runtestprotocol

        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        runtestprotocol(item, nextitem=nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def arguments_of(config: pytest.Config) -> list[str]:
    """The caller's command line, with what it had found out by itself made explicit."""
    arguments = [os.fspath(argument) for argument in config.invocation_params.args]
    if config.inipath is not None:
        arguments += ["-c", str(config.inipath)]
    if hasattr(config.option, "no_cov"):
        # It would begin anew the file that the caller's writes; `_measured` has a file of its own.
        arguments.append("--no-cov")
    return [*arguments, f"--rootdir={config.rootpath}"]


def shared_of(config: pytest.Config) -> dict[str, Any]:
    """What the plugins of the caller have found out or made up, and those inside must go by."""
    seed = getattr(config.option, "randomly_seed", None)
    return {
        "workerinput": getattr(config, "workerinput", None),
        "options": {} if seed is None else {"randomly_seed": seed},
        "coverage": _coverage_of(config),
    }


def _coverage_of(config: pytest.Config) -> dict[str, Any] | None:
    plugin = config.pluginmanager.get_plugin("_cov")
    controller: Any = getattr(plugin, "cov_controller", None)
    measured = getattr(controller, "cov", None)
    if measured is None:
        return None
    return {
        "data_file": os.path.abspath(measured.config.data_file),
        "config_file": os.path.abspath(controller.cov_config) if os.path.exists(controller.cov_config) else False,
        "source": controller.cov_source,
        "branch": controller.cov_branch,
    }
