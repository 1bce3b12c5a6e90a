"""A root file system for guests that cannot use this machine's own: Debian packages of their architecture as one image.

Nothing is installed and no program of a package is run here: apt resolves and downloads with a private state, dpkg
unpacks, and `lay_out` and `FINISH` do the little that is needed of what the packages' own scripts would have done. The
newest of its suite is looked up, and kept in the cache as the kernels are.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fetch import FetchError, PrivateApt, extract, last_line, newest
from hosttools import PATH
from matrix import Series

# What guest-boot.sh, guest-init.sh and the suites call; apt adds what these depend on.
WANTED = (
    "base-files",
    "bash",
    "busybox-static",
    "coreutils",
    "dash",
    "e2fsprogs",
    "findutils",
    "grep",
    "iproute2",
    "kmod",
    "libc-bin",
    "libgcc-s1",
    "libstdc++6",
    "mawk",
    "mount",
    "procps",
    "python3",
    "python3-pytest",
    "sed",
    "util-linux",
)
# Python's packages get their bytecode where they are installed; without it an import of pytest takes 30 s, not 6.
FINISH = "python3 -m compileall -q -j 2 /usr/lib/python3 /usr/lib/python3.*"
IMAGE_BYTES = 2 << 30
# Whoever changes what an image is made of or how gets a new one.
RECIPE = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


@dataclass(frozen=True)
class Root:
    """An image to boot with, and the program that boots it."""

    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "root.img"

    @property
    def busybox(self) -> Path:
        return self.folder / "busybox"


def get(series: Series, cache: Path, say, finish: Callable[[str, Root], None], refresh: bool = False) -> Root:
    """The newest root for the kernels of a series; `finish` runs a command inside a new one, which keeps its files."""
    name = f"{series.suite}-{series.architecture}"
    roots = cache / "roots"

    def look_up() -> str:
        say(f"looking up the newest {series.architecture} packages of {series.suite} for a root")
        apt = PrivateApt(cache / "apt", series.suite, series.architecture)
        apt.update()
        folder = roots / f"{name}-{identity(apt)}"
        if not folder.is_dir():
            say(f"making {folder.name}, which takes some minutes")
            roots.mkdir(exist_ok=True)
            make(apt, folder, finish)
        return folder.name

    return newest(cache / "series" / f"root-{name}-{RECIPE}", lambda found: cached(roots, found), look_up, say, refresh)


def cached(roots: Path, name: str) -> Root | None:
    root = Root(roots / name)
    return root if root.image.is_file() else None


def identity(apt: PrivateApt) -> str:
    """A name for the set of packages and versions that an image is made of, and how."""
    return hashlib.sha256(f"{RECIPE} {apt.planned(*WANTED)}".encode()).hexdigest()[:12]


def make(apt: PrivateApt, folder: Path, finish: Callable[[str, Root], None]) -> None:
    """Download, unpack, pack and finish beside the cache, then move into it in one step."""
    scratch_folder = tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-")
    with apt.closure(*WANTED) as packages, scratch_folder as scratch:
        files, made = Path(scratch) / "files", Path(scratch) / "made"
        files.mkdir()
        made.mkdir()
        # The links of the merged /usr are in this one, and have to be there before what is unpacked through them.
        extract(sorted(packages, key=lambda path: not path.name.startswith("base-files_")), files)
        lay_out(files)
        root = Root(made)
        shutil.copy2(files / "usr/bin/busybox", root.busybox)
        pack(files, root.image)
        finish(FINISH, root)
        made.rename(folder)


def lay_out(root: Path) -> None:
    """What installing would have added to the packages' files, as far as a guest needs it."""
    for name in ("bin", "sbin", "lib"):
        if not (root / name).is_symlink():
            raise FetchError(f"/{name} is no link into /usr in these packages")
    # base-passwd copies its list of users; here, those that own or are named by anything.
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    (root / "etc/group").write_text("root:x:0:\ntty:x:5:\nnogroup:x:65534:\n")
    # update-alternatives.
    (root / "usr/bin/awk").symlink_to("mawk")
    # The installer's.
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")


def pack(files: Path, image: Path) -> None:
    """One file with a file system: inside, it is a disk with a page cache, as a real machine's root."""
    image.touch()
    os.truncate(image, IMAGE_BYTES)
    argv = ["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1", "-d", str(files), str(image)]
    done = subprocess.run(argv, env=os.environ | {"PATH": PATH}, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise FetchError(f"mkfs.ext4 {image.name}: {last_line(done.stderr)}")
