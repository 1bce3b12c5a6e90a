"""Draws docs/pictures/experiment.svg by a real run: two hogs take 10M in turn under 80M until the kernel kills one.

python docs/pictures/draw.py        as root, or in a delegated group
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import memoom

HERE = Path(__file__).resolve().parent


def run() -> memoom.Timeline:
    """The experiment, at a pace that can be seen."""
    with memoom.Lab() as lab:
        group = lab.group("experiment", limit="80M")
        watch = group.watch()
        hogs = [group.hog(name, step="10M") for name in ("alloc_memory_1", "alloc_memory_2")]
        group.ticker("print_counter")
        step = 0
        while group.counters.oom_kill == 0:
            time.sleep(0.05)  # the pace of the picture alone: the watch below waits for the OOM
            hogs[step % 2].grow()
            step += 1
        oom = watch.wait_oom(5)
        alive = next(hog for hog in hogs if not hog.ended)
        while alive.total_bytes < 60 << 20:
            time.sleep(0.05)
            alive.grow()
        print(oom.summary if oom else "no OOM", file=sys.stderr)
        return lab.timeline()


if __name__ == "__main__":
    (HERE / "experiment.svg").write_text(run().to_svg() + "\n")
