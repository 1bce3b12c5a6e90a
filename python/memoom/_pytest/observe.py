"""``--memoom-observe``: who killed a worker of pytest-xdist, or a process that its test has started.

The controller makes a group without a limit for each worker, into which the worker puts itself when it begins; and it
reads what dies there in a thread, since who sends a signal may be gone a moment later. Nothing is done for a test that
passes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from .._errors import MemoomError
from .._text import signal_name

if TYPE_CHECKING:
    from .._lab import Lab
    from .._native import Group
    from .._observe import Witness

# The key under which a worker is told its group.
_KEY = "memoom_group"
# What a worker that has died is waited for, in seconds: its exit status, and what is said of it. An account of an OOM
# may stay open for 10; of other signals the trace tells at once or, of those that leave no core, never.
_EXIT, _ACCOUNT, _TOLD = 5.0, 12.0, 1.0


def begin(config: pytest.Config) -> None:
    """Observes the workers of this pytest; in a worker, goes where it is observed."""
    workerinput = getattr(config, "workerinput", None)
    if workerinput is None:
        if config.pluginmanager.has_plugin("dsession") or getattr(config.option, "tx", None):
            config.pluginmanager.register(_Observer(config), "memoom-observe")
    elif (group := workerinput.get(_KEY)) is not None:
        with open(os.path.join(group, "cgroup.procs"), "w") as file:
            file.write(str(os.getpid()))


class _Place:
    """The lab, the group that holds those of the workers, and what dies there."""

    def __init__(self) -> None:
        from .._lab import Lab
        from .._observe import Witness

        self.lab: Lab = Lab()
        self.top: Group = self.lab.group("workers", swap=None)
        self.witness: Witness = Witness(self.top, self.lab.host)


class _Observer:
    """The plugin of the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._groups: dict[Any, Group] = {}
        self._failed: MemoomError | None = None
        # Made while the workers begin. Its end is left to its supervisor, which comes when this process has ended: to
        # close it here would take longer than all the rest. So the thread holds it, and waits outside of native code.
        self._place: Future[_Place] = Future()
        self._thread = threading.Thread(target=self._serve, name="memoom-observe", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            place = _Place()
        except BaseException as error:
            self._place.set_exception(error)
            return
        self._place.set_result(place)
        try:
            place.witness.watch()
        except MemoomError as error:
            self._failed = error
            threading.Event().wait()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker is about to be told what to do."""
        # One on another machine is not for us to see.
        if not getattr(node.gateway.spec, "popen", False):
            return
        try:
            group = self._place.result().top.child(node.gateway.id, swap=None)
        except MemoomError as error:
            self._failed = error
            if self._config.getoption("memoom_require"):
                raise pytest.UsageError(f"workers cannot be observed, and must (--memoom-require): {error}") from error
            return
        self._groups[node] = group
        node.workerinput[_KEY] = str(group.path)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        """A worker is in its group: seen there once, it is known there also when it has been reaped."""
        if (group := self._groups.get(node)) is not None:
            with contextlib.suppress(MemoomError):
                group.sample()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        node = getattr(report, "node", None)
        group = self._groups.get(node)
        if group is None or not report.failed or self._failed is not None:
            return
        # What xdist reports of a worker that has gone is of no phase.
        if report.when not in ("setup", "call", "teardown"):
            report.longrepr = "\n".join([str(report.longrepr), *self._why_gone(node)])
            return
        witness = self._place.result().witness
        with contextlib.suppress(MemoomError):
            witness.read()
        # By the clock of the deaths, and with what the two clocks may differ by.
        begun_ns = time.monotonic_ns() - int((time.time() - report.start) * 1e9) - 1_000_000
        deaths = [death for death in witness.died() if death.group == group.cgroup and death.time_ns >= begun_ns]
        if deaths:
            text = "\n".join(line for death in deaths for line in death.lines(more="in memoom observe --full"))
            report.sections.append(("memoom: what died by a signal", text))

    def _why_gone(self, node: Any) -> list[str]:
        """Why a worker has gone, as far as can be told."""
        process: subprocess.Popen[bytes] | None = getattr(getattr(node.gateway, "_io", None), "popen", None)
        if process is None:
            return []
        try:
            status = process.wait(_EXIT)
        except subprocess.TimeoutExpired:
            return [f"memoom: its process (pid {process.pid}) has not ended: it has only closed its channel"]
        if status >= 0:
            return [f"memoom: its process (pid {process.pid}) ended by itself, with status {status}"]
        name = signal_name(-status)
        witness = self._place.result().witness
        if (blind := witness.blind) is not None and -status != signal.SIGKILL:
            return [f"memoom: its process (pid {process.pid}) died by {name}; by whom is unknown: {blind}"]
        within = _ACCOUNT if blind is None and -status == signal.SIGKILL else _TOLD
        if (death := witness.death_of(process.pid, within)) is not None:
            headline, *details = death.lines(more="in memoom observe --full")
            return [f"memoom: {headline}", *details]
        return [f"memoom: its process (pid {process.pid}) died by {name}; by whom is unknown: {witness.why_unknown}"]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._failed is not None:
            terminalreporter.write_line(f"memoom: the workers were not observed: {self._failed}")
