"""Killers in user space: who sent the SIGKILL has a name, and no account is made of an OOM that was none."""

import time
from pathlib import Path

import clients
import pytest

HOG = "open('/proc/self/comm', 'w').write('t-hog'); import time; x = bytearray({} << 20); time.sleep(1000)"


def hog(mib: int) -> list[str]:
    return ["/usr/bin/python3", "-c", HOG.format(mib)]


def test_earlyoom(machine):
    machine.settle()
    before = len(machine.ooms)
    clients.start("t-prey", *hog(600))
    pid = int(clients.show("t-prey", "ExecMainPID"))
    # It kills where less than 90 % is free, and the name decides whom.
    options = "-m 95,90 -s 100,100 -r 0 --prefer ^t-hog$ --avoid ^(python3|pytest|systemd.*|sh)$"
    Path("/etc/default/earlyoom").write_text(f'EARLYOOM_ARGS="{options}"\n')
    clients.run("systemctl", "start", "earlyoom.service")
    event = machine.killed(lambda event: event.pid == pid)
    clients.run("systemctl", "stop", "earlyoom.service")
    assert event.killed_by.by == "earlyoom"
    clients.stood_in(event, "/system.slice/t-prey.service")
    # systemd sees a signal, and no OOM.
    assert clients.result_of("t-prey") == "signal"
    machine.settle()
    assert len(machine.ooms) == before, [oom.summary for oom in machine.ooms[before:]]
    clients.stop("t-prey")


@pytest.fixture
def oomd():
    folder = Path("/run/systemd/oomd.conf.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "quick.conf").write_text("[OOM]\nDefaultMemoryPressureDurationSec=1s\n")
    clients.run("systemctl", "start", "systemd-oomd.service")
    yield
    clients.run("systemctl", "stop", "systemd-oomd.service", "systemd-oomd.socket")


def test_systemd_oomd(machine, oomd):
    machine.settle()
    before = len(machine.ooms)
    pressed = {"ManagedOOMMemoryPressure": "kill", "ManagedOOMMemoryPressureLimit": "1%"}
    clients.run("systemctl", "set-property", "--runtime", "pressed.slice", *[f"{k}={v}" for k, v in pressed.items()])
    begun = time.monotonic()
    clients.start("t-pressed", *hog(400), Slice="pressed.slice", MemoryHigh="30M")
    pid = int(clients.show("t-pressed", "ExecMainPID"))
    event = machine.killed(lambda event: event.pid == pid)
    print(f"killed after {time.monotonic() - begun:.1f} s")
    assert event.killed_by.by == "systemd-oomd"
    clients.stood_in(event, "/pressed.slice/t-pressed.service")
    assert clients.result_of("t-pressed") in ("oom-kill", "signal")
    machine.settle()
    assert len(machine.ooms) == before, [oom.summary for oom in machine.ooms[before:]]
    clients.stop("t-pressed")
