"""``memoom hog``: memory step by step under a limit, by hand or at a pace."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import Parser, complain

if TYPE_CHECKING:
    from .. import Group, Hog


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom hog",
        description="Takes a step of memory at each line of standard input; with --rate, --until, --below or --total "
        "by itself, until that end, the limit, or Ctrl-C.",
    )
    parser.add_argument("--limit", default="80M", help="the limit of the group (80M)")
    parser.add_argument("--step", default="10M", help="the size of a step (10M)")
    parser.add_argument("--kind", default="anon", help="the kind of memory (anon); an unknown one shows the list")
    parser.add_argument("--pattern", default="write", help="how it is touched (write); an unknown one shows the list")
    parser.add_argument("--directory", help="where the file of the kind file stands")
    parser.add_argument("--rate", metavar="SIZE", help="bytes in a second")
    parser.add_argument("--until", metavar="EVENT", help="stop at an event, such as notified or victim")
    parser.add_argument("--below", metavar="SIZE", help="stop when so much is left below the limit")
    parser.add_argument("--total", metavar="SIZE", help="stop when the hog holds so much")
    options = parser.parse_args(arguments)

    from .. import Lab, MemoomError
    from .._explain import account
    from .._units import size

    try:
        with Lab() as lab:
            group = lab.group("hog", limit=options.limit)
            watch = group.watch()
            hog = group.hog(
                "hog", kind=options.kind, pattern=options.pattern, directory=options.directory, step=options.step
            )
            by_hand = not (options.rate or options.until or options.below or options.total)
            how = f"Enter takes {size(hog.step_bytes)}, end of input ends" if by_hand else "Ctrl-C ends"
            print(f"{hog.name} (pid {hog.pid}, {hog.kind}) in {group.cgroup}: {how}", flush=True)
            if by_hand:
                status = _by_hand(hog, group)
            else:
                paced = hog.pace(rate=options.rate, until=options.until, below=options.below, total=options.total)
                status = paced.last.status if paced.last is not None else "grew"
                why = {"total": "holds what was wanted", "below": "is near enough to the limit"}
                why |= {"event": f"{options.until} has happened", "step": f"the last step was {status}"}
                print(f"{why[paced.stop]} after {paced.steps} steps: {_holds(hog, group)}", flush=True)
                if paced.stop != "step":
                    status = "grew"
                    if sys.stdin.isatty():
                        print("Enter ends", flush=True)
                        sys.stdin.readline()
            if status in ("killed", "blocked"):
                oom = watch.wait_oom(5)
                if oom is not None:
                    print("\n".join(account(oom)))
    except MemoomError as error:
        complain("memoom hog", error)
        return 1
    return 0


def _by_hand(hog: Hog, group: Group) -> str:
    status = "grew"
    for _ in sys.stdin:
        grow = hog.grow()
        status = grow.status
        print(f"{status}: {_holds(hog, group)}", flush=True)
        if status in ("killed", "blocked"):
            break
    return status


def _holds(hog: Hog, group: Group) -> str:
    from .._units import size

    return f"holds {size(hog.total_bytes)}, the group has {size(group.usage_bytes)}"
