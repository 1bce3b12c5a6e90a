"""``memoom why``: who killed what memoom did not start, from what is still there."""

from __future__ import annotations

import os
import shlex

from . import FAILED, AnswerParser, complain


def main(arguments: list[str]) -> int:
    parser = AnswerParser(
        prog="memoom why",
        description="Names who killed a process, or what was killed in a group, from what is still there: the kernel "
        "log and the journal, the counters of the group and of those above it, what systemd remembers, and the record "
        "that memoom watch has kept. Without an argument: the last OOM kill on this machine.",
        epilog="Exit status 0 when somebody is named, 1 when it is unknown (with the reason), 125 when memoom failed.",
    )
    subject = parser.add_mutually_exclusive_group()
    subject.add_argument("pid", nargs="?", type=int, metavar="PID", help="a process that has ended")
    subject.add_argument("--group", metavar="PATH", help="the directory of a group")
    subject.add_argument("--unit", metavar="UNIT", help="a systemd unit, such as nginx.service")
    subject.add_argument("--container", metavar="ID", help="a container, by its id or the beginning of it")
    subject.add_argument("--pod", metavar="UID", help="a pod, by its uid")
    subject.add_argument("--slurm", metavar="JOB[.STEP]", help="a Slurm job, or one step of it")
    parser.add_argument("--record", metavar="DIR", help="the directory of memoom watch --record DIR/")
    parser.add_argument("--log", metavar="FILE", help="a saved kernel log, in place of this machine's")
    parser.add_argument("--full", action="store_true", help="show the kernel's report too")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)

    from .. import MemoomError, postmortem

    try:
        answer = postmortem(
            options.pid,
            group=options.group,
            unit=options.unit,
            container=options.container,
            pod=options.pod,
            slurm=options.slurm,
            record=options.record,
            log=options.log,
        )
    except MemoomError as error:
        complain("memoom why", error)
        return FAILED
    text = answer.full_text if options.full else str(answer)
    print(answer.to_json() if options.json else text.rstrip("\n"))
    unknown = answer.killed_by.by == "unknown"
    unread = any(one.source == "kernel-log" for one in answer.missing)
    if unknown and unread and not options.json and os.geteuid() != 0:
        print(f"Next: sudo memoom why {shlex.join(arguments)}".rstrip())
    return 1 if unknown else 0
