"""A Jupyter kernel in a group of its own: when it dies, the log says why.

The provisioner is chosen in a ``kernel.json``; ``limit`` is the memory of the kernel and of all that it starts:

    {"argv": [...], "metadata": {"kernel_provisioner": {
        "provisioner_name": "memoom", "config": {"limit": "4G"}}}}

Where no group can be made here, the kernel starts as it would without, and the log says why.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Unicode

from ._errors import MemoomError
from ._text import signal_name

__all__ = ["MemoomProvisioner"]

# It goes into the group before it becomes the kernel: on either hierarchy 0 is whoever writes.
_ENTER = 'echo 0 > "$0/cgroup.procs" && exec "$@"'
# What a kernel that has died is waited for, in seconds: an account may stay open for 10.
_ACCOUNT = 12.0
# How often the group is looked at, in seconds. The kernel comes into it by itself.
_LOOK = 0.2


class MemoomProvisioner(LocalProvisioner):
    """Starts a kernel in a group, and tells who killed it."""

    limit = Unicode("", help="the memory of the kernel and of all that it starts, as memoom takes sizes; none if empty")
    swap = Unicode("0", help="swap beyond the limit; max for any")

    #: Why the kernel has died, as far as it is known; None while it lives.
    explanation: str | None = None
    _place: _Place | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Starts the kernel."""
        self.explanation = None
        try:
            self._place = await asyncio.to_thread(_Place, self.limit or None, self.swap)
        except MemoomError as error:
            self.log.warning("memoom: the kernel has no group of its own: %s", error)
        else:
            cmd = ["/bin/sh", "-c", _ENTER, str(self._place.path), *cmd]
        return await super().launch_kernel(cmd, **kwargs)

    async def poll(self) -> int | None:
        """The exit status of the kernel; the first time that there is one, why."""
        # Before it is reaped: until then it can be looked at.
        place, pid = self._place, self.pid
        number = None if place is None or pid is None or self.explanation is not None else _died_of(pid)
        if place is not None and pid is not None and number is not None:
            self.explanation = await asyncio.to_thread(place.explain, pid, number)
            self.log.error("memoom: %s", self.explanation)
        status: int | None = await super().poll()
        return status

    async def cleanup(self, restart: bool = False) -> None:
        """Removes the group, with all that the kernel has left running."""
        await super().cleanup(restart)
        place, self._place = self._place, None
        if place is not None:
            await asyncio.to_thread(place.close)


def _died_of(pid: int) -> int | None:
    """The signal that has ended a child, which stays to be reaped; None for one that lives or has ended by itself."""
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    killed = found is not None and found.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
    return found.si_status if found is not None and killed else None


class _Place:
    """The lab, the group of the kernel, and what dies there."""

    def __init__(self, limit: str | None, swap: str) -> None:
        from ._lab import Lab
        from ._observe import Witness

        self._lab = Lab()
        # Without a limit swap has none either.
        self._group = self._lab.group("kernel", limit=limit, swap=None if limit is None else swap)
        self.path = self._group.path
        # While a command stands in it the group is looked at as its usage changes: so the kernel is known here, also
        # when it has ended before anybody can ask where it stood.
        self._group.command(["sleep", "infinity"])
        self._witness = Witness(self._group, self._lab.host)
        self._thread = threading.Thread(target=self._watch, name="memoom-jupyter", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        with suppress(MemoomError):
            self._witness.watch(_LOOK)

    def explain(self, pid: int, number: int) -> str:
        """Why the kernel has died of that signal."""
        if (death := self._witness.death_of(pid, _ACCOUNT)) is not None:
            return "\n".join(["the kernel has died", *death.lines(more="in memoom why --full")])
        why = self._witness.why_unknown
        return f"the kernel (pid {pid}) died by {signal_name(number)}; by whom is unknown because {why}"

    def close(self) -> None:
        """Ends it all."""
        self._witness.stop()
        self._thread.join()
        self._witness.close()
        self._lab.close()
