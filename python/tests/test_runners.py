"""A worker of somebody's runner dies in an OOM, and the runner goes on: one account, of that worker."""

from __future__ import annotations

import json
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
