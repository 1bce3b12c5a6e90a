"""``memoom completion``: what a shell needs to complete commands and options, made from the parsers themselves."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from . import _COMMANDS, Parser

SHELLS = ("bash", "zsh", "fish")


class _Captured(Exception):
    """The parser that a command was about to use."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


class _Capture:
    """While it is entered, a parser is handed out instead of parsing."""

    def __enter__(self) -> None:
        self._parse = Parser.parse_args

        def capture(parser: argparse.ArgumentParser, *_args: object, **_named: object) -> argparse.Namespace:
            raise _Captured(parser)

        Parser.parse_args = capture  # type: ignore[method-assign,assignment]

    def __exit__(self, *_: object) -> None:
        Parser.parse_args = self._parse  # type: ignore[method-assign]


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command, as the command makes it."""
    module = importlib.import_module(f".{_COMMANDS[command][0]}", __package__)
    with _Capture():
        try:
            module.main(["--limit", "1M", "true"])
        except _Captured as captured:
            return captured.parser
    raise AssertionError(f"{command} has no parser")


def options_of(command: str) -> list[tuple[str, str, bool]]:
    """Long options of a command: name, help, and whether a value follows."""
    found = []
    for action in parser_of(command)._actions:
        for name in action.option_strings:
            if name.startswith("--"):
                found.append((name, (action.help or "").replace("%%", "%"), action.nargs != 0))
    return found


def _bash() -> str:
    cases = "".join(
        f"    {name}) words='{' '.join(option for option, _, _ in options_of(name))}' ;;\n" for name in _COMMANDS
    )
    return (
        '# memoom completion bash: for ~/.bashrc, eval "$(memoom completion bash)"\n'
        "_memoom() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} words\n"
        "    COMPREPLY=()\n"
        '    if [ "$COMP_CWORD" -eq 1 ]; then\n'
        f"        COMPREPLY=($(compgen -W '{' '.join(_COMMANDS)} --help --version' -- \"$current\"))\n"
        "        return\n"
        "    fi\n"
        "    case ${COMP_WORDS[1]} in\n"
        f"{cases}"
        "    *) return ;;\n"
        "    esac\n"
        '    if [ "${current#-}" != "$current" ]; then\n'
        '        COMPREPLY=($(compgen -W "$words" -- "$current"))\n'
        "    else\n"
        '        COMPREPLY=($(compgen -f -- "$current"))\n'
        "    fi\n"
        "}\n"
        "complete -o filenames -F _memoom memoom\n"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh() -> str:
    plain = str.maketrans({"[": "(", "]": ")", ":": ","})
    commands = "\n".join(f"        {_quoted(f'{name}:{text}')}" for name, (_, text) in _COMMANDS.items())
    cases = []
    for name in _COMMANDS:
        specs = " ".join(
            _quoted(f"{option}[{text.translate(plain)}]" + (":value:_files" if value else ""))
            for option, text, value in options_of(name)
        )
        cases.append(f"        {name}) _arguments {specs} '*:file:_files' ;;")
    return (
        "#compdef memoom\n"
        "_memoom() {\n"
        "    local -a commands\n"
        f"    commands=(\n{commands}\n    )\n"
        "    if (( CURRENT == 2 )); then\n"
        "        _describe command commands\n"
        "        return\n"
        "    fi\n"
        "    local command=$words[2]\n"
        "    shift words\n"
        "    (( CURRENT-- ))\n"
        "    case $command in\n" + "\n".join(cases) + "\n    esac\n"
        "}\n"
        "compdef _memoom memoom\n"
    )


def _fish() -> str:
    lines = ["complete -c memoom -n __fish_use_subcommand -f"]
    for name, (_, text) in _COMMANDS.items():
        lines.append(f"complete -c memoom -n __fish_use_subcommand -a {name} -d {_quoted(text)}")
        for option, help_text, value in options_of(name):
            needs = " -r" if value else ""
            seen = f"'__fish_seen_subcommand_from {name}'"
            lines.append(f"complete -c memoom -n {seen} -l {option[2:]}{needs} -d {_quoted(help_text)}")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    parser = Parser(
        prog="memoom completion",
        description="Prints what a shell needs to complete commands and options.",
        epilog='bash: eval "$(memoom completion bash)"; zsh: the same with zsh, behind compinit; '
        "fish: memoom completion fish | source",
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    shell = parser.parse_args(arguments).shell
    sys.stdout.write({"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]())
    return 0
