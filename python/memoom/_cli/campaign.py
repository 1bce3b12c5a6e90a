"""``memoom campaign``: a command is OOM-killed at many moments, and a check looks at what is left."""

from __future__ import annotations

import argparse
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import FAILED, AnswerParser, complain, interrupted, leave


def main(arguments: list[str]) -> int:
    options = _parse(arguments)

    from .. import MemoomError, campaign

    output = options.output
    if output is None and not options.only:
        output = str(Path(options.file).with_suffix(".results.jsonl"))
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Whoever ignores them (nohup) goes on doing so.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, leave)
    pool = ThreadPoolExecutor(options.jobs, thread_name_prefix="memoom-campaign")
    try:
        found = campaign(
            options.file,
            only=options.only or None,
            output=output,
            keep=options.keep,
            executor=pool,
            retry_errors=options.retry_errors,
            progress=options.progress,
        )
    except (MemoomError, OSError) as error:
        complain("memoom campaign", error)
        return FAILED
    except KeyboardInterrupt:
        interrupted("memoom campaign", output)
    except SystemExit as ended:
        interrupted("memoom campaign", output, int(ended.code or 0))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    print(found.to_json() if options.json else found)
    if found.failed:
        return 1
    return FAILED if found.not_tried or not found.tried else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = AnswerParser(
        prog="memoom campaign",
        description="Runs the command of FILE (.toml) once for each moment, in a fresh copy of its directory; there it "
        "is killed by an OOM, and a check looks at what is left. Between a moment that passes and one that fails it "
        "finds the smallest that fails. Moments that have their result already are not run again.",
        epilog="Exit status 0: the check passed after each kill; 1: it failed after one; 125: memoom failed, some "
        "moment could not be tried, or none came; 130 after Ctrl-C, 128+n after signal n.",
    )
    add = parser.add_argument
    add("file", metavar="FILE", help="the campaign: command, check, prepare, workdir, moments")
    add("--only", action="append", metavar="MOMENT", help="run this moment alone, such as write=17; may be repeated")
    add("--output", metavar="RESULTS", help="the file of results (FILE's name with .results.jsonl; none with --only)")
    add("--keep", metavar="DIR", help="keep what a failing moment leaves in a directory of its name in DIR")
    add("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="how many moments run at a time")
    add("--retry-errors", action="store_true", help="run those again that could not be run")
    add("--json", action="store_true", help="print what was found as one JSON document")
    add("--progress", action=argparse.BooleanOptionalAction, help="tell how far it is")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("argument --jobs: give 1 or more")
    return options
