"""``memoom observe``: a command, and why each process below it died that died by a signal.

Streams and exit status are the command's, as with ``memoom run``; what memoom has to say goes to standard error.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import select
import stat
from typing import IO, TYPE_CHECKING

from . import AnswerParser
from .run import failed, say, split, status_of

if TYPE_CHECKING:
    from .._observe import Death, Deaths
    from .._values import Event, Oom, Outcome

_PROG = "memoom observe"
# How each document begins.
_DOCUMENT = b'{"schema":"memoom.'


def main(arguments: list[str]) -> int:
    options, command = _parse(arguments)

    from .. import Host, Lab, MemoomError
    from .._observe import Deaths, why_blind
    from . import beside
    from .signals import Forwarder

    try:
        teller = _Teller(options)
        host = Host.probe()
        # A limit needs a group of its own; without one there is much to be seen from where this process stands.
        if options.limit is None and not host.lab and (group := beside.own_group(host)) is not None:
            return beside.observe(command, group, host.refusal or "", teller.read)
        # The signals are held back before the command starts, so that none is lost between.
        forwarder = Forwarder()
        with Lab() as lab:
            if (blind := why_blind(lab.host)) is not None:
                say(f"memoom: only deaths in an OOM and that of the command itself can be seen here: {blind}")
            # Without a limit swap has none either.
            group = lab.group("observe", limit=options.limit, swap=None if options.limit is None else options.swap)
            deaths = Deaths(group)
            worker = group.command(command)
            forwarder.attach(worker)
            poller = select.poll()
            poller.register(deaths.fileno(), select.POLLIN)
            poller.register(worker.fileno(), select.POLLIN)
            while not worker.ended:
                poller.poll()
                teller.read(deaths)
            # It settles the accounts that are open; what is killed after it is what the command has left behind.
            outcome = worker.wait()
            teller.read(deaths)
            teller.end(deaths, outcome)
            forwarder.stop()
    except (MemoomError, OSError) as error:
        return failed(_PROG, command, error)
    return status_of(outcome)


class _Teller:
    """Tells what is read, as documents or as text."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._json: bool = options.json or options.output is not None
        self._full: bool = options.full
        # Documents on standard error leave no room for text.
        self._text: bool = not options.json or options.output is not None
        self._file: IO[bytes] | None = None if options.output is None else _open(options.output)
        self._told: set[int] = set()

    def read(self, deaths: Deaths) -> set[int]:
        """Tells what is there, and of whom."""
        said, died = deaths.read()
        for one in said if self._json else ():
            self._document(one)
        for death in died:
            self._death(death)
        return {pid for death in died for pid in death.pids}

    def end(self, deaths: Deaths, outcome: Outcome) -> None:
        for death in deaths.rest():
            self._death(death)
        if self._json:
            self._document(outcome)
        if self._text and outcome.returncode < 0 and outcome.pid not in self._told:
            headline, *details = (str(outcome) if self._full else outcome.short_text).splitlines()
            say("\n".join([f"memoom: {headline}", *details]))

    def _death(self, death: Death) -> None:
        self._told.update(death.pids)
        if self._text:
            headline, *details = death.lines(self._full)
            say("\n".join([f"memoom: {headline}", *details]))

    def _document(self, one: Event | Oom | Outcome) -> None:
        if self._file is None:
            say(one.to_json())
        else:
            # One write for each line: whoever reads never sees half of one for long.
            self._file.write(one.to_json().encode() + b"\n")


def _open(path: str) -> IO[bytes]:
    """The file for the documents, begun anew where it holds earlier ones."""
    from .._files import open_own

    fd = open_own("write deaths", path, _is_document, "output of memoom observe")
    if stat.S_ISREG(os.fstat(fd).st_mode) and not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND:
        os.ftruncate(fd, 0)
    return open(fd, "wb", buffering=0)


def _is_document(fd: int) -> bool:
    """Whether a file is what an earlier run has written."""
    return os.pread(fd, len(_DOCUMENT), 0) == _DOCUMENT


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = AnswerParser(
        prog=_PROG,
        usage=f"{_PROG} [OPTION...] [--] CMD [ARG...]",
        description="Runs CMD in a group of its own, without a limit, and says on standard error why each process "
        "below it died that a signal has ended: who it was, who sent the signal, and "
        "the account where it was an OOM. It ends when CMD ends; what CMD has left running is killed then. Where no "
        "group can be made (without root, in a container), CMD runs in the group of this process: what dies in that is "
        "told, and what CMD has left running stays.",
        epilog="The exit status is that of CMD; 128+n when signal n ended it (137: SIGKILL); 125 when memoom failed, "
        "126 when CMD cannot be run, 127 when it is not found. A child whose parent has set SIGCHLD to be ignored is "
        "told of where SIGKILL, a fault or an abort has ended it.",
    )
    parser.add_argument("--limit", metavar="SIZE", help="the memory that CMD and its children may use (none)")
    parser.add_argument("--swap", default="0", metavar="SIZE", help="swap beyond the limit (0); max for any")
    parser.add_argument(
        "--json",
        action="store_true",
        help="write events (killed) and accounts, and at last the outcome of CMD, to standard error as JSON, one "
        "document on each line",
    )
    parser.add_argument("--output", metavar="FILE", help="write those lines to FILE, in place of an earlier output")
    parser.add_argument(
        "--full", action="store_true", help="show whole accounts: call path, the kernel's report, sources"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD", help=argparse.SUPPRESS)
    return split(parser, arguments)
