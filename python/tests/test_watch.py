"""``memoom watch`` on groups of other programs: each OOM once, groups that come and go, nothing while idle."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import HIERARCHY, PATIENCE

import memoom

pytestmark = pytest.mark.usefixtures("needs_lab")

# How many OOMs the loop makes.
OOMS = int(os.environ.get("MEMOOM_RUNS_WATCH", "12"))

# What never comes is not waited for longer than this; each account takes its time on a busy or emulated machine.
BOUND = (PATIENCE * 2 + 3 * OOMS) * (4 if os.environ.get("MEMOOM_SLOW") == "1" else 1)

LIMIT = {"v1": "memory.limit_in_bytes", "v2": "memory.max"}
# v1 counts memory+swap, v2 swap alone.
SWAP = {"v1": ("memory.memsw.limit_in_bytes", "8M"), "v2": ("memory.swap.max", "0")}
# It joins the group and grows until it is killed, and is no program of memoom's.
GROW = 'echo 0 > "$1/cgroup.procs" && exec tail /dev/zero'


@pytest.fixture
def top(lab: memoom.Lab) -> Iterator[Path]:
    """A group that is not memoom's, beside the lab, which sees to it that the controller is there."""
    path = lab.path.parent / f"memoom-dev-watch-{os.getpid()}"
    path.mkdir()
    try:
        yield path
    finally:
        for inner in sorted(path.rglob("*"), reverse=True):
            if inner.is_dir():
                remove(inner)
        if path.exists():
            remove(path)


def remove(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return path.rmdir()
        except OSError:
            # The kernel may hold on to dead processes for a moment, and tells nobody.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)


def limited(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    (path / LIMIT[HIERARCHY]).write_text("8M")
    file, value = SWAP[HIERARCHY]
    if (path / file).exists():
        (path / file).write_text(value)
    return path


def grow(path: Path) -> int:
    """One OOM in the group; the pid of the victim."""
    with subprocess.Popen(["sh", "-c", GROW, "sh", str(path)], stdout=subprocess.DEVNULL) as process:
        assert process.wait(PATIENCE) == -signal.SIGKILL
        return process.pid


def kills(path: Path) -> int:
    group = memoom.Group.open(path)
    counted = group.counters.oom_kill
    assert counted is not None
    return counted


@contextmanager
def watching(path: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "memoom", "watch", "--json", *options, str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        end = threading.Timer(BOUND, process.kill)
        end.start()
        try:
            assert process.stderr.readline().startswith("watching ")
            yield process
        finally:
            end.cancel()
            process.kill()


def told(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """What it has said by its end."""
    out, err = process.communicate(timeout=BOUND)
    assert process.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_each_oom_once(top: Path) -> None:
    limited(top)
    lines: list[str] = []
    with watching(top) as watch:
        assert watch.stdout is not None
        reader = threading.Thread(target=lines.extend, args=(watch.stdout,))
        reader.start()
        victims = [grow(top) for _ in range(OOMS)]
        assert kills(top) == OOMS
        # A kill without a report whose victim was gone before it was asked is placed by the group's counters, and these
        # go with the group: so it is told first.
        deadline = time.monotonic() + BOUND
        while len(lines) < OOMS and time.monotonic() < deadline:
            time.sleep(0.01)
        remove(top)
        assert watch.wait(BOUND) == 0
        reader.join(BOUND)
    accounts = [json.loads(line) for line in lines]
    assert [one["schema"] for one in accounts] == ["memoom.oom/1"] * OOMS
    # Where others of the machine were killed at the same moment, all gone before they could be asked, and the kernel
    # printed no report, nobody can say who of them stood here: that is said of as many as are not named.
    named = [victim["pid"] for one in accounts for victim in one["victims"]]
    assert named and named == [pid for pid in victims if pid in named]
    for one in accounts:
        nobody = {"victim", "report"} <= {missing["source"] for missing in one["missing"]}
        assert len(one["victims"]) == 1 or (nobody and not one["victims"])
        # The report is there, or it is said that it is not; of a group that has gone since nothing else names it.
        assert one["report"] or "report" in [missing["source"] for missing in one["missing"]]
        assert one["limit_group"] is None or one["limit_group"].endswith(f"/{top.name}")
        assert one["limit_group"] or one["report"] is None or one["report"]["oom_memcg"] is None


def test_a_unit_by_the_name_that_systemctl_takes(lab: memoom.Lab) -> None:
    """`web` is `web.service`; before it is there the command says so, and watches it all the same."""
    name = f"memoom-dev-unit-{os.getpid()}"
    path = lab.path.parent / f"{name}.service"
    argv = [sys.executable, "-m", "memoom", "watch", "--json", "--unit", name]
    for there in (False, True):
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stderr is not None
            end = threading.Timer(BOUND, process.kill)
            end.start()
            try:
                said = process.stderr.readline()
                assert said.startswith(f"watching unit {name}") and ("no group has it" in said) is not there, said
                pid = grow(limited(path))
                account = json.loads(process.stdout.readline())
                # Where the kernel printed no report the victim is gone before it can be asked, and the account says so.
                nobody = {"victim", "report"} & {missing["source"] for missing in account["missing"]}
                assert [one["pid"] for one in account["victims"]] == [pid] or (nobody and not account["victims"])
            finally:
                end.cancel()
                process.kill()
                if there:
                    remove(path)


def test_a_shell_loop_faster_than_it_can_be_told(top: Path) -> None:
    limited(top)
    loop = f"for i in $(seq {OOMS}); do sh -c '{GROW}' sh \"$1\"; done"
    with watching(top) as watch:
        os.kill(watch.pid, signal.SIGSTOP)
        subprocess.run(["sh", "-c", loop, "sh", str(top)], timeout=BOUND, stderr=subprocess.DEVNULL)
        os.kill(watch.pid, signal.SIGCONT)
        counted = kills(top)
        accounts = []
        assert watch.stdout is not None
        while len(accounts) < OOMS:
            accounts.append(json.loads(watch.stdout.readline()))
        remove(top)
        accounts += told(watch)
    # While it stood still everybody died, so that only the counters say whose the victims were.
    assert len(accounts) == counted == OOMS
    pids = [victim["pid"] for one in accounts for victim in one["victims"]]
    assert len(set(pids)) == len(pids)


def test_groups_below_that_come_and_go(top: Path) -> None:
    if HIERARCHY == "v2":
        (top / "cgroup.subtree_control").write_text("+memory")
    lines: list[dict[str, Any]] = []
    expected = []
    early = limited(top / "early")
    with watching(top, "--recursive", "--events") as watch:

        def strike(path: Path) -> None:
            expected.append((f"/{top.name}/{path.name}", grow(path)))
            assert watch.stdout is not None
            while not lines or lines[-1]["schema"] != "memoom.oom/1":
                lines.append(json.loads(watch.stdout.readline()))
            account = lines.pop()
            [victim] = account["victims"]
            assert (victim["group"][-len(expected[-1][0]) :], victim["pid"]) == expected[-1]

        strike(early)
        # One comes and goes, and comes again under the same name.
        for name in ("one", "two", "two"):
            path = limited(top / name)
            strike(path)
            remove(path)
        remove(early)
        remove(top)
        lines += told(watch)
    assert [line for line in lines if line["schema"] == "memoom.oom/1"] == []
    gone = [line["group"] for line in lines if line.get("kind") == "removed"]
    below = ["/one", "/two", "/two", "/early", ""]
    assert [group[group.rindex(f"/{top.name}") :] for group in gone] == [f"/{top.name}{name}" for name in below]


def test_nothing_runs_while_nothing_happens(top: Path) -> None:
    limited(top)
    quiet = 1.0
    with watching(top) as watch, open("/dev/kmsg", "rb", buffering=0) as log:
        grow(top)
        assert watch.stdout is not None and json.loads(watch.stdout.readline())["schema"] == "memoom.oom/1"
        poller = select.poll()
        poller.register(log, select.POLLIN)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            os.lseek(log.fileno(), 0, os.SEEK_END)
            before = switches(watch.pid)
            # Idleness itself is what is measured here. Any line in the kernel log, by anybody, wakes a watch.
            if not poller.poll(quiet * 1000) and switches(watch.pid) == before:
                break
        else:
            pytest.fail(f"it never stood still for {quiet} s")
        remove(top)
        assert told(watch) == []


def switches(pid: int) -> list[str]:
    """How often each of its threads has run."""
    return [
        line
        for task in Path(f"/proc/{pid}/task").iterdir()
        for line in (task / "status").read_text().splitlines()
        if "ctxt_switches" in line
    ]


def test_it_ends_when_it_is_told_and_when_nobody_reads(top: Path) -> None:
    limited(top)
    with watching(top) as watch:
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(PATIENCE) == 128 + signal.SIGTERM
        pid = watch.pid
    with watching(top) as watch:
        assert watch.stdout is not None
        watch.stdout.close()
        assert watch.wait(PATIENCE) == 141
    left = json.loads(subprocess.run([sys.executable, "-m", "memoom", "gc", "--json"], capture_output=True).stdout)
    for one in left["found"]:
        assert f"memoom-{pid}-" not in one["path"] and f"memoom-{watch.pid}-" not in one["path"]


def test_a_watch_of_its_own_process_ends_with_it(top: Path) -> None:
    group = memoom.Group.open(limited(top))
    with group.watch(recursive=True) as watch:
        pid = grow(top)
        oom = watch.wait_oom(PATIENCE)
        assert oom is not None and oom.killed(pid) and watch.wait_oom(0) is None
    # The next one begins anew.
    with group.watch() as watch:
        assert watch.wait_oom(0) is None
        assert grow(top) and watch.wait_oom(PATIENCE) is not None
