"""memoom inside a container that has a cgroup namespace of its own: with a mount that may be written, and without."""

import json

from clients import IN_A_LEAF, TAKE, WRITABLE, inside, memoom

WATCH = f"""
import subprocess, memoom
watch = memoom.Group.open("/sys/fs/cgroup").watch()
subprocess.run({TAKE.format(200).split()!r})
oom = watch.wait_oom(60)
print(oom.to_json())
"""


def test_observing_where_nothing_may_be_written(machine, rootfs):
    host = json.loads(inside(rootfs, *memoom("doctor", "--json"), check=False))
    assert not host["lab"]
    assert "read-only" in host["refusal"]
    seen = json.loads(inside(rootfs, "python3", "-c", WATCH))
    assert seen["limit_group"] == "/"
    assert seen["limit_bytes"] == 120 << 20
    # Without the kernel log and in a pid namespace nobody can tell whom: the account says so, and invents none.
    assert seen["victims"] == []
    assert "victim" in {missing["source"] for missing in seen["missing"]}
    outside = machine.oom(lambda oom: oom.limit_bytes == 120 << 20)
    assert [victim.comm for victim in outside.victims] == ["busybox"]


def test_a_lab_where_it_may_be_written(rootfs, tmp_path):
    run = " ".join(memoom("run", "--limit", "40M", "--json", "--output", "/out/run.json", "--", TAKE.format(200)))
    # The shell becomes the command, so that nobody stays at the top of the container's groups.
    inside(rootfs, "/bin/sh", "-c", f"{IN_A_LEAF} {run}", more=(WRITABLE, f"--volume={tmp_path}:/out"), check=False)
    outcome = json.loads((tmp_path / "run.json").read_text())
    assert outcome["verdict"] == "oom-killed"
    assert [victim["comm"] for victim in outcome["ooms"][0]["victims"]] == ["busybox"]
