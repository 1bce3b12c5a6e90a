"""Deaths by a signal in a group, as they are seen: who died, by whom, and the account where it was an OOM."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ._errors import MemoomError
from ._explain import account

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._native import Group
    from ._values import Event, Host, KilledBy, Oom

__all__ = ["Death", "Deaths", "Witness", "why_blind"]

# So many deaths are remembered, the last ones: whoever asks why a process has died asks soon, and groups live long.
_REMEMBERED = 1000


class Death(NamedTuple):
    """One or more processes that died of one cause; an OOM has its account, and no event beside it."""

    pids: tuple[int, ...]
    time_ns: int
    event: Event | None
    oom: Oom | None

    @property
    def group(self) -> str | None:
        """The group in which they stood, as the kernel writes its path."""
        if self.oom is None:
            return None if self.event is None else self.event.group
        return next((victim.group for victim in self.oom.victims if victim.group is not None), None)

    def lines(self, full: bool = False, *, more: str = "with --full") -> list[str]:
        """What happened, the way a person reads it."""
        return [str(self.event)] if self.oom is None else account(self.oom, full, more=more)


class Deaths:
    """Reads a group's deaths. Read as soon as `fileno` is readable: who sends a signal may be gone a moment later."""

    def __init__(self, group: Group) -> None:
        self._watch = group.watch()
        # Of an OOM the kill is seen first, and the account is there a moment later.
        self._marked: dict[int, Event] = {}
        self._accounted: set[int] = set()

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._watch.fileno()

    def will_pass_on(self, target: int, number: int, pid: int, uid: int) -> KilledBy | None:
        """Says that this process is about to pass on a signal to `target` that it was sent by `pid`; who that is."""
        return self._watch.will_pass_on(target, number, pid, uid)

    def read(self) -> tuple[list[Event | Oom], list[Death]]:
        """What was said since the last time, as it was said and as deaths. It does not wait."""
        said: list[Event | Oom] = []
        deaths = []
        while (event := self._watch.next(0)) is not None:
            if event.kind != "killed" or event.pid is None:
                continue
            said.append(event)
            if event.killed_by is None or event.killed_by.by != "kernel-oom":
                deaths.append(Death((event.pid,), event.time_ns, event, None))
            elif event.pid not in self._accounted:
                self._marked[event.pid] = event
            self._accounted.discard(event.pid)
        while (oom := self._watch.wait_oom(0)) is not None:
            said.append(oom)
            # Without the kernel's log and the tracepoints nobody may be named: somebody has died all the same.
            pids = tuple(victim.pid for victim in oom.victims)
            marks = [self._marked.pop(pid) for pid in pids if pid in self._marked]
            self._accounted.update(set(pids) - {mark.pid for mark in marks})
            deaths.append(Death(pids, marks[0].time_ns if marks else _time_of(oom), None, oom))
        return said, deaths

    def rest(self) -> list[Death]:
        """The OOM kills of which no account has come; for the end."""
        marked, self._marked = self._marked, {}
        return [Death((pid,), event.time_ns, event, None) for pid, event in marked.items()]

    def close(self) -> None:
        """Ends the reading."""
        self._watch.close()


class Witness:
    """Remembers the deaths of a group for whoever asks why a process has died.

    A thread of its own reads them (`watch`), as who sends a signal may be gone a moment later.
    """

    def __init__(self, group: Group, host: Host) -> None:
        self.blind = why_blind(host)
        self._deaths = Deaths(group)
        self._died: deque[Death] = deque(maxlen=_REMEMBERED)
        self._news = threading.Condition()
        self._over = os.eventfd(0, os.EFD_CLOEXEC)

    def watch(self, every: float | None = None) -> None:
        """Reads what dies until `stop`, and does nothing while nothing does.

        With `every` the group is looked at as often, in seconds: whoever came into it by itself is then known there,
        also when it has died before anybody can ask where it stood.
        """
        poller = select.poll()
        poller.register(self._deaths.fileno(), select.POLLIN)
        poller.register(self._over, select.POLLIN)
        timeout_ms = None if every is None else every * 1000
        while all(fd != self._over for fd, _ in poller.poll(timeout_ms)):
            self.read()

    def read(self) -> None:
        """Reads what is there."""
        with self._news:
            self._died += self._deaths.read()[1]
            self._news.notify_all()

    def died(self) -> list[Death]:
        """The deaths that are remembered, in the order in which they were seen."""
        with self._news:
            return list(self._died)

    def death_of(self, pid: int, within: float) -> Death | None:
        """How a process has died, as soon as it is known; None where it is not after so many seconds."""
        with contextlib.suppress(MemoomError):
            self.read()
        with self._news:
            return self._news.wait_for(lambda: _of(pid, reversed(self._died)), within) or _of(pid, self._deaths.rest())

    @property
    def why_unknown(self) -> str:
        """Why nothing is known of a process that has died."""
        return self.blind or "what the trace tells of names neither it nor its killer"

    def stop(self) -> None:
        """Ends `watch`."""
        os.eventfd_write(self._over, 1)

    def close(self) -> None:
        """Ends the reading, when `watch` has ended."""
        os.close(self._over)
        self._deaths.close()


def _of(pid: int, deaths: Iterable[Death]) -> Death | None:
    return next((death for death in deaths if pid in death.pids), None)


def _time_of(oom: Oom) -> int:
    """When it was, as far as the account tells; 0 is before everything."""
    return max(oom.timings_ns.values(), default=0)


def why_blind(host: Host) -> str | None:
    """Why deaths by a signal cannot be seen here, but for those in an OOM and those of what memoom itself starts."""
    reasons = [one.reason or "" for one in host.missing if one.name == "tracefs"]
    return reasons[0] if reasons else None
