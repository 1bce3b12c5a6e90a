"""``memoom doctor``: what works here, and what helps where something does not."""

from __future__ import annotations

from . import Parser, complain


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom doctor",
        description="Says what works here, and what helps where something does not.",
        epilog="Exit status 0 if a lab can be made, 1 if not.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)

    from .. import Host, MemoomError

    try:
        host = Host.probe()
    except MemoomError as error:
        complain("memoom doctor", error)
        return 1
    print(host.to_json() if options.json else host)
    return 0 if host.lab else 1
