"""Writes docs/reference/command.md and packaging/man/options.in from the parsers of the command itself.

.venv/bin/python docs/reference/command.py        writes both; python/tests/test_reference.py looks that they are fresh
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from memoom._cli import _COMMANDS
from memoom._cli.completion import parser_of

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "packaging/man"))

from mdoc import typed  # noqa: E402 - it stands with the manual pages, which are made without this package

PAGE = TOP / "docs/reference/command.md"
MAN = TOP / "packaging/man/options.in"

HEAD = """# The command

`memoom COMMAND --help` says the same, `man memoom` too: all three are made from the parsers. Sizes are bytes or text as the kernel
reads it (`80M` is 80·2²⁰); times are seconds.

| command | what it does |
| --- | --- |
"""
TAIL = """
## Exit status

| status | of | means |
| --- | --- | --- |
| that of the command | `run`, `observe` | it ended by itself |
| 128+n | `run`, `observe`, `watch` | signal n ended it; 137 is SIGKILL, and so an OOM kill |
| 0 | the others | they could do what was asked; `doctor`: a lab can be made; `demo`: every check held; `why`: somebody is named |
| 1 | the others | they could not, or a check failed (`campaign`: after a kill); the reason stands on standard error |
| 2 | all but `run`, `observe`, `fit`, `aware`, `campaign`, `policy`, `why` | wrong usage |
| 3 | `aware` | it cannot be told; 1 is unaware |
| 125 | `run`, `observe`, `fit`, `aware`, `campaign`, `policy`, `why` | memoom failed, or wrong usage |
| 126, 127 | `run`, `observe` | the command cannot be run; it is not found |
| 130 | all | Ctrl-C |
| 141 | all | whoever read the output has gone |

## Environment

| variable | what it does |
| --- | --- |
| `MEMOOM_REQUIRE=1` | the pytest plugin and the `unittest` mixin fail a test that this machine cannot run, instead of skipping it (`--memoom-require`) |
| `PATH` | where `run`, `observe`, `fit` and `aware` look for a command without `/` |
| `HOME`, `TMPDIR` | where a hog of the kind `file` puts its file, unless it is told a directory |
| `TERM` | `dumb` or nothing: `memoom lab` writes plain lines |

Nothing is configured by files.
"""


def shown(action: argparse.Action) -> tuple[str, str]:
    """An option or argument as its reader writes it, and its help on one line."""
    text = " ".join((action.help or "").replace("%%", "%").split())
    name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    if action.option_strings and action.nargs != 0:
        name += f" {action.metavar or action.dest.upper()}"
    return name, text


def actions(command: str) -> list[tuple[str, str]]:
    found = parser_of(command)._actions
    return [shown(action) for action in found if action.help != argparse.SUPPRESS and action.dest != "help"]


def usage(command: str) -> str:
    return " ".join(parser_of(command).format_usage().removeprefix("usage: ").split())


def page() -> str:
    """The page of the site."""
    parts = [HEAD, *(f"| [{name}](#{name}) | {text} |\n" for name, (_, text) in _COMMANDS.items())]
    for name in _COMMANDS:
        parser = parser_of(name)
        parts.append(f"\n## {name}\n\n```\n{usage(name)}\n```\n")
        if parser.description:
            parts.append(f"\n{' '.join(parser.description.split())}\n")
        rows = actions(name)
        if rows:
            parts.append("\n| option | meaning |\n| --- | --- |\n")
            parts += [f"| `{option}` | {text.replace('|', chr(92) + '|')} |\n" for option, text in rows]
        if parser.epilog and name != "lab":
            parts.append(f"\n{' '.join(parser.epilog.split())}\n")
    return "".join(parts) + TAIL


def man() -> str:
    """The part of memoom(1) that has the options."""
    lines = []
    for name in _COMMANDS:
        lines += [
            f".Ss {typed(usage(name).removeprefix('memoom '))}",
            typed(parser_of(name).description or ""),
        ]
        if actions(name):
            lines.append(".Bl -tag -width Ds")
            for option, text in actions(name):
                lines += [f".It {typed(option)}", typed(text)]
            lines.append(".El")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    os.environ["COLUMNS"] = "200"
    PAGE.write_text(page())
    MAN.write_text(man())
