"""How results show themselves in notebooks and terminals; loaded only when something is shown.

Every text that comes from outside (names of processes and groups, lines of the kernel log) is escaped.
"""

from __future__ import annotations

from .account import oom_html, outcome_html
from .chart import timeline_svg
from .log import report_html
from .now import group_html, host_html, lab_html, worker_html
from .table import call_path_html
from .timeline import timeline_html

__all__ = [
    "call_path_html",
    "group_html",
    "host_html",
    "lab_html",
    "oom_html",
    "outcome_html",
    "report_html",
    "timeline_html",
    "timeline_svg",
    "worker_html",
]
