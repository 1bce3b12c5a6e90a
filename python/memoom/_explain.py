"""Accounts the way a person reads them in a terminal, and in a failed assertion with everything that shows it."""

from __future__ import annotations

from ._call import Call
from ._units import size
from ._values import Oom, Outcome

__all__ = ["account", "call_text", "is_essential", "oom_line", "oom_text", "outcome_text"]

# Where no command is: in a test, or a result of a sweep.
_MORE = "in print(oom)"
# The lines of a kernel report that say who, whose limit and how much; registers, code and statistics are left out.
_ESSENTIAL = (
    " invoked oom-killer:",
    "memory: usage",
    "memory+swap: usage",
    "swap: usage",
    "Tasks state",
    "[  pid  ]",
    "oom-kill:",
    "Killed process",
    "Tasks in ",
    "Out of memory and no killable",
)


def account(oom: Oom, full: bool = False, *, more: str = "with --full") -> list[str]:
    """The account as lines: the short form, or the full one with the call path and the kernel's report.

    `more` says how the full one can be had: an option of the command, where a command says it.
    """
    return (str(oom) if full else oom.short_text.replace("(--full)", f"({more})")).splitlines()


def is_essential(line: str) -> bool:
    """Whether a line of the kernel log says who, whose limit or how much."""
    # A row of the task table begins with the pid in brackets.
    row = line.startswith("[") and line[1:].lstrip()[:1].isdigit()
    return row or any(part in line for part in _ESSENTIAL)


def outcome_text(outcome: Outcome) -> str:
    """How a worker ended, with its evidence and the essential lines of each account."""
    # The accounts stand at the end, each with its own text.
    head = str(outcome)
    for oom in reversed(outcome.ooms):
        head = head.removesuffix(str(oom)).rstrip("\n")
    return "\n".join([*head.splitlines(), *(line for oom in outcome.ooms for line in account(oom, more=_MORE))])


def oom_text(oom: Oom) -> str:
    """The essential lines of an account."""
    return "\n".join(account(oom, more=_MORE))


def call_text(call: Call[object]) -> str:
    """How a call went; where its process was killed, with the account."""
    return outcome_text(call.outcome) if call.status not in ("returned", "raised") or call.ooms else str(call)


def oom_line(oom: Oom) -> str:
    """One OOM on one line: who died, why that one, whose limit, and whether memoom had predicted it."""
    if oom.victims:
        who = ", ".join(f"{one.comm} (pid {one.pid}, {one.cause})" for one in oom.victims)
    elif oom.blocked:
        who = "nobody; waiting: " + ", ".join(f"{one.comm} (pid {one.pid})" for one in oom.blocked)
    else:
        who = "nobody that is known"
    told = f"victim {who}; limit {size(oom.limit_bytes)} of {oom.limit_group or 'an unknown group'}"
    return f"{told}; {agreement}" if (agreement := _agreement(oom)) else told


def _agreement(oom: Oom) -> str | None:
    """What became of the prediction; of one that was made after the kill, whether the choice agrees with the table."""
    if oom.predicted is None or oom.predicted_right is None:
        return None
    if oom.predicted.made == "after":
        return "agrees with the kernel's table" if oom.predicted_right else "the kernel's table names another"
    return "as predicted" if oom.predicted_right else "not as predicted"
