"""The lab with the manners of a context manager."""

from __future__ import annotations

import warnings

from . import _native, _wires

TYPE_CHECKING = False
if TYPE_CHECKING:
    import contextlib

__all__ = ["Lab"]


class Lab(_native.Lab):
    """One safe place for experiments: a cgroup subtree of its own and one supervisor process.

    When the lab is closed, or when this process ends in whatever way, every process, group and tracing instance of it
    goes. Use it in a ``with`` statement.
    """

    def live(self, every: float = 0.25) -> contextlib.AbstractContextManager[None]:
        """In a notebook, shows what happens in the lab while the body of the ``with`` statement runs.

        The view is drawn anew `every` so many seconds by a thread of this process, which also samples the groups of
        the lab; where there is no notebook, it only samples.
        """
        from ._live import live

        return live(self, every)

    def _repr_html_(self) -> str:
        return _wires.display().html(self)

    def __del__(self) -> None:
        # Only a warning: the native part ends the lab when the object goes.
        if getattr(self, "_open", False):
            warnings.warn(
                f"{self!r} was never closed; use it in a with statement", ResourceWarning, stacklevel=2, source=self
            )
