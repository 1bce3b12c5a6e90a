"""docs/kernels.md, made of what `memoom doctor --json` and facts.py said in each guest and on this machine."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Of facts.py: files and calls that memoom uses where they are, and what it does without.
ASKED = {
    "memory.peak": "the peak is known; before, of v2 none",
    "memory.reclaim": "a group is reclaimed by its own file",
    "memory.oom.group": "a kill can take the whole group",
    "memory.events.local": "a group's own OOMs are told from those below it",
    "cgroup.kill": "a whole tree is killed at once; before, process by process",
    "memory.oom_control": "the OOM killer can be switched off",
    "memory.force_empty": "a group can be emptied",
}
HEAD = """# Kernels

What memoom finds on each kernel and hierarchy that its tests run on. This page is written by a run, which boots each
kernel in a virtual machine and asks `memoom doctor --json` inside:

    tests/kernels/run.py --all --suite doctor,facts --write-table

For a kernel that you built yourself: `tests/kernels/run.py --kernel PATH/bzImage --suite doctor,facts`. How guests are
made stands in [tests/kernels](../tests/kernels/README.md).
"""


@dataclass(frozen=True)
class Column:
    """One kernel with one hierarchy."""

    name: str
    host: dict
    facts: dict | None


def read(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def columns(results: Path, names: list[str], checkout: Path) -> list[Column]:
    """The entries that said something, and this machine."""
    found = []
    for name in names:
        host = read(results / name / "doctor.stdout")
        if host is not None:
            found.append(Column(name, host, read(results / name / "facts.stdout")))
    python = checkout / ".venv/bin/python"
    own = subprocess.run(
        [python if python.exists() else sys.executable, "-m", "memoom", "doctor", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(checkout / "python")},
    )
    if own.stdout:
        host = json.loads(own.stdout)
        # Who built that kernel is nobody's business.
        found.append(Column("a developer's machine", host | {"release": host["release"].partition("-")[0]}, None))
    return found


def write(results: Path, names: list[str], checkout: Path, to: Path) -> int:
    """Writes the page, and says how many columns it has."""
    found = columns(results, names, checkout)
    kernels = []
    for one in found:
        where = f"cgroup {one.host['version']}" if one.host["version"] else "nowhere"
        lab = "yes" if one.host["lab"] else f"no: {one.host['refusal']}"
        kernels.append((one.name, one.host["release"], one.host["hierarchy"], where, lab))
    head = ("entry", "kernel", "hierarchy", "memory controller", "a lab can be made")
    lines = [HEAD, *table(head, kernels)]
    lines += ["", "## What can be had, and why not", ""]
    lines += abilities(found)
    lines += ["", "## Files of the kernel", ""]
    lines += files([one for one in found if one.facts])
    to.write_text("\n".join(lines) + "\n")
    return len(found)


BEGIN, END = "<!-- evidence: ", "<!-- end of evidence -->"


def write_evidence(results: Path, page: Path) -> bool:
    """Puts the table that tests/systemd/test_evidence.py has made into the page; whether there was one."""
    try:
        rows = [json.loads(line) for line in (results / "evidence.jsonl").read_text().splitlines()]
    except FileNotFoundError:
        return False
    names = list(rows[0]["told"])
    body = [(row["name"], *("yes" if row["told"][name] else "no" for name in names)) for row in rows]
    lines = table(("surrounding", *names), body)
    for row in rows:
        why = "; ".join(f"{source} ({reason.partition('; remedy')[0]})" for source, reason in row["missing"].items())
        lines += ["", f"{row['name'][0].upper()}{row['name'][1:]}: {why or 'nothing is missing'}."]
    text = page.read_text()
    before, rest = text.split(BEGIN, 1)
    mark, after = rest.split("\n", 1)
    after = after.split(END, 1)[1]
    page.write_text("".join([before, BEGIN, mark, "\n", "\n".join(lines), "\n", END, after]))
    return True


def abilities(found: list[Column]) -> list[str]:
    """A row for each ability; each `no` has the number of its reason."""
    names = list(dict.fromkeys(ability["name"] for one in found for ability in one.host["abilities"]))
    reasons: list[str] = []
    rows = []
    for name in names:
        cells = []
        for one in found:
            ability = next((ability for ability in one.host["abilities"] if ability["name"] == name), None)
            if ability is None:
                cells.append("")
            elif ability["available"]:
                cells.append("yes")
            else:
                reason = f"{name}: {ability['reason']}. What helps: {ability['remedy']}."
                if reason not in reasons:
                    reasons.append(reason)
                cells.append(f"no ({reasons.index(reason) + 1})")
        rows.append((name, *cells))
    lines = table(("", *(one.name for one in found)), rows)
    return [*lines, "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))]


def files(found: list[Column]) -> list[str]:
    rows = []
    for file, meaning in ASKED.items():
        cells = ["yes" if one.facts["group"]["asked"].get(file) else "no" for one in found]
        rows.append((f"`{file}`", meaning, *cells))
    cells = ["yes" if one.facts["stacktrace_trigger"] else "no" for one in found]
    rows.append(("`mark_victim` with a stack", "the call path of a kill", *cells))
    return table(("file", "with it", *(one.name for one in found)), rows)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]
