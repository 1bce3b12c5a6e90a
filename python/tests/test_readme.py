"""The first screen of both READMEs runs as it stands; the C block is run by tests/packaging/run.sh."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import CHECKOUT, PATIENCE

READMES = ["README.md", "README.zh-CN.md"]


def blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (CHECKOUT / readme).read_text(), re.DOTALL)


def first(readme: str, language: str, word: str) -> str:
    (found,) = [code for code in blocks(readme, language) if word in code]
    return found


@pytest.mark.usefixtures("needs_lab")
@pytest.mark.parametrize("readme", READMES)
def test_the_pytest_block(readme: str, tmp_path: Path) -> None:
    (tmp_path / "test_block.py").write_text(first(readme, "python", "import pytest"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--memoom-require"]
    done = subprocess.run(command, cwd=tmp_path, timeout=PATIENCE, capture_output=True, text=True)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.usefixtures("needs_lab")
@pytest.mark.parametrize("readme", READMES)
def test_the_notebook_block(readme: str) -> None:
    code = first(readme, "python", "import memoom\n")
    shown: dict[str, object] = {}
    exec(compile(code, readme, "exec"), shown)
    assert "alloc_memory_1" in shown["oom"]._repr_html_()  # type: ignore[attr-defined]
    assert code.splitlines()[-1].split()[0] == "oom", "a cell shows what stands last"


def test_both_have_the_same_code() -> None:
    """Comments may be Chinese; what runs is one text."""
    for language in ("c", "python"):
        bare = [[re.sub(r"\s*(#|/\*).*", "", code) for code in blocks(readme, language)] for readme in READMES]
        assert bare[0] == bare[1], language


def test_the_list_of_commands_is_whole() -> None:
    from memoom import _cli

    for readme in READMES:
        text = (CHECKOUT / readme).read_text()
        absent = [name for name in _cli._COMMANDS if f"memoom {name}" not in text]
        assert not absent, f"{readme}: {absent}"


def test_the_picture_is_of_a_real_run() -> None:
    """What docs/pictures/draw.py has drawn: one image, complete in itself, with the limit, both hogs and the kill."""
    picture = (CHECKOUT / "docs/pictures/experiment.svg").read_text()
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    for word in ("alloc_memory_1", "alloc_memory_2", "80M", "killed"):
        assert word in picture, word
    assert "href" not in picture and "<script" not in picture
    for readme in READMES:
        assert "docs/pictures/experiment.svg" in (CHECKOUT / readme).read_text()
