"""``memoom.aware`` and ``memoom aware``: made-up programs of which it is known what they look at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, SLOW, needs_time
from test_schema import check

import memoom
from memoom._aware.judge import judge

# The fewer the better where each start takes seconds.
LIMITS = ("24M", "96M") if SLOW else ("24M", "48M", "96M")
# What a program knows of its limit: the files of its own group, those of all groups above, or the machine's memory.
LOOKS = """
import os, pathlib, sys
def read(path):
    try: text = path.read_text().strip()
    except OSError: return None
    return None if text == "max" or int(text) > 1 << 60 else int(text)
lines = open("/proc/self/cgroup").read().splitlines()
found = [line.split(":", 2) for line in lines]
v1 = [path for _, names, path in found if "memory" in names.split(",")]
file = "memory.limit_in_bytes" if v1 else "memory.max"
own = v1[0] if v1 else next(path for number, _, path in found if number == "0")
mounts = [line.split() for line in open("/proc/self/mounts")]
kind = "cgroup" if v1 else "cgroup2"
top = next(at[1] for at in mounts if at[2] == kind and (not v1 or "memory" in at[3].split(",")))
group = pathlib.Path(top + own)
total = int(open("/proc/meminfo").readline().split()[1]) << 10
def own_limit(): return read(group / file)
def least_limit():
    groups = [at for at in (group, *group.parents) if str(at).startswith(top)]
    return min((limit for at in groups if (limit := read(at / file))), default=None)
def take(size):
    held = bytearray(size)
    for at in range(0, len(held), 4096): held[at] = 1
    print("heap size", size, flush=True)
"""
OWN_ONLY = LOOKS + "take((own_limit() or 44 << 20) // 2)"
ALL_ABOVE = LOOKS + "take((least_limit() or total) // 2)"
MEMINFO = LOOKS + "print('heap size', total // 4)"
FIXED = LOOKS + "take(30 << 20)"


def python(program: str) -> list[str]:
    return [sys.executable, "-S", "-c", program]


def verdicts(found: memoom.Awareness) -> dict[str, str]:
    return {place.place: place.verdict for place in found.places}


@pytest.mark.usefixtures("needs_lab")
def test_one_that_reads_its_own_group_alone_does_not_see_the_limit_above() -> None:
    found = memoom.aware(python(OWN_ONLY), limits=LIMITS, timeout=PATIENCE)
    check("aware", found.to_json())
    assert verdicts(found) == {"own": "aware", "ancestor": "unaware"} and found.verdict == "unaware", str(found)
    own, above = found.runs[: len(LIMITS)], found.runs[len(LIMITS) :]
    assert len(above) == len(LIMITS) and {run.verdict for run in own} == {"aware"}
    # It takes 22 MiB, and Python some more, wherever the limit is not its own: the least limit above kills it.
    assert above[0].outcome == "oom-killed" and above[0].verdict == "unaware"
    assert "limit on the group above: unaware" in str(found)


@pytest.mark.usefixtures("needs_lab")
def test_one_that_looks_at_every_group_above_is_aware() -> None:
    found = memoom.aware(python(ALL_ABOVE), limits=LIMITS, timeout=PATIENCE)
    assert verdicts(found) == {"own": "aware", "ancestor": "aware"} and found.verdict == "aware", str(found)


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_what_it_says_is_compared() -> None:
    found = memoom.aware(python(MEMINFO), limits=("32M", "64M"), says=r"heap size (\d+)", places=["own"])
    assert found.verdict == "unaware" and found.places[0].measure == "said", str(found)
    assert found.runs[0].said == found.runs[1].said > 64 << 20 and "more than the limit" in found.runs[0].reason
    found = memoom.aware(python(ALL_ABOVE), limits=("32M", "64M"), says=r"heap size \d+", places=["ancestor"])
    assert found.verdict == "aware" and [run.said for run in found.runs] == [16 << 20, 32 << 20], str(found)
    found = memoom.aware(python("print('nothing')"), limits=("32M", "64M"), says=r"heap size (\d+)", places=["own"])
    assert found.verdict == "unknown" and "nothing that matches" in found.places[0].reason


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_what_takes_little_tells_nothing_and_what_never_ends_is_ended() -> None:
    found = memoom.aware(["sh", "-c", "exec sleep 1000"], limits=("64M", "256M"), places=["own"], timeout=0.3)
    assert found.verdict == "unknown" and "too little to tell" in found.places[0].reason
    assert [run.outcome for run in found.runs] == ["timeout", "timeout"] and "--says" in str(found)


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_the_command_and_its_status() -> None:
    def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "memoom", "aware", *arguments], capture_output=True, text=True)

    done = cli("--limits", "24M,96M", "--json", "--", *python(FIXED))
    assert done.returncode == 1 and json.loads(done.stdout)["verdict"] == "unaware", done.stderr
    done = cli("--limits", "24M,96M", "--places", "own", "--", *python(ALL_ABOVE))
    assert done.returncode == 0 and done.stdout.startswith("aware\n"), done.stdout + done.stderr
    done = cli("--limits", "24M,96M", "--places", "own", "true")
    assert done.returncode == 3 and "too little to tell" in done.stdout, done.stdout
    for arguments in ([], ["--limits", "64M", "true"], ["--limits", "64M,65M", "true"], ["--says", "(", "true"]):
        assert cli(*arguments).returncode == 125
    for arguments in (["--places", "here", "true"], ["--timeout", "nan", "true"], ["--", "/no/such/program"]):
        done = cli(*arguments)
        assert done.returncode == 125 and "memoom aware:" in done.stderr, arguments


def run(limit: int, value: int | None, **more: Any) -> dict[str, Any]:
    """A run in MiB; without a value it was OOM-killed."""
    ended = {"outcome": "exited", "returncode": 0} if value is not None else {"outcome": "oom-killed", "returncode": -9}
    found = {"limit_bytes": limit << 20, "peak_bytes": (value or limit) << 20, "max_rss_bytes": (value or limit) << 20}
    return {**found, **ended, "said": None, **more}


@pytest.mark.parametrize(
    ("runs", "verdict", "each"),
    [
        # In proportion, with a floor, in steps.
        ([run(128, 32), run(512, 128), run(2048, 512)], "aware", ["aware"] * 3),
        ([run(128, 80), run(512, 140), run(2048, 540)], "aware", ["aware"] * 3),
        ([run(256, 128), run(512, 128), run(1024, 256)], "aware", ["aware"] * 3),
        # The least limit is below what it needs at all.
        ([run(16, None), run(256, 64), run(1024, 256)], "aware", ["unknown", "aware", "aware"]),
        # The same everywhere; killed wherever it is too little.
        ([run(128, 100), run(512, 100), run(2048, 101)], "unaware", ["unaware"] * 3),
        ([run(128, None), run(512, 300), run(2048, 300)], "unaware", ["unaware"] * 3),
        ([run(128, None), run(512, None), run(2048, 600)], "unaware", ["unaware", "unaware", "unknown"]),
        ([run(128, None), run(512, None)], "unaware", ["unaware"] * 2),
        # No sign: too little, failed, between.
        ([run(128, 8), run(512, 8), run(2048, 8)], "unknown", ["unknown"] * 3),
        ([run(128, 60, returncode=3), run(512, 60, returncode=3)], "unknown", ["unknown"] * 2),
        ([run(128, 60), run(512, 75)], "unknown", ["unknown"] * 2),
        # Page cache filled the limit: what its largest process held decides.
        ([run(128, 128, max_rss_bytes=40 << 20), run(512, 512, max_rss_bytes=160 << 20)], "aware", ["aware"] * 2),
        ([run(128, 128, max_rss_bytes=60 << 20), run(512, 512, max_rss_bytes=60 << 20)], "unaware", ["unaware"] * 2),
        ([run(128, 128), run(512, 512)], "unknown", ["unknown"] * 2),
    ],
)
def test_what_follows_from_runs(runs: list[dict[str, Any]], verdict: str, each: list[str]) -> None:
    _, place, told = judge(runs, says=False)
    assert (place.verdict, [one.verdict for one in told]) == (verdict, each)


def test_what_the_kernel_charges_ahead_is_no_growth() -> None:
    small = [run(24, 1, peak_bytes=256 << 10), run(96, 1, peak_bytes=512 << 10)]
    assert judge(small, says=False, blur_bytes=512 << 10)[1].reason.startswith("it takes 256K, too little to tell")
    large = [run(128, 32), run(512, 128), run(2048, 512)]
    assert judge(large, says=False, blur_bytes=512 << 10)[1].verdict == "aware"


def test_what_failed_is_to_end_well_and_needs_no_load() -> None:
    _, place, _ = judge([run(limit, 60, returncode=1) for limit in (128, 512)], says=False)
    assert place.reason.startswith("it failed with exit status 1; have it end with 0, or says"), place


@needs_time
@pytest.mark.usefixtures("needs_lab")
def test_what_writes_without_end_fills_no_disk_and_its_end_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memoom._aware.runs._READ", 1 << 16)
    monkeypatch.setenv("TMPDIR", "/no/such/directory")
    monkeypatch.setattr("tempfile.tempdir", None)
    writes = ["sh", "-c", "echo heap 1; yes | head -c 4000000; echo heap 2; sleep 1000 & exit 0"]
    found = memoom.aware(writes, limits=("64M", "256M"), places=["own"], says=r"heap (\d)", timeout=PATIENCE)
    assert [run.said for run in found.runs] == [2, 2], str(found)


def test_the_number_that_was_said() -> None:
    from memoom._aware.runs import _pattern, _said

    for text, pattern, number in (
        ("heap 12\nheap 64 MiB\n", r"heap (.*)", 64 << 20),
        ("MaxHeapSize = 536870912", r"MaxHeapSize\s+= (\d+)", 536870912),
        ("1,048,576 bytes", r".*bytes", 1048576),
        ("1.5k", r"[\d.]+k", 1536),
        ("heap none", r"heap (.*)", None),
    ):
        found = _pattern(pattern)
        assert found is not None and _said(text, found) == number


GARBAGE = """package main
import ("fmt"; "runtime/debug")
func main() {
    held := make([][]byte, 40)
    for i := 0; i < 400; i++ {
        held[i%40] = make([]byte, 1<<20)
        for j := range held[i%40] { held[i%40][j] = 1 }
    }
    fmt.Println("heap", debug.SetMemoryLimit(-1), len(held))
}
"""
HEAP = 'console.log("heap", require("v8").getHeapStatistics().heap_size_limit)'


@pytest.mark.v1
@needs_time
@pytest.mark.usefixtures("needs_lab")
@pytest.mark.parametrize(
    ("program", "argv", "says", "own", "ancestor"),
    [
        ("go", [], r"heap (\d+)", "unaware", "unaware"),
        ("node", ["-e", HEAP], r"heap (\d+)", "aware", "unaware"),
        ("java", ["-XX:+PrintFlagsFinal", "-version"], r"MaxHeapSize\s+= (\d+)", "aware", "aware"),
    ],
)
def test_runtimes_that_are_here(
    program: str, argv: list[str], says: str, own: str, ancestor: str, tmp_path: Path
) -> None:
    """Where they are installed: they are large, and no test of ours needs them."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    if program == "go":
        (tmp_path / "garbage.go").write_text(GARBAGE)
        env = {**os.environ, "GO111MODULE": "off", "GOCACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
        subprocess.run([found, "build", "-o", "garbage", "garbage.go"], cwd=tmp_path, env=env, check=True)
        found = str(tmp_path / "garbage")
    told = memoom.aware([found, *argv], limits=("256M", "1G"), says=says, timeout=PATIENCE)
    assert verdicts(told) == {"own": own, "ancestor": ancestor}, str(told)
