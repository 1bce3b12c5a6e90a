"""The results as values: what each document of the core holds, with its types. They come from the files of their rooms.

Sizes are in bytes (``_bytes``), times in nanoseconds of CLOCK_MONOTONIC (``_ns``) or in microseconds (``_usec``).
``None`` is unknown or not there; 0 is 0.
"""

from __future__ import annotations

from ._account import (
    AtLimit,
    Candidate,
    Disagreement,
    Evidence,
    GroupCount,
    GroupUse,
    Grower,
    Holder,
    HookRun,
    KilledBy,
    Mapped,
    MappedPart,
    Oom,
    OomKilledError,
    Outcome,
    OutcomeError,
    Postmortem,
    Predicted,
    Prediction,
    Process,
    Span,
    SwapUse,
    Throttled,
    Triggered,
    UserFrame,
    Victim,
    Workload,
)
from ._fitted import FitRun, FitSettings, Fitted
from ._memcg import Ability, Composition, Counters, Host, Leftover, Pressure, Stall
from ._report import Finding, Frame, Missing, Report, ReportInvoker, ReportPart
from ._steps import Blocked, Grow, Paced
from ._timeline import Event, Timeline

__all__ = [
    "Ability",
    "AtLimit",
    "Blocked",
    "Candidate",
    "Composition",
    "Counters",
    "Disagreement",
    "Event",
    "Evidence",
    "Finding",
    "FitRun",
    "FitSettings",
    "Fitted",
    "Frame",
    "GroupCount",
    "GroupUse",
    "Grow",
    "Grower",
    "Holder",
    "HookRun",
    "Host",
    "KilledBy",
    "Leftover",
    "Mapped",
    "MappedPart",
    "Missing",
    "Oom",
    "OomKilledError",
    "Outcome",
    "OutcomeError",
    "Paced",
    "Postmortem",
    "Predicted",
    "Prediction",
    "Pressure",
    "Process",
    "Report",
    "ReportInvoker",
    "ReportPart",
    "Span",
    "Stall",
    "SwapUse",
    "Throttled",
    "Timeline",
    "Triggered",
    "UserFrame",
    "Victim",
    "Workload",
]
