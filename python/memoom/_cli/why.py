"""``memoom why``: who killed what memoom did not start, from what is still there."""

from __future__ import annotations

from . import Parser, complain


class _WhyParser(Parser):
    usage_status = 125


def main(arguments: list[str]) -> int:
    parser = _WhyParser(
        prog="memoom why",
        description="Names who killed a process, or what was killed in a group, from the kernel log and the counters "
        "that are still there. Without an argument: the last OOM kill on this machine.",
        epilog="Exit status 0 when somebody is named, 1 when it is unknown (with the reason), 125 when memoom failed.",
    )
    subject = parser.add_mutually_exclusive_group()
    subject.add_argument("pid", nargs="?", type=int, metavar="PID", help="a process that has ended")
    subject.add_argument("--group", metavar="PATH", help="the directory of a group")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)

    from .. import MemoomError, postmortem

    try:
        answer = postmortem(options.pid, group=options.group)
    except MemoomError as error:
        complain("memoom why", error)
        return 125
    print(answer.to_json() if options.json else str(answer).rstrip("\n"))
    return 1 if answer.killed_by.by == "unknown" else 0
