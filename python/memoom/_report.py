"""The kernel's report as a value, and the small values that it shares with the accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from . import _wires
from ._document import Document
from ._result import Table
from ._text import readable

__all__ = ["Finding", "Frame", "Missing", "Report", "ReportInvoker", "ReportPart", "Workload"]


class Missing(Document):
    """Evidence that could not be had, and why."""

    source: str
    reason: str


class Finding(Document):
    """One answer to the question why memory ran out: a code for programs, plain sentences, the fields that show it."""

    code: str
    text: str
    evidence: tuple[str, ...]
    remedy: str | None

    def __str__(self) -> str:
        return self.text


class Frame(Document):
    """One function of a call path."""

    function: str
    offset: int | None
    module: str | None

    @property
    def step(self) -> str | None:
        """What part of the way it belongs to: "fault", "charge", "oom", "kill", "wait", ..."""
        return _wires.core().step(self.function)

    @property
    def explain(self) -> str | None:
        """What it does on the way, in one sentence."""
        return _wires.core().explain(self.function)

    def __str__(self) -> str:
        return self.function if self.offset is None else f"{self.function}+0x{self.offset:x}"


class ReportInvoker(Document):
    """The task whose allocation failed."""

    comm: str
    pid: int | None
    gfp_mask: str | None
    gfp_flags: str | None
    order: int | None
    oom_score_adj: int | None


class ReportPart(Document):
    """A small part of a report: a task, a kill, a usage, a frame; its attributes are the keys of the document."""


class Workload(Document):
    """What stands behind a group: the unit, container, pod or job that its path and its runtime's state tell of."""

    kind: Literal[
        "machine",
        "container",
        "pod",
        "pods",
        "job",
        "virtual-machine",
        "service",
        "scope",
        "session",
        "user",
        "slice",
        "lab",
    ]
    runtime: str | None
    unit: str | None
    slice: str | None
    container_id: str | None
    pod_uid: str | None
    qos: str | None
    name: str | None
    pod_name: str | None
    namespace: str | None
    job: str | None
    step: str | None
    session: str | None
    user: int | None
    below: str | None
    words: str
    ask: str | None

    _shown = ("kind", "words")

    def __str__(self) -> str:
        return self.words


class Report(Table):
    """One OOM as the kernel reported it. What the log does not hold is None or empty, and named in `missing`."""

    schema: str
    release: str | None
    scope: Literal["memcg", "global"] | None
    time_usec: int | None
    logged_at: str | None
    first_sequence: int | None
    last_sequence: int | None
    invoker: ReportInvoker | None
    cpu: int | None
    constraint: str | None
    nodemask: str | None
    cpuset: str | None
    mems_allowed: str | None
    oom_memcg: str | None
    task_memcg: str | None
    chosen: ReportPart | None
    memory: ReportPart | None
    swap: ReportPart | None
    memory_swap: ReportPart | None
    kmem: ReportPart | None
    stat: Mapping[str, int]
    stats: tuple[Mapping[str, Any], ...]
    stat_truncated: bool
    protection: ReportPart | None
    tasks: tuple[ReportPart, ...]
    page_bytes: int | None
    sacrifice: ReportPart | None
    kills: tuple[ReportPart, ...]
    shared_memory: tuple[ReportPart, ...]
    pinned: tuple[ReportPart, ...]
    already_exiting: tuple[ReportPart, ...]
    group_kill: str | None
    no_killable: bool
    call_trace: tuple[Frame, ...]
    reaper: tuple[ReportPart, ...]
    suppressed_before: int | None
    mem_info: ReportPart | None
    workload: Workload | None
    victim_workload: Workload | None
    consumers: tuple[ReportPart, ...]
    findings: tuple[Finding, ...]
    summary: str | None
    missing: tuple[Missing, ...]
    text: str

    _nested = {
        "invoker": ReportInvoker._part,
        "call_trace": Frame._part,
        "findings": Finding._part,
        "missing": Missing._part,
        "workload": Workload._part,
        "victim_workload": Workload._part,
        **dict.fromkeys(
            (
                *("chosen", "memory", "swap", "memory_swap", "kmem", "protection", "tasks", "sacrifice", "kills"),
                *("shared_memory", "pinned", "already_exiting", "reaper"),
                *("mem_info", "consumers"),
            ),
            ReportPart._part,
        ),
    }
    _shown = ("scope", "oom_memcg", "chosen", "release")

    @property
    def line(self) -> str:
        """The answer in one line: when, who ran out, the limit, who was killed."""
        if "line" not in self._parts:
            source = getattr(self, "_source", None)
            self._parts["line"] = readable(source.line()) if source is not None else str(self).partition("\n")[0]
        return cast("str", self._parts["line"])

    def __reduce__(self) -> tuple[Any, ...]:
        _ = self.line  # it goes along
        return super().__reduce__()

    def to_rows(self) -> list[dict[str, Any]]:
        """Every task of the report as a plain dict, and whether it was killed."""
        killed = {kill.pid for kill in self.kills}
        tasks = [task.to_dict() for task in self.tasks]
        columns = list(dict.fromkeys(key for task in tasks for key in task))
        return [
            {
                **{key: getattr(task, key, None) for key in columns},
                "killed": bool(killed & {task.get("pid"), task.get("tgid")}),
            }
            for task in tasks
        ]

    def _repr_html_(self) -> str:
        return _wires.display().html(self)
