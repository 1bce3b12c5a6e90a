"""``memoom gc``: removes what dead owners have left behind."""

from __future__ import annotations

from . import Parser, complain


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom gc",
        description="Removes the labs whose owners have died. Those of living owners stay, and so do those whose owner "
        "cannot be judged from here (another pid namespace, a /proc that hides it) or is another user.",
        epilog="Exit status 0 when the labs could be looked at, also where one stays; 1 when they could not.",
    )
    parser.add_argument(
        "parent", metavar="PARENT", nargs="?", help="the directory of labs that were made in one of the caller's own"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)

    from .. import MemoomError, gc

    try:
        found = gc(options.parent)
    except MemoomError as error:
        complain("memoom gc", error)
        return 1
    # Whoever has a living owner stays on purpose; only what should have gone and did not is a failure.
    if options.json:
        import json

        print(json.dumps({"schema": "memoom.gc/1", "found": [one.to_dict() for one in found]}))
    else:
        for one in found:
            print(f"{'removed' if one.removed else 'kept   '} {one.path}: {one.reason}")
        if not found:
            print("nothing was left behind")
    return 0
