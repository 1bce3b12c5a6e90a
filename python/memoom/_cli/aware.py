"""``memoom aware``: whether a program sizes itself by its memory limit."""

from __future__ import annotations

import argparse

from . import FAILED, AnswerParser, complain, listed
from .run import said_of, split

_STATUS = {"aware": 0, "unaware": 1, "unknown": 3}


def main(arguments: list[str]) -> int:
    options, command = _parse(arguments)

    from .. import MemoomError, aware

    try:
        found = aware(
            command,
            limits=options.limits,
            says=options.says,
            places=options.places,
            timeout=options.timeout,
        )
    except MemoomError as error:
        complain("memoom aware", said_of(command, error))
        return FAILED
    print(found.to_json() if options.json else found)
    return _STATUS[found.verdict]


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = AnswerParser(
        prog="memoom aware",
        usage="memoom aware [OPTION...] [--] CMD [ARG...]",
        description="Runs CMD under several limits, and tells whether it sizes itself by them: whether what it takes, "
        "or a number that it prints, follows the limit. Each limit is set on the group of CMD, and then on the group "
        "above, where a program sees it only if it looks there. Its input is empty.",
        epilog="Exit status 0: aware in every place; 1: unaware in one; 3: it cannot be told; 125: memoom failed.",
    )
    add = parser.add_argument
    add("--limits", metavar="SIZE,...", help="the limits (2G or what is free, a quarter and a sixteenth of it)")
    add("--says", metavar="REGEX", help="compare a number that CMD prints: what the first group of REGEX matches last")
    add("--places", default="own,ancestor", metavar="WHERE", help="where the limit is set: own,ancestor or one of them")
    add("--timeout", type=float, default=30.0, metavar="S", help="end a run after so many seconds; it counts (30)")
    add("--json", action="store_true", help="print the answer as one JSON document")
    add("command", nargs=argparse.REMAINDER, metavar="CMD", help=argparse.SUPPRESS)
    options, command = split(parser, arguments)
    if options.limits is not None:
        options.limits = listed(parser, "limits", options.limits)
    options.places = listed(parser, "places", options.places)
    return options, command
