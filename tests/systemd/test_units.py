"""Units of systemd: whose limit, who died and what systemd made of it, for each OOMPolicy, a scope and a slice."""

import subprocess

import clients
import pytest
from clients import TAKE, shell

STAYS = "exec sleep 1000"


def in_group(end: str):
    return lambda oom: (oom.limit_group or "").endswith(end)


def test_the_main_process_of_a_service(machine):
    clients.start("t-main", "/usr/bin/busybox", *TAKE.format(200).split()[1:], MemoryMax="40M")
    oom = machine.oom(in_group("/t-main.service"))
    assert oom.limit_group == "/system.slice/t-main.service"
    assert oom.limit_bytes == 40 << 20
    assert [victim.comm for victim in oom.victims] == ["busybox"]
    assert [victim.group for victim in oom.victims] == ["/system.slice/t-main.service"]
    assert oom.limit_workload.words == "the systemd service t-main.service"
    assert (oom.limit_workload.unit, oom.limit_workload.slice) == ("t-main.service", "system.slice")
    assert str(oom.victims[0].pid) == clients.show("t-main", "ExecMainPID")
    assert clients.result_of("t-main") == "oom-kill"
    clients.stop("t-main")


@pytest.mark.parametrize("policy", ["stop", "continue", "kill"])
def test_a_child_of_a_service(machine, policy):
    unit = f"t-{policy}"
    # Who does not go when he is asked to is killed.
    stays = ("trap '' TERM", TAKE.format(200), "while :; do busybox sleep 1000; done")
    clients.start(unit, *shell(*stays), MemoryMax="40M", OOMPolicy=policy, TimeoutStopSec="1s")
    oom = machine.oom(in_group(f"/{unit}.service"))
    pids = {victim.pid for victim in oom.victims}
    main = int(clients.show(unit, "ExecMainPID"))
    if policy == "continue":
        assert (clients.show(unit, "ActiveState"), clients.show(unit, "Result")) == ("active", "success")
        assert clients.events(oom.limit_group)["oom_kill"] == 1
        assert main not in pids and len(pids) == 1
        assert oom.counters.after.oom_kill - oom.counters.before.oom_kill == 1
    else:
        assert clients.result_of(unit) == "oom-kill"
        # With `kill` systemd sets memory.oom.group, and the kernel takes them all.
        assert (main in pids) == (policy == "kill"), str(oom)
        assert {victim.cause for victim in oom.victims} == ({"selected", "group"} if policy == "kill" else {"selected"})
    if policy == "stop":
        # Who ended the rest is systemd, and the account of the OOM is not blamed for it.
        event = machine.killed(lambda event: event.pid == main)
        assert event.killed_by.by == "systemd"
        clients.stood_in(event, oom.limit_group)
    assert "killed by the OOM killer" in clients.journal(f"{unit}.service")
    clients.stop(unit)


def test_a_scope(machine):
    command = ["systemd-run", "--scope", "--unit=t-scope", "-p", "MemoryMax=40M", "-p", "MemorySwapMax=0", "--quiet"]
    done = subprocess.run([*command, *TAKE.format(200).split()], check=False, timeout=clients.DEADLINE)
    assert done.returncode in (137, -9)
    oom = machine.oom(in_group("/t-scope.scope"))
    assert [victim.comm for victim in oom.victims] == ["busybox"]
    assert clients.result_of("t-scope.scope") == "oom-kill"
    clients.stop("t-scope.scope")


def test_the_limit_of_a_slice_is_hit_by_a_unit_in_it(machine):
    clients.run("systemctl", "set-property", "--runtime", "t.slice", "MemoryMax=80M", "MemorySwapMax=0")
    clients.start("t-first", *shell(TAKE.format(30), STAYS), Slice="t.slice")
    clients.start("t-second", *shell(TAKE.format(200), STAYS), Slice="t.slice", OOMPolicy="continue")
    oom = machine.oom(in_group("/t.slice"))
    assert (oom.limit_group, oom.limit_bytes) == ("/t.slice", 80 << 20)
    assert [victim.group for victim in oom.victims] == ["/t.slice/t-second.service"]
    assert oom.limit_workload.words == "the systemd slice t.slice"
    assert oom.victims[0].workload.unit == "t-second.service"
    assert clients.events("/t.slice")["oom"] >= 1
    assert clients.events("/t.slice/t-second.service")["oom_kill"] == 1
    assert clients.events("/t.slice/t-first.service")["oom_kill"] == 0
    for unit in ("t-first", "t-second"):
        clients.stop(unit)


def test_a_service_that_goes_at_once(machine):
    """Nothing of it is there when its account is made, five times in a row."""
    for number in range(5):
        unit = f"t-gone{number}"
        clients.run(
            "systemd-run",
            f"--unit={unit}",
            "--quiet",
            "--collect",
            "-p",
            "MemoryMax=20M",
            "-p",
            "MemorySwapMax=0",
            *TAKE.format(100).split(),
        )
    for number in range(5):
        oom = machine.oom(in_group(f"/t-gone{number}.service"))
        assert [victim.comm for victim in oom.victims] == ["busybox"]
        assert oom.victims[0].group == oom.limit_group
