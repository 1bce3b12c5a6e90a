"""Two accounts or outcomes side by side: what the same load did differently, on two kernels or under two limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["Difference", "compare", "facts"]

# Sizes that differ by less than that part of the larger one are the same: caches, the order of two steps.
_CLOSE = 10
_SMALL = 1 << 20
# What can be compared. The number of a schema is raised when a key changes its meaning.
_OUTCOME, _OOM = "memoom.outcome/1", "memoom.oom/1"
_REMEDY = "remedy: give an outcome or an account of this version (memoom run --json --output FILE)"
# What two runs never have in common.
_OWN = ("pid", "_ns", "occurrence")


class Difference(NamedTuple):
    """A fact on which the two do not agree; None where one does not tell it."""

    name: str
    first: Any
    second: Any

    def line(self) -> str:
        """The way a person reads it."""
        return f"{self.name}: {_shown(self.name, self.first)} | {_shown(self.name, self.second)}"


def compare(first: dict[str, Any], second: dict[str, Any]) -> list[Difference]:
    """The differences of two documents of the same kind, without what no two runs have in common."""
    a, b = facts(first), facts(second)
    names = [*a, *(name for name in b if name not in a)]
    return [Difference(name, a.get(name), b.get(name)) for name in names if not _same(name, a.get(name), b.get(name))]


def facts(document: dict[str, Any]) -> dict[str, Any]:
    """What can be compared of an outcome (`memoom.outcome/1`) or of an account (`memoom.oom/1`)."""
    if not isinstance(document, dict):
        raise ValueError(f"it is no outcome or account; {_REMEDY}")
    if document.get("schema") not in (_OUTCOME, _OOM):
        raise ValueError(f"its schema is {document.get('schema')!r}; {_REMEDY}")
    if document.keys() <= {"schema", "schema_revision"}:
        raise ValueError(f"it has nothing but its schema; {_REMEDY}")
    try:
        return _facts(document)
    except (AttributeError, KeyError, TypeError) as error:
        lacks = f" (it has no {error})" if isinstance(error, KeyError) else ""
        raise ValueError(f"it is no whole outcome or account{lacks}; {_REMEDY}") from error


def _facts(document: dict[str, Any]) -> dict[str, Any]:
    if document["schema"] == _OOM:
        return dict(_of_oom(document))
    found = {name: document.get(name) for name in ("verdict", "oom_killed", "returncode", "peak_bytes")}
    ooms = document.get("ooms") or []
    found["ooms"] = len(ooms)
    if ooms:
        found |= dict(_of_oom(ooms[0]))
    return found


def _of_oom(oom: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    report = oom.get("report") or {}
    yield "kernel", report.get("release")
    yield from ((name, oom.get(name)) for name in ("hierarchy", "limit_bytes"))
    victims = oom.get("victims") or []
    yield "victims", sorted(f"{one['comm']} ({one['cause']})" for one in victims)
    predicted = oom.get("predicted") or {}
    yield "predicted", predicted.get("comm")
    yield from _flat("usage_bytes", oom.get("usage_bytes") or {})
    yield from _flat("composition", oom.get("composition") or {})
    counters = oom.get("counters") or {}
    before, after = counters.get("before") or {}, counters.get("after") or {}
    for name, value in after.items():
        if _is_number(value) and not name.endswith("_bytes"):
            yield f"counters.{name}", value - (before.get(name) or 0)
    yield "call_path", [frame["function"] for frame in oom.get("call_path") or []]
    yield "report", report != {}
    yield "findings", [one["code"] for one in oom.get("findings") or []]
    yield "missing", sorted(one["source"] for one in oom.get("missing") or [])


def _flat(name: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    own = {key: value for key, value in values.items() if not key.endswith(_OWN)}
    yield from ((f"{name}.{key}", value) for key, value in own.items())


def _same(name: str, a: Any, b: Any) -> bool:
    if name.endswith("limit_bytes") or "_bytes" not in name or not (_is_number(a) and _is_number(b)):
        return bool(a == b)
    return bool(abs(a - b) < _SMALL or abs(a - b) * _CLOSE < max(a, b))


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "not told"
    if _is_number(value) and "_bytes" in name:
        return f"{value / _SMALL:.1f} MiB" if value >= _SMALL else f"{value} bytes"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return json.dumps(value) if isinstance(value, bool) else str(value)
