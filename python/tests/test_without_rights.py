"""What commands say to a user without rights, and what ``memoom observe`` does where no group can be made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from memoom._cli import report, why

if TYPE_CHECKING:
    from conftest import Cli

    import memoom

EATS = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"
# The cgroup file systems are seen as in a container.
READ_ONLY = 'for at in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,ro $at 2>/dev/null; done; exec "$@"'
PATIENCE = 120.0


def observed(lab: memoom.Lab, *command: str) -> tuple[int, str, str]:
    """The status and the standard error of an observed command, in a group of 96 MiB; and the path of that."""
    group = lab.group("container", limit="96M")
    argv = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        READ_ONLY,
        "sh",
        sys.executable,
        "-m",
        "memoom",
        "observe",
        "--",
        *command,
    ]
    reading, writing = os.pipe()
    worker = group.command(argv, stderr=writing)
    os.close(writing)
    with open(reading, encoding="utf-8") as file:
        said = file.read()
    status = worker.wait(PATIENCE).returncode
    if "no lab can be made here" not in said:
        pytest.skip(f"no such place can be made here: {said}")
    return status, said, group.cgroup


def test_observe_tells_an_oom_of_its_own_group(lab: memoom.Lab) -> None:
    status, said, group = observed(lab, "sh", "-c", f"sh -c '{EATS}'; exit 7")
    assert status == 7
    assert f"CMD runs in the group of this process, {group}" in said
    assert f"OOM in {group} (limit 96M): the kernel killed sh" in said


def test_observe_tells_how_its_command_has_died(lab: memoom.Lab) -> None:
    status, said, group = observed(lab, "sh", "-c", EATS)
    assert status == 137
    assert said.count(f"OOM in {group}") == 1
    status, said, _ = observed_again(lab, "sh", "-c", "kill -9 $$")
    assert status == 137
    assert "OOM in" not in said
    assert "SIGKILL" in said


def observed_again(lab: memoom.Lab, *command: str) -> tuple[int, str, str]:
    next(group for group in lab.groups if group.name == "container").remove()
    return observed(lab, *command)


def test_observe_without_a_lab_says_what_cannot_be_run(lab: memoom.Lab) -> None:
    status, said, _ = observed(lab, "/nowhere/at-all")
    assert status == 127
    assert "memoom observe: /nowhere/at-all: No such file or directory" in said


def test_an_empty_log_is_no_log_without_an_oom(cli: Cli) -> None:
    done = cli("report", input="")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "no OOM report is in this log: standard input is empty"
    assert "sudo dmesg | memoom report" in done.stdout
    assert "is empty" not in cli("report", input="\n").stdout


def test_a_log_that_may_not_be_read_names_the_command_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: str, *_: object) -> int:
        raise PermissionError(1, "Operation not permitted", path)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert report.main(["/var/log/my log"]) == 1
    said = capsys.readouterr().err
    assert said.endswith("Operation not permitted; remedy: sudo memoom report '/var/log/my log'\n")


def test_why_names_the_command_to_type(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import memoom

    unread = memoom.postmortem(2**22 - 1, log=os.devnull)

    class Unread:
        killed_by = unread.killed_by
        missing = (type("Missing", (), {"source": "kernel-log"})(),)

        def __str__(self) -> str:
            return "unknown"

    monkeypatch.setattr(memoom, "postmortem", lambda *_, **__: Unread())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert why.main(["--unit", "my unit"]) == 1
    assert capsys.readouterr().out == "unknown\nNext: sudo memoom why --unit 'my unit'\n"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert why.main(["--unit", "my unit"]) == 1
    assert capsys.readouterr().out == "unknown\n"


def test_doctor_tells_a_user_each_remedy_once() -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "memoom", "doctor", "--json"],
            user=65534,
            group=65534,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    except PermissionError as error:
        pytest.skip(f"nobody else can be run as: {error}")
    if not done.stdout:
        pytest.skip(f"such a user cannot read this package: {done.stderr}")
    host = json.loads(done.stdout)
    missing = [one for one in host["abilities"] if not one["available"]]
    assert {"kernel-log", "create-groups"} <= {one["name"] for one in missing} or host["lab"]
    for one in missing:
        assert "remedy" not in one["reason"], one
        assert one["remedy"]
    if not host["lab"] and not Path("/run/user/65534").exists():
        assert "systemd-run --user" not in host["refusal"]


def test_observe_without_a_lab_names_who_sent_what_it_passed_on(lab: memoom.Lab) -> None:
    status, said, _ = observed(lab, "sh", "-c", "kill -TERM $PPID; exec sleep 1000")
    assert status == 143
    assert said.count("SIGTERM") == 1
    assert said.endswith("passed it on\n")
