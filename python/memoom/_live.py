"""The live view of a lab in a notebook: one output that is drawn anew while the cell runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ._display.timeline import timeline_html
from ._errors import InvalidInputError, MemoomError

if TYPE_CHECKING:
    from ._native import Lab

__all__ = ["live"]


@contextlib.contextmanager
def live(lab: Lab, every: float) -> Iterator[None]:
    """Samples and draws in a thread until the body has ended, and once more then."""
    if not every > 0:
        raise InvalidInputError(
            f"show lab: {every} is no time span; remedy: give seconds above 0", operation="show lab"
        )
    view = _View(lab)
    over = threading.Event()

    def draw() -> None:
        while not over.wait(every):
            # A group that goes, or the end of the lab, between two looks is no reason to stop the experiment.
            with contextlib.suppress(MemoomError):
                view.draw()

    thread = threading.Thread(target=draw, name="memoom-live", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(MemoomError):
            view.end()


class _View:
    """The output of one cell."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._handle = _display(self._markup())

    def draw(self) -> None:
        """Samples, and shows what there is now."""
        if not self._lab.closed:
            for group in self._lab.groups:
                group.sample()
        if self._handle is not None:
            self._handle.update(_Html(self._markup()))

    def end(self) -> None:
        """Draws once more, as the notebook is to keep it: pictures that need no trust."""
        self.draw()
        if self._handle is not None:
            self._handle.update(_Html(timeline_html(self._lab.timeline())))

    def _markup(self) -> str:
        return timeline_html(self._lab.timeline(), inline=True)


class _Html:
    """HTML that is there already, for the display of IPython."""

    def __init__(self, markup: str) -> None:
        self._markup = markup

    def _repr_html_(self) -> str:
        return self._markup

    def __repr__(self) -> str:
        return "<live view of a memoom lab>"


def _display(markup: str) -> Any:
    """A handle by which an output can be drawn anew; None outside of a notebook."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ModuleNotFoundError:
        return None
    shell = get_ipython()
    # The terminal's IPython cannot draw anything anew.
    if shell is None or getattr(shell, "kernel", None) is None:
        return None
    return display(_Html(markup), display_id=True)  # type: ignore[no-untyped-call]
