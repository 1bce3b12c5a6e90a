"""What happened during a test: every outcome and account that came into this process, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from .._explain import call_text, oom_line, oom_text, outcome_text
from .._result import listeners
from .._text import note
from .._values import Oom, Outcome, OutcomeError

if TYPE_CHECKING:
    from typing_extensions import Self

# So many outcomes and accounts of a test, the newest, are kept for its failure; of each OOM there is its line besides.
_KEPT = 512
# What an account in a failure may take; the rest is counted.
_MOST = 4
_PROPERTY = "memoom_oom"


class Record:
    """The outcomes and accounts that were made while it was open."""

    def __init__(self) -> None:
        self.outcomes: dict[Outcome, None] = {}
        self.ooms: dict[Oom, None] = {}
        self._seen: set[int] = set()
        self._lines: list[str] = []

    def __enter__(self) -> Self:
        listeners.append(self._heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        listeners.remove(self._heard)

    def _heard(self, value: Outcome | Oom) -> None:
        if isinstance(value, Oom):
            if hash(value) not in self._seen:
                self._seen.add(hash(value))
                self._lines.append(oom_line(value))
            _keep(self.ooms, value)
        else:
            _keep(self.outcomes, value)

    def new(self) -> list[str]:
        """The lines of the OOMs that were not given before."""
        found, self._lines = self._lines, []
        return found


def _keep(kept: dict[Any, None], value: object) -> None:
    kept[value] = None
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]


KEY = pytest.StashKey[Record]()


def explain(excinfo: pytest.ExceptionInfo[BaseException], record: Record) -> None:
    """Adds to a failed assertion or check what the test knew: the accounts in its variables, and of what it has run."""
    error = excinfo.value
    if not isinstance(error, AssertionError | OutcomeError) or getattr(error, "__notes__", None):
        return
    texts: dict[str, None] = {}
    shown: set[Oom] = set()

    def add(value: object) -> None:
        from .._call import Call

        if isinstance(value, Call | Outcome):
            text = call_text(value) if isinstance(value, Call) else outcome_text(value)
            shown.update(value.ooms)
        elif isinstance(value, Oom):
            if value in shown:
                return
            shown.add(value)
            text = oom_text(value)
        else:
            return
        # The message may be the account already.
        if text not in str(error):
            texts[text] = None

    for values in (_variables(excinfo), record.outcomes, record.ooms):
        for value in values:
            add(value)
    found = list(texts)
    for text in found[:_MOST]:
        note(error, f"\n{text}")
    if len(found) > _MOST:
        note(error, f"\n({len(found) - _MOST} accounts more)")


def _variables(excinfo: pytest.ExceptionInfo[BaseException]) -> Iterable[object]:
    """The variables of the frame that raised, outcomes before accounts."""
    values = list(excinfo.traceback[-1].frame.f_locals.values())
    return sorted(values, key=lambda value: isinstance(value, Oom))


def properties(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Properties of a test for the JUnit file and for the summary; plain text, because they may come from a worker."""
    return [(_PROPERTY, line) for line in lines]


def summary(reporter: Any) -> None:
    """The OOMs of all tests, one line each. Only the process that has the terminal comes here."""
    seen: list[tuple[str, str]] = []
    for reports in reporter.stats.values():
        for report in reports:
            # The last report of a test has the properties of all its phases.
            if getattr(report, "when", None) == "teardown":
                seen += [(report.nodeid, str(value)) for name, value in report.user_properties if name == _PROPERTY]
    if not seen:
        return
    # The line of dots may be open still.
    reporter.ensure_newline()
    tests = len({nodeid for nodeid, _ in seen})
    reporter.section(f"memoom: {_count(len(seen), 'OOM')} in {_count(tests, 'test')}")
    for nodeid, line in seen:
        reporter.write_line(f"{nodeid}: {line}")


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
