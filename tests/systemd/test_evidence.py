"""What is left of the evidence in each surrounding: the table of docs/where.md, made of one OOM in each."""

import json
import os
from pathlib import Path

import clients
import pytest
from clients import IN_A_LEAF, TAKE, WRITABLE, as_user, inside, memoom

SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "-p", "Delegate=yes")


def by_root(_rootfs, to: Path) -> str:
    return clients.run(*command(str(to)), check=False)


def by_a_user(_rootfs, to: Path) -> str:
    return as_user(*SCOPE, *command(str(to)), check=False)


def in_a_container(rootfs, to: Path) -> str:
    script = f"{IN_A_LEAF} {' '.join(command('/out/' + to.name))}"
    return inside(rootfs, "/bin/sh", "-c", script, more=(WRITABLE, f"--volume={to.parent}:/out"), check=False)


def in_a_rich_container(rootfs, to: Path) -> str:
    script = f"exec {' '.join(command('/out/' + to.name))}"
    more = ("--privileged", "--pid=host", "--cgroupns=host", f"--volume={to.parent}:/out")
    return inside(rootfs, "/bin/sh", "-c", script, more=more, check=False)


def command(to: str) -> list[str]:
    return memoom("run", "--limit", "40M", "--json", "--output", to, "--", *TAKE.format(200).split())


SURROUNDINGS = {
    "root on the machine": by_root,
    "a user, in a scope with Delegate=yes": by_a_user,
    "a container with a writable cgroup mount": in_a_container,
    "a container with --privileged --pid=host --cgroupns=host": in_a_rich_container,
}
TOLD = {
    "verdict": lambda outcome, oom: outcome["verdict"] == "oom-killed",
    "whose limit": lambda outcome, oom: oom.get("limit_group") is not None,
    "the victim": lambda outcome, oom: bool(oom.get("victims")),
    "who held the memory": lambda outcome, oom: bool(oom.get("holders")),
    "the kernel's report": lambda outcome, oom: oom.get("report") is not None,
    "the call path": lambda outcome, oom: bool(oom.get("call_path")),
    "who sent the signal": lambda outcome, oom: (
        (outcome.get("killed_by") or {}).get("source") in ("tracefs", "kernel-log")
    ),
}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_what_is_told_of_an_oom(name, rootfs, tmp_path):
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o777)
    to = tmp_path / "run.json"
    said = SURROUNDINGS[name](rootfs, to)
    assert to.exists(), said
    outcome = json.loads(to.read_text())
    oom = (outcome["ooms"] or [{}])[0]
    # The least: that it was an OOM, whose, and whom it killed.
    assert TOLD["verdict"](outcome, oom) and TOLD["the victim"](outcome, oom), outcome["summary"]
    missing = {one["source"]: one["reason"] for one in (*oom.get("missing", []), *outcome["missing"])}
    row = {"name": name, "told": {told: bool(ask(outcome, oom)) for told, ask in TOLD.items()}, "missing": missing}
    with open(Path(os.environ["MEMOOM_RESULTS"]) / "evidence.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
