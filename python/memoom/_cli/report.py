"""``memoom report``: the OOM reports in a saved kernel log."""

from __future__ import annotations

import sys

from . import Parser, complain


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom report", description="Parses the OOM reports in a saved kernel log of any common form."
    )
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="the log; - is standard input (the default)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--full", action="store_true", help="show the kernel's lines too")
    options = parser.parse_args(arguments)
    try:
        if options.file == "-":
            log = sys.stdin.buffer.read()
        else:
            with open(options.file, "rb") as file:
                log = file.read()
    except OSError as error:
        complain("memoom report", f"{options.file}: {error.strerror}")
        return 1

    from .. import _native

    if options.json:
        print(_native.reports_to_json(log))
        return 0
    reports = _native.parse_reports(log)
    for number, report in enumerate(reports):
        if number:
            print()
        print(report)
        if options.full:
            print("".join(f"  | {line}\n" for line in report.text.splitlines()), end="")
    if not reports:
        print("no OOM report is in this log")
    return 0
