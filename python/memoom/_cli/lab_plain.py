"""``memoom lab`` without a screen: commands from standard input, one a line; plain lines or JSON documents come out."""

from __future__ import annotations

import itertools
import json
import os
import select
import sys
from collections.abc import Iterator

from .. import Event, Grow, Oom
from .._explain import account, is_essential
from .lab_stage import Answer, Stage

__all__ = ["answer", "serve"]

# The end of a group's watch tells nobody on v1; this often it is looked whether anything waits to be told.
_LOOK = 0.25


def serve(limit: str, step: str, every: float, as_json: bool, full: bool) -> int:
    """Takes commands until the end of the input or `q`; 1 if any of them failed."""
    failed = False
    with Stage(limit, step, every) as stage:
        _say(Answer("", stage.status()), as_json)
        for command in _commands(stage, as_json, full):
            if command in ("q", "quit"):
                break
            said = stage.do(command)
            failed |= said.failed
            _say(said, as_json)
            _tell(stage, as_json, full, patient=True)
        _tell(stage, as_json, full, patient=True)
    return int(failed)


def _commands(stage: Stage, as_json: bool, full: bool) -> Iterator[str]:
    """Whole lines of the input; while there are none, what happens is told."""
    # What others see of the standard input must not change: it is asked before each reading.
    waiting, pending, over = select.poll(), b"", False
    waiting.register(0, select.POLLIN)
    waiting.register(stage.watch.fileno(), select.POLLIN)
    while not over:
        ready = [fd for fd, _ in waiting.poll(_LOOK * 1000)]
        _tell(stage, as_json, full)
        if 0 in ready:
            chunk = os.read(0, 4096)
            over = not chunk
            pending += chunk + (b"\n" if over and pending else b"")
            *lines, pending = pending.split(b"\n")
            for line in lines:
                command = line.decode(errors="backslashreplace").partition("#")[0].strip()
                if command:
                    yield command


def _tell(stage: Stage, as_json: bool, full: bool, patient: bool = False) -> None:
    """Events, then answers that were late, then accounts."""
    ooms = list(stage.ooms(patient))
    for event in stage.events():
        _show(event, as_json, full)
    for said in stage.ended_steps():
        _say(said, as_json)
    for oom in ooms:
        _show(oom, as_json, full)


def _say(said: Answer, as_json: bool) -> None:
    if as_json:
        print(answer(said.command, said.text, said.failed, said.grow), flush=True)
    elif said.failed:
        print(f"memoom lab: {said.text}", file=sys.stderr, flush=True)
    else:
        print(f"> {said.text}", flush=True)


def answer(command: str, text: str, failed: bool = False, grow: Grow | None = None) -> str:
    """An answer to a command, also of `memoom hog`, as a line of JSON."""
    document = {
        "schema": "memoom.answer/1",
        "command": command,
        "failed": failed,
        "text": text,
        "grow": None if grow is None else grow.to_dict(),
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _show(what: Event | Oom, as_json: bool, full: bool) -> None:
    if as_json:
        print(what.to_json(), flush=True)
    elif isinstance(what, Oom):
        # The report has been shown as it came.
        print("\n".join(itertools.takewhile(lambda line: not line.startswith("  report "), account(what))), flush=True)
    elif what.kind == "log" and (full or is_essential(what.text or "")):
        print(f"  | {what.text}", flush=True)
    elif what.kind not in ("log", "stepping", "stepped", "share", "usage", "ticked"):
        print(f"  {what}", flush=True)
