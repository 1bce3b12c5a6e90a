"""The machine and its groups as values: what memoom can do here, and what the kernel counts for a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from . import _wires
from ._document import Document

__all__ = ["Ability", "Composition", "Counters", "Host", "Leftover", "Pressure", "Stall"]


class Ability(Document):
    """Something that memoom can do here, or why it cannot and what would help."""

    name: str
    available: bool
    reason: str
    remedy: str


class Host(Document):
    """This machine as memoom sees it; ``print(host)`` shows it the way a person reads it."""

    schema: str
    lab: bool
    refusal: str | None
    next: str
    hierarchy: Literal["v1", "v2", "hybrid", "none"]
    version: Literal["v1", "v2"] | None
    mount: str | None
    own_group: str | None
    parent: str | None
    release: str
    available_bytes: int
    swap_total_bytes: int
    abilities: tuple[Ability, ...]

    _nested = {"abilities": Ability._part}
    _shown = ("hierarchy", "version", "release", "parent")

    @staticmethod
    def probe() -> Host:
        """Looks at this machine. Nothing is changed by looking."""
        return cast("Host", _wires.core().probe())

    def can(self, name: str) -> bool:
        """Whether that ability is there."""
        return any(ability.name == name and ability.available for ability in self.abilities)

    @property
    def missing(self) -> tuple[Ability, ...]:
        """The abilities that are not there."""
        return tuple(ability for ability in self.abilities if not ability.available)

    def require_lab(self) -> None:
        """Raises why no lab can be made here."""
        _wires.core().require_lab()

    def _repr_html_(self) -> str:
        return _wires.display().html(self)


class Leftover(Document):
    """What `gc` did with one lab."""

    path: str
    removed: bool
    reason: str


class Counters(Document):
    """What the kernel counted for a group: numbers of events, never of dead processes."""

    usage_bytes: int | None
    peak_bytes: int | None
    oom_kill: int | None
    oom: int | None
    oom_group_kill: int | None
    max: int | None
    high: int | None
    low: int | None
    failcnt: int | None
    under_oom: bool | None
    oom_kill_disable: bool | None
    local: Mapping[str, int] | None
    other: Mapping[str, int] | None

    def _repr_html_(self) -> str:
        return _wires.display().html(self)


class Stall(Document):
    """How long tasks have waited for memory: shares in percent, and all the time so far."""

    avg10: float
    avg60: float
    avg300: float
    total_usec: int


class Composition(Document):
    """The charged bytes of a group, by what holds them. A part that the kernel does not tell is None, never 0.

    The parts that do not overlap (anon, file, shmem, both slabs, kernel_stack, page_tables, percpu, vmalloc, sock on
    v2, hugetlb and other) add up to the usage.
    """

    usage_bytes: int | None
    anon_bytes: int | None
    file_bytes: int | None
    shmem_bytes: int | None
    slab_reclaimable_bytes: int | None
    slab_unreclaimable_bytes: int | None
    kernel_stack_bytes: int | None
    page_tables_bytes: int | None
    sock_bytes: int | None
    percpu_bytes: int | None
    vmalloc_bytes: int | None
    hugetlb_bytes: int | None
    swap_bytes: int | None
    other_bytes: int | None
    kernel_bytes: int | None
    kernel_other_bytes: int | None
    unexplained_bytes: int | None
    huge_bytes: int | None
    reclaimable_bytes: int | None
    mapped_bytes: int | None
    dirty_bytes: int | None
    writeback_bytes: int | None
    unevictable_bytes: int | None
    source: Literal["report", "memory.stat", "sample"]
    read_ns: int

    _shown = ("usage_bytes", "anon_bytes", "file_bytes", "shmem_bytes", "kernel_bytes", "sock_bytes", "source")


class Pressure(Document):
    """Waits for memory (PSI): of at least one task, and of all that wanted to run."""

    some: Stall
    full: Stall

    _nested = {"some": Stall._part, "full": Stall._part}
