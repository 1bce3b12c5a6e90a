"""Moves a marked test into a process of its own under its limit, and brings back how it went.

The test keeps its place in the caller's run: only what its setup, body and teardown do happens elsewhere, so that
skips, expected failures, timeouts, reruns, distribution and every report are pytest's own as for any other test.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Any

import pytest

from .._call import call
from .._errors import MemoomError
from .._explain import outcome_text
from .._units import size
from . import inside
from .marker import Marker

if TYPE_CHECKING:
    from .._call import Call

# The representation of an exception from the other process stands on the exception.
_LONGREPR = "_memoom_longrepr"


def move(item: pytest.Item, marker: Marker) -> None:
    """Replaces what the test does."""
    plain = item.repr_failure

    def repr_failure(excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        found = getattr(excinfo.value, _LONGREPR, None)
        return plain(excinfo, *args, **kwargs) if found is None else found

    nothing = _nothing
    vars(item).update(setup=nothing, teardown=nothing, runtest=lambda: _run(item, marker), repr_failure=repr_failure)


def _nothing() -> None:
    pass


def _run(item: pytest.Item, marker: Marker) -> None:
    __tracebackhide__ = True
    done = _call(item, marker)
    if done.status == "returned":
        error = _replay(item, done.result())
    elif done.status == "raised":
        # pytest itself could not be run there, which is nobody's test result.
        done.check()
        return
    else:
        error = _ended(done)
    if marker.expect == "oom-killed":
        if done.status == "oom-killed":
            return
        failed = "passed" if error is None else f"failed: {error!r}"
        text = f"the test was expected to be OOM-killed under its limit, and {failed}\n{outcome_text(done.outcome)}"
        raise _with(AssertionError(text), text)
    if error is not None:
        raise error


def _call(item: pytest.Item, marker: Marker) -> Call[dict[str, Any]]:
    config = item.config
    _, separator, rest = item.nodeid.partition("::")
    target = f"{item.path}{separator}{rest}"
    live = config.getoption("capture") in ("fd", "no")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        done = call(
            inside.run,
            inside.arguments_of(config),
            item.nodeid,
            target,
            inside.shared_of(config),
            cwd=config.invocation_params.dir,
            # Descriptors that are captured are the test's; else its output is handed on when it is there.
            stdout=None if live else out,
            stderr=None if live else err,
            pickler="pickle",
            **marker.settings,
        )
        _hand_on(out, sys.stdout)
        _hand_on(err, sys.stderr)
    return done


def _hand_on(file: IO[bytes], to: Any) -> None:
    file.seek(0)
    to.write(file.read().decode(errors="replace"))


def _ended(done: Call[dict[str, Any]]) -> BaseException:
    """The exception of a process that ended before the test did."""
    text = outcome_text(done.outcome)
    if done.status == "oom-killed":
        oom = done.oom
        limit = "its limit" if oom is None or oom.limit_bytes is None else size(oom.limit_bytes)
        text = f"the test was OOM-killed at {limit}: {text}"
    elif done.status == "exited":
        text = f"the test ended its own process: {text}"
    try:
        done.check()
    except MemoomError as error:
        return _with(error, text)
    return _with(AssertionError(text), text)


def _replay(item: pytest.Item, result: dict[str, Any]) -> BaseException | None:
    """Takes over what the reports say; the exception is that of the first phase that did not pass."""
    found: BaseException | None = None
    reports = [
        item.config.hook.pytest_report_from_serializable(config=item.config, data=data) for data in result["reports"]
    ]
    tests = [report for report in reports if isinstance(report, pytest.TestReport)]
    if tests:
        # The last report has what all phases have left.
        for title, content in tests[-1].sections:
            # "Captured log call"; what was written went to the caller's own descriptors.
            match title.split(" "):
                case ["Captured", key, when]:
                    item.add_report_section(when, key, content)
                case _:
                    item.add_report_section("call", title, content)
        known = len(item.user_properties)
        item.user_properties.extend(tests[-1].user_properties[known:])
    for report in reports:
        if found is None and report.outcome in ("failed", "skipped"):
            found = _exception(report, result["error"])
    if found is None and not tests:
        text = f"the process of the test did not find it (pytest ended with status {result['status']})"
        return _with(AssertionError(text), text)
    return found


def _exception(report: pytest.TestReport | pytest.CollectReport, pickled: bytes | None) -> BaseException:
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        imperative = getattr(report, "wasxfail", None)
        if imperative is not None:
            return pytest.xfail.Exception(imperative.removeprefix("reason: "))
        return pytest.skip.Exception(reason.removeprefix("Skipped: "), _use_item_location=True)
    error: BaseException | None = None
    if pickled is not None:
        error = pickle.loads(pickled)
    if not isinstance(error, BaseException):
        error = AssertionError(report.longreprtext)
    return _with(error, report.longrepr)


def _with(error: BaseException, longrepr: object) -> BaseException:
    try:
        setattr(error, _LONGREPR, longrepr)
    except AttributeError:
        error = AssertionError(str(longrepr))
        setattr(error, _LONGREPR, longrepr)
    return error
