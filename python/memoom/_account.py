"""What the signs mean together, as values: the account of an OOM, and what was predicted."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

from . import _wires
from ._document import Document
from ._memcg import Composition, Counters
from ._report import Finding, Frame, Missing, Report, Workload
from ._result import Table, Told
from ._steps import Blocked

__all__ = [
    "Candidate",
    "Disagreement",
    "GroupUse",
    "Grower",
    "Holder",
    "Oom",
    "Predicted",
    "Prediction",
    "Process",
    "Span",
    "SwapUse",
    "Triggered",
    "Victim",
    "Workload",
    "_CountersSpan",
]


class Process(Document):
    """A process by pid and name."""

    pid: int | None
    comm: str
    comm_bytes: bytes


class Predicted(Document):
    """Who would be killed, computed before the kernel chose."""

    pid: int
    comm: str
    comm_bytes: bytes
    score: int
    determined: bool
    source: str
    made: Literal["before", "after"]


class Candidate(Document):
    """A process that the kernel could choose, with its score."""

    pid: int
    comm: str
    comm_bytes: bytes
    score: int
    oom_score_adj: int
    eligible: bool
    reason: str | None
    group: str | None
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

    def _repr_html_(self) -> str:
        return _wires.display().html(self)


class Victim(Document):
    """A process that the OOM killed."""

    pid: int
    comm: str
    comm_bytes: bytes
    cause: Literal["selected", "group", "shared-mm"]
    group: str | None
    workload: Workload | None
    anon_rss_bytes: int | None
    oom_score_adj: int | None
    sources: tuple[str, ...]

    _nested = {"workload": Workload._part}
    _shown = ("pid", "comm", "cause", "anon_rss_bytes")


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


class Holder(Document):
    """What one process held before the kill, or what no process holds (then ``what`` says so)."""

    pid: int | None
    comm: str | None
    comm_bytes: bytes | None
    group: str | None
    workload: Workload | None
    what: Literal["no living process", "smaller processes"] | None
    processes: int
    alive: bool
    rss_bytes: int | None
    anon_bytes: int | None
    shmem_bytes: int | None
    file_bytes: int | None
    swap_bytes: int | None
    pss_bytes: int | None
    grown_bytes: int | None
    grown_since_ns: int | None
    source: str
    read_ns: int

    _nested = {"workload": Workload._part}
    _shown = ("pid", "comm", "what", "anon_bytes", "shmem_bytes", "file_bytes", "grown_bytes")


class Grower(Document):
    """The process whose own memory rose most; it need not be the victim."""

    pid: int
    comm: str | None
    comm_bytes: bytes | None
    group: str | None
    from_bytes: int
    to_bytes: int
    grown_bytes: int
    over_ns: int
    bytes_per_sec: int | None
    limit_percent: int | None
    since_ns: int
    alive: bool
    source: str

    _shown = ("pid", "comm", "from_bytes", "to_bytes", "over_ns")


class GroupUse(Document):
    """A group directly below the one whose limit was hit, with what was charged to it."""

    group: str
    usage_bytes: int | None
    limit_bytes: int | None


class SwapUse(Document):
    """What swap there was for the group whose limit was hit."""

    host_total_bytes: int
    host_free_bytes: int
    usage_bytes: int | None
    limit_bytes: int | None


class Oom(Told, Table):
    """The account of one OOM; ``print(oom)`` shows it the way a person reads it."""

    schema: str
    schema_revision: int
    hierarchy: Literal["v1", "v2"]
    limit_group: str | None
    limit_workload: Workload | None
    limit_bytes: int | None
    usage_bytes: Span
    composition: Composition | None
    holders: tuple[Holder, ...]
    grower: Grower | None
    groups: tuple[GroupUse, ...]
    swap: SwapUse | None
    occurrence: int | None
    least_start_bytes: int | None
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
    findings: tuple[Finding, ...]
    summary: str

    _nested = {
        "limit_workload": Workload._part,
        "usage_bytes": Span._part,
        "composition": Composition._part,
        "holders": Holder._part,
        "grower": Grower._part,
        "groups": GroupUse._part,
        "swap": SwapUse._part,
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
        "findings": Finding._part,
    }
    _shown = ("limit_group", "limit_bytes", "predicted", "victims", "blocked")

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

    @property
    def short_text(self) -> str:
        """The account in 15 lines at most, without call path and kernel lines; ``str(oom)`` is the full text."""
        return cast("str", self._parts.get("short_text", str(self))).rstrip("\n")

    def killed(self, pid: int) -> bool:
        """Whether a process of that pid was killed."""
        return any(victim.pid == pid for victim in self.victims)

    def to_rows(self) -> list[dict[str, Any]]:
        """Every process of the scope as a plain dict: what it held, its score, and what became of it."""
        victims = {victim.pid: victim for victim in self.victims}
        waiting = {one.pid for one in self.blocked}
        predicted = None if self.predicted is None else self.predicted.pid
        rows = []
        for one in self.candidates:
            victim = victims.pop(one.pid, None)
            rows.append(
                {
                    "pid": one.pid,
                    "comm": one.comm,
                    "group": one.group,
                    "held_bytes": (one.rss_pages + one.swap_pages) * mmap.PAGESIZE,
                    "score": one.score,
                    "oom_score_adj": one.oom_score_adj,
                    "eligible": one.eligible,
                    "predicted": one.pid == predicted,
                    "fate": victim.cause if victim else "waits" if one.pid in waiting else "lives",
                }
            )
        for victim in victims.values():
            rows.append(
                {
                    "pid": victim.pid,
                    "comm": victim.comm,
                    "group": victim.group,
                    "held_bytes": victim.anon_rss_bytes,
                    "score": None,
                    "oom_score_adj": victim.oom_score_adj,
                    "eligible": None,
                    "predicted": victim.pid == predicted,
                    "fate": victim.cause,
                }
            )
        return rows

    def _repr_html_(self) -> str:
        return _wires.display().html(self)


class Triggered(NamedTuple):
    """The answer of `oom_now`: the way that brought the OOM about, and its account."""

    way: Literal["inside", "squeeze", "write", "nonblock", "ancestor", "neighbour"]
    oom: Oom
