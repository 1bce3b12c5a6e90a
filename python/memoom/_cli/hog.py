"""``memoom hog``: memory step by step under a limit, by hand."""

from __future__ import annotations

import sys

from . import Parser, complain


def main(arguments: list[str]) -> int:
    parser = Parser(prog="memoom hog", description="Takes a step of memory at each line of standard input.")
    parser.add_argument("--limit", default="80M", help="the limit of the group (80M)")
    parser.add_argument("--step", default="10M", help="the size of a step (10M)")
    options = parser.parse_args(arguments)

    from .. import Lab, MemoomError
    from .show import account, size

    try:
        with Lab() as lab:
            group = lab.group("hog", limit=options.limit)
            watch = group.watch()
            hog = group.hog("hog", step=options.step)
            print(
                f"{hog.name} (pid {hog.pid}) in {group.cgroup}: Enter takes {size(hog.step_bytes)}, end of input ends",
                flush=True,
            )
            for _ in sys.stdin:
                grow = hog.grow()
                print(
                    f"{grow.status}: holds {size(grow.total_bytes)}, the group has {size(group.usage_bytes)}",
                    flush=True,
                )
                if grow.status != "grew":
                    oom = watch.wait_oom(5)
                    if oom is not None:
                        print("\n".join(account(oom)))
                    break
    except MemoomError as error:
        complain("memoom hog", error)
        return 1
    return 0
