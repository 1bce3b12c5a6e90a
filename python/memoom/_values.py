"""The results as values: what each document of the core holds, with its types. They come from the files of their rooms.

Sizes are in bytes (``_bytes``), times in nanoseconds of CLOCK_MONOTONIC (``_ns``) or in microseconds (``_usec``).
``None`` is unknown or not there; 0 is 0.
"""

from __future__ import annotations

from ._account import (
    Candidate,
    Disagreement,
    GroupUse,
    Grower,
    Holder,
    Oom,
    Predicted,
    Prediction,
    Process,
    Span,
    SwapUse,
    Triggered,
    Victim,
    Workload,
)
from ._at_limit import AtLimit, HookRun, Mapped, MappedPart, UserFrame
from ._fitted import FitRun, FitSettings, Fitted
from ._memcg import Ability, Composition, Counters, Host, Leftover, Pressure, Stall
from ._outcome import Evidence, GroupCount, KilledBy, OomKilledError, Outcome, OutcomeError, Postmortem, Throttled
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
