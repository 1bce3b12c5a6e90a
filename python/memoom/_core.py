"""What the native part makes public under its own names."""

from __future__ import annotations

from ._native import (
    Container,
    Group,
    Hog,
    Peak,
    Pod,
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
    "Container",
    "Group",
    "Hog",
    "Peak",
    "Pod",
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
