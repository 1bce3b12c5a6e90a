"""One guest: how it is booted, waited for and ended. What it did is read from its files."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from fetch import Kernel
from hosttools import PATH

HERE = Path(__file__).resolve().parent

# Measured, see README.md: a plain processor is emulated faster than `max`. It is x86-64-v2.
EMULATED = "-cpu qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"
# The root once more, to be mounted with a cache: without one a start of Python takes 5 s, not 2.
CACHED_ROOT = (
    "-fsdev local,id=memoom,path=/,security_model=none,readonly=on,multidevs=remap "
    "-device virtio-9p-pci,fsdev=memoom,mount_tag=memoom.root"
)
# A disk of the guest's own, found inside by its serial.
DISK = "-drive if=none,id={name},file={path},format=raw,cache=unsafe -device virtio-blk-pci,drive={name},serial={name}"
GUEST_RESULTS = "/run/memoom/results"
KERNEL_OPTIONS = ("quiet", "loglevel=1", "mitigations=off", "no_timer_check")


@dataclass
class Guest:
    """A guest to be booted; the fields are its whole configuration."""

    kernel: Kernel
    hierarchy: str
    checkout: Path
    results: Path
    virtme: Path
    memory: str = "2G"
    cpus: int = 2
    kvm: bool = False
    nodes: int = 1
    swap: str = ""
    append: tuple[str, ...] = ()
    process: subprocess.Popen | None = field(default=None, init=False)
    started: float = field(default=0.0, init=False)
    scratch: str = field(default="", init=False)

    def argv(self) -> list[str]:
        argv = [str(self.virtme / "vng"), "-v", "-r", str(self.kernel.image), "--force-9p"]
        argv += ["--cpus", str(self.cpus), "--memory", self.memory, "--user", "root"]
        argv += [f"--rwdir={GUEST_RESULTS}={self.results}", f"--qemu-opts={CACHED_ROOT}", "--cwd", "/"]
        if self.nodes > 1:
            size = mebibytes(self.memory) // self.nodes
            argv += ["--memory", f"{size * self.nodes}M"]
            argv += [f"--numa={size}M" + (f",cpus={at}" if at < self.cpus else "") for at in range(self.nodes)]
        argv += [f"--append={option}" for option in (*KERNEL_OPTIONS, *self.append)]
        argv += [f"--qemu-opts={DISK.format(name=path.stem, path=path)}" for path in Path(self.scratch).glob("*.disk")]
        if not self.kvm:
            argv += ["--disable-kvm", f"--qemu-opts={EMULATED}"]
        return argv

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
        script = HERE / "guest-init.sh"
        return shlex.join(["sh", str(script), self.hierarchy, str(self.checkout), GUEST_RESULTS, *extra])

    def environment(self, scratch: str) -> dict[str, str]:
        path = f"{self.virtme}:{PATH}"
        return os.environ | {"PATH": path, "TMPDIR": scratch, "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self) -> None:
        self.scratch = tempfile.mkdtemp(prefix="memoom-guest-")
        self.make_disks()
        with open(self.results / "console.log", "wb") as console:
            self.started = time.time()
            self.process = subprocess.Popen(
                [*self.argv(), "--exec", self.init_command()],
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
        login = self.results / "shell"
        login.write_text(f"#!/bin/sh\nexec {self.init_command('shell')}\n")
        login.chmod(0o755)
        login_inside = f"{GUEST_RESULTS}/shell"
        with tempfile.TemporaryDirectory(prefix="memoom-guest-") as scratch:
            self.scratch = scratch
            self.make_disks()
            argv = [*self.argv(), "--shell", login_inside]
            return subprocess.run(argv, env=self.environment(scratch), check=False).returncode

    def end(self) -> None:
        """Kill the emulator and everything started for it: it is a session of its own."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
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
