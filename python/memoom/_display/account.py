"""An OOM and an outcome as HTML."""

from __future__ import annotations

import mmap

from .._values import Holder, Oom, Outcome
from .log import raw_html
from .markup import BAD, FADED, GOOD, PLAIN, WARN, Markup, badge, box, folded, join, tag
from .table import bar, call_path_html, changes, facts, headline, missing_html, pid_and_name, rows
from .units import seconds, short_group, size

__all__ = ["oom_html", "outcome_html"]

_PAGE = mmap.PAGESIZE
_VERDICTS = {"oom-killed": BAD, "killed": WARN, "undecided": WARN, "timeout": WARN, "throttled": WARN, "exited": GOOD}


def oom_html(oom: Oom) -> Markup:
    """The account: whose limit, who asked, who was taken, how the kernel came there."""
    return box(_account(oom))


def outcome_html(outcome: Outcome) -> Markup:
    """How a worker ended, with the evidence and the accounts."""
    end = f"exit status {outcome.returncode}" if outcome.returncode >= 0 else f"signal {-outcome.returncode}"
    evidence = [(one.source, one.says) for one in outcome.evidence]
    told = [
        ("took", seconds(outcome.ended_ns - outcome.started_ns)),
        ("CPU", f"{seconds(outcome.user_usec * 1000)} user, {seconds(outcome.system_usec * 1000)} system"),
        ("largest resident", size(outcome.max_rss_bytes)),
        *([] if outcome.peak_bytes is None else [("peak of its group", size(outcome.peak_bytes))]),
        *evidence,
    ]
    verdict = badge(outcome.verdict, _VERDICTS[outcome.verdict])
    first = headline(verdict, " ", pid_and_name(outcome.pid, outcome.name), tag("span", f" · {end}", style=FADED))
    frame = "border-left:3px solid rgba(128,128,128,.4);padding-left:12px;margin-top:8px"
    accounts = join(tag("div", _account(oom), style=frame) for oom in outcome.ooms)
    said = tag("div", outcome.summary) if outcome.summary and not outcome.ooms else ""
    return box(first, said, facts(told), missing_html(outcome.missing), accounts)


def _account(oom: Oom) -> Markup:
    blocked = oom.blocked and not oom.victims
    word = badge("blocked" if blocked else "OOM", WARN if blocked else BAD)
    first = headline(
        word, " in ", tag("b", short_group(oom.limit_group)), tag("span", f" (cgroup {oom.hierarchy})", style=FADED)
    )
    before, after = oom.usage_bytes.before, oom.usage_bytes.after
    predicted = oom.predicted
    made_before = predicted is not None and predicted.made != "after"
    right = {
        True: ": as predicted" if made_before else ": the choice agrees with the kernel's table",
        False: ", and it was another",
        None: "",
    }[oom.predicted_right]
    told = [
        (
            "limit group",
            None if oom.limit_group is None else tag("code", oom.limit_group, style=PLAIN),
        ),
        ("before", bar(before, oom.limit_bytes)),
        ("after", bar(after, oom.limit_bytes)),
        ("asked by", None if oom.invoker is None else pid_and_name(oom.invoker.pid, oom.invoker.comm)),
        (
            "predicted" if made_before else "by the table",
            None
            if predicted is None
            else join([pid_and_name(predicted.pid, predicted.comm), f" from {predicted.source}{right}"]),
        ),
        (
            "waiting",
            join(
                pid_and_name(one.pid, f"{one.comm} in {one.wchan or 'the kernel'}, state {one.state}")
                for one in oom.blocked
            )
            or None,
        ),
    ]
    said = tag("div", oom.summary) if oom.summary else ""
    parts = [first, said, facts(told), _why(oom), _processes(oom)]
    if oom.call_path:
        title = "call path of the wait" if blocked else "call path of the kill"
        parts.append(
            folded(f"{title} ({len(oom.call_path)} functions, the innermost first)", call_path_html(oom.call_path))
        )
    changed = changes(oom.counters.before.to_dict(), oom.counters.after.to_dict())
    if changed:
        parts.append(
            folded(
                f"counters that changed ({len(changed)})",
                rows(
                    ("counter", "before", "after"),
                    [(name, _number(name, old), _number(name, new)) for name, old, new in changed],
                    ("before", "after"),
                ),
            )
        )
    if oom.timings_ns:
        parts.append(folded("timings", _timings(oom)))
    if oom.report is not None:
        parts.append(folded("the kernel's report", raw_html(oom.report)))
    return join([*parts, missing_html(oom.missing)])


def _why(oom: Oom) -> Markup:
    """What filled the limit, who held it, and each finding with what can be done."""
    parts: list[object] = []
    if oom.findings:
        lines = [(tag("code", one.code), one.text, one.remedy or "") for one in oom.findings]
        parts.append(folded(f"why ({len(lines)} findings)", rows(("", "finding", "what would help"), lines, ())))
    if oom.holders:
        held = [
            (one.pid, tag("b", one.comm or one.what or ""), *(size(bytes_) for bytes_ in _held(one)))
            for one in oom.holders
        ]
        columns = ("pid", "who", "anon", "shmem", "file", "grown")
        parts.append(folded(f"who held it ({len(held)})", rows(columns, held, ("pid", *columns[2:]))))
    return join(parts)


def _held(one: Holder) -> tuple[int | None, ...]:
    return one.anon_bytes, one.shmem_bytes, one.file_bytes, one.grown_bytes


def _number(name: str, value: object) -> object:
    return size(value) if name.endswith("_bytes") and isinstance(value, int) else value


def _timings(oom: Oom) -> Markup:
    first = min(oom.timings_ns.values())
    moments = sorted(oom.timings_ns.items(), key=lambda one: one[1])
    return facts((name.replace("_", " "), f"+{seconds(at - first)}") for name, at in moments)


def _processes(oom: Oom) -> Markup:
    """Every process of the scope, and whoever was killed without being among them."""
    victims = {victim.pid: victim for victim in oom.victims}
    waiting = {one.pid for one in oom.blocked}
    predicted = None if oom.predicted is None else oom.predicted.pid
    lines: list[tuple[object, ...]] = []
    for one in sorted(oom.candidates, key=lambda one: -one.score):
        victim = victims.pop(one.pid, None)
        fate = _fate(victim.cause if victim else None, one.pid in waiting)
        guess = tag("span", "predicted", style=FADED) if one.pid == predicted else "" if one.eligible else one.reason
        held = size((one.rss_pages + one.swap_pages) * _PAGE)
        lines.append((one.pid, tag("b", one.comm), held, one.score, one.oom_score_adj, guess, fate))
    for victim in victims.values():
        anon = None if victim.anon_rss_bytes is None else size(victim.anon_rss_bytes)
        lines.append(
            (victim.pid, tag("b", victim.comm), anon, None, victim.oom_score_adj, "", _fate(victim.cause, False))
        )
    if not lines:
        return Markup()
    columns = ("pid", "comm", "held", "score (pages)", "adj", "", "fate")
    return rows(columns, lines, ("pid", "held", "score (pages)", "adj"))


def _fate(cause: str | None, waits: bool) -> Markup:
    if cause is not None:
        return badge("killed" if cause == "selected" else f"killed ({cause})", BAD)
    return badge("waits", WARN) if waits else Markup("lives")
