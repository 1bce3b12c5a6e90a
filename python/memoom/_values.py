"""The results as values: what each document of the core holds, with its types.

Sizes are in bytes (``_bytes``), times in nanoseconds of CLOCK_MONOTONIC (``_ns``) or in microseconds (``_usec``).
``None`` is unknown or not there; 0 is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeVar

from . import _native
from ._document import Document
from ._errors import OomKilledError, OutcomeError
from ._report import Frame, Missing, Report, ReportInvoker, ReportPart

if TYPE_CHECKING:
    import altair
    import pandas
    import polars
    from matplotlib.axes import Axes

__all__ = [
    "Ability",
    "Blocked",
    "Candidate",
    "Counters",
    "Event",
    "Evidence",
    "Frame",
    "Grow",
    "Host",
    "Leftover",
    "Missing",
    "Oom",
    "Outcome",
    "Paced",
    "Predicted",
    "Prediction",
    "Pressure",
    "Process",
    "Report",
    "ReportInvoker",
    "ReportPart",
    "Span",
    "Stall",
    "Timeline",
    "Triggered",
    "Victim",
]


_Heard = TypeVar("_Heard", bound="Outcome | Oom")

# Who hears of each outcome and account that comes into this process: the pytest plugin, during a test.
_listeners: list[Callable[[Outcome | Oom], object]] = []


def _told(value: _Heard) -> _Heard:
    for hear in _listeners:
        hear(value)
    return value


class Ability(Document):
    """Something that memoom can do here, or why it cannot and what would help."""

    name: str
    available: bool
    reason: str
    remedy: str


class Host(Document):
    """This machine as memoom sees it; ``print(host)`` shows it the way a person reads it."""

    schema: str
    lab: bool
    refusal: str | None
    hierarchy: Literal["v1", "v2", "hybrid", "none"]
    version: Literal["v1", "v2"] | None
    mount: str | None
    own_group: str | None
    parent: str | None
    release: str
    available_bytes: int
    swap_total_bytes: int
    abilities: tuple[Ability, ...]

    _nested = {"abilities": Ability._part}
    _shown = ("hierarchy", "version", "release", "parent")

    @staticmethod
    def probe() -> Host:
        """Looks at this machine. Nothing is changed by looking."""
        return _native.probe()

    def can(self, name: str) -> bool:
        """Whether that ability is there."""
        return any(ability.name == name and ability.available for ability in self.abilities)

    @property
    def missing(self) -> tuple[Ability, ...]:
        """The abilities that are not there."""
        return tuple(ability for ability in self.abilities if not ability.available)

    def require_lab(self) -> None:
        """Raises why no lab can be made here."""
        _native.require_lab()

    def _repr_html_(self) -> str:
        from ._display import host_html

        return host_html(self)


class Leftover(Document):
    """What `gc` did with one lab."""

    path: str
    removed: bool
    reason: str


class Counters(Document):
    """What the kernel counted for a group: numbers of events, never of dead processes."""

    usage_bytes: int | None
    peak_bytes: int | None
    oom_kill: int | None
    oom: int | None
    oom_group_kill: int | None
    max: int | None
    high: int | None
    low: int | None
    failcnt: int | None
    under_oom: bool | None
    oom_kill_disable: bool | None
    local: Mapping[str, int] | None
    other: Mapping[str, int] | None


class Stall(Document):
    """How long tasks have waited for memory: shares in percent, and all the time so far."""

    avg10: float
    avg60: float
    avg300: float
    total_usec: int


class Pressure(Document):
    """Waits for memory (PSI): of at least one task, and of all that wanted to run."""

    some: Stall
    full: Stall

    _nested = {"some": Stall._part, "full": Stall._part}


class Process(Document):
    """A process by pid and name."""

    pid: int | None
    comm: str


class Predicted(Document):
    """Who would be killed, computed before the kernel chose."""

    pid: int
    comm: str
    score: int
    determined: bool
    source: str


class Candidate(Document):
    """A process that the kernel could choose, with its score."""

    pid: int
    comm: str
    score: int
    oom_score_adj: int
    eligible: bool
    reason: str | None
    group: str
    rss_pages: int
    swap_pages: int
    pgtable_pages: int

    _shown = ("pid", "comm", "score", "oom_score_adj", "eligible")


class Prediction(Document):
    """What the kernel would choose among the candidates; ``print(prediction)`` shows it the way a person reads it."""

    schema: str
    candidates: tuple[Candidate, ...]
    predicted: int | None
    waits_for: int | None
    margin_pages: int | None
    determined: bool
    total_pages: int
    uncertainty_pages: int

    _nested = {"candidates": Candidate._part}
    _shown = ("predicted", "determined", "margin_pages", "uncertainty_pages")

    @property
    def victim(self) -> Candidate | None:
        """The candidate that is predicted."""
        return next((one for one in self.candidates if one.pid == self.predicted), None)


class Victim(Document):
    """A process that the OOM killed."""

    pid: int
    comm: str
    cause: Literal["selected", "group", "shared-mm"]
    group: str | None
    anon_rss_bytes: int | None
    oom_score_adj: int | None
    sources: tuple[str, ...]

    _shown = ("pid", "comm", "cause", "anon_rss_bytes")


class Blocked(Document):
    """A process that waits in an OOM."""

    pid: int
    comm: str
    state: str
    wchan: str | None
    stack: tuple[Frame, ...]

    _nested = {"stack": Frame._part}
    _shown = ("pid", "comm", "state", "wchan")


class Grow(Document):
    """The answer to a step of a hog."""

    status: Literal["grew", "short", "killed", "blocked"]
    step_bytes: int
    taken_bytes: int
    total_bytes: int
    errno: int | None
    blocked: Blocked | None

    _nested = {"blocked": Blocked._part}


class Paced(Document):
    """How a pace of a hog ended, and why it stopped."""

    stop: Literal["total", "below", "event", "step"]
    steps: int
    total_bytes: int
    last: Grow | None

    _nested = {"last": Grow._part}


class Event(Document):
    """One thing that happened. Which of the keys after `kind` are there depends on the kind.

    ``print(event)`` says what happened in a few words, where it came from a watch.
    """

    schema: str
    time_ns: int
    source: str
    group: str | None
    pid: int | None
    kind: str
    name: str | None
    step_bytes: int | None
    total_bytes: int | None
    usage_bytes: int | None
    rss_bytes: int | None
    swap_bytes: int | None
    limit_bytes: int | None
    count: int | None
    errno: int | None
    returncode: int | None
    counters: Counters | None
    comm: str | None
    score: int | None
    invoker_pid: int | None
    invoker_comm: str | None
    call_path: tuple[Frame, ...] | None
    sequence: int | None
    text: str | None
    state: str | None
    wchan: str | None
    stack: tuple[Frame, ...] | None
    on: bool | None
    file: str | None
    value: str | None
    alarm: str | None

    _nested = {"counters": Counters._part, "call_path": Frame._part, "stack": Frame._part}


class Span(Document):
    """A value before and after an OOM."""

    before: Any
    after: Any

    @classmethod
    def _of_counters(cls, data: dict[str, Any]) -> Span:
        return _CountersSpan._part(data)


class _CountersSpan(Span):
    _nested = {"before": Counters._part, "after": Counters._part}


class Disagreement(Document):
    """Two sources that do not say the same, and why, where a known cause fits."""

    says: str
    because: str | None


class Oom(Document):
    """The account of one OOM; ``print(oom)`` shows it the way a person reads it."""

    schema: str
    hierarchy: Literal["v1", "v2"]
    limit_group: str | None
    limit_bytes: int | None
    usage_bytes: Span
    invoker: Process | None
    predicted: Predicted | None
    candidates: tuple[Candidate, ...]
    victims: tuple[Victim, ...]
    counters: Span
    victim_counters: Span | None
    report: Report | None
    call_path: tuple[Frame, ...]
    blocked: tuple[Blocked, ...]
    timings_ns: Mapping[str, int]
    disagreements: tuple[Disagreement, ...]
    missing: tuple[Missing, ...]

    _nested = {
        "usage_bytes": Span._part,
        "invoker": Process._part,
        "predicted": Predicted._part,
        "candidates": Candidate._part,
        "victims": Victim._part,
        "counters": Span._of_counters,
        "victim_counters": Span._of_counters,
        "report": Report._part,
        "call_path": Frame._part,
        "blocked": Blocked._part,
        "disagreements": Disagreement._part,
        "missing": Missing._part,
    }
    _shown = ("limit_group", "limit_bytes", "predicted", "victims", "blocked")

    @classmethod
    def _of(cls, document: str, text: str | None = None) -> Self:
        return _told(super()._of(document, text))

    @property
    def victim(self) -> Victim | None:
        """The process that the kernel chose, or the first that died."""
        chosen = (one for one in self.victims if one.cause == "selected")
        return next(chosen, next(iter(self.victims), None))

    @property
    def predicted_right(self) -> bool | None:
        """Whether the prediction named the process that the kernel chose; None where that cannot be said."""
        predicted, victim = self.predicted, self.victim
        return None if predicted is None or victim is None else predicted.pid == victim.pid

    def killed(self, pid: int) -> bool:
        """Whether a process of that pid was killed."""
        return any(victim.pid == pid for victim in self.victims)

    def to_rows(self) -> list[dict[str, Any]]:
        """Every process of the scope as a plain dict: what it held, its score, and what became of it."""
        from ._frames import oom_rows

        return oom_rows(self)

    def to_pandas(self) -> pandas.DataFrame:
        """`to_rows` as a pandas frame (``pip install memoom[pandas]``)."""
        from ._frames import to_pandas

        return to_pandas(self.to_rows())

    def to_polars(self) -> polars.DataFrame:
        """`to_rows` as a polars frame (``pip install memoom[polars]``)."""
        from ._frames import to_polars

        return to_polars(self.to_rows())

    def _repr_html_(self) -> str:
        from ._display import oom_html

        return oom_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("..." if cycle else str(self))


class Triggered(NamedTuple):
    """The answer of `oom_now`: the way that brought the OOM about, and its account."""

    way: Literal["inside", "squeeze", "write", "nonblock", "ancestor", "neighbour"]
    oom: Oom


class Evidence(Document):
    """What one source says about the end of a worker."""

    source: str
    says: str


class Outcome(Document):
    """How a worker ended, with the evidence; ``print(outcome)`` shows it the way a person reads it."""

    schema: str
    verdict: Literal["oom-killed", "killed", "exited", "timeout"]
    oom_killed: bool
    returncode: int
    pid: int
    ooms: tuple[Oom, ...]
    name: str
    group: str
    evidence: tuple[Evidence, ...]
    user_usec: int
    system_usec: int
    max_rss_bytes: int
    started_ns: int
    ended_ns: int
    missing: tuple[Missing, ...]

    _nested = {"ooms": Oom._part, "evidence": Evidence._part, "missing": Missing._part}
    _shown = ("verdict", "returncode", "pid", "name")

    @classmethod
    def _of(cls, document: str, text: str | None = None) -> Self:
        return _told(super()._of(document, text))

    @property
    def oom(self) -> Oom | None:
        """The account of the OOM that killed it."""
        return next((oom for oom in self.ooms if oom.killed(self.pid)), None)

    def check(self) -> Self:
        """Gives itself when the worker ended with status 0; raises `OomKilledError` or `OutcomeError` otherwise."""
        if self.oom_killed:
            raise OomKilledError(self._headline(), outcome=self)
        if self.verdict != "exited" or self.returncode != 0:
            raise OutcomeError(self._headline(), outcome=self)
        return self

    def _headline(self) -> str:
        return str(self).partition("\n")[0]

    def _repr_html_(self) -> str:
        from ._display import outcome_html

        return outcome_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("..." if cycle else str(self))


class Timeline(Document):
    """Every event of a lab, ordered by time; iterating gives the events.

    ``print(timeline)`` shows it the way a person reads it, and `full_text` with everything that only repeats itself.
    """

    schema: str
    events: tuple[Event, ...]
    # Not in the document, which is that of the events.
    ooms: tuple[Oom, ...]
    full_text: str

    _nested = {"events": Event._part}

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self._data["events"])

    def __repr__(self) -> str:
        return f"Timeline({len(self)} events)"

    def to_rows(self, table: Literal["events", "usage"] = "events") -> list[dict[str, Any]]:
        """The events, or the usage and the shares over time in one long table, as plain dicts."""
        from ._frames import timeline_rows

        return timeline_rows(self, table)

    def to_pandas(self, table: Literal["events", "usage"] = "events") -> pandas.DataFrame:
        """`to_rows` as a pandas frame (``pip install memoom[pandas]``)."""
        from ._frames import to_pandas

        return to_pandas(self.to_rows(table))

    def to_polars(self, table: Literal["events", "usage"] = "events") -> polars.DataFrame:
        """`to_rows` as a polars frame (``pip install memoom[polars]``)."""
        from ._frames import to_polars

        return to_polars(self.to_rows(table))

    def to_svg(self, group: str | None = None) -> str:
        """The chart of a group (the first one without `group`, the path of a group as the kernel writes it)."""
        from ._display import timeline_svg
        from ._display.series import chosen

        return timeline_svg(chosen(self, group))

    def plot(self, ax: Axes | None = None, *, group: str | None = None) -> Axes:
        """The same chart with matplotlib (``pip install memoom[matplotlib]``), on `ax` or on axes of its own."""
        from ._plot import timeline_axes

        return timeline_axes(self, ax, group)

    def to_altair(self, group: str | None = None) -> altair.LayerChart:
        """The same chart with Altair (``pip install memoom[altair]``)."""
        from ._plot import timeline_altair

        return timeline_altair(self, group)

    def _repr_html_(self) -> str:
        from ._display import timeline_html

        return timeline_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("..." if cycle else str(self))
