"""What each policy has cost, as values."""

from __future__ import annotations

from typing import Any, Literal

from .. import _wires
from .._result import Table
from .._text import table
from .._units import size

__all__ = ["PolicyDeath", "PolicyResults", "PolicyTrial", "text_of"]


class PolicyDeath(Table):
    """One process that did not come to the end of its curve."""

    name: str
    by: Literal["kernel", "policy", "unknown"]
    time_ns: int
    held_bytes: int
    lost_byte_seconds: int

    _shown = ("name", "by", "held_bytes")


class PolicyTrial(Table):
    """One policy against the curves."""

    policy: str
    refused: str | None
    deaths: tuple[PolicyDeath, ...]
    finished: tuple[str, ...]
    lost_byte_seconds: int | None
    kept_byte_seconds: int | None
    at_limit_ns: int | None
    elapsed_ns: int | None
    ooms: int | None
    stalled_usec: int | None
    samples: Any

    _nested = {"deaths": PolicyDeath._part}
    _shown = ("policy", "deaths", "finished", "lost_byte_seconds")


class PolicyResults(Table):
    """Every policy that was held against the curves; ``print(results)`` shows a table, `to_svg` a chart."""

    schema: str
    limit_bytes: int
    trials: tuple[PolicyTrial, ...]

    _nested = {"trials": PolicyTrial._part}
    _shown = ("trials",)

    def to_rows(self) -> list[dict[str, Any]]:
        """A row for each policy, without the samples."""
        rows = []
        for trial in self.to_dict()["trials"]:
            row = {name: value for name, value in trial.items() if name not in ("samples", "deaths", "finished")}
            rows.append(
                {**row, "died": [death["name"] for death in trial["deaths"]], "finished": list(trial["finished"])}
            )
        return rows

    def to_svg(self) -> str:
        """A chart: the usage under each policy over time, the limit, and the deaths."""
        return _wires.display().policy_svg(self)


def text_of(document: dict[str, Any]) -> str:
    """The table for people."""
    rows = [("policy", "who died", "lost", "kept", "at the limit", "OOMs")]
    for trial in document["trials"]:
        if trial["refused"] is not None:
            continue
        died = ", ".join(
            f"{death['name']} ({death['by']}, {size(death['held_bytes'])} at {death['time_ns'] / 1e9:.2g} s)"
            for death in trial["deaths"]
        )
        lost, kept = (f"{trial[f'{name}_byte_seconds'] / (1 << 20):.0f} MiB·s" for name in ("lost", "kept"))
        at_limit = f"{trial['at_limit_ns'] / 1e6:.0f} ms"
        rows.append((trial["policy"], died or "nobody", lost, kept, at_limit, str(trial["ooms"])))
    lines = [f"limit {size(document['limit_bytes'])}", *table(rows, left=(0, 1))]
    lines += [f"{one['policy']} was not tried: {one['refused']}" for one in document["trials"] if one["refused"]]
    return "\n".join(lines)
