"""A function of the caller's that looks while everybody stands still, bounded by time."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import EllipsisType

    from ._values import AtLimit

__all__ = ["bounded"]


def bounded(
    function: Callable[[AtLimit], int | str | None], seconds: float
) -> Callable[[AtLimit], int | str | EllipsisType | None]:
    """The same function in a thread of its own. ``...`` says that it was not through in time: nobody can end it."""

    def call(met: AtLimit) -> int | str | EllipsisType | None:
        answers: list[int | str | None] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                answers.append(function(met))
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, name="memoom-at-limit", daemon=True)
        thread.start()
        try:
            thread.join(min(seconds, threading.TIMEOUT_MAX))
        except KeyboardInterrupt:
            # The core asks for signals in its next wait, and ends the run.
            _thread.interrupt_main()
            return ...
        if thread.is_alive():
            return ...
        if errors:
            raise errors[0]
        return answers[0]

    return call
