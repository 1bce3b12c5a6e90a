"""How far a sweep is, and how long it will take: by tqdm where that is installed, else on a plain line."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol


class Progress(Protocol):
    """What is told of a sweep."""

    def update(self, failed: bool) -> None: ...
    def close(self) -> None: ...


class Silent:
    """Says nothing."""

    def update(self, failed: bool) -> None:
        pass

    def close(self) -> None:
        pass


class Plain:
    """One line, written anew: in a terminal over itself, else now and then below the last one."""

    def __init__(self, done: int, total: int) -> None:
        self._done, self._total, self._failed = done, total, 0
        self._before = done
        self._began = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._every = 0.2 if self._terminal else 10.0
        self._said = -self._every

    def update(self, failed: bool) -> None:
        self._done += 1
        self._failed += failed
        now = time.monotonic()
        if now - self._said >= self._every or self._done == self._total:
            self._said = now
            self._say(now)

    def _say(self, now: float) -> None:
        ours = self._done - self._before
        left = round((now - self._began) / ours * (self._total - self._done))
        errors = f", {self._failed} could not be run" if self._failed else ""
        line = f"memoom sweep: {self._done} of {self._total}{errors}, {left // 60}:{left % 60:02} left"
        print(
            f"\r\x1b[K{line}" if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        if self._terminal and self._done != self._before:
            print(file=sys.stderr, flush=True)


class Tqdm:
    """A bar of tqdm's."""

    def __init__(self, tqdm: Any, done: int, total: int) -> None:
        self._bar = tqdm(initial=done, total=total, desc="memoom sweep", unit="trial")
        self._failed = 0

    def update(self, failed: bool) -> None:
        if failed:
            self._failed += 1
            self._bar.set_postfix_str(f"{self._failed} could not be run", refresh=False)
        self._bar.update()

    def close(self) -> None:
        self._bar.close()


def progress(wanted: bool | None, done: int, total: int) -> Progress:
    """By default something is said where somebody looks."""
    if wanted is False or (wanted is None and not sys.stderr.isatty()) or done == total:
        return Silent()
    try:
        from tqdm import tqdm  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        return Plain(done, total)
    return Tqdm(tqdm, done, total)
