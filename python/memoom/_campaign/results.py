"""What a campaign has found: each moment, and the smallest that failed, as values."""

from __future__ import annotations

from typing import Any, Literal

from .._account import Oom
from .._result import Table
from .._units import size
from .moments import TRACED, TRIGGERS, moment_of

__all__ = ["Campaign", "CampaignMoment", "text_of"]

_STATUSES = ("passed", "failed", "not reached", "not tried")


class CampaignMoment(Table):
    """One moment at which the command was killed, and what the check said of what was left."""

    moment: str
    status: Literal["passed", "failed", "not reached", "not tried"]
    reason: str | None
    doing: str | None
    victim: Any
    oom: Oom | None
    check_returncode: int | None
    check_output: str | None
    output: str | None
    kept: str | None
    elapsed_ns: int

    _nested = {"oom": Oom._part}
    _shown = ("moment", "status", "doing", "reason")


class Campaign(Table):
    """What a campaign has found; ``print(campaign)`` shows it."""

    schema: str
    command: tuple[str, ...]
    check: tuple[str, ...]
    counts: Any
    moments: tuple[CampaignMoment, ...]
    smallest: tuple[str, ...]

    _nested = {"moments": CampaignMoment._part}
    _shown = ("smallest", "moments")

    @property
    def failed(self) -> tuple[CampaignMoment, ...]:
        """The moments after which the check failed."""
        return tuple(one for one in self.moments if one.status == "failed")

    @property
    def not_tried(self) -> tuple[CampaignMoment, ...]:
        """The moments at which no OOM took the command, so that nothing is known of them."""
        return tuple(one for one in self.moments if one.status == "not tried")

    @property
    def tried(self) -> tuple[CampaignMoment, ...]:
        """The moments at which the command was killed, and the check looked."""
        return tuple(one for one in self.moments if one.status in ("passed", "failed"))

    def to_rows(self) -> list[dict[str, Any]]:
        """The moments, as plain dicts without the accounts."""
        rows = [one.to_dict() for one in self.moments]
        return [{name: value for name, value in row.items() if name not in ("oom", "victim")} for row in rows]


def text_of(document: dict[str, Any]) -> str:
    """A table of triggers, and each moment that did not pass."""
    moments = document["moments"]
    failed = [one for one in moments if one["status"] == "failed"]
    counts = document["counts"]
    lines = []
    if counts is not None:
        done = [f"{counts[name]} {name}s" for name in TRACED if counts[name] is not None]
        peak = [] if counts["charged"] is None else [f"{size(counts['charged'])} charged at most"]
        took = f"{counts['time'] / 1000:g} s"
        lines.append(f"Undisturbed: {', '.join([*done, *peak, took])}.")
    head = f"{'trigger':<8} {'killed at':>9} {'passed':>7} {'failed':>7} {'not reached':>12} {'not tried':>10}"
    lines.append(head + "  smallest that failed")
    smallest = {moment_of(one).trigger: one for one in reversed(document["smallest"])}
    for trigger in TRIGGERS:
        statuses = [one["status"] for one in moments if moment_of(one["moment"]).trigger == trigger]
        if statuses:
            passed, bad, absent, untried = (statuses.count(status) for status in _STATUSES)
            row = f"{trigger:<8} {passed + bad:>9} {passed:>7} {bad:>7} {absent:>12} {untried:>10}"
            lines.append(f"{row}  {smallest.get(trigger, '-')}")
    shown = set(document["smallest"])
    for one in moments:
        if one["moment"] in shown or one["status"] == "not tried":
            lines.append(_told(one))
    if not any(one["status"] in ("passed", "failed") for one in moments):
        lines.append("No moment came, so nobody was killed and nothing was checked.")
    if len(failed) > len(shown):
        lines.append(f"{len(failed) - len(shown)} more moments failed.")
    return "\n".join(lines)


def _told(one: dict[str, Any]) -> str:
    if one["status"] == "not tried":
        return f"{one['moment']} was not tried: {one['reason']}"
    victim = f"{one['victim']['comm']} (pid {one['victim']['pid']}) was OOM-killed"
    if one["doing"] is not None:
        victim += f" {'behind the' if one['moment'].startswith('line') else 'before its'} {one['doing']}"
    kept = f" Kept in {one['kept']}." if one["kept"] else ""
    return f"{one['moment']} failed: {victim}; {one['reason']}.{kept}"
