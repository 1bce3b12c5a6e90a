"""``memoom lab`` on a terminal: bars, keys, and the words as they come, with curses.

curses is in the standard library, costs nothing to import for anybody else, knows every terminal that ssh may bring,
and puts the terminal back by itself; the libraries for rich screens would be the package's only requirement.
"""

from __future__ import annotations

import contextlib
import curses
import os
import select
import time
from collections import deque

from .. import Event, MemoomError, Oom, TimedOutError, Worker
from .._explain import account, is_essential
from .._units import size
from .lab_stage import Answer, Stage

__all__ = ["serve"]

_LOOK = 0.2  # seconds between two looks at the usage while nothing happens
_KEEP = 5000  # lines of words
_LEAST = (10, 50)
_KEYS = {ord(key): key for key in "1234kgn+-"}
_QUIT = (ord("q"), 4)  # also Ctrl-D
# What the bars show.
_SHOWN = ("stepping", "stepped", "share", "ticked", "usage")
_STATES = {"R": "runs", "S": "sleeps", "D": "waits", "X": "has ended", "T": "stopped", "Z": "zombie"}
_GOOD, _WARN, _BAD, _QUIET = 1, 2, 3, 4


def serve(limit: str, step: str, every: float, full: bool) -> int:
    """Shows the stage until `q`; the terminal is as before when this returns or raises."""
    # The terminal knows its size; COLUMNS and LINES are what it was when somebody set them.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    with Stage(limit, step, every) as stage:
        ooms = curses.wrapper(lambda window: _Screen(window, stage, full).run())
    for oom in ooms:
        print("\n".join(account(oom)))
    return 0


class _Screen:
    def __init__(self, window: curses.window, stage: Stage, full: bool) -> None:
        self._window, self._stage, self._full = window, stage, full
        self._words: deque[tuple[str, int]] = deque(maxlen=_KEEP)
        self._ooms: list[Oom] = []
        self._back = 0  # lines scrolled back
        self._start = time.monotonic()
        window.nodelay(True)
        window.keypad(True)
        with contextlib.suppress(curses.error):
            curses.curs_set(0)
        if curses.has_colors():
            curses.use_default_colors()
            for pair, colour in ((_GOOD, curses.COLOR_GREEN), (_WARN, curses.COLOR_YELLOW), (_BAD, curses.COLOR_RED)):
                curses.init_pair(pair, colour, -1)
            curses.init_pair(_QUIET, curses.COLOR_CYAN, -1)

    def run(self) -> list[Oom]:
        waiting = select.poll()
        waiting.register(0, select.POLLIN)
        waiting.register(self._stage.watch.fileno(), select.POLLIN)
        while True:
            self._take()
            self._draw()
            waiting.poll(_LOOK * 1000)
            while (key := self._window.getch()) != -1:
                if key in _QUIT:
                    return self._ooms
                self._press(key)

    def _press(self, key: int) -> None:
        page = max(self._window.getmaxyx()[0] - _LEAST[0], 1)
        moves = {curses.KEY_UP: 1, curses.KEY_DOWN: -1, curses.KEY_PPAGE: page, curses.KEY_NPAGE: -page}
        if key in _KEYS:
            self._answer(self._stage.do(_KEYS[key]))
            self._back = 0
        elif key in moves:
            self._back = min(max(self._back + moves[key], 0), len(self._words))
        elif key == curses.KEY_RESIZE:
            curses.update_lines_cols()

    def _answer(self, answer: Answer) -> None:
        self._word(answer.text, curses.color_pair(_BAD) if answer.failed else curses.A_BOLD)

    def _take(self) -> None:
        """The words that have come."""
        for event in self._stage.events():
            self._tell(event)
        for answer in self._stage.ended_steps():
            self._answer(answer)
        for oom in self._stage.ooms():
            self._ooms.append(oom)
            path = " < ".join(frame.function for frame in oom.call_path)
            if path:
                self._word(f"call path: {path}", curses.color_pair(_QUIET))

    def _tell(self, event: Event) -> None:
        if event.kind == "log":
            if not self._full and not is_essential(event.text or ""):
                return
            loud = "Killed process" in (event.text or "")
            self._word(f"kernel: {event.text}", curses.color_pair(_BAD) | curses.A_BOLD if loud else curses.A_NORMAL)
        elif event.kind in ("victim", "blocked"):
            self._word(str(event), curses.color_pair(_BAD if event.kind == "victim" else _WARN) | curses.A_BOLD)
        elif event.kind not in _SHOWN:
            self._word(str(event), curses.color_pair(_QUIET))

    def _word(self, text: str, look: int) -> None:
        at = time.monotonic() - self._start
        for line in text.splitlines() or [""]:
            self._words.append((f"{at:8.3f}  {line}", look))
            if self._back:
                self._back = min(self._back + 1, len(self._words))

    def _draw(self) -> None:
        window = self._window
        window.erase()
        height, width = window.getmaxyx()
        if height < _LEAST[0] or width < _LEAST[1]:
            self._put(0, 0, "the window is too small", curses.A_BOLD)
            self._put(1, 0, "q quit")
            window.refresh()
            return
        stage = self._stage
        title = f" memoom lab · cgroup {stage.hierarchy} · {stage.group.path} "
        self._put(0, 0, title.ljust(width), curses.A_REVERSE)
        try:
            self._numbers(width)
        except MemoomError as error:
            self._put(1, 0, str(error), curses.color_pair(_BAD))
        top, bottom = 7, height - 1
        self._put(6, 0, "─" * width, curses.color_pair(_QUIET))
        room = bottom - top
        words = list(self._words)
        end = max(len(words) - self._back, 0)
        for row, (text, look) in enumerate(words[max(end - room, 0) : end]):
            self._put(top + row, 0, text, look)
        switch = "k killer" if stage.hierarchy == "v1" else "g oom.group"
        keys = f" 1 2 step · 3 4 give back · {switch} · + - limit · n new workers · ↑ ↓ words · q quit "
        self._put(bottom, 0, keys.ljust(width), curses.A_REVERSE)
        window.refresh()

    def _numbers(self, width: int) -> None:
        stage = self._stage
        counters, limit = stage.group.counters, stage.group.limit or 0
        usage = counters.usage_bytes or 0
        under = f" · under_oom {int(counters.under_oom)}" if counters.under_oom is not None else ""
        self._put(1, 0, f" limit {size(limit)} · {stage.switch()}{under} · oom_kill {counters.oom_kill}", curses.A_BOLD)
        full = usage / limit if limit else 0.0
        look = curses.color_pair(_BAD if full > 0.95 else _WARN if full > 0.75 else _GOOD)
        self._bar(2, "usage", full, f"{size(usage)} of {size(limit)}", look, width)
        prediction = stage.group.predict()
        for index, worker in enumerate(stage.hogs):
            waits = stage.is_going(index)
            state = "waits" if waits else self._state(worker)
            next_one = " ← next" if worker.pid == prediction.predicted and not worker.ended else ""
            words = f"{size(worker.total_bytes):>6}  pid {worker.pid}  {state}{next_one}"
            look = curses.A_DIM if worker.ended else curses.color_pair(_WARN if waits else _GOOD)
            held = 0.0 if worker.ended or not limit else worker.total_bytes / limit
            self._bar(3 + index, f"[{index + 1}] {worker.name}", held, words, look, width)
        ticker = stage.ticker
        words = f"{ticker.ticks} ticks  pid {ticker.pid}  {self._state(ticker)}"
        self._put(5, 1, f"    {ticker.name:<15} {words}", curses.A_DIM if ticker.ended else curses.A_NORMAL)

    @staticmethod
    def _state(worker: Worker) -> str:
        try:
            state = "X" if worker.ended else worker.state
        except (MemoomError, TimedOutError):
            state = "X"
        return _STATES.get(state, state)

    def _bar(self, row: int, name: str, part: float, words: str, look: int, width: int) -> None:
        room = max(width - 22 - 42, 8)
        filled = round(min(part, 1.0) * room)
        self._put(row, 1, f"{name:<19}")
        self._put(row, 21, "█" * filled, look)
        self._put(row, 21 + filled, "░" * (room - filled), curses.A_DIM)
        self._put(row, 22 + room, words)

    def _put(self, row: int, column: int, text: str, look: int = curses.A_NORMAL) -> None:
        """Text as far as there is room. What is no printable character would move the cursor."""
        height, width = self._window.getmaxyx()
        if row >= height or column >= width:
            return
        shown = "".join(one if one.isprintable() else "?" for one in text)[: width - column]
        # Writing the last cell of the window moves the cursor out of it, which curses calls an error.
        with contextlib.suppress(curses.error):
            self._window.addstr(row, column, shown, look)
