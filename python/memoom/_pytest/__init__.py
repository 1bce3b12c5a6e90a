"""The pytest plugin: the fixture `memcg`, the marker `memoom`, accounts in failures, and what all OOMs were at the end.

Entry point "memoom" of the group pytest11: it is there as soon as memoom is installed; ``-p no:memoom`` turns it off.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from .marker import LIMIT, Marker, skip_or_fail
from .record import KEY, Record, explain, properties, summary

__all__: list[str] = []

_OPTION = "memoom_require"
_OBSERVE = "memoom_observe"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("memoom", "memory-cgroup OOMs")
    group.addoption(
        "--memoom-observe",
        dest=_OBSERVE,
        action="store_true",
        help="put each worker of pytest-xdist into a group of its own, without a limit, and explain in a test's "
        "failure which of its processes died by a signal, and by whom",
    )
    parser.addini(LIMIT, "the limit of tests whose marker memoom names none, such as 512M", default=None)
    group.addoption(
        "--memoom-require",
        dest=_OPTION,
        action="store_true",
        default=os.environ.get("MEMOOM_REQUIRE") == "1",
        help="fail what cannot run on this machine instead of skipping it (also MEMOOM_REQUIRE=1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "memoom(limit=None, *, swap=0, high=None, oom_group=None, oom_score_adj=0, timeout=None, needs=(), "
        "expect='passed'): run the test in a process of its own under this memory limit; a test that uses the fixture "
        "`memcg` stays where it is, and these are the settings of what the fixture starts.",
    )
    if config.getoption(_OBSERVE):
        from .observe import begin

        begin(config)


def pytest_report_header(config: pytest.Config) -> str:
    from .._errors import MemoomError
    from .._native import __version__
    from .._values import Host

    try:
        host = Host.probe()
        host.require_lab()
    except MemoomError as error:
        return f"memoom: {__version__}; no lab can be made here: {error}"
    # What the other hierarchy has is not missing here.
    missing = [one.name for one in host.missing if one.name not in ("oom-group", "oom-killer-switch")]
    without = f"; without {', '.join(missing)}" if missing else ""
    return (
        f"memoom: {__version__}, Linux {host.release}, memory on cgroup {host.version}, labs in {host.parent}{without}"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (marker := Marker.of(item)) is not None and marker.moves(item):
            from .move import move

            move(item, marker)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if (marker := Marker.of(item)) is not None:
        skip_or_fail(item.config, marker.why_not())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with Record() as record:
        item.stash[KEY] = record
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    record = item.stash.get(KEY, None)
    if record is not None:
        if call.excinfo is not None:
            explain(call.excinfo, record)
        item.user_properties.extend(properties(record.new()))
    return (yield)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    summary(terminalreporter)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    from .._document import Document

    if op != "==" or not isinstance(left, Document) or type(left) is not type(right):
        return None
    ours, theirs = left.to_dict(), right.to_dict()
    differ = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
    return [
        f"two of {type(left).__name__} that differ in {', '.join(differ)}",
        *(f"{key}: {ours.get(key)!r} != {theirs.get(key)!r}" for key in differ),
    ]


@pytest.fixture
def memcg(request: pytest.FixtureRequest) -> Iterator[Any]:
    """This test's own lab, and runs and calls under the limit of the marker `memoom`; a `memoom.testing.Memcg`."""
    from ..testing import Memcg, why_not

    marker = Marker.of(request.node)
    if marker is None:
        skip_or_fail(request.config, why_not())
    memcg = Memcg(**(marker.settings if marker is not None else {}))
    try:
        yield memcg
        # What ended in the lab belongs to the record of this test, whoever looked at it.
        _ = memcg.ooms
    finally:
        memcg.close()
