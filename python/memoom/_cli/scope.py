"""A place for a lab where a user has none: a scope of the user's own systemd, which ends with the command."""

from __future__ import annotations

import os
import shutil
import sys

__all__ = ["enter", "has_manager"]

# Set for the command that runs in its own scope.
_MARK = "MEMOOM_SCOPE"


def has_manager() -> bool:
    """Whether a systemd of this user's own can be asked: its socket or its bus is there, and systemd-run."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    answers = any(os.path.exists(f"{runtime}/{socket}") for socket in ("systemd/private", "bus"))
    return answers and shutil.which("systemd-run") is not None


def enter(command: str, arguments: list[str]) -> None:
    """Goes on in a scope of its own where no lab can be made here and the user's systemd gives one.

    The process stays the same one: its pid, its files and its exit status are the command's.
    """
    if os.environ.pop(_MARK, None) == "1":
        _leave_the_top()
        return
    if os.geteuid() == 0 or not has_manager():
        return
    from .. import Host

    host = Host.probe()
    # A systemd hands out no controllers of v1.
    if host.lab or host.version != "v2":
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
    scope = ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--property=Delegate=yes"]
    own = [sys.executable, "-m", "memoom", command, *arguments]
    os.execvpe(scope[0], [*scope, "--", *own], os.environ | {_MARK: "1"})


def _leave_the_top() -> None:
    """Into a leaf of the scope: a group with processes cannot give the groups in it the memory controller.

    Where that cannot be done the lab itself says what is missing.
    """
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            own = next(line[3:].rstrip("\n") for line in file if line.startswith("0::"))
        leaf = f"/sys/fs/cgroup{own}/main"
        os.mkdir(leaf)
        with open(f"{leaf}/cgroup.procs", "w", encoding="ascii") as file:
            file.write("0")
    except (OSError, StopIteration):
        return
