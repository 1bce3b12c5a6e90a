"""``memoom replay``: the accounts of a recording, made again."""

from __future__ import annotations

from . import Parser, complain


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom replay",
        description="Makes the accounts again that a recording led to (run, watch and demo make one with --record). It "
        "needs no right and no cgroup, and runs on any machine.",
        epilog="Exit status 0 when the recording was read, also where no OOM is in it; 1 when it cannot be read.",
    )
    parser.add_argument("file", metavar="FILE", help="the recording")
    parser.add_argument("--json", action="store_true", help="print the accounts as JSON, one document on each line")
    parser.add_argument("--full", action="store_true", help="show the whole report of the kernel")
    options = parser.parse_args(arguments)

    from .. import MemoomError, replay
    from .._explain import account

    try:
        ooms = replay(options.file)
    except MemoomError as error:
        complain("memoom replay", error)
        return 1
    for number, oom in enumerate(ooms):
        if options.json:
            print(oom.to_json())
        else:
            print("\n".join([*[""] * (number > 0), *account(oom, options.full)]))
    if not ooms and not options.json:
        print("no OOM is in this recording")
    return 0
