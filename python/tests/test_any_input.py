"""Any bytes as trials, results, recordings and logs: an answer or an error of memoom's, in bounded memory.

MEMOOM_RANDOM_INPUTS says how many of each (300), MEMOOM_SEED what they are drawn by.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT, PATIENCE

import memoom
from memoom._sweep import plan, store

COUNT = int(os.environ.get("MEMOOM_RANDOM_INPUTS", "300"))
SIGNS = CHECKOUT / "tests" / "signs" / "bare-v1.jsonl"
LOG = CHECKOUT / "tests" / "logs" / "v2-6.1.kmsg"
RESULT = {
    "schema": store.SCHEMA,
    "key": "k",
    "status": "ok",
    "trial": {"argv": ["true"]},
    "host": {"node": "n", "release": "r"},
}
TRIALS = {
    "schema": "memoom.sweep/1",
    "base": {"argv": ["true", "{size}"], "timeout": 1.5, "parameters": {"a": [1, None, True]}},
    "grid": {"limit": ["1M", "max"], "size": [1, "2"], "repeat": 2},
    "trials": [{"function": "os:getpid", "args": [{"b": "\u2028"}]}, {"hogs": [{"limit": "8M"}], "steps": 3}],
}
TOML = """schema = "memoom.sweep/1"
[base]
argv = ["true", "{size}"]
timeout = 1.5
at = 1979-05-27T07:32:00Z
[grid]
limit = ["1M", "max"]
size = [1, 0x10, 1e3, inf]
repeat = 2
[[trials]]
argv = ["a\\u0000"]
"""
WORDS = [
    *("{", "}", "[", "]", ",", ":", '"', "\\", "\n", "\r\n", "\0", "\ud800", "\u2028"),
    *("=", "#", "'''", "[[", "]]", ".", "-", "+", "null", "true", "NaN", "Infinity", "-0", "1e999"),
    *("9" * 30, "9" * 5000, "0x", "nan", "inf", '"argv"', '"key"', '"repeat"', '"grid"', '"trials"'),
    *('"base"', '"schema"', "{size}", "{}", "[]", '""', "1979-05-27", "07:32", "[" * 600, '{"a":' * 300),
]


def damaged(draw: random.Random, text: str) -> bytes:
    """A text that was changed here and there: pieces cut, doubled, swapped, other words put in."""
    for _ in range(draw.choice((0, 1, 1, 2, 3, 5, 9))):
        at, end = sorted((draw.randrange(len(text) + 1), draw.randrange(len(text) + 1)))
        end = min(end, at + draw.choice((0, 1, 3, 30, 300)))
        text = text[:at] + draw.choice(("", text[at:end] * 2, draw.choice(WORDS), draw.choice(WORDS))) + text[end:]
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(draw.choice((0, 0, 0, 1, 4))):
        if content:
            content[draw.randrange(len(content))] = draw.randrange(256)
    return bytes(content)


def trials(file: Path) -> Any:
    return plan.keyed(plan.read_trials(file), known=True)


def results(file: Path) -> Any:
    before = file.read_bytes()
    try:
        with store.Store(file) as opened:
            return opened.records
    finally:
        # Only a line that a death has torn is taken out, and only a newline is added.
        after = file.read_bytes()
        assert after == before or before.startswith(after) or after == before + b"\n"


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a.json": (json.dumps(TRIALS), trials),
    "a.jsonl": ('{"argv": ["true"]}\n{"argv": ["false"], "limit": "1M"}\n', trials),
    "a.toml": (TOML, trials),
    "results": (f"{store.json.dumps(RESULT, separators=(',', ':'))}\n" * 2, results),
    "recording": (SIGNS.read_text(), memoom.replay),
    "log": (LOG.read_text()[:6000], lambda file: memoom.parse_reports(file.read_bytes())),
}


@pytest.mark.parametrize("name", READERS)
def test_any_bytes_are_an_answer_or_an_error(name: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("MEMOOM_SEED", time.time_ns()))
    draw = random.Random(f"{seed} {name}")
    text, read = READERS[name]
    file = tmp_path / name
    refused = 0
    for _ in range(COUNT if name != "recording" else COUNT // 4):
        content = damaged(draw, text)
        file.write_bytes(content)
        begun = time.thread_time()
        try:
            read(file)
        except memoom.MemoomError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 20_000, (seed, content)
        except BaseException as error:
            raise AssertionError(f"MEMOOM_SEED={seed}: {type(error).__name__}: {error}: {content[:2000]!r}") from error
        assert time.thread_time() - begun < 10, (seed, content)
    assert name == "log" or refused > COUNT // 20, "the damage is none"


@pytest.mark.parametrize("depth", [90, 130, 200, 330, 490, 700, 950, 1500, 100_000])
@pytest.mark.parametrize("name", READERS)
def test_any_depth_is_an_answer_or_an_error(name: str, depth: int, tmp_path: Path) -> None:
    """Somewhere a limit of nesting is met: of the reader, of what fills places in, of what writes it again."""
    lists, objects = "[" * depth + "1" + "]" * depth, '{"a":' * depth + "1" + "}" * depth
    file = tmp_path / name
    for deep in (lists, objects):
        document = {
            "a.json": f'{{"base": {{"argv": {deep}}}, "grid": {{"limit": [1]}}}}',
            "a.jsonl": f'{{"argv": {deep}}}\n',
            "a.toml": f"[base]\nargv = {lists}\n[grid]\nlimit = [1]\n",
            "results": json.dumps(RESULT).replace('["true"]', deep) + "\n",
            "recording": SIGNS.read_text().split("\n")[0] + f'\n{{"sign":{deep}}}\n',
            "log": f'{{"log": {deep}, "message": "a invoked oom-killer: gfp_mask=0x0"}}\n' + deep,
        }[name]
        file.write_text(document)
        try:
            READERS[name][1](file)
        except memoom.MemoomError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("memoom.replay('/dev/zero')", "line 1"),
        ("memoom.replay(file)", "line 2"),
        ("plan.read_trials(file.with_name('zero.json'))", "more than"),
        ("plan.read_trials(file.with_name('line.jsonl'))", "more than"),
        ("memoom.read_results(file.with_name('results'))", "longer than"),
        ("store.Store(file.with_name('results'))", "longer than"),
    ],
)
def test_what_does_not_end_takes_bounded_memory(code: str, what: str, tmp_path: Path) -> None:
    """A device of zeros, and files with a line of a gigabyte, in 600 MiB of address space."""
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "recording").write_text(SIGNS.read_text().split("\n")[0] + "\n")
    (tmp_path / "results").write_text(json.dumps(RESULT) + "\n")
    (tmp_path / "line.jsonl").write_text('{"argv": ["true"]}\n')
    for name in ("recording", "results", "line.jsonl"):
        # The gigabyte of zeros takes no room on the disk.
        os.truncate(tmp_path / name, (tmp_path / name).stat().st_size + (1 << 30))
    script = (
        "import memoom, pathlib, sys\nfrom memoom._sweep import plan, store\n"
        f"file = pathlib.Path({str(tmp_path / 'recording')!r})\n"
        f"try:\n    {code}\nexcept memoom.InvalidInputError as error:\n    print(error)\n    sys.exit(3)\n"
    )
    bound = 600 << 20
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (bound, bound)),
    )
    assert done.returncode == 3 and what in done.stdout and "remedy:" in done.stdout, (
        done.stdout[:500],
        done.stderr[-800:],
    )
