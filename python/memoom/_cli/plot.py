"""The option ``--plot`` of the commands that draw what they have found."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

_WRITING = "write plot"


class Plot(NamedTuple):
    """A chart in a file, in place of an earlier one of the same command; without a path there is none."""

    path: str | None
    prog: str
    title: str

    def require(self) -> None:
        """Raises what stands in the way of the file: said before the runs, not after them."""
        from .._files import require_own

        if self.path is not None:
            require_own(_WRITING, self.path, self._is_own, f"plot of {self.prog}")

    def write(self, draw: Callable[[], str]) -> None:
        """Writes what is drawn, whole or not at all."""
        from .._files import replacing

        if self.path is not None:
            with (
                replacing(_WRITING, self.path, self._is_own, f"plot of {self.prog}") as new,
                open(new, "w", encoding="utf-8") as file,
            ):
                file.write(draw())

    def _is_own(self, fd: int) -> bool:
        return os.pread(fd, 200, 0).startswith(b"<svg") and self.title.encode() in os.pread(fd, 1000, 0)
