#!/usr/bin/env python3
"""The kernel's own tests of cgroups as a driver: run alone, and once more while memoom watches the whole machine.

    peers.py --build    outside: takes tools/testing/selftests/cgroup out of Debian's linux-source, and compiles it
    peers.py [NAME...]  inside a guest: runs them, and judges

No test may fail because somebody observes, and there are as many victims in accounts as the kernel has counted kills
(oom_kill of /proc/vmstat). What the observer costs is shown. It needs cgroup v2, as these tests do.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAMS = CHECKOUT / "target" / "guest" / "peers"
# Those that have to do with memory, or that move, freeze and kill whole groups under the observer's eyes.
TESTS = ("test_memcontrol", "test_kmem", "test_core", "test_kill", "test_freezer")
SELFTESTS = "tools/testing/selftests"
TAKEN = ("cgroup/*", "kselftest*.h", "clone3/clone3_selftests.h", "pidfd/pidfd.h")
# Nothing takes so long, also under emulation.
PATIENCE = 600.0
# Some of them fail now and then by themselves, where a machine is busy: only what never fails alone, and always
# where it is observed, fails for that.
ROUNDS = 3
# The status of a program that cannot run here.
SKIP = 4
LINE = re.compile(r"^(ok|not ok) \d+ (?:- )?(\S+)(.*)$", re.MULTILINE)


def build() -> None:
    """The newest sources that this machine's apt has; 140 MB, of which some files are kept."""
    depends = subprocess.run(["apt-cache", "depends", "linux-source"], capture_output=True, text=True, check=True)
    (package,) = set(re.findall(r"Depends: (linux-source-\S+)", depends.stdout))
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as there:
        subprocess.run(["apt-get", "download", "-qq", package], cwd=there, check=True)
        (archive,) = Path(there).glob("*.deb")
        taken = " ".join(f"'linux-source-*/{SELFTESTS}/{name}'" for name in TAKEN)
        unpack = (
            f"dpkg-deb --fsys-tarfile {archive} | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | "
            f"xz -dc | tar -x --wildcards {taken}"
        )
        subprocess.run(["bash", "-o", "pipefail", "-c", unpack], cwd=there, check=True)
        (sources,) = Path(there).glob(f"linux-source-*/{SELFTESTS}/cgroup")
        for name in TESTS:
            command = ["cc", "-O1", "-pthread", "-static", "-w", f"{name}.c", "cgroup_util.c", "-I..", "-o"]
            subprocess.run([*command, str(PROGRAMS / name)], cwd=sources, check=True)
    print(f"{package}: {', '.join(TESTS)} in {PROGRAMS}")


@dataclass
class Ran:
    """What one program said, how long it took, and how many kills the kernel counted meanwhile."""

    passed: set[str]
    failed: set[str]
    skipped: set[str]
    seconds: float
    kills: int

    @property
    def counts(self) -> str:
        return f"{len(self.passed)}/{len(self.failed)}/{len(self.skipped)}"


def counted_kills() -> int:
    return int(re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)[1])


def run(name: str) -> Ran:
    kills, began = counted_kills(), time.monotonic()
    # They make files where they stand, which is to be a real file system that may be written.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as there:
        done = subprocess.run(
            [PROGRAMS / name], cwd=there, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    said = LINE.findall(done.stdout)
    skipped = {test for _, test, rest in said if "SKIP" in rest.upper()}
    failed = {test for how, test, _ in said if how == "not ok"}
    if done.returncode == SKIP and not failed:
        skipped.add(name)
    elif not said:
        failed = {f"{name} said nothing (status {done.returncode}): {done.stdout[-200:]}{done.stderr[-200:]}"}
    passed = {test for how, test, _ in said if how == "ok"} - skipped
    return Ran(passed, failed, skipped, time.monotonic() - began, counted_kills() - kills)


class Observer:
    """memoom watch of the whole machine, and the accounts that it tells."""

    def __init__(self, there: Path) -> None:
        self._file = there / "accounts.jsonl"
        with self._file.open("wb") as told:
            argv = [sys.executable, "-m", "memoom", "watch", "--all", "--json"]
            self._process = subprocess.Popen(argv, stdout=told, stderr=subprocess.PIPE, text=True)
        # It says so when everything that is there is watched.
        first = self._process.stderr.readline()
        if "watching" not in first:
            raise SystemExit(f"the machine cannot be watched: {first}")

    def victims(self, expected: int) -> list[dict]:
        """Those of all accounts, as soon as there are so many; what is there when nothing more can come."""
        deadline = time.monotonic() + 60
        while True:
            lines = self._file.read_text().splitlines()
            found = [victim for line in lines for victim in json.loads(line)["victims"]]
            if len(found) >= expected or time.monotonic() > deadline:
                return found
            time.sleep(0.2)

    def accounts(self) -> int:
        return len(self._file.read_text().splitlines())

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)


def judge(names: list[str]) -> int:
    if not PROGRAMS.is_dir():
        print("there are no programs: tests/kernels/peers.py --build, outside")
        return 2
    faults = []
    print("ok/not ok/skipped, s    alone              observed           kills accounts victims  observer's CPU s")
    for name in names or TESTS:
        alone, observed = [], []
        for _ in range(ROUNDS):
            alone.append(run(name))
            with tempfile.TemporaryDirectory() as there:
                observer = Observer(Path(there))
                observed.append(run(name))
                kills, victims = observed[-1].kills, observer.victims(observed[-1].kills)
                accounts, cpu = observer.accounts(), observer.cpu_seconds()
                observer.end()
            shown = "".join(f"{one.counts:<10}{one.seconds:<9.1f}" for one in (alone[-1], observed[-1]))
            print(f"{name:<24}{shown}{kills:<6}{accounts:<9}{len(victims):<9}{cpu:.1f}", flush=True)
            if len(victims) != kills:
                faults.append(f"{name}: {kills} kills were counted, and {len(victims)} victims have accounts")
        for test in sorted(set().union(*(one.failed for one in alone + observed))):
            fails = [sum(test in one.failed for one in runs) for runs in (alone, observed)]
            print(f"  {test} failed {fails[0]} of {ROUNDS} times alone, {fails[1]} of {ROUNDS} times observed")
            if fails == [0, ROUNDS]:
                faults.append(f"{name}: {test} fails where it is observed")
    print("\n".join(faults) or "no test fails for being observed, and each kill has its account")
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", action="store_true", help="outside: fetch and compile them")
    parser.add_argument("names", nargs="*", metavar="NAME", help="inside: these programs alone")
    options = parser.parse_args()
    if options.build:
        for tool in ("apt-get", "dpkg-deb", "xz", "cc"):
            if shutil.which(tool) is None:
                print(f"{tool} is not here")
                return 2
        build()
        return 0
    return judge(options.names)


if __name__ == "__main__":
    sys.exit(main())
