"""Recordings: what a lab concludes its recording concludes again, and no file of the user's is hit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PATIENCE

import memoom


def cli(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "memoom", *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.usefixtures("needs_lab")
def test_a_lab_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "signs"
    with memoom.Lab(record=path) as lab:
        group = lab.group(limit="16M")
        with pytest.raises(memoom.InvalidInputError, match="record the whole lab"):
            group.record(tmp_path / "other")
        hog = group.hog("eater")
        while hog.grow("4M", timeout=PATIENCE).status == "grew":
            pass
        hog.wait(PATIENCE)
        told = [oom.to_json() for oom in lab.timeline().ooms]
    assert told
    assert [oom.to_json() for oom in memoom.replay(path)] == told
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("needs_lab")
def test_a_run_is_recorded_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "signs"
    ran = cli("run", "--limit", "16M", "--json", "--record", path, "--", "tail", "/dev/zero")
    assert ran.returncode == 137, ran.stderr
    again = cli("replay", "--json", path)
    assert again.returncode == 0, again.stderr
    assert [json.loads(line) for line in again.stdout.splitlines()] == json.loads(ran.stderr)["ooms"]
    assert "the kernel killed tail" in cli("replay", path).stdout


@pytest.mark.usefixtures("needs_lab")
def test_no_file_of_the_user_s_is_hit(tmp_path: Path) -> None:
    letter, link = tmp_path / "letter", tmp_path / "link"
    letter.write_text("dear all")
    link.symlink_to(letter)
    for path, why in ((letter, "no recording"), (link, "a link")):
        with pytest.raises(memoom.InvalidInputError, match=why):
            memoom.Lab(record=path)
        ran = cli("run", "--limit", "16M", "--record", path, "--", "true")
        assert ran.returncode == 125 and why in ran.stderr
    assert letter.read_text() == "dear all"


@pytest.mark.usefixtures("needs_lab")
def test_a_watch_and_a_demo_are_recorded(tmp_path: Path, lab: memoom.Lab) -> None:
    group, path = lab.group(limit="16M"), tmp_path / "signs"
    command = [sys.executable, "-m", "memoom", "watch", "--json", "--record", str(path), str(group.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None and watching.stderr is not None
        assert watching.stderr.readline().startswith("watching ")
        group.command(["tail", "/dev/zero"]).wait(PATIENCE)
        told = watching.stdout.readline()
        group.remove()
        assert watching.wait(PATIENCE) == 0
    assert [oom.to_json() for oom in memoom.replay(path)] == [told.strip()]
    experiment = "v1-kill" if lab.hierarchy == "v1" else "v2-kill"
    path = tmp_path / "demo"
    assert cli("demo", experiment, "--record", path).returncode == 0
    assert "the kernel killed" in cli("replay", path).stdout


def test_what_is_no_recording_is_one_clear_error(tmp_path: Path) -> None:
    letter = tmp_path / "letter"
    letter.write_text("dear all\n")
    for path, why in ((letter, "line 1 is not of a recording"), (tmp_path / "none", "No such file")):
        done = cli("replay", path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("memoom replay: ") and why in done.stderr and len(done.stderr.splitlines()) == 1
        # The parser has a count of its own, of the one line that it sees.
        assert done.stderr.count("line ") <= 1, done.stderr
