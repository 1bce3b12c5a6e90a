"""``memoom report``: the OOM reports in a saved kernel log, or in one that goes on."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import Parser, complain

if TYPE_CHECKING:
    from .. import Report, ReportReader

_NONE = "no OOM report is in this log"
_STDIN = "standard input"


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog="memoom report",
        description="Tells the OOM reports in a kernel log of any common form and length, packed by gzip, xz or zstd "
        "or not: one alone in whole, several in a line each. Of a pipe (dmesg -w | memoom report) each report is told "
        "when it is complete: when no line has followed for half a second, and every second where lines never cease.",
        epilog="Memory is bounded: a log is read in windows of some MiB. What has a line over 64 MiB is no log. "
        "Exit status 0 when the log was read, also where no report is in it; 1 when it cannot be read, behind the "
        "reports of the part that could.",
    )
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="the log; - is standard input (the default)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document; with --follow one for each report, on a line"
    )
    parser.add_argument("--full", action="store_true", help="show each report in whole, and the kernel's lines too")
    parser.add_argument(
        "--follow",
        action="store_true",
        help="go on at the end of FILE, as tail -F does: also where it is cut, or another takes its name",
    )
    options = parser.parse_args(arguments)
    teller: _Told = _Documents(options.follow) if options.json else _Texts(options.full)
    from .. import MemoomError

    try:
        _read(options.file, options.follow, teller, live=options.follow or not options.json)
    except BrokenPipeError:
        raise
    except (OSError, MemoomError, MemoryError) as error:
        teller.end(None)
        sys.stdout.flush()
        said = error if isinstance(error, MemoomError) else f"{options.file}: {_words(error, options.file)}"
        complain("memoom report", said)
        return 1
    return 0


def _words(error: OSError | MemoryError, path: str) -> str:
    if isinstance(error, MemoryError):
        return "there is too little memory to read it; remedy: raise the limit of this process (ulimit -v)"
    words = error.strerror or str(error)
    if isinstance(error, PermissionError) and os.geteuid() != 0:
        return f"{words}; remedy: sudo memoom report {shlex.quote(path)}"
    return words


def _read(path: str, follow: bool, teller: _Told, live: bool) -> None:
    """Reads the log to its end; `live` tells in its pauses too."""
    from .. import ReportReader
    from .._log import check_line, unpacked
    from . import follow as following

    name = _STDIN if path == "-" else path
    fd = 0 if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        goes_on = follow and path != "-" and following.can_grow(fd, path)
        pieces: Iterable[bytes | str] = following.followed(fd, path) if goes_on else following.piped(fd, live)
        reader = ReportReader()
        pauses, empty = 0, True
        for piece in pieces if goes_on else unpacked(pieces, name):
            if piece:
                pauses, empty = 0, False
                teller.add(reader.feed(piece))
                check_line(reader, name)
            elif live and reader.line_bytes == 0:
                # The first pauses tell what is whole; after some more nothing is waited for.
                pauses += 1
                teller.add(reader.settle() if pauses < following.GIVEN_UP else reader.quiet())
                teller.pause()
        teller.add(reader.finish())
        teller.end(reader, name if empty else None)
    finally:
        if fd:
            os.close(fd)


class _Told:
    """How the reports are shown."""

    def add(self, reports: list[Report]) -> None:
        """Some that are complete."""
        raise NotImplementedError

    def pause(self) -> None:
        """For now there are no more."""

    def end(self, reader: ReportReader | None, empty: str | None = None) -> None:
        """There are no more; without a reader, as the log cannot be read any further. What was empty is named."""


class _Documents(_Told):
    """One document of all reports, or with `--follow` one of each."""

    def __init__(self, each: bool) -> None:
        self._each, self._any = each, False

    def add(self, reports: list[Report]) -> None:
        for report in reports:
            if self._each:
                print(report.to_json(), flush=True)
            else:
                print("," if self._any else self._begin(), report.to_json(), sep="", end="")
            self._any = True

    def end(self, reader: ReportReader | None, empty: str | None = None) -> None:
        if self._each or not (self._any or reader):
            return
        print("]}" if self._any else self._begin() + "]}")

    @staticmethod
    def _begin() -> str:
        return '{"schema":"memoom.reports/1","reports":['


class _Texts(_Told):
    """Reports that come together are told in a line each, one that comes alone in whole."""

    def __init__(self, full: bool) -> None:
        self._full = full
        # The first since the last pause: whether it is alone is not known yet.
        self._first: Report | None = None
        self._lines = 0
        self._any = False

    def add(self, reports: list[Report]) -> None:
        for report in reports:
            if self._full:
                self._whole(report)
            elif self._first is None and not self._lines:
                self._first = report
            else:
                if self._first is not None:
                    self._line(self._first)
                self._first = None
                self._line(report)

    def pause(self) -> None:
        if self._first is not None:
            self._whole(self._first)
        self._first, self._lines = None, 0
        sys.stdout.flush()

    def end(self, reader: ReportReader | None, empty: str | None = None) -> None:
        several = self._lines
        self.pause()
        if several > 1:
            complain("memoom report", f"{several} reports; --full shows each in whole")
        if reader is None or self._any:
            return
        if empty is not None:
            print(f"{_NONE}: {empty} is empty")
            # What a command before it could not read is no log without an OOM.
            if empty == _STDIN:
                print("  where dmesg or journalctl may not read the log, give it by root: sudo dmesg | memoom report")
            return
        count, lines = reader.lookalikes()
        print(_NONE if not count else f"{_NONE}, but {count} line{'s look' if count > 1 else ' looks'} like one:")
        for line in lines:
            print(f"  {line}")
        if count > len(lines):
            print(f"  and {count - len(lines)} more")

    def _line(self, report: Report) -> None:
        self._lines += 1
        self._any = True
        print(report.line)

    def _whole(self, report: Report) -> None:
        if self._any:
            print()
        self._any = True
        print(report)
        if self._full:
            print("".join(f"  | {line}\n" for line in report.text.splitlines()), end="")
