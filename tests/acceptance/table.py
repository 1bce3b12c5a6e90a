"""The table of expectations, resolved for the features of a machine; and docs/acceptance.md from the result files."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
RESULTS = HERE / "results"
PAGE = CHECKOUT / "docs" / "acceptance.md"
FACES = ("c", "python")


@dataclass(frozen=True)
class Case:
    """One row as it is on a machine; `absent` says why it does not apply there, and is empty where it does."""

    name: str
    source: str
    holds: str
    expect: dict[str, int] = field(default_factory=dict)
    absent: str = ""


def load() -> dict[str, Any]:
    return tomllib.loads((HERE / "expected.toml").read_text())


def cases(has: dict[str, bool]) -> list[Case]:
    """Every case as it is on a machine that has these features."""
    table = load()
    found = []
    for name, row in table["case"].items():
        expect = dict(row.get("expect", {}))
        for differs in row.get("differs", ()):
            fits = has[differs["with"]] if "with" in differs else not has[differs["without"]]
            if fits:
                expect |= {key: value for key, value in differs.items() if key not in ("with", "without")}
        lacking = [feature for feature in row["needs"] if not has[feature]]
        reason = ""
        if lacking:
            said = table.get("absent", {}).get(lacking[0], {}).get("reason")
            reason = said or f"this kernel has no {lacking[0]}"
        found.append(Case(name, row["from"], row["holds"], expect, reason))
    return found


def environment(case: Case) -> dict[str, str]:
    """What a program reads: EXPECT_name=number."""
    return {f"EXPECT_{name}": str(value) for name, value in case.expect.items()}


def write_page() -> None:
    """docs/acceptance.md from tests/acceptance/results: kernel x case x face."""
    runs = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    lines = [
        "# Acceptance",
        "",
        "Written by `tests/acceptance/run.py --record` from `tests/acceptance/results`; not edited by hand. A cell",
        "counts the runs that passed of those that were made, through C / through Python; a dash is a case that does",
        "not apply, for the reason below. 16k: arm64 with pages of 16 KiB; all others are x86-64. hybrid: the memory",
        "controller on cgroup v1 beside a cgroup v2 without it, as on 6.18.44.",
        "",
        "| case | from | " + " | ".join(map(_where, runs)) + " |",
        "| --- | --- |" + " --- |" * len(runs),
    ]
    rows = load()["case"]
    for name, row in rows.items():
        cells = [_cell(run["cases"].get(name)) for run in runs]
        lines.append(f"| `{name}` | {row['from']} | " + " | ".join(cells) + " |")
    lines += ["", "## What must hold", ""]
    lines += [f"- `{name}`: {row['holds']}." for name, row in rows.items()]
    lines += ["", "## What does not apply, and why", ""]
    reasons: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for name, result in run["cases"].items():
            if result.get("absent"):
                reasons.setdefault((_where(run), result["absent"]), []).append(f"`{name}`")
    lines += [f"- {where}: {', '.join(names)}: {reason}." for (where, reason), names in reasons.items()]
    lines += [
        "",
        "## What the field checks, and where it is here",
        "",
        "| from | check | cases |",
        "| --- | --- | --- |",
    ]
    for source, checks in load()["rows"].items():
        for check, found in checks.items():
            lines.append(f"| {source} | {check} | {_named(found, rows)} |")
    lines += ["", "## Why such tests flake, and what provokes each cause here", ""]
    lines += [f"- {cause}: {found}." for cause, found in load()["flakes"].items()]
    PAGE.write_text("\n".join(lines) + "\n")


def _where(run: dict[str, Any]) -> str:
    """The kernel, and what the entry's name has behind the series: the hierarchy, and pages of an unusual size."""
    return f"{run['kernel']} {run['entry'].partition('-')[2].replace('-', ' ')}"


def _named(found: list[str] | str, rows: dict[str, Any]) -> str:
    """The cases that do a check, or the reason why none does."""
    if isinstance(found, str):
        return f"none: {found}"
    if unknown := [name for name in found if name not in rows]:
        raise SystemExit(f"expected.toml: no case {', '.join(unknown)}")
    return ", ".join(f"`{name}`" for name in found)


def _cell(result: dict[str, Any] | None) -> str:
    if result is None:
        return ""
    if result.get("absent"):
        return "-"
    shown = []
    for face in FACES:
        one = result.get(face)
        shown.append("" if one is None else f"{one['passed']}/{one['runs']}")
    return " / ".join(shown)
