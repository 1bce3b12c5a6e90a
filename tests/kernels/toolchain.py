"""What builds programs for another architecture: a C compiler of Debian's, and a Rust compiler with that target.

Whoever has the target already (`rustup target add`) uses it. Where it cannot be had, Debian's compiler of the guests'
suite is unpacked into the cache beside the kernels, and runs from there; nothing is installed.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from fetch import FetchError, PrivateApt, extract, locked
from matrix import SERIES_6_12_16K

TARGETS = {"arm64": "aarch64-unknown-linux-gnu"}
COMPILERS = {"arm64": "aarch64-linux-gnu-gcc"}
# Runs a program of the unpacked tree with the tree's own libraries; this machine's may be older.
WRAPPER = """#!/bin/sh
root={root}
exec "$root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" \\
    "$root/usr/bin/rustc" "$@"
"""


def environment(architecture: str, cache: Path, say: Callable[[str], None]) -> dict[str, str]:
    """What cargo needs in its environment to build for that architecture."""
    target = TARGETS[architecture]
    settings = {f"CARGO_TARGET_{target.upper().replace('-', '_')}_LINKER": COMPILERS[architecture]}
    if not has_target(os.environ.get("RUSTC", "rustc"), target):
        settings["RUSTC"] = str(of_debian(architecture, cache, say))
    return settings


def has_target(rustc: str, target: str) -> bool:
    command = [rustc, "--print", "target-libdir", "--target", target]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    return done.returncode == 0 and any(Path(done.stdout.strip()).glob("libstd-*"))


def of_debian(architecture: str, cache: Path, say: Callable[[str], None]) -> Path:
    """Debian's rustc with its library for that architecture too; it stays until the cache is deleted."""
    suite = SERIES_6_12_16K.suite
    folder = cache / "toolchains" / f"{suite}-{architecture}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(cache / "lock"):
        if not folder.is_dir():
            say(f"fetching the Rust compiler of {suite} for {architecture}, some 300 MB")
            unpack(suite, architecture, cache, folder)
    wrapper = folder / "rustc"
    if not has_target(str(wrapper), TARGETS[architecture]):
        raise FetchError(f"{wrapper} cannot build for {TARGETS[architecture]}; delete {folder} and try again")
    return wrapper


def unpack(suite: str, architecture: str, cache: Path, folder: Path) -> None:
    """Download and unpack beside the cache, then move into it in one step."""
    ours, theirs = PrivateApt(cache / "apt", suite), PrivateApt(cache / "apt", suite, architecture)
    ours.update()
    theirs.update()
    scratch_folder = tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-")
    with ours.closure("rustc") as packages, scratch_folder as scratch:
        root = Path(scratch) / "made" / "root"
        root.mkdir(parents=True)
        # Of the other architecture the library alone: what that depends on is for running there.
        theirs.run("apt-get", "download", "-q", "libstd-rust-dev", cwd=Path(scratch))
        extract([*packages, *Path(scratch).glob("*.deb")], root)
        wrapper = root.parent / "rustc"
        wrapper.write_text(WRAPPER.format(root=folder / "root"))
        wrapper.chmod(0o755)
        root.parent.rename(folder)
