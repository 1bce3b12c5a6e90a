"""Logs to measure the report parser with: one without any OOM, and one of nothing but reports, none of them twice."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
RECORD = re.compile(rb"^(\d+),(\d+),(\d+),", re.M)


def dull(path: Path, size: int) -> None:
    """Lines of syslog about everything else."""
    with path.open("wb") as file:
        at = 0
        while file.tell() < size:
            clock = f"Nov 29 11:{at // 60 % 60:02}:{at % 60:02} host kernel: [{at:5}.{at * 37 % 10**6:06}]"
            file.write(f"{clock} usb 1-{at % 9}: new high-speed USB device number {at}\n".encode())
            at += 1


def dense(path: Path, size: int) -> None:
    """The captured records again and again, later and with other sizes, so that no report is one of before."""
    captures = [capture.read_bytes() for capture in sorted((TOP / "tests/logs").glob("v*.kmsg"))]
    number, time, turn = 1, 1_000_000, 0
    with path.open("wb") as file:
        while file.tell() < size:
            turn += 1
            for capture in captures:
                first = RECORD.search(capture)
                assert first is not None, "a capture begins with a record"
                moved = (number - int(first[2]), time - int(first[3]))

                def later(record: re.Match[bytes], moved: tuple[int, int] = moved) -> bytes:
                    nonlocal number, time
                    number, time = (int(record[2]) + moved[0], int(record[3]) + moved[1])
                    return b"%s,%d,%d," % (record[1], number, time)

                file.write(RECORD.sub(later, capture).replace(b"total-vm:", b"total-vm:%d" % turn))
                number, time = number + 1, time + 11_000_000
