"""Writes docs/reference/fields.md from docs/schema: every key of every document with type, unit and meaning.

python docs/reference/fields.py        writes it; a test looks that it is fresh and that no key stands without a meaning

An attribute in Python has the name of the key; a getter in C is memoom_<noun>_<key>; a field in Rust has the name too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SCHEMAS = HERE.parent / "schema"

# The documents in the order in which a reader meets them.
ORDER = [
    "oom",
    "outcome",
    "event",
    "timeline",
    "report",
    "reports",
    "host",
    "prediction",
    "fit",
    "aware",
    "campaign",
    "policy",
    "postmortem",
    "experiment",
]
UNITS = {
    "_bytes": "bytes",
    "_pages": "pages",
    "_ns": "ns",
    "_usec": "µs",
    "_percent": "%",
    "_permille": "‰",
    "_byte_seconds": "bytes·s",
    "score": "pages",
    "_bytes_per_sec": "bytes/s",
}
HEAD = """# Every field

Each document with its keys: type, unit and meaning. It is made from [the schemas](../schema/README.md), so it holds for every
face: an attribute in Python and a field in Rust have the name of the key, a getter in C is `memoom_<noun>_<key>`. `?` is a value
that may be null: unknown, or not there. `[]` is a list.

Times are of CLOCK_MONOTONIC. The **score** is in pages: resident, swapped and page-table pages, and `oom_score_adj` thousandths of
the limit ([how it is computed](../experiments/README.md)).
"""


def unit(name: str) -> str:
    """By the end of the name; the longest end decides."""
    ends = [end for end in UNITS if name.endswith(end)]
    return UNITS[max(ends, key=len)] if ends else ""


def kinds(schema: dict[str, Any]) -> str:
    """The type in a word or two."""
    if "$ref" in schema:
        target, _, inside = schema["$ref"].rpartition("#")
        return inside.rsplit("/", 1)[-1] or target.split(":")[2]
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        shown = [f'"{one}"' if isinstance(one, str) else "?" for one in schema["enum"]]
        return " ".join(shown)
    if "anyOf" in schema:
        parts = [kinds(one) for one in schema["anyOf"]]
        null = "?" if "null" in parts else ""
        return " ".join(part for part in parts if part != "null") + null
    named = schema.get("type", "any")
    several = [named] if isinstance(named, str) else named
    null = "?" if "null" in several and len(several) > 1 else ""
    inner = kinds(schema["items"]) if "array" in several and "items" in schema else ""
    return " ".join(f"{inner}[]" if one == "array" else one for one in several if one != "null" or not null) + null


def inside(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects that a value may be or hold, without those that are another document's."""
    if "properties" in schema:
        yield schema
    for one in schema.get("anyOf", []):
        yield from inside(one)
    if isinstance(schema.get("items"), dict):
        yield from inside(schema["items"])


def meaning(schema: dict[str, Any]) -> str:
    """Its own description, or that of what it may be."""
    if "description" in schema:
        return str(schema["description"])
    for one in schema.get("anyOf", []):
        if "description" in one:
            return str(one["description"])
    return f"see {kinds(schema)}" if "$ref" in schema else ""


def rows(schema: dict[str, Any], before: str = "", above: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Key, type, unit and meaning of each property, those inside it behind it."""
    for name, value in schema.get("properties", {}).items():
        held = list(inside(value))
        measure = unit(name) or above
        yield before + name, kinds(value), "" if held else measure, meaning(value)
        lists = "[]" if "items" in value or any("items" in one for one in value.get("anyOf", [])) else ""
        for one in held:
            yield from rows(one, f"{before}{name}{lists}.", measure)


def table(found: list[tuple[str, str, str, str]]) -> str:
    lines = ["| key | type | unit | meaning |", "| --- | --- | --- | --- |"]
    for key, kind, measure, text in found:
        said = text.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| `{key}` | {kind} | {measure} | {said} |")
    return "\n".join(lines) + "\n"


def sections() -> Iterator[tuple[str, str, list[tuple[str, str, str, str]]]]:
    """Title, introduction and rows of each table."""
    for stem in ORDER:
        schema = json.loads((SCHEMAS / f"{stem}.json").read_text())
        yield stem, schema.get("description") or schema.get("title", ""), list(rows(schema))
        for condition in schema.get("allOf", []):
            kind = condition["if"]["properties"]["kind"]["const"]
            yield f"{stem}: {kind}", "", list(rows(condition["then"]))
        for name, part in schema.get("$defs", {}).items():
            yield f"{stem}: {name}", part.get("description", ""), list(rows(part))


def page() -> str:
    parts = [HEAD]
    for title, about, found in sections():
        level = "###" if ":" in title else "##"
        parts.append(f"{level} {title}\n\n" + (f"{about}\n\n" if about else "") + table(found))
    return "\n".join(parts)


if __name__ == "__main__":
    (HERE / "fields.md").write_text(page())
