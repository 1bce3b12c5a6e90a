"""The real clients: systemd, podman and the killers, asked and told; nothing here knows memoom."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

TOP = Path("/sys/fs/cgroup")
# Emulated machines are slow, and nothing is measured by time here.
DEADLINE = 300.0
# A process that takes so many MiB and touches them.
TAKE = "busybox dd if=/dev/zero of=/dev/null count=1 bs={}M"

Found = TypeVar("Found")


def run(*argv: str, check: bool = True, **more: str) -> str:
    """A command's standard output; one that fails is a failure of the test, with what it said."""
    # Into files: what a client leaves behind may keep a pipe open for ever.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        null = subprocess.DEVNULL
        done = subprocess.run(
            argv, stdin=null, stdout=out, stderr=err, check=False, timeout=DEADLINE, env=os.environ | more
        )
        said, complaint = (file.seek(0) or file.read().strip() for file in (out, err))
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: status {done.returncode}: {complaint} {said}")
    return said


def until(what: str, look: Callable[[], Found]) -> Found:
    """Look again until something is found; for what the kernel and the clients tell nobody."""
    end = time.monotonic() + DEADLINE
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {DEADLINE} s: {what}")
        time.sleep(0.05)
    return found


def stood_in(event, group: str) -> None:
    """Where a process stood that was killed; of one that went too soon to be looked at it is a guess, and said so."""
    assert event.group == group or event.placed_by in ("sender", "parent"), event


# systemd


def shell(*commands: str) -> list[str]:
    """One after the other; the shell stays."""
    return ["/bin/sh", "-c", "; ".join(commands)]


def start(unit: str, *argv: str, **settings: str) -> None:
    """A transient service that stays known after its end, with a limit and no swap."""
    properties = [f"--property={name}={value}" for name, value in ({"MemorySwapMax": "0"} | settings).items()]
    run("systemd-run", f"--unit={unit}", "--quiet", "--no-block", *properties, "--", *argv)


def show(unit: str, name: str, *how: str) -> str:
    return run("systemctl", *how, "show", "--value", f"--property={name}", unit)


def result_of(unit: str) -> str:
    """`Result=` of a unit that has ended."""
    until(f"the end of {unit}", lambda: show(unit, "ActiveState") in ("failed", "inactive"))
    return show(unit, "Result")


def journal(unit: str) -> str:
    run("journalctl", "--sync")
    return run("journalctl", "--no-pager", "--output=cat", f"UNIT={unit}", "+", f"_SYSTEMD_UNIT={unit}")


def stop(unit: str) -> None:
    run("systemctl", "stop", unit, check=False)
    run("systemctl", "reset-failed", unit, check=False)


def events(cgroup: str) -> dict[str, int]:
    """`memory.events` of a group."""
    lines = (TOP / cgroup.lstrip("/") / "memory.events").read_text().splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines)}


# podman


def podman(*argv: str, check: bool = True) -> str:
    return run("podman", *argv, check=check)


def inspect(name: str) -> dict:
    return json.loads(podman("inspect", name))[0]


def make_image(folder: Path, name: str = "localhost/busybox") -> None:
    """An image of the guest's own busybox."""
    files = folder / "image"
    (files / "bin").mkdir(parents=True)
    (files / "bin/busybox").write_bytes(Path("/usr/bin/busybox").read_bytes())
    (files / "bin/busybox").chmod(0o755)
    (files / "bin/sh").symlink_to("busybox")
    run("tar", "-C", str(files), "-cf", str(folder / "image.tar"), ".")
    podman("import", "--quiet", str(folder / "image.tar"), name)


# A user without root, and containers that have the guest's own programs


UID = 1000
RUNTIME = f"/run/user/{UID}"
# Read-only, and enough for Python and memoom.
VOLUMES = ("--volume=/usr:/usr:ro", "--volume=/srv/memoom:/srv/memoom:ro", "--volume=/etc:/etc:ro")
IN_A_LEAF = "mkdir /sys/fs/cgroup/main && echo $$ >/sys/fs/cgroup/main/cgroup.procs && exec"
WRITABLE = "--security-opt=unmask=/sys/fs/cgroup"


def memoom(*argv: str) -> list[str]:
    return ["/usr/bin/python3", "-m", "memoom", *argv]


def as_user(*argv: str, check: bool = True) -> str:
    """As the user, with the addresses that a login would give."""
    drop = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--init-groups"]
    more = {"XDG_RUNTIME_DIR": RUNTIME, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={RUNTIME}/bus", "HOME": "/home/tester"}
    return run(*drop, *argv, check=check, **more)


def inside(rootfs: Path, *argv: str, more: tuple[str, ...] = (), check: bool = True) -> str:
    """In a container with a limit of 120 MiB and a cgroup namespace of its own."""
    limits = ("--memory=120m", "--memory-swap=120m", "--network=none", "--cgroupns=private")
    env = "--env=PYTHONPATH=/srv/memoom/python"
    return podman("run", "--rm", *limits, env, *VOLUMES, *more, "--rootfs", str(rootfs), *argv, check=check)
