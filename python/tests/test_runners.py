"""A worker of somebody's runner dies in an OOM, and the runner goes on: one account, of that worker."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from conftest import Cli

pytestmark = pytest.mark.usefixtures("needs_lab")

PROCESS = """
import multiprocessing, sys

def eat(told):
    import os
    told.send(os.getpid())
    held = []
    while True:
        held.append(bytearray(4 << 20))

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=eat, args=(there,))
    process.start()
    pid = here.recv()
    process.join()
    print(pid, process.exitcode)
    sys.exit(3)
"""
EXECUTOR = """
import concurrent.futures, sys
from concurrent.futures.process import BrokenProcessPool

def number():
    import os
    return os.getpid()

def eat():
    held = []
    while True:
        held.append(bytearray(4 << 20))

if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(1) as executor:
        pid = executor.submit(number).result()
        try:
            executor.submit(eat).result()
        except BrokenProcessPool:
            print(pid, -9)
    sys.exit(3)
"""


@pytest.mark.parametrize(
    ("program", "way"), [(PROCESS, "fork"), (PROCESS, "spawn"), (PROCESS, "forkserver"), (EXECUTOR, "executor")]
)
def test_a_runner_goes_on(cli: Cli, tmp_path: Path, program: str, way: str) -> None:
    path = tmp_path / "program.py"
    path.write_text(program)
    done = cli("run", "--limit", "128M", "--json", "--", sys.executable, str(path), way)
    assert done.returncode == 3
    outcome = json.loads(done.stderr.splitlines()[-1])
    assert (outcome["verdict"], outcome["ooms_inside"], len(outcome["ooms"])) == ("exited", 1, 1)
    pid, status = map(int, done.stdout.split())
    assert status == -9
    assert [victim["pid"] for victim in outcome["ooms"][0]["victims"]] == [pid]


EATS = "held = []\nwhile True:\n    held.append(bytearray(4 << 20))\n"
TESTS = """
import subprocess, sys, unittest

class Tests(unittest.TestCase):
    def test_eats(self):
        self.assertEqual(subprocess.run([sys.executable, "eats.py"]).returncode, 0)

    def test_fine(self):
        pass
"""
MAKEFILE = f"all: eats fine\neats: ; {sys.executable} eats.py\nfine: ; true\n"
NINJA = f"""
rule run
  command = $what
build eats: run
  what = {sys.executable} eats.py
build fine: run
  what = touch fine
"""
MESON = f"""
project('tests')
test('eats', find_program('{sys.executable}'), args: meson.current_source_dir() / 'eats.py')
test('fine', find_program('true'))
"""
BATS = f"""
@test "eats" {{
  {sys.executable} eats.py
}}
@test "fine" {{
  true
}}
"""


@pytest.mark.parametrize(
    ("file", "text", "argv", "status", "says"),
    [
        ("test_memory.py", TESTS, [sys.executable, "-m", "nose2"], 1, "-9 != 0"),
        ("Makefile", MAKEFILE, ["make", "-k", "-j2"], 2, "Killed"),
        ("build.ninja", NINJA, ["ninja", "-k", "0", "-j2"], 1, "FAILED"),
        ("meson.build", MESON, ["sh", "-c", "meson setup built && meson test -C built"], 1, "signal 9 SIGKILL"),
        ("memory.bats", BATS, ["bats", "memory.bats"], 1, "failed with status 137"),
        ("jobs", "", ["parallel", "-j2", ":::", f"{sys.executable} eats.py", "true"], 1, ""),
    ],
    ids=["nose2", "make", "ninja", "meson", "bats", "parallel"],
)
def test_a_runner_of_commands_goes_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cli: Cli,
    file: str,
    text: str,
    argv: list[str],
    status: int,
    says: str,
) -> None:
    needed = "meson" if file == "meson.build" else argv[0]
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    (tmp_path / file).write_text(text)
    (tmp_path / "eats.py").write_text(EATS)
    monkeypatch.chdir(tmp_path)
    done = cli("run", "--limit", "160M", "--json", "--", *argv)
    assert done.returncode == status, done
    outcome = json.loads(done.stderr.splitlines()[-1])
    assert says in done.stdout + done.stderr
    assert (outcome["verdict"], outcome["ooms_inside"], len(outcome["ooms"])) == ("exited", 1, 1)
    (victim,) = outcome["ooms"][0]["victims"]
    assert victim["comm"].startswith("python") and victim["pid"] != outcome["pid"]
    assert outcome["ooms"][0]["limit_bytes"] == 160 << 20
