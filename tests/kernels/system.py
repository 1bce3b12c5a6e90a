"""A whole Debian as a guest's root: systemd is its init, and the programs that limit, run and kill are installed.

mmdebstrap installs the packages into a folder, each with its own scripts, which run in a chroot of that folder; then it
is packed as the other roots are. Of this machine nothing is changed but the cache.
"""

import hashlib
import inspect
import subprocess
import tempfile
from pathlib import Path

from fetch import FetchError, PrivateApt, last_line, newest
from root import Root, cached, pack

# The newest stable one: what people have.
SUITE = "trixie"
WANTED = (
    "busybox-static",
    "catatonit",
    "crun",
    "dbus",
    "dbus-user-session",
    "e2fsprogs",
    "earlyoom",
    "gawk",
    "iproute2",
    "kmod",
    "libpam-systemd",
    "netavark",
    "passt",
    "podman",
    "procps",
    "python3",
    "python3-pytest",
    "runc",
    "systemd",
    "systemd-oomd",
    "systemd-sysv",
    "uidmap",
    "util-linux",
)


def get(cache: Path, say, refresh: bool = False) -> Root:
    """The newest root of that kind."""
    roots = cache / "roots"

    def look_up() -> str:
        say(f"looking up the newest packages of {SUITE} for a root with systemd")
        apt = PrivateApt(cache / "apt", SUITE)
        apt.update()
        folder = roots / f"systemd-{SUITE}-{identity(apt)}"
        if not folder.is_dir():
            say(f"making {folder.name}, which takes some minutes")
            roots.mkdir(exist_ok=True)
            make(apt, folder)
        return folder.name

    note = cache / "series" / f"root-systemd-{recipe()}"
    return newest(note, lambda found: cached(roots, found), look_up, say, refresh)


def recipe() -> str:
    """Whoever changes what an image is made of or how gets a new one."""
    return hashlib.sha256(f"{WANTED} {inspect.getsource(lay_out)}".encode()).hexdigest()[:12]


def identity(apt: PrivateApt) -> str:
    """A name for the set of packages and versions that an image is made of, and how."""
    return hashlib.sha256(f"{recipe()} {apt.planned(*WANTED)}".encode()).hexdigest()[:12]


def make(apt: PrivateApt, folder: Path) -> None:
    """Install and pack beside the cache, then move into it in one step."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as scratch:
        files, made = Path(scratch) / "files", Path(scratch) / "made"
        made.mkdir()
        command = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", "--quiet"]
        command += [f"--include={','.join(WANTED)}", '--aptopt=Apt::Install-Recommends "false"', apt.suite, str(files)]
        command += [str(apt.folder / "private.sources")]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise FetchError(f"mmdebstrap for {apt.suite}: {last_line(done.stderr)}")
        lay_out(files)
        root = Root(made)
        root.busybox.write_bytes((files / "usr/bin/busybox").read_bytes())
        root.busybox.chmod(0o755)
        pack(files, root.image)
        made.rename(folder)


def lay_out(root: Path) -> None:
    """One user beside root, with ids for rootless containers, and no service that is not asked for."""
    for name, line in {
        "passwd": "tester:x:1000:1000::/home/tester:/bin/bash",
        "group": "tester:x:1000:",
        "shadow": "tester:*:20000:0:99999:7:::",
        "subuid": "tester:100000:65536",
        "subgid": "tester:100000:65536",
        "hosts": "127.0.0.1 localhost",
    }.items():
        with open(root / "etc" / name, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    home = root / "home/tester"
    home.mkdir()
    subprocess.run(["chown", "1000:1000", str(home)], check=True)
    (root / "etc/machine-id").write_text("")
    # What waits for a device that nobody announces, as no udev runs here; and what the installation has done already.
    (root / "etc/systemd/system/serial-getty@.service").symlink_to("/dev/null")
    for place in ("etc", "var"):
        (root / place / ".updated").touch()
    # They kill, and are started by the tests that want them to. Their links lead nowhere but inside.
    for link in (root / "etc/systemd/system").glob("*.wants/*"):
        if link.name in ("earlyoom.service", "systemd-oomd.service", "systemd-oomd.socket") or link.suffix == ".timer":
            link.unlink()
