"""Accounts in the words of a failed assertion: what was expected, what was found, and everything that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._call import Call
    from ._values import Oom, Outcome


def outcome_text(outcome: Outcome) -> str:
    """How a worker ended, with its evidence and the essential lines of each account."""
    from ._cli.show import account

    lines = str(outcome).split("\nOOM in ", 1)[0].splitlines()
    # What each account misses stands in the account.
    known = {f"  missing     {one.source}: {one.reason}" for oom in outcome.ooms for one in oom.missing}
    lines = [line for line in lines if line not in known]
    return "\n".join([*lines, *(line for oom in outcome.ooms for line in account(oom))])


def oom_text(oom: Oom) -> str:
    """The essential lines of an account."""
    from ._cli.show import account

    return "\n".join(account(oom))


def call_text(call: Call[object]) -> str:
    """How a call went; where its process was killed, with the account."""
    return outcome_text(call.outcome) if call.status not in ("returned", "raised") or call.ooms else str(call)


def oom_line(oom: Oom) -> str:
    """One OOM on one line: who died, why that one, whose limit, and whether memoom had predicted it."""
    from ._cli.show import size

    if oom.victims:
        who = ", ".join(f"{one.comm} (pid {one.pid}, {one.cause})" for one in oom.victims)
    elif oom.blocked:
        who = "nobody; waiting: " + ", ".join(f"{one.comm} (pid {one.pid})" for one in oom.blocked)
    else:
        who = "nobody that is known"
    right = {True: "as predicted", False: "not as predicted", None: "not predicted"}[oom.predicted_right]
    return f"victim {who}; limit {size(oom.limit_bytes)} of {oom.limit_group or 'an unknown group'}; {right}"
