"""``memoom report``: the OOM reports in a saved kernel log."""

from __future__ import annotations

import sys
import zlib

from . import Parser, complain

_GZIP = b"\x1f\x8b"


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom report",
        description="Parses the OOM reports in a saved kernel log of any common form, gzipped or not.",
        epilog="Exit status 0 when the log was read, also where no report is in it; 1 when it cannot be read.",
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
        if log.startswith(_GZIP):
            import gzip

            log = gzip.decompress(log)
    except (OSError, EOFError, zlib.error) as error:
        complain("memoom report", f"{options.file}: {getattr(error, 'strerror', None) or error}")
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
