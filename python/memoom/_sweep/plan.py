"""Trials as plain data: their keys, their shards, and the files that describe them."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .._errors import InvalidInputError

Trial = dict[str, Any]

# What a trial does, and the keys that go with it.
_KINDS = {
    "argv": {"argv", "env", "cwd"},
    "function": {"function", "args", "kwargs", "env", "cwd"},
    "hogs": {"hogs", "steps", "oom_killer"},
}
_COMMON = {"key", "limit", "swap", "high", "oom_group", "oom_score_adj", "timeout", "parameters"}
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
        raise _wrong(f"{dict(trial)!r} has {len(kinds)} of {', '.join(_KINDS)}; remedy: give exactly one")
    unknown = trial.keys() - _KINDS[kinds[0]] - _COMMON
    if unknown:
        raise _wrong(
            f"a trial with {kinds[0]!r} has no {', '.join(sorted(map(repr, unknown)))}; "
            "remedy: put what is your own under 'parameters'"
        )


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
        if path.suffix == ".jsonl":
            lines = path.read_text(encoding="utf-8").splitlines()
            return [json.loads(line) for line in lines if line.strip()]
        if path.suffix == ".toml":
            import tomllib

            document = tomllib.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".json":
            document = json.loads(path.read_text(encoding="utf-8"))
        else:
            raise _wrong(f"{path}: the name ends in none of .toml, .json, .jsonl")
    except ValueError as error:
        if isinstance(error, InvalidInputError):
            raise
        raise _wrong(f"{path}: {error}") from error
    if isinstance(document, list):
        return document
    unknown = document.keys() - {"schema", "base", "grid", "trials"}
    if unknown or document.get("schema", "memoom.sweep/1") != "memoom.sweep/1":
        raise _wrong(f"{path}: it has {', '.join(sorted(unknown)) or 'another schema'}; remedy: base, grid, trials")
    return expand(document.get("base", {}), document.get("grid", {}), document.get("trials", []))


def expand(base: Mapping[str, Any], grid: Mapping[str, Any], trials: Iterable[Mapping[str, Any]] = ()) -> list[Trial]:
    """Each trial of the list and each point of the grid, over the base.

    An axis of the grid that is a key of trials is set there; any other is a parameter, and ``{name}`` in the texts of
    argv, args, kwargs, env, cwd and hogs is replaced by its value. ``repeat`` may be a number instead of a list.
    """
    axes: dict[str, list[Any]] = {}
    for name, values in grid.items():
        if name == "repeat" and isinstance(values, int):
            values = list(range(values))
        if not isinstance(values, list) or not values:
            raise _wrong(f"the axis {name!r} of the grid is {values!r}; remedy: give a list of values")
        axes[name] = values
    points: list[dict[str, Any]] = []
    if axes:
        points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return [_settle({**base, **trial}) for trial in trials] + [_placed(base, point) for point in points]


def _placed(base: Mapping[str, Any], point: Mapping[str, Any]) -> Trial:
    trial_keys = _COMMON.union(*_KINDS.values()) - {"parameters"}
    trial = {**base, **{name: value for name, value in point.items() if name in trial_keys}}
    own = {name: value for name, value in point.items() if name not in trial_keys}
    if own:
        trial["parameters"] = {**trial.get("parameters", {}), **own}
    return _settle(trial)


def _settle(trial: Trial) -> Trial:
    """The trial with its parameters in the places that name them."""
    parameters = trial.get("parameters", {})

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return _PLACE.sub(lambda at: str(parameters[at[1]]) if at[1] in parameters else at[0], value)
        if isinstance(value, list):
            return [fill(one) for one in value]
        if isinstance(value, Mapping):
            return {name: fill(one) for name, one in value.items()}
        return value

    places = ("argv", "args", "kwargs", "env", "cwd", "hogs")
    return {name: fill(value) if name in places else value for name, value in trial.items()}
