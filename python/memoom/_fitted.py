"""The least limit of a command, and the runs that say so, as values."""

from __future__ import annotations

from . import _wires
from ._document import Document
from ._result import Readable

__all__ = ["FitRun", "FitSettings", "Fitted"]


class FitRun(Document):
    """One run of :func:`memoom.fit` under one limit."""

    limit_bytes: int
    passed: bool
    verdict: str
    returncode: int
    check_returncode: int | None
    ooms: int
    elapsed_ns: int
    peak_bytes: int | None
    stalled_usec: int | None
    refaults: int | None
    refaults_anon: int | None
    high_events: int | None
    slowed: bool
    slowed_by: tuple[str, ...]

    _shown = ("limit_bytes", "passed", "verdict", "elapsed_ns")


class FitSettings(Document):
    """What to write where: for cgroups, systemd, Kubernetes, Slurm and Nextflow."""

    memory_max_bytes: int
    systemd: str
    kubernetes_request: str
    kubernetes_limit: str
    slurm: str
    nextflow: str


class Fitted(Readable):
    """The least limit under which a command passes; ``print(fitted)`` shows it with every run."""

    schema: str
    limit_bytes: int | None
    failed_bytes: int | None
    unslowed_bytes: int | None
    slower_permille: int
    settings: FitSettings | None
    runs: tuple[FitRun, ...]
    reason: str | None

    _nested = {"runs": FitRun._part, "settings": FitSettings._part}
    _shown = ("limit_bytes", "failed_bytes", "unslowed_bytes")

    def to_svg(self) -> str:
        """A chart of the runs: how long the command took under each limit, and the least one."""
        return _wires.display().fit_svg(self)
