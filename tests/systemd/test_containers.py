"""Containers of podman with crun and runc: the account against `podman inspect` and the group's own counters."""

import clients
import pytest
from clients import TAKE, podman

RUNTIMES = ["crun", "runc"]


def of(container: str):
    return lambda oom: container in (oom.limit_group or "")


def run_container(image: str, name: str, *argv: str, runtime: str = "crun", more: tuple[str, ...] = ()) -> str:
    """Its id. No network and no swap."""
    limits = ["--memory=40m", "--memory-swap=40m", "--network=none"]
    return podman(f"--runtime={runtime}", "run", "--detach", f"--name={name}", *limits, *more, image, *argv)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_main_process(machine, image, runtime):
    name = f"main-{runtime}"
    container = run_container(image, name, "/bin/busybox", *TAKE.format(200).split()[1:], runtime=runtime)
    oom = machine.oom(of(container))
    assert oom.limit_bytes == 40 << 20
    assert [victim.comm for victim in oom.victims] == ["busybox"]
    assert (oom.limit_workload.name, oom.limit_workload.container_id) == (name, container)
    assert oom.limit_workload.words.startswith(f"the Podman container {name} ({container[:12]})")
    podman("wait", name)
    state = clients.inspect(name)["State"]
    assert state["ExitCode"] == 137
    # Of a container of runc podman does not always know that it was an OOM; memoom, above, did.
    assert state["OOMKilled"] or runtime == "runc"
    podman("rm", "--force", name)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_child_while_the_main_process_lives(machine, image, runtime):
    name = f"child-{runtime}"
    script = f"{TAKE.format(200)}; exec busybox sleep 1000"
    container = run_container(image, name, "/bin/sh", "-c", script, runtime=runtime)
    oom = machine.oom(of(container))
    state = clients.inspect(name)["State"]
    assert state["Running"]
    assert state["Pid"] not in {victim.pid for victim in oom.victims}
    assert clients.events(oom.limit_group)["oom_kill"] == 1
    podman("rm", "--force", "--time=0", name)


def test_a_whole_group(machine, image):
    script = f"busybox sleep 1000 & {TAKE.format(200)}; wait"
    more = ("--cgroup-conf=memory.oom.group=1",)
    container = run_container(image, "group", "/bin/sh", "-c", script, more=more)
    oom = machine.oom(of(container))
    assert {victim.cause for victim in oom.victims} == {"selected", "group"}
    assert len(oom.victims) == 3
    podman("wait", "group")
    assert clients.inspect("group")["State"]["OOMKilled"]
    podman("rm", "--force", "group")


def test_removed_at_once(machine, image):
    for number in range(3):
        argv = ("/bin/busybox", *TAKE.format(200).split()[1:])
        container = run_container(image, f"gone{number}", *argv, more=("--rm",))
        oom = machine.oom(of(container))
        assert [victim.comm for victim in oom.victims] == ["busybox"]
        # Its name was learnt while it was there.
        assert oom.limit_workload.name == f"gone{number}"


def test_two_at_once(machine, image, tmp_path):
    wait = "while [ ! -e /two/go ]; do busybox sleep 0.1; done"
    argv = ("/bin/sh", "-c", f"{wait}; exec {TAKE.format(200)}")
    ids = [run_container(image, f"two{number}", *argv, more=(f"--volume={tmp_path}:/two",)) for number in range(2)]
    (tmp_path / "go").touch()
    for container in ids:
        oom = machine.oom(of(container))
        assert len(oom.victims) == 1
        assert container in oom.victims[0].group
    for number in range(2):
        podman("rm", "--force", f"two{number}")
