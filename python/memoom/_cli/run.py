"""``memoom run``: a command under a limit, with the manners of env(1) and timeout(1).

Standard input, output and error are the command's. memoom itself writes only to standard error, and only when it has
something to say: an OOM, or a SIGKILL that was none.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import stat
import sys
from typing import TYPE_CHECKING

from .._text import meant
from . import FAILED, AnswerParser, Parser, complain, mute

if TYPE_CHECKING:
    from .._errors import MemoomError
    from .._values import Outcome

CANNOT_RUN, NOT_FOUND = 126, 127
_SIGKILL = 9
# What is filled in in the command of --at-limit.
_PLACES = ("pid", "invoker", "group", "pids")
# How every outcome begins.
_OUTCOME = b'{"schema":"memoom.outcome/'


def main(arguments: list[str]) -> int:
    options, command = _parse(arguments)

    from .. import MemoomError, run
    from .._files import open_own
    from .signals import Forwarder

    output = None
    try:
        if options.output is not None:
            # Opened first: the command must not run for an hour only to have its account lost.
            output = open_own("write outcome", options.output, _is_outcome, "outcome of memoom run")
        # The signals are held back before the command starts, so that none is lost between.
        forwarder = Forwarder()
        outcome = run(
            command,
            limit=options.limit,
            swap=options.swap,
            high=options.high,
            oom_group=options.oom_group or None,
            timeout=options.timeout,
            record=options.record,
            started=forwarder.attach,
            at_limit=options.at_limit,
            headroom=options.headroom,
            at_limit_timeout=options.at_limit_timeout,
            raise_to=options.raise_to,
        )
        forwarder.stop()
    except (MemoomError, OSError) as error:
        return failed("memoom run", command, error)
    if output is not None:
        with open(output, "wb") as file:
            if stat.S_ISREG(os.fstat(output).st_mode) and not fcntl.fcntl(output, fcntl.F_GETFL) & os.O_APPEND:
                file.truncate(0)
            file.write(outcome.to_json().encode() + b"\n")
    elif options.json:
        print(outcome.to_json(), file=sys.stderr)
    if output is not None or not options.json:
        _tell(outcome, options.full)
    return status_of(outcome)


def _is_outcome(fd: int) -> bool:
    """Whether a file is what an earlier run has written."""
    return os.pread(fd, len(_OUTCOME), 0) == _OUTCOME


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = AnswerParser(
        prog="memoom run",
        usage="memoom run --limit SIZE [OPTION...] [--] CMD [ARG...]",
        description="Runs CMD under a memory limit and accounts for an OOM on standard error. It ends when CMD ends; "
        "what CMD has left running is killed then. Inside another memoom run, or any group of a lab, the limit there "
        "holds too; where cgroup v2 forbids that, nothing is run, and the message says what to do.",
        epilog="The exit status is that of CMD; 128+n when signal n ended it (137: SIGKILL); 125 when memoom failed, "
        "126 when CMD cannot be run, 127 when it is not found.",
    )
    parser.add_argument("--limit", required=True, metavar="SIZE", help="the memory that CMD and its children may use")
    parser.add_argument("--swap", default="0", metavar="SIZE", help="swap beyond it (0); max for any")
    parser.add_argument("--high", metavar="SIZE", help="throttle above this (v2)")
    parser.add_argument("--oom-group", action="store_true", help="an OOM kill takes all processes of CMD (v2)")
    parser.add_argument("--timeout", type=float, metavar="S", help="kill CMD and its children after so many seconds")
    parser.add_argument(
        "--at-limit",
        metavar="COMMAND",
        help="when the limit is met, hold everybody before anybody dies and run this in a shell outside; {pid} is the "
        "predicted victim, {invoker} who met the limit, {group} and {pids} the rest; builtin: the memory by mapping",
    )
    parser.add_argument("--headroom", default="4M", metavar="SIZE", help="room above the limit meanwhile (4M)")
    parser.add_argument(
        "--at-limit-timeout", type=float, default=60.0, metavar="S", help="kill that command after so many seconds (60)"
    )
    parser.add_argument(
        "--raise", dest="raise_to", metavar="SIZE", help="raise the limit to this after it, and let CMD go on"
    )
    parser.add_argument("--json", action="store_true", help="write the outcome to standard error as one line of JSON")
    parser.add_argument("--output", metavar="FILE", help="write that line to FILE, in place of an earlier outcome")
    parser.add_argument(
        "--record",
        metavar="FILE",
        help="record what the accounts are made of in FILE, for memoom replay; an earlier recording is replaced",
    )
    parser.add_argument(
        "--full", action="store_true", help="show the whole account: call path, the kernel's report, sources"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD", help=argparse.SUPPRESS)
    options, command = split(parser, arguments)
    if options.timeout is not None and not options.timeout >= 0:
        parser.error("argument --timeout: give seconds, 0 or more")
    if options.at_limit is not None and not options.at_limit.strip():
        parser.error("argument --at-limit: give a command, or builtin")
    if not 0 <= options.at_limit_timeout < float("inf"):
        parser.error("argument --at-limit-timeout: give seconds, 0 or more")
    if options.raise_to is not None and options.at_limit is None:
        parser.error("argument --raise: give --at-limit too (true, where nothing is to be looked at)")
    if options.at_limit is not None:
        _hint(options.at_limit)
    return options, command


def _hint(hook: str) -> None:
    """What is nearly a placeholder stays as it is, and is rarely meant so."""
    for word in re.findall(r"(?<!\$)\{([a-z]+)\}", hook):
        near = meant(word, _PLACES)
        if word not in _PLACES and near is not None:
            complain("memoom run", f"--at-limit: {{{word}}} stays as it is; did you mean {{{near}}}?")


def split(parser: Parser, arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options, and the command that follows them."""
    # What argparse does with "--" differs between versions, so the first one is taken out here.
    first = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:first])
    rest = arguments[first:]
    # A "--" after the name of the command belongs to the command.
    command = [*options.command, *rest] if options.command else rest[1:]
    if not command:
        parser.error("no command is named")
    return options, command


def failed(prog: str, command: list[str], error: MemoomError | OSError) -> int:
    """Says why a command could not be run, and gives the exit status."""
    from .._errors import MemoomError

    if isinstance(error, OSError) and not isinstance(error, MemoomError):
        complain(prog, f"{error.filename}: {error.strerror}")
        return FAILED
    status = _status_of(error)
    complain(prog, said_of(command, error))
    return status


def said_of(command: list[str], error: MemoomError | OSError | ImportError) -> object:
    """What is said of a command that could not be run: that it is not there as env(1) says it, all else as it is."""
    if isinstance(error, ImportError) or error.errno is None or _status_of(error) == FAILED:
        return error
    # It may be another one, such as the check of a fit.
    named = re.search(r"\(value (.+)\): it could not execute it", str(error))
    return f"{named[1] if named else command[0]}: {os.strerror(error.errno)}"


def status_of(outcome: Outcome) -> int:
    """The exit status of a command, as a shell has it."""
    return 128 - outcome.returncode if outcome.returncode < 0 else outcome.returncode


def _status_of(error: Exception) -> int:
    """The exit status of env(1) for a command that could not be executed; 125 for everything else."""
    import errno

    if "could not execute" not in str(error):
        return FAILED
    return NOT_FOUND if getattr(error, "errno", None) == errno.ENOENT else CANNOT_RUN


def _tell(outcome: Outcome, full: bool) -> None:
    lines = []
    happened = outcome.at_limit or outcome.ooms
    if happened or outcome.verdict in ("timeout", "throttled") or outcome.returncode == -_SIGKILL:
        brief = happened or outcome.verdict == "throttled"
        headline, *details = (str(outcome) if full or not brief else outcome.short_text).splitlines()
        lines += [f"memoom: {headline}", *details]
    if lines:
        say("\n".join(lines))


def say(text: str) -> None:
    """Writes to standard error."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        # Nobody reads: the exit status still says it.
        mute(2)
