"""Accounts the way a person reads them in a terminal."""

from __future__ import annotations

from .._values import Oom

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
        if line.startswith("    | ") and not is_essential(line[6:]):
            left_out += 1
        else:
            shown.append(line)
    if left_out:
        shown.append(f"    ({left_out} lines more of the report with --full)")
    return shown


def is_essential(line: str) -> bool:
    """Whether a line of the kernel log says who, whose limit or how much."""
    # A row of the task table begins with the pid in brackets.
    row = line.startswith("[") and line[1:].lstrip()[:1].isdigit()
    return row or any(part in line for part in _ESSENTIAL)
