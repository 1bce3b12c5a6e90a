"""How a worker ended, and who killed what nobody watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from . import _wires
from ._account import Oom, Process
from ._at_limit import AtLimit
from ._document import Document
from ._errors import MemoomError
from ._memcg import Counters
from ._report import Finding, Frame, Missing, Report
from ._result import Readable, Told

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Evidence",
    "GroupCount",
    "KilledBy",
    "OomKilledError",
    "Outcome",
    "OutcomeError",
    "Postmortem",
    "Throttled",
]


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
