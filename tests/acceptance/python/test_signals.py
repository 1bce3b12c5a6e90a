"""Groups are made and removed, and processes started and ended in them, under a rain of signals; nothing fails."""

import signal
from types import FrameType

import memoom


def test_signals(lab: memoom.Lab) -> None:
    signals = 0

    def count(_number: int, _frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1

    before = signal.signal(signal.SIGALRM, count)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for number in range(100):
            group = lab.group("g", limit="8M")
            if number % 10 == 0:
                group.hog()
                group.kill()
            group.remove()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert signals >= 10
    assert not lab.groups
