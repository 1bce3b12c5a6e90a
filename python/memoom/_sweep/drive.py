"""The driver: gives trials to an executor, takes their results, and writes each down before it forgets it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from .._errors import InvalidInputError
from .._native import parse_size
from .._text import note
from .plan import Trial, keyed
from .plan import shard as shard_of
from .progress import progress as progress_of
from .results import SweepResults, TrialResult
from .store import Store, parse
from .trial import execute, lost

# How many trials an executor has at a time: enough for many workers, few enough for an end soon after Ctrl-C.
_AHEAD = 256
# How often a trial is given out whose worker was lost.
_ATTEMPTS = 3


def sweep(
    trials: Iterable[Mapping[str, Any]],
    *,
    executor: Executor | None = None,
    output: str | os.PathLike[str] | None = None,
    run: Callable[[dict[str, Any]], Any] | None = None,
    shard: str | None = None,
    budget: int | str | None = None,
    retry_errors: bool = False,
    progress: bool | None = None,
) -> SweepResults:
    """Runs trials over an executor and gives their results, in the order of the trials.

    A trial is plain data (see docs/sweeps.md): a command (``argv``), a function (``function``) or ``hogs``, with
    ``limit`` and other settings; or, with `run`, whatever that function takes, which is called with each trial where
    the executor runs it. `executor` is any `concurrent.futures.Executor`, of Dask ``client.get_executor()``; without
    one, threads, one for each processor.

    With `output`, each result is a line of that file as soon as it is there, and a trial that has its line is not run
    again: a sweep that was killed goes on where it was. `shard` "i/n" takes a part of the trials. The limits of the
    trials that run at one time on one host, in whatever process, sum up to no more than `budget` bytes (by default
    four fifths of its free memory); a trial waits for its turn. That a trial could not be run is a result
    (``status == "error"``); `retry_errors` runs those of the file again. `progress` tells how far it is on standard
    error, by default in a terminal.

    Raises `InvalidInputError` for what is no trial, two trials with one key, or no executor; `BusyError` when another
    sweep writes the file; what the executor raises when it is broken, with everything that was finished in the file.
    """
    wanted = keyed(trials, known=run is None)
    if shard is not None:
        wanted = shard_of(wanted, shard)
    most = None if budget is None else parse_size(budget)
    with _executor(executor) as pool, _results(output) as (known, append):
        for key, record in list(known.items()):
            if retry_errors and record["status"] == "error":
                del known[key]
        to_run = {key: trial for key, trial in wanted.items() if key not in known}
        bar = progress_of(progress, len(wanted) - len(to_run), len(wanted))
        try:
            for line in _drive(pool, to_run, run, most):
                record = parse(line)
                append(line)
                known[record["key"]] = record
                bar.update(record["status"] == "error")
        finally:
            bar.close()
        return SweepResults(TrialResult._part(known[key]) for key in wanted)


@contextmanager
def _executor(given: Executor | None) -> Iterator[Executor]:
    if given is None:
        own = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="memoom-sweep")
        try:
            yield own
        finally:
            own.shutdown(wait=False, cancel_futures=True)
        return
    if not isinstance(given, Executor):
        hint = "client.get_executor()" if hasattr(given, "get_executor") else "a concurrent.futures.Executor"
        raise InvalidInputError(f"sweep: {type(given).__name__} is no executor; remedy: give {hint}", operation="sweep")
    yield given


@contextmanager
def _results(
    output: str | os.PathLike[str] | None,
) -> Iterator[tuple[dict[str, dict[str, Any]], Callable[[str], None]]]:
    if output is None:
        yield {}, lambda line: None
        return
    with Store(output) as store:
        yield store.records, store.append


def _drive(
    pool: Executor, trials: Mapping[str, Trial], function: Callable[..., Any] | None, budget: int | None
) -> Iterator[str]:
    """The lines of the results as they come."""
    waiting = deque((key, 1) for key in trials)
    running: dict[Future[str], tuple[str, int]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < _AHEAD:
                key, attempt = waiting.popleft()
                running[pool.submit(execute, key, trials[key], function, budget, attempt)] = (key, attempt)
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                key, attempt = running.pop(future)
                try:
                    yield future.result()
                except BrokenExecutor as error:
                    note(error, "memoom sweep: what was finished is in the file of results; start again to go on")
                    raise
                except Exception as error:
                    # Not the trial has failed, which is a result, but the way to it: a worker that was lost.
                    if attempt >= _ATTEMPTS:
                        yield lost(key, trials[key], error, attempt)
                    else:
                        waiting.append((key, attempt + 1))
    finally:
        for future in running:
            future.cancel()
