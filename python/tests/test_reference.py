"""The reference is what its sources say: fields by the schemas, the command by its parsers, errors by their kinds."""

from __future__ import annotations

import builtins
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from conftest import CHECKOUT

import memoom
from memoom import _cli
from memoom._cli import completion

REFERENCE = CHECKOUT / "docs/reference"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"reference_{name}", REFERENCE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_fields_are_those_of_the_schemas() -> None:
    assert (REFERENCE / "fields.md").read_text() == script("fields").page(), "python docs/reference/fields.py"


def test_every_field_has_a_type_and_a_meaning() -> None:
    bare = [
        f"{title}: {row[0]}"
        for title, _, rows in script("fields").sections()
        for row in rows
        if not all((row[1], row[3]))
    ]
    assert not bare, bare


@pytest.mark.parametrize("name", ["Oom", "Outcome", "Event"])
def test_every_attribute_of_python_is_a_field(name: str) -> None:
    rows = [
        row
        for title, _, found in script("fields").sections()
        for row in found
        if title.partition(":")[0] == name.lower()
    ]
    known = {row[0].partition(".")[0].removesuffix("[]") for row in rows}
    own = {key for key in vars(getattr(memoom, name)).get("__annotations__", ()) if not key.startswith("_")}
    # What was captured is no part of the document.
    known |= {"stdout", "stderr"} if name == "Outcome" else set()
    # `comm_bytes` is `comm`.
    absent = {
        key for key in own if key not in known and not (key.endswith("_bytes") and key.removesuffix("_bytes") in known)
    }
    assert len(own) > 3 and not absent


def test_the_page_of_the_command_and_its_manual_are_what_the_parsers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    command = script("command")
    again = ".venv/bin/python docs/reference/command.py writes it"
    assert command.PAGE.read_text() == command.page(), again
    assert command.MAN.read_text() == command.man(), again


@pytest.mark.parametrize("name", _cli._COMMANDS)
def test_an_option_stands_in_help_page_and_manual(name: str) -> None:
    """What --help prints of an option is in the page and in the manual, and the other way round."""
    said = subprocess.run([sys.executable, "-m", "memoom", name, "--help"], capture_output=True, text=True).stdout
    helped = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", said, re.MULTILINE)) - {"--help"}
    page = (REFERENCE / "command.md").read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]
    assert {
        option for row in re.findall(r"^\| `([^`]*)`", page, re.MULTILINE) for option in re.findall(r"--[a-z-]+", row)
    } >= helped
    manual = (CHECKOUT / "packaging/man/options.in").read_text().split(f"\n.Ss {name}")[-1].split("\n.Ss ")[0]
    assert {found.replace("\\", "") for found in re.findall(r"\\-\\-[a-z\\-]+", manual)} >= helped


def test_every_kind_of_error_is_in_the_catalogue() -> None:
    page = (REFERENCE / "errors.md").read_text()
    header = (CHECKOUT / "include/memoom.h").read_text()
    for status in re.findall(r"^#define (MEMOOM_ERR_\w+)", header, re.MULTILINE):
        assert f"`{status}`" in page, status
    for name, found in list(vars(memoom).items()):
        if isinstance(found, type) and issubclass(found, memoom.MemoomError):
            assert f"`{name}`" in page, name
    for row in re.findall(r"^\| `[a-z-]+` \| `\w+` \| `(\w+)` \| `(\w+)`", page, re.MULTILINE):
        assert issubclass(getattr(memoom, row[0]), getattr(builtins, row[1])), row


def test_completion_of_bash_offers_commands_and_their_options(tmp_path: Path) -> None:
    ask = """
        eval "$("$0" -m memoom completion bash)"
        complete_for() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _memoom; printf '%s\\n' "${COMPREPLY[*]}"; }
        complete_for memoom re
        complete_for memoom run --l
        complete_for memoom why --un
    """
    done = subprocess.run(["bash", "-c", ask, sys.executable], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines() == ["report replay", "--limit", "--unit"], done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_of_the_others_names_every_option(shell: str) -> None:
    command = [sys.executable, "-m", "memoom", "completion", shell]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in _cli._COMMANDS:
        for option, _, _ in completion.options_of(name):
            assert (f"{option}[" if shell == "zsh" else f"from {name}' -l {option[2:]} ") in text


def test_the_schemas_name_the_documents_that_are_written() -> None:
    listed = (CHECKOUT / "docs/schema/README.md").read_text()
    for file in (CHECKOUT / "docs/schema").glob("*.json"):
        form = json.loads(file.read_text())["properties"]["schema"]["const"]
        assert f"`{form}`" in listed, form
