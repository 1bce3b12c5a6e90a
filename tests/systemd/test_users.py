"""A user without root: the scopes of a user manager, and what is delegated there."""

import json
import re

import clients
import pytest
from clients import TAKE, UID, as_user, memoom

pytestmark = pytest.mark.usefixtures("user")


def test_a_scope_of_the_user(machine):
    scope = ["systemd-run", "--user", "--scope", "--unit=u-scope", "-p", "MemoryMax=40M", "-p", "MemorySwapMax=0"]
    as_user(*scope, *TAKE.format(200).split(), check=False)
    oom = machine.oom(lambda oom: (oom.limit_group or "").endswith("/u-scope.scope"))
    assert oom.limit_group.startswith(f"/user.slice/user-{UID}.slice/user@{UID}.service/")
    assert [victim.comm for victim in oom.victims] == ["busybox"]
    assert oom.limit_workload.words == f"the systemd scope u-scope.scope of user {UID}"


def test_a_lab_in_a_delegated_scope(tmp_path):
    tmp_path.chmod(0o777)
    for folder in list(tmp_path.parents)[:2]:
        folder.chmod(0o755)
    scope = ["systemd-run", "--user", "--scope", "--unit=u-lab", "-p", "Delegate=yes", "--quiet"]
    to = tmp_path / "run.json"
    run = memoom("run", "--limit", "40M", "--json", "--output", str(to), "--", *TAKE.format(200).split())
    as_user(*scope, *run, check=False)
    outcome = json.loads(to.read_text())
    assert outcome["verdict"] == "oom-killed"
    assert outcome["ooms"][0]["victims"][0]["comm"] == "busybox"


def test_a_run_starts_its_own_scope(tmp_path):
    """Without root, without a delegated group: the user's systemd gives one, and takes it back."""
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o777)
    to = tmp_path / "run.json"
    command = ["busybox", "sh", "-c", f"busybox cat /proc/self/cgroup >{tmp_path}/where; exec {TAKE.format(200)}"]
    as_user(*memoom("run", "--limit", "40M", "--json", "--output", str(to), "--", *command), check=False)
    outcome = json.loads(to.read_text())
    assert outcome["verdict"] == "oom-killed", outcome["summary"]
    # The lab stands in the scope, not in what the manager keeps for itself.
    where = (tmp_path / "where").read_text()
    scope = re.search(rf"user@{UID}.service/app.slice/(run-[^/]+\.scope)/memoom-", where)
    assert scope, where
    unloaded = lambda: as_user("systemctl", "--user", "show", "--value", "-p", "LoadState", scope[1]) != "loaded"  # noqa: E731
    clients.until("the end of the scope", unloaded)


def test_a_unit_is_watched_by_its_name_from_before_its_start(tmp_path):
    to = tmp_path / "watch.jsonl"
    watch = memoom("watch", "--unit", "named.service", "--json")
    clients.start(
        "t-watch",
        "/bin/sh",
        "-c",
        f"exec {' '.join(watch)} >{to} 2>{to}.err",
        Environment="PYTHONPATH=/srv/memoom/python",
        WorkingDirectory="/srv/memoom",
    )
    clients.until(
        "the watch",
        lambda: (
            "watching" in (tmp_path / "watch.jsonl.err").read_text()
            if (tmp_path / "watch.jsonl.err").exists()
            else False
        ),
    )
    for unit in ("other", "named"):
        clients.start(unit, *TAKE.format(200).split(), MemoryMax="40M")
        clients.result_of(unit)
        clients.stop(unit)
    clients.until("the account", to.read_text)
    clients.stop("t-watch")
    (account,) = [json.loads(line) for line in to.read_text().splitlines()]
    assert account["limit_workload"]["unit"] == "named.service"
