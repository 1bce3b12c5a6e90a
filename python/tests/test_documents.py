"""The README and the examples run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CHECKOUT, PATIENCE

README = (CHECKOUT / "python" / "README.md").read_text()
BLOCKS = [(language, code) for language, code in re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)]

pytestmark = pytest.mark.usefixtures("needs_lab")


def test_there_are_blocks() -> None:
    languages = [language for language, _ in BLOCKS]
    assert languages.count("python") >= 5 and languages.count("sh") == 1, languages


@pytest.mark.parametrize("code", [code for language, code in BLOCKS if language == "python"])
def test_a_python_block(code: str, tmp_path: Path) -> None:
    program = tmp_path / "block.py"
    program.write_text(code)
    done = subprocess.run([sys.executable, "-W", "error", program], cwd=tmp_path, timeout=PATIENCE)
    assert done.returncode == 0


@pytest.mark.parametrize("line", [line for language, code in BLOCKS if language == "sh" for line in code.splitlines()])
def test_a_shell_line(line: str, tmp_path: Path) -> None:
    command = line.partition("#")[0].split()
    assert command[0] == "memoom"
    done = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, timeout=120, stdout=subprocess.DEVNULL)
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["quickstart.py", "experiments.py"])
def test_an_example(name: str, tmp_path: Path) -> None:
    example = CHECKOUT / "examples" / "python" / name
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", example],
        cwd=tmp_path,
        env=environment,
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
