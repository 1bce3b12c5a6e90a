"""What memoom's steps take through Python, and what a plain script takes: `figures.py WHAT COUNT` prints microseconds.

`subprocess`: subprocess.run(["true"]); `run-full`, `run-none`: memoom.run of the same, with all evidence and with
neither log nor tracepoints; `cycle-memoom`, `cycle-plain`: a group of 16 MiB, an OOM in it, and the group's removal, in
a lab of memoom's with the whole account, and with fork, a bytearray and the files of the group; `read-PATH`: the
reports of a log; `sweep`: a trial of the same cycle in a sweep, all the time by all the trials but the first, once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LIMIT = 16 << 20
MEMORY = "/sys/fs/cgroup/memory"


def plain() -> None:
    group = f"{MEMORY}/memoom-dev-plain-{os.getpid()}"
    os.mkdir(group)
    with open(f"{group}/memory.limit_in_bytes", "w") as file:
        file.write(str(LIMIT))
    pid = os.fork()
    if pid == 0:
        with open(f"{group}/tasks", "w") as file:
            file.write("0")
        bytearray(4 * LIMIT)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
    os.rmdir(group)


def measure(step: Callable[[], object], count: int) -> None:
    for at in range(count + 1):
        before = time.perf_counter()
        step()
        if at:  # the first one of a process reads what the others have at hand
            print(f"{(time.perf_counter() - before) * 1e6:.1f}")


def main() -> None:
    what, count = sys.argv[1], int(sys.argv[2])
    if what == "subprocess":
        measure(lambda: subprocess.run(["true"], check=True), count)
        return
    if what == "cycle-plain":
        measure(plain, count)
        return
    import memoom

    if what == "run-full":
        measure(lambda: memoom.run(["true"]), count)
    elif what == "run-none":
        measure(lambda: memoom.run(["true"], kernel_log=False, call_path=False), count)
    elif what == "sweep":
        hog = {"kind": "anon-thp", "step": 2 * LIMIT}
        trials = [{"hogs": [hog], "limit": LIMIT, "parameters": {"at": at}} for at in range(count + 1)]
        with ThreadPoolExecutor(1) as one:
            # As everywhere here the first one is not counted.
            results = [*memoom.sweep(trials[:1], executor=one)]
            before = time.perf_counter()
            results += memoom.sweep(trials[1:], executor=one)
            took = time.perf_counter() - before
        assert all(result.status == "oom-killed" for result in results), results
        print(f"{took * 1e6 / count:.1f}")
    elif what.startswith("read-"):
        path = Path(what.removeprefix("read-"))
        # As the core's figure is measured: the file is read as it stands, and each report is there to be asked.
        measure(lambda: sum(1 for _ in memoom.iter_reports(path)), count)
    elif what == "cycle-memoom":
        with memoom.Lab() as lab:

            def cycle() -> None:
                group = lab.group(limit=LIMIT)
                with group.watch() as watch:
                    hog = group.hog("cycle", kind="anon-thp")
                    while hog.grow(2 * LIMIT).status == "grew":
                        pass
                    oom = watch.wait_oom(60)
                    assert oom is not None and oom.victims and oom.call_path
                group.remove()

            measure(cycle, count)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
