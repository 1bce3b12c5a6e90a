"""How long `import memoom` takes beside bare Python, measured in turn in the same run; medians in milliseconds.

.venv/bin/python benches/import.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

PROGRAMS = {
    "bare Python": "pass",
    "import memoom": "import memoom",
    "import memoom, use Lab": "import memoom; memoom.Lab",
    "import memoom, use all": "import memoom; [getattr(memoom, name) for name in memoom.__all__]",
}


def once(program: str) -> float:
    before = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return (time.perf_counter() - before) * 1000


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for program in PROGRAMS.values():  # the byte code is written once
        once(program)
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            times[name].append(once(program))
    floor = statistics.median(times["bare Python"])
    print(f"to hold: import memoom at most 15 ms above bare Python; medians of {rounds}")
    for name, found in times.items():
        median = statistics.median(found)
        print(f"{name:<24} {median:7.1f} ms   {median - floor:+6.1f} ms")


if __name__ == "__main__":
    main()
