"""What the native part makes public under its own names."""

from __future__ import annotations

from ._native import (
    Group,
    Hog,
    Peak,
    ReportReader,
    Watch,
    Worker,
    __version__,
    gc,
    parse_reports,
    parse_size,
    postmortem,
    replay,
    watch,
    workload,
)

__all__ = [
    "Group",
    "Hog",
    "Peak",
    "ReportReader",
    "Watch",
    "Worker",
    "__version__",
    "gc",
    "parse_reports",
    "parse_size",
    "postmortem",
    "replay",
    "watch",
    "workload",
]
