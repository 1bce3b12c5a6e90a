"""``memoom sweep``: the trials of a file, over an executor, into a file of results.

Started again it goes on where it was; with ``--shard i/n`` it takes its part, for arrays of jobs.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import Parser, complain, interrupted


def main(arguments: list[str]) -> int:
    options = _parse(arguments)

    from .. import MemoomError
    from .._sweep import sweep
    from .._sweep.plan import read_trials
    from .._sweep.results import require_parquet

    output = options.output or _output(options.file, options.shard)
    try:
        if options.parquet is not None:
            # Hours of trials must not come before the news that their table cannot be written.
            require_parquet(options.parquet)
        trials = read_trials(options.file)
        with executor_of(options.executor, options.jobs) as executor:
            results = sweep(
                trials,
                executor=executor,
                output=output,
                shard=options.shard,
                budget=options.budget,
                retry_errors=options.retry_errors,
                progress=options.progress,
            )
    except (MemoomError, OSError, ImportError, ValueError) as error:
        complain("memoom sweep", error)
        return 1
    except KeyboardInterrupt:
        interrupted("memoom sweep", output)
    if options.parquet is not None:
        try:
            results.to_parquet(options.parquet)
        except (MemoomError, OSError, ImportError) as error:
            complain("memoom sweep", error)
            return 1
    if options.json:
        for result in results:
            print(result.to_json())
    else:
        print(f"{_summary(results)}; in {output}")
    for result in results.errors[:5]:
        complain("memoom sweep", f"{result.key} could not be run: {result.error.message if result.error else ''}")
    return 1 if results.errors else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="memoom sweep",
        description="Runs the trials of FILE (.toml, .json or .jsonl) and writes a line of JSON for each result. "
        "Trials that have their result already are not run again.",
        epilog="The exit status is 0 when every trial could be run, whatever came of it; 1 when one could not; "
        "130 after Ctrl-C.",
    )
    parser.add_argument("file", metavar="FILE", help="the trials: base, grid and trials, or a trial a line")
    parser.add_argument("--output", metavar="RESULTS", help="the file of results (FILE's name with .results.jsonl)")
    parser.add_argument("--shard", metavar="I/N", help="take only this part of the trials, I from 0 to N-1")
    parser.add_argument(
        "--executor", default="threads", metavar="WHERE", help="threads (the default), processes, or dask:ADDRESS"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="threads or processes")
    parser.add_argument("--budget", metavar="SIZE", help="what the limits of running trials may sum up to on a host")
    parser.add_argument("--retry-errors", action="store_true", help="run those again that could not be run")
    parser.add_argument("--parquet", metavar="TABLE", help="write the results as a table, too")
    parser.add_argument("--json", action="store_true", help="print the results, one document a line")
    parser.add_argument("--progress", action=argparse.BooleanOptionalAction, help="tell how far it is")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("argument --jobs: give 1 or more")
    require_executor(parser, options.executor)
    return options


def _output(file: str, shard: str | None) -> str:
    part = "" if shard is None else f".{shard.replace('/', '-of-')}"
    return str(Path(file).with_suffix(f"{part}.results.jsonl"))


def require_executor(parser: Parser, where: str) -> None:
    """Ends with bad usage where it is no executor."""
    if where not in ("threads", "processes") and not where.startswith("dask:"):
        parser.error("argument --executor: it is threads, processes or dask:ADDRESS")
    if where.startswith("dask:") and not re.search(r":\d+$", where.removeprefix("dask:")):
        parser.error("argument --executor: the address of a scheduler is HOST:PORT, such as dask:tcp://127.0.0.1:8786")


@contextmanager
def executor_of(where: str, jobs: int) -> Iterator[Executor]:
    """The executor of that name, for as long as it is entered."""
    if where.startswith("dask:"):
        from .._frames import extra

        client_class = extra("distributed", "dask").Client
        with (
            client_class(where.removeprefix("dask:"), set_as_default=False) as client,
            client.get_executor() as executor,
        ):
            yield executor
        return
    pool: Executor = ThreadPoolExecutor(jobs) if where == "threads" else ProcessPoolExecutor(jobs)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _summary(results: Any) -> str:
    counts: dict[str, int] = {}
    for result in results:
        counts[result.status] = counts.get(result.status, 0) + 1
    return f"{len(results)} trials: " + (
        ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "none"
    )
