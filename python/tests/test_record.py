"""``memoom watch --record DIR/``: what died last night is explained in the morning, also when the watch was killed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import PATIENCE, Cli

import memoom

pytestmark = pytest.mark.usefixtures("needs_lab")


@contextmanager
def watching(group: memoom.Group, record: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "memoom", "watch", "--json", "--record", f"{record}/", str(group.path)]
    watcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert watcher.stdout is not None and watcher.stderr is not None
    try:
        assert watcher.stderr.readline().startswith("watching")
        yield watcher
    finally:
        # Nothing of it is in order: it is killed in the act.
        watcher.kill()
        watcher.wait(PATIENCE)
        watcher.stdout.close()
        watcher.stderr.close()


def lines(record: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (record / "deaths").read_bytes().splitlines()]


def test_what_a_killed_watch_has_written_names_the_dead(tmp_path: Path, lab: memoom.Lab, cli: Cli) -> None:
    record = tmp_path / "record"
    group = lab.group("night", limit="16M")
    with watching(group, record) as watcher:
        assert watcher.stdout is not None
        assert group.command(["tail", "/dev/zero"]).wait().oom_killed
        # Its parent stays in the group, so that it is placed however late that is read.
        read, write = os.pipe()
        # Neither of the two becomes another program: their names do not hang on how far they came.
        script = "while :; do :; done & kill -9 $!; wait; echo $!; sleep 1000; :"
        parent = group.command(["sh", "-c", script], stdout=write)
        os.close(write)
        with open(read) as said:
            killed = int(said.readline())
        # The second OOM is told after the kill: by then all is on the disk.
        assert group.command(["tail", "/dev/zero"]).wait().oom_killed
        for _ in range(2):
            assert json.loads(watcher.stdout.readline())["schema"] == "memoom.oom/1"
    parent.kill()
    assert stat.S_IMODE(record.stat().st_mode) == 0o700
    assert stat.S_IMODE((record / "deaths").stat().st_mode) == 0o600
    assert [line["what"] for line in lines(record)].count("oom") == 2
    # A line that was broken off is no hindrance.
    with (record / "deaths").open("ab") as torn:
        torn.write(b'{"schema":"memoom.rec')
    if lab.host.can("tracefs"):
        answer = memoom.postmortem(killed, record=record)
        assert (answer.killed_by.by, answer.killed_by.source) == ("process", "record"), str(answer)
        done = cli("why", "--record", str(record), str(killed))
        assert done.returncode == 0 and f"sh (pid {killed}) was killed by sh" in done.stdout, done
    path = str(group.path)
    answer = memoom.postmortem(group=path, record=record)
    assert answer.killed_by.by == "kernel-oom", str(answer)
    lab.close()
    # In the morning the group has gone, and the log may have too.
    empty = tmp_path / "log"
    empty.write_text("nothing of that\n")
    done = cli("why", "--group", path, "--record", str(record), "--log", str(empty))
    assert done.returncode == 0 and "was killed by the kernel's OOM killer" in done.stdout, done
    assert "grew from" in done.stdout, done.stdout
    done = cli("why", "--group", path, "--log", str(empty))
    assert done.returncode == 1 and "tells of no OOM kill there" in done.stdout, done


def test_a_saved_log_tells_of_another_machine(tmp_path: Path, cli: Cli) -> None:
    log = tmp_path / "log"
    log.write_text(
        "[   10.000000] a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
        "[   10.000001] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
        "oom_memcg=/pod,task_memcg=/pod/one,task=a,pid=1,uid=0\n"
        "[   10.000002] Memory cgroup out of memory: Killed process 1 (a) total-vm:2400kB, anon-rss:400kB, "
        "file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:48kB oom_score_adj:0\n"
    )
    # Whoever has that pid here is somebody else.
    answer = memoom.postmortem(1, log=log)
    assert answer.killed_by.by == "kernel-oom" and answer.limit_group == "/pod", str(answer)
    done = cli("why", "--log", str(tmp_path / "none"))
    assert done.returncode == 125 and done.stderr.startswith("memoom why:"), done


def test_a_record_has_one_writer_and_a_bound(tmp_path: Path, lab: memoom.Lab) -> None:
    group = lab.group("bound", limit="16M")
    with group.watch() as one, group.watch() as other:
        with pytest.raises(memoom.InvalidInputError, match="too little"):
            one.keep_record(tmp_path / "record", bytes=1)
        one.keep_record(tmp_path / "record", bytes=65536)
        with pytest.raises(memoom.MemoomError, match="another watch writes to it"):
            other.keep_record(tmp_path / "record")
        assert group.command(["tail", "/dev/zero"]).wait().oom_killed
        assert one.wait_oom(PATIENCE) is not None
    assert [line["what"] for line in lines(tmp_path / "record")] == ["watching", "oom"]


def test_a_record_waits_for_its_turn(tmp_path: Path, lab: memoom.Lab) -> None:
    """It is kept also where another thread waits on the same watch just then."""
    with lab.group("turn", limit="16M").watch() as watch:
        waiter = threading.Thread(target=watch.wait_oom, args=(1.0,))
        waiter.start()
        channel = Path(f"/proc/self/task/{waiter.native_id}/wchan")
        end = time.monotonic() + PATIENCE
        while "poll" not in channel.read_text() and waiter.is_alive():
            assert time.monotonic() < end
        watch.keep_record(tmp_path / "record")
        assert [line["what"] for line in lines(tmp_path / "record")] == ["watching"]
        waiter.join()
