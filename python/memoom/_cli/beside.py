"""``memoom observe`` where no lab can be made: the command runs in this process's own group, and that is watched."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from typing import TYPE_CHECKING, cast

from .._text import signal_name
from . import complain
from .run import CANNOT_RUN, NOT_FOUND, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._native import Group, Worker
    from .._observe import Deaths
    from .._values import Host, KilledBy

__all__ = ["Child", "observe", "own_group"]

# After the end of the command: how long an account may stay open; the core gives it up after 10 s.
_LAST_ACCOUNTS = 12.0
# For how long nothing must be said before there is no account.
_SILENCE_MS = 300


class Child:
    """A command as a child of this process, with a worker's manners."""

    def __init__(self, command: list[str], deaths: Deaths) -> None:
        self._deaths = deaths
        # Of each signal, who sent the last one that was passed on.
        self.passed_on: dict[int, KilledBy | None] = {}
        # The signals that are held back for it are its own to take, and what Python ignores it need not.
        default = (signal.SIGPIPE, signal.SIGXFSZ)
        self.pid = os.posix_spawnp(command[0], command, os.environ, setsigmask=(), setsigdef=default)
        self.name = os.path.basename(command[0])
        self._pidfd = os.pidfd_open(self.pid)

    def fileno(self) -> int:
        """Readable at its end."""
        return self._pidfd

    def signal(self, number: int) -> None:
        """Sends a signal. One that has ended is left alone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def pass_on(self, number: int, pid: int, uid: int) -> None:
        """Sends a signal that this process was sent by `pid`, who is named where the command ends by it."""
        self.passed_on[number] = self._deaths.will_pass_on(self.pid, number, pid, uid)
        self.signal(number)

    def returncode(self) -> int:
        """How it has ended, as subprocess has it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def own_group(host: Host) -> Group | None:
    """The group in which this process stands, where it can be seen."""
    from .. import Group, MemoomError

    if host.mount is None or host.own_group is None:
        return None
    # In a namespace of its own the mount shows the group as its top.
    for path in (host.mount + host.own_group.rstrip("/"), host.mount):
        with contextlib.suppress(MemoomError):
            group = Group.open(path)
            if os.getpid() in group.processes:
                return group
    return None


def observe(command: list[str], group: Group, refusal: str, tell: Callable[[Deaths], set[int]]) -> int:
    """Runs the command in the group of this process, tells the deaths there, and gives the exit status."""
    from .._observe import Deaths
    from .signals import Forwarder

    say(
        f"memoom: no lab can be made here, so CMD runs in the group of this process, {group.cgroup}, and all that dies "
        f"there is told, CMD's or not: {refusal}"
    )
    kills = group.counters.oom_kill
    deaths = Deaths(group)
    forwarder = Forwarder()
    try:
        child = Child(command, deaths)
    except OSError as error:
        complain("memoom observe", f"{command[0]}: {error.strerror}")
        return NOT_FOUND if error.errno == errno.ENOENT else CANNOT_RUN
    # All that is asked of it is to take signals.
    forwarder.attach(cast("Worker", child))
    poller = select.poll()
    poller.register(deaths.fileno(), select.POLLIN)
    poller.register(child.fileno(), select.POLLIN)
    told: set[int] = set()
    while all(fd != child.fileno() for fd, _ in poller.poll()):
        told |= tell(deaths)
    returncode = child.returncode()
    forwarder.stop()
    after = group.counters.oom_kill
    # As long as an account is open the watch has itself read again; then it falls silent.
    poller.unregister(child.fileno())
    end = time.monotonic() + _LAST_ACCOUNTS
    told |= tell(deaths)
    while poller.poll(_SILENCE_MS) and time.monotonic() < end:
        told |= tell(deaths)
    if returncode < 0 and child.pid not in told:
        by = child.passed_on.get(-returncode)
        why = _why(group, kills, after) if by is None else f"it was sent by {by}"
        say(f"memoom: {child.name} (pid {child.pid}) was ended by {signal_name(-returncode)}; {why}")
    return 128 - returncode if returncode < 0 else returncode


def _why(group: Group, before: int | None, after: int | None) -> str:
    if before is None or after is None:
        return f"who sent it is unknown: no OOM kills are counted for {group.cgroup}"
    if after == before:
        return f"no OOM kill was counted in {group.cgroup} meanwhile, so it was not an OOM; who sent it is unknown"
    kills = "an OOM kill was" if after == before + 1 else f"{after - before} OOM kills were"
    return f"{kills} counted in {group.cgroup} meanwhile, and whom the kernel killed cannot be read here"
