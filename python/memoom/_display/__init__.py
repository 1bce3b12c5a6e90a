"""How results show themselves in notebooks and terminals; loaded only when something is shown.

Every text that comes from outside (names of processes and groups, lines of the kernel log) is escaped.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from .._native import Group, Lab, Worker
from .._report import Report
from .._values import Counters, Grow, Host, Oom, Outcome, Prediction, Timeline
from .account import oom_html, outcome_html
from .calls import counters_html, grow_html, prediction_html
from .chart import timeline_svg
from .lines import policy_svg
from .log import report_html
from .markup import Markup, box
from .now import group_html, host_html, lab_html, worker_html
from .points import fit_svg
from .series import chosen
from .table import call_path_html
from .timeline import timeline_html

__all__ = ["altair", "axes", "call_path_html", "fit_svg", "html", "policy_svg", "svg"]


@singledispatch
def html(value: Any, /) -> Markup:
    """The HTML of a value, by its class."""
    return box(repr(value))


for _class, _show in (
    (Counters, counters_html),
    (Group, group_html),
    (Grow, grow_html),
    (Host, host_html),
    (Lab, lab_html),
    (Oom, oom_html),
    (Outcome, outcome_html),
    (Prediction, prediction_html),
    (Report, report_html),
    (Timeline, timeline_html),
    (Worker, worker_html),
):
    html.register(_class, _show)


def svg(timeline: Timeline, group: str | None, /) -> str:
    """The chart of a group."""
    return timeline_svg(chosen(timeline, group))


def axes(timeline: Timeline, given: Any, group: str | None, /) -> Any:
    """The same with matplotlib."""
    from .plot import timeline_axes

    return timeline_axes(timeline, given, group)


def altair(timeline: Timeline, group: str | None, /) -> Any:
    """The same with Altair."""
    from .plot import timeline_altair

    return timeline_altair(timeline, group)
