"""What the host must have: packages of the system, and virtme-ng in a virtual environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# A program that must be found, and the Debian package that brings it.
PROGRAMS = {
    "busybox": "busybox-static",
    "depmod": "kmod",
    "file": "file",
    "mkfs.ext4": "e2fsprogs",
    "dpkg": "dpkg",
    "apt-get": "apt",
}
# The same for each architecture, needed only by who chose it.
EMULATORS = {
    "amd64": ("qemu-system-x86_64", "qemu-system-x86"),
    "arm64": ("qemu-system-aarch64", "qemu-system-arm"),
}
# What installs a whole system into a folder.
INSTALLER = {"mmdebstrap": "mmdebstrap"}
# What builds for an architecture that is not this machine's.
COMPILERS = {"arm64": {"aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"}}
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class HostError(Exception):
    """The host lacks something; the text says what to install."""


def missing(programs: dict[str, str]) -> list[str]:
    return [package for name, package in programs.items() if not shutil.which(name, path=PATH)]


def need_packages(architectures: set[str], say) -> None:
    """What booting a guest of these needs."""
    install(PROGRAMS | dict(EMULATORS[architecture] for architecture in sorted(architectures)), say)


def need_installer(say) -> None:
    install(INSTALLER, say)


def need_compiler(architecture: str, say) -> None:
    install(dict(COMPILERS[architecture]), say)


def install(programs: dict[str, str], say) -> None:
    """Install what is missing, as root or with a sudo that asks nothing."""
    packages = " ".join(missing(programs)).split()
    if not packages:
        return
    hint = f"install these packages first: {' '.join(packages)}"
    if not shutil.which("apt-get"):
        raise HostError(hint)
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    say(f"installing {' '.join(packages)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        try:
            done = subprocess.run(
                [*sudo, "apt-get", *step], env=environment, text=True, capture_output=True, check=False
            )
        except OSError as error:
            raise HostError(f"{hint} ({error})") from error
    if missing(programs):
        reason = (done.stderr.strip() or "apt-get gave no reason").splitlines()[-1]
        raise HostError(f"{hint} ({reason})")


def need_virtme(checkout: Path, cache: Path, say) -> Path:
    """The bin folder that holds `vng`: the checkout's own environment, else one in the cache."""
    for home in (checkout / ".venv", cache / "venv"):
        if (home / "bin" / "vng").exists() and works(home / "bin"):
            return home / "bin"
    home = cache / "venv"
    say("installing virtme-ng into the cache")
    for argv in (
        [sys.executable, "-m", "venv", "--clear", str(home)],
        [str(home / "bin" / "pip"), "install", "--quiet", "virtme-ng"],
    ):
        done = subprocess.run(argv, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(home, ignore_errors=True)
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise HostError(f"virtme-ng: {lines[-1] if lines else ' '.join(argv) + ' failed'}")
    return home / "bin"


def works(folder: Path) -> bool:
    """A virtual environment outlives the Python that it was made with; then it is made anew."""
    return subprocess.run([folder / "vng", "--version"], capture_output=True, check=False).returncode == 0
