"""What a campaign is: the command, the check, the directory, and the moments that are wanted, as plain data."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .._errors import InvalidInputError
from .._native import parse_size
from .._text import meant
from .._toml import plan_of
from .moments import TRACED, TRIGGERS, Moment, moment_of

__all__ = ["Plan", "read_plan"]

_KEYS = ("command", "check", "prepare", "workdir", "files", "env", "limit", "timeout", "moments")
_PLACE = re.compile(r"\{(here|workdir)\}")
# One kill takes about a tenth of a second; whoever wants more says so.
_MOST = 1000


def _wrong(what: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(f"read campaign: {what}; remedy: {remedy}", operation="read campaign")


class Wanted(NamedTuple):
    """The moments of one trigger: each n-th one, or these."""

    trigger: str
    every: int | None
    those: tuple[int, ...]
    line: str | None = None


class Plan(NamedTuple):
    """A campaign."""

    command: tuple[str, ...]
    check: tuple[str, ...]
    prepare: tuple[str, ...] | None
    workdir: str | None
    files: tuple[str, ...]
    env: Mapping[str, str]
    limit: str | int | None
    timeout: float
    wanted: tuple[Wanted, ...]
    most: int
    here: str

    @property
    def line(self) -> str | None:
        """The expression of the lines that count."""
        return next((one.line for one in self.wanted if one.line is not None), None)

    @property
    def is_traced(self) -> bool:
        """Whether there are calls or lines to be counted."""
        return any(one.trigger in TRACED for one in self.wanted)

    def argv(self, words: Sequence[str], workdir: str) -> list[str]:
        """A command with the places that it names."""
        places = {"here": self.here, "workdir": workdir}
        return [_PLACE.sub(lambda at: places[at[1]], word) for word in words]

    def environment(self, workdir: str) -> dict[str, str]:
        """The caller's environment, with what the campaign adds."""
        return {**os.environ, **{name: self.argv([value], workdir)[0] for name, value in self.env.items()}}

    def digest(self) -> str:
        """What tells the results of this campaign from those of another; which moments are wanted is no part of it."""
        plain = {**self._asdict(), "wanted": self.line, "most": None, "files_there": _tree(self.workdir)}
        text = json.dumps(plain, sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def moments(self, counts: Mapping[str, int | None]) -> list[Moment]:
        """The moments, after a run that nobody disturbed: `counts` has the last number of each trigger."""
        found = []
        for one in self.wanted:
            last = counts[one.trigger]
            if one.every is not None and last is None:
                raise _wrong(
                    f"the kernel keeps no mark of what {one.trigger} came to",
                    'give the moments as a list, such as charged = ["8M", "16M"]',
                )
            numbers = one.those if one.every is None else range(one.every, (last or 0) + 1, one.every)
            if len(numbers) > self.most:
                step = -(-(last or 0) // self.most)
                raise _wrong(
                    f"{one.trigger} has {len(numbers)} moments, more than {self.most}",
                    f"take each {step}th (what fails is narrowed down to a single one), or give most",
                )
            found += [Moment(one.trigger, number) for number in numbers]
        return found


def read_plan(given: str | os.PathLike[str] | Mapping[str, Any]) -> Plan:
    """The campaign of a `.toml` file, or of a mapping with the same keys."""
    table, here = plan_of(given, _wrong)
    try:
        return _plan(table, here)
    except InvalidInputError as error:
        if isinstance(given, Mapping):
            raise
        path = str(Path(given))
        raise InvalidInputError(f"{path}: {error.message}", operation="read campaign", path=path) from None


def _plan(given: Mapping[str, Any], here: str) -> Plan:
    for name in given:
        if name not in _KEYS:
            raise _wrong(f"a campaign has no {name!r}{_meant(name, _KEYS)}", f"give {', '.join(_KEYS)}")
    for name in ("command", "check", "moments"):
        if name not in given:
            raise _wrong(f"it has no {name}", f"give {name}")
    workdir = given.get("workdir")
    if workdir is not None:
        workdir = os.path.realpath(os.path.join(here, _text("workdir", workdir)))
        if not os.path.isdir(workdir):
            raise _wrong(f"workdir {workdir} is no directory", "give one, or let prepare make what is needed")
    env = given.get("env", {})
    if not isinstance(env, Mapping):
        raise _wrong(f"env is {env!r}", "give a table of names and values")
    timeout = given.get("timeout", 60)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < float("inf"):
        raise _wrong(f"the timeout {timeout!r} is no time span", "give seconds, more than 0")
    limit = given.get("limit")
    if limit is not None:
        parse_size(limit)
    wanted, most = _wanted(given["moments"])
    return Plan(
        command=_words("command", given["command"]),
        check=_words("check", given["check"]),
        prepare=_words("prepare", given["prepare"]) if "prepare" in given else None,
        workdir=workdir,
        files=_words("files", given.get("files", ["*"])),
        env={str(name): str(value) for name, value in env.items()},
        limit=limit,
        timeout=float(timeout),
        wanted=wanted,
        most=most,
        here=here,
    )


def _wanted(given: Any) -> tuple[tuple[Wanted, ...], int]:
    if not isinstance(given, Mapping):
        raise _wrong(f"moments is {given!r}", "give a table, such as write = 1 for each write")
    most = given.get("most", _MOST)
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise _wrong(f"most is {most!r}", "give how many moments of one trigger there may be")
    found = []
    for name, value in given.items():
        if name == "most":
            continue
        if name not in TRIGGERS:
            raise _wrong(f"there is no trigger {name!r}{_meant(name, TRIGGERS)}", f"give {', '.join(TRIGGERS)}")
        found.append(_trigger(name, value))
    if not found:
        raise _wrong("no moment is wanted", "give one of " + ", ".join(TRIGGERS))
    return tuple(found), most


def _trigger(name: str, value: Any) -> Wanted:
    line = None
    if name == "line":
        table = {"match": value} if isinstance(value, str) else value
        if not isinstance(table, Mapping) or table.keys() - {"match", "at"} or not isinstance(table.get("match"), str):
            raise _wrong(f"line is {value!r}", "give an expression, or { match = EXPRESSION, at = 2 }")
        line, value = table["match"], table.get("at", 1)
        try:
            re.compile(line.encode())
        except re.error as error:
            raise _wrong(f"{line!r} is no regular expression: {error}", "mend it") from None
    several = isinstance(value, list | tuple)
    numbers = [moment_of(f"{name}={one}").number for one in (value if several else [value])]
    if not numbers:
        raise _wrong(f"{name} is empty", "give a number for each n-th one, or a list of those that are wanted")
    if several:
        return Wanted(name, None, tuple(sorted(set(numbers))), line)
    return Wanted(name, numbers[0], (), line)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise _wrong(f"{name} is {value!r}", "give text")
    return value


def _words(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise _wrong(f"{name} is {value!r}", "give a list of words")
    return tuple(_text(name, word) for word in value)


def _meant(name: str, known: Sequence[str]) -> str:
    near = meant(name, known)
    return f" (did you mean {near!r}?)" if near else ""


def _tree(directory: str | None) -> list[tuple[str, str]] | None:
    """What stands in a directory: each file with the digest of its content."""
    if directory is None:
        return None
    return [(str(path.relative_to(directory)), _content(path)) for path in sorted(Path(directory).rglob("*"))]


def _content(path: Path) -> str:
    """What tells a file, or where a link leads, from another; a link is not followed."""
    if path.is_symlink():
        return os.readlink(path)
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
