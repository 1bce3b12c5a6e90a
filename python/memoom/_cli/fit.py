"""``memoom fit``: the least memory limit under which a command passes."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import DEVNULL
from typing import Any

from . import FAILED, AnswerParser, complain
from .plot import Plot
from .run import said_of, split
from .sweep import executor_of, require_executor


def main(arguments: list[str]) -> int:
    options, command = _parse(arguments)

    from .. import MemoomError, fit

    plot = Plot(options.plot, "memoom fit", "time under each limit")
    try:
        plot.require()
        with _there(options) as there:
            fitted = fit(
                command,
                check=options.check,
                most=options.most,
                swap=options.swap,
                timeout=options.timeout,
                runs=options.runs,
                within=options.within / 100,
                slower=options.slower / 100,
                high=None if options.high is None else options.high / 100,
                **there,
            )
        plot.write(fitted.to_svg)
    except (MemoomError, OSError, ImportError) as error:
        complain("memoom fit", error if isinstance(error, ImportError) else said_of(command, error))
        return FAILED
    print(fitted.to_json() if options.json else fitted)
    return 1 if fitted.limit_bytes is None else 0


@contextmanager
def _there(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Where the runs are made: over an executor, or here, where what they write may be shown."""
    if options.executor is not None:
        with executor_of(options.executor, 1) as executor:
            yield {"executor": executor}
        return
    output = None if options.show else DEVNULL
    yield {"stdin": DEVNULL, "stdout": output, "stderr": output}


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = AnswerParser(
        prog="memoom fit",
        usage="memoom fit [OPTION...] [--] CMD [ARG...]",
        description="Finds the least memory limit under which CMD passes (ends with 0), by runs under limits: a search "
        "that is led by what the runs use. Nothing runs without a limit. CMD must do the same each time; its input is "
        "empty, and its output is dropped.",
        epilog="Exit status 0 with a limit, 1 where CMD passes under none, 125 when memoom failed.",
    )
    add = parser.add_argument
    add("--check", metavar="COMMAND", help="a run passes only where this ends with 0 after it; runs without the limit")
    add("--most", metavar="SIZE", help="the limit of the first run (four fifths of the free memory)")
    add("--swap", default="0", metavar="SIZE", help="swap beyond the limit (0); max for any")
    add("--timeout", type=float, metavar="S", help="a run that takes longer fails (ten times the first, and 10 s)")
    add("--runs", type=int, default=12, metavar="N", help="the most runs (12)")
    add("--within", type=float, default=2.0, metavar="PERCENT", help="how close the answer must be (2)")
    add("--slower", type=float, default=10.0, metavar="PERCENT", help="what counts as slowed down (10)")
    add("--high", type=float, metavar="PERCENT", help="throttle each run above so much of its limit (v2)")
    add("--executor", metavar="WHERE", help="make the runs there: threads, processes, or dask:ADDRESS; needs --most")
    add("--show", action="store_true", help="show what CMD and the check write")
    add("--plot", metavar="FILE", help="draw limit against time in FILE (SVG); an earlier plot is replaced")
    add("--json", action="store_true", help="print the answer as one JSON document")
    add("command", nargs=argparse.REMAINDER, metavar="CMD", help=argparse.SUPPRESS)
    options, command = split(parser, arguments)
    if options.check is not None:
        try:
            options.check = shlex.split(options.check)
        except ValueError as error:
            parser.error(f"argument --check: {options.check}: {error}")
        if not options.check:
            parser.error("argument --check: give a command")
    if options.timeout is not None and not 0 <= options.timeout < float("inf"):
        parser.error("argument --timeout: give seconds, 0 or more")
    if not options.runs > 0:
        parser.error("argument --runs: give 1 or more")
    for name in ("within", "slower"):
        if not 0.1 <= getattr(options, name) <= 1000:
            parser.error(f"argument --{name}: give percent, 0.1 to 1000")
    if options.high is not None and not 0.1 <= options.high <= 100:
        parser.error("argument --high: give percent of each limit, 0.1 to 100")
    if options.executor is not None:
        require_executor(parser, options.executor)
        if options.most is None or options.show:
            parser.error("argument --executor: give --most, as nobody knows what is free there, and no --show")
    return options, command
