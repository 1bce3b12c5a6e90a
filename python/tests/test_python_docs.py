"""The examples of docs/python.md run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CHECKOUT, PATIENCE

BLOCKS = re.findall(r"```python\n(.*?)```", (CHECKOUT / "docs" / "python.md").read_text(), re.DOTALL)


@pytest.mark.usefixtures("needs_lab")
@pytest.mark.parametrize("number", range(7))
def test_an_example(number: int, tmp_path: Path) -> None:
    assert len(BLOCKS) == 7
    program = tmp_path / "example.py"
    program.write_text(BLOCKS[number])
    done = subprocess.run(
        [sys.executable, "-W", "error", program], cwd=tmp_path, timeout=PATIENCE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
