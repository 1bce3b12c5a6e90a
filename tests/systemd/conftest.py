"""The observer of the whole machine, and the image that containers are made of."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import clients

if os.environ.get("MEMOOM_INIT") != "systemd":
    pytest.skip("runs in the guest that has systemd: tests/kernels/run.py systemd", allow_module_level=True)

import memoom


class Machine:
    """One watch of all groups, from before the first test to after the last."""

    def __init__(self) -> None:
        self.watch = memoom.Group.open(clients.TOP).watch(recursive=True)
        self.ooms: list[memoom.Oom] = []
        self.events: list[memoom.Event] = []

    def read(self, wait: float = 0) -> None:
        if (oom := self.watch.wait_oom(wait)) is not None:
            self.ooms.append(oom)
        while (event := self.watch.next(0)) is not None:
            self.events.append(event)

    def oom(self, of: Callable[[memoom.Oom], bool]) -> memoom.Oom:
        """The one account of that kind; a second one is an invented one."""
        end = time.monotonic() + clients.DEADLINE
        while not any(of(oom) for oom in self.ooms):
            assert time.monotonic() < end, f"no such account among {[oom.summary for oom in self.ooms]}"
            self.read(0.2)
        found = [oom for oom in self.ooms if of(oom)]
        assert len(found) == 1, [oom.summary for oom in found]
        return found[0]

    def killed(self, of: Callable[[memoom.Event], bool]) -> memoom.Event:
        """The first process of that kind that a signal has ended."""

        def look() -> list[memoom.Event]:
            self.read()
            return [event for event in self.events if event.kind == "killed" and of(event)]

        return clients.until("a process that was killed so", look)[0]

    def settle(self) -> None:
        """Everything said so far is read."""
        while True:
            before = len(self.ooms)
            self.read(0.5)
            if len(self.ooms) == before:
                return


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    watched = Machine()
    yield watched
    watched.watch.close()


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    clients.make_image(tmp_path_factory.mktemp("image"))
    return "localhost/busybox"


@pytest.fixture(scope="session")
def user() -> None:
    """The user's manager runs."""
    clients.run("loginctl", "enable-linger", "tester")
    clients.until("the user's bus", lambda: os.path.exists(f"{clients.RUNTIME}/bus"))


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a container, into which the guest's own programs are mounted."""
    top = tmp_path_factory.mktemp("rootfs")
    for name in ("usr", "etc", "tmp", "proc", "sys", "dev", "srv/memoom", "run"):
        (top / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (top / name).symlink_to(f"usr/{name}")
    return top
