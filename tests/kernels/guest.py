"""One guest: how it is booted, waited for and ended. What it did is read from its files."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import foreign
from fetch import Kernel
from hosttools import PATH
from root import Root

HERE = Path(__file__).resolve().parent

EMULATED = shlex.join(foreign.MACHINES["amd64"].options)
# The root once more, to be mounted with a cache: without one a start of Python takes 5 s, not 2.
CACHED_ROOT = shlex.join(foreign.HOST)
# A root of its own is on a disk as well; what is written there is gone with the guest.
THROWN_AWAY = ",snapshot=on"
KERNEL_OPTIONS = ("quiet", "loglevel=1", "mitigations=off")


@dataclass
class Guest:
    """A guest to be booted; the fields are its whole configuration."""

    kernel: Kernel
    hierarchy: str
    checkout: Path
    results: Path
    virtme: Path | None
    architecture: str = "amd64"
    root: Root | None = None
    memory: str = "2G"
    cpus: int = 2
    kvm: bool = False
    nodes: int = 1
    swap: str = ""
    append: tuple[str, ...] = ()
    init: str = ""
    process: subprocess.Popen | None = field(default=None, init=False)
    started: float = field(default=0.0, init=False)
    scratch: str = field(default="", init=False)

    def argv(self) -> list[str]:
        """The command line up to what is to be run inside."""
        return self.virtme_argv() if self.root is None else self.foreign_argv(self.root)

    def virtme_argv(self) -> list[str]:
        """On this machine's own root, by virtme-ng."""
        argv = [str(self.virtme / "vng"), "-v", "-r", str(self.kernel.image), "--force-9p"]
        argv += ["--cpus", str(self.cpus), "--memory", self.memory, "--user", "root"]
        argv += [f"--rwdir={foreign.RESULTS}={self.results}", f"--qemu-opts={CACHED_ROOT}", "--cwd", "/"]
        if self.nodes > 1:
            argv += ["--memory", f"{self.node_size() * self.nodes}M"]
            argv += [f"--numa={self.node_size()}M{cpus}" for cpus in self.node_cpus()]
        argv += [f"--append={option}" for option in (*KERNEL_OPTIONS, "no_timer_check", *self.append)]
        argv += [f"--qemu-opts={shlex.join(disk)}" for disk in self.disks()]
        if not self.kvm:
            argv += ["--disable-kvm", f"--qemu-opts={EMULATED}"]
        return argv

    def foreign_argv(self, root: Root) -> list[str]:
        """On a root of its own, by the emulator alone; always emulated, as this machine is another."""
        options = (*KERNEL_OPTIONS, *self.append)
        argv = foreign.argv(self.architecture, self.kernel, Path(self.scratch), self.results, self.cpus, options)
        argv += ["-m", f"{self.node_size() * self.nodes}M"]
        if self.nodes > 1:
            for at, cpus in enumerate(self.node_cpus()):
                argv += ["-object", f"memory-backend-ram,id=node{at},size={self.node_size()}M"]
                argv += ["-numa", f"node,memdev=node{at}{cpus}"]
        argv += foreign.disk("root", root.image, THROWN_AWAY)
        return [*argv, *(word for disk in self.disks() for word in disk)]

    def node_size(self) -> int:
        return mebibytes(self.memory) // self.nodes

    def node_cpus(self) -> list[str]:
        """For each memory node its processor, as the end of an option, as long as there are any."""
        return [f",cpus={at}" if at < self.cpus else "" for at in range(self.nodes)]

    def disks(self) -> list[list[str]]:
        return [foreign.disk(path.stem, path) for path in Path(self.scratch).glob("*.disk")]

    def make_disks(self) -> None:
        """A real file system, as the root is none that has a page cache of its own; and swap, if asked for."""
        path = Path(self.scratch)
        (path / "files.disk").touch()
        os.truncate(path / "files.disk", 1 << 30)
        mkfs = ["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1", str(path / "files.disk")]
        subprocess.run(mkfs, env=os.environ | {"PATH": PATH}, check=True, stdout=subprocess.DEVNULL)
        if self.swap:
            subprocess.run(["truncate", "-s", self.swap, str(path / "swap.disk")], check=True)

    def init_command(self, *extra: str) -> str:
        """What runs inside; on a root of its own a guest sees our script where the host's root is shown."""
        script = str(HERE / "guest-init.sh") if self.root is None else f"{foreign.HOST_INSIDE}{HERE}/guest-init.sh"
        return shlex.join(["sh", script, self.hierarchy, str(self.checkout), foreign.RESULTS, *extra])

    def environment(self, scratch: str) -> dict[str, str]:
        path = f"{self.virtme}:{PATH}" if self.virtme else PATH
        return os.environ | {"PATH": path, "TMPDIR": scratch, "PYTHONDONTWRITEBYTECODE": "1"}

    def prepare(self) -> list[str]:
        """The disks, and the whole command line that runs the planned suites."""
        self.make_disks()
        if self.root is None:
            return [*self.argv(), "--exec", self.init_command()]
        self.make_initrd(self.root, self.init_command())
        return self.argv()

    def make_initrd(self, root: Root, command: str) -> None:
        foreign.make_initrd(Path(self.scratch), self.kernel, root.busybox, command, self.init)

    def prepare_shell(self) -> list[str]:
        """The same with an interactive shell instead."""
        self.make_disks()
        if self.root is None:
            login = self.results / "shell"
            login.write_text(f"#!/bin/sh\nexec {self.init_command('shell')}\n")
            login.chmod(0o755)
            return [*self.argv(), "--shell", f"{foreign.RESULTS}/shell"]
        self.make_initrd(self.root, self.init_command("shell"))
        return self.argv()

    def start(self) -> None:
        self.scratch = tempfile.mkdtemp(prefix="memoom-guest-")
        argv = self.prepare()
        with open(self.results / "console.log", "wb") as console:
            self.started = time.time()
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=self.environment(self.scratch),
                start_new_session=True,
            )

    def wait(self, deadline: float) -> str:
        """Wait for its end, and clean up. Returns "" or why the guest was ended early."""
        try:
            self.process.wait(timeout=deadline)
            return ""
        except subprocess.TimeoutExpired:
            return f"ended: not done within {deadline:g} s"
        finally:
            self.end()

    def shell(self) -> int:
        """An interactive shell in the guest, on this terminal."""
        with tempfile.TemporaryDirectory(prefix="memoom-guest-") as scratch:
            self.scratch = scratch
            return subprocess.run(self.prepare_shell(), env=self.environment(scratch), check=False).returncode

    def end(self) -> None:
        """Kill the emulator and everything started for it: it is a session of its own."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def boot_seconds(self) -> float | None:
        """From the start of the emulator to the first file written inside; the host's clock."""
        try:
            return (self.results / "release").stat().st_mtime - self.started
        except FileNotFoundError:
            return None


def mebibytes(size: str) -> int:
    """A size as --memory takes it, such as 2G or 512M."""
    return int(size[:-1]) * {"M": 1, "G": 1024}[size[-1].upper()]


def fresh_results(folder: Path) -> Path:
    """An empty folder; what an earlier run left there would be judged otherwise."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.resolve()
