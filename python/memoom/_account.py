"""What the signs mean together, as values: the account of an OOM, what was predicted, and how a worker ended."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from . import _wires
from ._document import Document
from ._errors import MemoomError
from ._memcg import Composition, Counters
from ._report import Finding, Frame, Missing, Report, Workload
from ._result import Readable, Table, Told
from ._steps import Blocked

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Candidate",
    "Disagreement",
    "Evidence",
    "GroupCount",
    "GroupUse",
    "Grower",
    "Holder",
    "KilledBy",
    "Oom",
    "OomKilledError",
    "Outcome",
    "OutcomeError",
    "Postmortem",
    "Predicted",
    "Prediction",
    "Process",
    "Span",
    "SwapUse",
    "Throttled",
    "Triggered",
    "Victim",
    "Workload",
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


class Throttled(Document):
    """What shows that ``memory.high`` held a command until its time was up (v2)."""

    group: str
    high_bytes: int
    usage_bytes: int
    over_bytes: int
    high_events: int
    stalled_usec: int | None
    elapsed_usec: int
    pid: int
    wchan: str | None
    stack: tuple[Frame, ...]

    _nested = {"stack": Frame._part}
    _shown = ("high_bytes", "usage_bytes", "over_bytes", "stalled_usec", "wchan")


class MappedPart(Document):
    """All mappings of one name in a process."""

    name: str
    kind: Literal["heap", "stack", "anonymous", "file", "shared"]
    count: int
    resident_bytes: int

    _shown = ("name", "kind", "resident_bytes")


class UserFrame(Document):
    """An address in a program, and what it is called, where debug information or symbols tell."""

    address: int
    file: str | None
    offset: int | None
    found_by: Literal["register", "unwind-table", "frame-pointer"]
    function: str | None
    source: str | None
    line: int | None


class Mapped(Document):
    """The memory of one process by mapping, and where the thread stands that met the limit."""

    pid: int
    comm: str
    comm_bytes: bytes
    heap_bytes: int
    stack_bytes: int
    anonymous_bytes: int
    file_bytes: int
    shared_bytes: int
    swap_bytes: int
    grown_bytes: int | None
    largest: tuple[MappedPart, ...]
    frames: tuple[UserFrame, ...]

    _nested = {"largest": MappedPart._part, "frames": UserFrame._part}
    _shown = ("pid", "comm", "heap_bytes", "anonymous_bytes", "file_bytes", "shared_bytes")


class HookRun(Document):
    """How a hook at the limit went."""

    kind: Literal["command", "function", "builtin"]
    argv: tuple[str, ...]
    returncode: int | None
    timed_out: bool
    error: str | None
    elapsed_ns: int
    output_bytes: bytes
    dropped_bytes: int
    mapped: tuple[Mapped, ...]

    _nested = {"mapped": Mapped._part}
    _shown = ("kind", "returncode", "timed_out", "error")

    @property
    def output(self) -> str:
        """What it wrote, line by line, read as UTF-8; `output_bytes` is what it was in any case."""
        return self.output_bytes.decode(errors="replace")


class AtLimit(Readable):
    """One time that the limit of a run was met and everybody was held before anybody died."""

    time_ns: int
    group: str
    limit_bytes: int
    usage_bytes: int
    headroom_bytes: int
    predicted: Predicted | None
    invoker: Process | None
    processes: tuple[Process, ...]
    held: Literal["stopped"]
    held_ns: int
    hook: HookRun
    died: tuple[Process, ...]
    then: Literal["kernel", "raised", "ended"]
    limit_after_bytes: int
    missing: tuple[Missing, ...]

    _nested = {
        "predicted": Predicted._part,
        "invoker": Process._part,
        "processes": Process._part,
        "hook": HookRun._part,
        "died": Process._part,
        "missing": Missing._part,
    }
    _shown = ("limit_bytes", "usage_bytes", "predicted", "invoker", "hook", "then")


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


class Evidence(Document):
    """What one source says about the end of a worker."""

    source: str
    says: str


class KilledBy(Document):
    """Who sent the signal that ended a process; ``by`` says what kind of author it was."""

    by: Literal[
        "kernel-oom",
        "kernel",
        "process",
        "cgroup.kill",
        "systemd",
        "systemd-oomd",
        "earlyoom",
        "kubelet",
        "container-runtime",
        "memoom",
        "self",
        "unknown",
    ]
    pid: int | None
    comm: str | None
    uid: int | None
    group: str | None
    unit: str | None
    signal: int
    at_ns: int | None
    source: str | None
    reason: str | None

    _shown = ("by", "pid", "comm", "signal", "reason")


class Outcome(Told, Readable):
    """How a worker ended, with the evidence; ``print(outcome)`` shows it the way a person reads it."""

    schema: str
    verdict: Literal["oom-killed", "killed", "exited", "timeout", "throttled", "undecided"]
    oom_killed: bool
    returncode: int
    pid: int
    ooms: tuple[Oom, ...]
    ooms_inside: int
    throttled: Throttled | None
    at_limit: tuple[AtLimit, ...] | None
    name: str
    group: str
    evidence: tuple[Evidence, ...]
    user_usec: int
    system_usec: int
    max_rss_bytes: int
    peak_bytes: int | None
    started_ns: int
    ended_ns: int
    killed_by: KilledBy | None
    missing: tuple[Missing, ...]
    findings: tuple[Finding, ...]
    summary: str
    # Not in the document: what `run(capture_output=True)` has read.
    stdout: bytes | None
    stderr: bytes | None

    _nested = {
        "ooms": Oom._part,
        "throttled": Throttled._part,
        "at_limit": AtLimit._part,
        "evidence": Evidence._part,
        "missing": Missing._part,
        "findings": Finding._part,
        "killed_by": KilledBy._part,
    }
    _shown = ("verdict", "returncode", "pid", "name")

    @property
    def oom(self) -> Oom | None:
        """The account of the OOM that killed it."""
        return next((oom for oom in self.ooms if self.oom_killed and oom.killed(self.pid)), None)

    @property
    def short_text(self) -> str:
        """The outcome in 15 lines at most; ``str(outcome)`` is the full text."""
        return cast("str", self._parts.get("short_text", str(self))).rstrip("\n")

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
        return _wires.display().html(self)


class GroupCount(Document):
    """What a group has counted since it was made: its limit, its counters and the kills in and below it."""

    group: str
    version: str
    limit: int | None
    kills_below: int | None
    counters: Counters

    _nested = {"counters": Counters._part}
    _shown = ("group", "limit", "kills_below")


class Postmortem(Readable):
    """Who killed something that memoom did not watch, as far as what is left can tell."""

    schema: str
    subject: str
    killed_by: KilledBy
    victim: Process | None
    limit_group: str | None
    time_usec: int | None
    groups: tuple[GroupCount, ...]
    report: Report | None
    evidence: tuple[Evidence, ...]
    missing: tuple[Missing, ...]

    _nested = {
        "killed_by": KilledBy._part,
        "victim": Process._part,
        "groups": GroupCount._part,
        "report": Report._part,
        "evidence": Evidence._part,
        "missing": Missing._part,
    }
    _shown = ("subject", "killed_by", "victim")

    @property
    def full_text(self) -> str:
        """The text with what the kernel reported."""
        return cast("str", self._parts.get("full_text", str(self))).rstrip("\n")


class OutcomeError(MemoomError, ChildProcessError):
    """A worker did not end well; raised by ``outcome.check()`` alone."""

    kind = "outcome"
    outcome: Outcome

    def __init__(self, message: str, *, outcome: Outcome, **arguments: Any) -> None:
        super().__init__(message, **arguments)
        self.outcome = outcome

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "outcome": self.outcome}


class OomKilledError(OutcomeError):
    """The worker was killed in an OOM; raised by ``outcome.check()`` alone."""

    kind = "oom-killed"


# A traceback names them as the user does.
OutcomeError.__module__ = OomKilledError.__module__ = "memoom"
