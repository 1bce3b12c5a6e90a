"""What values need of rooms that stand above them: the core, and how things are shown.

The package connects them, because it stands above all (`memoom/__init__.py`); so no value imports what is made of it.
"""

from __future__ import annotations

# What only a checker reads is not imported: every process that imports memoom, for whatever, would pay for it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol
else:
    Protocol = object

__all__ = ["Core", "Display", "connect", "core", "display"]


class Core(Protocol):
    """What values ask of the native part."""

    def probe(self) -> Any:
        """This machine, as a value."""

    def require_lab(self) -> None:
        """Raises why no lab can be made here."""

    def explain(self, function: str, /) -> str | None:
        """What a function of the kernel does."""

    def step(self, function: str, /) -> str | None:
        """What part of the way it belongs to."""


class Display(Protocol):
    """How values are shown."""

    def html(self, value: Any, /) -> str:
        """The HTML of a value, for a notebook."""

    def svg(self, timeline: Any, group: str | None, /) -> str:
        """The chart of a group."""

    def fit_svg(self, fitted: Any, /) -> str:
        """The chart of the runs of a fit."""

    def policy_svg(self, results: Any, /) -> str:
        """The chart of policies."""

    def axes(self, timeline: Any, axes: Any, group: str | None, /) -> Any:
        """The same with matplotlib."""

    def altair(self, timeline: Any, group: str | None, /) -> Any:
        """The same with Altair."""


_core: Callable[[], Core]
_display: Callable[[], Display]


def connect(core: Callable[[], Core], display: Callable[[], Display]) -> None:
    """Says where the two are; neither is imported before it is asked for."""
    global _core, _display
    _core, _display = core, display


def core() -> Core:
    """The native part."""
    return _core()


def display() -> Display:
    """How values are shown."""
    return _display()
