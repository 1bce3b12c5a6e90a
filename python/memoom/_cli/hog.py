"""``memoom hog``: memory step by step under a limit, by hand or at a pace."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import Parser, complain

if TYPE_CHECKING:
    from argparse import Namespace

    from .. import Group, Grow, Hog, Oom


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom hog",
        description="Takes a step of memory at each line of standard input; with --rate, --until, --below or --total "
        "by itself, until that end, the limit, or Ctrl-C.",
        epilog="Exit status 0 however the hog has ended: that is what was asked for; 1 when memoom failed; 130 after "
        "Ctrl-C.",
    )
    parser.add_argument("--limit", default="80M", metavar="SIZE", help="the limit of the group (80M)")
    parser.add_argument("--step", default="10M", metavar="SIZE", help="the size of a step (10M)")
    parser.add_argument("--kind", default="anon", help="the kind of memory (anon); an unknown one shows the list")
    parser.add_argument("--pattern", default="write", help="how it is touched (write); an unknown one shows the list")
    parser.add_argument("--directory", metavar="DIR", help="where the file of the kind file stands")
    parser.add_argument("--rate", metavar="SIZE", help="bytes in a second")
    parser.add_argument("--until", metavar="EVENT", help="stop at an event, such as notified or victim")
    parser.add_argument("--below", metavar="SIZE", help="stop when so much is left below the limit")
    parser.add_argument("--total", metavar="SIZE", help="stop when the hog holds so much")
    parser.add_argument("--json", action="store_true", help="one JSON document per line: answers, and the account")
    options = parser.parse_args(arguments)

    from .. import Lab, MemoomError

    try:
        with Lab() as lab:
            group = lab.group("hog", limit=options.limit)
            watch = group.watch()
            hog = group.hog(
                "hog", kind=options.kind, pattern=options.pattern, directory=options.directory, step=options.step
            )
            status = _at_a_pace(hog, group, options) if _has_pace(options) else _by_hand(hog, group, options)
            oom = watch.wait_oom(5) if status in ("killed", "blocked") else None
            if oom is not None:
                print(oom.to_json() if options.json else _account(oom), flush=True)
    except MemoomError as error:
        complain("memoom hog", error)
        return 1
    return 0


def _has_pace(options: Namespace) -> bool:
    return bool(options.rate or options.until or options.below or options.total)


def _by_hand(hog: Hog, group: Group, options: Namespace) -> str:
    from .._units import size

    _begins(hog, group, f"Enter takes {size(hog.step_bytes)}, end of input ends", options)
    status = "grew"
    for _ in sys.stdin:
        grow = hog.grow()
        status = grow.status
        _say("step", f"{status}: {_holds(hog, group)}", options, grow)
        if status in ("killed", "blocked"):
            break
    return status


def _at_a_pace(hog: Hog, group: Group, options: Namespace) -> str:
    _begins(hog, group, "Ctrl-C ends", options)
    paced = hog.pace(rate=options.rate, until=options.until, below=options.below, total=options.total)
    status = paced.last.status if paced.last is not None else "grew"
    why = {"total": "holds what was wanted", "below": "is near enough to the limit"}
    why |= {"event": f"{options.until} has happened", "step": f"the last step was {status}"}
    _say("pace", f"{why[paced.stop]} after {paced.steps} steps: {_holds(hog, group)}", options, paced.last)
    if paced.stop == "step":
        return status
    if sys.stdin.isatty():
        print("Enter ends", file=sys.stderr, flush=True)
        sys.stdin.readline()
    return "grew"


def _begins(hog: Hog, group: Group, how: str, options: Namespace) -> None:
    _say("", f"{hog.name} (pid {hog.pid}, {hog.kind}) in {group.cgroup}: {how}", options)


def _say(command: str, text: str, options: Namespace, grow: Grow | None = None) -> None:
    from .lab_plain import answer

    print(answer(command, text, grow=grow) if options.json else text, flush=True)


def _account(oom: Oom) -> str:
    from .._explain import account

    return "\n".join(account(oom))


def _holds(hog: Hog, group: Group) -> str:
    from .._units import size

    return f"holds {size(hog.total_bytes)}, the group has {size(group.usage_bytes)}"
