"""A guest with a root of its own: the emulator's command line, and the initial RAM disk that it boots from."""

import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fetch import FetchError, Kernel, last_line
from hosttools import PATH
from root import Root

BOOT = Path(__file__).resolve().parent / "guest-boot.sh"
# Where a guest sees the host's folders.
HOST_INSIDE = "/run/memoom/root"
RESULTS = "/run/memoom/results"
FINISH_SECONDS = 1800
# What stands between the kernel and its root, the disks and the host's folders; loaded with what they depend on.
MODULES = ("virtio_blk", "ext4", "9p", "9pnet_virtio")


@dataclass(frozen=True)
class Machine:
    """What is emulated for an architecture."""

    emulator: str
    options: tuple[str, ...]
    console: str


MACHINES = {
    # Measured, see README.md: a plain processor is emulated faster than `max`. It is x86-64-v2.
    "amd64": Machine("qemu-system-x86_64", ("-cpu", "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"), "ttyS0"),
    # Measured, see README.md: `max` without what is costly to emulate.
    "arm64": Machine(
        "qemu-system-aarch64", ("-M", "virt", "-cpu", "max,pauth=off,lpa2=off,sve=off,sme=off"), "ttyAMA0"
    ),
}


def share(path: Path, tag: str, options: str = "") -> list[str]:
    """A folder of the host, to be mounted by its tag."""
    name = tag.replace(".", "-")
    device = f"virtio-9p-pci,fsdev={name},mount_tag={tag}"
    return ["-fsdev", f"local,id={name},path={path},security_model=none,multidevs=remap{options}", "-device", device]


# The host's root, to be mounted with a cache, in every guest.
HOST = share(Path("/"), "memoom.root", ",readonly=on")


def argv(
    architecture: str, kernel: Kernel, scratch: Path, results: Path, cpus: int, options: tuple[str, ...]
) -> list[str]:
    """The emulator, with `initrd` of `scratch` and the host's folders; memory and disks are the caller's."""
    machine = MACHINES[architecture]
    command = [machine.emulator, *machine.options, "-accel", "tcg", "-smp", str(cpus)]
    command += ["-display", "none", "-serial", "mon:stdio", "-monitor", "none", "-nic", "none", "-no-reboot"]
    command += ["-kernel", str(kernel.image), "-initrd", str(scratch / "initrd")]
    command += [*HOST, *share(results, "memoom.results")]
    # A panic ends the guest: it restarts, which the emulator does not.
    return [*command, "-append", " ".join([f"console={machine.console}", "panic=-1", *options])]


def disk(name: str, path: Path, options: str = "") -> list[str]:
    """A disk, found inside by its serial."""
    drive = f"if=none,id={name},file={path},format=raw,cache=unsafe{options}"
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive={name},serial={name}"]


def module_files(kernel: Kernel) -> list[Path]:
    """The files of MODULES and of what these need, in the order of loading."""
    files: dict[Path, None] = {}
    for name in MODULES:
        root = kernel.image.parents[1]
        command = ["modprobe", "-C", "/dev/null", "-d", str(root), "-S", kernel.release, "--show-depends", name]
        done = subprocess.run(command, env=os.environ | {"PATH": PATH}, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise FetchError(f"no module {name} in {kernel.release}: {last_line(done.stderr)}")
        for line in done.stdout.splitlines():
            word, _, path = line.strip().partition(" ")
            if word == "insmod":
                files[Path(path)] = None
    return list(files)


def make_initrd(scratch: Path, kernel: Kernel, busybox: Path, command: str, init: str = "") -> None:
    """`initrd` in `scratch`; guest-boot.sh says what is in it. With an init that one runs the command as a service."""
    top = scratch / "initrd.files"
    for folder in ("bin", "modules"):
        (top / folder).mkdir(parents=True)
    shutil.copy2(busybox, top / "bin" / "busybox")
    shutil.copyfile(BOOT, top / "init")
    (top / "init").chmod(0o755)
    modules = module_files(kernel)
    for path in modules:
        shutil.copyfile(path, top / "modules" / path.name)
    (top / "modules" / "order").write_text("".join(f"{path.name}\n" for path in modules))
    folder = (kernel.image.parents[1] / "lib" / "modules" / kernel.release).resolve()
    settings = f"modules={shlex.quote(str(folder))}\ncommand={shlex.quote(command)}\ninit={init}\n"
    (top / "settings").write_text(settings)
    names = "".join(f"{path.relative_to(top)}\n" for path in sorted(top.rglob("*")))
    archive = ["busybox", "cpio", "-o", "-H", "newc"]
    with open(scratch / "initrd", "wb") as file:
        subprocess.run(archive, cwd=top, input=names.encode(), stdout=file, stderr=subprocess.DEVNULL, check=True)


def finish(architecture: str, kernel: Kernel, command: str, root: Root) -> None:
    """Boot an image once to change it: for what only its own programs can do."""
    with tempfile.TemporaryDirectory(prefix="memoom-guest-") as folder:
        scratch = Path(folder)
        results = scratch / "results"
        results.mkdir()
        make_initrd(scratch, kernel, root.busybox, f"({command}) >{RESULTS}/log 2>&1 && touch {RESULTS}/done")
        boot = argv(architecture, kernel, scratch, results, 2, ("quiet", "loglevel=1"))
        boot += ["-m", "1G", *disk("root", root.image)]
        try:
            null = subprocess.DEVNULL
            subprocess.run(boot, stdin=null, stdout=null, timeout=FINISH_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise FetchError(f"not done within {FINISH_SECONDS} s: {command}") from error
        if not (results / "done").exists():
            log = results / "log"
            raise FetchError(f"{command}: {last_line(log.read_text()) if log.exists() else 'the guest did not start'}")
