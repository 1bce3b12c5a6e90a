"""The course of docs/experiments: its blocks replay the recordings, and print what stands below them.

MEMOOM_UPDATE=1 writes what they print now.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path

import pytest
from conftest import CHECKOUT

PAGES = sorted((CHECKOUT / "docs/experiments").glob("v*.md"))
BLOCK = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def printed(code: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "block", "exec"), {})
    return said.getvalue().rstrip("\n") + "\n"


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    text = page.read_text()
    if os.environ.get("MEMOOM_UPDATE"):
        text = BLOCK.sub(lambda found: f"```python\n{found[1]}```\n\n```text\n{printed(found[1])}```", text)
        page.write_text(text)
    found = BLOCK.findall(text)
    assert len(found) == 2, "the account and the call path"
    for code, below in found:
        assert printed(code) == below, "MEMOOM_UPDATE=1 writes it anew"


def test_there_is_a_page_for_each_experiment() -> None:
    from memoom._cli import experiments

    assert {page.stem for page in PAGES} == set(experiments.EXPERIMENTS)
