"""The kernel's report as HTML."""

from __future__ import annotations

from typing import Any

from .._report import Report
from .._text import readable
from .markup import BAD, FADED, PLAIN, WARN, Markup, badge, box, folded, join, tag
from .table import bar, call_path_html, facts, headline, missing_html, pid_and_name, rows
from .units import size

__all__ = ["raw_html", "report_html"]

# A report of a whole machine lists every process; the largest tell the story.
_TASKS = 40


def report_html(report: Report) -> Markup:
    """Who asked, whose limit, who was killed, all tasks with their memory, the way there, and the text itself."""
    invoker, chosen = report.invoker, report.chosen
    scope = {"memcg": "memory cgroup OOM", "global": "OOM of the machine"}.get(report.scope or "", "OOM")
    word = badge("nobody killable", WARN) if report.no_killable else badge(scope, BAD)
    killed = ", ".join(kill.comm for kill in report.kills)
    first = headline(
        word,
        tag("b", f" {killed}") if killed else "",
        tag("span", f" · Linux {report.release}", style=FADED) if report.release else "",
    )
    asked = None
    if invoker is not None:
        gfp = f" for {invoker.gfp_flags or invoker.gfp_mask}, order {invoker.order}" if invoker.gfp_mask else ""
        asked = join([pid_and_name(invoker.pid, invoker.comm), gfp])
    told: list[tuple[str, object]] = [
        ("limit group", report.oom_memcg),
        ("victim's group", report.task_memcg if report.task_memcg != report.oom_memcg else None),
        ("constraint", report.constraint),
        ("asked by", asked),
        ("chosen", None if chosen is None else pid_and_name(chosen.pid, chosen.comm)),
        ("group kill", report.group_kill),
        *((name.replace("_", "+"), _part(getattr(report, name))) for name in ("memory", "memory_swap", "swap", "kmem")),
    ]
    parts = [first, facts(told), _kills(report), _tasks(report)]
    if report.call_trace:
        parts.append(folded(f"call trace ({len(report.call_trace)} functions)", call_path_html(report.call_trace)))
    if report.stat:
        pairs = sorted(report.stat.items(), key=lambda one: -one[1])
        parts.append(folded(f"memory.stat ({len(pairs)} keys)", rows(("key", "value"), pairs, ("value",))))
    parts += [missing_html(report.missing), folded("the kernel's words", raw_html(report))]
    return box(*parts)


def raw_html(report: Report) -> Markup:
    """The report as the kernel printed it."""
    return tag(
        "pre",
        report.text,
        style="font-size:11px;line-height:1.3;white-space:pre;overflow-x:auto;margin:2px 0 8px;" + PLAIN,
    )


def _part(part: Any) -> Markup | None:
    if part is None:
        return None
    failed = f" · failed {part.failcnt} times" if part.failcnt else ""
    return join([bar(part.usage_bytes, part.limit_bytes), tag("span", failed, style=FADED)])


def _kills(report: Report) -> Markup:
    if not report.kills:
        return Markup()
    names = ("total_vm_bytes", "anon_rss_bytes", "file_rss_bytes", "shmem_rss_bytes", "pgtables_bytes")
    columns = ("killed", "pid", "uid", *(name.removesuffix("_bytes").replace("_", " ") for name in names), "adj")
    lines = []
    for kill in report.kills:
        values = kill.to_dict()
        sizes = [None if values.get(name) is None else size(values[name]) for name in names]
        lines.append((tag("b", kill.comm), kill.pid, values.get("uid"), *sizes, values.get("oom_score_adj")))
    return rows(columns, lines, columns[1:])


def _tasks(report: Report) -> Markup:
    if not report.tasks:
        return Markup()
    killed = {kill.pid for kill in report.kills}
    tasks = sorted((task.to_dict() for task in report.tasks), key=lambda task: -(task.get("rss_pages") or 0))
    lines = []
    for task in tasks[:_TASKS]:
        pages = task.get("rss_pages")
        fate = badge("killed", BAD) if task.get("pid") in killed or task.get("tgid") in killed else ""
        page = report.page_bytes
        held = None if pages is None else size(pages * page) if page else f"{pages} pages"
        lines.append(
            (
                task.get("pid"),
                task.get("uid"),
                tag("b", readable(task.get("comm") or "?")),
                held,
                task.get("oom_score_adj"),
                fate,
            )
        )
    more = f" (the largest {_TASKS} of {len(tasks)})" if len(tasks) > _TASKS else ""
    table = rows(("pid", "uid", "comm", "rss", "adj", ""), lines, ("pid", "uid", "rss", "adj"))
    return folded(f"tasks{more}", table) if len(tasks) > 12 else join([tag("span", f"tasks{more}", style=FADED), table])
