"""``memoom lab``: the original experiment in one terminal: two hogs, a ticker, and the kernel's words as they come."""

from __future__ import annotations

import os
import signal
import sys

from . import Parser, complain, leave

_HELP = """\
On a terminal, keys do it; otherwise commands are read from standard input, one a line, and plain lines are written:

  1, 2                 a step of the first or second hog (also: step 1)
  3, 4                 the first or second hog gives a step back (also: back 1)
  k                    the OOM killer on or off (v1; also: killer on, killer off)
  g                    memory.oom.group on or off (v2; also: group on, group off)
  + -                  the limit a step up or down (also: limit SIZE)
  n                    new workers for those that have ended (also: new)
  status               what there is now
  q                    quit; nothing is left

Exit status 0; 1 when memoom failed, or a command of standard input did; 130 after Ctrl-C, 128+n after signal n.
"""


def main(arguments: list[str]) -> int:
    from argparse import RawDescriptionHelpFormatter

    parser = Parser(
        prog="memoom lab",
        description="Two hogs and a ticker in a group with a limit: step them until the kernel kills one.",
        epilog=_HELP,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--limit", default="80M", metavar="SIZE", help="the limit of the group (80M)")
    parser.add_argument("--step", default="10M", metavar="SIZE", help="what a step takes (10M)")
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS", help="the period of the ticker (1)")
    parser.add_argument("--plain", action="store_true", help="plain lines also on a terminal")
    parser.add_argument("--full", action="store_true", help="every line of the kernel's report")
    parser.add_argument("--json", action="store_true", help="one JSON document per line: answers, events, accounts")
    options = parser.parse_args(arguments)

    from .. import MemoomError

    # What ends a program ends this one as if it had quit: the terminal is put back and the lab closed on the way.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        if options.json or options.plain or not _on_terminal():
            from . import lab_plain

            return lab_plain.serve(options.limit, options.step, options.every, options.json, options.full)
        from . import lab_screen

        return lab_screen.serve(options.limit, options.step, options.every, options.full)
    except MemoomError as error:
        complain("memoom lab", error)
        return 1


def _on_terminal() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        return False
    try:
        import curses
    except ImportError:
        # Some builds of Python come without it.
        return False
    try:
        curses.setupterm()
    except curses.error:
        complain(
            "memoom lab", f"this terminal is not known here (TERM={os.environ['TERM']}); going on with plain lines"
        )
        return False
    return True
