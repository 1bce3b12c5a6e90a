"""Accounts and events the way a person reads them in a terminal."""

from __future__ import annotations

from .._values import Event, Oom

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


def size(count: int | None) -> str:
    """A number of bytes in the largest unit that fits, with one decimal where it is not whole."""
    if count is None:
        return "unknown"
    for shift, unit in ((30, "G"), (20, "M"), (10, "K")):
        if count >> shift:
            whole, rest = divmod(count, 1 << shift)
            return f"{whole}{unit}" if rest == 0 else f"{count / (1 << shift):.1f}{unit}"
    return str(count)


def account(oom: Oom, full: bool = False) -> list[str]:
    """The account as lines; without `full`, only the essential lines of the kernel's report."""
    lines = str(oom).splitlines()
    if full:
        return lines
    shown, left_out = [], 0
    for line in lines:
        if line.startswith("    | ") and not _essential(line[6:]):
            left_out += 1
        else:
            shown.append(line)
    if left_out:
        shown.append(f"    ({left_out} lines more of the report with --full)")
    return shown


def _essential(line: str) -> bool:
    # A row of the task table begins with the pid in brackets.
    row = line.startswith("[") and line[1:].lstrip()[:1].isdigit()
    return row or any(part in line for part in _ESSENTIAL)


def describe(event: Event) -> str | None:
    """What happened, in a few words; None for what a person does not want to see in a list."""
    who = "" if event.pid is None else f"pid {event.pid}"
    match event.kind:
        case "started":
            return f"{event.name} ({who}) is ready"
        case "stepping":
            return f"{who} is told to take {size(event.step_bytes)}"
        case "stepped":
            return f"{who} has taken it, and holds {size(event.total_bytes)}"
        case "shrunk":
            return f"{who} has given {size(event.step_bytes)} back, and holds {size(event.total_bytes)}"
        case "step_failed":
            return f"{who} could not take it (errno {event.errno})"
        case "ticked":
            return f"{who} ticks: {event.count}"
        case "exited":
            end = event.returncode or 0
            return f"{who} has ended: " + (f"signal {-end}" if end < 0 else f"status {end}")
        case "predicted":
            return f"predicted: {event.comm} ({who}), score {event.score} pages, is killed if the limit is met now"
        case "victim":
            victim, invoker = event.comm or "a process", f"{event.invoker_comm} (pid {event.invoker_pid})"
            return f"the kernel marks {victim} ({who}) as victim, in the charge of {invoker}"
        case "blocked":
            return f"{who} waits in {event.wchan or 'the kernel'}, state {event.state}"
        case "limit":
            return f"the limit is set to {'max' if event.limit_bytes is None else size(event.limit_bytes)}"
        case "switch":
            return f"{event.name} is turned {'on' if event.on else 'off'}"
        case "removed":
            return "the group was removed"
        case "lost":
            return f"{event.count} records were lost"
        case "notified":
            counters = event.counters
            if counters is None:
                return "the kernel notifies"
            seen = [
                f"{name} {getattr(counters, name)}"
                for name in ("under_oom", "oom", "oom_kill")
                if getattr(counters, name) is not None
            ]
            return f"the kernel notifies: {', '.join(seen)}"
        case "usage" | "log":
            return None
    return event.kind
