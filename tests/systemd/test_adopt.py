"""Groups of others, pressed from inside: a unit with Delegate=yes, one without, and a live container."""

import clients
import pytest
from clients import TOP

import memoom


def press(group: memoom.Group) -> None:
    """Until a hog is killed at a lowered limit."""
    group.set_limit("40M")
    hog = group.hog("pressing")
    while (grow := hog.grow(timeout=clients.DEADLINE)).status == "grew":
        pass
    assert grow.status == "killed"


def test_a_unit_is_borrowed_where_it_is_delegated():
    for unit, delegate in (("given", "yes"), ("kept", "no")):
        clients.start(f"t-{unit}", "/bin/sleep", "1000", MemoryMax="200M", Delegate=delegate)
    given, kept = (TOP / f"system.slice/t-{unit}.service" for unit in ("given", "kept"))
    with pytest.raises(PermissionError, match="not delegated"):
        memoom.Group.adopt(kept)
    with memoom.Group.adopt(given) as group:
        press(group)
    assert (given / "memory.max").read_text().strip() == str(200 << 20)
    assert (given / "cgroup.procs").read_text().split() == [clients.show("t-given", "ExecMainPID")]
    assert clients.show("t-given", "ActiveState") == "active"
    for unit in ("given", "kept"):
        clients.stop(f"t-{unit}")


def test_a_live_container_is_pressed_and_goes_on(image):
    limits = ("--memory=200m", "--memory-swap=200m", "--network=none")
    clients.podman("run", "--detach", "--name=pressed", *limits, image, "/bin/busybox", "sleep", "1000")
    state = clients.inspect("pressed")["State"]
    with open(f"/proc/{state['Pid']}/cgroup", encoding="utf-8") as file:
        path = TOP / file.read().strip().removeprefix("0::/")
    with memoom.Group.adopt(path, forced=True) as group:
        press(group)
    assert (path / "memory.max").read_text().strip() in (str(200 << 20), "max")
    assert clients.inspect("pressed")["State"]["Running"]
    clients.podman("rm", "--force", "--time=0", "pressed")
