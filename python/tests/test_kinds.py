"""The kinds of memory that a hog takes, and how it touches them."""

from __future__ import annotations

import mmap
from typing import Any

import pytest
from conftest import PATIENCE, needs_time

import memoom

MIB = 1 << 20
KINDS: tuple[Any, ...] = (
    "anon",
    "anon-thp",
    "file",
    "shmem",
    "tmpfs",
    "memfd",
    "mlock",
    "populate",
    "hugetlb",
    "stack",
    "fork",
    "pipe",
    "socket",
    "slab",
    "any-fastest",
)
PATTERNS: tuple[Any, ...] = ("write", "read", "random", "hot", "zeroes", "incompressible")


@pytest.mark.parametrize("kind", KINDS)
def test_steps_of_every_kind(lab: memoom.Lab, kind: Any) -> None:
    group = lab.group(limit="64M")
    try:
        hog = group.hog(kind=kind, step="6M")
    except memoom.UnsupportedError as error:
        # What this machine lacks is said, and what helps; nothing was started.
        assert "remedy" in str(error)
        assert group.processes == []
        return
    assert (hog.kind, hog.pattern) == (kind, "write")
    grow = hog.grow(timeout=PATIENCE)
    assert (grow.status, grow.step_bytes, grow.errno) == ("grew", 6 * MIB, None)
    # Of slab whole objects, of everything else whole pages.
    part = 2048 if kind == "slab" else 0
    assert 0 <= grow.taken_bytes - 6 * MIB <= part
    assert 0 <= 2 * MIB - hog.shrink("2M", timeout=PATIENCE) <= part
    assert hog.grow("4M", timeout=PATIENCE).total_bytes == hog.total_bytes
    assert 0 <= hog.total_bytes - 8 * MIB <= 3 * part


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(lab: memoom.Lab, pattern: Any) -> None:
    hog = lab.group(limit="64M").hog(kind="shmem", pattern=pattern)
    assert hog.pattern == pattern
    assert hog.grow("6M", timeout=PATIENCE).taken_bytes == 6 * MIB


def test_the_names_are_those_of_the_core(lab: memoom.Lab) -> None:
    group = lab.group(limit="64M")
    with pytest.raises(memoom.InvalidInputError) as caught:
        group.hog(kind="gold")  # type: ignore[arg-type]
    assert str(caught.value).endswith("use one of " + ", ".join(KINDS))
    with pytest.raises(memoom.InvalidInputError) as caught:
        group.hog(pattern="slow")  # type: ignore[arg-type]
    assert str(caught.value).endswith("use one of " + ", ".join(PATTERNS))
    with pytest.raises(memoom.InvalidInputError, match="never written takes none"):
        group.hog(pattern="read")
    with pytest.raises(memoom.InvalidInputError, match="only a hog of the kind file"):
        group.hog(directory="/tmp")
    with pytest.raises(memoom.UnsupportedError, match="page cache"):
        group.hog(kind="file", directory="/dev/shm")


def test_paces(lab: memoom.Lab) -> None:
    group = lab.group(limit="40M")
    hog = group.hog(step="3M")
    paced = hog.pace(total="8M", timeout=PATIENCE)
    assert (paced.stop, paced.steps, paced.total_bytes) == ("total", 3, 8 * MIB)
    assert paced.last is not None and paced.last.step_bytes == 2 * MIB
    paced = hog.pace(total="8M")
    assert (paced.stop, paced.steps, paced.last) == ("total", 0, None)
    assert hog.pace(rate="40M", total="12M", timeout=PATIENCE).steps == 2
    assert hog.pace(below="4M", timeout=PATIENCE).stop == "below"
    assert 36 * MIB - (64 + 2) * mmap.PAGESIZE < group.usage_bytes <= 36 * MIB
    ticker = group.ticker("tick", every=0.05)
    assert hog.pace(rate=4096, until="ticked", timeout=PATIENCE).stop == "event"
    ticker.kill()
    with pytest.raises(memoom.TimedOutError, match="no end of the pace"):
        hog.pace(rate=1, timeout=1)
    with pytest.raises(memoom.InvalidInputError, match="notified"):
        hog.pace(until="rain")
    with pytest.raises(memoom.InvalidInputError, match="would fill the file system"):
        try:
            file = group.hog(kind="file")
        except memoom.UnsupportedError:
            pytest.skip("no file system with a page cache")
        file.pace()
    paced = hog.pace(timeout=PATIENCE)
    assert paced.stop == "step" and paced.last is not None and paced.last.status == "killed"


def test_scores_of_workers(lab: memoom.Lab) -> None:
    group = lab.group(limit="40M")
    with open(f"/proc/{group.ticker(oom_score_adj=321).pid}/oom_score_adj") as file:
        assert file.read() == "321\n"
    with pytest.raises(memoom.InvalidInputError, match="-1000 to 1000"):
        group.ticker(oom_score_adj=1001)


def test_a_worker_that_only_its_deadline_ends(lab: memoom.Lab) -> None:
    group = lab.group(limit="40M")
    with pytest.raises(memoom.InvalidInputError, match=r"-1000.*force"):
        group.command(["sleep", "600"], oom_score_adj=-1000)
    with pytest.raises(memoom.InvalidInputError, match="deadline"):
        group.command(["sleep", "600"], force_within=0)
    with pytest.raises(memoom.InvalidInputError, match="-1000"):
        memoom.run(["sleep", "600"], limit="40M", oom_score_adj=-1000)
    outcome = group.command(["sleep", "600"], force_within=0.05).wait(PATIENCE)
    assert (outcome.verdict, outcome.returncode) == ("killed", -9)


@needs_time
def test_what_is_forced_spins_until_its_deadline() -> None:
    # Hundreds of reports a second stand in the log meanwhile, and nobody reads them.
    with memoom.Lab(kernel_log=False, call_path=False) as lab:
        group = lab.group(limit="16M")
        eats = ["sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"]
        try:
            worker = group.command(eats, oom_score_adj=-1000, force_within=1.5)
        except memoom.PermissionDeniedError as error:
            assert "CAP_SYS_RESOURCE" in str(error)
            return
        outcome = worker.wait(PATIENCE)
        assert (outcome.verdict, outcome.returncode, outcome.oom_killed) == ("killed", -9, False)
        counters = group.counters
        assert counters.oom_kill in (0, None)
        # v1 counts no failure where the equal limit of memory+swap was met first.
        assert counters.oom or (counters.peak_bytes or 0) > 15 * MIB, counters
