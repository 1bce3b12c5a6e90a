"""The group of ``memoom lab`` with its workers, and what can be done to them; it knows nothing of terminals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from .. import Event, Grow, Hog, Lab, MemoomError, Oom, TimedOutError, Worker, parse_size
from .._units import size

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["NAMES", "Answer", "Stage"]

NAMES = ("alloc_memory_1", "alloc_memory_2")
TICKER = "print_counter"
# A step is a matter of milliseconds; one that takes longer goes on while other commands are taken.
_PATIENCE = 5.0


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    command: str
    text: str
    grow: Grow | None = None
    failed: bool = False


class Stage:
    """Two hogs and a ticker in a group with a limit."""

    def __init__(self, limit: str, step: str, every: float) -> None:
        self.step_bytes, self._every = parse_size(step), every
        self.lab = Lab()
        try:
            self.group = self.lab.group("lab", limit=limit)
            self.watch = self.group.watch()
            self.hogs = [self._hog(0), self._hog(1)]
            self.ticker = self._ticker()
        except BaseException:
            self.lab.close()
            raise
        self._kills = self._counted()
        # Hogs whose step has not been answered yet.
        self._going: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lab.__exit__(kind, error, trace)

    @property
    def hierarchy(self) -> str:
        return self.lab.hierarchy

    @property
    def workers(self) -> tuple[Worker, ...]:
        return (*self.hogs, self.ticker)

    def is_going(self, index: int) -> bool:
        """Whether a step of that hog waits for its answer."""
        return index in self._going

    def do(self, command: str) -> Answer:
        """Does one command; what is wrong with it is an answer, too."""
        words = command.split()
        try:
            match words:
                case ["1" | "2" as which] | ["step", "1" | "2" as which]:
                    return self._step(command, int(which) - 1)
                case ["3" | "4" as which]:
                    return self._back(command, int(which) - 3)
                case ["back", "1" | "2" as which]:
                    return self._back(command, int(which) - 1)
                case ["k"]:
                    return self._killer(command, not self.group.oom_killer)
                case ["killer", "on" | "off" as to]:
                    return self._killer(command, to == "on")
                case ["g"]:
                    return self._group(command, not self.group.oom_group)
                case ["group", "on" | "off" as to]:
                    return self._group(command, to == "on")
                case ["+" | "-" as sign]:
                    by = self.step_bytes if sign == "+" else -self.step_bytes
                    return self._limit(command, max((self.group.limit or 0) + by, self.step_bytes))
                case ["limit", to]:
                    return self._limit(command, parse_size(to))
                case ["n" | "new"]:
                    return self._new(command)
                case ["status" | "s"]:
                    return Answer(command, self.status())
        except MemoomError as error:
            return Answer(command, str(error), failed=True)
        return Answer(command, f"there is no command {command!r}; memoom lab --help has the list", failed=True)

    def status(self) -> str:
        """Everything in one line."""
        group = self.group
        parts = [f"usage {size(group.usage_bytes)} of {size(group.limit)}", self.switch()]
        for hog in self.hogs:
            parts.append(
                f"{hog.name} (pid {hog.pid}) " + ("has ended" if hog.ended else f"holds {size(hog.total_bytes)}")
            )
        parts.append(f"{TICKER} " + ("has ended" if self.ticker.ended else f"ticks {self.ticker.ticks}"))
        return "; ".join(parts)

    def switch(self) -> str:
        """The switch of this hierarchy."""
        if self.hierarchy == "v1":
            return f"killer {'on' if self.group.oom_killer else 'off'}"
        return f"oom.group {'on' if self.group.oom_group else 'off'}"

    def ended_steps(self) -> Iterator[Answer]:
        """The steps that were waiting and have their answer now."""
        for index in sorted(self._going):
            command = f"step {index + 1}"
            try:
                grow = self.hogs[index].finish(0)
            except TimedOutError:
                continue
            except MemoomError as error:
                self._going.discard(index)
                yield Answer(command, str(error), failed=True)
                continue
            if grow.status != "blocked":
                self._going.discard(index)
                yield self._told(command, index, grow)

    def events(self) -> Iterator[Event]:
        """What has happened since the last look."""
        while (event := self.watch.next(0)) is not None:
            yield event

    def ooms(self, patient: bool = False) -> Iterator[Oom]:
        """The accounts that are complete; with patience, those of all kills that the kernel has counted."""
        while patient and self._counted() > self._kills:
            oom = self.watch.wait_oom(_PATIENCE)
            if oom is None:
                break
            yield self._seen(oom)
        while (oom := self.watch.wait_oom(0)) is not None:
            yield self._seen(oom)
        if patient:
            self._kills = self._counted()

    def _seen(self, oom: Oom) -> Oom:
        self._kills = max(self._kills, oom.counters.after.oom_kill or 0)
        return oom

    def _counted(self) -> int:
        return self.group.counters.oom_kill or 0

    def _hog(self, index: int) -> Hog:
        return self.group.hog(NAMES[index], step=self.step_bytes)

    def _ticker(self) -> Worker:
        return self.group.ticker(TICKER, self._every)

    def _step(self, command: str, index: int) -> Answer:
        try:
            grow = self.hogs[index].grow(timeout=_PATIENCE)
        except TimedOutError:
            self._going.add(index)
            return Answer(command, f"{NAMES[index]}: the step goes on")
        if grow.status == "blocked":
            self._going.add(index)
        return self._told(command, index, grow)

    def _told(self, command: str, index: int, grow: Grow) -> Answer:
        end = {
            "grew": f"has taken {size(grow.step_bytes)}, and holds {size(grow.total_bytes)}",
            "short": f"got only {size(grow.taken_bytes)}, and holds {size(grow.total_bytes)}",
            "killed": f"was killed in its step; it held {size(grow.total_bytes)}",
            "blocked": f"waits in its step; it holds {size(grow.total_bytes)}",
        }[grow.status]
        return Answer(command, f"{NAMES[index]} {end}", grow)

    def _back(self, command: str, index: int) -> Answer:
        hog = self.hogs[index]
        given = hog.shrink(self.step_bytes, _PATIENCE)
        return Answer(command, f"{NAMES[index]} has given {size(given)} back, and holds {size(hog.total_bytes)}")

    def _killer(self, command: str, on: bool) -> Answer:
        self.group.set_oom_killer(on)
        return Answer(command, f"the OOM killer is {'on' if on else 'off'}")

    def _group(self, command: str, on: bool) -> Answer:
        self.group.set_oom_group(on)
        return Answer(command, f"memory.oom.group is {'on' if on else 'off'}")

    def _limit(self, command: str, to: int) -> Answer:
        self.group.set_limit(to)
        return Answer(command, f"the limit is {size(to)}")

    def _new(self, command: str) -> Answer:
        made = []
        for index in range(len(self.hogs)):
            if self.hogs[index].ended:
                self._going.discard(index)
                self.hogs[index] = self._hog(index)
                made.append(NAMES[index])
        if self.ticker.ended:
            self.ticker = self._ticker()
            made.append(TICKER)
        return Answer(command, f"new: {', '.join(made)}" if made else "nobody has ended")
