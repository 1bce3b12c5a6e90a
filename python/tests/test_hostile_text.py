"""What others have named reaches no terminal as a command to it, from any subcommand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import Cli

import memoom

# Clears the screen, sets the title, and begins a line of its own.
NASTY = "a\x1b[2J\x1b]0;b\x07\rc"


@pytest.mark.parametrize(
    "words",
    [
        [NASTY],
        ["doctor", NASTY],
        ["report", NASTY],
        ["watch", f"/sys/{NASTY}"],
        ["replay", NASTY],
        ["sweep", NASTY],
        ["gc", f"/sys/{NASTY}"],
        ["run", "--limit", NASTY, "--", "true"],
        ["run", "--limit", "32M", "--output", f"{NASTY}/file", "--", "true"],
        ["run", "--limit", "32M", "--record", f"{NASTY}/file", "--", "true"],
        ["run", "--limit", "32M", "--", NASTY],
        ["fit", "--", NASTY],
        ["hog", "--limit", NASTY],
        ["demo", NASTY],
        ["why", NASTY],
    ],
)
def test_an_error_shows_what_was_given_without_its_controls(cli: Cli, words: list[str]) -> None:
    done = cli(*words)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and said
    assert all(one.isprintable() or one == "\n" for one in said), repr(said)


def test_a_command_of_such_a_name_is_told_without_its_controls(cli: Cli, tmp_path: Path, needs_lab: None) -> None:
    name = tmp_path / "\x1b[2J\n\x1b[1m"
    name.write_text("#!/bin/sh\nx=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done\n")
    name.chmod(0o755)
    done = cli("run", "--limit", "16M", "--", str(name))
    assert done.returncode == 137
    assert all(one.isprintable() or one == "\n" for one in done.stderr), repr(done.stderr)
    done = cli("run", "--limit", "16M", "--json", "--", str(name))
    document = json.loads(done.stderr.splitlines()[-1])
    assert document["oom_killed"] and "\x1b" not in done.stderr


def test_html_shows_such_names_as_text(tmp_path: Path) -> None:
    sizes = "total-vm:4kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB"
    line = f"Memory cgroup out of memory: Killed process 7 (<b>\\x1b&) {sizes}"
    (report,) = memoom.parse_reports(f"[    1.000000] {line}\n")
    html = report._repr_html_()
    assert "<b>\\x1b" not in html and "\x1b" not in html and "&lt;b&gt;" in html


def test_what_is_written_is_nobody_elses_under_any_umask(cli: Cli, tmp_path: Path, needs_lab: None) -> None:
    old = os.umask(0)
    try:
        done = cli("run", "--limit", "32M", "--record", "signs", "--output", "outcome", "--json", "--", "true")
    finally:
        os.umask(old)
    assert done.returncode == 0, done.stderr
    # A recording names the processes of others; a document is as any file that the user makes.
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {"signs": 0o600, "outcome": 0o666}
