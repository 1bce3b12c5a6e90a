"""``memoom demo``: the experiments of this machine's hierarchy, told from beginning to end."""

from __future__ import annotations

import json

from . import Parser, complain
from .experiments import EXPERIMENTS, Experiment, run

_WHAT = {
    "v1-kill": "the step over the limit kills one hog; the others live",
    "v1-block": "with the OOM killer off, the step over the limit waits",
    "v1-resume": "the killer is turned on again: the other hog dies, the waiting step completes",
    "v2-kill": "the step over the limit kills one hog; the others live",
    "v2-group": "with memory.oom.group, the kill takes every process of the group",
}


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom demo",
        description="Runs experiments and checks what the kernel did. Exit status 0 only if every check held.",
        epilog="Experiments: " + "; ".join(f"{name}: {text}" for name, text in _WHAT.items()) + ".",
    )
    parser.add_argument(
        "experiments", nargs="*", metavar="EXPERIMENT", help="default: those of this machine's hierarchy"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document for each experiment, one per line")
    parser.add_argument(
        "--record",
        metavar="FILE",
        help="record what the accounts are made of in FILE, for memoom replay; of several in FILE.NAME each",
    )
    parser.add_argument("--full", action="store_true", help="show the whole report of the kernel and every event")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.experiments if name not in EXPERIMENTS]
    if unknown:
        parser.error(f"there is no experiment {unknown[0]!r}; there are {', '.join(EXPERIMENTS)}")

    from .. import Host, MemoomError

    try:
        host = Host.probe()
        host.require_lab()
    except MemoomError as error:
        complain("memoom demo", error)
        return 1
    here = [name for name, (hierarchy, _) in EXPERIMENTS.items() if hierarchy == host.version]
    names = options.experiments or here
    elsewhere = [name for name in names if name not in here]
    if elsewhere:
        complain(
            "memoom demo",
            f"{', '.join(elsewhere)} cannot run here: the memory controller is on cgroup {host.version}, "
            f"at {host.mount}; remedy: run {', '.join(here)}, or boot a kernel with the memory controller "
            f"on cgroup {EXPERIMENTS[elsewhere[0]][0]}",
        )
        return 1
    passed = True
    for name in names:
        try:
            record = options.record
            found = run(name, f"{record}.{name}" if record and len(names) > 1 else record)
        except MemoomError as error:
            complain(f"memoom demo: {name}", error)
            passed = False
            continue
        passed = passed and found.passed
        if options.json:
            print(json.dumps(found.to_dict(), separators=(",", ":"), ensure_ascii=False), flush=True)
        else:
            print("\n".join(_told(found, options.full)), flush=True)
    return 0 if passed else 1


# How a line of the kernel's report stands in an account.
_KERNEL = "    | "


def _told(found: Experiment, full: bool) -> list[str]:
    from .._explain import account, is_essential

    timeline = found.timeline
    told = "nothing happened" if timeline is None else timeline.full_text if full else str(timeline)
    events = [f"  {line}" for line in told.splitlines()]
    lines = [f"━━ {found.name}: {_WHAT[found.name]}", "", "Timeline", *events, ""]
    for oom in found.ooms:
        full_text = account(oom, True)
        # Of the kernel's own lines those that say who, whose limit and how much.
        lines += [*(line for line in full_text if full or not line.startswith(_KERNEL) or is_essential(line[6:])), ""]
    lines.append("Checks")
    width = max((len(check.name) for check in found.checks), default=0)
    lines += [f"  {'✓' if check.passed else '✗'} {check.name:<{width}}  {check.seen}" for check in found.checks]
    held = sum(check.passed for check in found.checks)
    lines += ["", f"{found.name}: {held} of {len(found.checks)} checks held", ""]
    return lines
