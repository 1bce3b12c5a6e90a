"""Trials as plain data: their keys, their shards, and the files that describe them."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import reprlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .._errors import InvalidInputError
from .._text import meant
from .._toml import toml_of

Trial = dict[str, Any]

# What a trial does, and the keys that go with it.
_KINDS = {
    "argv": {"argv", "env", "cwd", "fit"},
    "function": {"function", "args", "kwargs", "env", "cwd"},
    "hogs": {"hogs", "steps", "oom_killer"},
}
# How the least limit of a command is looked for.
FIT = {"check", "runs", "within", "slower", "high"}
_COMMON = {"key", "limit", "swap", "high", "oom_group", "oom_score_adj", "timeout", "parameters"}
# A sweep is held in memory; whoever has more has several.
_MOST = 1_000_000
# So long may a file of trials be: a million trials in a line each.
_MOST_BYTES = 256 << 20
_PLACE = re.compile(r"\{(\w+)\}")


def _wrong(what: str) -> InvalidInputError:
    return InvalidInputError(f"read trials: {what}", operation="read trials")


def key_of(trial: Mapping[str, Any]) -> str:
    """The stable name of a trial: its own `key`, or the beginning of the SHA-256 of its canonical JSON."""
    own = trial.get("key")
    if own is not None:
        if not isinstance(own, str) or not own:
            raise _wrong(f"the key {own!r} of a trial is no text; remedy: give text, or no key")
        return own
    try:
        text = json.dumps(trial, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except RecursionError:
        raise _wrong("a trial is nested too deeply; remedy: use plain data of a few levels") from None
    except (TypeError, ValueError) as error:
        raise _wrong(f"{trial!r} is no plain data ({error}); remedy: use what JSON has") from error
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def keyed(trials: Iterable[Mapping[str, Any]], known: bool) -> dict[str, Trial]:
    """The trials by key, in their order; `known` says that they are of memoom's own kinds, and are checked."""
    found: dict[str, Trial] = {}
    for trial in trials:
        if not isinstance(trial, Mapping):
            raise _wrong(f"{trial!r} is no trial; remedy: give a mapping for each")
        if known:
            check(trial)
        key = key_of(trial)
        if key in found:
            raise _wrong(
                f"two trials have the key {key}: {dict(trial)!r}; remedy: tell repeated trials apart by a parameter "
                '(in a grid: "repeat": 3)'
            )
        found[key] = dict(trial)
    return found


def check(trial: Mapping[str, Any]) -> None:
    """Whether it is a trial that memoom can run."""
    kinds = [kind for kind in _KINDS if kind in trial]
    if len(kinds) != 1:
        meant = _meant(trial, _COMMON.union(*_KINDS.values())) if not kinds else ""
        raise _wrong(f"{dict(trial)!r} has {len(kinds)} of {', '.join(_KINDS)}{meant}; remedy: give exactly one")
    has = _KINDS[kinds[0]] | _COMMON
    unknown = [name for name in trial if name not in has]
    if unknown:
        raise _wrong(
            f"a trial with {kinds[0]!r} has no {', '.join(sorted(map(repr, unknown)))}{_meant(unknown, has)}; "
            "remedy: put what is your own under 'parameters'"
        )
    if not isinstance(trial.get("parameters", {}), Mapping):
        raise _wrong(f"the parameters {trial['parameters']!r} of a trial are no table; remedy: give names and values")
    if "fit" in trial:
        _check_fit(trial)
    timeout = trial.get("timeout")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0):
        raise _wrong(f"the timeout {timeout!r} of a trial is no time span; remedy: give seconds, 0 or more")


def _check_fit(trial: Mapping[str, Any]) -> None:
    """Whether the least limit of its command can be looked for."""
    how = trial["fit"]
    if how is not True and not isinstance(how, Mapping):
        raise _wrong(f"the fit {how!r} of a trial is no table; remedy: give {', '.join(sorted(FIT))}, or true")
    unknown = [str(name) for name in how if name not in FIT] if how is not True else []
    if unknown:
        raise _wrong(f"a fit has no {unknown[0]!r}{_meant(unknown, FIT)}; remedy: give {', '.join(sorted(FIT))}")
    if trial.get("limit") in (None, "max"):
        raise _wrong("a trial with 'fit' has no limit; remedy: give the limit of its first run")
    if "high" in trial or "oom_group" in trial:
        raise _wrong("a trial with 'fit' has neither high nor oom_group; remedy: give high as a share, in its fit")


def _meant(unknown: Iterable[str], known: Collection[str]) -> str:
    """What was probably meant by keys that no trial has."""
    found = [
        f"{name!r}: did you mean {near!r}?"
        for name in map(str, unknown)
        if name not in known and (near := meant(name, known))
    ]
    return f" ({' '.join(found)})" if found else ""


def shard(trials: Mapping[str, Trial], text: str) -> dict[str, Trial]:
    """The part "i/n" of the trials, i from 0 to n-1; where a trial belongs depends on its key alone."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not int(match[1]) < int(match[2]):
        raise _wrong(f"{text!r} is no shard; remedy: give i/n with i from 0 to n-1, such as 0/8")
    number, count = int(match[1]), int(match[2])
    return {
        key: trial
        for key, trial in trials.items()
        if int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % count == number
    }


def read_trials(path: str | Path) -> list[Trial]:
    """The trials of a file: `.toml` or `.json` with base, grid and trials, or `.jsonl` with one trial a line."""
    path = Path(path)
    try:
        return _trials_of(path, _read(path))
    except RecursionError:
        raise _wrong(f"{path}: it is nested too deeply; remedy: use plain data of a few levels") from None
    except ValueError as error:
        if isinstance(error, InvalidInputError):
            raise
        raise _wrong(f"{path}: {error}") from error


def _trials_of(path: Path, document: Any) -> list[Trial]:
    try:
        if isinstance(document, list):
            return [{**_table("a trial", trial)} for trial in document]
        document = _table("it", document)
        unknown = document.keys() - {"schema", "base", "grid", "trials"}
        if unknown or document.get("schema", "memoom.sweep/1") != "memoom.sweep/1":
            raise _wrong(f"it has {', '.join(sorted(unknown)) or 'another schema'}; remedy: base, grid, trials")
        return expand(document.get("base", {}), document.get("grid", {}), document.get("trials", []))
    except InvalidInputError as error:
        raise _wrong(f"{path}: {error.message.removeprefix('read trials: ')}") from None


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise _wrong(f"{path}: it has more than {_MOST_BYTES >> 20} MiB; remedy: give the trials in several files")
    text = content.decode()
    if path.suffix == ".jsonl":
        # Only a newline ends a line: JSON may hold other ends of lines in its texts.
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    if path.suffix == ".toml":
        return toml_of(text)
    if path.suffix == ".json":
        return json.loads(text)
    raise _wrong(f"{path}: the name ends in none of .toml, .json, .jsonl")


def _table(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(f"{what} is {reprlib.repr(value)}; remedy: give a table (a JSON object)")
    return value


def expand(base: Mapping[str, Any], grid: Mapping[str, Any], trials: Iterable[Mapping[str, Any]] = ()) -> list[Trial]:
    """Each trial of the list and each point of the grid, over the base.

    An axis of the grid that is a key of trials is set there; any other is a parameter, and ``{name}`` in the texts of
    argv, args, kwargs, env, cwd and hogs is replaced by its value. ``repeat`` may be a number instead of a list. A grid
    has at most a million points.
    """
    base = _table("the base", base)
    axes: dict[str, Sequence[Any]] = {}
    for name, values in _table("the grid", grid).items():
        if name == "repeat" and isinstance(values, int) and not isinstance(values, bool):
            values = range(values)
        if not isinstance(values, list | range) or not values:
            raise _wrong(f"the axis {name!r} of the grid is {values!r}; remedy: give a list of values")
        axes[name] = values
    count = math.prod(map(_length, axes.values()))
    if count > _MOST:
        raise _wrong(f"the grid has {count} points; remedy: give at most {_MOST} in one sweep")
    points = itertools.product(*axes.values()) if axes else ()
    if not isinstance(trials, Iterable) or isinstance(trials, str | Mapping):
        raise _wrong(f"trials is {reprlib.repr(trials)}; remedy: give a list of tables")
    listed = [_settle({**base, **_table("a trial", trial)}) for trial in trials]
    return listed + [_placed(base, dict(zip(axes, point, strict=True))) for point in points]


def _length(values: Sequence[Any]) -> int:
    # len() ends at what an index of the machine can hold.
    return values.stop if isinstance(values, range) else len(values)


def _placed(base: Mapping[str, Any], point: Mapping[str, Any]) -> Trial:
    trial_keys = _COMMON.union(*_KINDS.values()) - {"parameters"}
    trial = {**base, **{name: value for name, value in point.items() if name in trial_keys}}
    own = {name: value for name, value in point.items() if name not in trial_keys}
    if own:
        trial["parameters"] = {**_table("the parameters", trial.get("parameters", {})), **own}
    return _settle(trial)


def _settle(trial: Trial) -> Trial:
    """The trial with its parameters in the places that name them."""
    parameters = _table("the parameters", trial.get("parameters", {}))

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return _PLACE.sub(lambda at: str(parameters[at[1]]) if at[1] in parameters else at[0], value)
        if isinstance(value, list):
            return [fill(one) for one in value]
        if isinstance(value, Mapping):
            return {name: fill(one) for name, one in value.items()}
        return value

    places = ("argv", "args", "kwargs", "env", "cwd", "hogs", "fit")
    return {name: fill(value) if name in places else value for name, value in trial.items()}
