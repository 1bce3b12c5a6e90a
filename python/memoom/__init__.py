"""memoom makes a memory-cgroup OOM happen on purpose, safely, and hands back a checked account of what the kernel did.

import memoom

with memoom.Lab() as lab:
    group = lab.group(limit="80M")
    watch = group.watch()
    hog = group.hog("alloc_memory_1")
    while hog.grow().status == "grew":
        pass
    print(watch.wait_oom(timeout=5))
"""

from __future__ import annotations

from ._errors import (
    AlreadyExistsError,
    BusyError,
    ClosedError,
    InterruptedWaitError,
    InvalidInputError,
    IoError,
    MemoomError,
    NotFoundError,
    OomKilledError,
    OutcomeError,
    OutOfMemoryError,
    PermissionDeniedError,
    TimedOutError,
    UnsupportedError,
    WorkerGoneError,
)
from ._lab import Lab
from ._native import Group, Hog, Watch, Worker, __version__, gc, parse_reports, parse_size
from ._run import run
from ._values import (
    Ability,
    Blocked,
    Candidate,
    Counters,
    Event,
    Evidence,
    Frame,
    Grow,
    Host,
    Leftover,
    Missing,
    Oom,
    Outcome,
    Predicted,
    Prediction,
    Process,
    Report,
    Span,
    Timeline,
    Victim,
)

__all__ = [
    "Ability",
    "AlreadyExistsError",
    "Blocked",
    "BusyError",
    "Candidate",
    "ClosedError",
    "Counters",
    "Event",
    "Evidence",
    "Frame",
    "Group",
    "Grow",
    "Hog",
    "Host",
    "InterruptedWaitError",
    "InvalidInputError",
    "IoError",
    "Lab",
    "Leftover",
    "MemoomError",
    "Missing",
    "NotFoundError",
    "Oom",
    "OomKilledError",
    "OutOfMemoryError",
    "Outcome",
    "OutcomeError",
    "PermissionDeniedError",
    "Predicted",
    "Prediction",
    "Process",
    "Report",
    "Span",
    "TimedOutError",
    "Timeline",
    "UnsupportedError",
    "Victim",
    "Watch",
    "Worker",
    "WorkerGoneError",
    "__version__",
    "gc",
    "parse_reports",
    "parse_size",
    "run",
]
