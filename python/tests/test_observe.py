"""``memoom observe``: streams and status are the command's, and each death by a signal below it is explained."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PATIENCE, Cli

import memoom

pytestmark = pytest.mark.usefixtures("needs_lab")

traced = pytest.mark.skipif(not memoom.Host.probe().can("tracefs"), reason="signals cannot be traced here")
# Both stay, and the dead one is not reaped, until it has been told: so it is no race who is read and who has gone.
KILLS = "sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; kill -9 $!; echo $$ $!; read over; exit 3"
FAULTS = (
    "import os, signal; pid = os.fork() or os.kill(os.getpid(), signal.SIGSEGV);"
    "os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT); print(os.getpid(), pid, flush=True); input()"
)
TAKES_200M = "bytearray(200 << 20)"


def test_without_a_death_nothing_is_said(cli: Cli) -> None:
    done = cli("observe", "--", "sh", "-c", "cat; exit 7", input="through")
    assert (done.returncode, done.stdout, done.stderr) == (7, "through", "")


def until_told(told: str, *arguments: str) -> tuple[int, list[str], str]:
    """The status, what was written, and the line of standard error that tells a death; only then the command ends."""
    argv = [sys.executable, "-m", "memoom", "observe", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        written = process.stdout.readline().split()
        line = next(line for line in process.stderr if told in line)
        process.stdin.write("\n")
        process.stdin.close()
        rest = process.stderr.read()
        assert told not in rest
        return process.wait(timeout=PATIENCE), written, line.rstrip() + "\n" + rest


@traced
def test_a_child_that_is_killed_is_named_with_its_killer() -> None:
    status, (killer, victim), told = until_told("is ended by", "--", "sh", "-c", KILLS)
    line = rf"memoom: sleep \(pid {victim}\) is ended by SIGKILL, sent by sh \(pid {killer}, .*\)"
    assert status == 3 and re.fullmatch(line, told.splitlines()[0]), told


@traced
def test_a_fault_below_is_told() -> None:
    status, (_, victim), told = until_told("is ended by", "--", sys.executable, "-c", FAULTS)
    assert status == 0 and f"pid {victim}" in told and "SIGSEGV" in told


def test_an_oom_below_has_its_account(cli: Cli) -> None:
    child = f"import subprocess, sys; sys.exit(-subprocess.run([sys.executable, '-c', '{TAKES_200M}']).returncode)"
    done = cli("observe", "--limit", "64M", "--", sys.executable, "-c", child)
    assert done.returncode == 9 and "limit 64M" in done.stderr and "  victim " in done.stderr
    # Once: the kill and the account are one death.
    assert done.stderr.count("memoom: ") == 1 and "is ended by SIGKILL" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_commands_own_death_is_told_once(cli: Cli, number: int) -> None:
    done = cli("observe", "--", "sh", "-c", f"kill -{int(number)} $$")
    assert done.returncode == 128 + number and done.stdout == ""
    assert done.stderr.count("memoom: sh (pid ") == 1 and signal.Signals(number).name in done.stderr


@traced
def test_documents(cli: Cli, tmp_path: Path) -> None:
    _, (_, victim), told = until_told('"killed"', "--json", "--", "sh", "-c", KILLS)
    event, outcome = (json.loads(line) for line in told.splitlines() if line.startswith("{"))
    assert event["schema"] == "memoom.event/1" and event["kind"] == "killed" and event["pid"] == int(victim)
    assert event["killed_by"]["by"] == "process" and event["killed_by"]["pid"] == outcome["pid"]
    assert (outcome["schema"], outcome["returncode"]) == ("memoom.outcome/1", 3)
    file = tmp_path / "deaths"
    for _ in range(2):
        done = cli("observe", "--output", str(file), "--limit", "64M", "--", sys.executable, "-c", TAKES_200M)
        assert done.returncode == 137 and "limit 64M" in done.stderr
    kinds = [json.loads(line)["schema"] for line in file.read_text().splitlines()]
    assert kinds == ["memoom.event/1", "memoom.oom/1", "memoom.outcome/1"]
    file.write_text("not memoom's\n")
    done = cli("observe", "--output", str(file), "--", "true")
    assert done.returncode == 125 and file.read_text() == "not memoom's\n"


def test_the_event_has_its_sender_in_python(lab: memoom.Lab) -> None:
    group = lab.group()
    watch = group.watch()
    worker = group.command(["sleep", "1000"])
    worker.kill()
    worker.wait()
    if not lab.host.can("tracefs"):
        pytest.skip("signals cannot be traced here")
    (event,) = [event for event in iter(lambda: watch.next(0), None) if event.kind == "killed"]
    assert isinstance(event.killed_by, memoom.KilledBy) and event.placed_by == "procfs"
    assert (event.pid, event.killed_by.signal) == (worker.pid, signal.SIGKILL)


def test_what_cannot_be_run(cli: Cli) -> None:
    done = cli("observe", "--", "no-such-command")
    assert (done.returncode, done.stderr) == (127, "memoom observe: no-such-command: No such file or directory\n")
    assert cli("observe").returncode == 125
    assert cli("observe", "--limit", "64X", "--", "true").returncode == 125


def test_signals_reach_the_command() -> None:
    script = "trap 'exit 5' USR1; echo ready; while :; do sleep 0.01; done"
    argv = [sys.executable, "-m", "memoom", "observe", "--", "sh", "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGUSR1)
        assert process.wait(timeout=PATIENCE) == 5


@traced
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whoever_sent_memoom_a_signal_that_it_passed_on_is_named(number: int) -> None:
    argv = [sys.executable, "-m", "memoom", "observe", "--", "sh", "-c", "echo ready; exec sleep 1000"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        with subprocess.Popen(
            ["sh", "-c", f"kill -{int(number)} {process.pid}; read line"], stdin=subprocess.PIPE
        ) as by:
            _, told = process.communicate(timeout=PATIENCE)
            by.communicate()
    assert process.returncode == 128 + number
    # A shell that has not executed the program yet handles SIGINT, and sends it to itself.
    assert f"is ended by {signal.Signals(number).name}, sent by " in told and f" sh (pid {by.pid}, uid " in told
    assert told.endswith(f"memoom (pid {process.pid}) passed it on\n") and told.count("memoom: ") == 1


@traced
def test_a_run_says_who_killed_its_supervisor() -> None:
    argv = [sys.executable, "-m", "memoom", "run", "--limit", "64M", "--", "sh", "-c", "echo ready; exec sleep 1000"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        (supervisor,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(supervisor), signal.SIGKILL)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 125
    assert (
        f"as it was killed by SIGKILL, sent by {Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()}" in told
    )
    assert told.endswith("remedy: run it again; nothing of this run is left\n")
