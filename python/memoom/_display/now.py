"""What is there at this moment, as HTML: the host, a lab, a group, a worker."""

from __future__ import annotations

import mmap

from .._errors import MemoomError
from .._native import Group, Hog, Lab, Worker
from .._values import Host
from .markup import BAD, FADED, GOOD, PLAIN, WARN, Markup, badge, box, folded, tag
from .table import bar, facts, headline, pid_and_name, rows
from .units import short_group, size

__all__ = ["group_html", "host_html", "lab_html", "worker_html"]

_STATES = {
    "R": "runs",
    "S": "sleeps",
    "D": "waits in the kernel",
    "T": "is stopped",
    "Z": "is a zombie",
    "X": "has ended",
}


def host_html(host: Host) -> Markup:
    """The machine, and what memoom can do on it."""
    able = badge("a lab can be made", GOOD) if host.lab else badge("no lab can be made", BAD)
    first = headline(able, tag("b", f" cgroup {host.hierarchy}"), tag("span", f" · Linux {host.release}", style=FADED))
    told = [
        ("why not", host.refusal),
        ("memory controller", None if host.mount is None else f"cgroup {host.version}, at {host.mount}"),
        ("labs stand below", host.parent),
        ("own group", host.own_group),
        ("memory available", size(host.available_bytes)),
        ("swap", size(host.swap_total_bytes) if host.swap_total_bytes else "none"),
    ]
    lines = []
    for one in host.abilities:
        word = (
            tag("span", "✓", style=f"color:{GOOD};font-weight:700")
            if one.available
            else tag("span", "✗", style=f"color:{BAD};font-weight:700")
        )
        name = tag("span", one.name, style="white-space:nowrap")
        lines.append((word, name, "" if one.available else one.reason, "" if one.available else one.remedy))
    return box(first, facts(told), rows(("", "ability", "why not", "what helps"), lines))


def lab_html(lab: Lab) -> Markup:
    """A lab, and its groups."""
    if lab.closed:
        return box(headline(badge("closed", "#7b8794"), tag("b", " lab "), lab.name))
    groups = [group for group in lab.groups if _is_there(group)]
    first = headline(
        tag("b", "lab "),
        lab.name,
        tag("span", f" · cgroup {lab.hierarchy}, supervisor pid {lab.supervisor_pid}", style=FADED),
    )
    return box(first, *(_group(group) for group in groups))


def group_html(group: Group) -> Markup:
    """A group: usage against limit, switches, and who stands in it."""
    if not _is_there(group):
        return box(headline(badge("removed", "#7b8794"), tag("b", " group "), short_group(group.cgroup)))
    return box(_group(group))


def worker_html(worker: Worker) -> Markup:
    """A worker: what it is, how it does, what it holds."""
    kind = "hog" if isinstance(worker, Hog) else "worker"
    ended = worker.ended
    state = "X" if ended else _state(worker)
    colour = "#7b8794" if ended else WARN if state == "D" else GOOD
    first = headline(
        badge("ended" if ended else _STATES.get(state, state), colour),
        f" {kind} ",
        pid_and_name(worker.pid, worker.name),
    )
    told = [
        ("group", short_group(worker.group.cgroup)),
        ("holds", f"{size(worker.total_bytes)}, {size(worker.step_bytes)} a step" if isinstance(worker, Hog) else None),
        ("ticks", worker.ticks or None),
    ]
    if isinstance(worker, Hog) and not ended and state == "D" and (blocked := _blocked(worker)) is not None:
        told.append(("blocked in", blocked))
    return box(first, facts(told))


def _blocked(hog: Hog) -> str | None:
    blocked = hog.blocked
    return None if blocked is None else blocked.wchan or "the memory cgroup's OOM"


def _state(worker: Worker) -> str:
    try:
        return worker.state
    except MemoomError:
        return "X"


def _is_there(group: Group) -> bool:
    return group.path.is_dir()


def _group(group: Group) -> Markup:
    usage, limit, counters = group.usage_bytes, group.limit, group.counters
    first = headline(tag("b", short_group(group.cgroup)), tag("span", f" · cgroup {group.hierarchy}", style=FADED))
    killer = None if counters.oom_kill_disable is None else "off" if counters.oom_kill_disable else "on"
    told = [
        ("usage", bar(usage, limit)),
        ("peak", None if counters.peak_bytes is None else size(counters.peak_bytes)),
        ("OOM killer", killer),
        ("under OOM", badge("yes", WARN) if counters.under_oom else None),
        ("oom.group", None if group.hierarchy == "v1" else "on" if group.oom_group else "off"),
        ("kill events", counters.oom_kill),
        ("cgroup", tag("code", group.cgroup, style=PLAIN)),
    ]
    try:
        prediction = group.predict()
    except MemoomError as error:
        return tag("div", first, facts(told), tag("div", str(error), style=FADED))
    page = mmap.PAGESIZE
    lines = [
        (
            one.pid,
            tag("b", one.comm),
            size((one.rss_pages + one.swap_pages) * page),
            one.score,
            one.oom_score_adj,
            badge("next", WARN) if one.pid == prediction.predicted else "" if one.eligible else one.reason,
        )
        for one in sorted(prediction.candidates, key=lambda one: -one.score)
    ]
    table = rows(("pid", "comm", "holds", "score (pages)", "adj", ""), lines, ("pid", "holds", "score (pages)", "adj"))
    if len(lines) > 12:
        table = folded(f"{len(lines)} processes", table)
    return tag("div", first, facts(told), table if lines else tag("div", "no processes", style=FADED))
