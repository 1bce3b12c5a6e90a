"""The instructions of the hot paths of user space, against those that are written down: `make instructions`.

Valgrind counts; the input is the same each time, so the counts are too. Each path is run once and three times, and half
of the difference is what one time takes. More than 2 % from benches/instructions.json is an error, in both directions:
what became faster is written down by MEMOOM_UPDATE=1. Another compiler makes other code, and another libc or processor
chooses other routines for copying and searching: their counts are printed alone.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import logs

TOP = Path(__file__).resolve().parent.parent
HOT = TOP / "target/release/examples/hot"
WRITTEN = TOP / "benches/instructions.json"
TOLERANCE = 0.02
DULL_BYTES = 1 << 20
# What the routines of memory and text are chosen by.
FEATURES = ("sse4_2", "avx2", "bmi2", "erms", "fsrm", "avx512vl")


def count(what: str, path: Path, times: int) -> int:
    argv = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(HOT), what, str(path), str(times)]
    # Hash tables of the same seed, memory at the same addresses.
    done = subprocess.run(["setarch", "-R", *argv], check=True, capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    assert collected is not None, done.stderr
    return int(collected[1])


def counts() -> dict[str, int]:
    with tempfile.TemporaryDirectory() as directory:
        dull = Path(directory, "dull.log")
        logs.dull(dull, DULL_BYTES)
        paths = {
            "a log of reports, parsed": ("parse", TOP / "tests/logs/v2-7.2.kmsg"),
            "a log of reports, as a document": ("json", TOP / "tests/logs/v2-7.2.kmsg"),
            "a log without an OOM, parsed": ("parse", dull),
            "a recording, replayed": ("replay", TOP / "tests/signs/ancestor-v2.jsonl"),
        }
        return {name: (count(what, path, 3) - count(what, path, 1)) // 2 for name, (what, path) in paths.items()}


def made_by() -> str:
    """What the counts hang on beside the sources."""
    asked = (["rustc", "-V"], ["valgrind", "--version"])
    said = (subprocess.run(argv, check=True, capture_output=True, text=True, cwd=TOP).stdout for argv in asked)
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    features = [feature for feature in FEATURES if feature in has]
    return ", ".join([*(one.strip() for one in said), "-".join(platform.libc_ver()), platform.machine(), *features])


def main() -> None:
    if shutil.which("valgrind") is None:
        print("instructions: skipped, there is no valgrind")
        sys.exit(1 if os.environ.get("MEMOOM_REQUIRE") == "1" else 0)
    now, by = counts(), made_by()
    if os.environ.get("MEMOOM_UPDATE") == "1":
        WRITTEN.write_text(json.dumps({"made_by": by, "counts": now}, indent=1) + "\n")
    written = json.loads(WRITTEN.read_text())
    same = written["made_by"] == by
    if not same:
        print(f"instructions: not compared, these are of {by}, those of {written['made_by']}")
    missed = False
    for name, instructions in now.items():
        before = written["counts"].get(name, 0)
        change = instructions / before - 1 if before else float("inf")
        far = same and abs(change) > TOLERANCE
        missed |= far
        print(f"{name:32} {instructions:12,} {change:+7.1%}{'  beyond 2 %' if far else ''}")
    sys.exit(missed)


if __name__ == "__main__":
    main()
