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

# For type checkers and readers: what is public, and where it stands. At run time a name is imported when it is first
# used, so that `import memoom` costs next to nothing where nothing of it is needed (a test suite that has the plugin).
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._aio import AsyncWatch
    from ._call import Call, call
    from ._errors import (
        AlreadyExistsError,
        BusyError,
        CallFailedError,
        ClosedError,
        InterruptedWaitError,
        InvalidInputError,
        IoError,
        MemoomError,
        MissingExtraError,
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
    from ._native import Group, Hog, Peak, Watch, Worker, __version__, gc, parse_reports, parse_size
    from ._run import run
    from ._sweep import SweepResults, TrialResult, read_results, sweep
    from ._values import (
        Ability,
        Blocked,
        Candidate,
        Composition,
        Counters,
        Disagreement,
        Event,
        Evidence,
        Finding,
        Frame,
        Grow,
        Grower,
        Holder,
        Host,
        Leftover,
        Missing,
        Oom,
        Outcome,
        Paced,
        Predicted,
        Prediction,
        Pressure,
        Process,
        Report,
        Span,
        Stall,
        Timeline,
        Triggered,
        Victim,
    )

__all__ = [
    "Ability",
    "AlreadyExistsError",
    "AsyncWatch",
    "Blocked",
    "BusyError",
    "Call",
    "CallFailedError",
    "Candidate",
    "ClosedError",
    "Composition",
    "Counters",
    "Disagreement",
    "Event",
    "Evidence",
    "Finding",
    "Frame",
    "Group",
    "Grow",
    "Grower",
    "Hog",
    "Holder",
    "Host",
    "InterruptedWaitError",
    "InvalidInputError",
    "IoError",
    "Lab",
    "Leftover",
    "MemoomError",
    "Missing",
    "MissingExtraError",
    "NotFoundError",
    "Oom",
    "OomKilledError",
    "OutOfMemoryError",
    "Outcome",
    "OutcomeError",
    "Paced",
    "PermissionDeniedError",
    "Peak",
    "Predicted",
    "Prediction",
    "Pressure",
    "Process",
    "Report",
    "Span",
    "Stall",
    "SweepResults",
    "TimedOutError",
    "Timeline",
    "TrialResult",
    "Triggered",
    "UnsupportedError",
    "Victim",
    "Watch",
    "Worker",
    "WorkerGoneError",
    "__version__",
    "call",
    "gc",
    "parse_reports",
    "parse_size",
    "read_results",
    "run",
    "sweep",
]

_WHERE = {
    "AsyncWatch": "_aio",
    "Call": "_call",
    "call": "_call",
    "AlreadyExistsError": "_errors",
    "BusyError": "_errors",
    "CallFailedError": "_errors",
    "ClosedError": "_errors",
    "InterruptedWaitError": "_errors",
    "InvalidInputError": "_errors",
    "IoError": "_errors",
    "MemoomError": "_errors",
    "MissingExtraError": "_errors",
    "NotFoundError": "_errors",
    "OomKilledError": "_errors",
    "OutcomeError": "_errors",
    "OutOfMemoryError": "_errors",
    "PermissionDeniedError": "_errors",
    "TimedOutError": "_errors",
    "UnsupportedError": "_errors",
    "WorkerGoneError": "_errors",
    "Lab": "_lab",
    "Group": "_native",
    "Hog": "_native",
    "Peak": "_native",
    "Watch": "_native",
    "Worker": "_native",
    "__version__": "_native",
    "gc": "_native",
    "parse_reports": "_native",
    "parse_size": "_native",
    "run": "_run",
    "SweepResults": "_sweep",
    "TrialResult": "_sweep",
    "read_results": "_sweep",
    "sweep": "_sweep",
    "Ability": "_values",
    "Blocked": "_values",
    "Candidate": "_values",
    "Composition": "_values",
    "Counters": "_values",
    "Event": "_values",
    "Disagreement": "_values",
    "Evidence": "_values",
    "Finding": "_values",
    "Frame": "_values",
    "Grow": "_values",
    "Grower": "_values",
    "Holder": "_values",
    "Host": "_values",
    "Leftover": "_values",
    "Missing": "_values",
    "Oom": "_values",
    "Outcome": "_values",
    "Paced": "_values",
    "Predicted": "_values",
    "Prediction": "_values",
    "Pressure": "_values",
    "Process": "_values",
    "Report": "_values",
    "Span": "_values",
    "Stall": "_values",
    "Timeline": "_values",
    "Triggered": "_values",
    "Victim": "_values",
}


def __getattr__(name: str) -> object:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
